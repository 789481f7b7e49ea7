//! A bound is reached or missed on its own side.

use crate::report::figures::Spread;
use crate::report::musts::Verdict;

fn verdict(is_least: bool, median: f64) -> Verdict {
    let measured = Some(Spread { median, min: median, max: median });
    Verdict { what: "x", compared: None, unit: "s", must: 2.0, is_least, measured }
}

#[test]
fn a_bound_is_missed_on_its_own_side_only() {
    assert_eq!(verdict(true, 3.0).words(), "reached");
    assert_eq!(verdict(true, 2.0).words(), "reached");
    assert_eq!(verdict(true, 1.5).words(), "**missed** by 25 %");
    assert_eq!(verdict(false, 1.5).words(), "reached");
    assert_eq!(verdict(false, 3.0).words(), "**missed** by 50 %");
}

#[test]
fn what_was_not_measured_is_not_reached() {
    let verdict = Verdict { measured: None, ..verdict(true, 0.0) };
    assert_eq!((verdict.is_reached(), verdict.words()), (None, "not measured".to_owned()));
}
