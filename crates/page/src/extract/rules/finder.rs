//! Elements by more than a selector: by XPath, by their text, by steps from one to another.
//!
//! `{ css = "th", text = "SKU", step = "next td" }` is what pages of labels and values need: the label is found by its
//! text, the value from there.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use regex::Regex;
use selectors::context::SelectorCaches;

use super::dom::{Dom, Index};
use super::error::allowed;
use super::selector::Selector;
use super::xpath::{Hit, XPath};
use super::{Budget, MAX_VALUE_BYTES};
use crate::extract::arena::NodeRef;

/// How elements are found.
#[derive(Clone, Debug)]
pub(super) struct Finder {
    pub from: From,
    /// Only those whose text is so; of those in one another the innermost.
    pub text: Option<TextTest>,
    /// From each of them to others, one after the other.
    pub steps: Vec<Step>,
}

/// The elements that are looked at first.
#[derive(Clone, Debug)]
pub(super) enum From {
    Css(Selector),
    XPath(XPath),
}

/// What the text of an element is to be.
#[derive(Clone, Debug)]
pub(super) enum TextTest {
    /// Contains this, in lower case, white space folded.
    Contains { written: String, folded: String },
    /// Fits `/…/`.
    Fits(Regex),
}

/// A step from an element to others.
#[derive(Clone, Debug)]
pub(super) struct Step {
    way: Way,
    selector: Option<Selector>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Next,
    Previous,
    Parent,
    Inside,
}

const WAYS: [(&str, Way); 4] =
    [("next", Way::Next), ("previous", Way::Previous), ("parent", Way::Parent), ("inside", Way::Inside)];

impl Finder {
    /// Whether it may find elements.
    pub fn finds_elements(&self) -> bool {
        match &self.from {
            From::XPath(xpath) => xpath.finds_elements(),
            From::Css(_) => true,
        }
    }

    /// What it finds below `scope`, or on the page, shown one by one to `take` until it has enough. `None`: told to
    /// stop.
    pub fn find<'d>(
        &self,
        dom: &'d Dom<'_>,
        scope: Option<Index>,
        budget: &Budget<'_>,
        take: &mut dyn FnMut(Hit<'d>) -> Option<bool>,
    ) -> Option<()> {
        if let (From::XPath(xpath), None, []) = (&self.from, &self.text, self.steps.as_slice()) {
            return xpath.find(dom, scope, budget, take);
        }
        for index in self.walked(dom, self.with_text(dom, self.first(dom, scope, budget)?, budget)?, budget)? {
            if !take(Hit::Element(index))? {
                break;
            }
        }
        Some(())
    }

    /// The first `limit` elements.
    pub fn elements(
        &self,
        dom: &Dom<'_>,
        scope: Option<Index>,
        limit: usize,
        budget: &Budget<'_>,
    ) -> Option<Vec<Index>> {
        let mut found = Vec::new();
        self.find(dom, scope, budget, &mut |hit| {
            if let Hit::Element(index) = hit {
                found.push(index);
            }
            Some(found.len() < limit)
        })?;
        Some(found)
    }

    /// The elements before anything is said of their text.
    pub fn first(&self, dom: &Dom<'_>, scope: Option<Index>, budget: &Budget<'_>) -> Option<Vec<Index>> {
        let mut found = Vec::new();
        match &self.from {
            From::Css(selector) => return dom.select(selector, scope, usize::MAX, budget),
            From::XPath(xpath) => xpath.find(dom, scope, budget, &mut |hit| {
                found.extend(if let Hit::Element(index) = hit { Some(index) } else { None });
                Some(true)
            })?,
        }
        Some(found)
    }

    /// Those with the text.
    pub fn with_text(&self, dom: &Dom<'_>, elements: Vec<Index>, budget: &Budget<'_>) -> Option<Vec<Index>> {
        let Some(test) = &self.text else { return Some(elements) };
        let mut kept: Vec<Index> = Vec::new();
        for index in elements {
            let text = dom.text(index, false, true, MAX_VALUE_BYTES, budget)?;
            budget.spend(1 + text.len() / 8)?;
            if test.is_of(&text) {
                // What is around it has its text too.
                while kept.last().is_some_and(|last| dom.end(*last) > index) {
                    kept.pop();
                }
                kept.push(index);
            }
        }
        Some(kept)
    }

