//! Rules that find a value somebody has seen on a page: what `seine try --suggest` proposes.
//!
//! Candidates are made of where the value stands, and then tried as any rule on all pages: only those are proposed that
//! find just that value first. Those come first that find something on most pages, and of these the ones that a new
//! design of the site is least likely to break: what is written for machines, then ids and classes that people named,
//! labels beside the value, and places by number last.

use serde_json::Value;

use super::document::{Body, Document, Kind};
use super::dom::Dom;
use super::values::quoted;
use super::{Budget, MAX_FIELDS, Page, Rules};
use crate::extract::arena::Element;
use crate::extract::parsed::Parsed;
use crate::extract::text::cut;

/// Most rules that are tried for one value.
pub const MAX_CANDIDATES: usize = 200;
/// Places of a value on one page that are looked at.
const MAX_PLACES: usize = 30;
/// Longest text around a value, beyond it, in bytes.
const MAX_AROUND: usize = 60;
/// Longest label, in bytes.
const MAX_LABEL: usize = 40;

/// A rule that finds the value.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// As it stands in a config file behind `name =`.
    pub rule: String,
    /// Of each page how many values it finds there, and the first.
    pub found: Vec<(usize, Option<String>)>,
    /// The lower, the less likely to break.
    rank: u32,
}

impl Suggestion {
    /// On how many pages it finds something.
    pub fn pages(&self) -> usize {
        self.found.iter().filter(|(count, _)| *count > 0).count()
    }
}

/// A source of rules without its braces, and its rank.
struct Candidates {
    rules: Vec<(String, u32)>,
    wanted: String,
    number: Option<f64>,
}

