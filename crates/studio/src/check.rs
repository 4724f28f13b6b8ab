//! A figure that was measured, and what it had to be.

use serde::Serialize;

use crate::report::number;

/// What a measured figure has to be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
    /// Less than this.
    Below(f64),
    /// Exactly this.
    Equal(f64),
}

/// A measured figure with its limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What was measured.
    pub name: String,
    /// The figure.
    pub measured: f64,
    /// Its unit; may be empty.
    pub unit: &'static str,
    /// What it has to be.
    pub limit: Limit,
}

impl Check {
    /// A check of `measured` against `limit`.
    pub fn new(name: impl Into<String>, measured: f64, unit: &'static str, limit: Limit) -> Self {
        Self { name: name.into(), measured, unit, limit }
    }

    /// Whether the figure is within its limit; one that is not a number never is.
    pub fn met(&self) -> bool {
        match self.limit {
            Limit::AtMost(limit) => self.measured <= limit,
            Limit::AtLeast(limit) => self.measured >= limit,
            Limit::Below(limit) => self.measured < limit,
            Limit::Equal(limit) => self.measured == limit,
        }
    }

    /// The figure with its unit.
    pub fn measured_text(&self) -> String {
        with_unit(self.measured, self.unit)
    }

    /// The limit with its unit.
    pub fn wanted_text(&self) -> String {
        let (relation, limit) = match self.limit {
            Limit::AtMost(limit) => ("≤ ", limit),
            Limit::AtLeast(limit) => ("≥ ", limit),
            Limit::Below(limit) => ("< ", limit),
            Limit::Equal(limit) => ("", limit),
        };
        format!("{relation}{}", with_unit(limit, self.unit))
    }
}

fn with_unit(value: f64, unit: &str) -> String {
    match unit {
        "" => number(value),
        "%" => format!("{} %", number(value)),
        unit => format!("{} {unit}", number(value)),
    }
}

impl Serialize for Check {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut fields = serializer.serialize_struct("Check", 5)?;
        fields.serialize_field("name", &self.name)?;
        fields.serialize_field("measured", &self.measured)?;
        fields.serialize_field("unit", self.unit)?;
        fields.serialize_field("wanted", &self.limit)?;
        fields.serialize_field("met", &self.met())?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_at_their_edges() {
        let met = |measured, limit| Check::new("x", measured, "", limit).met();
        assert!(met(1.0, Limit::AtMost(1.0)) && !met(1.1, Limit::AtMost(1.0)), "at most");
        assert!(met(1.0, Limit::AtLeast(1.0)) && !met(0.9, Limit::AtLeast(1.0)), "at least");
        assert!(!met(1.0, Limit::Below(1.0)) && met(0.9, Limit::Below(1.0)), "below");
        assert!(met(1.0, Limit::Equal(1.0)) && !met(0.9, Limit::Equal(1.0)), "equal");
    }

    #[test]
    fn words_and_json_carry_the_unit() {
        let check = Check::new("f0 error", 3.217, "cents", Limit::AtMost(10.0));
        assert_eq!(
            (check.measured_text(), check.wanted_text()),
            ("3.22 cents".into(), "≤ 10 cents".into())
        );
        let json = serde_json::to_value(&check).expect("plain fields");
        assert_eq!(json["wanted"]["at_most"], 10.0);
        assert_eq!(json["met"], true);
    }
}
