//! Processor time of a run, its server's threads apart.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// What the threads of a process have used so far; one that has ended counts with what was last seen of it.
pub(crate) struct ProcessorTime {
    process: u32,
    /// By the thread's number: its name, and its ticks of 10 ms.
    threads: BTreeMap<u32, (String, u64)>,
}

impl ProcessorTime {
    /// A process that was not observed yet.
    pub(crate) fn of(process: u32) -> ProcessorTime {
        ProcessorTime { process, threads: BTreeMap::new() }
    }

    /// Reads the times of all threads.
    pub(crate) fn look(&mut self) {
        let folder = format!("/proc/{}/task", self.process);
        for thread in fs::read_dir(folder).into_iter().flatten().flatten() {
            // It may have ended since it was listed.
            let Ok(stat) = fs::read_to_string(thread.path().join("stat")) else { continue };
            let (Some((number, rest)), Some((_, fields))) = (stat.split_once(" ("), stat.rsplit_once(") ")) else {
                panic!("this is no thread: {stat:?}");
            };
            let name = rest.rsplit_once(") ").map_or("", |(name, _)| name).to_owned();
            // Behind the name: state, ten more, then the ticks for itself and in the kernel.
            let ticks = fields.split_whitespace().skip(11).take(2);
            let ticks = ticks.map(|number| number.parse::<u64>().expect("a number of ticks")).sum();
            self.threads.insert(number.parse().expect("a thread's number"), (name, ticks));
        }
    }

    /// What the threads of the run itself have used.
    pub(crate) fn run(&self) -> Duration {
        self.sum(|name| !is_servers(name))
    }

    /// What the server's threads have used.
    pub(crate) fn server(&self) -> Duration {
        self.sum(is_servers)
    }

    fn sum(&self, counts: impl Fn(&str) -> bool) -> Duration {
        let wanted = self.threads.values().filter(|(name, _)| counts(name));
        Duration::from_millis(wanted.map(|(_, ticks)| ticks * 10).sum())
    }
}

/// The server's threads have names that begin with `serve` (src/server/mod.rs).
fn is_servers(thread: &str) -> bool {
    thread == "serve" || thread.starts_with("serve-")
}
