//! CSS selectors: compiled, and where a broken one breaks.
//!
//! One element may make a match look at all others (`:has()`, `~`, `* * *`), so each step from element to element is
//! work for the [`Budget`]; when that is spent, there is nowhere left to go and the match ends.

use std::fmt;

use html5ever::{Namespace, ns};
use scraper::selector::{CssLocalName, CssString, NonTSPseudoClass, Parser, PseudoElement, Simple};
use selectors::attr::{AttrSelectorOperation, CaseSensitivity, NamespaceConstraint};
use selectors::bloom::BloomFilter;
use selectors::context::{
    MatchingContext, MatchingForInvalidation, MatchingMode, NeedsSelectorFlags, QuirksMode, SelectorCaches,
};
use selectors::matching::{ElementSelectorFlags, matches_selector_list};
use selectors::parser::{Component, ParseRelative, SelectorList};
use selectors::{Element, OpaqueElement};

use super::Budget;
use super::lists::Key;
use crate::extract::arena::{self, NodeRef};
use crate::extract::tags::{Name, Tag};

/// A compiled selector, or several with commas between them.
#[derive(Clone, Debug)]
pub struct Selector {
    text: String,
    list: SelectorList<Simple>,
    /// Of each alternative, what all elements have that it means.
    keys: Vec<Key>,
    /// It names the element that is searched, which then is itself a candidate.
    pub(super) names_scope: bool,
}

/// Why a text is no selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectorError {
    /// Byte of the text at which the mistake begins.
    pub at: usize,
    /// The mistake, for people.
    pub message: String,
}

impl Selector {
    /// Compiles a selector.
    ///
    /// # Errors
    /// [`SelectorError`]: it is not CSS, or only a browser could answer it (`:hover`, `::before`).
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        match SelectorList::parse(&Parser, &mut cssparser::Parser::new(text), ParseRelative::No) {
            Ok(list) => {
                let keys = list.slice().iter().map(|selector| key(selector.iter())).collect();
                Ok(Self { text: text.to_owned(), names_scope: text.contains(":scope"), keys, list })
            }
            Err(_) => Err(explained(text)),
        }
    }

    pub(super) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// For [`Selector::matches`]; `:scope` stands for `scope`, or else for the root.
    pub(super) fn context<'c>(
        scope: Option<arena::Element<'_>>,
        caches: &'c mut SelectorCaches,
    ) -> MatchingContext<'c, Simple> {
        let mut context = MatchingContext::new(
            MatchingMode::Normal,
            None,
            caches,
            QuirksMode::NoQuirks,
            NeedsSelectorFlags::No,
            MatchingForInvalidation::No,
        );
        context.scope_element = scope.map(|element| OpaqueElement::new(element.identity()));
        context
    }

    /// Whether `element` is one of those meant; `None`: told to stop.
    pub(super) fn matches(
        &self,
        element: arena::Element<'_>,
        context: &mut MatchingContext<'_, Simple>,
        budget: &Budget<'_>,
    ) -> Option<bool> {
        let is_meant = matches_selector_list(&self.list, &Watched { element, budget }, context);
        // Somebody who has run out of it has not seen all.
        (!budget.is_spent()).then_some(is_meant)
    }
}

/// An element from which each step to another is paid for.
#[derive(Clone)]
struct Watched<'d, 'b> {
    element: arena::Element<'d>,
    budget: &'b Budget<'b>,
}

impl fmt::Debug for Watched<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.element.name())
    }
}

impl<'d> Watched<'d, '_> {
    /// The first element among `node` and those that `next` leads to.
    fn first(&self, node: Option<NodeRef<'d>>, next: fn(NodeRef<'d>) -> Option<NodeRef<'d>>) -> Option<Self> {
        let mut at = node;
        while let Some(node) = at {
            self.budget.spend(1)?;
            if let Some(element) = node.as_element() {
                return Some(Self { element, ..*self });
            }
            at = next(node);
        }
        None
    }
}

