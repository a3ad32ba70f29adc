//! How a tree comes to be: nodes are added one after the other, moved seldom, and put in order at the end.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{Arena, Attribute, Namespace, Node, NodeId, Payload, Span};
use crate::extract::tags::Tag;
use crate::extract::text::boundary;

/// A tree that grows. Its nodes are numbered as they come.
pub(in crate::extract) struct Growing<'d> {
    arena: Arena<'d>,
    interned: HashMap<Box<str>, u32>,
    /// Whether the order of the numbers may be another than that of the document.
    is_shuffled: bool,
}

impl<'d> Growing<'d> {
    pub fn new(input: Cow<'d, str>) -> Self {
        let is_cut = input.len() > Span::MAX;
        let input = match input {
            input if !is_cut => input,
            Cow::Borrowed(text) => Cow::Borrowed(&text[..boundary(text, Span::MAX)]),
            Cow::Owned(mut text) => {
                text.truncate(boundary(&text, Span::MAX));
                Cow::Owned(text)
            }
        };
        // Of a page, a node takes some 15 bytes.
        let mut nodes = Vec::with_capacity(input.len() / 16 + 16);
        nodes.push(Node {
            parent: NodeId::NONE,
            previous: NodeId::NONE,
            next: NodeId::NONE,
            first: NodeId::NONE,
            last: NodeId::NONE,
            payload: Payload::Document,
        });
        let attributes = Vec::with_capacity(input.len() / 64);
        let arena =
            Arena { input, side: String::new(), nodes, attributes, names: Vec::new(), is_cut, has_quirks: false };
        Self { arena, interned: HashMap::new(), is_shuffled: false }
    }

    /// A text of the side buffer. `None`: that is full.
    fn aside(&mut self, text: &str) -> Option<Span> {
        let start = self.arena.side.len();
        if start + text.len() > Span::MAX {
            self.arena.is_cut = true;
            return None;
        }
        self.arena.side.push_str(text);
        Some(Span { start: start as u32, len: text.len() as u32 | Span::SIDE })
    }

    fn create(&mut self, payload: Payload) -> NodeId {
        let id = NodeId(self.arena.nodes.len() as u32);
        self.arena.nodes.push(Node {
            parent: NodeId::NONE,
            previous: NodeId::NONE,
            next: NodeId::NONE,
            first: NodeId::NONE,
            last: NodeId::NONE,
            payload,
        });
        id
    }

    /// Index of a name that no tag has, plus one.
    pub fn intern(&mut self, name: &str) -> u32 {
        if let Some(known) = self.interned.get(name) {
            return *known;
        }
        self.arena.names.push(name.into());
        let number = self.arena.names.len() as u32;
        self.interned.insert(name.into(), number);
        number
    }

    /// An element that is nowhere yet, with the last `attributes_len` attributes. `name`: see [`Growing::intern`].
    pub fn element(&mut self, tag: Tag, name: u32, namespace: Namespace, attributes_len: u16) -> NodeId {
        let attributes = self.arena.attributes.len() as u32 - u32::from(attributes_len);
        self.create(Payload::Element { tag, namespace, attributes_len, attributes, name })
    }

    pub fn text(&mut self, text: &str) -> Option<NodeId> {
        let span = self.aside(text)?;
        Some(self.create(Payload::Text(span)))
    }

    pub fn comment(&mut self, text: &str) -> Option<NodeId> {
        let span = self.aside(text)?;
        Some(self.create(Payload::Comment(span)))
    }

    pub fn doctype(&mut self, text: &str) -> Option<NodeId> {
        let span = self.aside(text)?;
        Some(self.create(Payload::Doctype(span)))
    }

    pub fn fragment(&mut self) -> NodeId {
        self.create(Payload::Fragment)
    }

    pub fn attribute(&mut self, name: &str, value: &str) -> Option<()> {
        let (name, value) = (self.aside(name)?, self.aside(value)?);
        self.arena.attributes.push(Attribute { name, value });
        Some(())
    }

    pub fn set_quirks(&mut self, has_quirks: bool) {
        self.arena.has_quirks = has_quirks;
    }

    /// Puts a node that is nowhere behind all others in `parent`, which must be open: the last node's parent, or around
    /// that.
    #[inline]
    pub fn append(&mut self, parent: NodeId, id: NodeId) {
        let last = std::mem::replace(&mut self.arena.nodes[parent.index()].last, id);
        match last.some() {
            Some(last) => self.arena.nodes[last.index()].next = id,
            None => self.arena.nodes[parent.index()].first = id,
        }
        let node = &mut self.arena.nodes[id.index()];
        (node.parent, node.previous) = (parent, last);
    }

    /// The tree, its nodes in order.
    pub fn finish(mut self) -> Arena<'d> {
        if self.is_shuffled {
            self.sort();
        }
        let nodes = &mut self.arena.nodes;
        // From the last: all that is in a node has been seen before it.
        for at in (0..nodes.len()).rev() {
            let last = nodes[at].last;
            nodes[at].last = match last.some() {
                Some(child) => nodes[child.index()].last,
                None => NodeId(at as u32 + 1),
            };
        }
        self.arena
    }

    /// Numbers the nodes in the order of the document; what is nowhere in it is dropped.
    fn sort(&mut self) {
        let nodes = &self.arena.nodes;
        let mut order: Vec<u32> = Vec::with_capacity(nodes.len());
        let mut numbers = vec![NodeId::NONE; nodes.len()];
        let mut at = NodeId::DOCUMENT;
        'walk: loop {
            numbers[at.index()] = NodeId(order.len() as u32);
            order.push(at.0);
            if let Some(first) = nodes[at.index()].first.some() {
                at = first;
                continue;
            }
            loop {
                if let Some(next) = nodes[at.index()].next.some() {
                    at = next;
                    break;
                }
                match nodes[at.index()].parent.some() {
                    Some(parent) => at = parent,
                    None => break 'walk,
                }
            }
        }
        let number = |id: NodeId| id.some().map_or(NodeId::NONE, |id| numbers[id.index()]);
        self.arena.nodes = order
            .into_iter()
            .map(|at| {
                let node = nodes[at as usize];
                Node {
                    parent: number(node.parent),
                    previous: number(node.previous),
                    next: number(node.next),
                    first: number(node.first),
                    last: number(node.last),
                    payload: node.payload,
                }
            })
            .collect();
        self.is_shuffled = false;
    }
}
