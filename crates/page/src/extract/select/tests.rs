use super::super::{arena, prose};
use super::features::{Named, View};
use super::forest::{MODEL, hash_of};
use super::*;

fn selected(page: &str) -> (String, Selection) {
    let tree = arena::parse(page.into(), 1_000_000, &|| true).unwrap();
    let selection = select(&tree, &|_| true).unwrap();
    (prose::prose(&tree, &selection, 1 << 20, &|_| true).unwrap(), selection)
}

/// Sentences that differ, about nothing in particular.
fn sentences(seed: usize, count: usize) -> String {
    const WHO: [&str; 6] = ["The baker", "My neighbour", "A surveyor", "The ferryman", "Her cousin", "The clerk"];
    const DID: [&str; 5] = ["measured", "repaired", "described", "painted", "remembered"];
    const WHAT: [&str; 7] =
        ["the old bridge", "a wooden boat", "the north wall", "two copper kettles", "the mill", "a map", "the orchard"];
    const WHEN: [&str; 4] =
        ["before the winter came", "while the rain went on", "as the letter had asked", "when the road was closed"];
    let sentence = |n: usize| {
        format!(
            "{} {} {}, {}, and nobody in the village thought much of it.",
            WHO[n % 6],
            DID[n / 2 % 5],
            WHAT[n % 7],
            WHEN[n % 4]
        )
    };
    (0..count).map(|n| sentence(seed * 11 + n * 5)).collect::<Vec<_>>().join(" ")
}

fn menu(name: &str) -> String {
    let items: String = (0..18).map(|n| format!("<li><a href=/{name}/{n}>{name} {n}</a></li>")).collect();
    format!("<nav class=main-menu><ul>{items}</ul></nav>")
}

const COOKIES: &str = "<div class=cookie-banner><p>We use cookies to improve your experience. By clicking Accept you consent \
    to our use of cookies.</p><button>Accept</button></div>";
const FOOTER: &str = "<footer class=site-footer><a href=/privacy>Privacy policy</a> <a href=/terms>Terms</a> \
    <p>© 2024 Village Gazette. All rights reserved.</p></footer>";

#[test]
fn the_table_fits_the_numbers_that_it_is_asked_with_and_is_small() {
    let tree = arena::parse("<p>A paragraph.".into(), 1000, &|| true).unwrap();
    let runs = runs::runs(&tree, &|_| true).unwrap();
    let view = View::new(&tree, &runs);
    let mut row = Named::default();
    view.row(0, &mut row);
    let names = row.names;
    assert!(names.len() <= 256, "a fork names a number by a byte: {}", names.len());
    assert_eq!(
        MODEL.names,
        hash_of(names.iter().map(|name| name.as_str())),
        "train anew, see model/README.md: {names:?}"
    );
    assert!(include_bytes!("model.bin").len() <= 300 * 1024);
}

#[test]
fn of_an_article_the_paragraphs_are_kept_and_what_surrounds_them_is_not() {
    let paragraphs: String = (0..6).map(|n| format!("<p>{}</p>", sentences(n, 3))).collect();
    let page = format!(
        "<title>The old bridge</title>{COOKIES}{}<main><article><h1>The old bridge</h1>{paragraphs}</article>\
         <div class=share-bar><a href=#>Share on Facebook</a> <a href=#>Tweet</a></div>\
         <aside class=related><h3>Related articles</h3><ul><li><a href=/a>The mill</a><li><a href=/b>The ferry</a></ul></aside>\
         </main>{FOOTER}",
        menu("Section")
    );
    let (text, selection) = selected(&page);
    for n in 0..6 {
        assert!(text.contains(&sentences(n, 3)), "{n} is missing: {text}");
    }
    for noise in ["Section 3", "Accept", "Tweet", "All rights", "Privacy"] {
        assert!(!text.contains(noise), "{noise} in {text}");
    }
    assert_eq!(selection.kind, Kind::Article);
}

