//! Rules on a parsed page: the items of a collection, what is not as declared, how often each field was there.

use serde_json::Value;

use super::compiled::{Compiled, Each, FieldRule, Origin, Source};
use super::document::{Body, Document};
use super::dom::Index;
use super::places::{Look, Places};
use super::values::{Verdict, convert, quoted};
use super::{Budget, MAX_FIELD_VALUES, MAX_ITEM_BYTES, MAX_ITEMS, MAX_PAGE_BYTES, MAX_PROBLEMS};
use crate::extract::text::cut;
use seine_core::record::items::{FieldCount, Item, MAX_FOUND_BYTES, PageItems, Problem, ProblemKind, item_key};

/// The part of a page in which fields are looked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scope<'s> {
    /// On the whole page.
    Page,
    /// In an element.
    Element(Index),
    /// In a value of JSON.
    Value(&'s Value),
}

impl Scope<'_> {
    /// The element that it is, if it is one.
    pub fn element(self) -> Option<Index> {
        match self {
            Self::Element(index) => Some(index),
            Self::Page | Self::Value(_) => None,
        }
    }
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
    tell(applying.problems, &mut found.problems);
    Some(())
}

/// Adds problems to those of the page, as many as are told of one; the last says that there are more.
fn tell(problems: Vec<Problem>, told: &mut Vec<Problem>) {
    let mut room = MAX_PROBLEMS.saturating_sub(told.len());
    for problem in problems {
        if room == 1 {
            told.push(Problem {
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
        told.push(problem);
    }
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

    fn places(&self) -> Places<'a, 'p> {
        Places { document: self.document, budget: self.budget }
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

    /// The elements or values for each of which there is an item, at most `limit`. More are a problem.
    pub fn scopes(&mut self, each: Option<&Each>, scope: Scope<'a>, limit: usize) -> Option<Vec<Scope<'a>>> {
        let mut scopes = match each {
            None => vec![scope],
            Some(Each::Css(selector)) => match (self.document.tree(), scope) {
                (_, Scope::Value(_)) | (None, _) => Vec::new(),
                (Some(dom), scope) => {
                    let found = dom.select(selector, scope.element(), limit + 1, self.budget)?;
                    found.into_iter().map(Scope::Element).collect()
                }
            },
            Some(Each::Found(finder)) => match (self.document.tree(), scope) {
                (_, Scope::Value(_)) | (None, _) => Vec::new(),
                (Some(dom), scope) => {
                    let found = finder.elements(dom, scope.element(), limit + 1, self.budget)?;
                    found.into_iter().map(Scope::Element).collect()
                }
            },
            Some(Each::Json(path)) => {
                self.places().json_nodes(path, scope, limit + 1)?.into_iter().map(Scope::Value).collect()
            }
            Some(Each::Jsonld(path)) => {
                self.places().jsonld_nodes(path, scope, limit + 1)?.into_iter().map(Scope::Value).collect()
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
            // Checked here too, so that no item can grow beyond its limit before it is complete.
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
            let look = Look { source, kind: field.kind, is_several };
            self.places().gather(&look, scope, &mut |raw| {
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
}

/// JSON strings to one.
fn joined(values: &[String], join: &str) -> String {
    let texts: Vec<String> = values.iter().map(|value| serde_json::from_str(value).unwrap_or_default()).collect();
    quoted(&texts.join(join))
}
