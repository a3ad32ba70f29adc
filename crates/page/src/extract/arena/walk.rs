//! Ways through a tree.

use super::{NodeId, NodeRef};

impl<'t> NodeRef<'t> {
    /// The node that it is in.
    #[inline]
    pub fn parent(self) -> Option<Self> {
        self.at(self.node().parent)
    }

    /// The node before it in its parent.
    #[inline]
    pub fn previous_sibling(self) -> Option<Self> {
        self.at(self.node().previous)
    }

    /// The node behind it in its parent.
    #[inline]
    pub fn next_sibling(self) -> Option<Self> {
        self.at(self.node().next)
    }

    /// The first node in it.
    #[inline]
    pub fn first_child(self) -> Option<Self> {
        self.at(self.node().first)
    }

    /// Number of the first node behind this one and all that is in it.
    #[inline]
    pub fn end(self) -> NodeId {
        self.node().last
    }

    /// The nodes in it, without those in them.
    #[inline]
    pub fn children(self) -> Children<'t> {
        Children { next: self.first_child() }
    }

    /// The nodes before it in its parent, nearest first.
    pub fn previous_siblings(self) -> impl Iterator<Item = Self> {
        std::iter::successors(self.previous_sibling(), |node| node.previous_sibling())
    }

    /// The nodes behind it in its parent.
    pub fn next_siblings(self) -> Children<'t> {
        Children { next: self.next_sibling() }
    }

    /// All nodes in it, in the order of the document.
    #[inline]
    pub fn descendants(self) -> Descendants<'t> {
        Descendants { of: self, at: self.id.0 + 1, end: self.end().0 }
    }

    /// The nodes that it is in, innermost first; the document is the last.
    #[inline]
    pub fn ancestors(self) -> Ancestors<'t> {
        Ancestors { next: self.parent() }
    }

    /// Where it and all nodes in it begin and end, in the order of the document.
    #[inline]
    pub fn edges(self) -> Edges<'t> {
        Edges { of: self, next: Some(Edge::Open(self)) }
    }
}

/// The nodes in a node, without those in them.
#[derive(Clone, Debug)]
pub struct Children<'t> {
    next: Option<NodeRef<'t>>,
}

impl<'t> Iterator for Children<'t> {
    type Item = NodeRef<'t>;

    #[inline]
    fn next(&mut self) -> Option<NodeRef<'t>> {
        let node = self.next?;
        self.next = node.next_sibling();
        Some(node)
    }
}

/// All nodes in a node.
#[derive(Clone, Debug)]
pub struct Descendants<'t> {
    of: NodeRef<'t>,
    at: u32,
    end: u32,
}

impl Descendants<'_> {
    /// Passes over all that is in the node that came last.
    pub fn skip_inside(&mut self) {
        let last = NodeRef { id: NodeId(self.at - 1), ..self.of };
        self.at = self.at.max(last.end().0.min(self.end));
    }
}

impl<'t> Iterator for Descendants<'t> {
    type Item = NodeRef<'t>;

    #[inline]
    fn next(&mut self) -> Option<NodeRef<'t>> {
        let id = NodeId(self.at);
        (self.at < self.end).then(|| {
            self.at += 1;
            NodeRef { id, ..self.of }
        })
    }
}

/// The nodes that a node is in.
#[derive(Clone, Debug)]
pub struct Ancestors<'t> {
    next: Option<NodeRef<'t>>,
}

impl<'t> Iterator for Ancestors<'t> {
    type Item = NodeRef<'t>;

    #[inline]
    fn next(&mut self) -> Option<NodeRef<'t>> {
        let node = self.next?;
        self.next = node.parent();
        Some(node)
    }
}

/// Where a node begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge<'t> {
    /// It begins here.
    Open(NodeRef<'t>),
    /// It ends here.
    Close(NodeRef<'t>),
}

/// Where a node and all nodes in it begin and end.
#[derive(Clone, Debug)]
pub struct Edges<'t> {
    of: NodeRef<'t>,
    next: Option<Edge<'t>>,
}

impl<'t> Iterator for Edges<'t> {
    type Item = Edge<'t>;

    #[inline]
    fn next(&mut self) -> Option<Edge<'t>> {
        let edge = self.next?;
        self.next = match edge {
            Edge::Open(node) => Some(node.first_child().map_or(Edge::Close(node), Edge::Open)),
            Edge::Close(node) if node.id == self.of.id => None,
            Edge::Close(node) => node.next_sibling().map(Edge::Open).or_else(|| node.parent().map(Edge::Close)),
        };
        Some(edge)
    }
}
