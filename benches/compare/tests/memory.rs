//! The memory of several processes is that of one time, and what they share counts once.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::measure::measure;

fn shell(folder: &Path, script: &str) -> Command {
    let mut command = Command::new("sh");
    command.current_dir(folder).args(["-c", script]);
    command
}

/// Lets `tail` hold 60 MB, makes a file, and waits until another one is there.
fn holder(folder: &Path, made: &str, awaited: &str) -> Command {
    let wait = format!("while [ ! -e {awaited} ]; do sleep 0.02; done; sleep 0.7");
    shell(folder, &format!("(head -c 60000000 /dev/zero; : > {made}; {wait}) | tail -c 60000000 > /dev/null"))
}

#[test]
fn memory_of_several_processes_is_that_of_one_time_and_counts_once() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let folder = folder.path();
    let peak = |commands| {
        let measured = measure(commands, folder, Duration::from_secs(60)).expect("a shell runs");
        measured.check().expect("it ends well");
        measured.peak_bytes
    };
    // All in one test, because a measurement waits for all children of this process.
    let together = peak(vec![holder(folder, "a", "b"), holder(folder, "b", "a")]);
    assert!((120_000_000..150_000_000).contains(&together), "{together}");
    // The shell needs twice the memory to make its variable, and then shares it with a child: their peaks add up to far more.
    let shared = r#"v=$(head -c 60000000 /dev/zero | tr "\0" x); (sleep 1; : "$v") & wait"#;
    let shared = peak(vec![shell(folder, shared)]);
    assert!((55_000_000..140_000_000).contains(&shared), "{shared}");
}
