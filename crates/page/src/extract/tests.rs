//! The fields compared with those of a DOM, and what no page may do to the extractor.

use html5ever::ns;
use scraper::{ElementRef, Html, Selector};
use seine_testkit::Dice;
use url::Url;

use super::*;
use seine_core::record::links::{Element, Link, Links};

const PAGE: &str = "https://example.org/dir/page.html?q=1";

fn extract(page: impl AsRef<[u8]>) -> HtmlFields {
    Extractor::new().html(page.as_ref(), Some(b"text/html; charset=utf-8"), &Url::parse(PAGE).expect("a URL")).fields
}

fn folded(text: &str, max_bytes: usize) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text::cut(&text, max_bytes).trim_end().to_owned()
}

/// Whether an element is of the document itself: not in a template, whose contents are apart, and not of SVG or MathML.
fn is_of_document(element: &ElementRef<'_>) -> bool {
    let is_foreign = matches!(element.value().name.ns, ns!(svg) | ns!(mathml));
    !is_foreign && !element.ancestors().any(|node| node.value().is_fragment())
}

/// The same fields, asked of a DOM.
fn from_dom(page: &str) -> HtmlFields {
    let url = Url::parse(PAGE).expect("a URL");
    let document = Html::parse_document(page);
    let select = |selector: &str| {
        let selector = Selector::parse(selector).expect("a selector");
        document.select(&selector).collect::<Vec<_>>()
    };
    let of_document = |selector: &str| {
        let mut found = select(selector);
        found.retain(is_of_document);
        found
    };
    let text = |element: &ElementRef, max| {
        let texts = element.descendants().filter(|node| !is_for_no_reader(node));
        folded(&texts.filter_map(|node| node.value().as_text()).map(|text| &**text).collect::<String>(), max)
    };
    let robots = of_document("meta[name=robots i], meta[name=seine i]");
    let first = |selector: &str, name: &str| {
        of_document(selector).first().and_then(|found| found.attr(name)).map(str::to_owned)
    };
    let base = first("base[href]", "href").and_then(|href| url.join(&href).ok());
    let base = base.filter(|base| !["data", "javascript"].contains(&base.scheme())).unwrap_or(url);
    let mut links = Links::default();
    for anchor in select("a[href], area[href]") {
        let is_area = anchor.value().name() == "area";
        if is_area && anchor.value().name.ns != html5ever::ns!(html) {
            continue;
        }
        let Ok(mut url) = base.join(anchor.attr("href").unwrap_or_default()) else { continue };
        url.set_fragment(None);
        if matches!(url.scheme(), "http" | "https") && !links.iter().any(|link| link.url == url.as_str()) {
            let rel = anchor.attr("rel").unwrap_or_default();
            let text = match anchor.attr("alt").filter(|_| is_area) {
                Some(alt) => folded(alt, MAX_ANCHOR_BYTES),
                None => text(&anchor, MAX_ANCHOR_BYTES),
            };
            let element = if is_area { Element::Area } else { Element::A };
            links.push(Link { url: url.as_str(), text: &text, rel, element, ..Link::default() });
        }
    }
    let others = "link[href][rel~=next i], link[href][rel~=prev i], link[href][rel~=alternate i], iframe[src]";
    for other in select(others) {
        let (attribute, element) =
            if other.value().name() == "link" { ("href", Element::Link) } else { ("src", Element::Frame) };
        let rel = if element == Element::Link { other.attr("rel").unwrap_or_default() } else { "" };
        if rel.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("stylesheet")) {
            continue;
        }
        let Ok(mut url) = base.join(other.attr(attribute).unwrap_or_default()) else { continue };
        url.set_fragment(None);
        if matches!(url.scheme(), "http" | "https") && !links.iter().any(|link| link.url == url.as_str()) {
            links.push(Link { url: url.as_str(), rel, element, ..Link::default() });
        }
    }
    HtmlFields {
        title: of_document("title").first().map(|title| text(title, MAX_TEXT_BYTES)),
        h1: of_document("h1").first().map(|h1| text(h1, MAX_TEXT_BYTES)),
        description: first("meta[name=description i][content]", "content").map(|text| folded(&text, MAX_TEXT_BYTES)),
        canonical: first("link[rel~=canonical i][href]", "href")
            .and_then(|href| base.join(&href).ok())
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .map(String::from),
        robots: robots::directives(AGENT, robots.iter().filter_map(|meta| meta.attr("content"))),
        lang: first("html[lang]", "lang"),
        links,
    }
}

/// Whether a text is code or markup to a browser.
fn is_for_no_reader(node: &ego_tree::NodeRef<'_, scraper::Node>) -> bool {
    let parent = node.parent().and_then(ElementRef::wrap);
    parent.is_some_and(|parent| {
        let name = &parent.value().name;
        match parent.value().name() {
            "script" | "style" => name.ns != html5ever::ns!(mathml),
            "noscript" | "iframe" | "noembed" | "noframes" => name.ns == html5ever::ns!(html),
            "annotation" => name.ns == html5ever::ns!(mathml),
            _ => false,
        }
    })
}

