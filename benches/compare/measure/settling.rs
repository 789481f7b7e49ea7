//! Waits until the machine is idle, so that what one contestant has left to do, such as the broker's deletions, is not measured with
//! the next.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use super::process_tree::TICK;

/// The time over which the machine must be idle.
const WINDOW: Duration = Duration::from_millis(200);
/// How long it may take: on a machine with other work it is never idle.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The share of one core that idle servers need.
const IDLE_SHARE: f64 = 0.15;

/// Waits some time at most; returns whether the machine is idle.
pub(crate) fn settle() -> bool {
    let began = Instant::now();
    while began.elapsed() < TIMEOUT {
        let (before, since) = (busy_now(), Instant::now());
        thread::sleep(WINDOW);
        let busy = busy_now().zip(before).map(|(now, before)| now.saturating_sub(before));
        if busy.is_some_and(|busy| busy.as_secs_f64() < IDLE_SHARE * since.elapsed().as_secs_f64()) {
            return true;
        }
    }
    false
}

/// Unknown where the kernel has no such counters.
fn busy_now() -> Option<Duration> {
    busy(&fs::read_to_string("/proc/stat").ok()?)
}

/// The time for which the processors together have been busy since the machine started, of `/proc/stat` (proc_stat(5)).
pub(crate) fn busy(stat: &str) -> Option<Duration> {
    let times = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let times: Vec<u64> = times.split_whitespace().map_while(|time| time.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are part of user and nice.
    let [user, nice, system, _, _, irq, softirq, steal] = *times.first_chunk()?;
    let ticks = user + nice + system + irq + softirq + steal;
    Some(Duration::from_millis(ticks * TICK.as_millis() as u64))
}
