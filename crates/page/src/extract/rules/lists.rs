//! The elements of a tree by their tags, so that a selector looks only at those that it may mean.

use std::borrow::Cow;
use std::ops::Range;

use super::Budget;
use crate::extract::arena::{Arena, NodeRef};
use crate::extract::tags::Tag;

/// What every element has that one of a selector's alternatives means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// This tag.
    Tag(Tag),
    /// This tag, or a name that is no tag's: of XML or SVG, whose names have a case.
    TagOrUnknown(Tag),
    /// An id.
    Id,
    /// A class.
    Class,
    /// An attribute.
    Attribute,
    /// Nothing.
    Any,
}

/// Elements no more than which are looked at one by one.
const FEW: usize = 32;

/// Numbers of elements, each list in the order of the document.
#[derive(Debug)]
pub(super) struct Lists {
    /// Tag by tag ...
    by_tag: Vec<u32>,
    /// ... and where each begins.
    starts: Vec<u32>,
    all: Vec<u32>,
    with_id: Vec<u32>,
    with_class: Vec<u32>,
    with_attributes: Vec<u32>,
}

impl Lists {
    /// `None`: told to stop.
    pub fn of(tree: &Arena<'_>, budget: &Budget<'_>) -> Option<Self> {
        let mut starts = vec![0_u32; 257];
        let (mut all, mut tags) = (Vec::with_capacity(tree.len() / 2), Vec::with_capacity(tree.len() / 2));
        let (mut with_id, mut with_class, mut with_attributes) = (Vec::new(), Vec::new(), Vec::new());
        for element in tree.descendants().filter_map(NodeRef::as_element) {
            budget.spend(1)?;
            let number = element.id().index() as u32;
            let tag = element.tag() as u8;
            starts[usize::from(tag) + 1] += 1;
            all.push(number);
            tags.push(tag);
            let attributes = element.attributes();
            if attributes.len() > 0 {
                with_attributes.push(number);
                budget.spend(attributes.len() / 8)?;
                let (mut has_id, mut has_class) = (false, false);
                for (name, _) in attributes {
                    has_id |= name == "id";
                    has_class |= name == "class";
                }
                with_id.extend(has_id.then_some(number));
                with_class.extend(has_class.then_some(number));
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut next = starts.clone();
        let mut by_tag = vec![0; all.len()];
        for (number, tag) in all.iter().zip(tags) {
            let at = &mut next[usize::from(tag)];
            by_tag[*at as usize] = *number;
            *at += 1;
        }
        Some(Self { by_tag, starts, all, with_id, with_class, with_attributes })
    }

    /// The elements of a tag, of any namespace.
    pub fn tag(&self, tag: Tag) -> &[u32] {
        let at = |index: usize| self.starts[index] as usize;
        &self.by_tag[at(tag as usize)..at(tag as usize + 1)]
    }

    /// The elements with an id.
    pub fn with_id(&self) -> &[u32] {
        &self.with_id
    }

    /// The elements in a range of nodes that have one of the keys.
    pub fn candidates(&self, keys: &[Key], range: Range<usize>) -> Cow<'_, [u32]> {
        if range.len() <= FEW || keys.contains(&Key::Any) {
            return Cow::Borrowed(within(&self.all, &range));
        }
        let lists = |key: &Key| match *key {
            Key::Tag(tag) => [self.tag(tag), &[]],
            Key::TagOrUnknown(tag) => [self.tag(tag), if tag == Tag::Unknown { &[] } else { self.tag(Tag::Unknown) }],
            Key::Id => [&*self.with_id, &[]],
            Key::Class => [&*self.with_class, &[]],
            Key::Attribute => [&*self.with_attributes, &[]],
            Key::Any => [&*self.all, &[]],
        };
        let mut lists = keys.iter().flat_map(lists).filter(|list| !list.is_empty());
        let first = within(lists.next().unwrap_or_default(), &range);
        let mut merged: Option<Vec<u32>> = None;
        for list in lists {
            merged.get_or_insert_with(|| first.to_vec()).extend_from_slice(within(list, &range));
        }
        match merged {
            None => Cow::Borrowed(first),
            Some(mut merged) => {
                merged.sort_unstable();
                merged.dedup();
                Cow::Owned(merged)
            }
        }
    }
}

fn within<'l>(list: &'l [u32], range: &Range<usize>) -> &'l [u32] {
    let place = |end: usize| list.partition_point(|number| (*number as usize) < end);
    let start = place(range.start);
    &list[start..place(range.end).max(start)]
}
