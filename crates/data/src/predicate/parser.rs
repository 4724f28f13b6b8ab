//! From words to a condition, by recursive descent.

use super::lexer::{Token, describe, lex};
use super::{Comparison, Condition, Predicate, PredicateError, Test, Value};

/// Deeper nesting than anyone writes; keeps the stack small.
const MAX_DEPTH: usize = 64;

/// More words than anyone writes; keeps chains of `and` and `or` short enough for the stack, too.
const MAX_WORDS: usize = 2048;

const KEYWORDS: [&str; 6] = ["and", "or", "not", "in", "like", "exists"];

/// Parses a condition.
pub(super) fn parse(text: &str) -> Result<Predicate, PredicateError> {
    let error = |(column, reason)| PredicateError { column, reason, text: text.to_owned() };
    let tokens = lex(text).map_err(error)?;
    if let Some(&(_, column)) = tokens.get(MAX_WORDS) {
        return Err(error((column, format!("more than {MAX_WORDS} words"))));
    }
    let mut parser = Parser { tokens, at: 0, names: Vec::new(), depth: 0 };
    let condition = parser.whole().map_err(error)?;
    Ok(Predicate { text: text.to_owned(), names: parser.names, condition })
}

/// A column and what is wrong there.
type Fault = (usize, String);

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    names: Vec<String>,
    depth: usize,
}

impl Parser {
    fn whole(&mut self) -> Result<Condition, Fault> {
        let condition = self.either()?;
        match self.peek() {
            Token::End => Ok(condition),
            Token::Sign(")") => Err(self.fault("there is no `(` for this `)`")),
            _ => Err(self.expected("`and`, `or` or the end")),
        }
    }

