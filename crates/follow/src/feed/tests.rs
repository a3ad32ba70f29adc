//! Feeds as sites have them.

use seine_testkit::Dice;

use super::*;

fn url() -> Url {
    Url::parse("https://example.org/blog/feed.xml").expect("a URL")
}

fn read(body: impl AsRef<[u8]>) -> (Vec<Item>, Vec<Note>) {
    let url = url();
    let mut feed = Feed::open(body.as_ref(), None, &url).expect("a feed");
    let items: Vec<_> = feed.by_ref().collect();
    assert_eq!(feed.next(), None, "the end stays the end");
    (items, feed.notes().to_vec())
}

fn error(body: impl AsRef<[u8]>) -> String {
    match Feed::open(body.as_ref(), None, &url()) {
        Ok(_) => panic!("read as a feed: {}", String::from_utf8_lossy(body.as_ref())),
        Err(error) => error.to_string(),
    }
}

fn item(url: &str, title: &str, published: Option<i64>, updated: Option<i64>) -> Item {
    Item { url: url.to_owned(), title: title.to_owned(), published, updated }
}

/// 2026-05-03T00:00:00Z.
const MAY: i64 = 1_777_766_400_000;

#[test]
fn rss_2_is_read() {
    let rss = r#"<?xml version="1.0"?><rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/">
      <channel><title>Blog</title><link>https://example.org/</link><image><title>I</title><link>/img</link></image>
      <atom:link rel="self" href="https://example.org/blog/feed.xml"/>
      <item><title>Tom &amp;amp; <![CDATA[Jerry
        again]]></title><link>https://example.org/a?b=1&amp;c=2</link>
        <description>&lt;p&gt;<![CDATA[<title>no</title>]]></description>
        <media:title>no</media:title><media:content><title>no</title><link>/no</link></media:content>
        <source url="/no"><title>no</title></source>
        <guid isPermaLink="false">123</guid><pubDate>Sun, 03 May 2026 00:00:00 GMT</pubDate></item>
      <item><title/><guid>https://example.org/b</guid><dc:date>2026-05-03</dc:date></item>
      <item><link> /c </link><guid isPermaLink="false">https://example.org/no</guid><pubDate>soon</pubDate></item>
      <item><title>Without a link</title><guid isPermaLink="false">9</guid></item>
      </channel></rss>"#;
    let items = [
        item("https://example.org/a?b=1&c=2", "Tom & Jerry again", Some(MAY), None),
        item("https://example.org/b", "", Some(MAY), None),
        item("https://example.org/c", "", None, None),
    ];
    assert_eq!(read(rss), (items.to_vec(), vec![Note::Unusable { count: 1, first: String::new() }]));
    assert_eq!(Feed::open(rss.as_bytes(), None, &url()).map(|feed| feed.kind()), Ok(Kind::Rss));
}

#[test]
fn rss_1_and_0_9_are_read() {
    let rdf = r#"<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
      <channel rdf:about="https://example.org/"><title>C</title><link>https://example.org/</link>
        <items><rdf:Seq><rdf:li resource="https://example.org/a"/></rdf:Seq></items></channel>
      <item rdf:about="https://example.org/a"><title>A</title><link>https://example.org/a</link>
        <dc:date>2026-05-03T00:00:00Z</dc:date></item>
      <item rdf:about="https://example.org/b"><title>B</title></item></rdf:RDF>"#;
    let items = [item("https://example.org/a", "A", Some(MAY), None), item("https://example.org/b", "B", None, None)];
    assert_eq!(read(rdf), (items.to_vec(), vec![]));
    let old = r#"<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://my.netscape.com/rss-0.91.dtd">
      <rss version="0.91"><channel><item><title>A</title><link>http://example.org/a</link></item></channel></rss>"#;
    assert_eq!(read(old), (vec![item("http://example.org/a", "A", None, None)], vec![]));
}

