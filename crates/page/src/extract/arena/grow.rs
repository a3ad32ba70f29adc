//! How a tree comes to be: nodes are added one after the other, moved seldom, and put in order at the end.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{Arena, Attribute, Namespace, Node, NodeId, Payload, Span};
use crate::extract::stack::MAX_DEPTH;
use crate::extract::tags::Tag;

/// A tree that grows. Its nodes are numbered as they come.
pub(in crate::extract) struct Growing {
    side: String,
    nodes: Vec<Node>,
    attributes: Vec<Attribute>,
    names: Vec<Box<str>>,
    interned: HashMap<Box<str>, u32>,
    /// Whether the order of the numbers may be another than that of the document.
    is_shuffled: bool,
    pub is_cut: bool,
    pub has_quirks: bool,
}

impl Growing {
    /// An empty tree, for a document of so many bytes.
    pub fn new(bytes: usize) -> Self {
        /// Room for a page; what takes more grows.
        const MAX_ROOM: usize = 64 * 1024;
        let mut growing = Self {
            side: String::new(),
            // Of a page, a node takes some 15 bytes, and one in four has an attribute.
            nodes: Vec::with_capacity((bytes / 16 + 16).min(MAX_ROOM)),
            attributes: Vec::with_capacity((bytes / 64).min(MAX_ROOM)),
            names: Vec::new(),
            interned: HashMap::new(),
            is_shuffled: false,
            is_cut: false,
            has_quirks: false,
        };
        growing.create(Payload::Document);
        growing
    }

    /// Number of nodes and attributes.
    #[inline]
    pub fn size(&self) -> usize {
        self.nodes.len() + self.attributes.len()
    }

    #[inline]
    pub fn parent(&self, id: NodeId) -> Option<NodeId> {
        self.nodes[id.index()].parent.some()
    }

    #[inline]
    pub fn last_child(&self, id: NodeId) -> Option<NodeId> {
        self.nodes[id.index()].last.some()
    }

    #[inline]
    pub fn previous(&self, id: NodeId) -> Option<NodeId> {
        self.nodes[id.index()].previous.some()
    }

    /// What was put aside under this name.
    pub fn side(&self, span: Span) -> Option<&str> {
        let start = span.start as usize;
        self.side.get(start..start + (span.len & !Span::SIDE) as usize).filter(|_| span.len & Span::SIDE != 0)
    }

    /// A text of the side buffer, which `write` writes there. `None`: that is full.
    pub fn aside_with(&mut self, write: impl FnOnce(&mut String)) -> Option<Span> {
        let start = self.side.len();
        write(&mut self.side);
        if self.side.len() > Span::MAX {
            self.side.truncate(start);
            self.is_cut = true;
            return None;
        }
        Some(Span { start: start as u32, len: (self.side.len() - start) as u32 | Span::SIDE })
    }

    /// A text of the side buffer. `None`: that is full.
    pub fn aside(&mut self, text: &str) -> Option<Span> {
        self.aside_with(|side| side.push_str(text))
    }