    fn either(&mut self) -> Result<Condition, Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fault("nested too deeply"));
        }
        let mut condition = self.both()?;
        while self.takes_keyword("or") {
            condition = Condition::Either(Box::new(condition), Box::new(self.both()?));
        }
        self.depth -= 1;
        Ok(condition)
    }

    fn both(&mut self) -> Result<Condition, Fault> {
        let mut condition = self.negated()?;
        while self.takes_keyword("and") {
            condition = Condition::Both(Box::new(condition), Box::new(self.negated()?));
        }
        Ok(condition)
    }

    fn negated(&mut self) -> Result<Condition, Fault> {
        let mut is_negated = false;
        while self.takes_keyword("not") {
            is_negated = !is_negated;
        }
        let condition = self.simple()?;
        Ok(negate_if(is_negated, condition))
    }

    fn simple(&mut self) -> Result<Condition, Fault> {
        if self.takes_sign("(") {
            let condition = self.either()?;
            return if self.takes_sign(")") { Ok(condition) } else { Err(self.expected("`)`")) };
        }
        if self.takes_keyword("exists") {
            return Ok(Condition::Exists(self.feature()?));
        }
        let feature = self.feature()?;
        let is_negated = self.takes_keyword("not");
        let test = self.test(is_negated)?;
        Ok(negate_if(is_negated, Condition::Passes(feature, test)))
    }

    /// A feature's number among the names.
    fn feature(&mut self) -> Result<usize, Fault> {
        let name = match self.peek() {
            Token::Name(name) => name.clone(),
            Token::Word(word) if !is_keyword(word) => word.clone(),
            _ => return Err(self.expected("the name of a feature")),
        };
        self.at += 1;
        if let Some(known) = self.names.iter().position(|known| *known == name) {
            return Ok(known);
        }
        self.names.push(name);
        Ok(self.names.len() - 1)
    }

    fn test(&mut self, is_negated: bool) -> Result<Test, Fault> {
        if self.takes_keyword("in") {
            return self.set();
        }
        if self.takes_keyword("like") {
            let Token::Text(pattern) = self.peek().clone() else {
                return Err(self.expected("a text such as 'string_*'"));
            };
            self.at += 1;
            return Ok(Test::Like(pattern));
        }
        let comparison = match self.peek() {
            _ if is_negated => None,
            Token::Sign("==") => Some(Comparison::Equal),
            Token::Sign("!=") => Some(Comparison::NotEqual),
            Token::Sign("<") => Some(Comparison::Less),
            Token::Sign("<=") => Some(Comparison::LessOrEqual),
            Token::Sign(">") => Some(Comparison::Greater),
            Token::Sign(">=") => Some(Comparison::GreaterOrEqual),
            _ => None,
        };
        match comparison {
            Some(comparison) => {
                self.at += 1;
                Ok(Test::Compares(comparison, self.value()?))
            }
            None if is_negated => Err(self.expected("`in` or `like`")),
            None => Err(self.expected("a comparison such as `>=`, `in` or `like`")),
        }
    }

    /// What follows `in`.
    fn set(&mut self) -> Result<Test, Fault> {
        if !self.takes_sign("(") {
            return self.range();
        }
        let mut values = vec![self.value()?];
        while self.takes_sign(",") {
            values.push(self.value()?);
        }
        if self.takes_sign(")") {
            return Ok(Test::OneOf(values));
        }
        Err(self.expected("`,` or `)`"))
    }

    fn range(&mut self) -> Result<Test, Fault> {
        let column = self.column();
        let low = self.number();
        if !self.takes_sign("..") {
            return Err(self.expected(match low {
                Some(_) => "`..` and the upper end of the range",
                None => "a range such as `24..84` or values such as `(1, 2)`",
            }));
        }
        let high = self.number();
        let is_empty = match (&low, &high) {
            (Some(Value::Integer(low)), Some(Value::Integer(high))) => low > high,
            (Some(low), Some(high)) => float(low) > float(high),
            (None, None) => return Err(self.expected("a number")),
            _ => false,
        };
        if is_empty {
            return Err((
                column,
                "the range is empty: its ends are the wrong way round".to_owned(),
            ));
        }
        Ok(Test::Within { low, high })
    }

    fn number(&mut self) -> Option<Value> {
        let value = match *self.peek() {
            Token::Integer(value) => Value::Integer(value),
            Token::Float(value) => Value::Float(value),
            _ => return None,
        };
        self.at += 1;
        Some(value)
    }

    fn value(&mut self) -> Result<Value, Fault> {
        if let Some(number) = self.number() {
            return Ok(number);
        }
        let Token::Text(text) = self.peek().clone() else {
            let hint = match self.peek() {
                Token::Word(word) if !is_keyword(word) => format!(" (a text is quoted: '{word}')"),
                _ => String::new(),
            };
            return Err(self.expected(&format!("a number or a text{hint}")));
        };
        self.at += 1;
        Ok(Value::Text(text))
    }

    fn takes_keyword(&mut self, keyword: &str) -> bool {
        let is_here =
            matches!(self.peek(), Token::Word(word) if word.eq_ignore_ascii_case(keyword));
        self.at += usize::from(is_here);
        is_here
    }

    fn takes_sign(&mut self, sign: &str) -> bool {
        let is_here = matches!(self.peek(), Token::Sign(found) if *found == sign);
        self.at += usize::from(is_here);
        is_here
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn column(&self) -> usize {
        self.tokens[self.at].1
    }

    fn fault(&self, reason: &str) -> Fault {
        (self.column(), reason.to_owned())
    }

    fn expected(&self, what: &str) -> Fault {
        self.fault(&format!("expected {what}, found {}", describe(self.peek())))
    }
}

fn is_keyword(word: &str) -> bool {
    KEYWORDS.iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
}

fn negate_if(is_negated: bool, condition: Condition) -> Condition {
    if is_negated { Condition::Not(Box::new(condition)) } else { condition }
}

fn float(value: &Value) -> f64 {
    match value {
        Value::Integer(value) => *value as f64,
        Value::Float(value) => *value,
        Value::Text(_) => f64::NAN,
    }
}
