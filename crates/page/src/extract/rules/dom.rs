//! The tree that rules select from: of HTML, or of XML as it is written.
//!
//! The page decides how deep and wide it is: every walk asks its budget, and depth ([`MAX_DEPTH`]) and number of nodes
//! are bounded.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::io;

use ego_tree::NodeRef;
use ego_tree::iter::Edge;
use encoding_rs::UTF_8;
use html5ever::serialize::{SerializeOpts, TraversalScope, serialize};
use scraper::{ElementRef, Html, Node};
use selectors::context::SelectorCaches;
use url::Url;

use super::Budget;
use super::selector::Selector;
use crate::extract::blocks::{is_block, is_hidden};
#[cfg(doc)]
use crate::extract::dom::MAX_DEPTH;
use crate::extract::dom::{Reading, base_href, parse_as};
use crate::extract::resolve::document_base;
use crate::extract::text::{Nul, cut, fold_into};

/// Most nodes and attributes of a tree, which take at most some 250 bytes each; the rest of the page is passed over.
pub const MAX_NODES: usize = 500_000;

/// A tree with its elements in the order of the document.
pub struct Dom {
    html: Html,
    elements: Vec<Place>,
    /// Whether nodes were left out: see [`MAX_NODES`].
    pub(super) is_cut: bool,
    /// The first element of each `id`, once one was asked for.
    ids: OnceCell<HashMap<String, Index>>,
}

/// The place of an element in the tree.
#[derive(Clone, Copy)]
struct Place {
    node: ego_tree::NodeId,
    /// Number of the first element that is not below it.
    end: u32,
}

/// Number of an element, in the order of the document.
pub type Index = usize;

impl Dom {
    /// Parses HTML; `None`: told to stop.
    pub fn html(text: &str, budget: &Budget<'_>) -> Option<Self> {
        // Without scripting: what browsers hide in <noscript> is there for us.
        let reading = Reading { scripting: false, max_nodes: MAX_NODES };
        let (html, is_cut) = parse_as(text, reading, budget.keep_going)?;
        Self::of(html, is_cut, budget)
    }

    /// A tree that is there already; `is_cut` if it lacks the end of the page.
    pub(super) fn of(html: Html, is_cut: bool, budget: &Budget<'_>) -> Option<Self> {
        let mut elements: Vec<Place> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        for edge in html.tree.root().traverse() {
            match edge {
                Edge::Open(node) if node.value().is_element() => {
                    budget.spend(1)?;
                    open.push(elements.len());
                    elements.push(Place { node: node.id(), end: 0 });
                }
                Edge::Close(node) if node.value().is_element() => {
                    let end = u32::try_from(elements.len()).unwrap_or(u32::MAX);
                    if let Some(at) = open.pop() {
                        elements[at].end = end;
                    }
                }
                Edge::Open(_) | Edge::Close(_) => {}
            }
        }
        Some(Self { html, elements, is_cut, ids: OnceCell::new() })
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Number of the first element behind that one and all in it.
    pub(in crate::extract) fn end(&self, index: Index) -> Index {
        self.elements.get(index).map_or(index + 1, |place| place.end as usize)
    }

    /// The element of that number.
    pub fn element(&self, index: Index) -> Option<ElementRef<'_>> {
        let place = self.elements.get(index)?;
        ElementRef::wrap(self.html.tree.get(place.node)?)
    }

    /// The first element with this `id`, if there is one. `None`: told to stop.
    pub(super) fn by_id(&self, id: &str, budget: &Budget<'_>) -> Option<Option<Index>> {
        if self.ids.get().is_none() {
            let mut ids = HashMap::new();
            for index in 0..self.len() {
                budget.spend(1)?;
                if let Some(id) = self.element(index).and_then(|element| element.attr("id")) {
                    ids.entry(id.to_owned()).or_insert(index);
                }
            }
            let _ = self.ids.set(ids);
        }
        Some(self.ids.get().and_then(|ids| ids.get(id)).copied())
    }

    /// The first `limit` elements below `scope` (or of the page) that are selected, in the order of the document.
    /// `None`: told to stop.
    pub fn select(
        &self,
        selector: &Selector,
        scope: Option<Index>,
        limit: usize,
        budget: &Budget<'_>,
    ) -> Option<Vec<Index>> {
        let mut found = Vec::new();
        self.select_while(selector, scope, budget, &mut |index| {
            found.push(index);
            Some(found.len() < limit)
        })?;
        Some(found)
    }

    /// The same, shown one by one to `take` until it has enough.
    pub fn select_while(
        &self,
        selector: &Selector,
        scope: Option<Index>,
        budget: &Budget<'_>,
        take: &mut dyn FnMut(Index) -> Option<bool>,
    ) -> Option<()> {
        let mut caches = SelectorCaches::default();
        let range = match scope.and_then(|scope| Some((scope, self.elements.get(scope)?))) {
            Some((scope, place)) => scope + usize::from(!selector.names_scope)..place.end as usize,
            None => 0..self.elements.len(),
        };
        let mut context = Selector::context(scope.and_then(|scope| self.element(scope)), &mut caches);
        for index in range {
            budget.spend(1)?;
            let Some(element) = self.element(index) else { continue };
            if selector.matches(element, &mut context, budget)? && !take(index)? {
                break;
            }
        }
        Some(())
    }

