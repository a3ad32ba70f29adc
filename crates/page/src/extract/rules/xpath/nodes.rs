//! The tree as XPath sees it: attributes are nodes, one text stands between two tags, the contents of a template are
//! in it, and there are no document types.

use std::borrow::Cow;

use super::MAX_XPATH_TEXT;
use super::expr::{Axis, NodeTest};
use crate::extract::arena::{Data, Element, Namespace, NodeId, NodeRef};
use crate::extract::rules::Budget;
use crate::extract::rules::dom::{Dom, Index};
use crate::extract::text::cut;

/// A node, in the order of the document: an element, its attributes, what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Node {
    pub index: u32,
    /// Which of its attributes, from 1; 0: the node itself.
    attribute: u32,
}

impl Node {
    pub const DOCUMENT: Self = Self { index: 0, attribute: 0 };

    fn of(node: NodeRef<'_>) -> Self {
        Self { index: node.id().index() as u32, attribute: 0 }
    }

    pub fn is_attribute(self) -> bool {
        self.attribute > 0
    }

    fn owner(self) -> Self {
        Self { attribute: 0, ..self }
    }
}

/// What walks an axis: whether it goes on, `None` if it was told to stop.
pub(super) type Visit<'v> = &'v mut dyn FnMut(Node) -> Option<bool>;

#[derive(Clone, Copy)]
pub(super) struct Tree<'d> {
    dom: &'d Dom<'d>,
}

/// Whether XPath has it as a node of its own.
fn is_node(node: NodeRef<'_>) -> bool {
    match node.data() {
        Data::Document | Data::Comment(_) | Data::Element(_) => true,
        Data::Text(_) => !node.previous_sibling().is_some_and(NodeRef::is_text),
        Data::Doctype(_) | Data::Fragment => false,
    }
}

