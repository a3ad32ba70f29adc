//! What a page shows, plays and runs: images, scripts, style sheets, media. Read only on wish.

use std::borrow::Cow;

use super::images::{LAZY, SETS, candidates};
use super::style;
use super::tags::Tag;
use super::text::attribute_value;
use super::tokenize::Tokenizer;
use seine_core::record::links::Element;

/// Attributes with a picture, a sound, a film or data.
const SOURCES: [(Tag, &str, Element); 16] = [
    (Tag::Img, "src", Element::Image),
    (Tag::Input, "src", Element::Image),
    (Tag::Video, "src", Element::Media),
    (Tag::Video, "poster", Element::Image),
    (Tag::Audio, "src", Element::Media),
    (Tag::Source, "src", Element::Media),
    (Tag::Track, "src", Element::Media),
    (Tag::Embed, "src", Element::Media),
    (Tag::Object, "data", Element::Media),
    (Tag::Script, "src", Element::Script),
    // Of SVG.
    (Tag::Script, "href", Element::Script),
    (Tag::Image, "href", Element::Image),
    (Tag::Image, "xlink:href", Element::Image),
    // What browsers have forgotten and pages have not.
    (Tag::Body, "background", Element::Image),
    (Tag::Table, "background", Element::Image),
    (Tag::Td, "background", Element::Image),
];

/// What a `<link>` with such a `rel` names.
const RELATIONS: [(&str, Element); 9] = [
    ("stylesheet", Element::Style),
    ("icon", Element::Image),
    ("apple-touch-icon", Element::Image),
    ("apple-touch-icon-precomposed", Element::Image),
    ("apple-touch-startup-image", Element::Image),
    ("mask-icon", Element::Image),
    ("fluid-icon", Element::Image),
    ("modulepreload", Element::Script),
    ("manifest", Element::Media),
];

/// Hands what the start tag just read names to `take`: as written, without white space around it. `None`: told to stop by
/// `keep_going`.
pub(super) fn of_tag<'d>(
    tag: Tag,
    tokens: &Tokenizer<'d>,
    keep_going: &dyn Fn() -> bool,
    take: &mut dyn FnMut(Cow<'d, str>, Element),
) -> Option<()> {
    for (_, name, element) in SOURCES.iter().filter(|(of, ..)| *of == tag) {
        if let Some(value) = tokens.attribute(name) {
            take(attribute_value(value), *element);
        }
    }
    match tag {
        Tag::Img | Tag::Source => {
            for value in LAZY.iter().filter_map(|name| tokens.attribute(name)) {
                take(attribute_value(value), Element::Image);
            }
            for set in SETS.iter().filter_map(|name| tokens.attribute(name)).map(attribute_value) {
                candidates(&set).for_each(|(_, url)| take(Cow::Owned(url.to_owned()), Element::Image));
            }
        }
        Tag::Link => of_link(tokens, take),
        _ => {}
    }
    if let Some(css) = tokens.attribute("style") {
        style::urls(&attribute_value(css), keep_going, &mut |url, element| take(Cow::Owned(url.to_owned()), element))?;
    }
    Some(())
}

