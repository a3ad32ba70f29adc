//! Why rules find what they find: what `seine try` shows.

use serde_json::Value;

use super::apply::{Applying, Scope};
use super::compiled::{Compiled, Each, FieldRule, Origin, Place, Source, Take};
use super::document::{Body, Document, Kind};
use super::dom::{Dom, Index};
use super::finder::{Finder, From};
use super::path::Path;
use super::selector::{Selector, parts};
use super::xpath::{Hit, XPath};
use super::{Budget, Page, Rules};
use crate::extract::parsed::Parsed;
use crate::extract::tags::Tag;
use crate::extract::text::cut;
use seine_core::record::items::Problem;

/// Most matches that are counted of one selector.
pub const MAX_COUNTED: usize = 10_000;

/// How a collection fits a page.
#[derive(Clone, Debug)]
pub struct CollectionLook {
    /// Its name.
    pub name: String,
    /// The reason why the collection is not for this page; the rest is then empty.
    pub mismatch: Option<String>,
    /// Elements or values there could be an item for.
    pub candidates: usize,
    /// Why there are none.
    pub why: Option<String>,
    /// Items found, all of them.
    pub items: usize,
    /// The first candidates.
    pub shown: Vec<ItemLook>,
    /// Of each field of all candidates: name, how many have it.
    pub fields: Vec<(String, u32)>,
    /// All problems.
    pub problems: Vec<Problem>,
}

/// One item and its fields.
#[derive(Clone, Debug)]
pub struct ItemLook {
    /// Which of the candidates, from 0.
    pub number: usize,
    /// The path to its element, if it is one.
    pub path: Option<String>,
    /// Whether all that is required is there.
    pub is_complete: bool,
    /// Its fields.
    pub fields: Vec<FieldLook>,
}

/// One field, its value, and the reason for it.
#[derive(Clone, Debug)]
pub struct FieldLook {
    /// Its name.
    pub name: String,
    /// Its value, as JSON.
    pub value: String,
    /// The source that had the value, if one had.
    pub source: Option<String>,
    /// Why it was not, source by source.
    pub why: Vec<String>,
}

/// How elements are looked for.
#[derive(Clone, Debug)]
pub enum Tool {
    /// A selector.
    Css(Selector),
    /// An XPath.
    XPath(XPath),
}

/// The matches of a selector, or what an XPath finds.
#[derive(Clone, Debug)]
pub struct SelectorLook {
    /// As it was given.
    pub selector: String,
    /// Whether it is an XPath.
    pub is_xpath: bool,
    /// Elements, up to [`MAX_COUNTED`].
    pub count: usize,
    /// The first of them: path and text; no path of what is no element.
    pub hits: Vec<(String, String)>,
    /// The nearest selector that matches something, if this one does not.
    pub why: Option<String>,
}

impl Rules {
    /// The items of each collection on a page, explained; details of the first `shown` items. `None`: told to stop.
    pub fn explain(&self, page: &Page<'_>, shown: usize, keep_going: &dyn Fn() -> bool) -> Option<Vec<CollectionLook>> {
        let budget = Budget::new(keep_going);
        let parsed = Parsed::new(page.body, page.content_type);
        let found = self.apply_to(&parsed, page, keep_going)?;
        let kind = Kind::of(page);
        let document = match kind {
            Some(kind) => Some(Document::parse(&parsed, page, kind, &budget)?),
            None => None,
        };
        let mut looks = Vec::new();
        for ((number, declared), rules) in (0_u16..).zip(self.collections()).zip(&self.shared.compiled) {
            let mut look = CollectionLook {
                name: declared.name.clone(),
                mismatch: rules.mismatch(page, kind),
                candidates: 0,
                why: None,
                items: found.items.iter().filter(|item| item.collection == number).count(),
                shown: Vec::new(),
                fields: Vec::new(),
                problems: found.problems.iter().filter(|problem| problem.collection == number).cloned().collect(),
            };
            if let (None, Some(document)) = (&look.mismatch, &document) {
                for count in found.counts.iter().filter(|count| count.collection == number) {
                    if let Some(field) = count.field.and_then(|field| declared.fields.get(usize::from(field))) {
                        look.candidates = count.of as usize;
                        look.fields.push((field.name.clone(), count.found));
                    }
                }
                Explaining { document, budget: &budget }.collection(rules, number, shown, &mut look)?;
            }
            looks.push(look);
        }
        Some(looks)
    }
}

