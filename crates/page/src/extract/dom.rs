//! A page as a tree, for what cannot do without one; bounded in nodes and depth, and given up when told to.
//!
//! The parser is html5ever's. A page can make it do work that grows with the square of its length (deep nesting, endless
//! attributes) or build a tree far larger than itself (formatting elements that each paragraph opens again), so it is
//! fed piece by piece, a tree that is large enough takes no more tokens, and nesting ends at [`MAX_DEPTH`] as it does in
//! browsers: what would be deeper becomes a sibling. So whatever walks the tree may recurse.

use std::borrow::Cow;
use std::cell::{Cell, Ref};

use ego_tree::NodeId;
use ego_tree::iter::Edge;
use html5ever::buffer_queue::BufferQueue;
use html5ever::interface::Tracer;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use html5ever::tree_builder::{ElementFlags, NodeOrText, QuirksMode, TreeBuilder, TreeBuilderOpts, TreeSink};
use html5ever::{Attribute, LocalName, QualName, TokenizerResult, ns};
use scraper::{ElementRef, Html, HtmlTreeSink, Node};

pub use super::stack::MAX_DEPTH;
use super::text::boundary;

/// Most nodes and attributes of a tree that is made once and asked once, give or take those of one tag. About 200 bytes
/// each.
pub const MAX_NODES: usize = 1_000_000;

/// Attributes kept of one element; further ones are passed over.
pub const MAX_ATTRIBUTES: usize = super::tokenize::MAX_ATTRIBUTES;

/// Fed to the tokenizer at once: the most that a single token can add before `keep_going` is asked again.
const PIECE_BYTES: usize = 4 * 1024;

/// Tokens for the tree between two questions.
const TOKENS_PER_QUESTION: u32 = 16;

/// How a document is read.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Whether it is read as a browser with scripts does: then the inside of `<noscript>` is no element.
    pub scripting: bool,
    /// Most nodes and attributes; what the page has beyond is not there.
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
    let growing =
        Growing { tree: HtmlTreeSink::new(Html::new_document()), attributes: Cell::new(0), asked: Cell::new(None) };
    let sink = Bounded {
        builder: TreeBuilder::new(growing, options),
        keep_going,
        max_nodes: reading.max_nodes,
        tokens: Cell::new(0),
        shallow_up_to: Cell::new(0),
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
    if sink.stopped.get() {
        return None;
    }
    let mut html = sink.builder.sink.finish();
    flatten(&mut html);
    Some((html, sink.full.get()))
}

/// The `href` of an element that is a `<base>` of the document: not of SVG, not in a template.
pub(super) fn base_href<'e>(element: &ElementRef<'e>) -> Option<&'e str> {
    let href = element.attr("href").filter(|_| element.value().name() == "base")?;
    is_of_document(element).then_some(href)
}

/// Whether an element is of the document itself: not in a template, whose contents are apart, and not of SVG or MathML.
pub(super) fn is_of_document(element: &ElementRef<'_>) -> bool {
    let is_foreign = matches!(element.value().name.ns, ns!(svg) | ns!(mathml));
    !is_foreign && !element.ancestors().any(|node| node.value().is_fragment())
}

/// Lifts elements that are deeper than [`MAX_DEPTH`]: they follow the element they were in. The builder keeps nesting
/// to about that already; but it copies formatting elements, and does not count all as open that others are in.
fn flatten(html: &mut Html) {
    let mut level = 0;
    let mut deepest = Vec::new();
    for edge in html.tree.root().traverse() {
        match edge {
            Edge::Open(node) => {
                if level == MAX_DEPTH && node.has_children() {
                    deepest.push(node.id());
                }
                level += 1;
            }
            Edge::Close(_) => level -= 1,
        }
    }
    for mut place in deepest {
        let Some(node) = html.tree.get(place) else { continue };
        let below = node.descendants().skip(1).filter(|node| node.value().is_element());
        for lifted in below.map(|node| node.id()).collect::<Vec<_>>() {
            if let Some(mut node) = html.tree.get_mut(place) {
                node.insert_id_after(lifted);
                place = lifted;
            }
        }
    }
}

