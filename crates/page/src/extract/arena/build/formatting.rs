//! Formatting elements: those that are opened again where a block has ended them, and how they are sorted out where they
//! are misnested.

use super::{Builder, Flow, NodeId, Open, Word, open};
use crate::extract::tags::Tag;

/// Most formatting elements, and bounds between them, that are remembered; the oldest is forgotten then.
pub(super) const MAX_FORMATTING: usize = 1024;

/// One of the list.
#[derive(Clone, Copy, Debug)]
enum Entry {
    /// The bound of a cell, a template and the like.
    Marker,
    Element {
        element: Open,
        /// Whether it is on the stack.
        is_open: bool,
    },
}

/// "The list of active formatting elements".
#[derive(Default)]
pub(super) struct Formatting {
    list: Vec<Entry>,
}

impl Formatting {
    pub fn mark(&mut self) {
        self.push(Entry::Marker);
    }

    fn push(&mut self, entry: Entry) {
        if self.list.len() >= MAX_FORMATTING {
            self.list.remove(0);
        }
        self.list.push(entry);
    }

    /// Forgets all up to the last bound.
    pub fn clear_to_marker(&mut self) {
        while let Some(Entry::Element { .. }) = self.list.pop() {}
    }

    /// An element is no longer on the stack.
    #[inline]
    pub fn closed(&mut self, open: &Open) {
        if !open::is_formatting(open.number) {
            return;
        }
        for entry in self.list.iter_mut().rev() {
            if let Entry::Element { element, is_open } = entry
                && element.id == open.id
            {
                *is_open = false;
                return;
            }
        }
    }

    fn position(&self, id: NodeId) -> Option<usize> {
        self.list.iter().rposition(|entry| matches!(entry, Entry::Element { element, .. } if element.id == id))
    }

    /// The last element of this tag behind the last bound, and its place.
    fn last(&self, tag: Tag) -> Option<(usize, Open)> {
        for (index, entry) in self.list.iter().enumerate().rev() {
            match entry {
                Entry::Marker => return None,
                Entry::Element { element, .. } if element.tag == tag => return Some((index, *element)),
                Entry::Element { .. } => {}
            }
        }
        None
    }
}