#[track_caller]
fn agrees_with_the_dom(pages: &[&str]) {
    for page in pages {
        assert_eq!(extract(page), from_dom(page), "{page}");
    }
}

fn hrefs(fields: &HtmlFields) -> Vec<&str> {
    fields.links.iter().map(|link| link.url).collect()
}

#[test]
fn a_plain_page_gives_all_its_fields() {
    let fields = extract(
        "<!doctype html><html lang=en-GB><head><title>\n A &amp; <b>B\n</title><meta name=Description content=' x\n y '>
        <link rel='alternate Canonical' href=/c#f></head><body><h1> One <em>two</em></h1>
        <a href=a.html rel='nofollow me'>A <img> a</a><a href='a.html#x'>again</a><a href=mailto:x@y>m</a><a>none</a>",
    );
    assert_eq!(fields.title.as_deref(), Some("A & <b>B"));
    assert_eq!(fields.h1.as_deref(), Some("One two"));
    assert_eq!(fields.description.as_deref(), Some("x y"));
    assert_eq!(fields.canonical.as_deref(), Some("https://example.org/c#f"));
    assert_eq!(fields.lang.as_deref(), Some("en-GB"));
    let link = Link { url: "https://example.org/dir/a.html", text: "A a", rel: "nofollow me", ..Link::default() };
    let other =
        Link { url: "https://example.org/c", rel: "alternate Canonical", element: Element::Link, ..Link::default() };
    assert!(fields.links.iter().eq([link, other]), "{:?}", fields.links);
}

#[test]
fn what_leads_on_without_an_anchor_is_a_link_too() {
    let fields = extract(
        "<link rel=next href=2><link rel='stylesheet alternate' href=x.css><link rel=icon href=i.png>
        <meta http-equiv=Refresh content=\"5; URL = '3?a&amp;b'x\"><meta http-equiv=refresh content=9><iframe src=4#f></iframe><iframe src=6></iframe>
        <a href=4>four</a><meta http-equiv=refresh content='0,url'><meta http-equiv=refresh content='1 5.html'>",
    );
    let links: Vec<_> = fields.links.iter().map(|link| (link.url.rsplit('/').next(), link.element.name())).collect();
    let expected =
        [("4", "a"), ("2", "link"), ("3?a&b", "refresh"), ("6", "iframe"), ("url", "refresh"), ("5.html", "refresh")];
    assert_eq!(links, expected.map(|(url, element)| (Some(url), element)));
}

#[test]
fn a_page_without_fields_gives_none() {
    for page in ["", " ", "text", "<", "<!--", "<a", "<a href=x", "</", "<title", "<html>"] {
        assert_eq!(extract(page), HtmlFields::default(), "{page}");
    }
}

#[test]
fn tags_and_attributes_are_read_as_the_standard_has_it() {
    agrees_with_the_dom(&[
        "<A HREF=x REL=Y>t</A>",
        "<a href=x/>t</a><a href = 'y' >u</a><a\nhref\n=\n\"z\"\n>v</a>",
        "<a href=1 href=2>t</a><a HREF=3 href=4>u</a>",
        "<a/href=1/>t</a><a / href=2 / >u</a>",
        "<a title='>' href=1>t</a><a title=\"'>\" href=2>u</a><a x=a'b\"c href=3>v</a>",
        "<a = href=1>t</a><a =x href=2>u</a><a x==y href=3>v</a><a href=>w</a><a href = >x</a><a href>y</a>",
        "<a href='1'rel='2'>t</a><a \"href\"=1>u</a><a <href=2>v</a><a href=<3>w</a>",
        "<a href=1\u{c}rel=x>t</a><a\u{c}href=2>u</a><a\u{b}href=3>v</a><a\u{a0}href=4>w</a>",
        "<a href='a\r\nb\rc'rel='d\r\ne\rf'>t\r\nu\rv</a>",
        "<a href='\0a'rel=\0>\0t\0</a><title>\0t</title><a\0 href=q>q</a>",
        "<a href=&#x61;&amp;b&copy=c&copy;&ampd>t&lt;&ltu&notin;&notit;&#0;&#x80;&#xD800;</a>",
        "<a href='?a=1&b=2&lt=3&amp'>t &nosuch; &am<b>p;</b>&</a>",
        "<a href=x>a < b <3 <= <$ << </a>< a href=y></ a><a href=z>c</ b>d</>e</3>f</a>",
        "<a href=x>a<?php x > y ?>b<!x>c<!->d<!-->e<!--->f<!-- -->g<!-- --!>h<!-- > -> -- > - ->i --></a>",
        "<!--><a href=1></a>--><!---><a href=2></a>--><!--x--!><a href=3></a>--><!--x--!x--><a href=4></a>",
        "<!-- <!-- <a href=1></a> --><a href=2></a><!-- <!--><a href=3></a><!----!><a href=4></a><!-----><a href=5>",
        "<![CDATA[<a href=1>]]></a><a href=2>x</a>",
        "<!DOCTYPE html [<!ENTITY x '<a href=1>'>]><a href=2>x</a>",
        "<a href=1>x</a x='>' href=2>y",
        "<a href=1>x</a",
        "<a href=1>x</a href='",
        "<a href=1>x<a href='2",
        "<a href=1>x<!-- y",
        "<a href=1>x</",
        "<a href=1>x<",
        "\u{feff}<title>t</title>",
    ]);
}

