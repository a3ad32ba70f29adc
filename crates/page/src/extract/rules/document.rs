//! A page as the rules see it: parsed once, and as what it is.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::Value;
use url::Url;

use super::dom::{Dom, Index};
use super::json::{self, MAX_BLOCKS, Read};
use super::{Budget, MAX_VALUE_BYTES, Page, xml};
use crate::extract::charset;
use crate::extract::tags::Tag;

/// The format that a body is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Html,
    Xml,
    Json,
}

impl Kind {
    /// By the Content-Type; or, where it says little, by how the body begins. `None`: nothing that rules could read.
    pub fn of(page: &Page<'_>) -> Option<Self> {
        let essence = page.content_type.and_then(charset::essence).map(<[u8]>::to_ascii_lowercase);
        let essence = essence.as_deref().map(String::from_utf8_lossy);
        if crate::extract::is_html(page.content_type, page.body) {
            // Answers of APIs often come as HTML; but a template may begin with a brace.
            let is_json = begins_as_json(page.body) && matches!(page.body.trim_ascii_end().last(), Some(b'}' | b']'));
            return Some(if is_json { Self::Json } else { Self::Html });
        }
        match essence.as_deref() {
            Some(essence) if essence.ends_with("/json") || essence.ends_with("+json") => Some(Self::Json),
            Some("application/xml" | "text/xml") => Some(Self::Xml),
            Some("image/svg+xml") => None,
            Some(essence) if essence.ends_with("+xml") => Some(Self::Xml),
            None | Some("text/plain" | "text/javascript" | "application/javascript" | "application/octet-stream") => {
                let body = page.body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(page.body).trim_ascii_start();
                let xml = ["<?xml", "<rss", "<feed", "<urlset", "<sitemapindex", "<\0?\0", "\0<\0?"];
                if begins_as_json(body) {
                    Some(Self::Json)
                } else if xml.iter().any(|start| body.starts_with(start.as_bytes())) {
                    Some(Self::Xml)
                } else {
                    // Text without markup is a page with nothing to select.
                    matches!(essence.as_deref(), Some("text/plain")).then_some(Self::Html)
                }
            }
            Some(_) => None,
        }
    }
}

fn begins_as_json(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).trim_ascii_start();
    matches!(body.first(), Some(b'{' | b'['))
}

/// Most scripts whose JSON is kept at hand.
const MAX_SCRIPTS: usize = 100;

/// A page, parsed.
pub(super) struct Document<'p> {
    pub url: &'p Url,
    pub body: Body<'p>,
    /// The reason why the body, or its end, could not be read.
    pub problem: Option<String>,
    /// Whether the end of the page was left out.
    pub is_cut: bool,
    base: OnceCell<Url>,
    /// A list of the blocks.
    jsonld: OnceCell<Value>,
    /// The reason why a JSON-LD block could not be read.
    pub jsonld_problem: OnceCell<String>,
    scripts: RefCell<HashMap<Index, Option<Rc<Value>>>>,
}

pub(super) enum Body<'p> {
    Tree(Box<Dom<'p>>),
    Json(Value),
    /// See [`Document::problem`].
    Broken,
}

impl<'p> Document<'p> {
    /// Parses a page; `None`: told to stop.
    pub fn parse(page: &Page<'p>, kind: Kind, budget: &Budget<'_>) -> Option<Self> {
        let text = match kind {
            Kind::Json => charset::decode_json(page.body, page.content_type),
            Kind::Xml => charset::decode_xml(page.body, page.content_type),
            Kind::Html => charset::decode(page.body, page.content_type).0,
        };
        budget.spend(text.len() / 64)?;
        let mut is_cut = false;
        let (body, problem) = match kind {
            Kind::Html => {
                let dom = Dom::html(text, budget)?;
                is_cut = dom.is_cut;
                (Body::Tree(Box::new(dom)), None)
            }
            Kind::Xml => {
                let (dom, problem) = xml::parse(&text, budget)?;
                is_cut = dom.is_cut;
                (Body::Tree(Box::new(dom)), problem.map(|problem| format!("XML: {problem}")))
            }
            Kind::Json => match json::read_body(&text, budget)? {
                Read::Value(value) => (Body::Json(value), None),
                Read::Broken(problem) => (Body::Broken, Some(format!("JSON: {problem}"))),
            },
        };
        Some(Self {
            url: page.url,
            body,
            problem,
            is_cut,
            base: OnceCell::new(),
            jsonld: OnceCell::new(),
            jsonld_problem: OnceCell::new(),
            scripts: RefCell::default(),
        })
    }

    pub fn tree(&self) -> Option<&Dom<'p>> {
        match &self.body {
            Body::Tree(dom) => Some(dom),
            Body::Json(_) | Body::Broken => None,
        }
    }

    /// The base of relative URLs.
    pub fn base(&self, budget: &Budget<'_>) -> Option<&Url> {
        if self.base.get().is_none() {
            let base = match self.tree() {
                Some(dom) => dom.base(self.url, budget)?,
                None => self.url.clone(),
            };
            let _ = self.base.set(base);
        }
        self.base.get()
    }

    /// The page's JSON-LD: the list of its blocks.
    pub fn jsonld(&self, budget: &Budget<'_>) -> Option<&Value> {
        if self.jsonld.get().is_none() {
            let mut blocks = Vec::new();
            if let Some(dom) = self.tree() {
                let mut scripts = Vec::new();
                for index in dom.of_tag(Tag::Script, budget)? {
                    budget.spend(1)?;
                    let index = *index as Index;
                    scripts.extend(dom.element(index).filter(|element| json::holds_jsonld(*element)).map(|_| index));
                }
                if scripts.len() > MAX_BLOCKS {
                    let _ = self.jsonld_problem.set(format!("JSON-LD: more than {MAX_BLOCKS} blocks"));
                }
                for script in scripts.into_iter().take(MAX_BLOCKS) {
                    let text = dom.text(script, false, false, usize::MAX, budget)?;
                    let (values, problem) = json::read_block(&text, budget)?;
                    blocks.extend(values);
                    if let Some(problem) = problem {
                        let _ = self.jsonld_problem.set(format!("JSON-LD: {problem}"));
                    }
                }
            }
            let _ = self.jsonld.set(Value::Array(blocks));
        }
        self.jsonld.get()
    }

    /// The JSON that the text of an element is, if it is.
    pub fn script(&self, index: Index, budget: &Budget<'_>) -> Option<Option<Rc<Value>>> {
        if let Some(known) = self.scripts.borrow().get(&index) {
            return Some(known.clone());
        }
        let value = match self.tree() {
            Some(dom) => {
                let text = dom.text(index, false, false, usize::MAX, budget)?;
                // `window.state = {…};` too.
                let start = text.find(['{', '[']).unwrap_or(text.len());
                match json::read_first(&text[start..], budget)? {
                    Read::Value(value) => Some(Rc::new(value)),
                    Read::Broken(_) => None,
                }
            }
            None => None,
        };
        let mut scripts = self.scripts.borrow_mut();
        if scripts.len() >= MAX_SCRIPTS {
            scripts.clear();
        }
        scripts.insert(index, value.clone());
        Some(value)
    }

    /// The text of an element, as far as it is kept of one value.
    pub fn text(&self, index: Index, own: bool, fold: bool, budget: &Budget<'_>) -> Option<String> {
        self.tree().map_or(Some(String::new()), |dom| dom.text(index, own, fold, MAX_VALUE_BYTES + 1, budget))
    }
}
