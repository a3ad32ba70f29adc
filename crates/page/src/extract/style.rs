//! The URLs that a style sheet names (CSS Syntax Module Level 3; CSS Values Level 4, §4.5; CSS Images Level 4, §2.4).

use cssparser::{ParseError, Parser, Token};
use url::Url;

use super::charset::{decode_css, essence};
use super::resolve::Resolver;
use super::seen::Seen;
use super::{MAX_LINKS, MAX_LINKS_TOTAL_BYTES};
use seine_core::record::links::{Element, Link, Links};

/// Blocks within blocks; what lies deeper is passed over.
const MAX_BLOCK_DEPTH: usize = 32;
/// Tokens between two questions whether to go on.
const TOKENS_PER_QUESTION: usize = 4096;

/// Whether an answer is a style sheet, by its Content-Type.
pub fn is_style(content_type: Option<&[u8]>) -> bool {
    content_type.and_then(essence).is_some_and(|essence| essence.eq_ignore_ascii_case(b"text/css"))
}

/// Adds what the style sheet at `url` names: other style sheets, and what it shows, each once and no more than a page may
/// have links. `None`: told to stop by `keep_going`.
pub fn add_links(
    body: &[u8],
    content_type: Option<&[u8]>,
    url: &Url,
    links: &mut Links,
    keep_going: &dyn Fn() -> bool,
) -> Option<()> {
    let (css, charset) = decode_css(body, content_type);
    let mut resolver = Resolver::new(url, charset);
    let (mut seen, first, mut bytes) = (Seen::default(), links.len(), 0);
    urls(&css, keep_going, &mut |named, element| {
        if links.len() >= MAX_LINKS || bytes > MAX_LINKS_TOTAL_BYTES || named.starts_with('#') {
            return;
        }
        if let Ok(url) = resolver.resolve(named)
            && seen.is_new(url, |number| links.get(first + number).url)
        {
            bytes += url.len();
            links.push(Link { url, element, ..Link::default() });
        }
    })
}

/// Hands the URLs that `css` names to `take`, as written but for escapes. `None`: told to stop by `keep_going`.
pub(super) fn urls(css: &str, keep_going: &dyn Fn() -> bool, take: &mut dyn FnMut(&str, Element)) -> Option<()> {
    let mut reader = Reader { keep_going, tokens: 0, take };
    reader.block(&mut Parser::new(css), 0, false)
}

/// The meaning of a string or URL that comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// A URL is something that is shown.
    Shown,
    /// The style sheet of an `@import`.
    Import,
    /// A name that looks like a URL.
    Name,
}

struct Reader<'r> {
    keep_going: &'r dyn Fn() -> bool,
    tokens: usize,
    take: &'r mut dyn FnMut(&str, Element),
}

