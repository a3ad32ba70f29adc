//! `llms.txt`: the Markdown list of links that a site has for language models (<https://llmstxt.org>).
//!
//! Sections are second-level headings; links in one called "Optional" may be left out by who has little room.

use pulldown_cmark::{Event, HeadingLevel, Parser, Tag, TagEnd};
use url::Url;

use crate::document::{self, NotRead, Note, Notes, absolute, cut};

/// Most bytes that are read.
pub const MAX_LLMS_BYTES: usize = 4 << 20;

/// Longest title of a link or section, in bytes.
const MAX_TITLE_BYTES: usize = 1024;

/// Links that are read.
pub const MAX_LLMS_LINKS: usize = 50_000;

/// The name of such documents in errors.
const WANTED: &str = "llms.txt";

/// A link of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Where it leads: absolute, http(s), without fragment.
    pub url: String,
    /// Its text.
    pub title: String,
    /// The section that it is in; empty before the first.
    pub section: String,
    /// Whether that is the one for links that may be left out.
    pub is_optional: bool,
}

/// The links of the file `body`, the answer of `url`, each as often as it is there, and what is wrong with the file.
///
/// # Errors
/// [`NotRead`] if it is a page for people, as many servers answer with for whatever is asked, or empty.
pub fn read(body: &[u8], content_type: Option<&[u8]>, url: &Url) -> Result<(Vec<Link>, Vec<Note>), NotRead> {
    let (_, head) = document::open(body, content_type, MAX_LLMS_BYTES as u64)?;
    let start = head.trim_start().as_bytes();
    let is_html = [&b"<!doctype"[..], b"<html", b"<head", b"<?xml"];
    if is_html.iter().any(|tag| start.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag))) {
        return Err(document::html(body, WANTED));
    }
    let text = String::from_utf8_lossy(&body[..body.len().min(MAX_LLMS_BYTES)]);
    let mut list =
        List { url, links: Vec::new(), notes: Notes::default(), section: String::new(), open: Open::Nothing };
    if body.len() > MAX_LLMS_BYTES {
        list.notes.add(Note::TooLong);
    }
    for event in Parser::new(text.trim_start_matches('\u{feff}')) {
        list.read(event);
        if list.links.len() == MAX_LLMS_LINKS {
            list.notes.add(Note::TooManyItems);
            break;
        }
    }
    Ok((list.links, list.notes.all().to_vec()))
}

struct List<'u> {
    url: &'u Url,
    links: Vec<Link>,
    notes: Notes,
    section: String,
    open: Open,
}

/// The element that the text to come belongs to.
enum Open {
    Nothing,
    Section(String),
    /// Target and text of a link.
    Link(String, String),
}

impl List<'_> {
    fn read(&mut self, event: Event<'_>) {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H2, .. }) => self.open = Open::Section(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                if let Open::Section(title) = std::mem::replace(&mut self.open, Open::Nothing) {
                    self.section = title.trim().to_owned();
                }
            }
            Event::Start(Tag::Link { dest_url, .. }) if !matches!(self.open, Open::Section(_)) => {
                self.open = Open::Link(dest_url.into_string(), String::new());
            }
            Event::End(TagEnd::Link) => {
                if let Open::Link(href, title) = std::mem::replace(&mut self.open, Open::Nothing) {
                    self.add(&href, &title);
                }
            }
            Event::Text(text) | Event::Code(text) => self.text(&text),
            Event::SoftBreak | Event::HardBreak => self.text(" "),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if let Open::Section(title) | Open::Link(_, title) = &mut self.open {
            title.push_str(cut(text, MAX_TITLE_BYTES - cut(title, MAX_TITLE_BYTES).len()));
        }
    }

    fn add(&mut self, href: &str, title: &str) {
        // Jumps within the file, and addresses of people.
        if href.starts_with('#') || href.starts_with("mailto:") {
            return;
        }
        match absolute(self.url, href) {
            Some(url) => self.links.push(Link {
                url,
                title: title.trim().to_owned(),
                section: self.section.clone(),
                is_optional: self.section.eq_ignore_ascii_case("optional"),
            }),
            None => self.notes.unusable(href),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LLMS: &str = "# Example\n\n> A summary, with [a link](/about).\n\n## Docs\n\n\
        - [Quick start](https://example.org/docs/start.md): how to `begin`\n\
        - [API (v2)](docs/api_(v2).md#top)\n* [`code` and *more*](<https://other.example/a b>)\n\
        \n```\n[no link](https://example.org/no)\n```\n- [mail](mailto:a@example.org), [above](#docs), [odd](ftp://x/)\n\
        \n## Optional\n\n- <https://example.org/auto>\n- [Ref][r]\n\n[r]: /ref 'titled'\n";

    fn url() -> Url {
        Url::parse("https://example.org/llms.txt").expect("a URL")
    }

    #[test]
    fn links_are_read_with_their_sections() {
        let (links, notes) = read(LLMS.as_bytes(), None, &url()).expect("a list");
        let told: Vec<_> =
            links.iter().map(|link| (&*link.url, &*link.title, &*link.section, link.is_optional)).collect();
        assert_eq!(
            told,
            [
                ("https://example.org/about", "a link", "", false),
                ("https://example.org/docs/start.md", "Quick start", "Docs", false),
                ("https://example.org/docs/api_(v2).md", "API (v2)", "Docs", false),
                ("https://other.example/a%20b", "code and more", "Docs", false),
                ("https://example.org/auto", "https://example.org/auto", "Optional", true),
                ("https://example.org/ref", "Ref", "Optional", true),
            ]
        );
        assert_eq!(notes, [Note::Unusable { count: 1, first: "ftp://x/".to_owned() }]);
    }

    #[test]
    fn a_page_for_people_is_no_list() {
        let page = b"\n<!DOCTYPE html><title>Not found</title>";
        let error = read(page, None, &url()).expect_err("HTML").to_string();
        assert_eq!(error, "it is an HTML page, not a llms.txt");
        assert_eq!(read(b" \n", None, &url()), Err(NotRead::Empty));
    }

    #[test]
    fn what_a_hostile_file_makes_is_bounded() {
        for piece in ["[", "![[", "[a](", "*", "> ", "<", "`", "[a]: /b\n", "- ", "[x](/a)"] {
            let text = piece.repeat(200_000 / piece.len());
            let (links, _) = read(text.as_bytes(), None, &url()).expect("a text");
            assert!(links.len() <= MAX_LLMS_LINKS, "{piece}");
        }
        let title = format!("## {0}\n[{0}](/a)", "a".repeat(100_000));
        let (links, _) = read(title.as_bytes(), None, &url()).expect("a text");
        assert_eq!((links[0].title.len(), links[0].section.len()), (MAX_TITLE_BYTES, MAX_TITLE_BYTES));
    }
}