/// The tree builder for as long as it may go on; then a sink that swallows.
struct Bounded<'k> {
    builder: TreeBuilder<NodeId, Growing>,
    keep_going: &'k dyn Fn() -> bool,
    max_nodes: usize,
    tokens: Cell<u32>,
    /// As long as the tree has no more nodes than this, nesting cannot have come to its end.
    shallow_up_to: Cell<usize>,
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

    /// Ends the innermost element if one more would be too deep in it. `false`: it cannot be ended.
    fn make_room(&self, line_number: u64) -> bool {
        let mut before = usize::MAX;
        while self.builder.sink.nodes() >= self.shallow_up_to.get() {
            // It asks for the name of the current node, which is not to be had in another way.
            self.builder.sink.asked.set(None);
            self.builder.adjusted_current_node_present_but_not_in_html_namespace();
            let Some(current) = self.builder.sink.asked.get() else { return true };
            let held = Counter::default();
            self.builder.trace_handles(&held);
            let held = held.0.get();
            let (depth, name) = self.builder.sink.depth_and_name(current);
            // A new node may be open, and to be opened again.
            let room = MAX_DEPTH.saturating_sub(depth).min((2 * MAX_DEPTH).saturating_sub(held) / 2);
            if room > 0 {
                self.shallow_up_to.set(self.builder.sink.nodes() + room);
                return true;
            }
            let Some(name) = name.filter(|name| held < before && !matches!(&**name, "html" | "head" | "body")) else {
                return false;
            };
            before = held;
            let end = Tag {
                kind: TagKind::EndTag,
                name: LocalName::from(name.to_ascii_lowercase()),
                self_closing: false,
                attrs: Vec::new(),
                had_duplicate_attributes: false,
            };
            let _ = self.builder.process_token(Token::TagToken(end), line_number);
        }
        true
    }
}

