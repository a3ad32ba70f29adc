use pulldown_cmark::{Event, Options, Parser, TagEnd};
use seine_testkit::Dice;
use url::Url;

use crate::extract::extras::{Wanted, extras};

fn of(page: &str) -> String {
    let url = Url::parse("https://example.com/a/b.html").unwrap();
    let wanted = Wanted { markdown: true, ..Wanted::default() };
    let found = extras(page.as_bytes(), Some(b"text/html; charset=utf-8"), &url, wanted, &|| true).unwrap();
    found.markdown.unwrap()
}

/// What a reader of the Markdown sees, without white space: of HTML tags nothing.
fn seen(markdown: &str) -> String {
    let mut seen = String::new();
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Text(text) | Event::Code(text) => seen.push_str(&text),
            Event::End(TagEnd::Paragraph) | Event::SoftBreak | Event::HardBreak => seen.push(' '),
            _ => {}
        }
    }
    seen.split_whitespace().collect()
}

#[test]
fn text_that_looks_like_marks_stays_text() {
    for text in [
        "*a* _b_ **c** ~~d~~ `e` [f](g) ![h](i) <b>j</b> &amp; &#65; \\* \\",
        "# no heading",
        "#hash",
        "1. no list",
        "12) neither",
        "- no list",
        "+ no list",
        "* no list",
        "> no quote",
        "---",
        "===",
        "***",
        "_ _ _",
        "```",
        "~~~",
        "| a | b |",
        "snake_case_name and __init__",
        "2 * 3 * 4 and a < b and AT&T",
        "[a]: https://example.com/",
        "<https://example.com/a_b_c>",
        "C #",
        "wow!",
        "http://example.com/?a=1&copy=2",
    ] {
        let html = text.replace('&', "&amp;").replace('<', "&lt;");
        let same: String = text.split_whitespace().collect();
        let pages = [
            (format!("<p>{html}</p>"), same.clone()),
            (format!("<h2>{html}</h2>"), same.clone()),
            (format!("<ul><li>{html}</ul>"), same.clone()),
            (format!("<p><b>{html}</b>x</p>"), same.clone() + "x"),
            (format!("<p>x<i>{html}</i><b>y</b></p>"), format!("x{same}y")),
            (format!("<p>x<br>{html}<br>{html}"), format!("x{same}{same}")),
            (format!("<p><a href=/x>{html}</a>"), same.clone()),
            (format!("<table><tr><th>x<th>y<tr><td>{html}<td>z</table>"), format!("xy{same}z")),
            (format!("<blockquote>{html}</blockquote>"), same.clone()),
        ];
        for (page, words) in pages {
            let markdown = of(&page);
            assert_eq!(seen(&markdown), words, "{page}: {markdown}");
        }
    }
}

#[test]
fn whatever_the_text_and_its_marks_the_words_are_there() {
    const PIECES: [&str; 30] = [
        "<b>",
        "</b>",
        "<i>",
        "</i>",
        "<del>",
        "</del>",
        "<a href=/x>",
        "</a>",
        "<p>",
        "<br>",
        "<li>",
        "<ul>",
        "</ul>",
        "<h2>",
        "</h2>",
        "<code>",
        "</code>",
        "word",
        "two words ",
        " ",
        "*",
        "_",
        "#",
        "!",
        "(x)",
        "[y]",
        "1. ",
        "- ",
        "\\",
        "äé.",
    ];
    let mut dice = Dice::of(0x5e1e_0005);
    for _ in 0..4000 {
        let page: String = (0..1 + dice.below(14)).map(|_| PIECES[dice.below(PIECES.len())]).collect();
        let page = format!("<div>{page}");
        let tree = crate::extract::arena::parse(page.clone().into(), 1000, &|| true).unwrap();
        let words: String =
            tree.descendants().filter_map(|node| node.as_text()).flat_map(str::split_whitespace).collect();
        let markdown = of(&page);
        assert_eq!(seen(&markdown), words, "{page}\n{markdown}");
    }
}

#[test]
fn what_markdown_has_marks_for_is_marked() {
    for (page, markdown) in [
        ("<p>a<b> padded </b>b", "a **padded** b"),
        ("<p><b>a</b><b>b</b> <b></b>", "**ab**"),
        ("<p>a<b>\"b\"</b>c", "a<strong>\"b\"</strong>c"),
        ("<p>10<sup>6</sup> H<sub>2</sub>O 1<sup>st</sup> x<sup>y</sup>", "10⁶ H₂O 1st x<sup>y</sup>"),
        ("<p><a href='/x?a=1&amp;b=2'>y</a> <a href='javascript:x'>z</a>", "[y](https://example.com/x?a=1&b=2) z"),
        (
            "<p><a href=/a_(b)>y</a> <a href=mailto:a@b.example>z</a>",
            "[y](<https://example.com/a_(b)>) [z](mailto:a@b.example)",
        ),
        ("<p>wow!<a href=/x>y</a>", "wow\\![y](https://example.com/x)"),
        ("<a href=/x><h3>a</h3><p>b</p></a>", "### [a](https://example.com/x)\n\nb"),
        ("<pre class=language-rust>a `` b\n</pre>", "```rust\na `` b\n```"),
        ("<pre>```\n</pre>", "````\n```\n````"),
        ("<p><code>a`b</code> <code><a href=/x>c</a></code>", "``a`b`` [`c`](https://example.com/x)"),
        ("<h2>Setup <a class=headerlink href=#a>¶</a></h2>", "## Setup"),
        ("<ol start=5><li>a<li>b<ul><li>c</ul><li value=9>d</ol>", "5. a\n6. b\n   - c\n9. d"),
        ("<ul><li>a</ul><ul><li>b</ul>", "- a\n\n* b"),
        ("<ul><li><p>a<p>b<li>c</ul>", "- a\n\n  b\n- c"),
        ("<blockquote><p>a<p>b<ul><li>c</ul></blockquote>d", "> a\n>\n> b\n>\n> - c\n\nd"),
        ("<p>a<br>b<br><br>c", "a\\\nb\n\nc"),
        (
            "<figure><img src=/x.png alt='a [b]'><figcaption>c</figcaption></figure>",
            "![a \\[b\\]](https://example.com/x.png)\n\nc",
        ),
        ("<p><math><mi>x</mi><annotation encoding=application/x-tex>x_1</annotation></math>", "$`x_1`$"),
        (
            "<table><tr><th rowspan=2>a<th colspan=2>b<tr><th>c<th>d<tr><td>1<td>2<td>3&lt;</table>",
            "<table>\n<tr><th rowspan=\"2\">a</th><th colspan=\"2\">b</th></tr>\n<tr><th>c</th><th>d</th></tr>\n\
             <tr><td>1</td><td>2</td><td>3&lt;</td></tr>\n</table>",
        ),
        (
            "<table><tr><th>a<th>b<tr><td><ul><li>1<li>2</ul><td><code>x|y</code></table>",
            "| a | b |\n| - | - |\n| • 1<br>• 2 | `x\\|y` |",
        ),
        ("<title>A page | Site</title><p>x", "# A page\n\nx"),
        ("<title>A page | Site</title><h1>A page</h1><p>x", "# A page\n\nx"),
    ] {
        assert_eq!(of(page), markdown, "{page}");
    }
}
