//! What a tree says of a page.

use super::*;

fn tree(page: &str) -> Arena<'_> {
    parse(Cow::Borrowed(page), usize::MAX, &|| true).expect("told to go on")
}

/// A tree as a line of text.
fn shape(tree: &Arena<'_>) -> String {
    let mut shape = String::new();
    for edge in tree.root().edges() {
        match edge {
            Edge::Open(node) => match node.data() {
                Data::Document => {}
                Data::Fragment => shape += "{",
                Data::Doctype(_) => shape += "!",
                Data::Text(text) => {
                    shape += &format!("{}{text}", if shape.ends_with(char::is_alphabetic) { " " } else { "" })
                }
                Data::Comment(text) => shape += &format!("#{text}#"),
                Data::Element(element) => shape += &format!("({}", element.name()),
            },
            Edge::Close(node) if node.is_fragment() => shape += "}",
            Edge::Close(node) if node.is_element() => shape += ")",
            Edge::Close(_) => {}
        }
    }
    shape
}

#[test]
fn a_tree_is_walked_in_every_direction() {
    let tree = tree("<!doctype html><title>t</title><p id=a class='x  y'>one<b>two</b><!--c--><p>&lt;three");
    assert_eq!(shape(&tree), "!(html(head(title t))(body(p one(b two)#c#)(p <three)))");
    let p = tree.elements().find(|element| element.is(Tag::P)).expect("a paragraph");
    assert_eq!((p.attr("id"), p.has_class("y"), p.has_class("X"), p.attr("ID")), (Some("a"), true, false, None));
    assert_eq!(p.text(), "onetwo");
    assert_eq!(p.children().count(), 3);
    assert_eq!(p.descendants().count(), 4);
    let next = p.next_sibling().expect("another");
    assert_eq!((next.previous_sibling(), next.id()), (Some(*p), p.end()));
    assert_eq!(next.as_element().map(Element::text).as_deref(), Some("<three"));
    let up: Vec<_> = p.ancestors().filter_map(NodeRef::as_element).map(Element::name).collect();
    assert_eq!(up, ["body", "html"]);
    let mut inside = p.descendants();
    assert_eq!(inside.by_ref().take(2).filter(|node| node.is_element()).count(), 1);
    inside.skip_inside();
    assert!(matches!(inside.next().map(NodeRef::data), Some(Data::Comment("c"))));
}

#[test]
fn names_have_a_namespace_and_templates_contents_apart() {
    let tree = tree(
        "<svg viewBox=1><foreignObject><x-y></x-y><title>t</title></foreignObject></svg><template><base href=x></template><base href=y>",
    );
    let names: Vec<_> = tree.elements().map(|element| (element.name(), element.namespace())).collect();
    use Namespace::{Html, Svg};
    assert_eq!(
        names[2..],
        [
            ("body", Html),
            ("svg", Svg),
            ("foreignObject", Svg),
            ("x-y", Html),
            ("title", Html),
            ("template", Html),
            ("base", Html),
            ("base", Html)
        ]
    );
    assert_eq!(tree.base_href(), Some("y"));
    assert_eq!(tree.elements().find(|element| element.name() == "svg").and_then(|svg| svg.attr("viewBox")), Some("1"));
}

/// Every text, comment and element with its attributes; texts that stand side by side as one.
fn dump(tree: &Arena<'_>) -> String {
    let mut dump = String::new();
    let mut text = String::new();
    let mut depth = 0;
    for edge in tree.root().edges() {
        if let Edge::Open(node) | Edge::Close(node) = edge
            && let Some(more) = node.as_text()
        {
            if matches!(edge, Edge::Open(_)) {
                text += more;
            }
            continue;
        }
        if !text.is_empty() {
            dump += &format!("{:depth$}{:?}\n", "", std::mem::take(&mut text));
        }
        match edge {
            Edge::Open(node) => {
                match node.data() {
                    Data::Doctype(_) => dump += "!\n",
                    Data::Comment(comment) => dump += &format!("{:depth$}#{comment:?}\n", ""),
                    Data::Fragment => dump += &format!("{:depth$}fragment\n", ""),
                    Data::Element(element) => {
                        let mut attributes: Vec<_> = element.attributes().collect();
                        attributes.sort_unstable();
                        dump += &format!("{:depth$}{} {:?} {attributes:?}\n", "", element.name(), element.namespace());
                    }
                    Data::Document | Data::Text(_) => {}
                }
                depth += 1;
            }
            Edge::Close(_) => depth -= 1,
        }
    }
    dump
}

