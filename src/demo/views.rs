//! The views that the demo declares over the shop's orders, and the rows that they must have.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::change::Day;

/// The name and the declaration of each view.
pub const VIEWS: [(&str, &str); 2] = [
    (
        "revenue_by_region",
        "CREATE VIEW revenue_by_region AS
SELECT day, new.region, sum(new.total::numeric(18,2)) AS revenue, count(*) AS payments
FROM public.orders
WHERE op = 'UPDATE' AND new.state = 'paid'
GROUP BY day, new.region",
    ),
    (
        "customers_per_day",
        "CREATE VIEW customers_per_day AS
SELECT day, count(DISTINCT new.customer_id) AS customers
FROM public.orders
WHERE op = 'INSERT'
GROUP BY day",
    ),
];

/// What a change of an order adds to the views.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sale {
    /// A customer placed an order.
    Ordered { customer: u64 },
    /// An order was paid.
    Paid { region: &'static str, cents: u64 },
}

/// The rows of [`VIEWS`] that every correct reader of some records reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpectedViews {
    /// Cents and payments by day and region.
    pub revenue: BTreeMap<(Day, String), (u64, u64)>,
    /// The customers who placed an order on each day.
    pub customers: BTreeMap<Day, BTreeSet<u64>>,
}

impl ExpectedViews {
    pub(super) fn add(&mut self, day: Day, sale: Sale) {
        match sale {
            Sale::Ordered { customer } => {
                self.customers.entry(day).or_default().insert(customer);
            }
            Sale::Paid { region, cents } => {
                let (sum, payments) = self.revenue.entry((day, region.to_owned())).or_default();
                *sum += cents;
                *payments += 1;
            }
        }
    }

    /// The number of rows of all views.
    pub fn rows(&self) -> usize {
        self.revenue.len() + self.customers.len()
    }

    /// The rows of each view, in the order of [`VIEWS`], as `walbook query --view` prints them as CSV.
    pub fn csv(&self) -> [String; VIEWS.len()] {
        let mut revenue = "day,region,revenue,payments\n".to_owned();
        for ((day, region), (cents, payments)) in &self.revenue {
            // Writing to a String cannot fail, here and below.
            let _ = writeln!(revenue, "{day},{region},{}.{:02},{payments}", cents / 100, cents % 100);
        }
        let mut customers = "day,customers\n".to_owned();
        for (day, of_day) in &self.customers {
            let _ = writeln!(customers, "{day},{}", of_day.len());
        }
        [revenue, customers]
    }
}