#[test]
fn raw_text_hides_markup() {
    agrees_with_the_dom(&[
        "<title><a href=1>&lt;</a><!-- </title><a href=2>x</a>",
        "<title>a</titlex></title x='>'>b</title><a href=2>x</a>",
        "<TITLE>a</tItLe\n>b<title>c</title>",
        "<title>a",
        "<title/>a</title>",
        "<title></title><title>b</title>",
        "<textarea><a href=1>&lt;</textarea><a href=2>x</a>",
        "<style><a href=1></style><a href=2>x</a><xmp><a href=3></xmp><a href=4>x</a>",
        "<iframe><a href=1></iframe><noembed><a href=2></noembed><noframes><a href=3></noframes><a href=4>x</a>",
        "<noscript><a href=1></noscript><a href=2>x</a><head><noscript><link rel=canonical href=3></noscript>",
        "<script><a href=1></script><a href=2>x</a>",
        "<script><!-- <script> <a href=1></script> <a href=2> --></script><a href=3>x</a>",
        "<script><!-- <script> <a href=1></script> <a href=2> </script><a href=3>x</a>",
        "<script><!-- <a href=1></script><a href=2>x</a> --><a href=3>x</a>",
        "<script><!-- <scriptx> <a href=1></script><a href=2>x</a>",
        "<script><!--> <script> <a href=1></script><a href=2>x</a>",
        "<script><!---> <script> <a href=1></script><a href=2>x</a>",
        "<script><!-- --> <script> <a href=1></script><a href=2>x</a>",
        "<script><!-- <script> --> <a href=1></script><a href=2>x</a>",
        "<script><!-- <script/</script/--></script/><a href=2>x</a>",
        "<script></scriptx></script",
        "<script><!--<script></script>",
        "<script><a href=1></SCRIPT/><a href=2>x</a>",
        "<plaintext><a href=1>x</a></plaintext><a href=2>",
        "<a href=1>x<plaintext>y</a> &amp;",
        "<h1>a<script>b</script><style>c</style><textarea>&lt;</textarea><xmp>&lt;</xmp></h1>",
    ]);
}

#[test]
fn elements_end_where_the_dom_has_them_end() {
    agrees_with_the_dom(&[
        "<h1>a<h2>b</h2>",
        "<h1>a</h2>b",
        "<h1>a<div><h2>b</h2>c</div>d</h1>e",
        "<div><h1>a</div>b",
        "<h1>a<p>b</h1>c",
        "<p><h1>a</p>b</h1>c",
        "<h1><a href=1>x</h1>y</a>z",
        "<a href=1>x<h1>y</h1>z</a>",
        "<b><h1>a</b>b</h1>c",
        "<h1><b>a<div>b</b>c</div>d</h1>e",
        "<h1>a<ul><li>b<li>c</ul>d</h1>e",
        "<h1>a</h1><h1>b</h1>",
        "<h1><h1>b</h1>",
        "<h1>",
        "<a href=1>x<a href=2>y</a>z</a>w",
        "<a href=1>x<div>y<a href=2>z</a>w</div>v</a>",
        "<a href=1>x<p>y<p>z</a>w",
        "<p><a href=1>x<p>y</a>z",
        "<p><a href=1>x<div>y</a>z</div>",
        "<p><a href=1>x</p>y</a>z",
        "<ul><li><a href=1>x<li>y</ul>z",
        "<ul><li><a href=1>x<ul><li>y</ul>z</a></ul>",
        "<dl><dt><a href=1>x<dd>y</dl>z",
        "<div><a href=1>x</div>y",
        "<a href=1>x</div>y</a>z",
        "<a href=1>x</p>y</a>z",
        "<a href=1>x</br>y</a>z",
        "<a href=1>x<b>y</a>z</b>w",
        "<a href=1>x<b>y<div>z</a>w</div>v",
        "<b>1<a href=1>2<div>3</b>4</a>5</div>",
        "<b><div><a href=1>x<p>y</b>z</a>w",
        "<a href=1>x<span>y</a>z</span>w",
        "<span><a href=1>x</span>y</a>z",
        "<x-a><a href=1>x</x-a>y</a>z",
        "<x-a><a href=1>x</x-b>y</a>z",
        "<button><a href=1>x<button>y</a>z",
        "<p><button><a href=1>x<p>y</button>z",
        "<select><option><a href=1>x<option>y</select>z",
        "<select><a href=1>x<select>y<a href=2>z",
        "<select><a href=1>x<input>y",
        "<form><a href=1>x<form>y</form>z</a>w",
        "<form><div><a href=1>x</form>y</a>z",
        "<nobr><a href=1>x<nobr>y</nobr>z",
        "<object><a href=1>x</object>y</a>z",
        "<a href=1>x<object><a href=2>y</a>z</object>w</a>v",
        "<a href=1>x<marquee></a>y</marquee>z</a>w",
        "<ruby><a href=1>x<rt>y<rp>z</ruby>w",
        "<body><a href=1>x</body>y</html>z</a>w",
        "<a href=1>x<body lang=y>z</a>w",
        "<a href=1>x<hr>y<br>z<img>w<wbr>v<input>u</a>t",
        "<p><a href=1>x<hr>y",
        "<p><a href=1>x<pre>y</a>z",
        "<address><a href=1>x<li>y<div><p><li>z",
        "<h1>a<svg><h2>b</h2></svg></h1>c",
        "<a href=1>x<table><a href=2>y</table>z</a>w",
        "<a href=1>x<table><a href=2>y</a><td>z<td><a href=3>w</table>v",
        "<a href=1>x<select><a href=2>y</select>z</a>w",
        "<h1>a<pre>\nb</pre><pre>\r\n\nc</pre><pre><b>\nd</b></pre><listing>\re</listing></h1>",
        "<h1>a<textarea>\nb</textarea>c<pre></pre>\nd</h1>",
        "<center><a href=1>x</center>y<font><a href=2>z</font>w</a>v",
        "<a href=1><details><summary>x</a>y</summary>z",
    ]);
}

