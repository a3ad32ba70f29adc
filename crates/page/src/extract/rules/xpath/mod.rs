//! XPath 1.0 on the tree: parsed once, answered within a budget.
//!
//! Every function, axis and operator of the recommendation is there but variables and the axis `namespace`; of its
//! extensions `re:test` (EXSLT) and `has-class`, which users of Scrapy know. Names of HTML elements have no case; in XML
//! a name is as it is written, with its prefix. What is in a `<template>` stands in the template.
//!
//! A step asks each node once, however many ways lead to it, unless a position is asked for. What may still take long
//! (a path within a predicate of a path) is work for the [`Budget`].
//!
//! - `token`, `parse`: text to `expr`, the parsed expression, and where a broken one breaks
//! - `nodes`: the tree as XPath sees it, and its axes
//! - `eval`, `functions`: what an expression is on a page

mod eval;
mod expr;
mod functions;
mod nodes;
mod parse;
mod token;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::Budget;
use super::dom::{Dom, Index};
use eval::{Evaluator, Value};
use expr::{Expr, Kind};
use nodes::Tree;

/// Longest expression, in tokens.
pub const MAX_XPATH_TOKENS: usize = 1000;
/// How deep parentheses, predicates and arguments of an expression may be nested.
pub const MAX_XPATH_DEPTH: usize = 32;
/// Most bytes of a text that an expression makes or compares; the rest of a longer one is passed over.
pub const MAX_XPATH_TEXT: usize = 16 << 20;

/// A compiled expression.
#[derive(Clone)]
pub struct XPath {
    text: String,
    expr: Arc<Expr>,
}

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XPathError {
    /// Byte of the text at which the mistake is.
    pub at: usize,
    /// The mistake, for people.
    pub message: String,
}

/// One of the things that an expression finds.
#[derive(Clone, Debug, PartialEq)]
pub enum Hit<'d> {
    /// An element.
    Element(Index),
    /// An attribute, a text or a comment; or the text that the expression is.
    Text(Cow<'d, str>),
    /// The number or the truth that the expression is.
    Data(String),
}

impl XPath {
    /// Compiles an expression.
    ///
    /// # Errors
    /// [`XPathError`]: it is not XPath 1.0, or too long.
    pub fn parse(text: &str) -> Result<Self, XPathError> {
        Ok(Self { text: text.to_owned(), expr: Arc::new(parse::parse(text)?) })
    }

    /// Whether a text is an expression rather than a selector of CSS, none of which begins so.
    pub fn is_meant(text: &str) -> bool {
        ["/", "./", "../", "("].iter().any(|start| text.trim_start().starts_with(start))
    }

    /// Expressions that ask for less, those first that ask for most: without steps and predicates at its end.
    pub(super) fn beginnings(&self) -> Vec<Self> {
        let mut depth = 0_usize;
        let mut beginnings = Vec::new();
        for (token, at) in token::tokens(&self.text).unwrap_or_default() {
            if depth == 0 && matches!(token, token::Token::Symbol("/" | "//" | "[")) {
                beginnings.extend(Self::parse(self.text[..at].trim_end()).ok());
            }
            match token {
                token::Token::Symbol("(" | "[") => depth += 1,
                token::Token::Symbol(")" | "]") => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        beginnings.reverse();
        beginnings
    }

    /// Whether it may find elements: not only attributes or texts, no text, number or truth.
    pub(super) fn finds_elements(&self) -> bool {
        self.expr.kind() == Kind::Nodes && self.expr.may_be_elements()
    }

    /// What it finds at `scope`, or on the page, shown one by one in the order of the document to `take` until it has
    /// enough. `None`: told to stop.
    pub(super) fn find<'d>(
        &self,
        dom: &'d Dom<'_>,
        scope: Option<Index>,
        budget: &Budget<'_>,
        take: &mut dyn FnMut(Hit<'d>) -> Option<bool>,
    ) -> Option<()> {
        let tree = Tree::of(dom);
        let value = Evaluator { tree, budget }.value(&self.expr, scope)?;
        match value {
            Value::Nodes(nodes) => {
                for node in nodes {
                    budget.spend(1)?;
                    let hit = match tree.element(node) {
                        Some(element) => Hit::Element(element.id().index()),
                        // The page as a whole.
                        None if tree.is_document(node) => Hit::Element(dom.first()),
                        None => Hit::Text(tree.text(node, budget)?),
                    };
                    if !take(hit)? {
                        break;
                    }
                }
            }
            Value::Text(text) => _ = take(Hit::Text(text))?,
            // What is no number is nothing.
            Value::Number(number) if number.is_nan() => {}
            Value::Number(number) => _ = take(Hit::Data(functions::written(number)))?,
            Value::Bool(truth) => _ = take(Hit::Data(truth.to_string()))?,
        }
        Some(())
    }
}

impl fmt::Display for XPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for XPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "XPath({:?})", self.text)
    }
}

#[cfg(test)]
mod tests;
