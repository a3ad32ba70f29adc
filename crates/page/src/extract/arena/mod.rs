//! A document as a tree: one compact arena that everything which needs a tree reads.
//!
//! Nodes stand in the order of the document and are known by their number, so the inside of an element is a range of
//! numbers and a walk is a loop. Names that [`Tag`] knows are numbers; texts and attributes are ranges of the document, or
//! of a side buffer if they differ from what was written (character references, NUL, CR, capitals in names). Comments
//! and the contents of templates are kept; those stand below a node of their own ([`Data::Fragment`]), for they are no
//! part of the document. The inside of `<noscript>` is elements: scripts do not run here.
//!
//! Depth is bounded by [`MAX_DEPTH`](super::stack::MAX_DEPTH), so whatever walks the tree may recurse.
//!
//! - [`element`](Element): names and attributes
//! - `html`: a tree as HTML
//! - `walk`: children, descendants, ancestors, edges
//! - `build`: tokens to a tree, as the HTML standard has it; `grow`: how nodes are added and moved

mod build;
mod element;
mod grow;
mod html;
#[cfg(test)]
pub(super) mod judge;
mod walk;

use std::borrow::Cow;
use std::fmt;

pub use element::{Attributes, Element, Namespace};
pub(super) use grow::Growing;
pub(super) use html::write_inner_html;
pub use walk::{Ancestors, Children, Descendants, Edge, Edges};

use super::tags::Tag;
use super::text::boundary;

/// Most nodes and attributes of a tree, which take at most some 50 bytes each; the rest of the page is passed over.
pub const MAX_NODES: usize = 1_000_000;

/// Number of a node, in the order of the document. The document itself is [`NodeId::DOCUMENT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

impl NodeId {
    /// The root of every tree.
    pub const DOCUMENT: Self = Self(0);

    /// No node.
    const NONE: Self = Self(u32::MAX);

    /// The node of this number; none if there cannot be one.
    pub fn new(index: usize) -> Option<Self> {
        u32::try_from(index).ok().map(Self).filter(|id| *id != Self::NONE)
    }

    /// The number, from 0.
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }

    #[inline]
    fn some(self) -> Option<Self> {
        (self != Self::NONE).then_some(self)
    }
}

/// A range of the document, or of the side buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    /// In bytes; the highest bit says which of the two.
    len: u32,
}

impl Span {
    const SIDE: u32 = 1 << 31;
    /// Most bytes of a text.
    const MAX: usize = (Self::SIDE - 1) as usize;
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute {
    name: Span,
    value: Span,
}

/// What a node is.
#[derive(Clone, Copy, Debug)]
enum Payload {
    Document,
    Fragment,
    Doctype(Span),
    Text(Span),
    Comment(Span),
    Element {
        tag: Tag,
        namespace: Namespace,
        attributes_len: u16,
        attributes: u32,
        /// Index of its name, unless it is that of its tag.
        name: u32,
    },
}

#[derive(Clone, Copy, Debug)]
struct Node {
    parent: NodeId,
    previous: NodeId,
    next: NodeId,
    first: NodeId,
    /// While the tree grows, the last child; then the first node behind this one and all in it.
    last: NodeId,
    payload: Payload,
}

/// The tree of a document. `'d` is that of the text it was made of, if that was borrowed.
pub struct Arena<'d> {
    input: Cow<'d, str>,
    side: String,
    nodes: Vec<Node>,
    attributes: Vec<Attribute>,
    names: Vec<Box<str>>,
    /// Whether the end of the document is missing, because the tree had as many nodes as it may have.
    pub is_cut: bool,
    /// Whether the document is in quirks mode.
    pub has_quirks: bool,
}

/// A node of a tree.
#[derive(Clone, Copy)]
pub struct NodeRef<'t> {
    tree: &'t Arena<'t>,
    id: NodeId,
}

