//! The words of a condition, each with its place.

/// One word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A feature's name, or a keyword of that spelling.
    Word(String),
    /// A feature's name between backquotes: never a keyword.
    Name(String),
    Integer(i64),
    Float(f64),
    Text(String),
    /// `(`, `)`, `,`, `..` or a comparison.
    Sign(&'static str),
    End,
}

/// What a word is, for messages.
pub(super) fn describe(token: &Token) -> String {
    match token {
        Token::Word(word) => format!("`{word}`"),
        Token::Name(name) => format!("the feature `{name}`"),
        Token::Integer(value) => format!("`{value}`"),
        Token::Float(value) => format!("`{value}`"),
        Token::Text(text) => format!("'{text}'"),
        Token::Sign(sign) => format!("`{sign}`"),
        Token::End => "the end".to_owned(),
    }
}

/// Longer signs before those that they begin with.
const SIGNS: [&str; 11] = ["..", "==", "!=", "<=", ">=", "=", "<", ">", "(", ")", ","];

/// Splits a condition into words with their columns, from 1; the last is `End`.
///
/// An error is a column and a reason.
pub(super) fn lex(text: &str) -> Result<Vec<(Token, usize)>, (usize, String)> {
    let mut lexer = Lexer { chars: text.chars().collect(), at: 0 };
    let mut tokens = Vec::new();
    loop {
        while lexer.peek(0).is_some_and(char::is_whitespace) {
            lexer.at += 1;
        }
        let column = lexer.at + 1;
        let token = lexer.token().map_err(|reason| (column, reason))?;
        let is_end = token == Token::End;
        tokens.push((token, column));
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn token(&mut self) -> Result<Token, String> {
        let Some(first) = self.peek(0) else { return Ok(Token::End) };
        let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        let begins_number = |c: char, next| is_digit(Some(c)) || c == '.' && is_digit(next);
        let next = self.peek(1);
        match first {
            '\'' | '"' => self.quoted(first).map(Token::Text),
            '`' => self.quoted('`').map(Token::Name),
            '-' | '+' if next.is_some_and(|c| begins_number(c, self.peek(2))) => self.number(),
            _ if begins_number(first, next) => self.number(),
            _ if first.is_alphabetic() || first == '_' => Ok(Token::Word(self.word())),
            _ => self.sign(first),
        }
    }

    fn sign(&mut self, first: char) -> Result<Token, String> {
        let is_here = |sign: &&&str| sign.chars().enumerate().all(|(i, c)| self.peek(i) == Some(c));
        let Some(&sign) = SIGNS.iter().find(is_here) else {
            let hint = match first {
                '&' => ": write `and`",
                '|' => ": write `or`",
                '!' | '~' => ": write `not`, or `!=`",
                _ => "",
            };
            return Err(format!("unexpected `{first}`{hint}"));
        };
        self.at += sign.len();
        Ok(Token::Sign(if sign == "=" { "==" } else { sign }))
    }

    /// A name: letters, digits and what NSynth's names hold, `/ - . _`.
    fn word(&mut self) -> String {
        let begin = self.at;
        while let Some(c) = self.peek(0) {
            let is_range = c == '.' && self.peek(1) == Some('.');
            if is_range || !(c.is_alphanumeric() || "_/-.".contains(c)) {
                break;
            }
            self.at += 1;
        }
        self.chars[begin..self.at].iter().collect()
    }

    /// What stands between two quotes; a backslash takes the next character as it is.
    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let mut text = String::new();
        let mut ahead = 1;
        loop {
            match self.peek(ahead) {
                None => return Err(format!("the {quote} is never closed")),
                Some(c) if c == quote => break,
                Some('\\') => {
                    ahead += 1;
                    text.extend(self.peek(ahead));
                }
                Some(c) => text.push(c),
            }
            ahead += 1;
        }
        self.at += ahead + 1;
        Ok(text)
    }

    fn number(&mut self) -> Result<Token, String> {
        let begin = self.at;
        let mut is_float = false;
        self.at += usize::from(matches!(self.peek(0), Some('-' | '+')));
        self.digits();
        if self.peek(0) == Some('.') && self.peek(1).is_some_and(|c| c.is_ascii_digit()) {
            is_float = true;
            self.at += 1;
            self.digits();
        }
        if matches!(self.peek(0), Some('e' | 'E')) {
            is_float = true;
            self.at += 1;
            self.at += usize::from(matches!(self.peek(0), Some('-' | '+')));
            self.digits();
        }
        let text: String = self.chars[begin..self.at].iter().collect();
        if self.peek(0).is_some_and(|c| c.is_alphanumeric() || c == '_') {
            return Err(format!("`{text}{}…` is not a number", self.chars[self.at]));
        }
        if is_float {
            let value = text.parse().ok().filter(|value: &f64| value.is_finite());
            return value.map(Token::Float).ok_or_else(|| format!("`{text}` is not a number"));
        }
        let value = text.parse().map(Token::Integer);
        value.map_err(|_| format!("`{text}` does not fit 64 bits"))
    }

    fn digits(&mut self) {
        while self.peek(0).is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
    }
}