/// The matches of selectors on a page; the first `shown` hits of each. `None`: told to stop.
pub fn select(
    page: &Page<'_>,
    selectors: &[(String, Tool)],
    shown: usize,
    keep_going: &dyn Fn() -> bool,
) -> Option<Vec<SelectorLook>> {
    let budget = Budget::new(keep_going);
    let kind = Kind::of(page).filter(|kind| *kind != Kind::Json).unwrap_or(Kind::Html);
    let parsed = Parsed::new(page.body, page.content_type);
    let document = Document::parse(&parsed, page, kind, &budget)?;
    let mut looks = Vec::new();
    let explaining = Explaining { document: &document, budget: &budget };
    for (text, tool) in selectors {
        let is_xpath = matches!(tool, Tool::XPath(_));
        let mut look = SelectorLook { selector: text.clone(), is_xpath, count: 0, hits: Vec::new(), why: None };
        let Some(dom) = document.tree() else {
            looks.push(look);
            continue;
        };
        let element = |index| Some((dom.path(index), dom.text(index, false, true, 1000, &budget)?));
        match tool {
            Tool::XPath(xpath) => {
                xpath.find(dom, None, &budget, &mut |hit| {
                    if look.hits.len() < shown {
                        look.hits.push(match hit {
                            Hit::Element(index) => element(index)?,
                            Hit::Text(text) => (String::new(), cut(&text, 1000).to_owned()),
                            Hit::Data(text) => (String::new(), text),
                        });
                    }
                    look.count += 1;
                    Some(look.count < MAX_COUNTED)
                })?;
                if look.count == 0 {
                    look.why = Some(explaining.nearest_xpath(dom, xpath, None)?);
                }
            }
            Tool::Css(selector) => {
                let found = dom.select(selector, None, MAX_COUNTED, &budget)?;
                look.count = found.len();
                for index in found.into_iter().take(shown) {
                    look.hits.push(element(index)?);
                }
                if look.count == 0 {
                    look.why = Some(explaining.nearest(dom, selector, None)?);
                }
            }
        }
        looks.push(look);
    }
    Some(looks)
}

impl Compiled {
    fn mismatch(&self, page: &Page<'_>, kind: Option<Kind>) -> Option<String> {
        let Some(kind) = kind else {
            let name = page.content_type.map(String::from_utf8_lossy).unwrap_or_default();
            return Some(format!("the body is nothing that rules read ({name})"));
        };
        if self.is_about(page, kind) {
            return None;
        }
        Some(match &self.matches {
            Some(pattern) => format!("match = {:?} is not found in {}", pattern.as_str(), page.url),
            None if self.is_json => format!("without `match` it is about JSON bodies; this one is {}", kind.name()),
            None => format!("without `match` it is about HTML pages; this one is {}", kind.name()),
        })
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Html => "HTML",
            Self::Xml => "XML",
            Self::Json => "JSON",
        }
    }
}

struct Explaining<'a, 'p> {
    document: &'a Document<'p>,
    budget: &'a Budget<'a>,
}

impl Explaining<'_, '_> {
    fn collection(&self, rules: &Compiled, number: u16, shown: usize, look: &mut CollectionLook) -> Option<()> {
        let mut applying = Applying::new(self.document, self.budget, number);
        let scopes = applying.scopes(rules.each.as_ref(), Scope::Page, shown)?;
        if let (Some(each), []) = (&rules.each, scopes.as_slice()) {
            look.why = Some(self.each(each, Scope::Page)?);
        }
        for (at, scope) in scopes.into_iter().enumerate() {
            let record = applying.record(&rules.fields, scope, "")?;
            let mut fields = Vec::new();
            for (rule, value) in rules.fields.iter().zip(&record.values) {
                let sources: &[Source] = match &rule.from {
                    Origin::Sources(sources) => sources,
                    Origin::Nested { .. } => &[],
                };
                let source = value.source.map(|at| sources.get(at).map_or_else(|| "each".to_owned(), Source::name));
                let mut why = if value.is_found { Vec::new() } else { self.why(rule, scope)? };
                if !value.is_found && value.json != "null" {
                    why.push("the value is the default".to_owned());
                }
                fields.push(FieldLook { name: rule.name.clone(), value: value.json.clone(), source, why });
            }
            let path = match (scope, self.document.tree()) {
                (Scope::Element(index), Some(dom)) => Some(dom.path(index)),
                _ => None,
            };
            look.shown.push(ItemLook { number: at, path, is_complete: record.is_complete, fields });
        }
        Some(())
    }

    fn each(&self, each: &Each, scope: Scope<'_>) -> Option<String> {
        match (each, self.document.tree()) {
            (Each::Css(selector), Some(dom)) => self.nearest(dom, selector, scope.element()),
            (Each::Found(finder), Some(dom)) => self.finder(dom, finder, scope.element()),
            (Each::Css(_) | Each::Found(_), None) => Some("the body has no elements".to_owned()),
            (Each::Json(path), _) => self.json(path, scope),
            (Each::Jsonld(path), _) => self.jsonld(path),
        }
    }

