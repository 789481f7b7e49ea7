//! When a shop is busy: quiet nights, peaks at noon and in the evening, a different weekend.

use fastrand::Rng;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// How busy each hour of a working day is, in UTC.
const WORKDAY: [u32; 24] = [4, 2, 1, 1, 1, 2, 5, 10, 15, 18, 20, 25, 30, 25, 19, 17, 18, 22, 28, 34, 30, 20, 12, 7];

/// How busy each hour of a Saturday or Sunday is: later, flatter, less.
const WEEKEND: [u32; 24] = [6, 4, 2, 1, 1, 1, 1, 3, 6, 10, 15, 18, 18, 16, 15, 15, 15, 15, 16, 18, 16, 12, 9, 7];

/// `count` instants of `from..to` in microseconds since 1970, ascending, dense where the shop is busy.
pub(super) fn instants(from: i64, to: i64, count: u64, mut random: Rng) -> impl Iterator<Item = i64> {
    assert!(from < to, "an empty interval has no instants");
    let hours: Vec<(i64, f64)> = (0..(to - from).div_euclid(HOUR) + 1)
        .map(|hour| from + hour * HOUR)
        .filter(|start| *start < to)
        .map(|start| (start, busyness(start) * ((to - start).min(HOUR) as f64 / HOUR as f64)))
        .collect();
    let total: f64 = hours.iter().map(|(_, weight)| weight).sum();
    let mut hour = 0;
    let mut passed = 0.0;
    (0..count).map(move |i| {
        // Positions ascend with i, so the hours are walked once.
        let position = total * (i as f64 + random.f64()) / count as f64;
        while position >= passed + hours[hour].1 && hour + 1 < hours.len() {
            passed += hours[hour].1;
            hour += 1;
        }
        let (start, weight) = hours[hour];
        let length = (to - start).min(HOUR);
        start + (((position - passed) / weight * length as f64) as i64).min(length - 1)
    })
}

/// How busy the hour of `instant` is.
fn busyness(instant: i64) -> f64 {
    let hour = (instant.rem_euclid(DAY) / HOUR) as usize;
    // 1970-01-01 was a Thursday: Saturday and Sunday are days 2 and 3 of the weeks counted from it.
    let weekend = matches!(instant.div_euclid(DAY).rem_euclid(7), 2 | 3);
    f64::from(if weekend { WEEKEND[hour] } else { WORKDAY[hour] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_ascend_within_their_interval_and_follow_the_hours() {
        // 2026-11-22 15:46:40 UTC, a Sunday.
        let now = 1_795_362_400_000_000;
        let found: Vec<i64> = instants(now - 14 * DAY, now, 50_000, Rng::with_seed(1)).collect();
        assert_eq!(found.len(), 50_000);
        assert!(found.is_sorted());
        assert!(found.iter().all(|instant| (now - 14 * DAY..now).contains(instant)));
        let at = |hours: std::ops::Range<i64>| found.iter().filter(|i| hours.contains(&(*i % DAY / HOUR))).count();
        assert!(at(18..21) > 10 * at(2..5), "evenings are busy, nights are not");
        let day = |number: i64| found.iter().filter(|i| (now - **i) / DAY == number).count();
        assert!(day(4) > day(0), "a Wednesday is busier than a Sunday");
    }

    #[test]
    fn a_short_interval_has_instants_too() {
        assert_eq!(instants(100, 101, 3, Rng::with_seed(1)).collect::<Vec<_>>(), [100, 100, 100]);
    }
}
