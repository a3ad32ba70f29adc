//! HTML in the making. Its type keeps what sites say apart from what this program says: a text becomes a part of a page
//! by [`Markup::text`] or [`Markup::link`], which escape it; names of elements and classes are the program's own.

use std::fmt;

use crate::console::text::{grouped, printable};

/// Longer URLs are shown and lead nowhere: nobody follows them by hand.
const MAX_LINK_BYTES: usize = 2048;
/// Characters of a URL that are shown.
const URL_CHARS: usize = 200;

/// A piece of HTML.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::commands) struct Markup(String);

impl Markup {
    /// A text of whomever.
    pub fn text(text: &str) -> Self {
        Self(escape(text))
    }

    /// At most `limit` characters of it.
    pub fn cut(text: &str, limit: usize) -> Self {
        match text.char_indices().nth(limit) {
            Some((end, _)) => Self(escape(&text[..end]) + "…"),
            None => Self::text(text),
        }
    }

    /// HTML of this program's own.
    pub fn raw(html: &'static str) -> Self {
        Self(html.to_owned())
    }

    /// What was put together of escaped parts; for this room alone.
    pub(super) fn trusted(html: String) -> Self {
        Self(html)
    }

    /// `12345` as `12,345`.
    pub fn number(number: u64) -> Self {
        Self(grouped(number))
    }

    /// A link to a page, its host paler than its path; what is no http(s) URL is text.
    pub fn link(url: &str) -> Self {
        let shown = url_text(url);
        let is_web = url.starts_with("http://") || url.starts_with("https://");
        if !is_web || url.len() > MAX_LINK_BYTES {
            return shown.within("span", "url");
        }
        Self(format!("<a class=\"url\" rel=\"noreferrer noopener\" href=\"{}\">{shown}</a>", escape(url)))
    }

    /// `<name class="…">self</name>`.
    pub fn within(self, name: &'static str, class: &'static str) -> Self {
        if class.is_empty() { self.element(name, "") } else { self.element(name, &format!("class=\"{class}\"")) }
    }

    /// `<name attributes>self</name>`; for this room alone.
    pub(super) fn element(self, name: &str, attributes: &str) -> Self {
        let space = if attributes.is_empty() { "" } else { " " };
        Self(format!("<{name}{space}{attributes}>{}</{name}>", self.0))
    }

    /// Adds to its end.
    pub fn push(&mut self, more: Self) {
        self.0.push_str(&more.0);
    }

    /// The same in the middle of an expression.
    pub fn with(mut self, more: &Self) -> Self {
        self.0.push_str(&more.0);
        self
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A URL as it is shown: what pages of a site have in common is paler.
fn url_text(url: &str) -> Markup {
    let path = url.find("://").and_then(|at| Some(at + 3 + url[at + 3..].find('/')?));
    let Some(path) = path.filter(|path| *path < URL_CHARS && path + 1 < url.len()) else {
        return Markup::cut(url, URL_CHARS);
    };
    Markup::text(&url[..path]).within("span", "host").with(&Markup::cut(&url[path..], URL_CHARS))
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
        let text = |text: &str| Markup::text(text).to_string();
        assert_eq!(text("<b a='\"'>&\u{202e}"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;\u{fffd}");
        let link = |url: &str| Markup::link(url).to_string();
        assert_eq!(link("javascript:alert(1)"), "<span class=\"url\">javascript:alert(1)</span>");
        assert!(link("https://a.example/\"><script>").contains("href=\"https://a.example/&quot;&gt;&lt;script&gt;\""));
        assert!(!link(&format!("https://a.example/{}", "x".repeat(3000))).contains("href"));
    }

    #[test]
    fn the_host_of_a_url_is_paler_than_its_path() {
        let shown = |url: &str| url_text(url).to_string();
        assert_eq!(shown("https://a.example/b?c"), "<span class=\"host\">https://a.example</span>/b?c");
        for plain in ["https://a.example/", "https://a.example", "nonsense", "a/b", ""] {
            assert_eq!(shown(plain), plain);
        }
        let long = shown(&format!("https://a.example/{}", "ä".repeat(300)));
        assert!(long.ends_with("ä…") && long.chars().count() < 300, "{long}");
    }
}
