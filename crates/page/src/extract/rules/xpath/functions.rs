//! The functions of XPath 1.0's core library, `re:test` and `has-class`; numbers and texts as XPath has them.

use std::borrow::Cow;

use super::MAX_XPATH_TEXT;
use super::eval::{Evaluator, Here, Value};
use super::expr::{Expr, Kind};
use super::nodes::Node;
use crate::extract::text::cut;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Boolean,
    Ceiling,
    Concat,
    Contains,
    Count,
    False,
    Floor,
    HasClass,
    Id,
    Lang,
    Last,
    LocalName,
    Name,
    NamespaceUri,
    NormalizeSpace,
    Not,
    Number,
    Position,
    ReTest,
    Round,
    StartsWith,
    String,
    StringLength,
    Substring,
    SubstringAfter,
    SubstringBefore,
    Sum,
    Translate,
    True,
}

impl Function {
    /// Names, and how many arguments there are, at least and at most.
    pub const ALL: [(&str, Self, usize, usize); 29] = [
        ("boolean", Self::Boolean, 1, 1),
        ("ceiling", Self::Ceiling, 1, 1),
        ("concat", Self::Concat, 2, usize::MAX),
        ("contains", Self::Contains, 2, 2),
        ("count", Self::Count, 1, 1),
        ("false", Self::False, 0, 0),
        ("floor", Self::Floor, 1, 1),
        ("has-class", Self::HasClass, 1, usize::MAX),
        ("id", Self::Id, 1, 1),
        ("lang", Self::Lang, 1, 1),
        ("last", Self::Last, 0, 0),
        ("local-name", Self::LocalName, 0, 1),
        ("name", Self::Name, 0, 1),
        ("namespace-uri", Self::NamespaceUri, 0, 1),
        ("normalize-space", Self::NormalizeSpace, 0, 1),
        ("not", Self::Not, 1, 1),
        ("number", Self::Number, 0, 1),
        ("position", Self::Position, 0, 0),
        ("re:test", Self::ReTest, 2, 3),
        ("round", Self::Round, 1, 1),
        ("starts-with", Self::StartsWith, 2, 2),
        ("string", Self::String, 0, 1),
        ("string-length", Self::StringLength, 0, 1),
        ("substring", Self::Substring, 2, 3),
        ("substring-after", Self::SubstringAfter, 2, 2),
        ("substring-before", Self::SubstringBefore, 2, 2),
        ("sum", Self::Sum, 1, 1),
        ("translate", Self::Translate, 3, 3),
        ("true", Self::True, 0, 0),
    ];

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, ..)| *known == name).map(|(_, function, ..)| *function)
    }

    pub fn arguments(self) -> (usize, usize) {
        Self::ALL.iter().find(|(_, function, ..)| *function == self).map_or((0, 0), |(.., least, most)| (*least, *most))
    }

    /// Whether its first argument, if it has one, must be nodes.
    pub fn wants_nodes(self) -> bool {
        matches!(self, Self::Count | Self::Sum | Self::Name | Self::LocalName | Self::NamespaceUri)
    }

    pub fn kind(self) -> Kind {
        match self {
            Self::Id => Kind::Nodes,
            Self::Boolean
            | Self::Contains
            | Self::False
            | Self::HasClass
            | Self::Lang
            | Self::Not
            | Self::ReTest
            | Self::StartsWith
            | Self::True => Kind::Bool,
            Self::Ceiling
            | Self::Count
            | Self::Floor
            | Self::Last
            | Self::Number
            | Self::Position
            | Self::Round
            | Self::StringLength
            | Self::Sum => Kind::Number,
            Self::Concat
            | Self::LocalName
            | Self::Name
            | Self::NamespaceUri
            | Self::NormalizeSpace
            | Self::String
            | Self::Substring
            | Self::SubstringAfter
            | Self::SubstringBefore
            | Self::Translate => Kind::Text,
        }
    }
}

