//! XML to a tree: names as they are written, prefixes and case kept (`media\:content` selects them).
//!
//! Document types are passed over: no entity is known but XML's own five, HTML's, and numbers, so that none can grow.
//! Nesting ends at [`MAX_DEPTH`]: what would be deeper becomes a sibling.

use html5ever::tendril::StrTendril;
use html5ever::{Attribute, LocalName, Namespace, QualName};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use scraper::node::{Element, Text};
use scraper::{Html, Node};

use super::Budget;
use super::dom::{Dom, MAX_NODES};
use crate::extract::dom::{MAX_ATTRIBUTES, MAX_DEPTH};

/// The tree of an XML document, and where it is broken, if it is: what stands before is there.
pub(super) fn parse(text: &str, budget: &Budget<'_>) -> Option<(Dom, Option<String>)> {
    let mut html = Html::new_document();
    let mut nodes = 1;
    let mut problem = None;
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    let mut open = vec![html.tree.root().id()];
    let mut names: Vec<String> = Vec::new();
    while nodes < MAX_NODES {
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
        let Some(mut parent) = parent.and_then(|id| html.tree.get_mut(*id)) else { break };
        match event {
            Event::Start(tag) => {
                let element = element(&tag);
                nodes += 1 + element.attrs.len();
                open.push(parent.append(Node::Element(element)).id());
                names.push(tag.name().as_ref().to_owned());
            }
            Event::Empty(tag) => {
                let element = element(&tag);
                nodes += 1 + element.attrs.len();
                parent.append(Node::Element(element));
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
            Event::Text(found) => nodes += append(&mut parent, &found.xml10_content()),
            Event::CData(found) => nodes += append(&mut parent, &found.xml10_content()),
            Event::GeneralRef(reference) => {
                let reference = format!("&{};", &*reference.xml10_content());
                nodes += append(&mut parent, &htmlize::unescape(reference.as_str()));
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Eof => {}
        }
    }
    let is_cut = nodes >= MAX_NODES;
    let dom = Dom::of(html, is_cut, budget)?;
    let problem = problem.or_else(|| dom.is_empty().then(|| "it has no element".to_owned()));
    Some((dom, problem))
}

/// Appends text to what is there; how many nodes that took.
fn append(parent: &mut ego_tree::NodeMut<'_, Node>, text: &str) -> usize {
    if let Some(mut last) = parent.last_child()
        && let Node::Text(there) = last.value()
    {
        there.text.push_slice(text);
        return 0;
    }
    parent.append(Node::Text(Text { text: StrTendril::from_slice(text) }));
    1
}

fn element(tag: &BytesStart<'_>) -> Element {
    let name = |name: &str| QualName::new(None, Namespace::default(), LocalName::from(name));
    let mut attributes: Vec<Attribute> = Vec::new();
    // Doubles are not checked for in quadratic time, but by their order afterwards.
    for attribute in tag.html_attributes().with_checks(false).flatten().take(MAX_ATTRIBUTES) {
        let value = htmlize::unescape_attribute(&*attribute.value);
        attributes.push(Attribute { name: name(attribute.key.as_ref()), value: StrTendril::from_slice(&value) });
    }
    Element::new(name(tag.name().as_ref()), attributes)
}
