//! The values of an expression in a batch.

use arrow_array::{ArrayRef, Datum, Scalar, UInt64Array};
use arrow_select::take::take;

/// A column, or one value for all rows.
#[derive(Clone, Debug)]
pub(in crate::sql) struct Value {
    pub(in crate::sql) array: ArrayRef,
    pub(in crate::sql) is_scalar: bool,
}

impl Value {
    /// The place of a row's value.
    pub(in crate::sql) fn row(&self, row: usize) -> usize {
        if self.is_scalar { 0 } else { row }
    }

    /// The column; one value is repeated.
    pub(in crate::sql) fn into_array(self, rows: usize) -> ArrayRef {
        match self.is_scalar {
            false => self.array,
            true => {
                let places = UInt64Array::from(vec![0; rows]);
                take(&self.array, &places, None).expect("the value has a first row")
            }
        }
    }

    /// Calls a kernel of arrow.
    pub(super) fn with<T>(&self, other: &Value, kernel: impl Fn(&dyn Datum, &dyn Datum) -> T) -> T {
        let (one, two) = (&self.array, &other.array);
        match (self.is_scalar, other.is_scalar) {
            (true, true) | (false, false) => kernel(one, two),
            (true, false) => kernel(&Scalar::new(one), two),
            (false, true) => kernel(one, &Scalar::new(two)),
        }
    }
}