/// Rules that find `wanted` on those of `pages` that have it, the best ones first. `None`: told to stop.
pub fn suggest(pages: &[Page<'_>], wanted: &str, keep_going: &dyn Fn() -> bool) -> Option<Vec<Suggestion>> {
    let wanted = wanted.split_whitespace().collect::<Vec<_>>().join(" ");
    let number = wanted.parse().ok().filter(|_| wanted.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
    let mut candidates = Candidates { rules: Vec::new(), wanted, number };
    if candidates.wanted.is_empty() {
        return Some(Vec::new());
    }
    let budget = Budget::new(keep_going);
    for page in pages {
        let Some(kind) = Kind::of(page) else { continue };
        let parsed = Parsed::new(page.body, page.content_type);
        let document = Document::parse(&parsed, page, kind, &budget)?;
        match &document.body {
            Body::Json(value) => candidates.json(value, "json", 10),
            Body::Html(dom) => candidates.page(&document, dom, &budget)?,
            Body::Xml(dom) => candidates.page(&document, dom, &budget)?,
            Body::Broken => {}
        }
    }
    candidates.tried(pages, keep_going)
}

impl Candidates {
    fn add(&mut self, rule: String, rank: u32) {
        // What a page names may be no selector.
        let can_be_read = || Rules::read(&config([&rule])).is_ok();
        if self.rules.len() < MAX_CANDIDATES && !self.rules.iter().any(|(known, _)| *known == rule) && can_be_read() {
            self.rules.push((rule, rank));
        }
    }

    /// All candidates on all pages; those that find the value, in order.
    fn tried(&self, pages: &[Page<'_>], keep_going: &dyn Fn() -> bool) -> Option<Vec<Suggestion>> {
        let mut tried: Vec<(String, u32, bool)> = Vec::new();
        for (rule, rank) in &self.rules {
            tried.push((rule.clone(), *rank, false));
            if self.number.is_some() {
                tried.push((format!("{rule}, type = \"number\""), *rank, true));
            }
        }
        let mut suggestions = Vec::new();
        for tried in tried.chunks(MAX_FIELDS) {
            let Ok(rules) = Rules::read(&config(tried.iter().map(|(rule, ..)| rule))) else { continue };
            let mut found: Vec<Vec<Value>> = Vec::new();
            for page in pages {
                let items = rules.apply(page, keep_going)?;
                found.push(
                    items.items.iter().filter_map(|item| serde_json::from_str(&item.data).ok()).take(1).collect(),
                );
            }
            for (number, (rule, rank, is_number)) in tried.iter().enumerate() {
                let values: Vec<Vec<Value>> = found
                    .iter()
                    .map(|item| {
                        let values = item.first().and_then(|item| item[format!("r{number}")].as_array().cloned());
                        values.unwrap_or_default()
                    })
                    .collect();
                let is_it = |value: &Value| match (is_number, value) {
                    (true, value) => value.as_f64().is_some() && value.as_f64() == self.number,
                    (false, value) => value.as_str() == Some(&self.wanted),
                };
                if !values.iter().any(|values| values.first().is_some_and(is_it)) {
                    continue;
                }
                let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let several = values.iter().map(Vec::len).max().unwrap_or_default() > 1;
                suggestions.push(Suggestion {
                    rule: if !is_number && rule.starts_with("css = ") && !rule.contains("\", ") {
                        rule["css = ".len()..].to_owned()
                    } else {
                        format!("{{ {rule} }}")
                    },
                    found: values.iter().map(|values| (values.len(), values.first().map(shown))).collect(),
                    rank: rank + if several { 12 } else { 0 },
                });
            }
        }
        suggestions.sort_by_key(|suggestion| (std::cmp::Reverse(suggestion.pages()), suggestion.rank));
        // As a number, if it is one that way: that is what sorts and sums.
        let numbers: Vec<_> = suggestions.iter().map(|suggestion| suggestion.rule.clone()).collect();
        suggestions.retain(|suggestion| {
            let plain = suggestion.rule.trim_start_matches("{ ").trim_end_matches(" }");
            let plain = if plain.starts_with('"') { format!("css = {plain}") } else { plain.to_owned() };
            !numbers.contains(&format!("{{ {plain}, type = \"number\" }}"))
        });
        Some(suggestions)
    }

    /// Whether a text is the value, or has it among a little more; and what stands before it.
    fn around<'t>(&self, text: &'t str) -> Option<&'t str> {
        if text.len() > self.wanted.len() + MAX_AROUND {
            return None;
        }
        let at = text.find(self.wanted.as_str())?;
        let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let (before, after) = (&text[..at], &text[at + self.wanted.len()..]);
        (!is_word(before.chars().next_back()) && !is_word(after.chars().next())).then_some(before)
    }

    fn page(&mut self, document: &Document<'_>, dom: &Dom<'_>, budget: &Budget<'_>) -> Option<()> {
        for block in document.jsonld(budget)?.as_array().into_iter().flatten() {
            let list = if block.is_array() { Some(block) } else { block.get("@graph") };
            for root in list.and_then(Value::as_array).into_iter().flatten().chain([block]) {
                self.json(root, "jsonld", 5);
            }
        }
        let mut places = 0;
        for element in dom.tree().elements() {
            budget.spend(1)?;
            let index = element.id().index();
            for (name, value) in element.attributes() {
                budget.spend(1 + value.len() / 16)?;
                if places < MAX_PLACES && value.trim() == self.wanted && !matches!(name, "class" | "id" | "style") {
                    places += 1;
                    self.attribute(dom, element, name, budget)?;
                }
            }
            // The innermost: what is around it has a child with the text.
            let own = dom.text(index, true, true, self.wanted.len() + MAX_AROUND + 1, budget)?;
            if places >= MAX_PLACES || own.is_empty() {
                continue;
            }
            let text = dom.text(index, false, true, self.wanted.len() + MAX_AROUND + 1, budget)?;
            if let Some(before) = self.around(&text) {
                places += 1;
                let ends = cut(before, before.len()).to_owned();
                self.element(dom, element, "", &ends, budget)?;
            }
        }
        Some(())
    }

    fn attribute(&mut self, dom: &Dom<'_>, element: Element<'_>, name: &str, budget: &Budget<'_>) -> Option<()> {
        if element.name() == "meta" && name == "content" {
            for key in ["property", "name", "itemprop"] {
                if let Some(named) = element.attr(key) {
                    self.add(format!("meta = {}", quoted(named)), 8);
                }
            }
            return Some(());
        }
        self.element(dom, element, &format!(", attr = {}", quoted(name)), "", budget)
    }

    /// Rules that lead to an element; `rest` says what of it, `before` stands before the value in its text.
    fn element(
        &mut self,
        dom: &Dom<'_>,
        element: Element<'_>,
        rest: &str,
        before: &str,
        budget: &Budget<'_>,
    ) -> Option<()> {
        if let Some(property) = element.attr("itemprop")
            && is_named(property)
        {
            self.add(format!("microdata = {}", quoted(property)), 10);
        }
        let pattern = self.pattern(before);
        let mut all = |css: &str, rank: u32| {
            self.add(format!("css = {}{rest}", quoted(css)), rank);
            if let (Some(pattern), "") = (&pattern, rest) {
                self.add(format!("css = {}, regex = {}", quoted(css), quoted(pattern)), rank + 3);
            }
        };
        let own = simple(element);
        for (css, rank) in &own {
            all(css, *rank);
        }
        let mut steps: Vec<String> = vec![numbered(element)];
        let (mut anchors, mut above) = (0, element.parent_element());
        while let Some(around) = above.filter(|_| anchors < 3) {
            budget.spend(1)?;
            let named: Vec<_> = simple(around).into_iter().filter(|(_, rank)| *rank < 40).collect();
            for (anchor, rank) in &named {
                for (css, own) in own.iter().take(4) {
                    all(&format!("{anchor} {css}"), rank.max(own) + 8);
                }
                all(&format!("{anchor} > {}", steps.join(" > ")), rank + 50);
            }
            anchors += u32::from(!named.is_empty());
            if steps.len() < 6 {
                steps.insert(0, numbered(around));
            } else {
                break;
            }
            above = around.parent_element();
        }
        self.labels(dom, element, rest, budget)
    }

    /// Rules by a label before the element, or before what it is in.
    fn labels(&mut self, dom: &Dom<'_>, element: Element<'_>, rest: &str, budget: &Budget<'_>) -> Option<()> {
        let mut at = element;
        let mut inside = String::new();
        for _ in 0..3 {
            let before = at.previous_siblings().find_map(|node| node.as_element());
            if let Some(label) = before.filter(|label| label.name() != "tr") {
                let text = dom.text(label.id().index(), false, true, MAX_LABEL + 1, budget)?;
                let word = text.trim_end_matches([':', ' ']);
                if !word.is_empty() && text.len() <= MAX_LABEL && !word.contains(|c: char| c.is_numeric()) {
                    let step = format!("next {}", at.name());
                    let steps = match inside.as_str() {
                        "" => quoted(&step),
                        inside => format!("[{}, {}]", quoted(&step), quoted(inside)),
                    };
                    let (css, is_whole) = (quoted(label.name()), format!("/^{}:?$/", regex::escape(word)));
                    self.add(format!("css = {css}, text = {}, step = {steps}{rest}", quoted(word)), 33);
                    self.add(format!("css = {css}, text = {}, step = {steps}{rest}", quoted(&is_whole)), 34);
                }
            }
            inside = format!("inside {}", element.name());
            let Some(around) = at.parent_element() else { break };
            at = around;
        }
        Some(())
    }

    /// What takes the value out of a text in which something stands before it that is likely to stay.
    fn pattern(&self, before: &str) -> Option<String> {
        let words = before.trim();
        if words.is_empty() || words.contains(|c: char| c.is_numeric()) {
            return None;
        }
        let value = if self.wanted.contains(' ') { "(.+)" } else { "(\\S+)" };
        Some(format!("{}\\s*{value}", regex::escape(words)))
    }

    /// Rules by paths to the value in JSON.
    fn json(&mut self, root: &Value, key: &str, rank: u32) {
        let mut left = MAX_PLACES;
        let mut open = vec![(root, "$".to_owned(), String::new())];
        // Of a large document the first values.
        for _ in 0..100_000 {
            let Some((value, path, name)) = open.pop() else { break };
            let is_it = match value {
                Value::String(text) => text.trim() == self.wanted,
                Value::Number(number) => self.number.is_some() && number.as_f64() == self.number,
                Value::Array(values) => {
                    open.extend(values.iter().rev().map(|value| (value, format!("{path}[*]"), name.clone())));
                    false
                }
                Value::Object(members) => {
                    let steps = members
                        .iter()
                        .rev()
                        .map(|(name, value)| (value, format!("{path}{}", member(name)), name.clone()));
                    open.extend(steps);
                    false
                }
                Value::Null | Value::Bool(_) => false,
            };
            if is_it && left > 0 && path.len() < 300 {
                left -= 1;
                self.add(format!("{key} = {}", quoted(&path)), rank);
                if is_plain(&name) && path != format!("$.{name}") {
                    self.add(format!("{key} = {}", quoted(&format!("$..{name}"))), rank + 1);
                }
            }
        }
    }
}

/// A config file with these rules for its fields.
fn config<'r>(rules: impl IntoIterator<Item = &'r String>) -> String {
    let mut config = "[[collection]]\nname = 'suggested'\nmatch = ''\n[collection.fields]\n".to_owned();
    for (number, rule) in rules.into_iter().enumerate() {
        config += &format!("r{number} = {{ {rule}, many = true }}\n");
    }
    config
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

/// A step of a JSONPath to a member.
fn member(name: &str) -> String {
    if is_plain(name) { format!(".{name}") } else { format!("[{}]", quoted(name)) }
}

/// Selectors of an element alone, and their ranks.
fn simple(element: Element<'_>) -> Vec<(String, u32)> {
    let name = element.name();
    let mut found = Vec::new();
    if let Some(id) = element.id_attr().filter(|id| is_named(id)) {
        found.push((format!("#{id}"), 20));
    }
    for (key, value) in element.attributes() {
        if (key.starts_with("data-") || matches!(key, "itemprop" | "property" | "name" | "rel" | "role"))
            && is_named(key)
        {
            if is_named(value) {
                found.push((format!("[{key}={value}]"), 22));
            } else if key.starts_with("data-") && !key.starts_with("data-v-") {
                found.push((format!("{name}[{key}]"), 30));
            }
        }
    }
    let classes: Vec<_> = element.classes().filter(|class| is_named(class)).take(4).collect();
    for class in &classes {
        found.push((format!(".{class}"), 30));
        found.push((format!("{name}.{class}"), 31));
    }
    if let [first, second, ..] = classes.as_slice() {
        found.push((format!(".{first}.{second}"), 32));
    }
    if is_plain(name) || name.starts_with('h') && name.len() == 2 {
        found.push((name.to_owned(), if matches!(name, "h1" | "title" | "time") { 28 } else { 60 }));
    }
    found
}

/// An element by its place among its siblings.
fn numbered(element: Element<'_>) -> String {
    let same = element.previous_siblings().take(1_000).filter_map(|node| node.as_element());
    let before = same.filter(|other| other.name() == element.name()).count();
    format!("{}:nth-of-type({})", element.name(), before + 1)
}

/// Whether a name is one that a person gave, not a number or what a build tool made: `price`, `product-title`,
/// `priceBox`; not `item-17`, `css-1q2w3e`, `sc-bdVaJa`, `price__xK2aQ`.
fn is_named(name: &str) -> bool {
    const MADE: [&str; 8] = ["css-", "sc-", "jsx-", "jss", "svelte-", "ng-", "astro-", "emotion-"];
    if !(2..=40).contains(&name.len()) || MADE.iter().any(|start| name.starts_with(start)) {
        return false;
    }
    if !name.starts_with(|c: char| c.is_ascii_alphabetic())
        || !name.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'))
    {
        return false;
    }
    name.split(['-', '_']).all(|word| {
        let changes =
            word.as_bytes().windows(2).filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
        let has_vowel = word.bytes().any(|byte| b"aeiouyAEIOUY".contains(&byte));
        let upper = word.bytes().filter(u8::is_ascii_uppercase).count();
        // `xKaQb`: words of people have vowels, and capitals at the starts of words of some length.
        (word.len() < 5 || has_vowel)
            && changes.count() * 4 <= word.len()
            && (upper * 3 <= word.len() + 1 || upper == word.len())
    })
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn best(pages: &[&str], wanted: &str) -> Vec<Suggestion> {
        let url = Url::parse("https://shop.example/p/1").expect("a URL");
        let pages: Vec<_> = pages
            .iter()
            .map(|body| Page {
                url: &url,
                listed_url: url.as_str(),
                content_type: Some(if body.starts_with('{') { b"application/json" } else { b"text/html" }),
                body: body.as_bytes(),
            })
            .collect();
        suggest(&pages, wanted, &|| true).expect("nobody stopped it")
    }

    #[track_caller]
    fn first(pages: &[&str], wanted: &str, rule: &str) {
        let found = best(pages, wanted);
        let rules: Vec<_> = found.iter().take(5).map(|found| found.rule.as_str()).collect();
        assert_eq!(rules.first(), Some(&rule), "{rules:?}");
    }

    #[test]
    fn what_is_least_likely_to_break_comes_first() {
        first(&["<h1>Kettle</h1><p>x</p>"], "Kettle", "\"h1\"");
        first(&["<p class='css-1x2y price'>$19.90</p>"], "19.90", "{ css = \".price\", type = \"number\" }");
        first(&["<b id=total class=price>19.90</b>"], "19.90", "{ css = \"#total\", type = \"number\" }");
        first(&["<b id=item-17 class=sku>A-1</b>"], "A-1", "\".sku\"");
        first(&["<b data-qa=sku class=x>A-1</b>"], "A-1", "\"[data-qa=sku]\"");
        first(&["<a class=more href=/x/1>x</a>"], "/x/1", "{ css = \".more\", attr = \"href\" }");
        first(&["<meta property=og:title content=Kettle><h1>Kettle</h1>"], "Kettle", "{ meta = \"og:title\" }");
        first(&["<div itemscope><b itemprop=sku>A-1</b></div>"], "A-1", "{ microdata = \"sku\" }");
        let jsonld = "<script type=application/ld+json>{\"@graph\": [{\"offers\": {\"price\": 19.90}}]}</script><b class=price>19.90</b>";
        first(&[jsonld], "19.90", "{ jsonld = \"$.offers.price\", type = \"number\" }");
        first(&["{\"items\": [{\"id\": \"A-1\"}, {\"id\": \"A-2\"}]}"], "A-1", "{ json = \"$.items[*].id\" }");
    }

    #[test]
    fn labels_lead_to_values_that_have_no_name() {
        let page = |weight: &str, sku: &str| {
            format!(
                "<table><tr><th>{weight}<td>x<tr><th>SKU:<td>{sku}<tr><th>Old SKU<td>z</table><p>Maker: <b>Acme</b></p>"
            )
        };
        let (one, two) = (page("Weight", "A-1"), page("", "A-2"));
        first(&[&one, &two], "A-1", "{ css = \"th\", text = \"/^SKU:?$/\", step = \"next td\" }");
        let found = best(&[&one, &two], "A-1");
        assert_eq!(found[0].found, [(1, Some("A-1".to_owned())), (1, Some("A-2".to_owned()))]);
        assert_eq!(found[0].pages(), 2);
        first(
            &["<div><i>Brand</i><div><span>Acme</span></div></div><div><i>Type</i><div><span>Pot</span></div></div>"],
            "Pot",
            "{ css = \"i\", text = \"Type\", step = [\"next div\", \"inside span\"] }",
        );
        first(&["<p class=sku>SKU: A-1</p>"], "A-1", "{ css = \".sku\", regex = \"SKU:\\\\s*(\\\\S+)\" }");
    }

    #[test]
    fn rules_that_find_something_on_more_pages_come_first() {
        let pages = ["<b id=a class=p>1.50</b>", "<b id=b class=p>2.50</b>", "<b class=p>3.50</b>"];
        first(&pages, "1.50", "{ css = \"b\", type = \"number\" }");
        let pages = ["<i class=x>a</i><b class=price>1.50</b>", "<i class=x>b</i><b class=price>2</b>"];
        let found = best(&pages, "1.50");
        assert_eq!(found[0].rule, "{ css = \".price\", type = \"number\" }");
        assert_eq!(found[0].found[1], (1, Some("2.0".to_owned())));
        assert!(found.iter().all(|found| !found.rule.contains(".x")));
    }

    #[test]
    fn every_rule_that_is_proposed_can_be_read_and_finds_the_value() {
        let pages = [
            "<div id='a\"b' class='c\"d x:y'><p class=\"q\\r\">v</p><p data-x='\"'>v</p></div>",
            "<x:y><b>v</b></x:y>\u{0}<p class='\u{1F600}'>v: v</p>",
            "<script type=application/ld+json>{\"a\\\"b\": {\"c'd\": \"v\"}}</script><p title=v>",
        ];
        for page in pages {
            let found = best(&[page], "v");
            assert!(!found.is_empty(), "{page}");
            for Suggestion { rule, .. } in found {
                let text = format!("[[collection]]\nname = 'a'\n[collection.fields]\nx = {rule}");
                Rules::read(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
            }
        }
        assert_eq!((best(&["<p>a</p>"], "v"), best(&["<p>a</p>"], " ")), (Vec::new(), Vec::new()));
    }

    #[test]
    fn names_that_people_gave_are_told_from_others() {
        for name in ["price", "product-title", "priceBox", "main", "h-card", "SKU", "offer_price", "ProductName"] {
            assert!(is_named(name), "{name}");
        }
        for name in ["item-17", "css-abc", "sc-bdVaJa", "price__xKaQb", "p1", "x", "bcdfgh", "a:b", "-x", "", "ünder"]
        {
            assert!(!is_named(name), "{name}");
        }
    }
}
