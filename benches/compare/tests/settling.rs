//! The machine's busy time is read from the kernel's counters.

use std::time::Duration;

use crate::measure::settling::busy;

#[test]
fn idle_time_and_waiting_for_disks_are_not_busy() {
    let stat = "cpu  100 20 30 4000 500 6 7 8 90 0\ncpu0 1 2 3 4 5 6 7 8 9 0\nctxt 5\n";
    // In ticks of 10 ms; guests are counted in user already.
    assert_eq!(busy(stat), Some(Duration::from_millis(1_710)));
    assert_eq!(busy("cpu  1 2 3\n"), None);
    assert_eq!(busy(""), None);
}