    fn why(&self, rule: &FieldRule, scope: Scope<'_>) -> Option<Vec<String>> {
        let mut why = Vec::new();
        match &rule.from {
            Origin::Sources(sources) => {
                for source in sources {
                    why.push(self.source(source, scope)?);
                }
            }
            Origin::Nested { each: Some(each), .. } => why.push(self.each(each, scope)?),
            Origin::Nested { each: None, .. } => why.push("none of its fields is there".to_owned()),
        }
        Some(why)
    }

    fn source(&self, source: &Source, scope: Scope<'_>) -> Option<String> {
        match (&source.place, self.document.tree()) {
            (Place::Json(path), _) => self.json(path, scope),
            (Place::Jsonld(path), _) if !matches!(scope, Scope::Value(_)) => self.jsonld(path),
            (Place::Jsonld(path), _) => self.json(path, scope),
            (_, None) => Some("the body has no elements".to_owned()),
            (Place::Css { selector, take }, Some(dom)) => {
                let element = scope.element();
                let found = match selector {
                    Some(selector) => {
                        let found = dom.select(selector, element, MAX_COUNTED, self.budget)?;
                        if found.is_empty() {
                            return self.nearest(dom, selector, element);
                        }
                        found
                    }
                    None => vec![element.unwrap_or(dom.first())],
                };
                self.element(dom, source, take, &found)
            }
            (Place::Found { finder, take }, Some(dom)) => {
                let found = finder.elements(dom, scope.element(), MAX_COUNTED, self.budget)?;
                if found.is_empty() {
                    return self.finder(dom, finder, scope.element());
                }
                self.element(dom, source, take, &found)
            }
            (Place::Microdata(path), Some(dom)) => {
                let found = path.elements(dom, scope.element(), self.budget)?;
                Some(match found.as_slice() {
                    [] => format!("no item here has the property `{path}`"),
                    found => format!("{} elements have the property, none with a value", found.len()),
                })
            }
            (Place::Meta(name), Some(dom)) => {
                let mut known = Vec::new();
                for index in 0..dom.len() {
                    self.budget.spend(1)?;
                    if let Some(element) = dom.element(index).filter(|element| element.tag() == Tag::Meta)
                        && let Some(name) = element.attr("property").or_else(|| element.attr("name"))
                        && known.len() < 30
                    {
                        known.push(cut(name, 60).to_owned());
                    }
                }
                Some(format!("there is no <meta> {name:?} with content; there are {}", listed(&known)))
            }
        }
    }

    /// Why nothing came of elements that are there.
    fn element(&self, dom: &Dom<'_>, source: &Source, take: &Take, found: &[Index]) -> Option<String> {
        let count = if found.len() == MAX_COUNTED { format!("{MAX_COUNTED} or more") } else { found.len().to_string() };
        let elements = format!("matches {count} element{}", if found.len() == 1 { "" } else { "s" });
        let first = found.first().copied().unwrap_or(dom.first());
        let text = match take {
            Take::Attribute(name) => {
                let Some(element) = dom.element(first) else { return Some(elements) };
                match element.attr(name) {
                    Some(value) => value.to_owned(),
                    None => {
                        let names: Vec<_> = element.attributes().take(20).map(|(name, _)| name.to_owned()).collect();
                        return Some(format!(
                            "{elements}, none with attribute {name:?}; the first has {}",
                            listed(&names)
                        ));
                    }
                }
            }
            Take::Json(path) => {
                return Some(match self.document.script(first, self.budget)? {
                    Some(value) => format!("{elements}; of the first, {}", self.steps(path, &value)?),
                    None => format!("{elements}; the text of the first is no JSON"),
                });
            }
            take => dom.text(first, matches!(take, Take::OwnText), true, 1000, self.budget)?,
        };
        if text.trim().is_empty() {
            let children = dom.element(first).map_or(0, |element| element.child_elements().count());
            return Some(format!("{elements}; the first has no text ({children} elements in it)"));
        }
        Some(match &source.regex {
            Some(regex) if !regex.is_match(&text) => {
                format!("{elements}; regex {:?} is not found in {:?}", regex.as_str(), cut(&text, 100))
            }
            _ => format!("{elements}; the first is {:?}", cut(&text, 100)),
        })
    }

    /// The nearest selector that matches something.
    fn nearest(&self, dom: &Dom<'_>, selector: &Selector, scope: Option<Index>) -> Option<String> {
        if scope.is_some() {
            let elsewhere = dom.select(selector, None, MAX_COUNTED, self.budget)?.len();
            if elsewhere > 0 {
                return Some(format!("matches nothing in this item, but {elsewhere} elsewhere on the page"));
            }
        }
        for part in parts(&selector.to_string()) {
            let Ok(shorter) = Selector::parse(&part) else { continue };
            let count = dom.select(&shorter, scope, MAX_COUNTED, self.budget)?.len();
            if count > 0 {
                return Some(format!("matches nothing; `{part}` matches {count}"));
            }
        }
        Some("matches nothing, nor does any part of it".to_owned())
    }

