//! Numbers for people.

/// `value` with three significant digits or all its whole ones, a true minus sign, and "–" for what
/// is not a number.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let decimals = match value.abs() {
        v if v >= 99.95 || v == 0.0 => 0,
        v if v >= 9.995 => 1,
        v if v >= 0.9995 => 2,
        v if v >= 0.09995 => 3,
        v if v >= 0.009995 => 4,
        _ => return format!("{value:.2e}").replace('-', "−"),
    };
    let text = format!("{value:.decimals$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    };
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn three_digits_without_idle_zeros() {
        let cases = [
            (0.0, "0"),
            (5.0, "5"),
            (4.8312, "4.83"),
            (-12.34, "−12.3"),
            (123.4, "123"),
            (9.999, "10"),
            (0.5, "0.5"),
            (0.0001, "1.00e−4"),
            (f64::NAN, "–"),
        ];
        for (value, expected) in cases {
            assert_eq!(number(value), expected);
        }
    }
}
