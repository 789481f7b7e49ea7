//! The CPU time of a process by the names of its threads: where the time of a run goes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;

/// The time between two readings: what a thread does after the last one is not seen, and no thread is short-lived.
const INTERVAL: Duration = Duration::from_millis(5);

/// Runs a command that must succeed; returns the user and system time of its threads by name, without the numbers in them.
pub(crate) fn cpu_by_thread(
    mut command: Command,
    folder: &Path,
    limit: Duration,
) -> Outcome<BTreeMap<String, Duration>> {
    let stderr = folder.join("stderr-threads");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&stderr)?);
    let (mut child, began) = (command.spawn()?, Instant::now());
    let mut seen: BTreeMap<String, (String, Duration)> = BTreeMap::new();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if began.elapsed() > limit {
            child.kill()?;
        }
        read(child.id(), &mut seen);
        thread::sleep(INTERVAL);
    };
    if !status.success() {
        return Err(format!("{status}: {}", fs::read_to_string(stderr)?).into());
    }
    let mut by_name = BTreeMap::new();
    for (name, cpu) in seen.into_values() {
        *by_name.entry(name).or_default() += cpu;
    }
    Ok(by_name)
}

/// Notes the CPU time so far of each thread of a process, which may have ended.
fn read(pid: u32, seen: &mut BTreeMap<String, (String, Duration)>) {
    for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let text = |file: &str| fs::read_to_string(thread.path().join(file)).ok();
        let cpu = text("schedstat").and_then(|text| text.split(' ').next()?.parse().ok());
        if let (Some(name), Some(nanos)) = (text("comm"), cpu) {
            let name = name.trim().trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '-');
            let id = thread.file_name().to_string_lossy().into_owned();
            seen.insert(id, (name.to_owned(), Duration::from_nanos(nanos)));
        }
    }
}
