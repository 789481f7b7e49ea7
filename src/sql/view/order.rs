//! The order of a view's rows: `orders DESC, region`.

use sqlparser::ast::Expr;

use crate::sql::error::SqlError;
use crate::sql::resolve::folded;
use crate::sql::text::{on_deep_stack, parse_order, place_of};

/// A column to order by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its name.
    pub column: String,
    /// `DESC`: the greatest first.
    pub is_descending: bool,
}

impl Order {
    /// Parses what follows ORDER BY: columns, each with ASC or DESC.
    ///
    /// # Errors
    /// [`SqlError`] with the place and the alternative.
    pub fn parse(text: &str) -> Result<Vec<Order>, SqlError> {
        on_deep_stack(|| {
            let order = |(expression, is_descending): (Expr, bool)| match &expression {
                Expr::Identifier(name) => Ok(Order { column: folded(name), is_descending }),
                other => {
                    let message = "rows are ordered by columns of the view, as in orders DESC, region";
                    Err(SqlError::at(text, place_of(other), message))
                }
            };
            parse_order(text)?.into_iter().map(order).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_directions() {
        let order = |column: &str, is_descending| Order { column: column.to_owned(), is_descending };
        assert_eq!(
            Order::parse("Orders DESC, \"Region\", day asc"),
            Ok(vec![order("orders", true), order("Region", false), order("day", false)])
        );
        for text in ["", "a b", "a DESC NULLS FIRST", "a + 1", "a;", "a,", "lower(a)", "1"] {
            assert!(Order::parse(text).is_err(), "{text}");
        }
    }
}
