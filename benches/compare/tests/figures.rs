//! Medians and ratios.

use crate::report::figures::{Spread, ratios};

#[test]
fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
    assert_eq!(Spread::of([]), None);
    assert_eq!(Spread::of([3.0]), Some(Spread { median: 3.0, min: 3.0, max: 3.0 }));
    assert_eq!(Spread::of([9.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 9.0 }));
    assert_eq!(Spread::of([4.0, 1.0, 10.0, 2.0]), Some(Spread { median: 3.0, min: 1.0, max: 10.0 }));
}

#[test]
fn a_ratio_is_of_one_round_and_the_median_is_of_the_ratios() {
    // The ratio of the medians would be 20 / 10.
    let (of, to) = ([Some(10.0), Some(20.0), Some(90.0)], [Some(10.0), Some(4.0), Some(30.0)]);
    assert_eq!(ratios(&of, &to), Some(Spread { median: 3.0, min: 1.0, max: 5.0 }));
}

#[test]
fn a_round_that_one_has_not_finished_gives_no_ratio() {
    let (of, to) = ([None, Some(20.0), Some(30.0)], [Some(10.0), Some(10.0), None]);
    assert_eq!(ratios(&of, &to), Some(Spread { median: 2.0, min: 2.0, max: 2.0 }));
    assert_eq!(ratios(&of[..1], &to[..1]), None);
}
