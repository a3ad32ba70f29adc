//! Rules on a parsed page: the items of a collection, what is not as declared, how often each field was there.

use std::collections::HashSet;

use serde_json::Value;

use super::compiled::{Compiled, Each, FieldRule, Origin, Place, Source, Take};
use super::document::{Body, Document};
use super::dom::{Dom, Index};
use super::microdata::{self, PropertyValue};
use super::path::Path;
use super::values::{Raw, Verdict, convert, quoted};
use super::{Budget, MAX_FIELD_VALUES, MAX_ITEM_BYTES, MAX_ITEMS, MAX_PAGE_BYTES, MAX_PROBLEMS, MAX_VALUE_BYTES};
use crate::extract::text::cut;
use seine_core::record::items::{
    FieldCount, FieldType, Item, MAX_FOUND_BYTES, PageItems, Problem, ProblemKind, item_key,
};

/// Where fields are looked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scope<'s> {
    /// On the whole page.
    Page,
    /// In an element.
    Element(Index),
    /// In a value of JSON.
    Value(&'s Value),
}

/// A field's value.
#[derive(Clone, Debug, Default)]
pub(super) struct FieldValue {
    /// JSON; `null` if there is none.
    pub json: String,
    /// Whether it was found on the page: a default was not.
    pub is_found: bool,
    /// Which of the field's sources found something.
    pub source: Option<usize>,
}

impl FieldValue {
    fn nothing() -> Self {
        Self { json: "null".to_owned(), ..Self::default() }
    }
}

/// The values of an item or nested record.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub values: Vec<FieldValue>,
    /// Whether all that is required is there.
    pub is_complete: bool,
}

impl Record {
    pub fn is_empty(&self) -> bool {
        !self.values.iter().any(|value| value.is_found)
    }

    fn json(&self, fields: &[FieldRule]) -> String {
        let members: Vec<_> = fields
            .iter()
            .zip(&self.values)
            .map(|(field, value)| format!("{}:{}", quoted(&field.name), value.json))
            .collect();
        format!("{{{}}}", members.join(","))
    }
}

/// Adds to `found` what a collection has on a page. `None`: told to stop.
pub(super) fn collection(
    document: &Document<'_>,
    rules: &Compiled,
    number: u16,
    budget: &Budget<'_>,
    found: &mut PageItems,
) -> Option<()> {
    let mut applying = Applying::new(document, budget, number);
    applying.check_body(rules);
    let scopes = applying.scopes(rules.each.as_ref(), Scope::Page, MAX_ITEMS)?;
    let mut counts = vec![0_u32; rules.fields.len()];
    let mut bytes: usize = found.items.iter().map(|item| item.data.len()).sum();
    let items_before = found.items.len();
    for (at, scope) in (0..).zip(&scopes) {
        applying.item = Some(at);
        let record = applying.record(&rules.fields, *scope, "")?;
        for (count, value) in counts.iter_mut().zip(&record.values) {
            *count += u32::from(value.is_found);
        }
        if !record.is_complete {
            continue;
        }
        if record.is_empty() {
            // One per page was expected, on a page that was meant.
            if rules.each.is_none() && rules.matches.is_some() {
                applying.problem("", ProblemKind::Missing, "");
            }
            continue;
        }
        let data = record.json(&rules.fields);
        if data.len() > MAX_ITEM_BYTES {
            applying.problem("", ProblemKind::TooMany, &data);
            continue;
        }
        bytes += data.len();
        if bytes > MAX_PAGE_BYTES {
            applying.item = None;
            applying.problem("", ProblemKind::TooMany, "");
            break;
        }
        let key = (!rules.key.is_empty()).then(|| {
            let values: Vec<_> = rules.key.iter().map(|at| record.values[*at].json.as_str()).collect();
            item_key(&format!("[{}]", values.join(",")))
        });
        found.items.push(Item { collection: number, number: at, key, data });
    }
    applying.item = None;
    if rules.uses_jsonld
        && let Some(problem) = document.jsonld_problem.get()
    {
        applying.problem("", ProblemKind::NotReadable, problem);
    }
    let count = |field, of, found| FieldCount { collection: number, field, of, found };
    found.counts.push(count(None, 1, u32::from(found.items.len() > items_before)));
    let of = u32::try_from(scopes.len()).unwrap_or(u32::MAX);
    found.counts.extend((0_u16..).zip(counts).map(|(field, found)| count(Some(field), of, found)));
    let mut room = MAX_PROBLEMS.saturating_sub(found.problems.len());
    for problem in applying.problems {
        if room == 1 {
            found.problems.push(Problem {
                kind: ProblemKind::TooMany,
                number: None,
                field: String::new(),
                found: String::new(),
                ..problem
            });
        }
        if room <= 1 {
            break;
        }
        room -= 1;
        found.problems.push(problem);
    }
    Some(())
}

