//! Runs processes to their end, and measures them with everything they start: wall time, CPU time and peak memory, which is sampled
//! where there are several of them.
//!
//! Orphans of the tree are adopted by this process, so that the CPU time of every descendant is that of a child that was waited
//! for, which the kernel adds up (`cutime` and `cstime` of `/proc/self/stat`, in ticks of 10 ms). Assumes that no other child of
//! this process ends meanwhile: contestants run one at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, set_child_subreaper, wait};

use crate::Outcome;

/// The time between two looks at whether a process has ended: much less than any measured time.
const PAUSE: Duration = Duration::from_millis(2);
/// The least time between two readings of the memory.
const MEMORY_INTERVAL: Duration = Duration::from_millis(20);
/// The part of a core that readings may take at most, as a divisor: the kernel walks through all pages for a PSS.
const MEMORY_READING_SHARE: u32 = 25;
/// The time between two searches for new processes of the tree.
const SEARCH_INTERVAL: Duration = Duration::from_millis(200);
/// How long processes may stay that a finished contestant leaves behind.
const ORPHANS_TIMEOUT: Duration = Duration::from_secs(20);
/// The length of a tick of `/proc/*/stat`, which is the same on all Linux systems of today.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// What some processes cost and printed.
#[derive(Debug)]
pub(crate) struct Measured {
    /// From the start of the first to the end of the last.
    pub(crate) wall: Duration,
    /// User and system time of all of them and their descendants.
    pub(crate) cpu: Duration,
    /// Of one process its peak resident memory, as the kernel has it. Of several the largest sum, at one time, of what they have
    /// then: memory that some of them share counts once (PSS).
    pub(crate) peak_bytes: u64,
    /// The exit code of each in the order of the commands; `None` after a signal.
    pub(crate) codes: Vec<Option<i32>>,
    /// Whether they were ended because they took too long.
    pub(crate) is_timeout: bool,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
}

impl Measured {
    /// An error unless all have exited with 0, with the end of what they wrote to stderr.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.is_timeout {
            return Err(format!("stopped after {:.0} s: {}", self.wall.as_secs_f64(), tail(&self.stderr)));
        }
        match self.codes.iter().find(|code| **code != Some(0)) {
            None => Ok(()),
            Some(Some(code)) => Err(format!("exit code {code}: {}", tail(&self.stderr))),
            Some(None) => Err(format!("ended by a signal: {}", tail(&self.stderr))),
        }
    }
}

/// Runs the commands side by side; their outputs are kept in `folder`.
pub(crate) fn measure(commands: Vec<Command>, folder: &Path, limit: Duration) -> Outcome<Measured> {
    set_child_subreaper(Some(rustix::process::getpid()))?;
    let before = waited_cpu()?;
    let began = Instant::now();
    let mut running = BTreeMap::new();
    let count = commands.len();
    for (index, mut command) in commands.into_iter().enumerate() {
        let file = |name: &str| File::create(folder.join(format!("{name}-{index}")));
        command.stdin(Stdio::null()).stdout(file("stdout")?).stderr(file("stderr")?);
        let program = command.get_program().to_string_lossy().into_owned();
        match command.spawn() {
            Ok(child) => running.insert(child.id() as i32, index),
            Err(error) => {
                end(running.keys().copied());
                return Err(format!("could not start {program}: {error}").into());
            }
        };
    }
    let mut tree = Tree::default();
    let (mut codes, mut is_timeout, mut wall) = (vec![None; count], false, Duration::ZERO);
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => {
                if let Some(index) = running.remove(&pid.as_raw_nonzero().get()) {
                    codes[index] = status.exit_status();
                    wall = began.elapsed();
                }
                continue;
            }
            // No process of the tree is left.
            Err(rustix::io::Errno::CHILD) => break,
            Ok(None) => {}
            Err(error) => return Err(error.into()),
        }
        tree.look();
        let is_late = began.elapsed() > limit;
        if is_late || (running.is_empty() && began.elapsed() > wall + ORPHANS_TIMEOUT) {
            is_timeout |= is_late && !running.is_empty();
            tree.search();
            end(tree.processes.iter().copied());
        }
        thread::sleep(PAUSE);
    }
    let read = |name: &str| -> Outcome<Vec<String>> {
        let text = |index| Ok(String::from_utf8_lossy(&fs::read(folder.join(format!("{name}-{index}")))?).into_owned());
        (0..count).map(text).collect()
    };
    let cpu = waited_cpu()?.saturating_sub(before);
    let (stdout, stderr) = (read("stdout")?, read("stderr")?);
    Ok(Measured { wall, cpu, peak_bytes: tree.peak_bytes, codes, is_timeout, stdout, stderr })
}

