//! Pages as trees: whatever is written, it is the tree that `html5ever` builds, text for text and attribute for
//! attribute; nodes stand in the order of the document.
#![no_main]

use std::borrow::Cow;
use std::fmt::Write as _;

use ego_tree::iter::Edge as TheirEdge;
use html5ever::tendril::TendrilSink;
use html5ever::tree_builder::TreeBuilderOpts;
use html5ever::{ParseOpts, ns, parse_document};
use libfuzzer_sys::fuzz_target;
use scraper::{Html, HtmlTreeSink, Node};
use seine_page::extract::arena::{Data, Edge, Namespace, parse};
use seine_page::extract::stack::MAX_DEPTH;
use seine_page::extract::tokenize::MAX_ATTRIBUTES;

/// Elements, attributes, comments and texts, a line each; texts that stand side by side are one.
#[derive(Default)]
struct Lines {
    lines: String,
    text: String,
    depth: usize,
    deepest: usize,
}

impl Lines {
    fn open(&mut self, line: &str) {
        self.flush();
        let _ = writeln!(self.lines, "{} {line}", self.depth);
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
    }

    fn close(&mut self) {
        self.flush();
        self.depth -= 1;
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        if !text.is_empty() {
            let _ = writeln!(self.lines, "{} {text:?}", self.depth);
        }
    }
}

fn element(name: &str, namespace: char, mut attributes: Vec<(String, String)>) -> String {
    attributes.sort_unstable();
    format!("<{namespace}:{name} {attributes:?}")
}

fn theirs(page: &str) -> Lines {
    let options = TreeBuilderOpts { scripting_enabled: false, ..TreeBuilderOpts::default() };
    let options = ParseOpts { tree_builder: options, ..ParseOpts::default() };
    let html = parse_document(HtmlTreeSink::new(Html::new_document()), options).one(page);
    let mut lines = Lines::default();
    for edge in html.tree.root().traverse() {
        match edge {
            TheirEdge::Open(node) => match node.value() {
                Node::Text(text) => lines.text += text,
                Node::Element(found) => {
                    let namespace = match found.name.ns {
                        ns!(svg) => 's',
                        ns!(mathml) => 'm',
                        _ => 'h',
                    };
                    let name = |attribute: &html5ever::QualName| match &attribute.prefix {
                        Some(prefix) if !prefix.is_empty() => format!("{prefix}:{}", attribute.local),
                        _ => attribute.local.to_string(),
                    };
                    let attributes = found.attrs.iter().map(|(key, value)| (name(key), value.to_string())).collect();
                    lines.open(&element(found.name(), namespace, attributes));
                }
                Node::Comment(comment) => lines.open(&format!("#{:?}", &**comment)),
                Node::ProcessingInstruction(instruction) => lines.open(&format!("#{:?}", &*instruction.data)),
                Node::Doctype(_) => lines.open("!"),
                Node::Fragment => lines.open("{"),
                Node::Document => {}
            },
            TheirEdge::Close(node) if matches!(node.value(), Node::Text(_) | Node::Document) => {}
            TheirEdge::Close(_) => lines.close(),
        }
    }
    lines.flush();
    lines
}

fn ours(page: &str) -> Lines {
    let tree = parse(Cow::Borrowed(page), usize::MAX, &|| true).expect("told to go on");
    let mut lines = Lines::default();
    let mut number = 0;
    for edge in tree.root().edges() {
        match edge {
            Edge::Open(node) => {
                assert_eq!(node.id().index(), number, "nodes stand in the order of the document");
                number += 1;
                match node.data() {
                    Data::Text(text) => lines.text += text,
                    Data::Element(found) => {
                        let namespace = match found.namespace() {
                            Namespace::Svg => 's',
                            Namespace::MathMl => 'm',
                            _ => 'h',
                        };
                        let attributes = found.attributes().map(|(key, value)| (key.to_owned(), value.to_owned()));
                        lines.open(&element(found.name(), namespace, attributes.collect()));
                    }
                    Data::Comment(comment) => lines.open(&format!("#{comment:?}")),
                    Data::Doctype(_) => lines.open("!"),
                    Data::Fragment => lines.open("{"),
                    Data::Document => {}
                }
            }
            Edge::Close(node) => {
                assert_eq!(node.end().index(), number, "all that is in a node is a range");
                if !matches!(node.data(), Data::Text(_) | Data::Document) {
                    lines.close();
                }
            }
        }
    }
    lines.flush();
    assert_eq!(number, tree.len());
    lines
}

fuzz_target!(|data: &[u8]| {
    // A byte order mark is taken off by whoever decodes.
    let page = String::from_utf8_lossy(data).replace('\u{FEFF}', "");
    let lower = page.to_ascii_lowercase();
    let ours = ours(&page);
    // What html5ever does not do as the standard says: a `<thead>` of a template ends at the end of another part of the
    // table, a doctype amid text of a table parts it. What is done here otherwise: a NUL before the body does not begin
    // it, and depth and attributes are bounded.
    let is_known = lower.contains("<template") && lower.contains("<thead")
        || lower.contains("<table") && lower.contains("<!")
        || lower.contains('\0');
    if is_known
        || ours.deepest + 8 > MAX_DEPTH
        || page.matches('=').count() + page.matches(' ').count() > MAX_ATTRIBUTES
    {
        return;
    }
    assert_eq!(ours.lines, theirs(&page).lines);
});
