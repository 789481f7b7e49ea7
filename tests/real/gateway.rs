//! An S3 server for one test: versitygw over a folder, which is killed and started again with what it has.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::environment::{folder, free_port, versitygw};

/// The credentials of its only user.
pub(crate) const ACCESS_KEY: &str = "walbook-test";
pub(crate) const SECRET_KEY: &str = "secret-of-walbook-test";
/// Its only bucket.
pub(crate) const BUCKET: &str = "books";

/// How long its start may take.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// The server; dropped, it ends.
pub(crate) struct Gateway {
    folder: TempDir,
    port: u16,
    has_attributes: bool,
    server: Option<Child>,
}

impl Gateway {
    /// Starts a server with an empty bucket.
    pub(crate) fn start(name: &str) -> Gateway {
        Gateway::start_with(name, true)
    }

    /// Starts one that keeps no attributes of objects, and therefore ignores conditions.
    pub(crate) fn start_without_attributes(name: &str) -> Gateway {
        Gateway::start_with(name, false)
    }

    fn start_with(name: &str, has_attributes: bool) -> Gateway {
        let folder = folder(name);
        for part in ["objects/books", "attributes"] {
            fs::create_dir_all(folder.path().join(part)).expect("folders can be made");
        }
        let mut gateway = Gateway { folder, port: free_port(), has_attributes, server: None };
        gateway.restart();
        gateway
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Removes what was sent of all uploads that are not completed.
    pub(crate) fn end_all_uploads(&self) {
        let uploads = self.folder.path().join("objects").join(BUCKET).join(".sgwtmp/multipart");
        assert!(fs::read_dir(&uploads).expect("there are uploads").next().is_some(), "nothing is being uploaded");
        fs::remove_dir_all(uploads).expect("it is the test's");
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().expect("a child can be killed");
            server.wait().expect("a child can be waited for");
        }
    }

    /// Starts it, again if it was killed.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("log"));
        let log = log.expect("files can be made");
        let mut command = Command::new(versitygw());
        command.args(["--access", ACCESS_KEY, "--secret", SECRET_KEY, "--port"]).arg(self.address().to_string());
        // The attributes of objects are in files beside them: not every file system of a test has extended ones.
        command.arg("posix");
        match self.has_attributes {
            true => command.arg("--sidecar").arg(self.folder.path().join("attributes")),
            false => command.arg("--nometa"),
        };
        command.arg(self.folder.path().join("objects"));
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file")).stderr(log);
        self.server = Some(command.spawn().expect("versitygw is there"));
        let began = Instant::now();
        while TcpStream::connect(self.address()).is_err() {
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(began.elapsed() < START_TIMEOUT, "versitygw does not listen:\n{}", log());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sets what a process needs to reach a server at an address, and gives it a folder of its own for temporary files.
pub(crate) fn reach(command: &mut Command, address: SocketAddr, temporary: &Path) {
    command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY).env("TMPDIR", temporary);
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command.args(["--store", &format!("endpoint=http://{address},allow-http=true,path-style=true,region=us-east-1")]);
}