#[test]
fn atom_is_read() {
    let atom = r#"<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://example.org/base/">
      <title>F</title><link rel="self" href="/feed"/><link href="https://example.org/"/><updated>2020-01-01</updated>
      <entry xml:base="2026/">
        <id>tag:example.org,2026:1</id><title type="html">A &amp;lt;b&amp;gt;</title>
        <link rel="edit" href="/edit"/><link rel="enclosure" href="/a.mp3"/><link rel="alternate" href="a.html"/>
        <link href="second.html"/>
        <published>2026-05-03T02:00:00+02:00</published><updated>2026-05-03T00:00:01Z</updated>
        <source><title>no</title><link href="/no"/><updated>2001-01-01</updated></source>
      </entry>
      <entry><title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">B <b>bold</b></div></title>
        <link xml:base="/other/" href="b"/></entry>
      <entry><id>https://example.org/c</id><link rel="replies" href="/no"/><modified>2026-05-03</modified></entry>
      <entry><link rel="related" href="d"/><author><name>N</name><uri>/no</uri></author></entry>
      <atom:entry><atom:link href="e"/><atom:title>E</atom:title></atom:entry>
    </feed>"#;
    let items = [
        item("https://example.org/base/2026/a.html", "A <b>", Some(MAY), Some(MAY + 1000)),
        item("https://example.org/other/b", "B bold", None, None),
        item("https://example.org/c", "", None, Some(MAY)),
        item("https://example.org/base/d", "", None, None),
        item("https://example.org/base/e", "E", None, None),
    ];
    assert_eq!(read(atom), (items.to_vec(), vec![]));
}

#[test]
fn json_feed_is_read() {
    let json = r#"{"version": "https://jsonfeed.org/version/1.1", "title": "J", "authors": [{"items": 1}], "items": [
      {"id": "1", "url": "https://example.org/a", "title": "A\n a", "date_published": "2026-05-03T00:00:00Z",
       "date_modified": "2026-05-03T00:00:01Z", "tags": [["deep"]]},
      {"id": 2, "url": null, "external_url": "/b", "title": 7},
      {"id": "https://example.org/c"},
      {"id": "4"}
    ], "next_url": "/2"}"#;
    let items = [
        item("https://example.org/a", "A a", Some(MAY), Some(MAY + 1000)),
        item("https://example.org/b", "", None, None),
        item("https://example.org/c", "", None, None),
    ];
    assert_eq!(read(json), (items.to_vec(), vec![Note::Unusable { count: 1, first: "4".to_owned() }]));
}

#[test]
fn the_address_behind_a_counter_is_the_page() {
    let rss = "<rss><channel><item><link>https://feeds.example/~r/x/~3/1/</link>\
        <feedburner:origLink>https://example.org/a</feedburner:origLink></item></channel></rss>";
    assert_eq!(read(rss).0, [item("https://example.org/a", "", None, None)]);
}

#[test]
fn items_before_a_break_are_read() {
    let rss = "<rss><channel><item><link>/a</link></item><item><link>/b</link><title>B</tit";
    let (items, notes) = read(rss);
    assert_eq!(items, [item("https://example.org/a", "", None, None), item("https://example.org/b", "", None, None)]);
    assert!(matches!(notes[..], [Note::Broken { at, .. }] if at > 40), "{notes:?}");

    let json = "{\"items\": [{\"url\": \"/a\"},\n{\"url\": \"/b\"}, {\"url\": \"/c\"";
    let (items, notes) = read(json);
    assert_eq!(items, [item("https://example.org/a", "", None, None), item("https://example.org/b", "", None, None)]);
    assert!(matches!(notes[..], [Note::Broken { at, .. }] if at as usize == json.len()), "{notes:?}");
}