/// The links between nodes say the same as their numbers.
fn check(tree: &Arena<'_>) {
    let mut numbers = Vec::new();
    for edge in tree.root().edges() {
        match edge {
            Edge::Open(node) => numbers.push(node.id().index()),
            Edge::Close(node) => {
                assert_eq!(node.end().index(), numbers.len(), "{node:?}");
                assert_eq!(node.children().last().map(|last| last.end()).unwrap_or(node.end()), node.end());
                assert!(node.children().all(|child| child.parent() == Some(node)));
                let mut back = node.children().last();
                let count = std::iter::from_fn(|| {
                    let this = back?;
                    back = this.previous_sibling();
                    Some(())
                });
                assert_eq!(count.count(), node.children().count());
            }
        }
    }
    assert!(numbers.iter().copied().eq(0..tree.len()));
}

/// The first line in which two texts differ, with some around it.
fn difference(one: &str, other: &str) -> String {
    let at = one.lines().zip(other.lines()).take_while(|(one, other)| one == other).count();
    let part = |text: &str| text.lines().skip(at.saturating_sub(4)).take(9).collect::<Vec<_>>().join("\n");
    format!("--- here, from line {at}:\n{}\n--- html5ever:\n{}", part(one), part(other))
}

fn judged(page: &str) -> Result<(), String> {
    let (ours, theirs) = (tree(page), Arena::judge(page));
    check(&ours);
    let (ours, theirs) = (dump(&ours), dump(&theirs));
    if ours == theirs { Ok(()) } else { Err(difference(&ours, &theirs)) }
}

#[test]
fn hard_cases_make_the_tree_that_html5ever_makes() {
    let mut failed = 0;
    for page in HARD {
        if let Err(difference) = judged(page) {
            eprintln!("{page}\n{difference}\n");
            failed += 1;
        }
    }
    assert_eq!(failed, 0);
}

/// Every page below the folders that `SEINE_PAGES` names, with colons between them; each `SEINE_PAGES_EVERY`th.
#[test]
#[ignore = "reads pages of this machine"]
fn pages_make_the_tree_that_html5ever_makes() {
    let every = std::env::var("SEINE_PAGES_EVERY").ok().and_then(|every| every.parse().ok()).unwrap_or(1);
    let mut folders: Vec<std::path::PathBuf> =
        std::env::var("SEINE_PAGES").unwrap_or_default().split(':').map(Into::into).collect();
    let mut pages = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                _ if path.extension().is_some_and(|end| end == "html" || end == "htm") => pages.push(path),
                _ => {}
            }
        }
    }
    pages.sort();
    let (mut compared, mut differ) = (0, 0);
    for path in pages.iter().step_by(every) {
        let Ok(body) = std::fs::read(path) else { continue };
        let (page, _) = crate::extract::charset::decode(&body, Some(b"text/html"));
        compared += 1;
        if let Err(difference) = judged(&page) {
            eprintln!("{}\n{difference}\n", path.display());
            differ += 1;
        }
    }
    eprintln!("{differ} of {compared} pages differ");
    assert!(compared > 0 && differ == 0);
}

/// `scraper` does not tell `html5ever` that such an element may hold HTML.
#[test]
fn html_may_stand_in_an_annotation() {
    let tree =
        tree("<math><annotation-xml encoding=Text/HTML><p>a<svg><g/></svg></p></annotation-xml><mi>b</mi></math>c");
    assert_eq!(shape(&tree), "(html(head)(body(math(annotation-xml(p a(svg(g))))(mi b))c))");
}