/// What every element has that a selector means whose last steps, up to the next combinator, are `steps`.
fn key<'s>(steps: impl Iterator<Item = &'s Component<Simple>>) -> Key {
    let mut key = Key::Any;
    for step in steps {
        let found = match step {
            Component::ID(_) => return Key::Id,
            Component::LocalName(name) => {
                let (known, _) = Name::read(name.lower_name.0.as_bytes());
                let tag = if known.tag().name() == &*name.lower_name.0 { known.tag() } else { Tag::Unknown };
                if name.name == name.lower_name { Key::Tag(tag) } else { Key::TagOrUnknown(tag) }
            }
            Component::Class(_) => Key::Class,
            Component::AttributeInNoNamespaceExists { .. }
            | Component::AttributeInNoNamespace { .. }
            | Component::AttributeOther(_) => Key::Attribute,
            _ => Key::Any,
        };
        key = match (key, found) {
            (key @ (Key::Tag(_) | Key::TagOrUnknown(_)), _) => key,
            (_, found @ (Key::Tag(_) | Key::TagOrUnknown(_) | Key::Class)) => found,
            (Key::Any, found) => found,
            (key, _) => key,
        };
    }
    key
}

/// As `scraper` has it for its own elements, but for the budget.
impl Element for Watched<'_, '_> {
    type Impl = Simple;

    fn opaque(&self) -> OpaqueElement {
        OpaqueElement::new(self.element.identity())
    }

    fn parent_element(&self) -> Option<Self> {
        self.budget.spend(1)?;
        Some(Self { element: self.element.parent_element()?, ..*self })
    }

    fn prev_sibling_element(&self) -> Option<Self> {
        self.first(self.element.previous_sibling(), NodeRef::previous_sibling)
    }

    fn next_sibling_element(&self) -> Option<Self> {
        self.first(self.element.next_sibling(), NodeRef::next_sibling)
    }

    fn first_element_child(&self) -> Option<Self> {
        self.first(self.element.first_child(), NodeRef::next_sibling)
    }

    fn is_same_type(&self, other: &Self) -> bool {
        self.element.name() == other.element.name() && self.element.namespace() == other.element.namespace()
    }

    fn is_html_element_in_html_document(&self) -> bool {
        self.element.is_html()
    }

    #[inline]
    fn has_local_name(&self, name: &CssLocalName) -> bool {
        self.element.name() == &*name.0
    }

    fn has_namespace(&self, namespace: &Namespace) -> bool {
        *namespace
            == match self.element.namespace() {
                arena::Namespace::Html => ns!(html),
                arena::Namespace::Svg => ns!(svg),
                arena::Namespace::MathMl => ns!(mathml),
                arena::Namespace::None => ns!(),
            }
    }

    fn attr_matches(
        &self,
        namespace: &NamespaceConstraint<&Namespace>,
        name: &CssLocalName,
        operation: &AttrSelectorOperation<&CssString>,
    ) -> bool {
        let value = self.element.attr(&name.0);
        self.budget.spend((self.element.attributes().len() + value.map_or(0, str::len)) / 16);
        !matches!(namespace, NamespaceConstraint::Specific(url) if **url != ns!())
            && value.is_some_and(|value| operation.eval_str(value))
    }

    fn has_id(&self, id: &CssLocalName, case_sensitivity: CaseSensitivity) -> bool {
        self.element.id_attr().is_some_and(|own| case_sensitivity.eq(own.as_bytes(), id.0.as_bytes()))
    }

    fn has_class(&self, name: &CssLocalName, case_sensitivity: CaseSensitivity) -> bool {
        let Some(classes) = self.element.attr("class") else { return false };
        self.budget.spend(classes.len() / 32);
        // What is shorter cannot hold it.
        classes.len() >= name.0.len()
            && classes.split_ascii_whitespace().any(|class| case_sensitivity.eq(class.as_bytes(), name.0.as_bytes()))
    }

    fn is_empty(&self) -> bool {
        // Only comments may stand in it, of which there may be many.
        for child in self.element.children() {
            if self.budget.spend(1).is_none() || child.is_element() || child.is_text() {
                return false;
            }
        }
        true
    }

    fn is_root(&self) -> bool {
        self.element.parent().is_some_and(|parent| parent.id() == arena::NodeId::DOCUMENT)
    }

    fn is_link(&self) -> bool {
        self.element.name() == "link"
    }

    fn is_html_slot_element(&self) -> bool {
        true
    }

    // Nothing of the following is there in a tree that is only read.

    fn parent_node_is_shadow_root(&self) -> bool {
        false
    }

    fn containing_shadow_host(&self) -> Option<Self> {
        None
    }

    fn is_pseudo_element(&self) -> bool {
        false
    }

    fn is_part(&self, _: &CssLocalName) -> bool {
        false
    }

    fn imported_part(&self, _: &CssLocalName) -> Option<CssLocalName> {
        None
    }