#[test]
fn a_forum_for_browsers_without_scripts_is_read_too() {
    let posts: String = (0..6)
        .map(|n| {
            format!(
                "<div class='topic-body crawler-post'><div class=crawler-post-meta><span class=creator>user{n}</span></div>\
                 <div class=post itemprop=text><p>{}</p></div></div>",
                sentences(n, 3)
            )
        })
        .collect();
    let page = format!(
        "<title>Bridges</title><meta name=generator content='Discourse 3.2'><noscript data-path=/t/1><header>Forum</header>\
         <div id=main-outlet class=wrap role=main>{posts}</div></noscript>"
    );
    let (text, selection) = selected(&page);
    for n in 0..6 {
        assert!(text.contains(&sentences(n, 3)), "{n} is missing: {text}");
    }
    assert_eq!(selection.kind, Kind::Forum);
}

#[test]
fn all_sections_of_a_page_are_kept() {
    let sections: String = (0..5)
        .map(|n| format!("<section class=feature><h2>Reason {n}</h2><p>{}</p></section>", sentences(n, 2)))
        .collect();
    let (text, _) = selected(&format!("<title>Our service</title>{}<main>{sections}</main>{FOOTER}", menu("Service")));
    for n in 0..5 {
        assert!(text.contains(&sentences(n, 2)), "{n} is missing: {text}");
    }
    assert!(!text.contains("Service 7") && !text.contains("All rights"), "{text}");
}

#[test]
fn of_little_text_all_is_kept_that_is_shown_outside_of_menus() {
    let (text, selection) =
        selected("<nav>Menu</nav><p>One word <b>more</b><p hidden>Unseen<noscript>x</noscript><footer>Foot</footer>");
    assert_eq!((text.as_str(), selection.kind), ("One word more", Kind::Whole));
    assert_eq!(selected("").0, "");
}

#[test]
fn pictures_are_kept_where_the_text_around_them_is() {
    let page = "<nav>Menu <img src=logo></nav><figure><img src=a><figcaption>A boat</figcaption></figure>";
    let tree = arena::parse(page.into(), 1000, &|| true).unwrap();
    let selection = select(&tree, &|_| true).unwrap();
    let kept =
        tree.elements().filter(|element| selection.keeps(element.id())).filter_map(|element| element.attr("src"));
    assert_eq!(kept.collect::<Vec<_>>(), ["a"]);
}

#[test]
fn what_is_kept_has_the_largest_expected_f1() {
    assert_eq!(best(&[10.0, 10.0, 10.0], &[0.9, 0.1, 0.8]), [true, false, true]);
    assert_eq!(best(&[10.0, 10.0], &[0.02, 0.01]), [true, false], "something is kept of any page");
    assert_eq!(best(&[], &[]), [false; 0]);
}

#[test]
fn the_same_page_gives_the_same_text() {
    let page = format!("{}<p>{}</p>{FOOTER}", menu("Section"), sentences(3, 8));
    assert_eq!(selected(&page).0, selected(&page).0);
}

#[test]
fn what_is_written_in_pieces_amid_kept_texts_is_kept_whole() {
    let between = |part: &str| {
        let page = format!(
            "<main><article><h1>The mill</h1><p>{}</p><p>{}</p>{part}<p>{}</p><p>{}</p></article></main>",
            sentences(1, 4),
            sentences(2, 4),
            sentences(3, 4),
            sentences(4, 4)
        );
        selected(&page).0
    };
    for (part, texts) in [
        ("<pre>make all</pre>", &["make all"][..]),
        ("<table><tr><th>a<th>b<tr><td>1<td>2</table>", &["a", "b", "1", "2"]),
        ("<ul><li>salt<li>flour<ul><li>rye</ul></ul>", &["salt", "flour", "rye"]),
        ("<dl><dt>weir<dd>a low dam</dl>", &["weir", "a low dam"]),
        ("<figure><img src=a.png alt=x><figcaption>Fig. 1</figcaption></figure>", &["Fig. 1"]),
        ("<details><summary>More</summary><p>Less.</details>", &["More", "Less."]),
    ] {
        let text = between(part);
        assert!(texts.iter().all(|piece| text.contains(piece)), "{part}: {text}");
    }
    let links = between("<ul><li><a href=1>Qx one</a><li><a href=2>Qx two</a><li><a href=3>Qx three</a></ul>");
    assert!(!links.contains("Qx"), "{links}");
}
