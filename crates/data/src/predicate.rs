//! Which records to keep: conditions on their features, decided on the encoded bytes.
//!
//! ```text
//! condition  = condition "or" condition | condition "and" condition | "not" condition
//!            | "(" condition ")" | "exists" feature | feature test
//! test       = ("==" | "!=" | "<" | "<=" | ">" | ">=") value
//!            | ["not"] "in" [number] ".." [number]          both ends included
//!            | ["not"] "in" "(" value { "," value } ")"
//!            | ["not"] "like" string                        * any characters, ? one
//! value      = 60 | -0.5 | 1e3 | 'text' | "text"
//! feature    = pitch | instrument/family | qualities/tempo-synced | `any other name`
//! ```
//!
//! `and` binds tighter than `or`, `not` tighter than both. A test of a feature that a record lacks
//! (or of an empty list) is false, so that `not` of it is true. Families and sources may be named:
//! `instrument/family == 'string'`. A float is compared with the value rounded to a 32-bit float.
//! Only single values are tested: lists of more are an error, but for `exists`.

mod lexer;
mod parser;

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::example::Feature;
use crate::record::label_values;
use crate::record_files::matches_pattern;

/// A condition on the features of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Predicate {
    text: String,
    /// The features that it looks at, each once.
    names: Vec<String>,
    condition: Condition,
}

/// A text that is no condition: where, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PredicateError {
    /// The place in the text, in characters from 1.
    pub column: usize,
    /// What is wrong there.
    pub reason: String,
    text: String,
}

impl fmt::Display for PredicateError {
    /// One line with the column, then the text with a mark under the place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { column, reason, text } = self;
        let shown: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        write!(f, "column {column}: {reason}\n  {shown}\n  {:>column$}", '^')
    }
}

impl std::error::Error for PredicateError {}

