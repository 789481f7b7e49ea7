//! Counts the instructions that this program executes, by Valgrind.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The name of this program in the folder.
const PROGRAM: &str = "program";

/// Counts instructions of this program.
pub(crate) struct Valgrind {
    folder: PathBuf,
}

impl Valgrind {
    /// Finds Valgrind; it writes into a folder that exists.
    pub(crate) fn find(folder: &Path) -> Result<Valgrind, String> {
        let program = env::current_exe().map_err(|error| format!("could not find this program: {error}"))?;
        let linked = symlink(program, folder.join(PROGRAM));
        linked.map_err(|error| format!("could not link this program into {}: {error}", folder.display()))?;
        let found = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
        match found {
            Ok(status) if status.success() => Ok(Valgrind { folder: folder.to_owned() }),
            Ok(status) => Err(format!("`valgrind --version` failed: {status}")),
            Err(error) => {
                Err(format!("could not start valgrind: {error}; install it (Debian: apt-get install valgrind)"))
            }
        }
    }

    /// The instructions that this program executes with these arguments, on all its threads.
    pub(crate) fn instructions(&self, case: usize, size: u64) -> Result<u64, String> {
        let name = format!("{case}-{size}");
        let counts = self.folder.join(&name);
        let mut command = Command::new("valgrind");
        // Without caches and branches it counts instructions only, and is several times faster.
        command.args(["--quiet", "--tool=cachegrind", "--cache-sim=no"]);
        // Threads take turns in order: how often one finds nothing to do is less of a chance.
        command.arg("--fair-sched=yes");
        command.arg(format!("--cachegrind-out-file={name}"));
        // The program keeps its own path in memory, and the lengths of what is there first decide how the allocator divides the rest: the
        // same one everywhere.
        command
            .current_dir(&self.folder)
            .arg(format!("./{PROGRAM}"))
            .arg(super::RUN)
            .arg(case.to_string())
            .arg(size.to_string());
        // Variables lie on the stack and are searched: the same ones everywhere.
        command.env_clear().env("PATH", env::var_os("PATH").unwrap_or_default()).env("TMPDIR", ".");
        let output =
            command.stdin(Stdio::null()).output().map_err(|error| format!("could not start valgrind: {error}"))?;
        if !output.status.success() {
            return Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()));
        }
        let text =
            fs::read_to_string(&counts).map_err(|error| format!("could not read {}: {error}", counts.display()))?;
        let summary = text.lines().find_map(|line| line.strip_prefix("summary: "));
        let sum = summary.and_then(|summary| summary.split_whitespace().next()?.parse().ok());
        sum.ok_or_else(|| format!("{} has no line `summary: INSTRUCTIONS`", counts.display()))
    }
}

/// What the number of instructions depends on beside this repository: an unknown part is named so.
pub(crate) fn measured_with() -> String {
    let first_line = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok();
        let text = output.filter(|output| output.status.success()).map(|output| output.stdout).unwrap_or_default();
        let line = String::from_utf8_lossy(&text).lines().next().unwrap_or_default().trim().to_owned();
        if line.is_empty() { format!("unknown {program}") } else { line }
    };
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    // zstd and librdkafka are of C.
    let cc = first_line("cc", &["-dumpfullversion"]);
    let libc = first_line("getconf", &["GNU_LIBC_VERSION"]);
    format!("{}, {}, {libc}, cc {cc}, {}", first_line(&rustc, &["--version"]), env::consts::ARCH, vector_instructions())
}

/// What libraries choose between when they start.
fn vector_instructions() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("bmi2") {
        return "avx2 and bmi2";
    }
    "baseline instructions"
}