    /// Why nothing is found by more than a selector.
    fn finder(&self, dom: &Dom<'_>, finder: &Finder, scope: Option<Index>) -> Option<String> {
        let first = finder.first(dom, scope, self.budget)?;
        if first.is_empty() {
            return match &finder.from {
                From::Css(selector) => self.nearest(dom, selector, scope),
                From::XPath(xpath) => self.nearest_xpath(dom, xpath, scope),
            };
        }
        let mut texts = Vec::new();
        for index in first.iter().take(5) {
            texts.push(format!("{:?}", cut(&dom.text(*index, false, true, 60, self.budget)?, 60)));
        }
        let elements = format!("matches {} element{}", first.len(), if first.len() == 1 { "" } else { "s" });
        let with_text = finder.with_text(dom, first, self.budget)?;
        Some(if with_text.is_empty() {
            format!("{elements}, none with this text; the first are {}", texts.join(", "))
        } else {
            format!("{} of them fit, but the steps lead nowhere from there", with_text.len())
        })
    }

    /// The longest beginning of an XPath that finds something.
    fn nearest_xpath(&self, dom: &Dom<'_>, xpath: &XPath, scope: Option<Index>) -> Option<String> {
        let (mut count, mut first) = (0, String::new());
        xpath.find(dom, scope, self.budget, &mut |hit| {
            if let (0, Hit::Text(text)) = (count, &hit) {
                first = cut(text, 100).to_owned();
            } else if let (0, Hit::Data(text)) = (count, &hit) {
                first.clone_from(text);
            }
            count += 1;
            Some(count < MAX_COUNTED)
        })?;
        if count > 0 {
            return Some(format!("finds {count}; the first is {first:?}"));
        }
        for shorter in xpath.beginnings() {
            let mut count = 0;
            shorter.find(dom, scope, self.budget, &mut |_| {
                count += 1;
                Some(count < MAX_COUNTED)
            })?;
            if count > 0 {
                return Some(format!("finds nothing; `{shorter}` finds {count}"));
            }
        }
        Some("finds nothing".to_owned())
    }

    fn json(&self, path: &Path, scope: Scope<'_>) -> Option<String> {
        match (scope, &self.document.body) {
            (Scope::Value(value), _) | (_, Body::Json(value)) => self.steps(path, value),
            _ => Some("the body is not JSON".to_owned()),
        }
    }

    fn jsonld(&self, path: &Path) -> Option<String> {
        let all = self.document.jsonld(self.budget)?;
        let blocks = all.as_array().map_or(&[][..], Vec::as_slice);
        if blocks.is_empty() {
            return Some(match self.document.jsonld_problem.get() {
                Some(problem) => format!("the page's JSON-LD cannot be read: {problem}"),
                None => "the page has no JSON-LD".to_owned(),
            });
        }
        let types: Vec<_> = blocks
            .iter()
            .flat_map(|block| {
                std::iter::once(block).chain(block.get("@graph").and_then(Value::as_array).into_iter().flatten())
            })
            .filter_map(|block| block.get("@type"))
            .map(|kind| cut(&kind.to_string(), 60).to_owned())
            .take(20)
            .collect();
        let (count, types) = (blocks.len(), listed(&types));
        let first = self.steps(path, &blocks[0])?;
        Some(format!("not in the page's JSON-LD: {count} blocks, of type {types}; in the first, {first}"))
    }

    /// How far a path leads.
    fn steps(&self, path: &Path, root: &Value) -> Option<String> {
        let mut before = "$".to_owned();
        let mut at = vec![root];
        for (text, shorter) in path.prefixes() {
            let nodes = shorter.nodes(root, 1, self.budget)?;
            if nodes.is_empty() {
                let there = match at.first() {
                    Some(Value::Object(object)) => {
                        let keys: Vec<_> = object.keys().take(20).map(|key| cut(key, 60).to_owned()).collect();
                        format!("an object with {}", listed(&keys))
                    }
                    Some(Value::Array(values)) => format!("a list of {}", values.len()),
                    Some(value) => cut(&value.to_string(), 60).to_owned(),
                    None => "nothing".to_owned(),
                };
                return Some(format!("`{text}` leads nowhere; `{before}` is {there}"));
            }
            before = text;
            at = nodes;
        }
        Some(format!(
            "`{before}` is {}",
            at.first().map_or("nothing".to_owned(), |value| cut(&value.to_string(), 100).to_owned())
        ))
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