#[test]
fn tables_open_and_close_what_is_missing() {
    agrees_with_the_dom(&[
        "<table><tr><td><a href=1>x<td><a href=2>y</table>z",
        "<table><td><a href=1>x<tr><a href=2>y<td>z</table>w",
        "<table><tr><td><a href=1>x</tr>y<th>z</table>w",
        "<table><caption><a href=1>x<tr><td>y</table>z",
        "<table><tbody><td><a href=1>x</tbody>y<tfoot><td>z</table>w",
        "<table><td><table><td><a href=1>x</table>y</table>z",
        "<table><td><a href=1>x<table><td><a href=2>y</table>z</a>w</table>v",
        "<table><tr><table><td><a href=1>x</table>y",
        "<table><colgroup><col><a href=1>x</a><td>y",
        "<p><a href=1>x<table><td>y</table>z",
        "<!doctype html><p><a href=1>x<table><td>y</table>z",
        "<!doctype html public '-//W3C//DTD HTML 4.01 Transitional//EN'><p><a href=1>x<table><td>y</table>z",
        "<!doctype html public '-//W3C//DTD HTML 4.01 Transitional//EN' 'x'><p><a href=1>x<table><td>y</table>z",
        "<!doctype html system 'x'><p><a href=1>x<table><td>y</table>z",
        "<!doctype svg><p><a href=1>x<table><td>y</table>z",
        "<tr><td><a href=1>x</td>y</tr>z</a>w",
        "<div><td><a href=1>x</div>y",
        "<table><tr><td><h1>x</table>y",
        "<table><tr><td><div></td><a href=1>x</a></div>y</table>z",
        "<table><form><a href=1>x</form>y<tr><td>z</table>w",
        "<table><tr><td><a href=1>x</caption>y</th>z</a>w",
    ]);
}

#[test]
fn svg_mathml_and_templates_follow_their_own_rules() {
    agrees_with_the_dom(&[
        "<svg><title>a<b>b</title></svg><title>c</title>",
        "<svg><title>a<g>b</g></title></svg>",
        "<svg><title/></svg><title>c</title>",
        "<svg><a href=1>x<text>y</text></a>z</svg>w",
        "<svg><a xlink:href=1>x</a><a href=2 />y</svg>z",
        "<svg><style><a href=1>x</a></style><script><a href=2>y</a></script></svg>",
        "<a href=1>x<svg><![CDATA[y<a>]]]]>z</svg></a>w",
        "<svg><![CDATA[<a href=1>",
        "<svg><desc><![CDATA[<a href=1>]]></desc></svg>",
        "<svg><p><a href=1>x</a></p></svg><a href=2>y</a>",
        "<svg><font><a href=1>x</a></font><font color=x><a href=2>y</a></svg>z",
        "<svg><foreignObject><p><a href=1>x</svg>y</a>z</foreignobject>w",
        "<svg><g><a href=1>x</g>y</a></svg>z",
        "<svg><a href=1>x</svg>y</a>z",
        "<div><svg><a href=1>x</div>y</a>z",
        "<p><svg><a href=1>x</p>y</a>z",
        "<svg></p><a href=1>x</a></svg><svg></br><![CDATA[<a href=2>y</a>]]>",
        "<svg><base href=/b/><link rel=canonical href=c><a href=1>x</a></svg>",
        "<math><mi><a href=1>x</a></mi><a href=2>y</a><mi><mglyph><a href=3>z</a></math>",
        "<math><annotation-xml><a href=1>x<svg><a href=2>y<p>z</math>w",
        "<math><mtext><p><a href=1>x</math>y</a>z",
        "<svg/><a href=1>x</a><math/><a href=2>y</a>",
        "<h1>a<svg><title>b</title>c</svg>d</h1>",
        "<svg><title>icon</title></svg><template><title>t</title><h1>t</h1></template><h1>h</h1><title>page</title>",
        "<a href=1>x<svg><style>.y{}</style><script>z</script></svg>w</a><math><style>v</style></math>",
        "<h1>a<noscript><img src=b></noscript><iframe>c</iframe><style>d</style><noembed>e</noembed>f</h1>",
        "<h1><math><semantics><mi>x</mi><annotation>y</annotation></semantics></math></h1>",
        "<svg>\0<a href=1>\0</a></svg>",
        "<template><a href=1>x</a><title>t</title></template><a href=2>y</a>",
        "<template><tr><td><a href=1>x<td>y</template>z",
        "<template><td><a href=1>x</template>y</a>z",
        "<template><div><tr><td><a href=1>x</template>y",
        "<a href=1>x<template><a href=2>y</a></template>z</a>w",
        "<template><html lang=x></template>",
        "<html><html lang=x><html lang=y>",
        "<html lang=''><html lang=y>",
        "<p>x<html lang=y>",
    ]);
}

