//! CSS selectors: compiled, and where a broken one breaks.

use scraper::ElementRef;
use scraper::selector::{Parser, Simple};
use selectors::Element;
use selectors::context::{
    MatchingContext, MatchingForInvalidation, MatchingMode, NeedsSelectorFlags, QuirksMode, SelectorCaches,
};
use selectors::matching::matches_selector_list;
use selectors::parser::{ParseRelative, SelectorList};

/// A compiled selector, or several with commas between them.
#[derive(Clone, Debug)]
pub struct Selector {
    text: String,
    list: SelectorList<Simple>,
    /// Elements may be looked at that are not above the one in question: see [`super::dom::Dom::select`].
    pub(super) is_costly: bool,
    /// It names the element that is searched, which then is itself a candidate.
    pub(super) names_scope: bool,
}

/// Why a text is no selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectorError {
    /// Byte of the text from which on it is none.
    pub at: usize,
    /// What is wrong.
    pub message: String,
}

impl Selector {
    /// Compiles a selector.
    ///
    /// # Errors
    /// [`SelectorError`]: it is none, or one that no page without a browser can answer (`:hover`, `::before`).
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        match SelectorList::parse(&Parser, &mut cssparser::Parser::new(text), ParseRelative::No) {
            Ok(list) => Ok(Self {
                text: text.to_owned(),
                is_costly: is_costly(text),
                names_scope: text.contains(":scope"),
                list,
            }),
            Err(_) => Err(explained(text)),
        }
    }

    /// For [`Selector::matches`]; `:scope` stands for `scope`, or else for the root.
    pub(super) fn context<'c>(
        scope: Option<ElementRef<'_>>,
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
        context.scope_element = scope.map(|element| element.opaque());
        context
    }

    /// Whether `element` is one of those meant.
    pub(super) fn matches(&self, element: &ElementRef<'_>, context: &mut MatchingContext<'_, Simple>) -> bool {
        matches_selector_list(&self.list, element, context)
    }
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether a match may have to look at all siblings, or at all that is below.
fn is_costly(text: &str) -> bool {
    let parts = [":has", ":nth-last", ":last-of", ":only-of"];
    parts.iter().any(|part| text.contains(part)) || text.replace("~=", "").contains('~')
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