    /// Where the steps lead from there.
    fn walked(&self, dom: &Dom<'_>, mut elements: Vec<Index>, budget: &Budget<'_>) -> Option<Vec<Index>> {
        for step in &self.steps {
            let mut seen = HashSet::new();
            let mut next = Vec::new();
            for index in elements {
                next.extend(step.from(dom, index, budget)?.into_iter().filter(|index| seen.insert(*index)));
            }
            elements = next;
        }
        Some(elements)
    }
}

impl TextTest {
    /// What `text = "…"` says: a text, or between slashes a pattern.
    pub fn pattern(text: &str) -> Option<(&str, usize)> {
        let inner = text.strip_prefix('/')?.strip_suffix('/')?;
        (!inner.is_empty()).then_some((inner, 1))
    }

    /// Contains this text.
    pub fn contains(text: &str) -> Self {
        let words: Vec<_> = text.split_whitespace().collect();
        Self::Contains { written: text.to_owned(), folded: words.join(" ").to_lowercase() }
    }

    fn is_of(&self, text: &str) -> bool {
        match self {
            Self::Contains { folded, .. } => text.to_lowercase().contains(folded.as_str()),
            Self::Fits(regex) => regex.is_match(text),
        }
    }
}

impl Step {
    /// `next`, `next td`, `parent .row`, `inside b`.
    ///
    /// # Errors
    /// The place of the mistake, and what it is.
    pub fn parse(text: &str) -> Result<Self, (Range<usize>, String)> {
        let start = text.len() - text.trim_start().len();
        let word = text[start..].split_whitespace().next().unwrap_or_default();
        let end = start + word.len();
        let Some((_, way)) = WAYS.iter().find(|(name, _)| *name == word) else {
            let message = format!("unknown step `{word}`; {}", allowed(word, &WAYS.map(|(name, _)| name)));
            return Err((start..end, message));
        };
        let rest = &text[end..];
        let at = end + rest.len() - rest.trim_start().len();
        let selector = match rest.trim() {
            "" if *way == Way::Inside => {
                return Err((start..end, "`inside` needs a selector: \"inside td\"".to_owned()));
            }
            "" => None,
            css => Some(Selector::parse(css).map_err(|error| (at + error.at..at + error.at + 1, error.message))?),
        };
        Ok(Self { way: *way, selector })
    }

    fn from(&self, dom: &Dom<'_>, index: Index, budget: &Budget<'_>) -> Option<Vec<Index>> {
        let Some(element) = dom.element(index) else { return Some(Vec::new()) };
        if let (Way::Inside, Some(selector)) = (self.way, &self.selector) {
            return dom.select(selector, Some(index), usize::MAX, budget);
        }
        let forward = |node: NodeRef<'_>| node.next_sibling().map(|node| node.id());
        let backward = |node: NodeRef<'_>| node.previous_sibling().map(|node| node.id());
        let upward = |node: NodeRef<'_>| node.parent().map(|node| node.id());
        let tree = dom.tree();
        let mut caches = SelectorCaches::default();
        let mut context = Selector::context(Some(element), &mut caches);
        let mut at = *element;
        loop {
            budget.spend(1)?;
            let next = match self.way {
                Way::Next => forward(at),
                Way::Previous => backward(at),
                Way::Parent | Way::Inside => upward(at),
            };
            let Some(node) = next.and_then(|id| tree.get(id)) else { return Some(Vec::new()) };
            at = node;
            let Some(found) = node.as_element() else { continue };
            let is_it = match &self.selector {
                Some(selector) => selector.matches(found, &mut context, budget)?,
                None => true,
            };
            if is_it {
                return Some(vec![found.id().index()]);
            }
        }
    }
}

impl fmt::Display for Finder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.from {
            From::Css(selector) => write!(f, "css {selector}")?,
            From::XPath(xpath) => write!(f, "xpath {xpath}")?,
        }
        match &self.text {
            Some(TextTest::Contains { written, .. }) => write!(f, ", text {written}")?,
            Some(TextTest::Fits(regex)) => write!(f, ", text /{regex}/")?,
            None => {}
        }
        for step in &self.steps {
            write!(f, ", step {step}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, _) = WAYS.iter().find(|(_, way)| *way == self.way).unwrap_or(&WAYS[0]);
        f.write_str(name)?;
        self.selector.as_ref().map_or(Ok(()), |selector| write!(f, " {selector}"))
    }
}