/// A page put together by chance from what is hard.
pub(in crate::extract) fn soup(dice: &mut seine_testkit::Dice) -> String {
    const NAMES: &[&str] = &[
        "a",
        "a",
        "b",
        "i",
        "nobr",
        "font",
        "p",
        "p",
        "div",
        "div",
        "li",
        "ul",
        "dd",
        "dt",
        "h1",
        "h2",
        "table",
        "table",
        "tr",
        "td",
        "th",
        "tbody",
        "thead",
        "tfoot",
        "caption",
        "col",
        "colgroup",
        "form",
        "button",
        "select",
        "option",
        "optgroup",
        "input",
        "hr",
        "br",
        "img",
        "image",
        "pre",
        "textarea",
        "title",
        "script",
        "style",
        "svg",
        "math",
        "mi",
        "mglyph",
        "annotation-xml",
        "desc",
        "foreignObject",
        "g",
        "template",
        "template",
        "object",
        "marquee",
        "ruby",
        "rt",
        "rtc",
        "rp",
        "x-y",
        "html",
        "head",
        "body",
        "frameset",
        "frame",
        "noframes",
        "noscript",
        "iframe",
        "meta",
        "base",
        "address",
        "search",
        "dialog",
        "summary",
        "plaintext",
        "xmp",
        "center",
        "span",
        "code",
        "u",
    ];
    const OTHERS: &[&str] = &[
        "x",
        " ",
        "\n",
        "&amp;",
        "&lt",
        "y z",
        "<!--c-->",
        "<!d>",
        "<![CDATA[e]]>",
        "<",
        "\r\n",
        "é",
        "</p>",
        "</br>",
        "<input type=hidden>",
        "<font color=x>",
        "<a href=1>",
        "<a href=2 href=3>",
        "<b a=1 b=2>",
        "<b b=2 a=1>",
        "<svg/>",
    ];
    // Neither of these may stand elsewhere: html5ever takes what is around a doctype in a table for one text, and we take
    // what is around `</>` for two.
    let mut page = String::from(["", "<!doctype html>", "</>"][dice.below(3)]);
    for _ in 0..dice.below(60) {
        let name = NAMES[dice.below(NAMES.len())];
        // Frames and what is never left end most pages too early.
        let is_end = matches!(name, "plaintext" | "frameset") && dice.below(10) > 0;
        match dice.below(10) {
            0..4 if !is_end => page += &format!("<{name}>"),
            4..7 if !is_end => page += &format!("</{name}>"),
            _ => page += OTHERS[dice.below(OTHERS.len())],
        }
    }
    // In a template, html5ever does not know that a `<thead>` is a part of a table that others end.
    if page.contains("<template") { page.replace("<thead", "<tbody") } else { page }
}

#[test]
fn tag_soup_makes_the_tree_that_html5ever_makes() {
    let mut dice = seine_testkit::Dice::new();
    let mut failed = 0;
    for number in 0..4000 {
        let page = soup(&mut dice);
        if let Err(difference) = judged(&page) {
            eprintln!("{number}: {page}\n{difference}\n");
            failed += 1;
        }
    }
    assert_eq!(failed, 0);
}

/// Nodes deeper than allowed, and the deepest.
fn depth(tree: &Arena<'_>) -> usize {
    let mut depths = vec![0; tree.len()];
    for node in tree.descendants() {
        let around = node.parent().map_or(0, |parent| depths[parent.id().index()]);
        depths[node.id().index()] = around + usize::from(node.is_element());
    }
    depths.into_iter().max().unwrap_or(0)
}

#[test]
fn hostile_pages_take_linear_time_and_are_no_deeper_than_allowed() {
    const BYTES: usize = 150_000;
    let numbered = |start: &str, end: &str, after: &str| {
        let mut page = String::new();
        (0..)
            .take_while(|n| {
                page += &format!("{start}{n}{end}");
                page.len() < BYTES / 2
            })
            .count();
        page + &after.repeat(BYTES / 2 / after.len().max(1))
    };
    let of = |piece: &str| piece.repeat(BYTES / piece.len());
    for page in [
        of("<div>"),
        of("<b>"),
        of("<p><b><i><u>x</p>"),
        of("<b><p>x</b>"),
        of("<a href=x><table>"),
        of("<a><div>x"),
        of("<table><b>"),
        of("<table><tr><td><b>"),
        of("<table>x<b>y"),
        of("<form><div></form>"),
        of("<svg><g>"),
        of("<math><mi><p>"),
        of("<svg><foreignObject>"),
        of("<template>"),
        of("<template><b>"),
        of("<object><b>"),
        of("<select><option><optgroup>"),
        of("<ruby><rt><rtc>"),
        of("<nobr><p>"),
        of("</p></br>"),
        of("<li><div>"),
        of("<x-y></x-z>"),
        of("</b></i>"),
        of("<frameset>"),
        of("<!---><?x>"),
        of("&lt;a</x>"),
        of("<"),
        of("<a "),
        of("<td></td><tr>"),
        of("<body a=b>"),
        numbered("<b c=", ">", "<p>x"),
        numbered("<b c=", ">", "<table>x"),
        numbered("<b c=", "><div>", "</b>"),
        numbered("<x-", ">", "</x-1>"),
        numbered("<body a", "=1>", "x"),
        format!("<p {}>", numbered("a", "=1 ", "")),
    ] {
        let begun = seine_unix::clock::thread_cpu();
        let tree = parse(Cow::Borrowed(&page), 100_000, &|| true).expect("told to go on");
        let used = seine_unix::clock::thread_cpu() - begun;
        let name = &page[..30];
        assert!(used.as_secs() < 10, "{name}: {used:?}");
        assert!(tree.len() <= 101_000, "{name}: {}", tree.len());
        assert!(depth(&tree) <= crate::extract::stack::MAX_DEPTH, "{name}: {}", depth(&tree));
        check(&tree);
    }
}