impl Builder<'_> {
    /// Opens a formatting element. Of those that are alike, three are remembered ("Noah's Ark").
    pub(super) fn insert_formatting(&mut self, word: Word) -> Flow {
        let element = self.insert(word);
        let (mut alike, mut first) = (0, None);
        for (index, entry) in self.formatting.list.iter().enumerate().rev() {
            match entry {
                Entry::Marker => break,
                Entry::Element { element: other, .. } => {
                    if other.tag == element.tag && self.has_same_attributes(other.id, element.id) {
                        (alike, first) = (alike + 1, Some(index));
                    }
                }
            }
        }
        if let (true, Some(first)) = (alike >= 3, first) {
            self.formatting.list.remove(first);
        }
        self.formatting.push(Entry::Element { element, is_open: true });
        Flow::Done
    }

    /// Whether two elements have the same attributes, in whatever order.
    fn has_same_attributes(&self, one: NodeId, other: NodeId) -> bool {
        let (one, other) = (self.tree.attributes_of(one), self.tree.attributes_of(other));
        one.len() == other.len()
            && one.iter().zip(other).enumerate().all(|(at, (attribute, beside))| {
                let (name, value) = (self.str(attribute.name), self.str(attribute.value));
                let is_it = |other: &super::Attribute| self.str(other.name) == name && self.str(other.value) == value;
                is_it(beside) || at < super::FEW_ATTRIBUTES && other.iter().take(super::FEW_ATTRIBUTES).any(is_it)
            })
    }

    /// "Reconstruct the active formatting elements".
    #[inline]
    pub(super) fn reconstruct(&mut self) {
        if let Some(Entry::Element { is_open: false, .. }) = self.formatting.list.last() {
            self.reopen();
        }
    }

    fn reopen(&mut self) {
        let list = &self.formatting.list;
        let is_shut = |entry: &Entry| matches!(entry, Entry::Element { is_open: false, .. });
        let first = list.iter().rposition(|entry| !is_shut(entry)).map_or(0, |index| index + 1);
        for index in first..self.formatting.list.len() {
            let Some(Entry::Element { element: old, .. }) = self.formatting.list.get(index).copied() else { break };
            if self.stack.last().is_some_and(|current| usize::from(current.depth) >= super::MAX_DEPTH) {
                break;
            }
            let mut element = Open { id: self.tree.copy(old.id), ..old };
            element.inside = element.id;
            self.place_element(&mut element);
            self.stack.push(element);
            self.formatting.list[index] = Entry::Element { element, is_open: true };
        }
    }

    /// `<a>` inside `<a>` ends the outer one.
    pub(super) fn end_open_anchor(&mut self) {
        let Some((_, anchor)) = self.formatting.last(Tag::A) else { return };
        self.adopt(Tag::A.into());
        if let Some(index) = self.formatting.position(anchor.id) {
            self.formatting.list.remove(index);
        }
        if let Some(index) = self.stack.position(anchor.id) {
            self.remove(index);
        }
    }

    /// The "adoption agency algorithm".
    pub(super) fn adopt(&mut self, word: Word) -> Flow {
        if let Some(current) = self.stack.last()
            && current.number == word.tag as u8
            && self.formatting.position(current.id).is_none()
        {
            self.pop();
            return Flow::Done;
        }
        for _ in 0..8 {
            let Some((entry, formatting)) = self.formatting.last(word.tag) else {
                return self.end_any_other(word);
            };
            let Some(index) = self.stack.position(formatting.id) else {
                self.formatting.list.remove(entry);
                return Flow::Done;
            };
            if !self.stack.is_in_scope(index) {
                return Flow::Done;
            }
            let Some(furthest_index) = self.stack.first_special(index) else {
                self.close_from(index);
                self.formatting.list.remove(entry);
                return Flow::Done;
            };
            self.adopt_block(entry, formatting, index, furthest_index);
        }
        Flow::Done
    }

    /// Moves a block that is inside of a formatting element out of it, and a copy of that into the block.
    fn adopt_block(&mut self, entry: usize, formatting: Open, index: usize, furthest_index: usize) {
        let (Some(furthest), Some(ancestor)) = (
            self.stack.get(furthest_index).copied(),
            index.checked_sub(1).and_then(|index| self.stack.get(index)).copied(),
        ) else {
            return;
        };
        // Where in the list the copy will be.
        let mut bookmark = entry;
        let mut last = furthest;
        for (step, at) in (index + 1..furthest_index).rev().enumerate() {
            let Some(node) = self.stack.get(at).copied() else { continue };
            let position = self.formatting.position(node.id);
            let Some(position) = position.filter(|_| step < 3) else {
                self.stack.remove(at);
                if let Some(position) = position {
                    self.formatting.list.remove(position);
                    bookmark -= usize::from(position < bookmark);
                }
                continue;
            };
            let mut copy = Open { id: self.tree.copy(node.id), ..node };
            copy.inside = copy.id;
            self.stack.replace(at, copy);
            self.formatting.list[position] = Entry::Element { element: copy, is_open: true };
            if last.id == furthest.id {
                bookmark = position + 1;
            }
            self.tree.detach(last.id);
            self.tree.append_anywhere(copy.id, last.id);
            last = copy;
        }
        self.tree.detach(last.id);
        let place = self.place(Some(&ancestor));
        self.put(last.id, place);

        let mut copy = Open { id: self.tree.copy(formatting.id), ..formatting };
        copy.inside = copy.id;
        self.tree.move_children(furthest.inside, copy.id);
        self.tree.append_anywhere(furthest.inside, copy.id);

        // The copy takes the place of the bookmark, and the element itself is gone from the list.
        if let Some(old) = self.formatting.position(formatting.id) {
            self.formatting.list.remove(old);
            bookmark -= usize::from(old < bookmark);
        }
        let bookmark = bookmark.min(self.formatting.list.len());
        self.formatting.list.insert(bookmark, Entry::Element { element: copy, is_open: true });
        if let Some(index) = self.stack.position(formatting.id) {
            self.stack.remove(index);
        }
        if let Some(index) = self.stack.position(furthest.id) {
            copy.depth = furthest.depth + 1;
            self.stack.insert(index + 1, copy);
        }
    }

    /// "Any other end tag" in the body.
    pub(super) fn end_any_other(&mut self, word: Word) -> Flow {
        if let Some(index) = self.stack.named(word.key) {
            self.close_from(index);
        }
        Flow::Done
    }
}
