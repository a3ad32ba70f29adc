//! XML to a tree: names as they are written, prefixes and case kept (`media\:content` selects them).
//!
//! Document types are passed over: no entity is known but XML's own five, HTML's, and numbers, so that none can grow.
//! Nesting ends at [`MAX_DEPTH`]: what would be deeper becomes a sibling.

use std::borrow::Cow;
use std::collections::HashSet;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::Budget;
use super::dom::Dom;
use crate::extract::arena::{Growing, MAX_NODES, Namespace, NodeId};
use crate::extract::stack::MAX_DEPTH;
use crate::extract::tags::{Name, Tag};
use crate::extract::tokenize::MAX_ATTRIBUTES;

/// The tree of an XML document, and where it is broken, if it is: what stands before is there.
pub(super) fn parse(text: &str, budget: &Budget<'_>) -> Option<(Dom<'static>, Option<String>)> {
    let mut tree = Growing::new(text.len());
    let mut problem = None;
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    let mut open = vec![NodeId::DOCUMENT];
    let mut names: Vec<String> = Vec::new();
    while tree.size() < MAX_NODES && !tree.is_cut {
        let before = reader.buffer_position();
        let event = match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(event) => event,
            Err(error) => {
                problem = Some(format!("at byte {}: {error}", reader.error_position()));
                break;
            }
        };
        budget.spend(1 + usize::try_from((reader.buffer_position() - before) / 16).unwrap_or(usize::MAX))?;
        // Of elements; text stands in the innermost one, however deep.
        let parent = if matches!(event, Event::Start(_) | Event::Empty(_)) {
            open.get(MAX_DEPTH - 1).or(open.last())
        } else {
            open.last()
        };
        let Some(parent) = parent.copied() else { break };
        if open.len() > MAX_DEPTH {
            tree.shuffle();
        }
        match event {
            Event::Start(tag) => {
                let Some(element) = element(&mut tree, &tag) else { break };
                tree.append(parent, element);
                open.push(element);
                names.push(tag.name().as_ref().to_owned());
            }
            Event::Empty(tag) => {
                let Some(element) = element(&mut tree, &tag) else { break };
                tree.append(parent, element);
            }
            Event::End(tag) => {
                // Tags that were never closed end with those around them; what was never opened ends nothing. Only so
                // many are looked at: a document that is deeper and broken is not worth quadratic time.
                let is_it = |name: &&String| name.as_str() == tag.name().as_ref();
                if let Some(depth) = names.iter().rev().take(64).position(|name| is_it(&name)) {
                    names.truncate(names.len() - depth - 1);
                    open.truncate(names.len() + 1);
                }
            }
            Event::Text(found) => append(&mut tree, parent, &found.xml10_content()),
            Event::CData(found) => append(&mut tree, parent, &found.xml10_content()),
            Event::GeneralRef(reference) => {
                let reference = format!("&{};", &*reference.xml10_content());
                append(&mut tree, parent, &htmlize::unescape(reference.as_str()));
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Eof => {}
        }
    }
    tree.is_cut |= tree.size() >= MAX_NODES;
    let dom = Dom::of(tree.finish(Cow::Borrowed("")));
    let problem = problem.or_else(|| dom.is_empty().then(|| "it has no element".to_owned()));
    Some((dom, problem))
}

/// Appends text to what is there.
fn append(tree: &mut Growing, parent: NodeId, text: &str) {
    let Some(text) = tree.aside(text) else { return };
    if !tree.last_child(parent).is_some_and(|last| tree.lengthen(last, text)) {
        let text = tree.text(text);
        tree.append(parent, text);
    }
}

/// An element that is nowhere yet. `None`: there is no more room.
fn element(tree: &mut Growing, tag: &BytesStart<'_>) -> Option<NodeId> {
    let mut count = 0;
    let mut seen = HashSet::new();
    for attribute in tag.html_attributes().with_checks(false).flatten().take(MAX_ATTRIBUTES) {
        // Doubles are not checked for in quadratic time.
        if seen.insert(attribute.key.as_ref().to_owned()) {
            let name = tree.aside(attribute.key.as_ref())?;
            let value = tree.aside(&htmlize::unescape_attribute(&*attribute.value))?;
            tree.attribute(name, value);
            count += 1;
        }
    }
    let name = tag.name();
    let written: &str = name.as_ref();
    let (known, _) = Name::read(written.as_bytes());
    // A name in another case is another name.
    let tag = if known.tag().name() == written { known.tag() } else { Tag::Unknown };
    let number = if tag == Tag::Unknown { tree.intern(written) } else { 0 };
    Some(tree.element(tag, number, Namespace::None, count))
}
