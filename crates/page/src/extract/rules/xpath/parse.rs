//! An expression's text to its parts. Every mistake has its place, and what may stand there.

use regex::RegexBuilder;

use super::expr::{Axis, Calculation, Comparison, Expr, Kind, NodeTest, Path, Predicate, Start, Step};
use super::functions::Function;
use super::token::{Token, tokens};
use super::{MAX_XPATH_DEPTH, XPathError};
use crate::extract::rules::error::allowed;
use crate::extract::rules::read::MAX_REGEX_BYTES;

/// Parses an expression.
///
/// # Errors
/// The first mistake.
pub(super) fn parse(text: &str) -> Result<Expr, XPathError> {
    if text.trim().is_empty() {
        return Err(XPathError { at: 0, message: "an expression is missing".to_owned() });
    }
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    let expr = parser.or()?;
    match parser.peek() {
        Token::End => Ok(expr),
        Token::Symbol(":") => Err(parser.error("there are no pseudo-classes in XPath; an axis ends with `::`")),
        Token::Symbol(symbol @ (")" | "]")) => Err(parser.error(format!("`{symbol}` closes nothing"))),
        _ => Err(parser.error("expected an operator such as `and`, `or`, `=`, `|`, `/`, or the end")),
    }
}

/// A level of binary operators: what is between them, and the operators.
const COMPARISONS: [&[(&str, Comparison)]; 2] = [
    &[("=", Comparison::Equal), ("!=", Comparison::NotEqual)],
    &[
        ("<=", Comparison::LessOrEqual),
        ("<", Comparison::Less),
        (">=", Comparison::GreaterOrEqual),
        (">", Comparison::Greater),
    ],
];
const CALCULATIONS: [&[(&str, Calculation)]; 2] = [
    &[("+", Calculation::Add), ("-", Calculation::Subtract)],
    &[("*", Calculation::Multiply), ("div", Calculation::Divide), ("mod", Calculation::Modulo)],
];

struct Parser<'t> {
    tokens: Vec<(Token<'t>, usize)>,
    at: usize,
    depth: usize,
}

type Parsed<T> = Result<T, XPathError>;