impl Reader<'_> {
    /// Reads up to the end of a block; in a function that takes URLs, strings are some.
    fn block(&mut self, parser: &mut Parser<'_>, depth: usize, of_urls: bool) -> Option<()> {
        let mut next = Next::Shown;
        while let Ok(token) = parser.next().cloned() {
            self.tokens += 1;
            if self.tokens.is_multiple_of(TOKENS_PER_QUESTION) && !(self.keep_going)() {
                return None;
            }
            let is_named = |names: &[&str], name: &str| names.iter().any(|known| name.eq_ignore_ascii_case(known));
            match &token {
                Token::AtKeyword(name) if is_named(&["import"], name) => next = Next::Import,
                Token::AtKeyword(name) if is_named(&["namespace"], name) => next = Next::Name,
                Token::UnquotedUrl(url) => self.url(url, next),
                Token::QuotedString(url) if of_urls || next == Next::Import => self.url(url, next),
                Token::Semicolon => next = Next::Shown,
                Token::Function(_) | Token::ParenthesisBlock | Token::CurlyBracketBlock | Token::SquareBracketBlock
                    if depth < MAX_BLOCK_DEPTH =>
                {
                    let is_url = matches!(&token, Token::Function(name) if is_named(&["url", "src"], name));
                    let takes_urls = is_url
                        || matches!(&token, Token::Function(name)
                            if is_named(&["image", "image-set", "-webkit-image-set", "cross-fade"], name));
                    if is_url && next != Next::Shown {
                        self.quoted_url(parser, next);
                    } else {
                        let mut goes_on = None;
                        // That it was read to its end is all that the parser wants to hear.
                        let _ = parser.parse_nested_block(|inner| {
                            goes_on = self.block(inner, depth + 1, takes_urls);
                            Ok::<_, ParseError<()>>(())
                        });
                        goes_on?;
                    }
                    if token == Token::CurlyBracketBlock {
                        next = Next::Shown;
                    }
                }
                _ => {}
            }
            // An `@import` has one URL; what follows are conditions.
            if next == Next::Import && !matches!(token, Token::AtKeyword(_)) {
                next = Next::Shown;
            }
        }
        Some(())
    }

    /// The one string of a `url(…)`.
    fn quoted_url(&mut self, parser: &mut Parser<'_>, next: Next) {
        let _ = parser.parse_nested_block(|inner| {
            if let Ok(Token::QuotedString(url)) = inner.next().cloned() {
                self.url(&url, next);
            }
            Ok::<_, ParseError<()>>(())
        });
    }

    fn url(&mut self, url: &str, next: Next) {
        match next {
            Next::Shown => (self.take)(url, Element::Media),
            Next::Import => (self.take)(url, Element::Style),
            Next::Name => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(css: &str) -> Vec<(String, Element)> {
        let mut found = Vec::new();
        urls(css, &|| true, &mut |url, element| found.push((url.to_owned(), element))).expect("no time limit");
        found
    }

    #[test]
    fn what_a_style_sheet_names_is_found_however_it_is_written() {
        for (css, element, expected) in [
            ("a { background: url(a.png) no-repeat }", Element::Media, &["a.png"][..]),
            ("a { background: URL( 'a b.png' ), url(\"c.png\") }", Element::Media, &["a b.png", "c.png"]),
            (
                "@font-face { src: url(f.woff2) format('woff2'), url(f.woff) format(\"woff\") }",
                Element::Media,
                &["f.woff2", "f.woff"],
            ),
            (
                "a { background: image-set('a.png' 1x, url(b.png) 2x type('image/png')) }",
                Element::Media,
                &["a.png", "b.png"],
            ),
            (
                "@import 'a.css' screen; @import url(b.css); @import url('c.css') layer(x);",
                Element::Style,
                &["a.css", "b.css", "c.css"],
            ),
            (
                "@media print { @supports (display: grid) { a { cursor: url(\\61.cur), auto } } }",
                Element::Media,
                &["a.cur"],
            ),
            // What is none.
            ("@namespace svg url(http://www.w3.org/2000/svg); @namespace 'x'; @charset 'utf-8';", Element::Media, &[]),
            ("/* url(a.png) */ a { content: 'url(a.png)'; font-family: 'b.png' }", Element::Media, &[]),
        ] {
            let expected: Vec<_> = expected.iter().map(|url| ((*url).to_owned(), element)).collect();
            assert_eq!(all(css), expected, "{css}");
        }
        assert_eq!(
            all("@import 'a.css'; b { background: url(b.png) }"),
            [("a.css".to_owned(), Element::Style), ("b.png".to_owned(), Element::Media)]
        );
        // It ends somewhere.
        assert_eq!(all("a { background: url(a.png"), [("a.png".to_owned(), Element::Media)]);
    }

    #[test]
    fn a_hostile_style_sheet_is_read_in_time_or_given_up() {
        let deep = format!("{}url(a.png)", "({[".repeat(200_000));
        assert_eq!(all(&deep), []);
        let many = "a{background:url(x)}".repeat(10_000);
        assert_eq!(urls(&many, &|| false, &mut |_, _| {}), None);
    }

    #[test]
    fn links_of_a_style_sheet_are_absolute_and_told_once() {
        let url = Url::parse("https://a.test/css/main.css").expect("a URL");
        let mut links = Links::default();
        let css = b"a{background:url(../i/a.png#x)} b{background:url('/i/a.png')} c{fill:url(#grad)} \
                    d{background:url(data:image/png;base64,AA)} @import 'more.css';";
        add_links(css, Some(b"text/css"), &url, &mut links, &|| true).expect("no time limit");
        let found: Vec<_> = links.iter().map(|link| (link.url, link.element)).collect();
        assert_eq!(
            found,
            [("https://a.test/i/a.png", Element::Media), ("https://a.test/css/more.css", Element::Style)]
        );
        assert!(is_style(Some(b"Text/CSS; charset=utf-8")) && !is_style(Some(b"text/html")) && !is_style(None));
    }
}