fn of_link<'d>(tokens: &Tokenizer<'d>, take: &mut dyn FnMut(Cow<'d, str>, Element)) {
    let (Some(rel), Some(href)) = (tokens.attribute("rel"), tokens.attribute("href")) else { return };
    let rel = attribute_value(rel);
    let of_word = |word: &str| {
        if word.eq_ignore_ascii_case("preload") {
            return Some(match tokens.attribute("as").map(attribute_value).as_deref() {
                Some("script") => Element::Script,
                Some("style") => Element::Style,
                Some("image") => Element::Image,
                Some("document" | "fetch") => return None,
                _ => Element::Media,
            });
        }
        RELATIONS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, element)| *element)
    };
    if let Some(element) = rel.split_ascii_whitespace().find_map(of_word) {
        take(attribute_value(href), element);
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use crate::extract::{Extractor, More};
    use seine_core::record::links::Element::{self, A, Image, Media, Script, Style};

    /// What a page names, without its site.
    fn all(html: &str) -> Vec<(String, Element)> {
        let url = Url::parse("https://a.test/d/").expect("a URL");
        let fields = with_assets().html(html.as_bytes(), Some(b"text/html; charset=utf-8"), &url).fields;
        fields.links.iter().map(|link| (link.url.replace("https://a.test", ""), link.element)).collect()
    }

    #[test]
    fn what_a_page_shows_plays_and_runs_is_found_however_it_is_named() {
        for (html, expected) in [
            (
                "<img src=1.png srcset='2.png 2x, /3.png 3x' alt=x>",
                &[("/d/1.png", Image), ("/d/2.png", Image), ("/3.png", Image)][..],
            ),
            ("<img src='data:image/gif;base64,R0' data-src=/real.jpg>", &[("/real.jpg", Image)]),
            (
                "<picture><source srcset='a.webp, b.webp 2x'><img src=c.png></picture>",
                &[("/d/a.webp", Image), ("/d/b.webp", Image), ("/d/c.png", Image)],
            ),
            ("<script src=/x.js></script><script>var a = '<img src=no.png>'</script>", &[("/x.js", Script)]),
            ("<script type=module src='m.js?a=1&amp;b=2'></script>", &[("/d/m.js?a=1&b=2", Script)]),
            (
                "<link rel='Stylesheet' href=/s.css><link rel='shortcut icon' href=/f.ico><link rel=manifest href=/m.json>",
                &[("/s.css", Style), ("/f.ico", Image), ("/m.json", Media)],
            ),
            (
                "<link rel=preload as=font href=/f.woff2><link rel=preload as=script href=/p.js><link rel=preconnect href=/no>",
                &[("/f.woff2", Media), ("/p.js", Script)],
            ),
            (
                "<style>@import 'i.css'; b { background: url(b.png) }</style><p style=\"background: url('p.png')\">",
                &[("/d/i.css", Style), ("/d/b.png", Media), ("/d/p.png", Media)],
            ),
            (
                "<video src=v.mp4 poster=v.jpg><track src=v.vtt></video><audio><source src=a.ogg></audio>",
                &[("/d/v.mp4", Media), ("/d/v.jpg", Image), ("/d/v.vtt", Media), ("/d/a.ogg", Media)],
            ),
            (
                "<object data=o.svg></object><embed src=e.pdf><input type=image src=i.png>",
                &[("/d/o.svg", Media), ("/d/e.pdf", Media), ("/d/i.png", Image)],
            ),
            ("<svg><image href=s.png /><image xlink:href=t.png /></svg>", &[("/d/s.png", Image), ("/d/t.png", Image)]),
            // Nothing, and nothing twice.
            (
                "<img src=''><img src='#x'><img src='javascript:x'><img src=a.png><img src=a.png#b>",
                &[("/d/a.png", Image)],
            ),
        ] {
            let expected: Vec<_> = expected.iter().map(|(url, element)| ((*url).to_owned(), *element)).collect();
            assert_eq!(all(html), expected, "{html}");
        }
    }

    #[test]
    fn an_image_that_is_linked_to_and_shown_is_both() {
        let both = [("/d/a.png".to_owned(), A), ("/d/a.png".to_owned(), Image)];
        assert_eq!(all("<a href=a.png><img src=a.png></a>"), both);
    }

    #[test]
    fn nobody_who_does_not_ask_is_told() {
        let url = Url::parse("https://a.test/").expect("a URL");
        let html = b"<link rel=stylesheet href=a.css><img src=a.png><p style='background:url(b.png)'>";
        assert!(Extractor::new().html(html, Some(b"text/html"), &url).fields.links.is_empty());
    }

    #[test]
    fn the_assets_of_one_page_are_not_without_end() {
        let html = "<img srcset='a 1x, b 2x' style='background:url(c)'>".repeat(200_000);
        assert_eq!(all(&html).len(), 3);
        let html: String = (0..crate::extract::MAX_LINKS + 5).map(|n| format!("<img src={n}>")).collect();
        assert_eq!(all(&html).len(), crate::extract::MAX_LINKS);
    }

    fn with_assets() -> Extractor {
        Extractor::with(More { assets: true, ..More::default() })
    }

    #[test]
    fn style_sheets_within_a_page_are_read_within_its_time() {
        let url = Url::parse("https://a.example/").expect("a URL");
        let css = "a { b: c } ".repeat(2000);
        for html in [format!("<style>{css}</style>"), format!("<p style='{css}'>x")] {
            assert!(with_assets().html_while(html.as_bytes(), None, &url, &|| false).is_none());
            assert!(with_assets().html_while(html.as_bytes(), None, &url, &|| true).is_some());
            // Nobody wants to know: then nobody reads them.
            assert!(Extractor::new().html_while(html.as_bytes(), None, &url, &|| false).is_some());
        }
    }
}