#[derive(Clone, Debug, PartialEq)]
enum Condition {
    Either(Box<Condition>, Box<Condition>),
    Both(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
    /// Whether the feature of this number has a value.
    Exists(usize),
    /// Whether the value of the feature of this number passes.
    Passes(usize, Test),
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Compares(Comparison, Value),
    Within { low: Option<Value>, high: Option<Value> },
    OneOf(Vec<Value>),
    Like(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A value in a condition.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Integer(i64),
    Float(f64),
    Text(String),
}

impl FromStr for Predicate {
    type Err = PredicateError;

    fn from_str(text: &str) -> Result<Self, PredicateError> {
        parser::parse(text)
    }
}

impl TryFrom<String> for Predicate {
    type Error = PredicateError;

    fn try_from(text: String) -> Result<Self, PredicateError> {
        text.parse()
    }
}

impl From<Predicate> for String {
    fn from(predicate: Predicate) -> Self {
        predicate.text
    }
}

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Predicate {
    /// The features that the condition looks at, each once.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether a record passes; `features` are its features of [`names`](Self::names), in that order.
    ///
    /// # Errors
    ///
    /// If a feature that is tested holds several values, or something else than it is tested for.
    ///
    /// # Panics
    ///
    /// If there are not as many features as names.
    pub fn passes(&self, features: &[Option<Feature>]) -> Result<bool, String> {
        let (n_names, n_features) = (self.names.len(), features.len());
        assert_eq!(n_features, n_names, "{n_features} features for {n_names} names");
        self.decide(&self.condition, features)
    }

    fn decide(&self, condition: &Condition, features: &[Option<Feature>]) -> Result<bool, String> {
        let present = |i: usize| features[i].filter(|feature| !feature.is_empty());
        Ok(match condition {
            Condition::Either(a, b) => self.decide(a, features)? || self.decide(b, features)?,
            Condition::Both(a, b) => self.decide(a, features)? && self.decide(b, features)?,
            Condition::Not(a) => !self.decide(a, features)?,
            Condition::Exists(i) => present(*i).is_some(),
            Condition::Passes(i, test) => match present(*i) {
                Some(feature) => test.passes(&self.names[*i], feature)?,
                None => false,
            },
        })
    }
}

/// The single value of a feature.
#[derive(Clone, Copy)]
enum Single<'a> {
    Integer(i64),
    Float(f32),
    Text(&'a [u8]),
}

impl Test {
    fn passes(&self, name: &str, feature: Feature) -> Result<bool, String> {
        let single = feature.int64().map(Single::Integer);
        let single = single.or_else(|| feature.float().map(Single::Float));
        let Some(single) = single.or_else(|| feature.byte_string().map(Single::Text)) else {
            let (kind, len) = (feature.kind(), feature.len());
            return Err(format!(
                "`{name}` is a {kind} list of {len}: only single values can be tested"
            ));
        };
        let order = |value: &Value| single.order(name, value);
        Ok(match self {
            Self::Compares(comparison, value) => comparison.holds(order(value)?),
            Self::Within { low, high } => {
                let is_above = |low| order(low).map(|order| order.is_some_and(Ordering::is_ge));
                let is_below = |high| order(high).map(|order| order.is_some_and(Ordering::is_le));
                low.as_ref().map_or(Ok(true), is_above)?
                    && high.as_ref().map_or(Ok(true), is_below)?
            }
            Self::OneOf(values) => {
                for value in values {
                    if order(value)? == Some(Ordering::Equal) {
                        return Ok(true);
                    }
                }
                false
            }
            Self::Like(pattern) => match single {
                Single::Text(text) => matches_pattern(pattern, &String::from_utf8_lossy(text)),
                _ => return Err(format!("`{name}` is a number, which is like no text")),
            },
        })
    }
}

impl Single<'_> {
    /// How this value stands to one in the condition; `None` if it is no number.
    #[expect(clippy::cast_possible_truncation, reason = "values are rounded to the feature's type")]
    fn order(self, name: &str, value: &Value) -> Result<Option<Ordering>, String> {
        Ok(match (self, value) {
            (Self::Integer(integer), Value::Integer(value)) => Some(integer.cmp(value)),
            (Self::Integer(integer), Value::Float(value)) => Some(order_exactly(integer, *value)),
            (Self::Float(float), Value::Integer(value)) => float.partial_cmp(&(*value as f32)),
            (Self::Float(float), Value::Float(value)) => float.partial_cmp(&(*value as f32)),
            (Self::Text(text), Value::Text(value)) => Some(text.cmp(value.as_bytes())),
            (Self::Integer(integer), Value::Text(text)) => {
                let names = label_values(name);
                let number = names.iter().position(|label| label == text);
                let Some(number) = number.and_then(|number| i64::try_from(number).ok()) else {
                    return Err(match names {
                        [] => format!("`{name}` is an integer, not a text such as '{text}'"),
                        _ => format!("`{name}` has no '{text}'; there are {}", names.join(", ")),
                    });
                };
                Some(integer.cmp(&number))
            }
            (Self::Float(_), Value::Text(text)) => {
                return Err(format!("`{name}` is a float, not a text such as '{text}'"));
            }
            (Self::Text(_), Value::Integer(_) | Value::Float(_)) => {
                return Err(format!("`{name}` is a text, not a number"));
            }
        })
    }
}

/// Compares without rounding the integer.
#[expect(clippy::cast_possible_truncation, reason = "the float is within the integers' range")]
fn order_exactly(integer: i64, float: f64) -> Ordering {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0; // 2^63
    if float >= LIMIT {
        return Ordering::Less;
    }
    if float < -LIMIT {
        return Ordering::Greater;
    }
    integer.cmp(&(float.floor() as i64)).then(if float.fract() == 0.0 {
        Ordering::Equal
    } else {
        Ordering::Less
    })
}

impl Comparison {
    /// Whether the comparison holds for values of this order; nothing but `!=` does without one.
    fn holds(self, order: Option<Ordering>) -> bool {
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::NotEqual => order != Some(Ordering::Equal),
            Self::Less => order == Some(Ordering::Less),
            Self::LessOrEqual => order.is_some_and(Ordering::is_le),
            Self::Greater => order == Some(Ordering::Greater),
            Self::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
        }
    }
}

#[cfg(test)]
mod tests;