// The DOM of these tests does not know that HTML may stand there.
#[test]
fn html_may_stand_inside_annotations_of_mathml() {
    let page = "<math><annotation-xml encoding=text/html><a href=1>x<p>y</p></a></annotation-xml></math>z";
    assert_eq!(extract(page).links.get(0).text, "xy");
    let page = "<math><annotation-xml encoding=Application/XHTML+xml><style><a href=1></style><a href=2>x</a></math>";
    assert_eq!(hrefs(&extract(page)), ["https://example.org/dir/2"]);
}

#[test]
fn frames_leave_no_links_but_those_before() {
    agrees_with_the_dom(&[
        "<html><head><title>t</title></head><frameset><frame><a href=1>x</a><noframes><a href=2></noframes></frameset>
        <a href=3>y</a></html><h1>z</h1><html lang=q>",
        "<a href=1></a><frameset><a href=2>x</a>",
        "<p>text<frameset><a href=2>x</a>",
        "<body><frameset><a href=2>x</a>",
        "<br><frameset><a href=2>x</a>",
    ]);
}

#[test]
fn the_first_base_counts_wherever_it_stands() {
    agrees_with_the_dom(&[
        "<a href=1>x</a><base target=x><base href=/b/><base href=/c/><a href=2>y</a><link rel=canonical href=d>",
        "<base href='http://['><a href=1>x</a>",
        "<base href='mailto:x@y'><a href=1>x</a><a href=http://a/>y</a>",
        "<base href='javascript:x'><base href=/b/><a href=1>x</a>",
        "<base href='data:text/html,x'><a href=1>x</a><link rel=canonical href=c>",
        "<svg><base href=/b/></svg><base href=/c/><a href=1>x</a>",
        "<base href='//other.example/&amp;/'><a href=1>x</a><a href=#f>y</a><a href=''>z</a>",
        "<template><base href=/b/></template><a href=1>x</a>",
    ]);
}

#[test]
fn links_are_http_without_fragment_and_each_once() {
    agrees_with_the_dom(&[
        "<a href=1#a>x</a><a href=1#b>y</a><a href=./1>z</a><a href=/dir/1>w</a><a href=#>v</a><a href=page.html?q=1>u</a>",
        "<a href=' \t1 '>x</a><a href='1 #f'>y</a><a href=' #f'>z</a><a href='\n#'>w</a><a href='2\u{1} #'>v</a>",
        "<a href=javascript:x>x</a><a href='java\nscript:x'>y</a><a href=HTTP:x>z</a><a href=http:/x>w</a><a href=ftp://x/>v</a>",
        "<a href=http://[>x</a><a href=//>y</a><a href=http://>z</a><a href=//x:99999/>w</a><a href=https://ü/>v</a>",
        "<a href=c:x>x</a><a href=./c:x>y</a><a href=?a:b>z</a><a href=1:x>w</a><a href=+:x>v</a><a href=:x>u</a>",
        "<area href=1><link href=2><a name=3 href=4><img></a>",
    ]);
}

#[test]
fn areas_of_image_maps_are_links_and_their_alternative_is_the_text() {
    agrees_with_the_dom(&[
        "<map><area href=1 alt='to &amp;  fro' rel=x><area alt=none><AREA HREF=2/><area href=1 alt=again></map>",
        "<a href=1>x<area href=2 alt=y>z</a><area href=1#f alt=late>",
        "<svg><area href=1 alt=x></area></svg><template><area href=2></template><p><area href=3></p>",
    ]);
    let fields = extract("<map><area href=/x alt=' the\nnorth '><area href=/y></map>");
    let found: Vec<_> = fields.links.iter().map(|link| (link.url, link.text)).collect();
    assert_eq!(found, [("https://example.org/x", "the north"), ("https://example.org/y", "")]);
}

