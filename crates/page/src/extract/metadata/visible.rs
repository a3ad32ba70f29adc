//! What readers see of a page's title, authors and dates.

use super::super::arena::{Element, NodeRef};
use super::super::extras::Page;
use super::super::limits;
use super::super::rules::locale::Locale;
use super::super::tags::Tag;
use super::title::Sources;
use super::{Found, byline, when};

/// Most texts of a kind that are looked at.
const MAX_TEXTS: usize = 60;
/// Most nodes of such a text.
const MAX_NODES: usize = 40;
/// Rank of authors that are named together: below what machines are told, above single links.
const TOGETHER: u8 = 2;
/// Ranks of authors and dates that are seen: lower ones are told to machines.
const SEEN: u8 = 6;
const GUESSED: u8 = 8;

/// The texts that may be titles, bylines and dates.
pub(super) struct Visible {
    title: String,
    headings: Vec<(bool, String)>,
    bylines: Vec<(u8, String)>,
    dates: Vec<(u8, String, when::Kind)>,
    locale: Option<Locale>,
    /// Elements since the heading of the page.
    since_heading: Option<usize>,
}

impl Visible {
    pub fn new(page: &Page) -> Self {
        let html = page.tree.elements().find(|element| element.is(Tag::Html));
        let lang = html.and_then(|html| html.attr("lang")).unwrap_or_default();
        Self {
            title: String::new(),
            headings: Vec::new(),
            bylines: Vec::new(),
            dates: Vec::new(),
            locale: Locale::named(lang),
            since_heading: None,
        }
    }

    pub fn element(&mut self, element: Element<'_>) {
        if let Some(since) = &mut self.since_heading {
            *since += 1;
        }
        match element.tag() {
            Tag::Title if self.title.is_empty() && element.is_of_document() => self.title = text(element, MAX_NODES),
            Tag::H1 if self.headings.len() < MAX_TEXTS => {
                let is_main = !is_beside(element);
                let text = text(element, MAX_NODES);
                let text = text.trim_end_matches(['¶', '#', '§', ' ']);
                if !text.is_empty() {
                    self.headings.push((is_main, text.to_owned()));
                    self.since_heading = Some(0);
                }
            }
            Tag::Meta
            | Tag::Link
            | Tag::Script
            | Tag::Style
            | Tag::Body
            | Tag::Html
            | Tag::Head
            | Tag::Img
            | Tag::Svg => {}
            _ => {
                self.byline(element);
                self.date(element);
            }
        }
    }

    fn byline(&mut self, element: Element<'_>) {
        if self.bylines.len() >= MAX_TEXTS {
            return;
        }
        let is_property =
            element.attr("itemprop").is_some_and(|property| property.split_ascii_whitespace().any(|p| p == "author"));
        let is_user =
            has_name(element, &["username", "user-name", "poster-name"], &["input", "field", "label", "form"]);
        let rank = if is_property {
            SEEN
        } else if has_name(
            element,
            &["byline", "author", "by-line", "writtenby", "written-by", "contributor"],
            &[
                "authorization",
                "authority",
                "bio",
                "avatar",
                "image",
                "photo",
                "social",
                "comment",
                "related",
                "authors-list",
                "box",
            ],
        ) {
            SEEN + 1
        } else if is_user {
            SEEN + 2
        } else if self.since_heading.is_some_and(|since| since < 60) && has_own_text(element, byline::begins_as_one) {
            GUESSED
        } else {
            return;
        };
        if is_beside(element) || is_comment(element) {
            return;
        }
        // Several people have a name, or a page, each.
        let mut people: Vec<String> = Vec::new();
        for inner in element.descendants().take(MAX_NODES).filter_map(NodeRef::as_element) {
            let is_person = inner.attr("itemprop") == Some("name")
                || inner.attr("rel").is_some_and(|rel| rel.contains("author"))
                || inner.is(Tag::A) && inner.attr("href").is_some_and(|href| href.contains("/author"));
            if is_person
                && let Some(name) = byline::names(&text(inner, MAX_NODES), true)
                && !people.contains(&name)
            {
                people.push(name);
            }
        }
        let own = text(element, MAX_NODES);
        let found =
            if people.is_empty() { byline::names(&own, is_property || is_user) } else { Some(people.join(", ")) };
        if let Some(names) = found {
            // Several who are named together are more than the first of them that a link names.
            self.bylines.push((if people.len() > 1 { TOGETHER } else { rank }, names));
        }
    }

