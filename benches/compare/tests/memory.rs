//! The memory of several processes is that of one time, without what they share.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::measure::measure;

/// A shell that waits for a file, lets `tail` hold 60 MB, makes another file, waits for a third, and holds them for some time still.
fn holder(folder: &Path, first: &str, made: &str, then: &str) -> Command {
    let script = r#"
        await() { while [ ! -e "$1" ]; do sleep 0.02; done; }
        await "$1"
        (head -c 60000000 /dev/zero; : > "$2"; await "$3"; sleep 0.7) | tail -c 60000000 > /dev/null
        : > "$2-ended""#;
    let mut command = Command::new("sh");
    command.current_dir(folder).args(["-c", script, "sh", first, made, then]);
    command
}

#[test]
fn memory_that_processes_hold_one_after_another_is_not_added() {
    let peak = |holders: &[[&str; 3]]| {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let commands = holders.iter().map(|[first, made, then]| holder(folder.path(), first, made, then)).collect();
        let measured = measure(commands, folder.path(), Duration::from_secs(60)).expect("a shell runs");
        measured.check().expect("it ends well");
        measured.peak_bytes
    };
    // All in one test, because a measurement waits for all children of this process. The folder itself is there from the start.
    let alone = peak(&[[".", "a", "."]]);
    assert!((60_000_000..80_000_000).contains(&alone), "{alone}");
    let together = peak(&[[".", "a", "b"], [".", "b", "a"]]);
    assert!((120_000_000..150_000_000).contains(&together), "{together}");
    let in_turn = peak(&[[".", "a", "."], ["a-ended", "b", "."]]);
    assert!((60_000_000..90_000_000).contains(&in_turn), "{in_turn}");
}