/// What a node is.
#[derive(Clone, Copy, Debug)]
pub enum Data<'t> {
    /// The document.
    Document,
    /// The contents of a template: its only child.
    Fragment,
    /// What the doctype says behind the word.
    Doctype(&'t str),
    /// Text, character references decoded. What a browser has as one text may be several here, one after the other.
    Text(&'t str),
    /// A comment.
    Comment(&'t str),
    /// An element.
    Element(Element<'t>),
}

impl<'d> Arena<'d> {
    /// The text that the tree was made of.
    pub fn input(&self) -> &str {
        &self.input
    }

    /// Number of nodes; never 0.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is nothing but the document itself.
    pub fn is_empty(&self) -> bool {
        self.nodes.len() <= 1
    }

    /// The document itself.
    pub fn root(&self) -> NodeRef<'_> {
        NodeRef { tree: self, id: NodeId::DOCUMENT }
    }

    /// The node of that number.
    #[inline]
    pub fn get(&self, id: NodeId) -> Option<NodeRef<'_>> {
        (id.index() < self.nodes.len()).then_some(NodeRef { tree: self, id })
    }

    /// The element of that number, if it is one.
    #[inline]
    pub fn element(&self, id: NodeId) -> Option<Element<'_>> {
        self.get(id)?.as_element()
    }

    /// All nodes but the document itself, in order.
    pub fn descendants(&self) -> Descendants<'_> {
        self.root().descendants()
    }

    /// All elements in order: of templates, SVG and MathML too.
    pub fn elements(&self) -> impl Iterator<Item = Element<'_>> {
        self.descendants().filter_map(NodeRef::as_element)
    }

    /// The `href` of the document's `<base>`: of the first that has one and is neither of SVG nor in a template.
    pub fn base_href(&self) -> Option<&str> {
        let mut bases = self.elements().filter(|element| element.tag() == Tag::Base && element.is_of_document());
        bases.find_map(|base| base.attr("href"))
    }

    #[inline]
    fn text_of(&self, span: Span) -> &str {
        let buffer = if span.len & Span::SIDE == 0 { &*self.input } else { &*self.side };
        let (start, len) = (span.start as usize, (span.len & !Span::SIDE) as usize);
        buffer.get(start..start + len).unwrap_or_default()
    }
}

impl<'t> NodeRef<'t> {
    /// Its number.
    #[inline]
    pub fn id(self) -> NodeId {
        self.id
    }

    /// The tree that it is in.
    #[inline]
    pub fn tree(self) -> &'t Arena<'t> {
        self.tree
    }

    #[inline]
    fn node(self) -> &'t Node {
        &self.tree.nodes[self.id.index()]
    }

    #[inline]
    fn at(self, id: NodeId) -> Option<Self> {
        Some(Self { id: id.some()?, ..self })
    }

    /// What it is.
    #[inline]
    pub fn data(self) -> Data<'t> {
        match self.node().payload {
            Payload::Document => Data::Document,
            Payload::Fragment => Data::Fragment,
            Payload::Doctype(span) => Data::Doctype(self.tree.text_of(span)),
            Payload::Text(span) => Data::Text(self.tree.text_of(span)),
            Payload::Comment(span) => Data::Comment(self.tree.text_of(span)),
            Payload::Element { .. } => Data::Element(Element::of(self)),
        }
    }

    /// The element that it is.
    #[inline]
    pub fn as_element(self) -> Option<Element<'t>> {
        self.is_element().then(|| Element::of(self))
    }

    /// The text that it is.
    #[inline]
    pub fn as_text(self) -> Option<&'t str> {
        if let Payload::Text(span) = self.node().payload { Some(self.tree.text_of(span)) } else { None }
    }

    /// Whether it is an element.
    #[inline]
    pub fn is_element(self) -> bool {
        matches!(self.node().payload, Payload::Element { .. })
    }

    /// Whether it is text.
    #[inline]
    pub fn is_text(self) -> bool {
        matches!(self.node().payload, Payload::Text(_))
    }

    /// Whether it is the contents of a template.
    #[inline]
    pub fn is_fragment(self) -> bool {
        matches!(self.node().payload, Payload::Fragment)
    }
}

impl PartialEq for NodeRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && std::ptr::eq(self.tree.nodes.as_ptr(), other.tree.nodes.as_ptr())
    }
}

impl Eq for NodeRef<'_> {}

impl fmt::Debug for NodeRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.id.0, self.data())
    }
}

/// The tree of a document; `None` as soon as `keep_going`, asked after every few tokens, says no. Of nodes and attributes
/// there are at most `max_nodes`, give or take those of one tag; what the page has beyond is not there
/// ([`Arena::is_cut`]).
pub fn parse<'d>(mut document: Cow<'d, str>, max_nodes: usize, keep_going: &dyn Fn() -> bool) -> Option<Arena<'d>> {
    let is_too_long = document.len() > Span::MAX;
    if is_too_long {
        let end = boundary(&document, Span::MAX);
        match &mut document {
            Cow::Borrowed(text) => *text = &text[..end],
            Cow::Owned(text) => text.truncate(end),
        }
    }
    let grown = build::build(&document, max_nodes, keep_going)?;
    let mut tree = grown.finish(document);
    tree.is_cut |= is_too_long;
    Some(tree)
}

#[cfg(test)]
pub(super) mod tests;
