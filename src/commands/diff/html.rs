//! Differences as one HTML page: no script, nothing from elsewhere, every text of a site escaped.

use std::fmt::Write as _;
use std::io::Write;

use super::prose::Prose;
use super::report::{Head, Report, Result, Shown, became, cut, plain, which};
use crate::console::text::at_ms;
use crate::console::text::printable;
use seine_export::target::Output;
use seine_store::diff::{ItemChange, ItemKind, PageChange, PageKind, fields};

/// Characters of a value that are shown.
const VALUE_CHARS: usize = 1000;

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width">
<style>
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em }
table { border-collapse: collapse; width: 100% }
th, td { border-bottom: 1px solid #8884; padding: .3em .6em; text-align: left; vertical-align: top }
td { overflow-wrap: anywhere }
pre { margin: .3em 0; overflow-x: auto; white-space: pre-wrap }
del { background: #f003; text-decoration: none }
ins { background: #0a03; text-decoration: none }
</style>
"#;

/// A page in the making.
pub(super) struct Html {
    output: Output,
    shown: Shown,
    /// Sections that are written: those without rows are left out of the page.
    has_pages: bool,
    has_items: bool,
}

impl Html {
    pub fn new(output: Output, shown: Shown) -> Self {
        Self { output, shown, has_pages: false, has_items: false }
    }

    fn end_table(&mut self, more: Option<String>) -> Result<()> {
        writeln!(self.output, "</table>")?;
        if let Some(more) = more {
            writeln!(self.output, "<p>… and {}</p>", escape(&more))?;
        }
        Ok(())
    }
}

impl Report for Html {
    fn begin(&mut self, head: &Head<'_>) -> Result<()> {
        let db = head.db.display().to_string();
        (self.has_pages, self.has_items) = (head.has_pages, head.has_items);
        let title = format!("{db}: run {} against run {}", head.to.run_id, head.from.run_id);
        write!(self.output, "{HEAD}<title>{0}</title>\n</head>\n<body>\n<h1>{0}</h1>\n", escape(&title))?;
        let [to, from] = [head.to.started_at, head.from.started_at].map(at_ms);
        writeln!(self.output, "<p>Begun {to} and {from}.</p>")?;
        if let Some(pages) = head.pages_in_words() {
            writeln!(self.output, "<p>Pages: {pages}</p>")?;
        }
        if let Some(items) = head.items_in_words() {
            writeln!(self.output, "<p>Items: {items}</p>")?;
        }
        for note in head.notes() {
            writeln!(self.output, "<p>{}</p>", escape(&note))?;
        }
        Ok(())
    }

    fn pages(&mut self) -> Result<()> {
        if self.has_pages {
            writeln!(self.output, "<h2>Pages</h2>\n<table>\n<tr><th>Change<th>URL<th>What")?;
        }
        Ok(())
    }

    fn shows(&self, kind: PageKind) -> bool {
        self.shown.shows(kind)
    }

    fn page(&mut self, page: &PageChange<'_>, prose: Option<&Prose>) -> Result<()> {
        if !self.shown.page(page.kind) {
            return Ok(());
        }
        let mut what = became(page).map(|became| escape(&became)).unwrap_or_default();
        match prose {
            Some(Prose::Differs(text)) => {
                what.push_str("<pre>");
                for line in text.lines() {
                    let tag = match line.as_bytes().first() {
                        Some(b'+') => "ins",
                        Some(b'-') => "del",
                        _ => "span",
                    };
                    let _ = writeln!(what, "<{tag}>{}</{tag}>", escape(line));
                }
                what.push_str("</pre>");
            }
            Some(Prose::Silent(reason)) => what.push_str(&escape(reason)),
            None => {}
        }
        writeln!(self.output, "<tr><td>{}<td>{}<td>{what}", page.kind.name(), link(&page.history.url))?;
        Ok(())
    }

    fn items(&mut self) -> Result<()> {
        if self.has_pages {
            let more = self.shown.more_pages();
            self.end_table(more)?;
        }
        if self.has_items {
            writeln!(self.output, "<h2>Items</h2>\n<table>\n<tr><th>Change<th>Collection<th>Item<th>URL<th>What")?;
        }
        Ok(())
    }

    fn item(&mut self, item: &ItemChange<'_>) -> Result<()> {
        if !self.shown.item(&item.kind) {
            return Ok(());
        }
        let value = |value: &serde_json::Value| escape(&cut(&plain(value), VALUE_CHARS));
        let what = match &item.kind {
            ItemKind::Added(data) => format!("<ins>{}</ins>", value(data)),
            ItemKind::Removed(data) => format!("<del>{}</del>", value(data)),
            ItemKind::Changed(before, after) => {
                let mut what = String::new();
                for field in fields::compare(before, after) {
                    let [before, after] = [field.before, field.after].map(|side| side.map(value).unwrap_or_default());
                    let path = escape(&field.path);
                    let _ = writeln!(what, "<div>{path} <del>{before}</del> → <ins>{after}</ins></div>");
                }
                what
            }
        };
        let (kind, collection, which) = (item.kind.name(), escape(&item.collection.name), escape(&which(item)));
        let url = link(item.url);
        writeln!(self.output, "<tr><td>{kind}<td>{collection}<td>{which}<td>{url}<td>{what}")?;
        Ok(())
    }

    fn finish(mut self: Box<Self>, _has_body: bool) -> Result<()> {
        if self.has_items {
            let more = self.shown.more_items();
            self.end_table(more)?;
        }
        writeln!(self.output, "</body>\n</html>")?;
        self.output.commit()
    }
}

/// A link to a page; what is no http(s) URL is text.
fn link(url: &str) -> String {
    let text = escape(url);
    let is_web = url.starts_with("http://") || url.starts_with("https://");
    if is_web { format!("<a rel=\"noreferrer noopener\" href=\"{text}\">{text}</a>") } else { text }
}

/// `text` with what means something in HTML as references, and without what turns the direction of writing.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_site_says_stays_text() {
        assert_eq!(escape("<b a='\"'>&\u{202e}"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;\u{fffd}");
        assert_eq!(link("javascript:alert(1)"), "javascript:alert(1)");
        assert!(link("https://a.example/\"><script>").contains("href=\"https://a.example/&quot;&gt;&lt;script&gt;\""));
    }
}