    fn date(&mut self, element: Element<'_>) {
        if self.dates.len() >= MAX_TEXTS {
            return;
        }
        let is_time = element.is(Tag::Time);
        let is_named = has_name(
            element,
            &["date", "publish", "posted", "timestamp", "entry-meta", "post-meta", "byline", "meta"],
            &["update-", "candidate", "comment", "related", "validate"],
        );
        let is_near = self.since_heading.is_some_and(|since| since < 60);
        let rank = match (is_time || is_named, is_near) {
            (true, true) => SEEN,
            (false, true) if has_own_text(element, |text| text.bytes().any(|byte| byte.is_ascii_digit())) => SEEN + 1,
            (true, false) if is_time => GUESSED,
            _ => return,
        };
        let written = text(element, MAX_NODES);
        if let Some((date, kind)) = when::date(&written, self.locale.as_ref())
            && !is_beside(element)
            && !is_comment(element)
        {
            self.dates.push((rank, date, kind));
        }
    }

    /// Offers what was seen.
    pub fn offer(mut self, found: &mut Found, page: &Page) {
        self.headings.sort_by_key(|(is_main, _)| !is_main);
        let met = &mut found.met;
        found.sources = Sources {
            title: met.folded(&limits::METADATA_VALUE, &self.title),
            headings: self.headings.into_iter().map(|(_, text)| met.folded(&limits::METADATA_VALUE, &text)).collect(),
            site: found.site_name.0.as_ref().map(|(_, name)| name.clone()).unwrap_or_default(),
            host: page.base.host_str().unwrap_or_default().to_owned(),
            ..std::mem::take(&mut found.sources)
        };
        found.title = found.sources.title();
        // A site that says it is the author itself leaves the word to whoever is named.
        if let Some((rank, names)) = &mut found.author.0
            && *names == found.sources.site
        {
            *rank = GUESSED;
        }
        for (rank, names) in &self.bylines {
            found.author.offer(met, *rank, names);
        }
        for (rank, date, kind) in &self.dates {
            match kind {
                when::Kind::Published => found.published.offer_date(met, *rank, date),
                when::Kind::Modified => found.modified.offer_date(met, *rank, date),
            }
        }
        if found.published.lacks(GUESSED)
            && let Some(date) = when::of_path(page.base.path())
        {
            found.published.offer_date(met, GUESSED, &date);
        }
    }
}

/// The text of an element that is seen, white space folded; of its first nodes.
fn text(element: Element<'_>, max_nodes: usize) -> String {
    let inside = element.descendants().take(max_nodes);
    let mut text = String::new();
    for node in inside {
        if let Some(own) = node.as_text()
            && !node
                .parent()
                .and_then(NodeRef::as_element)
                .is_some_and(|parent| matches!(parent.tag(), Tag::Script | Tag::Style))
        {
            text.push_str(super::super::text::cut(own, limits::METADATA_VALUE.most()));
        } else if node
            .as_element()
            .is_some_and(|inner| inner.is(Tag::Br) || super::super::blocks::is_block_tag(inner.tag()))
        {
            text.push(' ');
        }
        if text.len() > limits::METADATA_VALUE.most() {
            break;
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether one of an element's own texts is such a one.
fn has_own_text(element: Element<'_>, is_such: impl Fn(&str) -> bool) -> bool {
    element
        .children()
        .take(6)
        .filter_map(NodeRef::as_text)
        .any(|text| text.len() < when::MAX_TEXT_BYTES && is_such(text))
}

/// Whether a class or the id says one of these words, and none of those.
fn has_name(element: Element<'_>, words: &[&str], without: &[&str]) -> bool {
    let says = |name: &str| {
        element.attr(name).filter(|value| value.len() < 300).is_some_and(|value| {
            let value = value.to_ascii_lowercase();
            words.iter().any(|word| value.contains(word)) && !without.iter().any(|word| value.contains(word))
        })
    };
    says("class") || says("id")
}

/// Whether an element stands beside the main part of the page.
fn is_beside(element: Element<'_>) -> bool {
    element
        .ancestors()
        .filter_map(NodeRef::as_element)
        .any(|outer| matches!(outer.tag(), Tag::Nav | Tag::Footer | Tag::Aside))
}

fn is_comment(element: Element<'_>) -> bool {
    let is_review = |outer: Element<'_>| {
        outer.attr("itemprop").is_some_and(|property| property.starts_with("review"))
            || has_name(outer, &["review-item", "reviews", "customer-review", "testimonial"], &[])
    };
    if element.ancestors().filter_map(NodeRef::as_element).take(12).any(is_review) {
        return true;
    }
    element.ancestors().filter_map(NodeRef::as_element).take(12).any(|outer| {
        has_name(
            outer,
            &["comment", "related", "recommend", "sidebar"],
            &["article", "body", "page", "no-sidebar", "has-", "with-", "content"],
        )
    })
}
