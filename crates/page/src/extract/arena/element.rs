//! Elements: names and attributes.

use std::fmt;
use std::ops::Deref;

use super::{NodeRef, Payload};
use crate::extract::tags::Tag;

/// The namespace of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// HTML.
    Html,
    /// SVG.
    Svg,
    /// MathML.
    MathMl,
    /// None: XML that is read as it is written.
    None,
}

/// An element. It is a node as well.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Element<'t> {
    node: NodeRef<'t>,
}

impl<'t> Element<'t> {
    /// The element that `node` is: the caller has looked.
    #[inline]
    pub(super) fn of(node: NodeRef<'t>) -> Self {
        Self { node }
    }

    #[inline]
    fn parts(self) -> (Tag, Namespace, u32) {
        match self.node.node().payload {
            Payload::Element { tag, namespace, name, .. } => (tag, namespace, name),
            _ => (Tag::Unknown, Namespace::None, 0),
        }
    }

    /// Its tag, by which to match quickly, whatever its namespace; [`Tag::Unknown`] if its name has none.
    #[inline]
    pub fn tag(self) -> Tag {
        self.parts().0
    }

    /// Whether it is this element of HTML.
    #[inline]
    pub fn is(self, tag: Tag) -> bool {
        let (own, namespace, _) = self.parts();
        own == tag && namespace == Namespace::Html
    }

    /// Its namespace.
    #[inline]
    pub fn namespace(self) -> Namespace {
        self.parts().1
    }

    /// Whether it is of HTML.
    #[inline]
    pub fn is_html(self) -> bool {
        self.namespace() == Namespace::Html
    }

    /// Its name: lower case in HTML, `foreignObject` and the like as SVG writes them, of XML as it is written.
    #[inline]
    pub fn name(self) -> &'t str {
        match self.parts() {
            (tag, _, 0) => tag.name(),
            (_, _, name) => self.node.tree.names.get(name as usize - 1).map_or("", |name| name),
        }
    }

    /// Its attributes: each name once, in the order in which they were written.
    #[inline]
    pub fn attributes(self) -> Attributes<'t> {
        let range = match self.node.node().payload {
            Payload::Element { attributes, attributes_len, .. } => {
                let start = attributes as usize;
                start..start + usize::from(attributes_len)
            }
            _ => 0..0,
        };
        Attributes { element: self, range }
    }

    /// The value of an attribute, references decoded. `name` as [`Element::attributes`] has it: lower case in HTML.
    #[inline]
    pub fn attr(self, name: &str) -> Option<&'t str> {
        let attributes = self.attributes();
        let tree = self.node.tree;
        let written = tree.attributes.get(attributes.range)?;
        // Most differ in their lengths already.
        let is_it =
            |span: super::Span| (span.len & !super::Span::SIDE) as usize == name.len() && tree.text_of(span) == name;
        written.iter().find(|attribute| is_it(attribute.name)).map(|attribute| tree.text_of(attribute.value))
    }

    /// Whether it has an attribute.
    #[inline]
    pub fn has_attr(self, name: &str) -> bool {
        self.attr(name).is_some()
    }

    /// The attribute `id`.
    #[inline]
    pub fn id_attr(self) -> Option<&'t str> {
        self.attr("id")
    }

    /// The classes in the order in which they were written, doubles too.
    #[inline]
    pub fn classes(self) -> std::str::SplitAsciiWhitespace<'t> {
        self.attr("class").unwrap_or_default().split_ascii_whitespace()
    }

    /// Whether it has this class, in this case.
    #[inline]
    pub fn has_class(self, class: &str) -> bool {
        self.classes().any(|own| own == class)
    }

    /// Something of which every element has one of its own, at a place that does not move.
    pub(in crate::extract) fn identity(self) -> &'t impl Sized {
        &self.node.node().payload
    }

    /// The elements in it, without those in them.
    pub fn child_elements(self) -> impl Iterator<Item = Element<'t>> {
        self.node.children().filter_map(NodeRef::as_element)
    }

    /// All text in it, put together: code and what readers do not see as well.
    pub fn text(self) -> String {
        self.node.descendants().filter_map(NodeRef::as_text).collect()
    }

    /// Whether it is of the document itself: not in a template, whose contents are apart, and not of SVG or MathML.
    pub fn is_of_document(self) -> bool {
        !matches!(self.namespace(), Namespace::Svg | Namespace::MathMl)
            && !self.node.ancestors().any(NodeRef::is_fragment)
    }

    /// The element that it is in; none at the top of the document or of a template.
    #[inline]
    pub fn parent_element(self) -> Option<Self> {
        self.node.parent()?.as_element()
    }
}

impl<'t> Deref for Element<'t> {
    type Target = NodeRef<'t>;

    fn deref(&self) -> &Self::Target {
        &self.node
    }
}

impl fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}", self.name())?;
        for (name, value) in self.attributes() {
            write!(f, " {name}={value:?}")?;
        }
        f.write_str(">")
    }
}

/// Names and values of an element's attributes.
#[derive(Clone)]
pub struct Attributes<'t> {
    element: Element<'t>,
    range: std::ops::Range<usize>,
}

impl<'t> Iterator for Attributes<'t> {
    type Item = (&'t str, &'t str);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let tree = self.element.node.tree;
        let attribute = tree.attributes.get(self.range.next()?)?;
        Some((tree.text_of(attribute.name), tree.text_of(attribute.value)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.range.size_hint()
    }
}

impl ExactSizeIterator for Attributes<'_> {}
