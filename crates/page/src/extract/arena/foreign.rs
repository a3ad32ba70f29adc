//! The same tree from `scraper`'s.

use std::borrow::Cow;

use ego_tree::NodeRef;
use html5ever::ns;
use scraper::{Html, Node};

use super::grow::Growing;
use super::{Arena, Namespace, NodeId};
use crate::extract::tags::{Name, Tag};

impl Arena<'static> {
    /// A copy of `scraper`'s tree.
    pub(in crate::extract) fn of_scraper(html: &Html) -> Self {
        let mut growing = Growing::new(Cow::Borrowed(""));
        copy(html.tree.root(), NodeId::DOCUMENT, &mut growing);
        growing.set_quirks(html.quirks_mode == html5ever::tree_builder::QuirksMode::Quirks);
        growing.finish()
    }
}

fn copy(from: NodeRef<'_, Node>, into: NodeId, growing: &mut Growing<'_>) {
    for child in from.children() {
        let id = match child.value() {
            Node::Document => None,
            Node::Fragment => Some(growing.fragment()),
            Node::Doctype(doctype) => growing.doctype(doctype.name()),
            Node::Comment(comment) => growing.comment(comment),
            Node::Text(text) => growing.text(text),
            Node::ProcessingInstruction(instruction) => growing.comment(&instruction.data),
            Node::Element(element) => {
                let mut len = 0;
                for (name, value) in &element.attrs {
                    let name = match &name.prefix {
                        Some(prefix) if !prefix.is_empty() => format!("{prefix}:{}", name.local),
                        _ => name.local.to_string(),
                    };
                    len += u16::from(growing.attribute(&name, value).is_some());
                }
                let namespace = match element.name.ns {
                    ns!(html) => Namespace::Html,
                    ns!(svg) => Namespace::Svg,
                    ns!(mathml) => Namespace::MathMl,
                    _ => Namespace::None,
                };
                let (known, _) = Name::read(element.name().as_bytes());
                let tag = known.tag();
                let name = if tag.name() == element.name() && tag != Tag::Unknown {
                    0
                } else {
                    growing.intern(element.name())
                };
                Some(growing.element(tag, name, namespace, len))
            }
        };
        if let Some(id) = id {
            growing.append(into, id);
            copy(child, id, growing);
        }
    }
}
