//! Contestants run in an order that depends on seed and round alone.

use crate::order::order_of;

#[test]
fn each_contestant_runs_once_a_round_in_an_order_that_a_seed_repeats() {
    let orders: Vec<Vec<usize>> = (0..20).map(|round| order_of(1, round, 6)).collect();
    for order in &orders {
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2, 3, 4, 5]);
    }
    assert_eq!(orders, (0..20).map(|round| order_of(1, round, 6)).collect::<Vec<_>>());
    assert_ne!(orders, (0..20).map(|round| order_of(2, round, 6)).collect::<Vec<_>>());
    // A rotation would let the same contestant run before each other one.
    let before_first: std::collections::BTreeSet<usize> = orders
        .iter()
        .filter_map(|order| order.iter().position(|place| *place == 0)?.checked_sub(1).map(|place| order[place]))
        .collect();
    assert!(before_first.len() > 2, "{orders:?}");
}