/// The first child that is one for XPath.
fn first_child(node: NodeRef<'_>) -> Option<NodeRef<'_>> {
    let first = node.first_child()?;
    let first = if first.is_fragment() { first.first_child()? } else { first };
    if is_node(first) { Some(first) } else { next_sibling(first) }
}

fn next_sibling(node: NodeRef<'_>) -> Option<NodeRef<'_>> {
    node.next_siblings().find(|sibling| is_node(*sibling))
}

fn previous_sibling(node: NodeRef<'_>) -> Option<NodeRef<'_>> {
    node.previous_siblings().find(|sibling| is_node(*sibling))
}

fn parent(node: NodeRef<'_>) -> Option<NodeRef<'_>> {
    node.parent().and_then(|parent| if parent.is_fragment() { parent.parent() } else { Some(parent) })
}

impl<'d> Tree<'d> {
    pub fn of(dom: &'d Dom<'_>) -> Self {
        Self { dom }
    }

    pub fn node(index: Index) -> Node {
        Node { index: index as u32, attribute: 0 }
    }

    /// What it is in the tree, or its element is.
    fn at(self, node: Node) -> Option<NodeRef<'d>> {
        self.dom.tree().get(NodeId::new(node.index as usize)?)
    }

    /// The element that it is.
    pub fn element(self, node: Node) -> Option<Element<'d>> {
        if node.is_attribute() { None } else { self.at(node)?.as_element() }
    }

    pub fn is_document(self, node: Node) -> bool {
        node == Node::DOCUMENT
    }

    /// Number of the first node behind it and all in it.
    pub fn end(self, node: Node) -> u32 {
        if node.is_attribute() { node.index + 1 } else { self.dom.end(node.index as usize) as u32 }
    }

    pub fn parent(self, node: Node) -> Option<Node> {
        if node.is_attribute() { Some(node.owner()) } else { parent(self.at(node)?).map(Node::of) }
    }

    fn attribute(self, node: Node) -> Option<(&'d str, &'d str)> {
        let number = (node.attribute as usize).checked_sub(1)?;
        self.at(node)?.as_element()?.attributes().nth(number)
    }

    /// The first element with this `id`.
    pub fn by_id(self, id: &str, budget: &Budget<'_>) -> Option<Option<Node>> {
        Some(self.dom.by_id(id, budget)?.map(Self::node))
    }

    /// Its text: of an element all that is in it, scripts too, as the recommendation has it.
    pub fn text(self, node: Node, budget: &Budget<'_>) -> Option<Cow<'d, str>> {
        if let Some((_, value)) = self.attribute(node) {
            budget.spend(1 + value.len() / 16)?;
            return Some(Cow::Borrowed(value));
        }
        let Some(at) = self.at(node) else { return Some(Cow::Borrowed("")) };
        let mut text = Cow::Borrowed("");
        let mut add = |more: &'d str| {
            budget.spend(1 + more.len() / 16)?;
            let more = cut(more, MAX_XPATH_TEXT.saturating_sub(text.len()));
            if text.is_empty() {
                text = Cow::Borrowed(more)
            } else {
                text.to_mut().push_str(more)
            }
            Some(())
        };
        match at.data() {
            Data::Comment(comment) => add(comment)?,
            Data::Text(first) => {
                add(first)?;
                for more in at.next_siblings().map_while(NodeRef::as_text) {
                    add(more)?;
                }
            }
            _ => {
                for inner in at.descendants() {
                    budget.spend(1)?;
                    if let Some(more) = inner.as_text() {
                        add(more)?;
                    }
                }
            }
        }
        Some(text)
    }

    /// Its name as it is written: empty of what has none.
    pub fn name(self, node: Node) -> &'d str {
        match self.attribute(node) {
            Some((name, _)) => name,
            None => self.element(node).map_or("", Element::name),
        }
    }

    /// The URL of its name's namespace; none of HTML and of attributes.
    pub fn namespace(self, node: Node) -> &'d str {
        let Some(element) = self.element(node) else { return "" };
        match element.namespace() {
            Namespace::Html => "",
            Namespace::Svg => "http://www.w3.org/2000/svg",
            Namespace::MathMl => "http://www.w3.org/1998/Math/MathML",
            Namespace::None => {
                let prefix = element.name().split_once(':').map(|(prefix, _)| prefix);
                let key = prefix.map_or_else(|| "xmlns".to_owned(), |prefix| format!("xmlns:{prefix}"));
                let declared = std::iter::successors(Some(element), |element| element.parent_element());
                declared.into_iter().find_map(|element| element.attr(&key)).unwrap_or_default()
            }
        }
    }

    /// The language that it or what is around it says.
    pub fn language(self, node: Node, budget: &Budget<'_>) -> Option<Option<&'d str>> {
        let mut at = Some(if node.is_attribute() { node.owner() } else { node });
        while let Some(node) = at {
            budget.spend(1)?;
            let element = self.element(node);
            if let Some(language) = element.and_then(|element| element.attr("xml:lang").or(element.attr("lang"))) {
                return Some(Some(language));
            }
            at = self.parent(node);
        }
        Some(None)
    }

    /// Whether a node of an axis is meant by a test.
    pub fn is(self, node: Node, test: &NodeTest, axis: Axis) -> bool {
        let data = || if node.is_attribute() { None } else { self.at(node).map(NodeRef::data) };
        match test {
            NodeTest::Any => true,
            NodeTest::Parents => matches!(data(), Some(Data::Document | Data::Element(_))),
            NodeTest::Text => matches!(data(), Some(Data::Text(_))),
            NodeTest::Comment => matches!(data(), Some(Data::Comment(_))),
            NodeTest::Instruction => false,
            NodeTest::All | NodeTest::AllOf(_) | NodeTest::Name(_) => {
                let (name, is_written) = match (axis == Axis::Attribute, self.attribute(node), self.element(node)) {
                    (true, Some((name, _)), _) => {
                        (name, self.at(node).and_then(NodeRef::as_element).is_some_and(is_of_xml))
                    }
                    (false, None, Some(element)) => (element.name(), is_of_xml(element)),
                    _ => return false,
                };
                let same = |a: &str, b: &str| if is_written { a == b } else { a.eq_ignore_ascii_case(b) };
                match test {
                    NodeTest::Name(wanted) => same(name, wanted),
                    NodeTest::AllOf(prefix) => name.split_once(':').is_some_and(|(own, _)| same(own, prefix)),
                    _ => true,
                }
            }
        }
    }

    /// Visits the nodes of an axis in its order, nearest first.
    pub fn walk(self, axis: Axis, from: Node, budget: &Budget<'_>, visit: Visit<'_>) -> Option<()> {
        let Some(at) = self.at(from) else { return Some(()) };
        let mut one = |node: Node| {
            budget.spend(1)?;
            visit(node)
        };
        let mut along = |first: Option<NodeRef<'d>>, next: fn(NodeRef<'d>) -> Option<NodeRef<'d>>| {
            let mut at = first;
            while let Some(node) = at {
                if !one(Node::of(node))? {
                    break;
                }
                at = next(node);
            }
            Some(())
        };
        match axis {
            Axis::Child if from.is_attribute() => {}
            Axis::Child => along(first_child(at), next_sibling)?,
            Axis::Itself => _ = one(from)?,
            Axis::Parent => {
                if let Some(parent) = self.parent(from) {
                    one(parent)?;
                }
            }
            Axis::Ancestor | Axis::AncestorOrSelf => {
                if axis == Axis::AncestorOrSelf && !one(from)? {
                    return Some(());
                }
                let mut above = self.parent(from);
                while let Some(node) = above {
                    if !one(node)? {
                        break;
                    }
                    above = self.parent(node);
                }
            }
            Axis::FollowingSibling | Axis::PrecedingSibling if from.is_attribute() => {}
            Axis::FollowingSibling => along(next_sibling(at), next_sibling)?,
            Axis::PrecedingSibling => along(previous_sibling(at), previous_sibling)?,
            Axis::Descendant | Axis::DescendantOrSelf => {
                if axis == Axis::DescendantOrSelf && !one(from)? {
                    return Some(());
                }
                self.range(from.index + 1..self.end(from), budget, visit)?;
            }
            Axis::Following => self.range(self.end(from)..self.dom.len() as u32, budget, visit)?,
            Axis::Preceding => {
                for index in (1..from.index).rev() {
                    budget.spend(1)?;
                    let node = Self::node(index as usize);
                    let is_before = self.end(node) <= from.index;
                    if is_before && self.at(node).is_some_and(is_node) && !visit(node)? {
                        break;
                    }
                }
            }
            Axis::Attribute => {
                let Some(element) = self.element(from) else { return Some(()) };
                let is_xml = is_of_xml(element);
                for (number, (name, _)) in (1..).zip(element.attributes()) {
                    let is_declaration = is_xml && (name == "xmlns" || name.starts_with("xmlns:"));
                    if !is_declaration && !one(Node { attribute: number, ..from })? {
                        break;
                    }
                }
            }
        }
        Some(())
    }

    fn range(self, range: std::ops::Range<u32>, budget: &Budget<'_>, visit: Visit<'_>) -> Option<()> {
        for index in range {
            budget.spend(1)?;
            let node = Self::node(index as usize);
            if self.at(node).is_some_and(is_node) && !visit(node)? {
                break;
            }
        }
        Some(())
    }
}

/// Whether names have a case there.
fn is_of_xml(element: Element<'_>) -> bool {
    element.namespace() == Namespace::None
}