/// The user and system time of one live process, to the nanosecond.
pub(crate) fn cpu_of(pid: u32) -> Outcome<Duration> {
    let mut nanos = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        nanos += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// The peak resident memory of a live process.
pub(crate) fn peak_of(pid: i32) -> Option<u64> {
    bytes_in(&format!("/proc/{pid}/status"), "VmHWM:")
}

/// The resident memory of a live process now; a page that several processes have counts for each of them in part.
fn proportional_of(pid: i32) -> Option<u64> {
    bytes_in(&format!("/proc/{pid}/smaps_rollup"), "Pss:")
}

/// The size in kB behind a name.
fn bytes_in(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let size = text.lines().find_map(|line| line.strip_prefix(name))?;
    size.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// The descendants of this process and their memory.
#[derive(Default)]
struct Tree {
    processes: BTreeSet<i32>,
    searched: Option<Instant>,
    /// When the memory is read next.
    next_reading: Option<Instant>,
    peak_bytes: u64,
}

impl Tree {
    /// Reads the memory if it is time for that.
    fn look(&mut self) {
        if self.searched.is_none_or(|last| last.elapsed() >= SEARCH_INTERVAL) {
            self.search();
            self.searched = Some(Instant::now());
        }
        if self.next_reading.is_none_or(|due| Instant::now() >= due) {
            let began = Instant::now();
            let of_each = if self.processes.len() == 1 { peak_of } else { proportional_of };
            self.peak_bytes = self.peak_bytes.max(self.processes.iter().filter_map(|pid| of_each(*pid)).sum());
            self.next_reading = Some(Instant::now() + MEMORY_INTERVAL.max(began.elapsed() * MEMORY_READING_SHARE));
        }
    }

    /// Finds all descendants of this process.
    fn search(&mut self) {
        let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let parents: BTreeMap<i32, i32> = pids.filter_map(|pid| Some((pid, parent(pid)?))).collect();
        let own = std::process::id() as i32;
        let descends =
            |pid: &i32| std::iter::successors(parents.get(pid), |pid| parents.get(pid)).any(|pid| *pid == own);
        self.processes = parents.keys().copied().filter(descends).collect();
    }
}

fn parent(pid: i32) -> Option<i32> {
    stat_fields(&format!("/proc/{pid}/stat"))?.get(1)?.parse().ok()
}

/// The fields of a `stat` file behind the name in parentheses.
fn stat_fields(path: &str) -> Option<Vec<String>> {
    let stat = fs::read_to_string(path).ok()?;
    Some(stat.rsplit(')').next()?.split_whitespace().map(str::to_owned).collect())
}

/// The CPU time of all children that were waited for, with what they had waited for.
fn waited_cpu() -> Outcome<Duration> {
    let fields = stat_fields("/proc/self/stat").ok_or("/proc/self/stat cannot be read")?;
    let ticks = |index: usize| -> Outcome<u32> { Ok(fields.get(index).ok_or("a short /proc/self/stat")?.parse()?) };
    Ok(TICK * (ticks(13)? + ticks(14)?))
}

/// Kills processes; some may have ended already.
fn end(pids: impl Iterator<Item = i32>) {
    for pid in pids.filter_map(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// The last lines of the first output that has any.
fn tail(outputs: &[String]) -> String {
    let text = outputs.iter().map(|text| text.trim_end()).find(|text| !text.is_empty()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(3).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}