/// Rules being applied.
pub(super) struct Applying<'a, 'p> {
    document: &'a Document<'p>,
    budget: &'a Budget<'a>,
    collection: u16,
    item: Option<u32>,
    pub problems: Vec<Problem>,
}

impl<'a, 'p> Applying<'a, 'p> {
    pub fn new(document: &'a Document<'p>, budget: &'a Budget<'a>, collection: u16) -> Self {
        Self { document, budget, collection, item: None, problems: Vec::new() }
    }

    /// Whether the body is what the rules read.
    pub fn check_body(&mut self, rules: &Compiled) {
        let document = self.document;
        if let Some(problem) = &document.problem {
            self.problem("", ProblemKind::NotReadable, problem);
        } else if rules.is_json && !matches!(document.body, Body::Json(_)) {
            self.problem("", ProblemKind::NotReadable, "the body is not JSON");
        } else if rules.uses_tree && !rules.uses_json && document.tree().is_none() {
            self.problem("", ProblemKind::NotReadable, "the body is JSON, not HTML or XML");
        }
        if document.is_cut {
            self.problem("", ProblemKind::TooMany, "");
        }
    }

    fn problem(&mut self, field: &str, kind: ProblemKind, found: &str) {
        if self.problems.len() > MAX_PROBLEMS {
            return;
        }
        self.problems.push(Problem {
            collection: self.collection,
            number: self.item,
            field: field.to_owned(),
            kind,
            found: cut(found, MAX_FOUND_BYTES).to_owned(),
        });
    }