#[test]
fn the_first_heading_and_the_first_canonical_count_even_if_empty() {
    agrees_with_the_dom(&[
        "<h1></h1><h1>b</h1>",
        "<link rel=canonical><link rel='x canonical' href=1><link rel=canonical href=2>",
        "<link rel=canonical href='http://['><link rel=canonical href=2>",
        "<link rel=canonical href='mailto:x'><link rel=canonicals href=2>",
        "<meta name=description><meta name=DESCRIPTION content=''><meta name=description content=x>",
        "<meta name=descriptions content=x><meta property=description content=y>",
        "<p><meta name=description content='a &amp; b'><link rel=canonical href=1>",
    ]);
}

#[test]
fn every_meta_for_robots_counts() {
    agrees_with_the_dom(&[
        "<meta name=robots content=noindex><meta content='NoFollow, noindex' name=Robots><p><meta name=SEINE content=none>",
        "<meta name=robots><meta name=robots content=''><meta name='robots ' content=noindex><meta name=otherbot content=a>",
        "<meta property=robots content=noindex><meta name=rob&#111;ts content='a&#44;b&amp;c' content=d>",
        "<meta name=robots content='unavailable_after: 25 Jun 2026 15:00:00 GMT, max-snippet:-1'><svg><meta name=robots content=x>",
        "<template><meta name=robots content=noindex></template><noscript><meta name=robots content=nofollow></noscript>",
    ]);
    let page =
        "<meta name=description content=x><meta name=robots content='NOINDEX,none'><meta name=seine content=all>";
    assert_eq!(extract(page).robots.as_deref(), Some("noindex, nofollow, all"));
}

#[test]
fn the_body_is_read_in_its_own_charset() {
    let url = Url::parse(PAGE).expect("a URL");
    let extracted = Extractor::new().html(b"<meta charset=shift_jis><title>\x93\xFA\x96{</title>", None, &url);
    assert_eq!((extracted.charset, extracted.fields.title.as_deref()), ("Shift_JIS", Some("日本")));
    let extracted = Extractor::new().html(b"<title>\xE4</title>", Some(b"text/html"), &url);
    assert_eq!((extracted.charset, extracted.fields.title.as_deref()), ("windows-1252", Some("ä")));
}

#[test]
fn one_page_leaves_nothing_to_the_next() {
    let url = Url::parse(PAGE).expect("a URL");
    let pages = ["<title>a</title><h1>b<a href=1>c", "<a href=1>x<svg><title>t", "<frameset>", "<form><a href=2>y", ""];
    let mut extractor = Extractor::new();
    for page in pages.iter().chain(pages.iter().rev()) {
        assert_eq!(extractor.html(page.as_bytes(), None, &url).fields, extract(page), "{page}");
    }
}

#[test]
fn what_a_page_may_fill_is_bounded() {
    let many: String = (0..MAX_LINKS + 10).map(|number| format!("<a href={number}>")).collect();
    assert_eq!(extract(many).links.len(), MAX_LINKS);

    let long = "ä ".repeat(MAX_TEXT_BYTES);
    let fields = extract(format!("<html lang='{long}'><title>{long}</title><h1><a rel='{long}' href=1>{long}</a>"));
    assert_eq!(fields.title.map(|text| text.len()), Some(MAX_TEXT_BYTES - 2));
    assert_eq!(fields.h1.map(|text| text.len()), Some(MAX_TEXT_BYTES - 2));
    assert_eq!(fields.links.get(0).text.len(), MAX_ANCHOR_BYTES - 2);
    assert!(fields.links.get(0).rel.len() <= MAX_TOKEN_BYTES);
    assert!(fields.lang.is_some_and(|lang| lang.len() <= MAX_TOKEN_BYTES));

    let base = format!("<base href=/{}/>", "b".repeat(seine_core::record::MAX_URL_BYTES / 2));
    let links: String = (0..10_000).map(|number| format!("<a href={number}>")).collect();
    let total: usize = extract(base + &links).links.iter().map(|link| link.url.len()).sum();
    assert!(total <= MAX_LINKS_TOTAL_BYTES);

    let told = |page: String| {
        let url = Url::parse(PAGE).expect("a URL");
        let beyond = Extractor::new().html(page.as_bytes(), Some(b"text/html; charset=utf-8"), &url).beyond;
        beyond.into_iter().map(|excess| (excess.field, excess.found)).collect::<Vec<_>>()
    };
    let page = format!(
        "<html lang='{long}'><title>{long}</title><meta name=description content='{long}'>\
         <meta name=robots content='{}'><h1><a rel='{long}' href=1>{long}</a></h1><a href=/{}>x</a>",
        "noindex, max-snippet: 20, ".to_owned() + &"x".repeat(300),
        "y".repeat(seine_core::record::MAX_URL_BYTES)
    );
    let fields: Vec<_> = told(page).into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["lang", "title", "description", "links", "h1", "links", "links", "meta_robots"]);
    let many: String = (0..MAX_LINKS + 10).map(|number| format!("<a href={number}>")).collect();
    assert_eq!(told(many), [("links".into(), "more than 100000 links: the rest is left out (10 times)".into())]);
    assert_eq!(told("<title>t</title><a href=1>x</a>".into()), []);

    // A base that is no URL here: else every link would copy it.
    let base = format!("<base href=/{}/>", "b".repeat(1024 * 1024));
    assert_eq!(hrefs(&extract(base + "<a href=1>")), ["https://example.org/dir/1"]);
}