#[test]
fn sloppy_markup_does_not_hide_what_follows() {
    let rss = "<rss><channel><item><description>a<br>b & c</description><title>A</title><link>/a</link></item>\
        <item><title>B</title><link>/b</link></item><item><link>/c</link><item><link>/d</link></item></channel></rss>";
    let (items, _) = read(rss);
    let urls: Vec<_> = items.iter().map(|item| item.url.trim_start_matches("https://example.org")).collect();
    assert_eq!(urls, ["/a", "/b", "/c", "/d"]);
}

#[test]
fn what_is_no_feed_is_told_by_name() {
    assert_eq!(error(""), "it is empty");
    assert_eq!(error("<!DOCTYPE html><html>"), "it is an HTML page, not a feed");
    assert_eq!(
        error("<html><body><form action='/login'><input name='p' TYPE=\"password\">"),
        "it is an HTML page that asks for a password, not a feed"
    );
    assert_eq!(error("<urlset></urlset>"), "it is XML, but no feed: its outermost element is \"urlset\"");
    assert_eq!(error("{\"a\": 1}"), "it is no feed: it begins with \"{\\\"a\\\": 1}\"");
    assert_eq!(error("{\"items\": 1}"), "it is no feed: it begins with \"{\\\"items\\\": 1}\"");
    assert_eq!(error("no feed"), "it is no feed: it begins with \"no feed\"");
}

#[test]
fn a_feed_has_limits() {
    let many = format!("<rss><channel>{}", "<item><link>/a</link></item>".repeat(MAX_FEED_ITEMS + 5));
    let (items, notes) = read(&many);
    assert_eq!((items.len(), notes), (MAX_FEED_ITEMS, vec![Note::TooManyItems]));
    let many = format!("{{\"items\": [{}{{}}]}}", "{\"url\":\"/a\"},".repeat(MAX_FEED_ITEMS + 5));
    let (items, notes) = read(&many);
    assert_eq!((items.len(), notes), (MAX_FEED_ITEMS, vec![Note::TooManyItems]));

    let long =
        format!("<rss><channel><item><title>{}</title><link>/a</link></item></channel></rss>", "ä ".repeat(50_000));
    let (items, _) = read(&long);
    assert!(items[0].title.len() <= 1024 && items[0].title.len() > 900, "{}", items[0].title.len());

    let nested = format!("{{\"items\": [{{\"url\": \"/a\", \"x\": {}", "[".repeat(100_000));
    assert!(matches!(read(&nested), (items, notes) if items.is_empty() && matches!(notes[..], [Note::Broken { .. }])));

    let bases =
        format!("<feed>{}<entry xml:base='b/'><link href='c'/></entry></feed>", "<channel xml:base='a/'>".repeat(100));
    assert!(read(&bases).0[0].url.len() < 100);
    let long =
        format!("<feed xml:base='/{}/'><entry xml:base='b/'><link href='c'/></entry></feed>", "a".repeat(20_000));
    assert_eq!(read(&long).0, [item("https://example.org/blog/b/c", "", None, None)]);
}

#[test]
fn noise_in_a_feed_is_no_trouble() {
    let rss = "<rss><channel><item xml:base='/x/'><title>T</title><link>a</link><pubDate>Sun, 03 May 2026 00:00:00 GMT\
        </pubDate></item><entry><link href='b'/><id>c</id></entry></channel></rss>";
    let json = r#"{"items":[{"url":"/a","title":"T","date_published":"2026-05-03T00:00:00Z"},{"url":"/b"}]}"#;
    let mut dice = Dice::new();
    for round in 0..1500 {
        let mut body = if round % 2 == 0 { rss } else { json }.as_bytes().to_vec();
        for _ in 0..=dice.below(5) {
            let (at, byte) = (dice.below(body.len()), dice.byte());
            body[at] = byte;
        }
        body.truncate(dice.below(body.len()) + 1);
        if let Ok(feed) = Feed::open(&body, None, &url()) {
            let found = feed.count();
            assert!(found <= 2, "{found} of {}", String::from_utf8_lossy(&body));
        }
    }
}
