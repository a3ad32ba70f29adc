//! The tree that rules select from: of HTML, or of XML as it is written.
//!
//! The page decides how deep and wide it is: every walk asks its budget, and depth ([`MAX_DEPTH`]) and number of nodes
//! are bounded.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::io;

use encoding_rs::UTF_8;
use selectors::context::SelectorCaches;
use url::Url;

use super::Budget;
use super::lists::Lists;
use super::selector::Selector;
use crate::extract::arena::{Arena, Data, Edge, Element, NodeId, NodeRef, write_inner_html};
use crate::extract::blocks::{hides, is_block_tag};
use crate::extract::resolve::document_base;
#[cfg(doc)]
use crate::extract::stack::MAX_DEPTH;
use crate::extract::tags::Tag;
use crate::extract::text::{Nul, cut, fold_into};

/// A tree whose elements are found by what a selector says of them.
pub struct Dom<'d> {
    tree: Arena<'d>,
    /// Whether nodes were left out: see [`MAX_NODES`](crate::extract::arena::MAX_NODES).
    pub(super) is_cut: bool,
    lists: OnceCell<Lists>,
    /// The first element of each `id`, once one was asked for.
    ids: OnceCell<HashMap<String, Index>>,
}

/// Number of a node, in the order of the document: see [`NodeId::index`].
pub type Index = usize;

impl<'d> Dom<'d> {
    /// A tree that is there already.
    pub(in crate::extract) fn of(tree: Arena<'d>) -> Self {
        Self { is_cut: tree.is_cut, tree, lists: OnceCell::new(), ids: OnceCell::new() }
    }

    /// The tree.
    pub fn tree(&self) -> &Arena<'d> {
        &self.tree
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.tree.elements().next().is_none()
    }

    /// The first element.
    pub(super) fn first(&self) -> Index {
        self.tree.elements().next().map_or(0, |element| element.id().index())
    }

    /// Number of the first node behind that one and all in it.
    pub(in crate::extract) fn end(&self, index: Index) -> Index {
        self.node(index).map_or(index + 1, |node| node.end().index())
    }

    fn node(&self, index: Index) -> Option<NodeRef<'_>> {
        self.tree.get(NodeId::new(index)?)
    }

    /// The element of that number, if it is one.
    #[inline]
    pub fn element(&self, index: Index) -> Option<Element<'_>> {
        self.tree.element(NodeId::new(index)?)
    }

    fn lists(&self, budget: &Budget<'_>) -> Option<&Lists> {
        if self.lists.get().is_none() {
            let _ = self.lists.set(Lists::of(&self.tree, budget)?);
        }
        self.lists.get()
    }

    /// Numbers of all elements of a tag, of any namespace. `None`: told to stop.
    pub(super) fn of_tag(&self, tag: Tag, budget: &Budget<'_>) -> Option<&[u32]> {
        Some(self.lists(budget)?.tag(tag))
    }

    /// The `href` of the page's `<base>`, if it has one. `None`: told to stop.
    pub(in crate::extract) fn base_href(&self, budget: &Budget<'_>) -> Option<Option<&str>> {
        for index in self.of_tag(Tag::Base, budget)? {
            let Some(base) = self.element(*index as Index) else { continue };
            budget.spend(1)?;
            if let Some(href) = base.attr("href") {
                budget.spend(base.ancestors().count())?;
                if base.is_of_document() {
                    return Some(Some(href));
                }
            }
        }
        Some(None)
    }

    /// The first element with this `id`, if there is one. `None`: told to stop.
    pub(super) fn by_id(&self, id: &str, budget: &Budget<'_>) -> Option<Option<Index>> {
        if self.ids.get().is_none() {
            let mut ids = HashMap::new();
            for index in self.lists(budget)?.with_id() {
                budget.spend(1)?;
                let index = *index as Index;
                if let Some(id) = self.element(index).and_then(Element::id_attr) {
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
        let range = match scope {
            Some(scope) => scope + usize::from(!selector.names_scope)..self.end(scope),
            None => 0..self.len(),
        };
        let candidates = self.lists(budget)?.candidates(selector.keys(), range);
        let mut context = Selector::context(scope.and_then(|scope| self.element(scope)), &mut caches);
        for index in candidates.iter() {
            budget.spend(1)?;
            let index = *index as Index;
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
        // The element whose insides are no text.
        let mut hidden: Option<NodeId> = None;
        for edge in element.edges() {
            budget.spend(1)?;
            match edge {
                Edge::Open(node) => match node.data() {
                    Data::Text(found) if hidden.is_none() => {
                        if fold {
                            fold_into(&mut text, found, limit, Nul::Dropped);
                        } else {
                            text.push_str(cut(found, limit.saturating_sub(text.len())));
                        }
                        budget.spend(found.len() / 16)?;
                    }
                    Data::Element(inner) if hidden.is_none() && inner != element => {
                        if own || hides(inner) {
                            hidden = Some(inner.id());
                        }
                        if is_break(inner.tag()) {
                            space(&mut text, fold);
                        }
                    }
                    _ => {}
                },
                Edge::Close(node) => {
                    let Some(inner) = node.as_element() else { continue };
                    if hidden.is_none_or(|hidden| hidden == inner.id()) {
                        hidden = None;
                        if inner != element && is_block_tag(inner.tag()) {
                            space(&mut text, fold);
                        }
                    }
                }
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
        // The only error is that of a full buffer.
        let _ = write_inner_html(element, &mut out);
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
        Some(match self.base_href(budget)? {
            Some(href) => document_base(url, Some(href), UTF_8),
            None => url.clone(),
        })
    }

    /// From the root to an element: `html > body > div#main > p.x:nth-of-type(2)`.
    pub fn path(&self, index: Index) -> String {
        const MAX_STEPS: usize = 8;
        let Some(element) = self.element(index) else { return String::new() };
        let mut steps = vec![step(element)];
        for around in element.ancestors().filter_map(NodeRef::as_element) {
            if steps.len() == MAX_STEPS {
                steps.push("…".to_owned());
                break;
            }
            steps.push(step(around));
        }
        steps.reverse();
        steps.join(" > ")
    }
}

/// How a person would select an element among its siblings.
fn step(element: Element<'_>) -> String {
    /// Siblings looked at.
    const MAX_SIBLINGS: usize = 10_000;
    let name = element.name();
    let mut step = name.to_owned();
    if let Some(id) = element.id_attr().filter(|id| !id.is_empty()) {
        step += &format!("#{id}");
        return step;
    }
    for class in element.classes().take(2) {
        step += &format!(".{class}");
    }
    let same = |sibling: &NodeRef<'_>| sibling.as_element().is_some_and(|other| other.name() == name);
    let before = element.previous_siblings().take(MAX_SIBLINGS).filter(same).count();
    let is_alone = before == 0 && !element.next_siblings().take(MAX_SIBLINGS).any(|sibling| same(&sibling));
    if !is_alone {
        step += &format!(":nth-of-type({})", before + 1);
    }
    step
}

fn is_break(tag: Tag) -> bool {
    tag == Tag::Br || is_block_tag(tag)
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