impl<'t> Parser<'t> {
    fn peek(&self) -> Token<'t> {
        self.tokens.get(self.at).map_or(Token::End, |(token, _)| *token)
    }

    fn peek_second(&self) -> Token<'t> {
        self.tokens.get(self.at + 1).map_or(Token::End, |(token, _)| *token)
    }

    fn place(&self) -> usize {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(0, |(_, place)| *place)
    }

    fn error(&self, message: impl Into<String>) -> XPathError {
        XPathError { at: self.place(), message: message.into() }
    }

    fn take(&mut self, symbol: &str) -> bool {
        let is_it = self.peek() == Token::Symbol(symbol_of(symbol));
        self.at += usize::from(is_it);
        is_it
    }

    fn expect(&mut self, symbol: &str) -> Parsed<()> {
        if self.take(symbol) { Ok(()) } else { Err(self.error(format!("expected `{symbol}`"))) }
    }

    /// An operator, which may be a name: only asked where one may stand.
    fn take_operator(&mut self, operator: &str) -> bool {
        let is_it = match self.peek() {
            Token::Symbol(symbol) => symbol == operator,
            Token::Name(name) => name == operator,
            _ => false,
        };
        self.at += usize::from(is_it);
        is_it
    }

    fn inner<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == MAX_XPATH_DEPTH {
            return Err(self.error(format!("the expression is nested more than {MAX_XPATH_DEPTH} deep")));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn or(&mut self) -> Parsed<Expr> {
        self.list("or", Self::and, Expr::Or)
    }

    fn and(&mut self) -> Parsed<Expr> {
        self.list("and", |parser| parser.comparison(0), Expr::And)
    }

    fn list(
        &mut self,
        operator: &str,
        part: impl Fn(&mut Self) -> Parsed<Expr>,
        all: fn(Vec<Expr>) -> Expr,
    ) -> Parsed<Expr> {
        let first = part(self)?;
        if !self.take_operator(operator) {
            return Ok(first);
        }
        let mut parts = vec![first, part(self)?];
        while self.take_operator(operator) {
            parts.push(part(self)?);
        }
        Ok(all(parts))
    }

    fn comparison(&mut self, level: usize) -> Parsed<Expr> {
        let Some(operators) = COMPARISONS.get(level) else { return self.calculation(0) };
        let mut left = self.comparison(level + 1)?;
        while let Some((_, operator)) = operators.iter().find(|(name, _)| self.take_operator(name)) {
            let right = self.comparison(level + 1)?;
            left = Expr::Compare(*operator, Box::new((left, right)));
        }
        Ok(left)
    }

    fn calculation(&mut self, level: usize) -> Parsed<Expr> {
        let Some(operators) = CALCULATIONS.get(level) else { return self.negation() };
        let mut left = self.calculation(level + 1)?;
        while let Some((_, operator)) = operators.iter().find(|(name, _)| self.take_operator(name)) {
            let right = self.calculation(level + 1)?;
            left = Expr::Calculate(*operator, Box::new((left, right)));
        }
        Ok(left)
    }

    fn negation(&mut self) -> Parsed<Expr> {
        let mut signs = 0;
        while self.take("-") {
            signs += 1;
        }
        let expr = self.union()?;
        Ok(match signs {
            0 => expr,
            // Twice is a number all the same.
            _ if signs % 2 == 0 => Expr::Negate(Box::new(Expr::Negate(Box::new(expr)))),
            _ => Expr::Negate(Box::new(expr)),
        })
    }

    fn union(&mut self) -> Parsed<Expr> {
        let place = self.place();
        let first = self.path()?;
        if self.peek() != Token::Symbol("|") {
            return Ok(first);
        }
        let mut parts = vec![nodes(first, place, "`|` joins")?];
        while self.take("|") {
            let place = self.place();
            parts.push(nodes(self.path()?, place, "`|` joins")?);
        }
        Ok(Expr::Union(parts))
    }

    fn path(&mut self) -> Parsed<Expr> {
        let place = self.place();
        let mut steps = Vec::new();
        let start = if self.begins_primary() {
            let primary = self.primary()?;
            let predicates = self.predicates()?;
            let goes_on = matches!(self.peek(), Token::Symbol("/" | "//"));
            if predicates.is_empty() && !goes_on {
                return Ok(primary);
            }
            Start::Of(Box::new(nodes(primary, place, "`[` and `/` stand behind")?), predicates)
        } else if self.take("/") {
            if !self.begins_step() {
                return Ok(Expr::Path(Path { start: Start::Document, steps }));
            }
            self.step(&mut steps, false)?;
            Start::Document
        } else if self.take("//") {
            self.step(&mut steps, true)?;
            Start::Document
        } else {
            self.step(&mut steps, false)?;
            Start::Here
        };
        loop {
            if self.take("//") {
                self.step(&mut steps, true)?;
            } else if self.take("/") {
                self.step(&mut steps, false)?;
            } else {
                return Ok(Expr::Path(Path { start, steps }));
            }
        }
    }

    /// Whether what comes is no step.
    fn begins_primary(&self) -> bool {
        match self.peek() {
            Token::Symbol("(" | "$") | Token::Literal(_) | Token::Number(_) => true,
            Token::Name(name) => self.peek_second() == Token::Symbol("(") && node_test(name).is_none(),
            _ => false,
        }
    }

    fn begins_step(&self) -> bool {
        matches!(self.peek(), Token::Name(_) | Token::AllOf(_) | Token::Symbol("*" | "." | ".." | "@"))
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let place = self.place();
        let token = self.peek();
        self.at += 1;
        match token {
            Token::Literal(text) => Ok(Expr::Literal(text.to_owned())),
            Token::Number(number) => Ok(Expr::Number(number)),
            Token::Symbol("(") => {
                let expr = self.inner(Self::or)?;
                self.expect(")")?;
                Ok(expr)
            }
            Token::Name(name) => self.call(name, place),
            _ => Err(XPathError { at: place, message: "there are no variables here".to_owned() }),
        }
    }

    fn call(&mut self, name: &str, place: usize) -> Parsed<Expr> {
        let mistake = |message: String| XPathError { at: place, message };
        let Some(function) = Function::named(name) else {
            let hint = match name {
                "ends-with" | "matches" => "it is of XPath 2; say `re:test(., 'x$')`. ",
                "lower-case" | "upper-case" => "it is of XPath 2; say `translate()`, or `re:test(., 'x', 'i')`. ",
                "string-join" => "it is of XPath 2; say `join = \", \"` in the rule. ",
                "re:match" | "re:replace" | "replace" | "tokenize" => "say `regex = \"…\"` in the rule. ",
                _ => "",
            };
            let names: Vec<_> = Function::ALL.iter().map(|(name, ..)| *name).collect();
            return Err(mistake(format!("unknown function `{name}`; {hint}{}", allowed(name, &names))));
        };
        self.expect("(")?;
        let mut arguments = Vec::new();
        let mut places = Vec::new();
        while !self.take(")") {
            if !arguments.is_empty() && !self.take(",") {
                return Err(self.error("expected `,` or `)`"));
            }
            places.push(self.place());
            arguments.push(self.inner(Self::or)?);
        }
        let (least, most) = function.arguments();
        if arguments.len() < least || arguments.len() > most {
            let expected = match (least, most) {
                (least, usize::MAX) => format!("{least} or more"),
                (least, most) if least == most => least.to_string(),
                (least, most) => format!("{least} to {most}"),
            };
            return Err(mistake(format!("`{name}` has {expected} arguments, here {}", arguments.len())));
        }
        if function.wants_nodes()
            && let Some(first) = arguments.first()
            && first.kind() != Kind::Nodes
        {
            let message = format!("`{name}` is of nodes; a path is expected");
            return Err(XPathError { at: places[0], message });
        }
        if function == Function::ReTest { self.test(arguments, &places) } else { Ok(Expr::Call(function, arguments)) }
    }

    /// `re:test(text, pattern, flags)`
    fn test(&self, arguments: Vec<Expr>, places: &[usize]) -> Parsed<Expr> {
        let literal = |at: usize| match arguments.get(at) {
            Some(Expr::Literal(text)) => Ok(Some(text.clone())),
            None => Ok(None),
            Some(_) => Err(XPathError {
                at: places[at],
                message: "the pattern of `re:test` and its flags are texts in quotes".to_owned(),
            }),
        };
        let (pattern, flags) = (literal(1)?.unwrap_or_default(), literal(2)?.unwrap_or_default());
        if let Some(odd) = flags.chars().find(|flag| !"gimsx".contains(*flag)) {
            let message = format!("unknown flag `{odd}`; allowed are `i`, `m`, `s`, `x`, `g`");
            return Err(XPathError { at: places[2], message });
        }
        let has = |flag: char| flags.contains(flag);
        let regex = RegexBuilder::new(&pattern)
            .case_insensitive(has('i'))
            .multi_line(has('m'))
            .dot_matches_new_line(has('s'))
            .ignore_whitespace(has('x'))
            .size_limit(MAX_REGEX_BYTES)
            .dfa_size_limit(MAX_REGEX_BYTES)
            .build()
            .map_err(|error| {
                let place = match regex_syntax::Parser::new().parse(&pattern) {
                    Err(regex_syntax::Error::Parse(error)) => error.span().start.offset,
                    Err(regex_syntax::Error::Translate(error)) => error.span().start.offset,
                    _ => 0,
                };
                let text = error.to_string();
                let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                XPathError { at: places[1] + 1 + place, message: format!("{reason}; syntax: https://docs.rs/regex") }
            })?;
        let first = arguments.into_iter().next().unwrap_or(Expr::Literal(String::new()));
        Ok(Expr::Test(Box::new(first), regex))
    }

    fn predicates(&mut self) -> Parsed<Vec<Predicate>> {
        let mut predicates = Vec::new();
        while self.take("[") {
            if self.peek() == Token::Symbol("]") {
                return Err(self.error("a predicate is missing: `[1]`, `[@href]`, `[contains(., 'SKU')]`"));
            }
            predicates.push(Predicate::of(self.inner(Self::or)?));
            self.expect("]")?;
        }
        Ok(predicates)
    }

    /// One step, or two behind `//`.
    fn step(&mut self, steps: &mut Vec<Step>, is_anywhere: bool) -> Parsed<()> {
        let mut step = self.one_step()?;
        if is_anywhere {
            // `//a` is all `a` below, unless their places among siblings count.
            match (step.axis, step.is_positional()) {
                (Axis::Child, false) | (Axis::Descendant, false) => step.axis = Axis::Descendant,
                (Axis::Itself | Axis::DescendantOrSelf, false) => step.axis = Axis::DescendantOrSelf,
                (axis, _) => steps.push(Step::anywhere(axis)),
            }
        }
        steps.push(step);
        Ok(())
    }

    fn one_step(&mut self) -> Parsed<Step> {
        for (symbol, axis) in [("..", Axis::Parent), (".", Axis::Itself)] {
            if self.take(symbol) {
                if self.peek() == Token::Symbol("[") {
                    let name = if axis == Axis::Parent { "parent" } else { "self" };
                    let message = format!("no predicate can stand behind `{symbol}`; say `{name}::node()[…]`");
                    return Err(self.error(message));
                }
                return Ok(Step { axis, test: NodeTest::Any, predicates: Vec::new() });
            }
        }
        let axis = if self.take("@") {
            Axis::Attribute
        } else if let (Token::Name(name), Token::Symbol("::")) = (self.peek(), self.peek_second()) {
            let Some((_, axis)) = Axis::ALL.iter().find(|(known, _)| *known == name) else {
                let hint = if name == "namespace" { "there is no axis `namespace` here; " } else { "unknown axis; " };
                let names = Axis::ALL.map(|(name, _)| name);
                return Err(self.error(format!("{hint}{}", allowed(name, &names))));
            };
            self.at += 2;
            *axis
        } else {
            Axis::Child
        };
        let test = self.node_test()?;
        Ok(Step { axis, test, predicates: self.predicates()? })
    }

    fn node_test(&mut self) -> Parsed<NodeTest> {
        let token = self.peek();
        let test = match token {
            Token::Symbol("*") => NodeTest::All,
            Token::AllOf(prefix) => NodeTest::AllOf(prefix.to_owned()),
            Token::Name(name) if self.peek_second() == Token::Symbol("(") => match node_test(name) {
                Some(test) => {
                    self.at += 2;
                    if test == NodeTest::Instruction && matches!(self.peek(), Token::Literal(_)) {
                        self.at += 1;
                    }
                    self.expect(")")?;
                    return Ok(test);
                }
                None => {
                    let message = format!("`{name}(…)` is no step; in XPath 1.0 a function stands around a path");
                    return Err(self.error(message));
                }
            },
            Token::Name(name) => NodeTest::Name(name.to_owned()),
            Token::Symbol("(") => {
                return Err(
                    self.error("a step is expected; in XPath 1.0 parentheses stand only at the start of a path")
                );
            }
            Token::End => return Err(self.error("the expression is not finished: a step such as `td` is expected")),
            _ => return Err(self.error("expected a step such as `td`, `*`, `@href`, `text()`, `..`")),
        };
        self.at += 1;
        Ok(test)
    }
}

fn node_test(name: &str) -> Option<NodeTest> {
    match name {
        "node" => Some(NodeTest::Any),
        "text" => Some(NodeTest::Text),
        "comment" => Some(NodeTest::Comment),
        "processing-instruction" => Some(NodeTest::Instruction),
        _ => None,
    }
}

fn nodes(expr: Expr, at: usize, what: &str) -> Parsed<Expr> {
    match expr.kind() {
        Kind::Nodes => Ok(expr),
        _ => Err(XPathError { at, message: format!("{what} nodes; this is none but a value") }),
    }
}

/// The same text as a constant.
fn symbol_of(symbol: &str) -> &'static str {
    super::token::SYMBOLS.iter().find(|known| **known == symbol).copied().unwrap_or("")
}
