//! Sitemaps as sites have them, and as nobody should.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use seine_testkit::Dice;

use super::*;
use crate::text::MAX_PIECE_BYTES;

fn url() -> Url {
    Url::parse("https://example.org/maps/sitemap.xml").expect("a URL")
}

fn read(body: impl AsRef<[u8]>) -> (Vec<Entry>, Vec<Note>) {
    let url = url();
    let mut sitemap = Sitemap::open(body.as_ref(), None, &url).expect("a sitemap");
    let entries: Vec<_> = sitemap.by_ref().collect();
    assert_eq!(sitemap.next(), None, "the end stays the end");
    (entries, sitemap.notes().to_vec())
}

fn error(body: impl AsRef<[u8]>) -> String {
    match Sitemap::open(body.as_ref(), None, &url()) {
        Ok(_) => panic!("read as a sitemap: {}", String::from_utf8_lossy(body.as_ref())),
        Err(error) => error.to_string(),
    }
}

fn page(url: &str, lastmod: Option<i64>) -> Entry {
    Entry::Page(Page { url: url.to_owned(), lastmod, lastmod_until: lastmod, extras: Vec::new() })
}

/// A page that changed on a day.
fn page_of_day(url: &str, ms: i64) -> Entry {
    Entry::Page(Page { url: url.to_owned(), lastmod: Some(ms), lastmod_until: Some(ms + DAY), extras: Vec::new() })
}

fn urls(entries: &[Entry]) -> Vec<&str> {
    let url = |entry| match entry {
        &Entry::Page(Page { ref url, .. }) | &Entry::Sitemap(Child { ref url, .. }) => url.as_str(),
    };
    entries.iter().map(url).collect()
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).expect("memory");
    encoder.finish().expect("memory")
}

/// 2026-05-03T00:00:00Z.
const MAY: i64 = 1_777_766_400_000;

/// From the first to the last moment of a day, in milliseconds.
const DAY: i64 = 86_399_999;

