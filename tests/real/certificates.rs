//! Certificates for one test, created by the `openssl` command.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::environment;

/// A folder with keys and certificates: `NAME.key` and `NAME.crt`.
pub(crate) struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// An empty folder that other users may read.
    pub(crate) fn new() -> Certificates {
        let folder = environment::folder("certificates");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        Certificates { folder }
    }

    /// A file of the folder.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// A self-signed certificate, as PostgreSQL's guide creates them.
    pub(crate) fn make_self_signed(&self, name: &str, subject: &str) {
        let (key, certificate) = self.files(name);
        openssl(&["req", "-new", "-x509", "-days", "30", "-nodes", "-newkey", "rsa:2048"], |command| {
            command.args(["-subj", subject, "-keyout"]).arg(key).arg("-out").arg(certificate);
        });
        self.keep_secret(name);
    }

    /// A certificate signed by `authority`, with extensions as in `subjectAltName=DNS:localhost`.
    pub(crate) fn make_signed(&self, name: &str, authority: &str, subject: &str, extensions: &str) {
        let (key, certificate) = self.files(name);
        let (authority_key, authority_certificate) = self.files(authority);
        let (request, config) = (self.path("request"), self.path("extensions"));
        fs::write(&config, extensions).expect("the folder is ours");
        openssl(&["req", "-new", "-nodes", "-newkey", "rsa:2048"], |command| {
            command.args(["-subj", subject, "-keyout"]).arg(key).arg("-out").arg(&request);
        });
        openssl(&["x509", "-req", "-days", "30", "-CAcreateserial"], |command| {
            command.arg("-in").arg(&request).arg("-CA").arg(authority_certificate).arg("-CAkey").arg(authority_key);
            command.arg("-extfile").arg(config).arg("-out").arg(certificate);
        });
        self.keep_secret(name);
    }

    /// Makes the user of the PostgreSQL server the owner of a key.
    pub(crate) fn give_to_the_server(&self, name: &str) {
        if let Some((user, group)) = environment::postgres_owner() {
            chown(self.files(name).0, Some(user), Some(group)).expect("root may give files away");
        }
    }

    /// Replaces the key and certificate of one name by those of another.
    pub(crate) fn exchange(&self, name: &str, by: &str) {
        let ((key, certificate), (other_key, other_certificate)) = (self.files(name), self.files(by));
        // Overwriting a file keeps its owner.
        fs::write(key, fs::read(other_key).expect("it was made")).expect("the folder is ours");
        fs::write(certificate, fs::read(other_certificate).expect("it was made")).expect("the folder is ours");
    }

    fn keep_secret(&self, name: &str) {
        let key = self.files(name).0;
        fs::set_permissions(key, fs::Permissions::from_mode(0o600)).expect("the folder is ours");
    }

    fn files(&self, name: &str) -> (PathBuf, PathBuf) {
        (self.path(&format!("{name}.key")), self.path(&format!("{name}.crt")))
    }
}

fn openssl(arguments: &[&str], more: impl FnOnce(&mut Command)) {
    let mut command = Command::new("openssl");
    more(command.args(arguments));
    let output = command.stdin(Stdio::null()).output().expect("openssl is installed");
    assert!(output.status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
}
