//! An expression cut into its words.

use super::{MAX_XPATH_TOKENS, XPathError};

/// A word of an expression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'t> {
    /// A name, with its prefix if it has one: `td`, `dc:creator`.
    Name(&'t str),
    /// All names of a prefix: `dc:*`.
    AllOf(&'t str),
    Literal(&'t str),
    Number(f64),
    /// Any of [`SYMBOLS`].
    Symbol(&'static str),
    End,
}

/// The longer ones first.
pub(super) const SYMBOLS: [&str; 23] = [
    "::", "//", "..", "!=", "<=", ">=", "(", ")", "[", "]", "/", ".", "@", ",", "|", "+", "-", "=", "<", ">", "*", "$",
    ":",
];

/// The words of `text` with their places, and one more for its end.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token<'_>, usize)>, XPathError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        at += text[at..].len() - text[at..].trim_start_matches([' ', '\t', '\r', '\n']).len();
        let rest = &text[at..];
        let Some(first) = rest.chars().next() else { break };
        if tokens.len() == MAX_XPATH_TOKENS {
            let message = format!("the expression is longer than {MAX_XPATH_TOKENS} words");
            return Err(XPathError { at, message });
        }
        let (token, len) = if is_name_start(first) {
            name(rest)
        } else if first.is_ascii_digit() || first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit()) {
            number(rest)
        } else if let '"' | '\'' = first {
            let Some(len) = rest[1..].find(first) else {
                return Err(XPathError { at, message: format!("the text is not closed: `{first}` is missing") });
            };
            (Token::Literal(&rest[1..=len]), len + 2)
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            (Token::Symbol(symbol), symbol.len())
        } else {
            let message = match first {
                '#' => "there is no `#` in XPath; for an id say `*[@id = 'main']`".to_owned(),
                '&' => "there is no `&` in XPath; say `and`".to_owned(),
                '!' => "there is no `!` in XPath; say `not(…)`".to_owned(),
                '~' | '^' => format!("there is no `{first}=` in XPath; say `contains(@class, 'a')`, `has-class('a')`"),
                other => format!("there is no `{other}` in XPath"),
            };
            return Err(XPathError { at, message });
        };
        tokens.push((token, at));
        at += len;
    }
    tokens.push((Token::End, text.len()));
    Ok(tokens)
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn name(text: &str) -> (Token<'_>, usize) {
    let word = |text: &str| {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.') || c == '\u{B7}';
        text.find(|c| !is_part(c)).unwrap_or(text.len())
    };
    let prefix = word(text);
    // `a::b` is an axis.
    let local = text[prefix..].strip_prefix(':').filter(|rest| !rest.starts_with(':'));
    match local {
        Some(rest) if rest.starts_with('*') => (Token::AllOf(&text[..prefix]), prefix + 2),
        Some(rest) if rest.starts_with(is_name_start) => {
            let len = prefix + 1 + word(rest);
            (Token::Name(&text[..len]), len)
        }
        _ => (Token::Name(&text[..prefix]), prefix),
    }
}

fn number(text: &str) -> (Token<'_>, usize) {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let mut len = digits(text);
    if text[len..].starts_with('.') {
        len += 1 + digits(&text[len + 1..]);
    }
    (Token::Number(super::functions::number(&text[..len])), len)
}
