//! Finds the elements, JSON values and properties that sources name.

use std::collections::HashSet;

use serde_json::Value;

use super::apply::Scope;
use super::compiled::{Place, Source, Take};
use super::document::{Body, Document};
use super::dom::{Dom, Index};
use super::microdata::{self, PropertyValue};
use super::path::Path;
use super::values::Raw;
use super::xpath::Hit;
use super::{Budget, MAX_FIELD_VALUES, MAX_VALUE_BYTES};
use crate::extract::tags::Tag;
use seine_core::record::items::FieldType;

/// A page to look on.
#[derive(Clone, Copy)]
pub(super) struct Places<'a, 'p> {
    pub document: &'a Document<'p>,
    pub budget: &'a Budget<'a>,
}

/// The source that is looked at, and for which field.
pub(super) struct Look<'r> {
    pub source: &'r Source,
    /// The type of the field.
    pub kind: FieldType,
    /// Whether more than one value is wanted.
    pub is_several: bool,
}

impl Look<'_> {
    fn folds(&self) -> bool {
        self.source.folds(self.kind)
    }
}

impl<'a> Places<'a, '_> {
    /// Passes the values that a source finds to `take`, one by one, until it has enough. `None`: told to stop.
    pub fn gather(
        &self,
        look: &Look<'_>,
        scope: Scope<'a>,
        take: &mut dyn FnMut(Raw<'_>) -> Option<bool>,
    ) -> Option<()> {
        match &look.source.place {
            Place::Css { selector, take: what } => {
                let Some(dom) = self.document.tree() else { return Some(()) };
                if matches!(scope, Scope::Value(_)) {
                    return Some(());
                }
                let mut visit = |index| self.element(dom, index, what, look, take);
                match selector {
                    Some(selector) => dom.select_while(selector, scope.element(), self.budget, &mut visit),
                    None => visit(scope.element().unwrap_or(dom.first())).map(|_| ()),
                }
            }
            Place::Found { finder, take: what } => {
                let (Some(dom), Scope::Page | Scope::Element(_)) = (self.document.tree(), scope) else {
                    return Some(());
                };
                finder.find(dom, scope.element(), self.budget, &mut |hit| match hit {
                    Hit::Element(index) => self.element(dom, index, what, look, take),
                    Hit::Text(text) if matches!(what, Take::Text) => take(Raw::Text(&text)),
                    Hit::Data(text) if matches!(what, Take::Text) => take(Raw::Data(&text)),
                    Hit::Text(_) | Hit::Data(_) => Some(true),
                })
            }
            Place::Json(path) => emit(&self.json_nodes(path, scope, MAX_FIELD_VALUES + 1)?, look.kind, take),
            Place::Jsonld(path) => emit(&self.jsonld_nodes(path, scope, MAX_FIELD_VALUES + 1)?, look.kind, take),
            Place::Microdata(path) => {
                let (Some(dom), Scope::Page | Scope::Element(_)) = (self.document.tree(), scope) else {
                    return Some(());
                };
                for index in path.elements(dom, scope.element(), self.budget)? {
                    if !self.property(dom, index, look, take)? {
                        break;
                    }
                }
                Some(())
            }
            Place::Meta(name) => {
                let Some(dom) = self.document.tree() else { return Some(()) };
                let is_named = |value: Option<&str>| value.is_some_and(|value| value.trim().eq_ignore_ascii_case(name));
                for index in dom.of_tag(Tag::Meta, self.budget)? {
                    self.budget.spend(1)?;
                    let Some(element) = dom.element(*index as Index) else { continue };
                    if ["property", "name", "itemprop", "http-equiv"].iter().any(|key| is_named(element.attr(key)))
                        && let Some(content) = element.attr("content")
                        && !take(Raw::Data(content))?
                    {
                        break;
                    }
                }
                Some(())
            }
        }
    }

    /// The value of a microdata property.
    fn property(
        &self,
        dom: &Dom<'_>,
        index: Index,
        look: &Look<'_>,
        take: &mut dyn FnMut(Raw<'_>) -> Option<bool>,
    ) -> Option<bool> {
        let Some(element) = dom.element(index) else { return Some(true) };
        match microdata::value(element) {
            PropertyValue::Data(text) => take(Raw::Data(text)),
            PropertyValue::Url(href) => {
                let url = self.document.base(self.budget)?.join(href.trim());
                take(Raw::Data(url.as_ref().map_or(href, url::Url::as_str)))
            }
            PropertyValue::Text => take(Raw::Text(&self.document.text(index, false, look.folds(), self.budget)?)),
            // An item is asked for by its name, as of a product's brand; one without a name is its text.
            PropertyValue::Item => match microdata::name_of(dom, index, self.budget)? {
                Some(name) => self.property(dom, name, look, take),
                None => take(Raw::Text(&self.document.text(index, false, look.folds(), self.budget)?)),
            },
        }
    }

    /// Takes the text, HTML, attribute or JSON of one element, as the source says.
    fn element(
        &self,
        dom: &Dom<'_>,
        index: Index,
        what: &Take,
        look: &Look<'_>,
        take: &mut dyn FnMut(Raw<'_>) -> Option<bool>,
    ) -> Option<bool> {
        match what {
            Take::Text | Take::OwnText => {
                let text = self.document.text(index, matches!(what, Take::OwnText), look.folds(), self.budget)?;
                // The first match, whatever its text is.
                Some(take(Raw::Text(&text))? && look.is_several)
            }
            Take::Html => {
                let html = dom.inner_html(index, MAX_VALUE_BYTES + 1, self.budget)?;
                Some(take(Raw::Html(&html))? && look.is_several)
            }
            Take::Attribute(name) => {
                let Some(element) = dom.element(index) else { return Some(true) };
                match element.attr(name).or_else(|| element.attr(&name.to_ascii_lowercase())) {
                    Some(value) => take(Raw::Text(value)),
                    None => Some(true),
                }
            }
            Take::Json(path) => {
                let Some(value) = self.document.script(index, self.budget)? else { return Some(true) };
                let mut goes_on = true;
                let nodes = path.nodes(&value, MAX_FIELD_VALUES + 1, self.budget)?;
                emit(&nodes, look.kind, &mut |raw| {
                    goes_on = take(raw)?;
                    Some(goes_on)
                })?;
                Some(goes_on)
            }
        }
    }

    pub fn json_nodes(&self, path: &Path, scope: Scope<'a>, limit: usize) -> Option<Vec<&'a Value>> {
        match (scope, &self.document.body) {
            (Scope::Value(value), _) | (_, Body::Json(value)) => path.nodes(value, limit, self.budget),
            _ => Some(Vec::new()),
        }
    }

    /// Nodes of the JSON-LD. A path starts at each block; at its graph, if it has one, or at what is in that or in a
    /// block that is a list; and at the list of all blocks.
    pub fn jsonld_nodes(&self, path: &Path, scope: Scope<'a>, limit: usize) -> Option<Vec<&'a Value>> {
        if let Scope::Value(value) = scope {
            return path.nodes(value, limit, self.budget);
        }
        let all = self.document.jsonld(self.budget)?;
        let mut roots = Vec::new();
        for block in all.as_array().into_iter().flatten() {
            let list = if block.is_array() { Some(block) } else { block.get("@graph") };
            roots.push(block);
            roots.extend(list);
            roots.extend(list.and_then(Value::as_array).into_iter().flatten());
        }
        roots.push(all);
        let mut nodes: Vec<&'a Value> = Vec::new();
        let mut seen = HashSet::new();
        for root in roots {
            self.budget.spend(1)?;
            let found = path.nodes(root, limit, self.budget)?;
            nodes.extend(found.into_iter().filter(|node| seen.insert(std::ptr::from_ref::<Value>(node))));
            if nodes.len() >= limit {
                nodes.truncate(limit);
                break;
            }
        }
        Some(nodes)
    }
}

/// Passes nodes to `take` one by one; a list counts as its values, unless the field's type is JSON.
fn emit(nodes: &[&Value], kind: FieldType, take: &mut dyn FnMut(Raw<'_>) -> Option<bool>) -> Option<()> {
    for node in nodes {
        match node {
            Value::Array(values) if kind != FieldType::Json => {
                for value in values {
                    if !take(Raw::Json(value))? {
                        return Some(());
                    }
                }
            }
            node => {
                if !take(Raw::Json(node))? {
                    return Some(());
                }
            }
        }
    }
    Some(())
}