    /// What there is an item for each of, at most `limit`. More are a problem.
    pub fn scopes(&mut self, each: Option<&Each>, scope: Scope<'a>, limit: usize) -> Option<Vec<Scope<'a>>> {
        let mut scopes = match each {
            None => vec![scope],
            Some(Each::Css(selector)) => match (self.document.tree(), scope) {
                (_, Scope::Value(_)) | (None, _) => Vec::new(),
                (Some(dom), scope) => {
                    let found = dom.select(selector, element_of(scope), limit + 1, self.budget)?;
                    found.into_iter().map(Scope::Element).collect()
                }
            },
            Some(Each::Json(path)) => self.json_nodes(path, scope, limit + 1)?.into_iter().map(Scope::Value).collect(),
            Some(Each::Jsonld(path)) => {
                self.jsonld_nodes(path, scope, limit + 1)?.into_iter().map(Scope::Value).collect()
            }
        };
        if scopes.len() > limit {
            scopes.truncate(limit);
            self.problem("", ProblemKind::TooMany, "");
        }
        Some(scopes)
    }

    /// The values of `fields`; `prefix` is the path of the field they are nested in.
    pub fn record(&mut self, fields: &[FieldRule], scope: Scope<'a>, prefix: &str) -> Option<Record> {
        let mut record = Record { values: Vec::with_capacity(fields.len()), is_complete: true };
        let mut bytes = 0;
        for field in fields {
            let name = if prefix.is_empty() { field.name.clone() } else { format!("{prefix}.{}", field.name) };
            let problems_before = self.problems.len();
            let mut value = match &field.from {
                Origin::Sources(sources) => self.value(field, sources, scope, &name)?,
                Origin::Nested { each, fields } => self.nested(field, each.as_ref(), fields, scope, &name)?,
            };
            if field.required && !value.is_found {
                record.is_complete = false;
                if self.problems.len() == problems_before {
                    self.problem(&name, ProblemKind::Missing, "");
                }
            }
            // So that no item can grow beyond what it may have before it is looked at.
            if bytes + value.json.len() > MAX_ITEM_BYTES {
                self.problem(&name, ProblemKind::TooMany, &value.json);
                value = FieldValue::nothing();
                record.is_complete &= !field.required;
            }
            bytes += value.json.len();
            record.values.push(value);
        }
        Some(record)
    }

    fn nested(
        &mut self,
        field: &FieldRule,
        each: Option<&Each>,
        fields: &[FieldRule],
        scope: Scope<'a>,
        name: &str,
    ) -> Option<FieldValue> {
        let mut records = Vec::new();
        let mut bytes = 0;
        let mut scopes = self.scopes(each, scope, MAX_FIELD_VALUES)?;
        if !field.many {
            scopes.truncate(1);
        }
        for scope in scopes {
            let record = self.record(fields, scope, name)?;
            if record.is_complete && !record.is_empty() {
                records.push(record.json(fields));
                bytes += records.last().map_or(0, String::len);
                if bytes > MAX_ITEM_BYTES {
                    break;
                }
            }
        }
        let is_found = !records.is_empty();
        let json = match (field.many, records.pop()) {
            (_, None) => "null".to_owned(),
            (false, Some(record)) => record,
            (true, Some(last)) => {
                records.push(last);
                format!("[{}]", records.join(","))
            }
        };
        Some(FieldValue { json, is_found, source: is_found.then_some(0) })
    }

    fn value(&mut self, field: &FieldRule, sources: &[Source], scope: Scope<'a>, name: &str) -> Option<FieldValue> {
        let is_several = field.many || field.join.is_some();
        let base = self.document.base(self.budget)?;
        // Of sources without a value: they count only if no later one has any.
        let mut unread = Vec::new();
        for (number, source) in sources.iter().enumerate() {
            let mut values = Vec::new();
            let mut odd = Vec::new();
            let mut bytes = 0;
            let mut is_more = false;
            self.gather(source, field.kind, is_several, scope, &mut |raw| {
                let verdict = convert(raw, field.kind, source, base);
                match verdict {
                    Verdict::Nothing => return Some(true),
                    Verdict::Value(value) if values.len() < MAX_FIELD_VALUES && bytes <= MAX_ITEM_BYTES => {
                        bytes += value.len();
                        values.push(value);
                    }
                    Verdict::Value(_) => {
                        is_more = true;
                        return Some(false);
                    }
                    Verdict::Unparsable(text) => odd.push((ProblemKind::Unparsable, text)),
                    Verdict::TooLong(text) => odd.push((ProblemKind::TooMany, text)),
                }
                Some(is_several && odd.len() <= MAX_PROBLEMS)
            })?;
            if values.is_empty() {
                unread.append(&mut odd);
                continue;
            }
            for (kind, text) in odd {
                self.problem(name, kind, &text);
            }
            if is_more {
                self.problem(name, ProblemKind::TooMany, "");
            }
            let json = match (&field.join, field.many) {
                (Some(join), _) => joined(&values, join),
                (None, true) => format!("[{}]", values.join(",")),
                (None, false) => values.swap_remove(0),
            };
            return Some(FieldValue { json, is_found: true, source: Some(number) });
        }
        Some(match &field.default {
            Some(default) if unread.is_empty() => FieldValue { json: default.clone(), ..FieldValue::default() },
            _ => {
                unread.into_iter().for_each(|(kind, text)| self.problem(name, kind, &text));
                FieldValue::nothing()
            }
        })
    }

    /// Shows `take` what stands at a source's place, one after the other, until it has enough. `None`: told to stop.
    fn gather(
        &self,
        source: &Source,
        kind: FieldType,
        is_several: bool,
        scope: Scope<'a>,
        take: &mut dyn FnMut(Raw<'_>) -> Option<bool>,
    ) -> Option<()> {
        match &source.place {
            Place::Css { selector, take: what } => {
                let Some(dom) = self.document.tree() else { return Some(()) };
                if matches!(scope, Scope::Value(_)) {
                    return Some(());
                }
                let mut look = |index| self.element(dom, index, source, what, kind, is_several, take);
                match selector {
                    Some(selector) => dom.select_while(selector, element_of(scope), self.budget, &mut look),
                    None => look(element_of(scope).unwrap_or(0)).map(|_| ()),
                }
            }
            Place::Json(path) => emit(&self.json_nodes(path, scope, MAX_FIELD_VALUES + 1)?, kind, take),
            Place::Jsonld(path) => emit(&self.jsonld_nodes(path, scope, MAX_FIELD_VALUES + 1)?, kind, take),
            Place::Microdata(path) => {
                let (Some(dom), Scope::Page | Scope::Element(_)) = (self.document.tree(), scope) else {
                    return Some(());
                };
                for index in path.elements(dom, element_of(scope), self.budget)? {
                    if !self.property(dom, index, source, kind, take)? {
                        break;
                    }
                }
                Some(())
            }
            Place::Meta(name) => {
                let Some(dom) = self.document.tree() else { return Some(()) };
                let is_named = |value: Option<&str>| value.is_some_and(|value| value.trim().eq_ignore_ascii_case(name));
                for index in 0..dom.len() {
                    self.budget.spend(1)?;
                    let Some(element) = dom.element(index).filter(|element| element.value().name() == "meta") else {
                        continue;
                    };
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
        dom: &Dom,
        index: Index,
        source: &Source,
        kind: FieldType,
        take: &mut dyn FnMut(Raw<'_>) -> Option<bool>,
    ) -> Option<bool> {
        let Some(element) = dom.element(index) else { return Some(true) };
        match microdata::value(element.value()) {
            PropertyValue::Data(text) => take(Raw::Data(text)),
            PropertyValue::Url(href) => {
                let url = self.document.base(self.budget)?.join(href.trim());
                take(Raw::Data(url.as_ref().map_or(href, url::Url::as_str)))
            }
            PropertyValue::Text => {
                take(Raw::Text(&self.document.text(index, false, source.folds(kind), self.budget)?))
            }
            // An item is asked for by its name, as of a product's brand; one without a name is its text.
            PropertyValue::Item => match microdata::name_of(dom, index, self.budget)? {
                Some(name) => self.property(dom, name, source, kind, take),
                None => take(Raw::Text(&self.document.text(index, false, source.folds(kind), self.budget)?)),
            },
        }
    }

    /// What a source takes of one element.
    #[allow(clippy::too_many_arguments, reason = "one step of `gather`, apart only to be read")]
    fn element(
        &self,
        dom: &Dom,
        index: Index,
        source: &Source,
        what: &Take,
        kind: FieldType,
        is_several: bool,
        take: &mut dyn FnMut(Raw<'_>) -> Option<bool>,
    ) -> Option<bool> {
        match what {
            Take::Text | Take::OwnText => {
                let text = self.document.text(index, matches!(what, Take::OwnText), source.folds(kind), self.budget)?;
                // The first match, whatever its text is.
                Some(take(Raw::Text(&text))? && is_several)
            }
            Take::Html => {
                let html = dom.inner_html(index, MAX_VALUE_BYTES + 1, self.budget)?;
                Some(take(Raw::Html(&html))? && is_several)
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
                emit(&nodes, kind, &mut |raw| {
                    goes_on = take(raw)?;
                    Some(goes_on)
                })?;
                Some(goes_on)
            }
        }
    }

    fn json_nodes(&self, path: &Path, scope: Scope<'a>, limit: usize) -> Option<Vec<&'a Value>> {
        match (scope, &self.document.body) {
            (Scope::Value(value), _) | (_, Body::Json(value)) => path.nodes(value, limit, self.budget),
            _ => Some(Vec::new()),
        }
    }

    /// Nodes of the JSON-LD. A path starts at each block; at its graph, if it has one, or at what is in that or in a
    /// block that is a list; and at the list of all blocks.
    fn jsonld_nodes(&self, path: &Path, scope: Scope<'a>, limit: usize) -> Option<Vec<&'a Value>> {
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

fn element_of(scope: Scope<'_>) -> Option<Index> {
    match scope {
        Scope::Element(index) => Some(index),
        Scope::Page | Scope::Value(_) => None,
    }
}

/// Nodes one after the other; a list stands for its values, unless it is what is asked for.
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

/// JSON strings to one.
fn joined(values: &[String], join: &str) -> String {
    let texts: Vec<String> = values.iter().map(|value| serde_json::from_str(value).unwrap_or_default()).collect();
    quoted(&texts.join(join))
}
