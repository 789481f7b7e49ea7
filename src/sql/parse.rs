//! Values from text.

use super::columns::InputColumns;
use super::error::SqlError;
use super::expression::Expression;
use super::resolve::Resolver;
use super::text::{on_deep_stack, parse_expression};

impl Expression {
    /// Parses a value, and names the columns that it reads.
    ///
    /// # Errors
    /// [`SqlError`] with the place and the alternative.
    pub fn parse(text: &str) -> Result<(Expression, InputColumns), SqlError> {
        on_deep_stack(|| {
            let syntax = parse_expression(text)?;
            let mut resolver = Resolver::new(text);
            let value = resolver.value(&syntax)?;
            Ok((value, resolver.columns))
        })
    }
}