impl<'d> Evaluator<'d, '_> {
    /// The value of a function.
    pub fn call(&self, function: Function, arguments: &[Expr], here: Here) -> Option<Value<'d>> {
        // The parser has counted them.
        let text = |at: usize| match arguments.get(at) {
            Some(argument) => self.text(argument, here),
            None => self.tree.text(here.node, self.budget),
        };
        let num = |at: usize| match arguments.get(at) {
            Some(argument) => self.number(argument, here),
            None => Some(number(&self.tree.text(here.node, self.budget)?)),
        };
        let truth = || arguments.first().map_or(Some(false), |argument| self.truth(argument, here));
        let first = || match arguments.first() {
            Some(argument) => Some(self.nodes(argument, here)?.first().copied()),
            None => Some(Some(here.node)),
        };
        Some(match function {
            Function::Boolean => Value::Bool(truth()?),
            Function::Not => Value::Bool(!truth()?),
            Function::True => Value::Bool(true),
            Function::False | Function::ReTest => Value::Bool(false),
            Function::Position => Value::Number(here.position as f64),
            Function::Last => Value::Number(here.size as f64),
            Function::Count => {
                let nodes = arguments.first().map_or(Some(Vec::new()), |argument| self.nodes(argument, here))?;
                Value::Number(nodes.len() as f64)
            }
            Function::Sum => {
                let nodes = arguments.first().map_or(Some(Vec::new()), |argument| self.nodes(argument, here))?;
                let mut sum = 0.0;
                for node in nodes {
                    sum += number(&self.tree.text(node, self.budget)?);
                }
                Value::Number(sum)
            }
            Function::Number => Value::Number(num(0)?),
            Function::Floor => Value::Number(num(0)?.floor()),
            Function::Ceiling => Value::Number(num(0)?.ceil()),
            Function::Round => Value::Number(rounded(num(0)?)),
            Function::Id => Value::Nodes(self.ids(arguments, here)?),
            Function::Lang => {
                let wanted = text(0)?;
                let own = self.tree.language(here.node, self.budget)?.unwrap_or_default();
                let is_it = own.get(..wanted.len()).is_some_and(|start| start.eq_ignore_ascii_case(&wanted))
                    && (own.len() == wanted.len() || own.as_bytes()[wanted.len()] == b'-');
                Value::Bool(is_it && !wanted.is_empty())
            }
            Function::Name | Function::LocalName => {
                let name = first()?.map_or("", |node| self.tree.name(node));
                let local = name.split_once(':').map_or(name, |(_, local)| local);
                Value::Text(Cow::Borrowed(if function == Function::Name { name } else { local }))
            }
            Function::NamespaceUri => Value::Text(Cow::Borrowed(first()?.map_or("", |node| self.tree.namespace(node)))),
            Function::HasClass => {
                let class = self.tree.element(here.node).and_then(|element| element.attr("class")).unwrap_or_default();
                self.budget.spend(class.len() / 16)?;
                for at in 0..arguments.len() {
                    let wanted = text(at)?;
                    if !class.split_ascii_whitespace().any(|own| own == wanted) {
                        return Some(Value::Bool(false));
                    }
                }
                Value::Bool(true)
            }
            Function::String => Value::Text(text(0)?),
            Function::Concat => {
                let mut all = String::new();
                for at in 0..arguments.len() {
                    let more = text(at)?;
                    self.budget.spend(1 + more.len() / 16)?;
                    all.push_str(cut(&more, MAX_XPATH_TEXT.saturating_sub(all.len())));
                }
                Value::Text(Cow::Owned(all))
            }
            Function::StartsWith => Value::Bool(text(0)?.starts_with(&*text(1)?)),
            Function::Contains => {
                let (text, part) = (text(0)?, text(1)?);
                self.budget.spend(1 + text.len() / 16)?;
                Value::Bool(memchr::memmem::find(text.as_bytes(), part.as_bytes()).is_some())
            }
            Function::SubstringBefore => {
                let (text, part) = (text(0)?, text(1)?);
                Value::Text(match text.split_once(&*part) {
                    Some((before, _)) => Cow::Owned(before.to_owned()),
                    None => Cow::Borrowed(""),
                })
            }
            Function::SubstringAfter => {
                let (text, part) = (text(0)?, text(1)?);
                Value::Text(match text.split_once(&*part) {
                    Some((_, after)) => Cow::Owned(after.to_owned()),
                    None => Cow::Borrowed(""),
                })
            }
            Function::Substring => {
                let text = text(0)?;
                self.budget.spend(text.len() / 8)?;
                let start = rounded(num(1)?);
                let end = if arguments.len() > 2 { start + rounded(num(2)?) } else { f64::INFINITY };
                let is_in = |place: usize| place as f64 >= start && (place as f64) < end;
                Value::Text(Cow::Owned((1..).zip(text.chars()).filter(|(at, _)| is_in(*at)).map(|(_, c)| c).collect()))
            }
            Function::StringLength => {
                let text = text(0)?;
                self.budget.spend(text.len() / 16)?;
                Value::Number(text.chars().count() as f64)
            }
            Function::NormalizeSpace => {
                let text = text(0)?;
                self.budget.spend(text.len() / 8)?;
                let words: Vec<_> = text.split(is_space).filter(|word| !word.is_empty()).collect();
                Value::Text(Cow::Owned(words.join(" ")))
            }
            Function::Translate => {
                let (text, from, to) = (text(0)?, text(1)?, text(2)?);
                self.budget.spend(1 + text.len() / 4)?;
                // The first place of a letter counts.
                let mut map = std::collections::HashMap::new();
                let mut to = to.chars();
                for c in from.chars() {
                    let becomes = to.next();
                    map.entry(c).or_insert(becomes);
                }
                Value::Text(Cow::Owned(text.chars().filter_map(|c| map.get(&c).copied().unwrap_or(Some(c))).collect()))
            }
        })
    }

    fn ids(&self, arguments: &[Expr], here: Here) -> Option<Vec<Node>> {
        let Some(argument) = arguments.first() else { return Some(Vec::new()) };
        let texts = match self.of(argument, here)? {
            Value::Nodes(nodes) => {
                let texts: Option<Vec<_>> = nodes.iter().map(|node| self.tree.text(*node, self.budget)).collect();
                texts?
            }
            value => vec![self.text_of(value)?],
        };
        let mut found = Vec::new();
        for id in texts.iter().flat_map(|text| text.split(is_space)).filter(|id| !id.is_empty()) {
            self.budget.spend(1)?;
            found.extend(self.tree.by_id(id, self.budget)?);
        }
        found.sort_unstable();
        found.dedup();
        Some(found)
    }
}

/// White space as XML has it.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// The number that a text is; not a number if it is none.
pub(super) fn number(text: &str) -> f64 {
    let text = text.trim_matches(is_space);
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.bytes().filter(|byte| *byte == b'.').count() <= 1
        && digits.bytes().any(|byte| byte.is_ascii_digit());
    if is_number { text.parse().unwrap_or(f64::NAN) } else { f64::NAN }
}

/// A number as text.
pub(super) fn written(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    // No `-0`.
    if number == 0.0 { "0".to_owned() } else { number.to_string() }
}

/// The nearest whole number; of two the greater.
fn rounded(number: f64) -> f64 {
    let floor = number.floor();
    if number - floor >= 0.5 { floor + 1.0 } else { floor }
}