    /// The text of an element: white space folded, or as it is. A line break and the bounds of blocks are white space;
    /// scripts, styles, templates and what stands in for scripts are no text of those around them. `own` leaves out
    /// the texts of elements below. At most `limit` bytes.
    pub fn text(&self, index: Index, own: bool, fold: bool, limit: usize, budget: &Budget<'_>) -> Option<String> {
        let mut text = String::new();
        let Some(element) = self.element(index) else { return Some(text) };
        let mut depth = 0_usize;
        // Depth of the element whose insides are no text.
        let mut hidden: Option<usize> = None;
        for edge in element.traverse() {
            budget.spend(1)?;
            let (node, is_open) = match edge {
                Edge::Open(node) => (node, true),
                Edge::Close(node) => (node, false),
            };
            match node.value() {
                Node::Element(element) if is_open => {
                    depth += 1;
                    if hidden.is_none() && depth > 1 && (own || is_hidden(element)) {
                        hidden = Some(depth);
                    }
                    if depth > 1 && hidden.is_none_or(|hidden| hidden == depth) && is_break(element.name()) {
                        space(&mut text, fold);
                    }
                }
                Node::Element(element) => {
                    if depth > 1 && hidden.is_none_or(|hidden| hidden == depth) && is_block(element.name()) {
                        space(&mut text, fold);
                    }
                    if hidden == Some(depth) {
                        hidden = None;
                    }
                    depth -= 1;
                }
                Node::Text(found) if is_open && hidden.is_none() => {
                    if fold {
                        fold_into(&mut text, found, limit, Nul::Dropped);
                    } else {
                        text.push_str(cut(found, limit.saturating_sub(text.len())));
                    }
                    budget.spend(found.len() / 16)?;
                }
                _ => {}
            }
            if text.len() >= limit {
                break;
            }
        }
        if fold {
            text.truncate(text.trim_end().len());
        }
        Some(text)
    }

    /// The inner HTML of an element; at most about `limit` bytes. `None`: told to stop.
    pub fn inner_html(&self, index: Index, limit: usize, budget: &Budget<'_>) -> Option<String> {
        let Some(element) = self.element(index) else { return Some(String::new()) };
        let mut out = Bounded { bytes: Vec::new(), limit, budget, is_stopped: false };
        let options = SerializeOpts {
            scripting_enabled: false,
            traversal_scope: TraversalScope::ChildrenOnly(None),
            create_missing_parent: false,
        };
        // The only error is that of a full buffer.
        let _ = serialize(&mut out, &element, options);
        if out.is_stopped {
            return None;
        }
        Some(match String::from_utf8(out.bytes) {
            Ok(text) => text,
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned()
            }
        })
    }

    /// The base of the page's relative URLs.
    pub fn base(&self, url: &Url, budget: &Budget<'_>) -> Option<Url> {
        for index in 0..self.elements.len() {
            budget.spend(1)?;
            if let Some(element) = self.element(index)
                && let Some(href) = base_href(&element)
            {
                return Some(document_base(url, Some(href), UTF_8));
            }
        }
        Some(url.clone())
    }

    /// From the root to an element: `html > body > div#main > p.x:nth-of-type(2)`.
    pub fn path(&self, index: Index) -> String {
        const MAX_STEPS: usize = 8;
        let Some(element) = self.element(index) else { return String::new() };
        let mut steps = Vec::new();
        let mut at: Option<NodeRef<'_, Node>> = Some(*element);
        while let Some(node) = at {
            if let Some(element) = ElementRef::wrap(node) {
                if steps.len() == MAX_STEPS {
                    steps.push("…".to_owned());
                    break;
                }
                steps.push(step(&element));
            }
            at = node.parent();
        }
        steps.reverse();
        steps.join(" > ")
    }
}

/// How a person would select an element among its siblings.
fn step(element: &ElementRef<'_>) -> String {
    /// Siblings looked at.
    const MAX_SIBLINGS: usize = 10_000;
    let name = element.value().name();
    let mut step = name.to_owned();
    if let Some(id) = element.value().id().filter(|id| !id.is_empty()) {
        step += &format!("#{id}");
        return step;
    }
    for class in element.value().classes().take(2) {
        step += &format!(".{class}");
    }
    let same = |sibling: &NodeRef<'_, Node>| sibling.value().as_element().is_some_and(|other| other.name() == name);
    let before = element.prev_siblings().take(MAX_SIBLINGS).filter(same).count();
    let is_alone = before == 0 && !element.next_siblings().take(MAX_SIBLINGS).any(|sibling| same(&sibling));
    if !is_alone {
        step += &format!(":nth-of-type({})", before + 1);
    }
    step
}

fn is_break(name: &str) -> bool {
    name == "br" || is_block(name)
}

fn space(text: &mut String, fold: bool) {
    if fold && !text.is_empty() && !text.ends_with(' ') {
        text.push(' ');
    } else if !fold && !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
}

/// A buffer that is full at some time.
struct Bounded<'a> {
    bytes: Vec<u8>,
    limit: usize,
    budget: &'a Budget<'a>,
    is_stopped: bool,
}

impl io::Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.is_stopped |= self.budget.spend(1 + bytes.len() / 16).is_none();
        let room = self.limit.saturating_sub(self.bytes.len());
        if self.is_stopped || room == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let taken = bytes.len().min(room);
        self.bytes.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
