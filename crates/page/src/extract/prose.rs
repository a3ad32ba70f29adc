//! What is kept of a tree as plain text: a line for each paragraph, an empty line between them, white space folded.

use super::arena::{Arena, Data, Edge, Element, NodeId};
use super::blocks::is_block;
use super::selection::Selection;
use super::tags::Tag;
use super::text::{self, Nul};

/// The separator between two texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Break {
    No,
    Space,
    Line,
    Paragraph,
}

/// The text of what is kept of `tree`, at most `limit` bytes. `None` as soon as `goes_on` says no for the `n`th node.
pub(super) fn prose(
    tree: &Arena<'_>,
    selection: &Selection,
    limit: usize,
    goes_on: &dyn Fn(usize) -> bool,
) -> Option<String> {
    let mut prose = Prose { text: String::new(), due: Break::No, limit };
    let mut hidden: Option<NodeId> = None;
    let mut preformatted: Option<NodeId> = None;
    for (n, edge) in tree.root().edges().enumerate() {
        if !goes_on(n) {
            return None;
        }
        if prose.text.len() >= limit {
            break;
        }
        match edge {
            Edge::Open(node) if hidden.is_none() => {
                if !selection.keeps(node.id()) {
                    hidden = Some(node.id());
                    // The bounds of what is left out stay.
                    let block = node.as_element().filter(|element| is_block(element.name()));
                    prose.separate(block.map_or(Break::No, break_at));
                    continue;
                }
                match node.data() {
                    Data::Element(element) => {
                        if element.is(Tag::Pre) && preformatted.is_none() {
                            preformatted = Some(node.id());
                        }
                        if element.is(Tag::Br) && preformatted.is_some() {
                            prose.push_as_it_is("\n");
                        } else {
                            prose.separate(break_at(element));
                        }
                    }
                    Data::Text(text) if preformatted.is_some() => prose.push_as_it_is(text),
                    Data::Text(text) => prose.push(text),
                    _ => {}
                }
            }
            Edge::Close(node) if hidden == Some(node.id()) => hidden = None,
            Edge::Close(node) if hidden.is_none() => {
                if let Some(element) = node.as_element()
                    && !element.is(Tag::Br)
                {
                    prose.separate(break_at(element));
                }
                if preformatted == Some(node.id()) {
                    preformatted = None;
                    prose.text.truncate(prose.text.trim_end().len());
                }
            }
            _ => {}
        }
    }
    Some(prose.text)
}

/// The separator that the start and the end of an element put into the text around it.
fn break_at(element: Element<'_>) -> Break {
    match element.name() {
        "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "ul" | "ol" | "dl" | "blockquote" | "pre" | "table"
        | "figure" | "article" | "section" | "main" | "header" | "footer" | "aside" | "nav" | "hr" | "details"
        | "fieldset" | "form" => Break::Paragraph,
        "td" | "th" => Break::Space,
        "br" | "button" | "noscript" => Break::Line,
        name if is_block(name) => Break::Line,
        _ => Break::No,
    }
}

struct Prose {
    text: String,
    /// Owed before the next text.
    due: Break,
    limit: usize,
}

impl Prose {
    fn separate(&mut self, by: Break) {
        self.due = self.due.max(by);
    }

    /// Pays what is owed; the first text owes nothing.
    fn begin(&mut self) {
        let due = std::mem::replace(&mut self.due, Break::No);
        if self.text.is_empty() || due == Break::No {
            return;
        }
        self.text.truncate(self.text.trim_end_matches(' ').len());
        self.text.push_str(match due {
            Break::No => "",
            Break::Space => " ",
            Break::Line => "\n",
            Break::Paragraph => "\n\n",
        });
    }

    fn push(&mut self, raw: &str) {
        if raw.chars().all(char::is_whitespace) {
            self.separate(if raw.is_empty() { Break::No } else { Break::Space });
            return;
        }
        if raw.starts_with(char::is_whitespace) {
            self.separate(Break::Space);
        }
        self.begin();
        // Folded apart: what comes before it has line breaks that are to stay.
        let mut folded = String::new();
        text::fold_into(&mut folded, raw, self.limit.saturating_sub(self.text.len()), Nul::Dropped);
        self.text.push_str(folded.trim_end());
        if folded.ends_with(' ') {
            self.separate(Break::Space);
        }
    }

    /// Text whose white space is its own.
    fn push_as_it_is(&mut self, raw: &str) {
        self.begin();
        self.text.push_str(text::cut(raw, self.limit.saturating_sub(self.text.len())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::arena::{self, NodeRef};
    use crate::extract::selection::Kind;

    fn of(page: &str) -> String {
        let tree = arena::parse(page.into(), 1000, &|| true).unwrap();
        let mut selection = Selection::none(&tree, Kind::Whole);
        for node in tree.descendants() {
            let is_left_out = |node: NodeRef<'_>| node.as_element().is_some_and(|element| element.is(Tag::Nav));
            if !node.ancestors().chain([node]).any(is_left_out) {
                selection.keep(&tree, node.id());
            }
        }
        prose(&tree, &selection, 60, &|_| true).unwrap()
    }

    #[test]
    fn paragraphs_lines_and_preformatted_text_stay_apart() {
        for (page, text) in [
            ("<p> a <b>b</b>c\n d<p>e", "a bc d\n\ne"),
            ("a<br>b<div>c</div>d <span> e</span>", "a\nb\nc\nd e"),
            ("<ul><li>a</li> <li>b<ul><li>c</ul></ul>d", "a\nb\n\nc\n\nd"),
            ("<table><tr><td>a<td>b<tr><th>c</table>", "a b\nc"),
            ("x<pre>\n  fn <a>f</a>() {\n\n    g()\n  }\n\n</pre>y", "x\n\n  fn f() {\n\n    g()\n  }\n\ny"),
            ("a<nav>b</nav><p>c</p><nav>d<p>e</nav>f", "a\n\nc\n\nf"),
            (
                "<p>aaaaaaaaaaaaaaaaaaaa<p>bbbbbbbbbbbbbbbbbbbb<p>ääääääääääää",
                "aaaaaaaaaaaaaaaaaaaa\n\nbbbbbbbbbbbbbbbbbbbb\n\nääääääää",
            ),
            ("", ""),
        ] {
            assert_eq!(of(page), text, "{page}");
        }
    }
}
