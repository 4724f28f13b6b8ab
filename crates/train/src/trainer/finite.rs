//! Looking for numbers that are none.

/// Whether there is neither NaN nor infinity, by the bits of the exponents: a loop without branches.
pub(super) fn are_finite(values: &[f32]) -> bool {
    const EXPONENT: u32 = 0x7f80_0000;
    let largest = values.iter().fold(0, |largest, value| largest.max(value.to_bits() & EXPONENT));
    largest < EXPONENT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_that_is_not_finite_is_seen_anywhere() {
        assert!(are_finite(&[]) && are_finite(&[0.0, -0.0, f32::MAX, f32::MIN, f32::MIN_POSITIVE]));
        for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in 0..20 {
                let mut values = [1.0; 20];
                values[at] = bad;
                assert!(!are_finite(&values), "{bad} at {at}");
            }
        }
    }
}