#[test]
fn extraction_ends_when_it_is_told_to() {
    let url = Url::parse(PAGE).expect("a URL");
    let mut extractor = Extractor::new();
    let mut extract_for = |page: &str, turns: usize| {
        let asked = std::cell::Cell::new(0);
        let keep_going = || {
            asked.set(asked.get() + 1);
            asked.get() <= turns
        };
        let extracted = extractor.html_while(page.as_bytes(), None, &url, &keep_going);
        (extracted, asked.get())
    };
    let page: String = (0..20_000).map(|number| format!("<a href={number}>")).collect();
    let whole = Extractor::new().html(page.as_bytes(), None, &url);
    // Four times while it reads, four times while it resolves links.
    assert_eq!(extract_for(&page, usize::MAX), (Some(whole), 8));
    for turns in 0..8 {
        assert_eq!(extract_for(&page, turns), (None, turns + 1));
    }
    // A usual page is not interrupted at all, and the one before leaves nothing to it.
    let usual = "<title>t</title><a href=x>y</a>".repeat(100);
    let whole = Extractor::new().html(usual.as_bytes(), None, &url);
    assert_eq!(extract_for(&usual, 0), (Some(whole), 0));
}

#[test]
fn hostile_pages_take_linear_time() {
    const BYTES: usize = 1024 * 1024;
    let shapes = [
        "<",
        "</",
        "<!",
        "<?",
        "<!--",
        "<a",
        "<a ",
        "&",
        "&#",
        "&#x",
        "&a",
        "<a href=",
        "<a href='",
        "<div>",
        "</div>",
        "<p>",
        "</p>",
        "<b>",
        "<b><i>",
        "</b>",
        "<a href=x>",
        "<a href=x><div>",
        "<b><div>",
        "</a>",
        "<li>",
        "<ul><li>",
        "<dd><dl>",
        "<table>",
        "<table><td>",
        "<table><tr><td><a href=x>",
        "<svg>",
        "<svg><title>",
        "<svg><a href=x>",
        "<math><mi>",
        "<template>",
        "<form>",
        "<button>",
        "<select>",
        "<option>",
        "<h1>",
        "<h1><a href=x>y",
        "<title>",
        "<title></title>",
        "<script>",
        "<script><!--",
        "<script></script>",
        "<style>",
        "<textarea>",
        "<x-y>",
        "</x-y>",
        "<object>",
        "\0",
        "\r",
        "-->",
        "]]>",
        "<a x",
        " x=y",
        "<base href=x>",
        "<nobr>",
        "<ruby><rt>",
        "<font color=x>",
        "<frameset>",
        "<![CDATA[",
        "a ",
        "ä",
    ];
    for shape in shapes {
        extract(shape.repeat(BYTES / shape.len()));
        let page = shape.repeat(BYTES / 16 / shape.len());
        for start in ["<h1>", "<a href=y>", "<svg>", "<div><p><a href=z><table>", "<a ", "<title>", "<script><!--"] {
            extract(format!("{start}{page}"));
        }
    }
    let deep: String = (0..BYTES / 16).map(|number| format!("<a href={number}>x<div>")).collect();
    extract(deep);
    let deep: String = (0..BYTES / 16).map(|number| format!("<b{number}>")).collect();
    let close: String = (0..BYTES / 16).rev().map(|number| format!("</b{number}>")).collect();
    extract(deep + &close);
    let attributes: String = (0..BYTES / 8).map(|number| format!(" a{number}=x")).collect();
    assert_eq!(
        hrefs(&extract(format!("<a href=1{attributes}><a {attributes} href=2>"))),
        ["https://example.org/dir/1"]
    );
}