impl TokenSink for Bounded<'_> {
    type Handle = NodeId;

    fn process_token(&self, mut token: Token, line_number: u64) -> TokenSinkResult<Self::Handle> {
        // Parse errors are not kept; the end of the document makes the builder finish.
        if matches!(token, Token::ParseError(_)) {
            return TokenSinkResult::Continue;
        }
        self.tokens.set(self.tokens.get().wrapping_add(1));
        if self.tokens.get().is_multiple_of(TOKENS_PER_QUESTION) {
            self.goes_on();
        }
        if self.builder.sink.nodes() + self.builder.sink.attributes.get() >= self.max_nodes {
            self.full.set(true);
        }
        if self.stopped.get() || self.full.get() && !matches!(token, Token::EOFToken) {
            return TokenSinkResult::Continue;
        }
        if let Token::TagToken(tag) = &mut token
            && tag.kind == TagKind::StartTag
        {
            tag.attrs.truncate(MAX_ATTRIBUTES);
            if !self.make_room(line_number) {
                return TokenSinkResult::Continue;
            }
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

/// Counts what the builder holds: open elements, formatting elements to be opened again, and up to four more.
#[derive(Default)]
struct Counter(Cell<usize>);

impl Tracer for Counter {
    type Handle = NodeId;

    fn trace_handle(&self, _: &NodeId) {
        self.0.set(self.0.get() + 1);
    }
}

/// `scraper`'s tree while it grows, with an eye on how large it is.
struct Growing {
    tree: HtmlTreeSink,
    /// Attributes of all its elements.
    attributes: Cell<usize>,
    /// The element whose name was asked for last.
    asked: Cell<Option<NodeId>>,
}

impl Growing {
    fn nodes(&self) -> usize {
        self.tree.0.borrow().tree.values().len()
    }

    /// How deep in the tree an element is, and its name.
    fn depth_and_name(&self, id: NodeId) -> (usize, Option<LocalName>) {
        let html = self.tree.0.borrow();
        let Some(node) = html.tree.get(id) else { return (0, None) };
        (node.ancestors().count(), node.value().as_element().map(|element| element.name.local.clone()))
    }
}

impl TreeSink for Growing {
    type Handle = NodeId;
    type Output = Html;
    type ElemName<'a> = Ref<'a, QualName>;

    fn finish(self) -> Html {
        self.tree.finish()
    }

    fn parse_error(&self, _: Cow<'static, str>) {}

    fn get_document(&self) -> NodeId {
        self.tree.get_document()
    }

    fn elem_name<'a>(&'a self, target: &'a NodeId) -> Self::ElemName<'a> {
        self.asked.set(Some(*target));
        self.tree.elem_name(target)
    }

    fn create_element(&self, name: QualName, attributes: Vec<Attribute>, flags: ElementFlags) -> NodeId {
        self.attributes.set(self.attributes.get() + attributes.len());
        self.tree.create_element(name, attributes, flags)
    }

    fn create_comment(&self, text: StrTendril) -> NodeId {
        self.tree.create_comment(text)
    }

    fn create_pi(&self, target: StrTendril, data: StrTendril) -> NodeId {
        self.tree.create_pi(target, data)
    }

    fn append(&self, parent: &NodeId, child: NodeOrText<NodeId>) {
        self.tree.append(parent, child);
    }

    fn append_based_on_parent_node(&self, element: &NodeId, before: &NodeId, child: NodeOrText<NodeId>) {
        self.tree.append_based_on_parent_node(element, before, child);
    }

    fn append_doctype_to_document(&self, name: StrTendril, public_id: StrTendril, system_id: StrTendril) {
        self.tree.append_doctype_to_document(name, public_id, system_id);
    }

    fn get_template_contents(&self, target: &NodeId) -> NodeId {
        self.tree.get_template_contents(target)
    }

    fn same_node(&self, one: &NodeId, other: &NodeId) -> bool {
        one == other
    }

    fn set_quirks_mode(&self, mode: QuirksMode) {
        self.tree.set_quirks_mode(mode);
    }

    fn append_before_sibling(&self, sibling: &NodeId, new: NodeOrText<NodeId>) {
        self.tree.append_before_sibling(sibling, new);
    }

    /// Of a second `<html>` or `<body>`.
    fn add_attrs_if_missing(&self, target: &NodeId, mut attributes: Vec<Attribute>) {
        let has = match self.tree.0.borrow().tree.get(*target).map(|node| node.value()) {
            Some(Node::Element(element)) => element.attrs.len(),
            _ => return,
        };
        attributes.truncate(MAX_ATTRIBUTES.saturating_sub(has));
        self.tree.add_attrs_if_missing(target, attributes);
    }

    fn remove_from_parent(&self, target: &NodeId) {
        self.tree.remove_from_parent(target);
    }

    fn reparent_children(&self, node: &NodeId, new_parent: &NodeId) {
        self.tree.reparent_children(node, new_parent);
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
        let nodes: usize = tree.tree.values().map(|node| node.as_element().map_or(1, |e| 1 + e.attrs().count())).sum();
        assert!((MAX_NODES..MAX_NODES + 100).contains(&nodes), "{nodes}");
    }

    /// The deepest element of a tree; the root's is 1.
    fn depth(tree: &Html) -> usize {
        let (mut depth, mut deepest) = (0_usize, 0);
        for edge in tree.tree.root().traverse() {
            match edge {
                Edge::Open(node) if node.value().is_element() => {
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                Edge::Close(node) if node.value().is_element() => depth -= 1,
                _ => {}
            }
        }
        deepest
    }

    fn names(tree: &Html) -> Vec<&str> {
        let elements = tree.tree.root().descendants().filter_map(|node| node.value().as_element());
        elements.map(|element| element.name()).collect()
    }

    #[test]
    fn nesting_ends_where_browsers_end_it_and_what_is_deeper_follows() {
        // <html>, <body> and 510 more are the 512 that nest.
        let page = |divs: usize| format!("{}<p>x<p>y", "<div>".repeat(divs));
        let tree = parse(&page(509), &|| true).expect("nobody stopped it");
        assert_eq!((depth(&tree), tree.html()), (MAX_DEPTH, Html::parse_document(&page(509)).html()));
        let tree = parse(&page(2000), &|| true).expect("nobody stopped it");
        assert_eq!(depth(&tree), MAX_DEPTH);
        let elements = names(&tree);
        assert_eq!(elements.iter().filter(|name| **name == "div").count(), 2000, "no element is lost");
        assert_eq!(elements.iter().filter(|name| **name == "p").count(), 2);
        let text: String = tree.tree.values().filter_map(|node| node.as_text()).map(|text| &**text).collect();
        assert_eq!(text, "xy");
    }

    #[test]
    fn whatever_the_nesting_is_made_of_it_ends() {
        let attributes: String = (0..20).map(|n| format!("<b c={n}><i><div>")).collect();
        for (name, page) in [
            ("anchors", "<a><b><i><div>".repeat(1000)),
            ("misnested", format!("{}{}{}", "<b><div>".repeat(700), "</b>".repeat(700), "<b><div>".repeat(700))),
            ("wrapped", format!("{attributes}{}{}", "</b>".repeat(20), "<div>x</i>".repeat(2000))),
            ("lists", "<ul><li>".repeat(1000)),
            ("tables", "<table><tr><td>".repeat(1000)),
            ("tables of anchors", "<a href=x><table>".repeat(1000)),
            ("forms", "<form><div></form>".repeat(1000)),
            ("templates", "<template>".repeat(1000)),
            ("template rows", "<template><tr><td><table>".repeat(1000)),
            ("svg", format!("<svg>{}", "<g><linearGradient>".repeat(1000))),
            ("svg in html in svg", "<svg><foreignObject><p>".repeat(1000)),
            ("mathml", "<math><mi><b>".repeat(1000)),
            ("objects", "<object><b>".repeat(1000)),
            ("buttons", "<button><span>".repeat(1000)),
            ("selects", "<select><a><option>".repeat(1000)),
            ("framesets", "<frameset>".repeat(1000)),
            ("headings", "<h1><span><h2><em>".repeat(1000)),
            ("definitions", "<dl><dt><dl><dd>".repeat(1000)),
            ("ruby", "<ruby><rb><rt>".repeat(1000)),
            ("quotes", "<blockquote><p>".repeat(1000)),
            ("captions", "<table><caption>".repeat(1000)),
            ("columns", "<table><colgroup><template>".repeat(1000)),
            ("scripts", "<div><script>if (a<b) '<p>'</script>".repeat(1000)),
            ("custom", "<x-y>".repeat(1000)),
            ("in the head", format!("<head>{}", "<noscript><template>".repeat(1000))),
        ] {
            let tree = parse(&page, &|| true).expect("nobody stopped it");
            assert!(depth(&tree) <= MAX_DEPTH, "{name}: {}", depth(&tree));
        }
    }

    #[test]
    fn attributes_count_as_nodes_do_and_an_element_has_a_bounded_number() {
        let attributes: String = (0..3000).map(|n| format!(" a{n}=1")).collect();
        let tree = parse(&format!("<p{attributes}>{}", format!("<body{attributes}>").repeat(3)), &|| true);
        let tree = tree.expect("nobody stopped it");
        for element in tree.tree.values().filter_map(|node| node.as_element()) {
            assert!(element.attrs().count() <= MAX_ATTRIBUTES, "{}", element.name());
        }
        // A paragraph opens them all again: of each, 1,000 attributes.
        let formatting: String = (0..10).map(|n| format!("<b c={n}{}>", &attributes[..6000])).collect();
        let page = format!("<p>{formatting}{}", "<p>x".repeat(20_000));
        let tree = parse(&page, &|| true).expect("nobody stopped it");
        let all: usize = tree.tree.values().map(|node| node.as_element().map_or(1, |e| 1 + e.attrs().count())).sum();
        assert!(all < MAX_NODES + 20_000, "{all} nodes and attributes");
    }

    #[test]
    fn deep_nesting_takes_no_longer_than_its_length() {
        let time = |page: &str| {
            let begun = seine_unix::clock::thread_cpu();
            parse(page, &|| true).expect("nobody stopped it");
            seine_unix::clock::thread_cpu() - begun
        };
        let (short, long) = (time(&"<div>".repeat(2_000)), time(&"<div>".repeat(16_000)));
        assert!(long < 16 * short, "{short:?} for 2,000 and {long:?} for 16,000");
    }

    #[test]
    fn told_to_stop_there_is_no_tree() {
        assert!(parse("<p>x", &|| false).is_none());
        assert!(parse("", &|| true).is_some());
    }
}
