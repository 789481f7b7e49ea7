//! Medians, and ratios of what was measured in the same round.

use serde::Serialize;

/// Median, least and most of some figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of no figure there is none.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let (min, max) = (*figures.first()?, *figures.last()?);
        let middle = figures.len() / 2;
        let median =
            if figures.len() % 2 == 1 { figures[middle] } else { (figures[middle - 1] + figures[middle]) / 2.0 };
        Some(Spread { median, min, max })
    }
}

/// The ratios of two contestants' figures, each of one round: what disturbed a round disturbed both. A round in which one of them
/// has no figure gives none.
pub(crate) fn ratios(of: &[Option<f64>], to: &[Option<f64>]) -> Option<Spread> {
    let both = of.iter().zip(to).filter_map(|(of, to)| (*of).zip(*to));
    Spread::of(both.filter(|(_, to)| *to != 0.0).map(|(of, to)| of / to))
}
