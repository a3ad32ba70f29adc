//! The tree that `html5ever` builds, to compare with.

use std::borrow::Cow;

use ego_tree::NodeRef;
use html5ever::tendril::TendrilSink;
use html5ever::tree_builder::TreeBuilderOpts;
use html5ever::{ParseOpts, ns};
use scraper::{Html, HtmlTreeSink, Node};

use super::grow::Growing;
use super::{Arena, Namespace, NodeId};
use crate::extract::tags::{Name, Tag};

impl Arena<'static> {
    /// The tree of a page, of any depth.
    pub(in crate::extract) fn judge(page: &str) -> Self {
        let options = TreeBuilderOpts { scripting_enabled: false, ..TreeBuilderOpts::default() };
        let options = ParseOpts { tree_builder: options, ..ParseOpts::default() };
        let sink = HtmlTreeSink::new(Html::new_document());
        Self::of_scraper(&html5ever::parse_document(sink, options).one(page))
    }

    /// A copy of `scraper`'s tree.
    fn of_scraper(html: &Html) -> Self {
        let mut growing = Growing::new(0);
        copy(html.tree.root(), NodeId::DOCUMENT, &mut growing);
        growing.has_quirks = html.quirks_mode == html5ever::tree_builder::QuirksMode::Quirks;
        growing.finish(Cow::Borrowed(""))
    }
}

fn attribute(growing: &mut Growing, name: &str, value: &str) -> Option<()> {
    let (name, value) = (growing.aside(name)?, growing.aside(value)?);
    growing.attribute(name, value);
    Some(())
}

fn copy(from: NodeRef<'_, Node>, into: NodeId, growing: &mut Growing) {
    for child in from.children() {
        let id = match child.value() {
            Node::Document => None,
            Node::Fragment => Some(growing.fragment()),
            Node::Doctype(doctype) => growing.aside(doctype.name()).map(|text| growing.doctype(text)),
            Node::Comment(comment) => growing.aside(comment).map(|text| growing.comment(text)),
            Node::Text(text) => growing.aside(text).map(|text| growing.text(text)),
            Node::ProcessingInstruction(instruction) => {
                growing.aside(&instruction.data).map(|text| growing.comment(text))
            }
            Node::Element(element) => {
                let mut len = 0;
                for (name, value) in &element.attrs {
                    let name = match &name.prefix {
                        Some(prefix) if !prefix.is_empty() => format!("{prefix}:{}", name.local),
                        _ => name.local.to_string(),
                    };
                    len += u16::from(attribute(growing, &name, value).is_some());
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