#[test]
fn a_sitemap_names_pages_with_their_dates() {
    let (entries, notes) = read(
        r#"<?xml version="1.0" encoding="UTF-8"?>
        <?xml-stylesheet type="text/xsl" href="/style.xsl"?>
        <urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
          <!-- made by somebody -->
          <url><loc>https://example.org/</loc><lastmod>2026-05-03</lastmod><changefreq>daily</changefreq></url>
          <url>
            <loc>
              https://example.org/a?b=1&amp;c=2#d
            </loc>
            <lastmod>2026-05-03T02:00:00+02:00</lastmod>
            <priority>0.8</priority>
          </url>
          <url><lastmod>yesterday</lastmod><loc><![CDATA[https://example.org/x?y=1&z=2]]></loc></url>
        </urlset>"#,
    );
    let pages = [
        page_of_day("https://example.org/", MAY),
        page("https://example.org/a?b=1&c=2", Some(MAY)),
        page("https://example.org/x?y=1&z=2", None),
    ];
    assert_eq!(entries, pages);
    assert_eq!(notes, []);
}

#[test]
fn an_index_names_sitemaps() {
    let index = "<sitemapindex xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>\
        <sitemap><loc>https://example.org/maps/1.xml.gz</loc><lastmod>2026-05-03</lastmod></sitemap>\
        <sitemap><loc>/2.xml</loc></sitemap></sitemapindex>";
    let child = |url: &str, lastmod: Option<i64>| {
        Entry::Sitemap(Child { url: url.to_owned(), lastmod, lastmod_until: lastmod.map(|ms| ms + DAY) })
    };
    let children = [child("https://example.org/maps/1.xml.gz", Some(MAY)), child("https://example.org/2.xml", None)];
    assert_eq!(read(index), (children.to_vec(), vec![]));
    assert_eq!(Sitemap::open(index.as_bytes(), None, &url()).map(|sitemap| sitemap.kind()), Ok(Kind::Index));
}

#[test]
fn images_videos_news_and_languages_are_extra_links() {
    let (entries, notes) = read(
        r#"<urlset xmlns:image="http://www.google.com/schemas/sitemap-image/1.1" xmlns:xhtml="http://www.w3.org/1999/xhtml">
          <url>
            <loc>https://example.org/a</loc>
            <image:image><image:loc>https://cdn.example/1.jpg</image:loc><image:title>One</image:title></image:image>
            <image:image><image:loc>/2.jpg</image:loc></image:image>
            <video:video>
              <video:thumbnail_loc>https://cdn.example/t.jpg</video:thumbnail_loc>
              <video:content_loc>https://cdn.example/v.mp4</video:content_loc>
              <video:publication_date>2020-01-01</video:publication_date>
              <video:uploader info="https://example.org/u">U</video:uploader>
            </video:video>
            <news:news><news:publication_date>2026-05-03</news:publication_date><news:title>N</news:title></news:news>
            <xhtml:link rel="alternate" hreflang="de" href="https://example.org/de/a?x=1&amp;y=2"/>
            <xhtml:link rel='alternate' hreflang='x-default' href='/a'></xhtml:link>
            <xhtml:link rel="canonical" href="/no"/>
          </url>
          <url><loc>https://example.org/b</loc></url>
        </urlset>"#,
    );
    let extra = |kind, url: &str| Extra { kind, url: url.to_owned() };
    let extras = vec![
        extra(ExtraKind::Image, "https://cdn.example/1.jpg"),
        extra(ExtraKind::Image, "https://example.org/2.jpg"),
        extra(ExtraKind::Video, "https://cdn.example/t.jpg"),
        extra(ExtraKind::Video, "https://cdn.example/v.mp4"),
        extra(ExtraKind::Alternate, "https://example.org/de/a?x=1&y=2"),
        extra(ExtraKind::Alternate, "https://example.org/a"),
    ];
    let first = Entry::Page(Page {
        url: "https://example.org/a".to_owned(),
        lastmod: Some(MAY),
        lastmod_until: Some(MAY + DAY),
        extras,
    });
    assert_eq!(entries, [first, page("https://example.org/b", None)]);
    assert_eq!(notes, []);
}

#[test]
fn a_text_has_one_url_a_line() {
    let text = "\u{feff}https://example.org/a\r\n\n  https://example.org/b \n# a comment\nnot a url \u{1}\nhttps://example.org/c";
    let (entries, notes) = read(text);
    assert_eq!(urls(&entries), ["https://example.org/a", "https://example.org/b", "https://example.org/c"]);
    assert_eq!(notes, [Note::Unusable { count: 1, first: "not a url \u{1}".to_owned() }]);
}

#[test]
fn a_feed_is_a_sitemap() {
    let rss = "<rss version='2.0'><channel><link>https://example.org/</link><item><link>https://example.org/a</link>\
        <pubDate>Sun, 03 May 2026 00:00:00 GMT</pubDate></item></channel></rss>";
    assert_eq!(read(rss), (vec![page("https://example.org/a", Some(MAY))], vec![]));
    let atom = "<feed xmlns='http://www.w3.org/2005/Atom'><entry><link href='/b'/><updated>2026-05-03</updated>\
        <published>2020-01-01</published></entry></feed>";
    assert_eq!(read(atom), (vec![page("https://example.org/b", Some(MAY))], vec![]));
    let json = br#"{"version":"https://jsonfeed.org/version/1.1","items":[{"url":"/c"}]}"#;
    assert_eq!(read(json), (vec![page("https://example.org/c", None)], vec![]));
}

#[test]
fn what_sites_have_wrong_is_read_as_it_was_meant() {
    let (entries, notes) = read(
        "Warning: something in /var/www/sitemap.php on line 3\n<?xml version='1.0'?>\n\
         <URLSET><URL><LOC>https://example.org/a?b=1&c=2&d</LOC></URL>\
         <sm:url><sm:loc>page.html</sm:loc></sm:url>\
         <url><loc>//example.org/b</loc>\
         <url><loc>https://example.org/c&nbsp;&eacute;</loc></url>\
         <url><image:image><image:loc>/i.png</image:loc></url><url><loc>https://example.org/d</loc></url>\
         <url></url></URLSET>",
    );
    assert_eq!(
        urls(&entries),
        [
            "https://example.org/a?b=1&c=2&d",
            "https://example.org/maps/page.html",
            "https://example.org/b",
            "https://example.org/c%C2%A0%C3%A9",
            "https://example.org/d",
        ]
    );
    assert_eq!(notes, [Note::Unusable { count: 2, first: String::new() }]);
}

#[test]
fn other_charsets_are_read() {
    let latin: Vec<u8> =
        "<?xml version='1.0' encoding='iso-8859-1'?><urlset><url><loc>https://example.org/ä</loc></url></urlset>"
            .chars()
            .map(|c| c as u8)
            .collect();
    let wide = "<?xml version='1.0' encoding='utf-16'?><urlset><url><loc>https://example.org/ä</loc></url></urlset>";
    let wide: Vec<u8> = [0xFEFF].into_iter().chain(wide.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    for body in [latin, wide] {
        assert_eq!(read(&body), (vec![page("https://example.org/%C3%A4", None)], vec![]));
        assert_eq!(read(gzip(&body)), (vec![page("https://example.org/%C3%A4", None)], vec![]));
    }
}

#[test]
fn a_broken_sitemap_is_read_as_far_as_it_goes() {
    let start = "<urlset><url><loc>https://example.org/a</loc></url><url><loc>https://example.org/b</loc></url>";
    let broken_at = |rest: &str| {
        let (entries, notes) = read(format!("{start}{rest}"));
        assert_eq!(urls(&entries)[..2], ["https://example.org/a", "https://example.org/b"], "{rest}");
        assert_eq!(entries.len(), 2, "{rest}");
        match &notes[..] {
            [Note::Broken { at, problem }] => (usize::try_from(*at).expect("small"), problem.clone()),
            notes => panic!("{rest}: {notes:?}"),
        }
    };
    assert_eq!(broken_at(""), (start.len(), "its end is missing".to_owned()));
    let cut = "<url><loc>https://example.org/c";
    assert_eq!(broken_at(cut), (start.len() + cut.len(), "its end is missing".to_owned()));
    let (at, _) = broken_at("<url><loc>https://example.org/c</lo");
    assert!(at >= start.len(), "{at}");
    let (at, _) = broken_at("<!-- no end <url><loc>https://example.org/c</loc></url></urlset>");
    assert!(at >= start.len(), "{at}");
}

#[test]
fn an_entry_without_its_end_counts_if_its_url_is_whole() {
    let (entries, notes) = read("<urlset><url><loc>https://example.org/a</loc><lastmod>2026-05-0");
    assert_eq!(entries, [page("https://example.org/a", None)]);
    assert!(matches!(notes[..], [Note::Broken { .. }]), "{notes:?}");
}

#[test]
fn a_gzip_file_that_is_cut_gives_what_it_has() {
    let all: String =
        (0..20_000).map(|n: u64| format!("<url><loc>https://example.org/{:x}</loc></url>", n.pow(3))).collect();
    let whole = gzip(format!("<urlset>{all}</urlset>").as_bytes());
    let (entries, notes) = read(&whole[..whole.len() / 2]);
    assert!(entries.len() > 5_000, "{}", entries.len());
    assert!(matches!(&notes[..], [Note::Broken { .. }]), "{notes:?}");
    assert!(error(b"\x1F\x8B\x08\x00garbage").starts_with("it is a gzip file that cannot be unpacked: "));
}

#[test]
fn what_is_no_sitemap_is_told_by_name() {
    assert_eq!(error(""), "it is empty");
    assert_eq!(error(" \n\t"), "it is empty");
    assert_eq!(error("<!DOCTYPE html><html><title>Not found"), "it is an HTML page, not a sitemap");
    assert_eq!(error("<html><body><urlset></urlset>"), "it is an HTML page, not a sitemap");
    assert_eq!(
        error("\n<!doctype HTML PUBLIC '-//W3C//DTD XHTML 1.0//EN' ''><html><form><input type=password>"),
        "it is an HTML page that asks for a password, not a sitemap"
    );
    assert_eq!(error("<svg/>"), "it is XML, but no sitemap: its outermost element is \"svg\"");
    assert_eq!(error("404 not found"), "it is no sitemap: it begins with \"404 not found\"");
    assert_eq!(error("{\"error\": 1}"), "it is no feed: it begins with \"{\\\"error\\\": 1}\"");
    assert_eq!(error(b"\x89PNG\r\n\x1A\n\0\0"), "it is no sitemap: it begins with \"‰PNG\\r\\n\\u{1a}\\n\\0\\0\"");
    assert_eq!(error("<"), "it is no sitemap: it begins with \"<\"");
}

#[test]
fn urls_that_cannot_be_crawled_are_counted() {
    let (entries, notes) = read(format!(
        "<urlset><url><loc>ftp://example.org/</loc></url><url><loc>https://me:pw@example.org/</loc></url>\
         <url><loc>https://example.org/a\u{0}b</loc></url><url><loc>https://example.org/{}</loc></url>\
         <url><loc>https://example.org/ok</loc><image:image><image:loc>data:image/png,x</image:loc></image:image></url>\
         </urlset>",
        "x".repeat(17_000)
    ));
    assert_eq!(entries, [page("https://example.org/ok", None)]);
    assert_eq!(notes, [Note::Unusable { count: 5, first: "ftp://example.org/".to_owned() }]);
}

#[test]
fn entities_do_not_grow() {
    let bomb = "<!DOCTYPE urlset [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">\
        <!ENTITY c SYSTEM \"file:///etc/passwd\">]>\
        <urlset><url><loc>https://example.org/&b;&c;</loc></url></urlset>";
    assert_eq!(urls(&read(bomb).0), ["https://example.org/&b;&c;"]);
}

#[test]
fn depth_and_size_have_limits() {
    let deep = format!("<urlset><url><loc>https://example.org/a</loc></url>{}", "<a>".repeat(2_000_000));
    let (entries, notes) = read(&deep);
    assert_eq!(entries, [page("https://example.org/a", None)]);
    assert!(matches!(&notes[..], [Note::Broken { problem, .. }] if problem.contains("elements are open")), "{notes:?}");

    let long =
        format!("<urlset><url><loc>https://example.org/a</loc></url><url><loc>{}", "a".repeat(2 * MAX_PIECE_BYTES));
    let (entries, notes) = read(&long);
    assert_eq!(entries, [page("https://example.org/a", None)]);
    assert!(matches!(&notes[..], [Note::Broken { problem, .. }] if problem.contains("4 MiB")), "{notes:?}");

    let images = "<image:image><image:loc>/i</image:loc></image:image>".repeat(MAX_EXTRAS + 10);
    let (entries, _) = read(format!("<urlset><url><loc>/a</loc>{images}</url></urlset>"));
    assert!(matches!(&entries[..], [Entry::Page(page)] if page.extras.len() == MAX_EXTRAS));
}

#[test]
fn more_urls_than_the_protocol_allows_are_read_and_noted() {
    let all: String = (0..=MAX_SITEMAP_URLS).map(|n| format!("<url><loc>/{n}</loc></url>")).collect();
    let (entries, notes) = read(format!("<urlset>{all}</urlset>"));
    assert_eq!((entries.len() as u64, notes), (MAX_SITEMAP_URLS + 1, vec![Note::TooManyUrls]));
}

#[test]
fn what_is_too_long_is_read_to_the_limit() {
    let base = url();
    let xml = format!("<urlset>{}</urlset>", "<url><loc>https://example.org/a</loc></url>".repeat(1000));
    let text = "https://example.org/a\n".repeat(1000);
    for (body, bytes) in [(gzip(xml.as_bytes()), xml.len()), (gzip(text.as_bytes()), text.len())] {
        let limited = |limit| {
            let mut sitemap = Sitemap::open_within(&body, None, &base, limit as u64).expect("a sitemap");
            let entries: Vec<_> = sitemap.by_ref().collect();
            assert!(entries.iter().all(|entry| *entry == page("https://example.org/a", None)), "half a URL is another");
            (entries.len(), sitemap.notes().to_vec())
        };
        assert_eq!(limited(bytes), (1000, vec![]));
        let (read, notes) = limited(bytes / 2 + 5);
        assert!((490..=500).contains(&read) && notes == [Note::TooLong], "{read}: {notes:?}");
    }
}

#[test]
fn noise_in_a_sitemap_is_no_trouble() {
    let whole = "<urlset><url><loc>https://example.org/a</loc><lastmod>2026-05-03</lastmod>\
        <image:image><image:loc>/i</image:loc></image:image></url></urlset>"
        .repeat(3);
    let mut dice = Dice::new();
    for _ in 0..1000 {
        let mut body = whole.clone().into_bytes();
        for _ in 0..=dice.below(5) {
            let (at, byte) = (dice.below(body.len()), dice.byte());
            body[at] = byte;
        }
        body.truncate(dice.below(body.len()) + 1);
        if let Ok(sitemap) = Sitemap::open(&body, None, &url()) {
            let found = sitemap.count();
            assert!(found <= 6, "{found} of {}", String::from_utf8_lossy(&body));
        }
    }
}

#[test]
fn a_url_is_placed_by_host_and_directory() {
    let place =
        |sitemap: &str, url: &str| locate(&Url::parse(sitemap).expect("a URL"), &Url::parse(url).expect("a URL"));
    let sitemap = "https://example.org/catalog/sitemap.xml";
    for (url, expected) in [
        ("https://example.org/catalog/show?id=1", Place::Below),
        ("http://example.org:8080/catalog/", Place::Below),
        ("https://example.org/image/a.png", Place::SameHost),
        ("https://example.org/catalogue/", Place::SameHost),
        ("https://www.example.org/catalog/a", Place::OtherHost),
        ("https://example.com/catalog/a", Place::OtherHost),
    ] {
        assert_eq!(place(sitemap, url), expected, "{url}");
    }
    assert_eq!(place("https://example.org/sitemap.xml", "https://example.org/a/b"), Place::Below);
}

#[test]
fn a_line_of_robots_txt_is_a_url() {
    let robots = Url::parse("https://example.org/robots.txt").expect("a URL");
    assert_eq!(of_robots(&robots, " https://cdn.example/s.xml ").as_deref(), Some("https://cdn.example/s.xml"));
    assert_eq!(of_robots(&robots, "/sitemap.xml").as_deref(), Some("https://example.org/sitemap.xml"));
    assert_eq!(of_robots(&robots, "ftp://example.org/sitemap.xml"), None);
    assert_eq!(of_robots(&robots, ""), None);
}
