//! The open elements, `<html>` first.

use crate::extract::arena::NodeId;
use crate::extract::stack::{SVG, has};
use crate::extract::tags::{FORMATTING, HEADING, IMPLIED_END, SCOPE, SPECIAL, Tag};

/// A name as a number: that of its tag, or beyond all tags that under which it was interned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u32);

impl Key {
    const TAGS: u32 = 256;

    pub fn of(tag: Tag) -> Self {
        Self(tag as u32)
    }

    pub fn interned(number: u32) -> Self {
        Self(Self::TAGS + number)
    }

    /// The number under which it was interned; 0 if it is that of its tag.
    pub fn number(self) -> u32 {
        self.0.saturating_sub(Self::TAGS)
    }
}

/// An open element.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    pub id: NodeId,
    /// Where nodes in it go: into the contents, if it is a template.
    pub inside: NodeId,
    /// Its name in lower case.
    pub key: Key,
    pub tag: Tag,
    /// Number of its tag, or one for what is not HTML: see [`crate::extract::stack`].
    pub number: u8,
    /// How many nodes it is in.
    pub depth: u16,
}

/// The stack of open elements.
pub struct Stack {
    elements: Vec<Open>,
    /// How many elements of each number are open.
    counts: [u16; 256],
}

impl Stack {
    pub fn new() -> Self {
        Self { elements: Vec::with_capacity(64), counts: [0; 256] }
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    #[inline]
    pub fn last(&self) -> Option<&Open> {
        self.elements.last()
    }

    #[inline]
    pub fn get(&self, index: usize) -> Option<&Open> {
        self.elements.get(index)
    }

    /// Whether the innermost element is this one of HTML.
    #[inline]
    pub fn is_in(&self, tag: Tag) -> bool {
        self.number() == Some(tag as u8)
    }

    /// Number of the innermost element.
    #[inline]
    pub fn number(&self) -> Option<u8> {
        self.elements.last().map(|open| open.number)
    }

    #[inline]
    pub fn has_open(&self, tag: Tag) -> bool {
        self.counts[tag as usize] > 0
    }

    #[inline]
    pub fn push(&mut self, open: Open) {
        self.counts[open.number as usize] += 1;
        self.elements.push(open);
    }

    /// The innermost element, which is no longer open.
    #[inline]
    pub fn pop(&mut self) -> Option<Open> {
        let open = self.elements.pop()?;
        self.counts[open.number as usize] -= 1;
        Some(open)
    }

    pub fn remove(&mut self, index: usize) -> Open {
        let open = self.elements.remove(index);
        self.counts[open.number as usize] -= 1;
        open
    }

    pub fn insert(&mut self, index: usize, open: Open) {
        self.counts[open.number as usize] += 1;
        self.elements.insert(index, open);
    }

    /// Another element in the place of one with the same name.
    pub fn replace(&mut self, index: usize, open: Open) {
        self.elements[index] = open;
    }

    /// The place of an element.
    pub fn position(&self, id: NodeId) -> Option<usize> {
        self.elements.iter().rposition(|open| open.id == id)
    }

    /// The place of the innermost element that is meant.
    #[inline]
    pub fn innermost(&self, is_meant: impl Fn(u8) -> bool) -> Option<usize> {
        self.elements.iter().rposition(|open| is_meant(open.number))
    }

    /// The place of the first special element from `from` on.
    pub fn first_special(&self, from: usize) -> Option<usize> {
        self.elements[from..].iter().position(|open| has(open.number, SPECIAL)).map(|offset| from + offset)
    }

    /// The place of the innermost `tag`, unless an element that `is_barrier` is open inside it.
    #[inline]
    pub fn find(&self, tag: Tag, is_barrier: impl Fn(u8) -> bool) -> Option<usize> {
        if !self.has_open(tag) {
            return None;
        }
        let index = self.innermost(|number| number == tag as u8 || is_barrier(number))?;
        (self.elements[index].number == tag as u8).then_some(index)
    }

    /// The same "in scope".
    #[inline]
    pub fn in_scope(&self, tag: Tag) -> Option<usize> {
        self.find(tag, |number| has(number, SCOPE))
    }

    /// The same for a paragraph, "in button scope".
    #[inline]
    pub fn p_in_scope(&self) -> Option<usize> {
        self.find(Tag::P, |number| has(number, SCOPE) || number == Tag::Button as u8)
    }

    /// The same "in list item scope".
    pub fn li_in_scope(&self) -> Option<usize> {
        self.find(Tag::Li, |number| has(number, SCOPE) || number == Tag::Ol as u8 || number == Tag::Ul as u8)
    }

    /// The same "in table scope".
    pub fn in_table_scope(&self, tag: Tag) -> Option<usize> {
        self.find(tag, ends_table_scope)
    }

    /// The same for the innermost element that is any of those meant.
    pub fn any_in_table_scope(&self, is_meant: impl Fn(u8) -> bool) -> Option<usize> {
        let index = self.innermost(|number| is_meant(number) || ends_table_scope(number))?;
        is_meant(self.elements[index].number).then_some(index)
    }

    /// The same for a heading of any level, "in scope".
    pub fn heading_in_scope(&self) -> Option<usize> {
        let index = self.innermost(|number| has(number, HEADING | SCOPE))?;
        has(self.elements[index].number, HEADING).then_some(index)
    }

    /// Whether an element is "in scope", given its place.
    pub fn is_in_scope(&self, index: usize) -> bool {
        !self.elements[index + 1..].iter().any(|open| has(open.number, SCOPE))
    }

    /// The place of the innermost HTML element of this name, unless a special one is open inside it.
    pub fn named(&self, key: Key) -> Option<usize> {
        for (index, open) in self.elements.iter().enumerate().rev() {
            if open.number < SVG && open.key == key {
                return Some(index);
            }
            if has(open.number, SPECIAL) {
                return None;
            }
        }
        None
    }
}

fn ends_table_scope(number: u8) -> bool {
    number == Tag::Table as u8 || number == Tag::Template as u8 || number == Tag::Html as u8
}

/// Whether the end tag of the element with this number may be missing.
pub fn is_implied(number: u8) -> bool {
    has(number, IMPLIED_END)
}

/// Whether the element with this number is a formatting element.
pub fn is_formatting(number: u8) -> bool {
    has(number, FORMATTING)
}
