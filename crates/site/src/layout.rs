//! The frame around every page: head, menu, footer, and text made safe for HTML and XML.

use std::fmt::Write as _;

use super::catalog::CATEGORIES;

const CSS: &str = "\
:root{--ink:#1d2b36;--sea:#2f6179;--sand:#f6f1e7;--line:#d9cfbd;--rust:#a8492e}\
*{box-sizing:border-box}body{margin:0;background:var(--sand);color:var(--ink);font:17px/1.6 Georgia,serif}\
a{color:var(--sea)}a:hover{color:var(--rust)}\
header,footer{background:#fff;border:solid var(--line);border-width:0 0 1px;padding:.8rem 1.2rem}\
footer{border-width:1px 0 0;margin-top:3rem;font-size:.85rem}\
nav a{margin-right:1rem}.brand{font-size:1.3rem;font-weight:bold;text-decoration:none;margin-right:1.5rem}\
main{max-width:62rem;margin:0 auto;padding:1.2rem}h1{line-height:1.2;margin:.4rem 0 .8rem}\
.crumbs{font-size:.85rem}.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:1.1rem;\
padding:0;list-style:none}.card{background:#fff;border:1px solid var(--line);border-radius:6px;padding:.9rem}\
.card img,img.main{width:100%;height:auto;border-radius:4px}.product{display:grid;gap:1.6rem;\
grid-template-columns:repeat(auto-fit,minmax(18rem,1fr))}.price{font-size:1.3rem;color:var(--rust)}\
.rating,.stock,.meta{font-size:.9rem;color:#5b6770}.tag{background:#e4edf1;border-radius:1em;padding:.1em .7em;\
font-size:.8rem;text-decoration:none;margin-right:.3rem}table{border-collapse:collapse;width:100%;margin:1rem 0}\
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid var(--line)}article{max-width:40rem}\
.columns{columns:14rem;padding-left:1.2rem}";

/// One HTML page before it is framed.
#[derive(Default)]
pub(super) struct Page<'a> {
    /// Language of the page; `en` if empty.
    pub lang: &'a str,
    /// What stands in `<meta charset>`; nothing is declared if empty.
    pub charset: &'a str,
    /// The title, not escaped.
    pub title: &'a str,
    /// The meta description, not escaped; left out if empty.
    pub description: &'a str,
    /// Absolute canonical URL; left out if empty.
    pub canonical: &'a str,
    /// More of the head, as HTML.
    pub head: &'a str,
    /// The way here, outermost first: (path, name); the page itself is not among them.
    pub crumbs: &'a [(String, &'a str)],
    /// What stands in `<main>`, as HTML.
    pub body: &'a str,
}

impl Page<'_> {
    /// The whole document.
    pub fn html(&self) -> String {
        let mut out = String::with_capacity(self.body.len() + 6 * 1024);
        let lang = if self.lang.is_empty() { "en" } else { self.lang };
        // Writing to a String cannot fail, so the results are dropped here and below.
        let _ = write!(out, "<!DOCTYPE html>\n<html lang=\"{lang}\">\n<head>\n");
        if !self.charset.is_empty() {
            let _ = writeln!(out, "<meta charset=\"{}\">", self.charset);
        }
        let _ = writeln!(out, "<title>{} | The Harbour Shop</title>", escape(self.title));
        out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        if !self.description.is_empty() {
            let _ = writeln!(out, "<meta name=\"description\" content=\"{}\">", escape(self.description));
        }
        if !self.canonical.is_empty() {
            let _ = writeln!(out, "<link rel=\"canonical\" href=\"{}\">", escape(self.canonical));
        }
        out.push_str("<link rel=\"icon\" href=\"/img/shop.png\" type=\"image/png\">\n");
        out.push_str(
            "<link rel=\"alternate\" type=\"application/rss+xml\" title=\"Harbour Journal\" href=\"/feed.xml\">\n",
        );
        let _ = write!(out, "{}<style>{CSS}</style>\n</head>\n<body>\n", self.head);
        out.push_str("<header><nav><a class=\"brand\" href=\"/\">The Harbour Shop</a>\n");
        for category in &CATEGORIES {
            let _ = writeln!(out, "<a href=\"/c/{}\">{}</a>", category.slug, escape(category.name));
        }
        out.push_str("<a href=\"/journal\">Journal</a>\n<a href=\"/calendar\">Calendar</a>\n<a href=\"/about\">About</a></nav></header>\n<main>\n");
        if !self.crumbs.is_empty() {
            out.push_str("<nav class=\"crumbs\" aria-label=\"Breadcrumb\">");
            for (path, name) in self.crumbs {
                let _ = write!(out, "<a href=\"{path}\">{}</a> &rsaquo; ", escape(name));
            }
            let _ = writeln!(out, "<span>{}</span></nav>", escape(self.title));
        }
        out.push_str(self.body);
        out.push_str(
            "\n</main>\n<footer><form action=\"/search\"><label>Search the shop \
             <input name=\"q\" type=\"search\"></label> <button>Go</button></form>\n\
             <p>Old Quay 7, open Tuesday to Saturday. <a href=\"/parts\">Spare parts</a> &middot; \
             <a href=\"/feed.xml\">Feed</a> &middot; <a href=\"/sitemap.xml\">Sitemap</a> &middot; \
             <a href=\"/trouble\">When things go wrong</a> &middot; \
             <a href=\"/private/till\" rel=\"nofollow\">Staff</a></p></footer>\n</body>\n</html>\n",
        );
        out
    }
}

/// `text` with the characters that mean something in HTML and XML written as entities.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(
            escape("<a href=\"x\">Tom & Jerry's</a>"),
            "&lt;a href=&quot;x&quot;&gt;Tom &amp; Jerry&#39;s&lt;/a&gt;"
        );
    }
}