    fn match_non_ts_pseudo_class(&self, _: &NonTSPseudoClass, _: &mut MatchingContext<'_, Simple>) -> bool {
        false
    }

    fn match_pseudo_element(&self, _: &PseudoElement, _: &mut MatchingContext<'_, Simple>) -> bool {
        false
    }

    fn has_custom_state(&self, _: &CssLocalName) -> bool {
        false
    }

    fn apply_selector_flags(&self, _: ElementSelectorFlags) {}

    fn add_element_unique_hashes(&self, _: &mut BloomFilter) -> bool {
        false
    }
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// The mistake stands behind the longest beginning that is a selector.
fn explained(text: &str) -> SelectorError {
    let is_selector =
        |part: &str| SelectorList::parse(&Parser, &mut cssparser::Parser::new(part), ParseRelative::No).is_ok();
    let good = text.char_indices().map(|(at, _)| at).rev().find(|&at| is_selector(&text[..at])).unwrap_or(0);
    let rest = &text[good..];
    let at = good + rest.len() - rest.trim_start().len();
    let rest = rest.trim_start();
    let message = if text.trim().is_empty() {
        "a selector is missing".to_owned()
    } else if rest.is_empty() {
        "the selector is not finished".to_owned()
    } else if rest.starts_with("::") {
        "there are no pseudo-elements here; for attributes say `attr = \"…\"`, for the text nothing".to_owned()
    } else if rest.starts_with(':') {
        "no such pseudo-class here; there are :first-child, :last-child, :only-child, :nth-child(), :nth-of-type() and \
         their like, :not(), :is(), :where(), :has(), :empty, :root, :scope"
            .to_owned()
    } else if rest.starts_with('[') {
        "expected [name], [name=\"value\"] or ~= |= ^= $= *= in place of =".to_owned()
    } else if rest.starts_with(['>', '+', '~', ',']) {
        format!("`{}` stands between two selectors", &rest[..1])
    } else {
        "expected a selector such as `div.price > b`, `#main a[href]`".to_owned()
    };
    SelectorError { at, message }
}

/// Selectors that ask for less than `text` does, those first that ask for most of it: without simple selectors at its
/// end, or without steps at its start.
pub(super) fn parts(text: &str) -> Vec<String> {
    /// Of a person's selector there are a few.
    const MAX_PARTS: usize = 40;
    let mut parts = Vec::new();
    let mut depth = 0_usize;
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open && before != '\\' => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '(') if depth > 0 || c == '(' => depth += 1,
            (None, ']' | ')') => depth = depth.saturating_sub(1),
            (None, _) if depth > 0 => {}
            (None, '.' | '#' | ':' | '[') if before != '\\' => {
                parts.push(&text[..at]);
                depth += usize::from(c == '[');
            }
            (None, c) if c.is_whitespace() || matches!(c, '>' | '+' | '~' | ',') => {
                parts.push(&text[..at]);
                parts.push(&text[at + c.len_utf8()..]);
            }
            _ => {}
        }
        before = c;
    }
    let is_edge = |c: char| c.is_whitespace() || matches!(c, '>' | '+' | '~' | ',');
    let mut parts: Vec<_> = parts.into_iter().map(|part| part.trim_matches(is_edge).to_owned()).collect();
    parts.retain(|part| !part.is_empty() && part != text.trim());
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    parts.dedup();
    parts.truncate(MAX_PARTS);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_ask_for_less_and_less() {
        assert_eq!(parts("div.product > h1.titel"), ["div.product > h1", "div.product", "h1.titel", "div"]);
        assert_eq!(parts("a[href^=\"x.y\"]:not(.b c) d"), ["a[href^=\"x.y\"]:not(.b c)", "a[href^=\"x.y\"]", "a", "d"]);
        assert!(parts("h1").is_empty() && parts("").is_empty());
    }

    #[test]
    fn a_mistake_is_shown_where_it_is() {
        for (text, at, word) in [
            ("", 0, "missing"),
            ("h1[", 2, "[name]"),
            ("div..x", 3, "expected"),
            ("a, p:hover", 4, ":nth-child"),
            ("img::attr(src)", 3, "attr ="),
            ("a > > b", 2, "between"),
            ("a >", 2, "between"),
            ("ä b!c", 4, "expected"),
        ] {
            let error = Selector::parse(text).expect_err(text);
            assert_eq!(error.at, at, "{text}: {error:?}");
            assert!(error.message.contains(word), "{text}: {error:?}");
        }
    }
}