#[test]
fn no_bytes_make_the_extractor_panic() {
    let seed = 0x5eed_0001;
    let mut random = Dice::of(seed);
    let pieces: [&[u8]; 48] = [
        b"<a href=x>",
        b"<a href='",
        b"</a>",
        b"<h1>",
        b"</h1>",
        b"<title>",
        b"</title>",
        b"<div>",
        b"</div>",
        b"<p>",
        b"<b>",
        b"</b>",
        b"<table>",
        b"<tr>",
        b"<td>",
        b"</table>",
        b"<svg>",
        b"</svg>",
        b"<math>",
        b"<mi>",
        b"<template>",
        b"</template>",
        b"<select>",
        b"<option>",
        b"<form>",
        b"</form>",
        b"<script>",
        b"</script>",
        b"<!--",
        b"-->",
        b"<![CDATA[",
        b"]]>",
        b"<!doctype html>",
        b"<base href=",
        b"<meta charset=",
        b"utf-16",
        b"shift_jis",
        b"&amp;",
        b"&#x1F600;",
        b"&#",
        b"&notin",
        b"\xFF\xFE",
        b"\xEF\xBB\xBF",
        b"\xE3\x80\x80",
        b"\xE4",
        b"\0",
        b"\r\n",
        b" rel=\"\xC2\xA0\" >",
    ];
    let url = Url::parse(PAGE).expect("a URL");
    let mut extractor = Extractor::new();
    for _ in 0..30_000 {
        let mut page = Vec::new();
        for _ in 0..random.below(24) {
            page.extend_from_slice(pieces[random.below(pieces.len())]);
            if random.below(3) == 0 {
                page.push(random.below(256) as u8);
            }
        }
        for _ in 0..random.below(4) {
            if !page.is_empty() {
                let at = random.below(page.len());
                match random.below(3) {
                    0 => page[at] = random.below(256) as u8,
                    1 => drop(page.remove(at)),
                    _ => page.truncate(at),
                }
            }
        }
        let content_type: Option<&[u8]> = match random.below(3) {
            0 => None,
            1 => Some(b"text/html;charset=utf-8"),
            _ => Some(&page),
        };
        is_html(content_type, &page);
        let fields = extractor.html(&page, content_type, &url).fields;
        assert!(fields.links.iter().all(|link| link.url.starts_with("http")));
    }
}

#[test]
fn html_is_known_by_its_content_type_or_else_by_its_start() {
    assert!(is_html(Some(b"Text/HTML; charset=x"), b"\x89PNG"));
    assert!(is_html(Some(b"application/xhtml+xml"), b""));
    assert!(!is_html(Some(b"text/plain"), b"<html>"));
    assert!(is_html(Some(b"*/*"), b"<html>"));
    for content_type in [None, Some(&b""[..]), Some(&b"nonsense"[..])] {
        for body in ["<!DOCTYPE HTML>", " \n<html >", "<!-- x", "<a href=x>", "\u{feff}<p>", "<B>"] {
            assert!(is_html(content_type, body.as_bytes()), "{body}");
        }
        for body in ["", "<", "<html", "<htmlx>", "{}", "x<html>", "<?xml?>", "<!--x"] {
            assert!(!is_html(content_type, body.as_bytes()), "{body}");
        }
    }
}

fn words_of(html: &str) -> Extracted {
    let more = More { likeness: true, ..More::default() };
    Extractor::with(more).html(html.as_bytes(), Some(b"text/html; charset=utf-8"), &Url::parse(PAGE).expect("a URL"))
}

#[test]
fn a_page_is_like_its_printed_version_and_not_like_another_in_the_same_frame() {
    let prose = |from: u32| (from..from + 60).map(|word| format!("<b>w{word}</b> and ")).collect::<String>();
    let framed = |from: u32| {
        let links: String = (0..50).map(|link| format!("<a href=/{link}>link{link} of the frame</a> ")).collect();
        format!(
            "<title>x</title><nav>home shop {}</nav><p>{}<aside>buy this now</aside>{links}<footer>all rights</footer>",
            "menu ".repeat(3),
            prose(from)
        )
    };
    let likeness = |html: &str| words_of(html).likeness.expect("enough words");
    assert_eq!(
        likeness(&framed(1)),
        likeness(&format!("<h2></h2><script>var a = 'other words';</script>{}", prose(1)))
    );
    assert!((likeness(&framed(1)) ^ likeness(&framed(100))).count_ones() > 20);
    assert_eq!(words_of("<nav>a b c</nav> one two").likeness, None);
    let unasked = Extractor::new().html(framed(1).as_bytes(), None, &Url::parse(PAGE).expect("a URL"));
    assert_eq!(unasked.likeness, None);
    // Other fields do not depend on it.
    assert_eq!(unasked.fields, words_of(&framed(1)).fields);
}

#[test]
fn a_page_that_says_that_it_is_not_there_is_told_whatever_else_is_asked_for() {
    let missing = "<title>Page not found | Shop</title><nav>many words</nav><h1>Oops</h1><p>Try our search.";
    let about = format!(
        "<title>Page not found | Wiki</title><p>{}",
        (0..200).map(|word| format!("w{word} ")).collect::<String>()
    );
    for more in [More::default(), More { likeness: true, assets: true }] {
        let says = |html: &str| {
            let url = Url::parse(PAGE).expect("a URL");
            Extractor::with(more).html(html.as_bytes(), Some(b"text/html"), &url).says_missing
        };
        assert!(says(missing) && !says(&about) && !says("<title>Shop</title>"), "{more:?}");
    }
}