#[test]
fn building_ends_when_it_is_told_to() {
    let page = "<p>x".repeat(100_000);
    let asked = std::cell::Cell::new(0);
    let gives_up = || {
        asked.set(asked.get() + 1);
        asked.get() < 10
    };
    assert!(parse(Cow::Borrowed(&page), usize::MAX, &gives_up).is_none());
    assert_eq!(asked.get(), 10);
}

const HARD: &[&str] = &[
    "",
    " \n",
    "x",
    "<!doctype html>",
    "<!-- a --><!doctype html><!-- b --><html lang=en><!-- c --><head><!-- d --></head><!-- e --><body><!-- f --></body><!-- g --></html><!-- h -->",
    "<!doctype html><p>a<b>b<p>c</b>d",
    "<p>1<b>2<i>3</b>4</i>5</p>",
    "<b>1<p>2</b>3</p>",
    "<a>1<div>2<div>3</a>4</div>5</div>",
    "<a href=1>x<a href=2>y</a>z",
    "<a href=1>x<table><tr><td><a href=2>y</a></table>z",
    "<a href=1>x<table><a href=2>y</table>z",
    "<b><b><b><b><b>x<p>y",
    "<b a=1 b=2><b b=2 a=1><b a=1 b=2><b a=1 b=2>x<p>y",
    "<p><font><b><i><u>x<p>y<div>z</b>w",
    "<div><b><i><u><s><em>x<p>y</b>z",
    "<b><i><a><s><tt><div></b>x",
    "<nobr>a<nobr>b<p>c<nobr>d",
    "<table>x<tr>y<td>z</table>w",
    "<table><b>x<tr><td>y</b>z</table>w",
    "<table><p>a<tr><p>b<td>c</table>d",
    "<table> <tr> <td> a </table> b",
    "<table><tr><td>a<table><tr><td>b</table>c<td>d",
    "<table><caption>a<b>b<tr><td>c",
    "<table><col><tr><td>x<colgroup><col>y",
    "<table><colgroup>x<col> <tr><td>",
    "<table><thead><tr><th>a<tbody><tr><td>b<tfoot><td>c</table>",
    "<table><tr><td></tbody>a</tr>b</td>c",
    "<table><td>a</td></tr><tr></table></table>x",
    "<table><form><input type=hidden name=a><input name=b><tr><td></form>x</table>",
    "<table><select><option>a<tr><td>b</table>",
    "<table><style>a</style><script>b</script><title>c</title><tr></table>",
    "<table><!-- a --><tr><!-- b --><td><!-- c --></table>",
    "<table><svg><tr><td>x</svg>y</table>z",
    "<div><table><tr></div>x</table>y",
    "<p><table><tr><td>x</table>y",
    "<!doctype html><p><table><tr><td>x</table>y",
    "<li>a<li>b<ul><li>c<div><li>d</ul>e",
    "<dl><dt>a<dd>b<dl><dd>c</dl><dt>d</dl>",
    "<h1>a<h2>b</h1>c</h3>d",
    "<ul><li><p>a<li><address>b<li>c",
    "<form>a<form>b</form>c<div></form>d",
    "<form><div></form><form><div></form>x",
    "<button>a<button>b<p>c</button>d",
    "<select><option>a<optgroup><option>b<hr><option>c</select>d<option>e<option>f",
    "<select><b>a<select>b",
    "<select><input>x<select><textarea>y</textarea></select>",
    "<ruby>a<rb>b<rt>c<rtc>d<rp>e<rt>f</ruby>g",
    "<object>a<b>b<p>c</object>d",
    "<marquee><p>a<div></marquee>b",
    "<p>a</div>b</p>c</p>d",
    "</p>a</br>b</b>c</html>d</body>e",
    "a<br/>b<br></br>c<image src=x>d<hr/>e",
    "<pre>\na\n</pre><pre>\n\nb</pre><listing>&#10;c</listing><textarea>\nd</textarea><textarea>\r\n\r\ne</textarea>",
    "<plaintext>a</plaintext><b>&amp;",
    "<b><p><plaintext>x",
    "<table><plaintext>x",
    "<p><font color=x></p><plaintext>",
    "<p><b></p><xmp></xmp><plaintext>",
    "<xmp><b>a</xmp>b<noembed><i></noembed><iframe><u></iframe><noframes><s></noframes>c",
    "<head><noscript><link href=x><style>a</style><p>b</noscript>c",
    "<body><noscript><p>a</noscript>b",
    "<head><noscript></br>x</noscript>",
    "<title>a<b>&amp;b</title>c<title>d",
    "<script>a<!--<script></script>--></script>b<style><!--</style>c",
    "<html a=1><body b=2><html a=2 c=3><body b=3 d=4>x",
    "<frameset><frame src=a><frameset><frame></frameset></frameset><noframes>a</noframes> x y ",
    "<p><frameset><frame>",
    "<p>x<frameset><frame>",
    " <div><frameset> a <frame>b</frameset> c </html> d <!-- e -->",
    "<input type=hidden><frameset></frameset>",
    "<head></head><title>a</title> <meta name=x><template>b</template><body>c",
    "<head></head> <!-- a --><script>b</script>c",
    "<template>a<p>b<template>c</template>d</template>e",
    "<template><tr><td>a</td></tr><tr></template>b",
    "<template><td>a<td>b</template><table><template><tr></template><tr><td>c</table>",
    "<template><col><tr>x</template><template><caption>y</template>",
    "<template><div></template></div><b><template>a</b>b</template>c",
    "<table><tr><template>a<b>b</template><td>c</table>",
    "<p>a<template><p>b</template>c<template>",
    "</template>a<body><template></body></html>b",
    "<svg viewbox=1 VIEWBOX=2 xlink:href=a><lineargradient/><path d=1></path><title><p>a</p></title><desc>b<b>c</desc></svg>d",
    "<svg><foreignobject><p>a<svg><g>b</foreignobject>c</svg>d",
    "<svg><p>a</svg>b<svg><font>c<font color=x>d",
    "<svg><g><b>x</g>y</svg>z",
    "<svg><style>a<b></style><script>b<i></script></svg>",
    "<svg><![CDATA[a<b>]]>c</svg><![CDATA[d]]>",
    "<math><mi>a<b>b</mi><mo><mglyph><b>c</mo><annotation-xml><svg><p>d</annotation-xml></math>e",
    "<math definitionurl=x><annotation-xml encoding=x><p>a</p></annotation-xml><mtext><table><tr><td>b</math>c",
    "<svg></p>a</svg><math></br>b",
    "<svg><a><g></A>x</svg>y",
    "<!a><?b?></ c></><!--d--!>e<!---->f<!-->g<!--->h<!--i",
    "<!doctype html public '-//W3C//DTD HTML 4.01 Transitional//EN'><p><table>",
    "<P CLASS=A class=b ID='x&amp;y\r\nz'>&lt;&notit;\r\na\rb</P>",
    "<p a=1 a=2 b c='' d=\"x\" =e/f>",
    "<x-a><X-B y>a</x-b>b</x-c>c</x-a>d",
    "a<b",
    "a</b",
    "<p>a</p",
    "<p a='b",
    "<a><p><a><p><a><p>x",
    "<b><table><td></b><i></table>x",
    "<table><a>1<p>2</a>3</p>",
    "<table><tr><td><b>x</td>y</tr>z</table>w",
    "<body><p>a</body> <!-- b --> <p>c</html>d <!-- e -->",
    "<summary><details>a<p>b</summary>c<dialog><p>d</dialog>e<search>f</div>g</search>h<main>i</main><menu><li>j</menu>",
    "<center><p>a</center>b<dir><li>c</dir><fieldset><legend>d</fieldset>",
    "<option><optgroup>a<option>b<optgroup>c",
    "<table><tr><td><select><tr><td>x</select>y",
    "<table><caption><select><option>x</caption>y</table>z",
    "<i><table><tr><i>a<td>b</i>c</table>d",
    "<table><div><tr><td>a</div>b",
    "<font><p>hello<b>cruel</font>world",
    "<div><a><b><div><div><div><div><div><div><div><div><div><div></a>",
];