    #[inline]
    fn create(&mut self, payload: Payload) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        let none = NodeId::NONE;
        self.nodes.push(Node { parent: none, previous: none, next: none, first: none, last: none, payload });
        id
    }

    /// Index of a name that no tag has, plus one.
    pub fn intern(&mut self, name: &str) -> u32 {
        if let Some(known) = self.interned.get(name) {
            return *known;
        }
        self.names.push(name.into());
        let number = self.names.len() as u32;
        self.interned.insert(name.into(), number);
        number
    }

    /// The name of this number: see [`Growing::intern`].
    pub fn interned(&self, number: u32) -> &str {
        self.names.get((number as usize).wrapping_sub(1)).map_or("", |name| name)
    }

    /// An element that is nowhere yet, with the last `attributes_len` attributes. `name`: see [`Growing::intern`].
    #[inline]
    pub fn element(&mut self, tag: Tag, name: u32, namespace: Namespace, attributes_len: u16) -> NodeId {
        let attributes = self.attributes.len() as u32 - u32::from(attributes_len);
        self.create(Payload::Element { tag, namespace, attributes_len, attributes, name })
    }

    /// An element like another, that is nowhere yet.
    pub fn copy(&mut self, id: NodeId) -> NodeId {
        self.create(self.nodes[id.index()].payload)
    }

    #[inline]
    pub fn text(&mut self, text: Span) -> NodeId {
        self.create(Payload::Text(text))
    }

    pub fn comment(&mut self, text: Span) -> NodeId {
        self.create(Payload::Comment(text))
    }

    pub fn doctype(&mut self, text: Span) -> NodeId {
        self.create(Payload::Doctype(text))
    }

    pub fn fragment(&mut self) -> NodeId {
        self.create(Payload::Fragment)
    }

    /// One more attribute of the element that is made next.
    #[inline]
    pub fn attribute(&mut self, name: Span, value: Span) {
        self.attributes.push(Attribute { name, value });
    }

    /// Names and values of an element's attributes.
    pub fn attributes_of(&self, id: NodeId) -> &[Attribute] {
        match self.nodes[id.index()].payload {
            Payload::Element { attributes, attributes_len, .. } => {
                let start = attributes as usize;
                &self.attributes[start..start + usize::from(attributes_len)]
            }
            _ => &[],
        }
    }

    /// Gives an element the attributes in place of those it has.
    pub fn set_attributes(&mut self, id: NodeId, of: &[Attribute]) {
        let start = self.attributes.len() as u32;
        if let Payload::Element { attributes, attributes_len, .. } = &mut self.nodes[id.index()].payload {
            (*attributes, *attributes_len) = (start, of.len() as u16);
            self.attributes.extend_from_slice(of);
        }
    }

    /// Takes back the attributes that were added last.
    pub fn take_last_attributes(&mut self, len: usize) -> Vec<Attribute> {
        self.attributes.split_off(self.attributes.len().saturating_sub(len))
    }

    /// Makes a text longer, if `more` follows it where it was written.
    pub fn lengthen(&mut self, id: NodeId, more: Span) -> bool {
        let Payload::Text(text) = &mut self.nodes[id.index()].payload else { return false };
        let len = text.len & !Span::SIDE;
        let follows = text.len & Span::SIDE == more.len & Span::SIDE && text.start + len == more.start;
        if follows {
            text.len += more.len & !Span::SIDE;
        }
        follows
    }

    /// Puts a node that is nowhere behind all others in `parent`, in which the last node is.
    #[inline]
    pub fn append(&mut self, parent: NodeId, id: NodeId) {
        let last = std::mem::replace(&mut self.nodes[parent.index()].last, id);
        match last.some() {
            Some(last) => self.nodes[last.index()].next = id,
            None => self.nodes[parent.index()].first = id,
        }
        let node = &mut self.nodes[id.index()];
        (node.parent, node.previous) = (parent, last);
    }

    /// From now on nodes may come in another order than that of the document.
    pub fn shuffle(&mut self) {
        self.is_shuffled = true;
    }

    /// The same with any parent.
    pub fn append_anywhere(&mut self, parent: NodeId, id: NodeId) {
        self.is_shuffled = true;
        self.append(parent, id);
    }

    /// Puts a node that is nowhere before another.
    pub fn insert_before(&mut self, next: NodeId, id: NodeId) {
        self.is_shuffled = true;
        let Node { parent, previous, .. } = self.nodes[next.index()];
        self.nodes[next.index()].previous = id;
        match previous.some() {
            Some(previous) => self.nodes[previous.index()].next = id,
            None => self.nodes[parent.index()].first = id,
        }
        let node = &mut self.nodes[id.index()];
        (node.parent, node.previous, node.next) = (parent, previous, next);
    }

    /// Takes a node with all that is in it out of the tree.
    pub fn detach(&mut self, id: NodeId) {
        self.is_shuffled = true;
        let Node { parent, previous, next, .. } = self.nodes[id.index()];
        let Some(parent) = parent.some() else { return };
        match previous.some() {
            Some(previous) => self.nodes[previous.index()].next = next,
            None => self.nodes[parent.index()].first = next,
        }
        match next.some() {
            Some(next) => self.nodes[next.index()].previous = previous,
            None => self.nodes[parent.index()].last = previous,
        }
        let node = &mut self.nodes[id.index()];
        (node.parent, node.previous, node.next) = (NodeId::NONE, NodeId::NONE, NodeId::NONE);
    }

    /// Moves all that is in one node into another, in which nothing is; how many nodes that were.
    pub fn move_children(&mut self, from: NodeId, into: NodeId) -> usize {
        self.is_shuffled = true;
        let Node { first, last, .. } = self.nodes[from.index()];
        (self.nodes[from.index()].first, self.nodes[from.index()].last) = (NodeId::NONE, NodeId::NONE);
        (self.nodes[into.index()].first, self.nodes[into.index()].last) = (first, last);
        let (mut moved, mut at) = (0, first);
        while let Some(child) = at.some() {
            self.nodes[child.index()].parent = into;
            at = self.nodes[child.index()].next;
            moved += 1;
        }
        moved
    }

    /// The tree of `input`, its nodes in order.
    pub fn finish(mut self, input: Cow<'_, str>) -> Arena<'_> {
        if self.is_shuffled {
            self.flatten();
            self.sort();
        }
        let nodes = &mut self.nodes;
        // From the last: all that is in a node has been seen before it.
        for at in (0..nodes.len()).rev() {
            let last = nodes[at].last;
            nodes[at].last = match last.some() {
                Some(child) => nodes[child.index()].last,
                None => NodeId(at as u32 + 1),
            };
        }
        let Self { side, nodes, attributes, names, is_cut, has_quirks, .. } = self;
        Arena { input, side, nodes, attributes, names, is_cut, has_quirks }
    }

    /// The node behind `at` in the order of the document, and how much deeper it is than that.
    fn after(&self, at: NodeId, goes_in: bool) -> Option<(NodeId, isize)> {
        let node = &self.nodes[at.index()];
        if let (true, Some(first)) = (goes_in, node.first.some()) {
            return Some((first, 1));
        }
        let (mut at, mut deeper) = (at, 0);
        loop {
            let node = &self.nodes[at.index()];
            if let Some(next) = node.next.some() {
                return Some((next, deeper));
            }
            at = node.parent.some()?;
            deeper -= 1;
        }
    }

    /// Lifts elements that are deeper than [`MAX_DEPTH`], which only what was moved can be: they follow the element they
    /// were in.
    fn flatten(&mut self) {
        let (mut at, mut depth) = (NodeId::DOCUMENT, 0_isize);
        loop {
            let is_deepest = depth as usize == MAX_DEPTH;
            if is_deepest {
                let mut place = at;
                let mut below = self.nodes[at.index()].first;
                // Each element below becomes a sibling, with the texts that are its own.
                while let Some(child) = below.some() {
                    below = self.nodes[child.index()].next;
                    if matches!(self.nodes[child.index()].payload, Payload::Element { .. }) {
                        self.detach(child);
                        self.insert_after(place, child);
                        place = child;
                    }
                }
            }
            match self.after(at, !is_deepest) {
                Some((next, deeper)) => (at, depth) = (next, depth + deeper),
                None => return,
            }
        }
    }

    fn insert_after(&mut self, previous: NodeId, id: NodeId) {
        match self.nodes[previous.index()].next.some() {
            Some(next) => self.insert_before(next, id),
            None => {
                if let Some(parent) = self.parent(previous) {
                    self.append(parent, id);
                }
            }
        }
    }

    /// Numbers the nodes in the order of the document; what is nowhere in it is dropped.
    fn sort(&mut self) {
        let mut order: Vec<u32> = Vec::with_capacity(self.nodes.len());
        let mut numbers = vec![NodeId::NONE; self.nodes.len()];
        let mut at = Some((NodeId::DOCUMENT, 0));
        while let Some((id, _)) = at {
            numbers[id.index()] = NodeId(order.len() as u32);
            order.push(id.0);
            at = self.after(id, true);
        }
        let number = |id: NodeId| id.some().map_or(NodeId::NONE, |id| numbers[id.index()]);
        let sorted = order.into_iter().map(|at| {
            let node = self.nodes[at as usize];
            Node {
                parent: number(node.parent),
                previous: number(node.previous),
                next: number(node.next),
                first: number(node.first),
                last: number(node.last),
                payload: node.payload,
            }
        });
        self.nodes = sorted.collect();
        self.is_shuffled = false;
    }
}
