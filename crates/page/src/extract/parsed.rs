//! A page that is asked for several things: decoded once, and one tree for all of them.

use std::borrow::Cow;
use std::cell::OnceCell;

use encoding_rs::Encoding;

use super::arena;
use super::charset;
use super::rules::dom::Dom;

/// The body of a page, decompressed, and what was made of it: nothing until somebody asks.
pub struct Parsed<'b> {
    body: &'b [u8],
    content_type: Option<&'b [u8]>,
    text: OnceCell<(Cow<'b, str>, &'static Encoding)>,
    dom: OnceCell<Dom<'b>>,
}

impl<'b> Parsed<'b> {
    /// A page of which nothing is known yet; `content_type` is the header's value, if there was one.
    pub fn new(body: &'b [u8], content_type: Option<&'b [u8]>) -> Self {
        Self { body, content_type, text: OnceCell::new(), dom: OnceCell::new() }
    }

    /// The body, as it came.
    pub fn body(&self) -> &'b [u8] {
        self.body
    }

    /// The header `Content-Type`.
    pub fn content_type(&self) -> Option<&'b [u8]> {
        self.content_type
    }

    /// The text of the page, and the charset it was in.
    pub fn text(&self) -> (&str, &'static Encoding) {
        let (text, charset) = self.text.get_or_init(|| charset::decode(self.body, self.content_type));
        (text, charset)
    }

    /// The tree, read as HTML. `None`: told to stop by `keep_going`, which is asked after every few tokens.
    pub fn dom(&self, keep_going: &dyn Fn() -> bool) -> Option<&Dom<'b>> {
        if self.dom.get().is_none() {
            let (text, _) = self.text.get_or_init(|| charset::decode(self.body, self.content_type));
            let text = match text {
                Cow::Borrowed(text) => Cow::Borrowed(*text),
                // Such a page is held twice as long as it has a tree: few are not UTF-8.
                Cow::Owned(text) => Cow::Owned(text.clone()),
            };
            let _ = self.dom.set(Dom::of(arena::parse(text, arena::MAX_NODES, keep_going)?));
        }
        self.dom.get()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_page_is_parsed_once_and_not_before_somebody_asks() {
        let body = b"<p>\xE4<b>x</b>".repeat(1000);
        let page = Parsed::new(&body, Some(b"text/html; charset=iso-8859-1"));
        let asked = Cell::new(0);
        let count = || {
            asked.set(asked.get() + 1);
            true
        };
        assert_eq!(page.dom(&|| false).map(Dom::len), None, "told to stop");
        let nodes = page.dom(&count).map(Dom::len);
        let questions = asked.get();
        assert!(nodes.is_some_and(|nodes| nodes > 4000) && questions > 10, "{nodes:?} {questions}");
        assert_eq!((page.dom(&count).map(Dom::len), asked.get()), (nodes, questions));
        assert!(page.text().0.starts_with("<p>ä"));
    }
}
