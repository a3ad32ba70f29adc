//! A page as a tree, for what cannot do without one; bounded in nodes, and given up when told to.
//!
//! The parser is html5ever's. A page can make it do work that grows with the square of its length (deep nesting, endless
//! attributes) or build a tree far larger than itself (formatting elements that each paragraph opens again), so it is
//! fed piece by piece, and a tree that is large enough takes no more tokens.

use std::cell::Cell;

use html5ever::TokenizerResult;
use html5ever::buffer_queue::BufferQueue;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use html5ever::tree_builder::{TreeBuilder, TreeBuilderOpts, TreeSink};
use scraper::{Html, HtmlTreeSink};

use super::text::boundary;

/// Most nodes of a tree that is made once and asked once, give or take those of one tag. About 200 bytes each.
pub const MAX_NODES: usize = 1_000_000;

/// Fed to the tokenizer at once: the most that a single token can add before `keep_going` is asked again.
const PIECE_BYTES: usize = 16 * 1024;

/// Tokens for the tree between two questions.
const TOKENS_PER_QUESTION: u32 = 64;

/// How a document is read.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Whether it is read as a browser with scripts does: then the inside of `<noscript>` is no element.
    pub scripting: bool,
    /// Most nodes; what the page has beyond is not there.
    pub max_nodes: usize,
}

/// The tree of a document as a browser reads it, of at most [`MAX_NODES`]. `keep_going` is asked after every few
/// tokens: `None` as soon as it says no.
pub fn parse(html: &str, keep_going: &dyn Fn() -> bool) -> Option<Html> {
    let reading = Reading { scripting: true, max_nodes: MAX_NODES };
    parse_as(html, reading, keep_going).map(|(tree, _)| tree)
}

/// The tree of a document, and whether its end is missing.
pub fn parse_as(html: &str, reading: Reading, keep_going: &dyn Fn() -> bool) -> Option<(Html, bool)> {
    let options = TreeBuilderOpts { scripting_enabled: reading.scripting, ..TreeBuilderOpts::default() };
    let builder = TreeBuilder::new(HtmlTreeSink::new(Html::new_document()), options);
    let sink = Bounded {
        builder,
        keep_going,
        max_nodes: reading.max_nodes,
        tokens: Cell::new(0),
        stopped: Cell::new(false),
        full: Cell::new(false),
    };
    let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
    let pieces = BufferQueue::default();
    let mut rest = html;
    while !rest.is_empty() && !tokenizer.sink.full.get() {
        let (piece, after) = rest.split_at(boundary(rest, PIECE_BYTES));
        rest = after;
        pieces.push_back(StrTendril::from_slice(piece));
        while !matches!(tokenizer.feed(&pieces), TokenizerResult::Done) {}
        if !tokenizer.sink.goes_on() {
            return None;
        }
    }
    tokenizer.end();
    let sink = tokenizer.sink;
    (!sink.stopped.get()).then(|| (sink.builder.sink.finish(), sink.full.get()))
}

/// The tree builder for as long as it may go on; then a sink that swallows.
struct Bounded<'k> {
    builder: TreeBuilder<<HtmlTreeSink as TreeSink>::Handle, HtmlTreeSink>,
    keep_going: &'k dyn Fn() -> bool,
    max_nodes: usize,
    tokens: Cell<u32>,
    stopped: Cell<bool>,
    full: Cell<bool>,
}

impl Bounded<'_> {
    fn goes_on(&self) -> bool {
        if !self.stopped.get() && !(self.keep_going)() {
            self.stopped.set(true);
        }
        !self.stopped.get()
    }
}

impl TokenSink for Bounded<'_> {
    type Handle = <HtmlTreeSink as TreeSink>::Handle;

    fn process_token(&self, token: Token, line_number: u64) -> TokenSinkResult<Self::Handle> {
        // Errors are kept by nobody here, and the end is what makes the builder finish.
        if matches!(token, Token::ParseError(_)) {
            return TokenSinkResult::Continue;
        }
        self.tokens.set(self.tokens.get().wrapping_add(1));
        if self.tokens.get().is_multiple_of(TOKENS_PER_QUESTION) {
            self.goes_on();
        }
        if self.builder.sink.0.borrow().tree.values().len() >= self.max_nodes {
            self.full.set(true);
        }
        if self.stopped.get() || self.full.get() && !matches!(token, Token::EOFToken) {
            return TokenSinkResult::Continue;
        }
        self.builder.process_token(token, line_number)
    }

    fn end(&self) {
        self.builder.end();
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&self) -> bool {
        self.builder.adjusted_current_node_present_but_not_in_html_namespace()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_tree_is_the_same_in_pieces_as_at_once() {
        let body = "<p>ä<table><tr><td>x</table><script>if (a < b) { '<p>' }</script><b><p>€</b>".repeat(2000);
        let page = format!("<!doctype html><title>t</title><body>{body}<plaintext></p>");
        let whole = Html::parse_document(&page);
        let tree = parse(&page, &|| true).expect("nobody stopped it");
        assert_eq!(tree.html(), whole.html());
        assert_eq!(tree.quirks_mode, whole.quirks_mode);
    }

    #[test]
    fn pages_whose_trees_cost_too_much_are_given_up_soon() {
        let attributes: String = (0..300_000).map(|n| format!(" a{n}=1")).collect();
        let formatting: String = (0..100_000).map(|n| format!("<b c={n}>")).collect();
        for (name, page) in [
            ("nested", "<div>".repeat(5_000_000)),
            ("attributes", format!("<p{attributes}>")),
            ("formatting", format!("<p>{formatting}{}", "<p>x".repeat(500_000))),
            ("anchors", "<a href=x><table>".repeat(500_000)),
        ] {
            let begun = Instant::now();
            parse(&page, &|| begun.elapsed() < Duration::from_millis(200));
            assert!(begun.elapsed() < Duration::from_secs(5), "{name} took {:?}", begun.elapsed());
        }
    }

    #[test]
    fn a_tree_stops_growing() {
        let formatting: String = (0..20).map(|n| format!("<b c={n}>")).collect();
        let page = format!("<p>{formatting}{}", "<p>x".repeat(100_000));
        let tree = parse(&page, &|| true).expect("nobody stopped it");
        let nodes = tree.tree.values().len();
        assert!((MAX_NODES..MAX_NODES + 100).contains(&nodes), "{nodes}");
    }

    #[test]
    fn told_to_stop_there_is_no_tree() {
        assert!(parse("<p>x", &|| false).is_none());
        assert!(parse("", &|| true).is_some());
    }
}
