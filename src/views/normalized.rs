//! One form for each value: equal values must have equal bytes.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;

/// Doubles with one form for each value: a negative zero is zero, and there is one `NaN`.
pub(super) fn normalized(values: ArrayRef) -> ArrayRef {
    match values.as_primitive_opt::<Float64Type>() {
        None => values,
        Some(doubles) => {
            let one_form = |value: f64| if value.is_nan() { f64::NAN } else { value + 0.0 };
            Arc::new(doubles.unary::<_, Float64Type>(one_form)) as ArrayRef
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Float64Array;

    use super::*;

    #[test]
    fn a_double_has_one_form() {
        let values: ArrayRef = Arc::new(Float64Array::from(vec![-0.0, 0.0, -f64::NAN, f64::NAN, -1.5]));
        let values = normalized(values);
        let bits: Vec<u64> =
            values.as_primitive::<Float64Type>().values().iter().map(|value| value.to_bits()).collect();
        assert_eq!(bits, [0.0, 0.0, f64::NAN, f64::NAN, -1.5].map(f64::to_bits));
    }
}
