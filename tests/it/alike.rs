//! What brings nothing new: pages that say nearly the same, pages that are not there, mirrors, links without end.

use crate::support::{Place, Reply, Request, Site};

const ARTICLES: usize = 30;

/// So many words, the same for the same number.
fn prose(number: usize, words: usize) -> String {
    let word = |at: usize| (number * 1009 + at).wrapping_mul(0x9E37_79B9).rotate_right(16) % 2000;
    (0..words).map(|at| format!("word{} ", word(at))).collect()
}

fn article(number: usize, frame: bool) -> Reply {
    let navigation = if frame { "<nav>start contents recent changes random page help</nav>" } else { "" };
    let next = (number + 1) % ARTICLES;
    let links = format!(
        "<a href='/wiki/{next}'>next</a> <a href='/wiki/{number}?printable=yes'>print</a> <a href='/wiki/{number}?action=edit'>edit</a>"
    );
    let links = if frame { links } else { String::new() };
    Reply::html(format!(
        "<title>Article {number}</title>{navigation}<h1>Article {number}</h1><p>{}</p>{links}",
        prose(number, 150)
    ))
}

/// A wiki: each article has a form for printing, a form for editing that nobody may see, and links that lead on for ever. A
/// second host has the same articles.
fn wiki() -> Site {
    Site::with_hosts(2, |request: &Request| {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let number = path.rsplit('/').next().and_then(|number| number.parse().ok());
        match (path, query, number) {
            ("/", ..) => Reply::html(
                "<title>Wiki</title><a href=/wiki/0>start</a><a href=/wiki/none>none</a><a href=/gone>gone</a>",
            ),
            ("/wiki/none", ..) => {
                Reply::html("<title>Page not found - Wiki</title><h1>Page not found</h1><p>There is nothing here yet.")
            }
            ("/gone", ..) => Reply::status(404).header("Content-Type", "text/html").body(no_such_page()),
            (_, "action=edit", Some(_)) => Reply::html(no_such_page()),
            (_, "", Some(number)) if number < ARTICLES => article(number, true),
            (_, "printable=yes", Some(number)) if number < ARTICLES => article(number, false),
            _ => Reply::status(500),
        }
    })
}

/// What the host says of what it has not: with status 404, or with 200 by mistake.
fn no_such_page() -> String {
    format!("<title>Wiki</title><h1>Log in</h1><p>{}", prose(1000, 60))
}

#[test]
fn pages_that_bring_nothing_new_are_counted_and_named() {
    let (site, place) = (wiki(), Place::new());
    place.list("urls.txt", [site.url_at(0, "/"), site.url_at(1, "/")]);
    let ended = place.crawl(&["urls.txt", "--delay", "0", "--follow", "--near-duplicates"]).run().expect(0);
    let both = 2 * ARTICLES as i64;
    for said in [
        format!("near-duplicates: {} (the view near_duplicates)", 2 * both - 2),
        format!("soft 404s: {} (soft_404 in the view pages", both + 2),
        "mirror: 92 of 92 pages of".to_owned(),
    ] {
        assert!(ended.stderr.contains(&said), "{said} is not in\n{}", ended.stderr);
    }
    let store = place.store();
    let printable = "SELECT count(*) FROM near_duplicates WHERE url = of_url || '?printable=yes' AND distance = 0";
    assert_eq!(store.number(printable), both, "the others are forms for editing");
    assert_eq!(store.number("SELECT count(*) FROM near_duplicates WHERE url LIKE '%action=edit'"), both - 2);
    assert_eq!(store.rows("SELECT soft_404, count(*) FROM pages GROUP BY 1"), ["-|124", "like_404|60", "says_so|2"]);

    // A soft 404 is no error, unless it is said that it is one.
    let broken = |flags: &[&str]| {
        let ended = place.seine(&["links", "crawl.db", "--broken", "--format", "jsonl"]).args(flags).run().expect(1);
        String::from_utf8(ended.stdout).expect("text").lines().count()
    };
    assert_eq!((broken(&[]), broken(&["--soft"])), (2, 2 + 62));
    let json = place.seine(&["status", "crawl.db", "--json"]).run().expect(0).json();
    let alike = &json["alike"];
    assert_eq!((alike["near_duplicates"].as_i64(), alike["soft_404"].as_i64()), (Some(2 * both - 2), Some(62)));
    assert_eq!(
        (alike["mirrors"][0]["same"].as_u64(), alike["nothing_new"].as_array().map(Vec::len)),
        (Some(92), Some(0))
    );
    place.seine(&["report", "crawl.db", "-o", "site.html"]).run().expect(0);
    let page = std::fs::read_to_string(place.path("site.html")).expect("a page");
    for part in
        ["Nearly the same page <span class=\"count\">118 pages", "Not there, with status 200", "<h3>Mirrors</h3>"]
    {
        assert!(page.contains(part), "{part} is not in the report");
    }
    crate::report::assert_closed(&page);
}

#[test]
fn without_the_switch_no_words_are_compared_and_what_costs_nothing_is_found() {
    let (site, place) = (wiki(), Place::new());
    place.list("urls.txt", [site.url_at(0, "/")]);
    let ended = place.crawl(&["urls.txt", "--delay", "0", "--follow", "--json"]).run().expect(0);
    let alike = &ended.json()["alike"];
    // The forms for editing have the bytes of the answer with 404.
    assert_eq!((alike["near_duplicates"].as_i64(), alike["soft_404"].as_i64()), (Some(0), Some(1 + ARTICLES as i64)));
    // With it later, pages that have not changed are read once more.
    let again = place.crawl(&["urls.txt", "--delay", "0", "--follow", "--near-duplicates", "--json"]).run().expect(0);
    assert_eq!(again.json()["alike"]["near_duplicates"].as_i64(), Some(2 * ARTICLES as i64 - 1));
}

/// A site of 20 pages that differ, and of links without end that lead to one text.
fn endless() -> Site {
    Site::new(|request| {
        let number = request.number();
        match request.path.as_str() {
            "/" => {
                let links: String = (1..=20).map(|number| format!("<a href=/page/{number}>{number}</a>")).collect();
                Reply::html(format!("<title>start</title>{links}<a href=/all/1>all</a>"))
            }
            path if path.starts_with("/page/") => {
                Reply::html(format!("<title>{number}</title><p>{}", prose(number, 80)))
            }
            path if path.starts_with("/all/") => {
                let next = number + 1;
                Reply::html(format!("<title>all</title><p>{} <a href=/all/{next}>{next}</a>", prose(5000, 80)))
            }
            _ => Reply::status(404),
        }
    })
}

#[test]
fn a_host_is_left_where_its_pages_bring_nothing_new_whoever_is_killed() {
    let site = endless();
    let mut sets = Vec::new();
    for kills in [0, 4] {
        let place = Place::new();
        place.list("urls.txt", [site.url("/")]);
        let crawl = || place.crawl(&["urls.txt", "--delay", "0", "--follow", "--nothing-new", "40"]);
        let before = site.count();
        for kill in 0..kills {
            let running = crawl().start();
            site.wait_for_hits(before + 24 + 6 * kill);
            running.kill_supervisor();
        }
        let ended = crawl().run().expect(0);
        assert!(ended.stderr.contains("1 nothing_new"), "{}", ended.stderr);
        let store = place.store();
        store.assert_sound();
        assert_eq!(
            store.row("SELECT error, error_message FROM pages WHERE outcome = 'skipped'"),
            "trap|trap:nothing_new"
        );
        assert_eq!(store.number("SELECT count(*) FROM pages WHERE url LIKE '%/page/%' AND outcome = 'ok'"), 20);
        sets.push(store.number("SELECT count(*) FROM pages WHERE url LIKE '%/all/%' AND outcome = 'ok'"));
    }
    // The first has the text; forty more bring nothing new, and some were fetched before the last page that did.
    assert!(sets.iter().all(|pages| (41..=61).contains(pages)), "{sets:?}");
}

#[test]
fn links_lead_on_for_ever_if_that_is_allowed_and_the_summary_names_the_host() {
    let site = Site::new(|request| match request.path.as_str() {
        "/" => {
            let links: String = (1..=1200).map(|number| format!("<a href=/all/{number}>{number}</a>")).collect();
            Reply::html(format!("<title>start</title>{links}"))
        }
        _ => Reply::html(format!("<title>{}</title><p>{}", request.path, prose(5000, 80))),
    });
    let place = Place::new();
    place.list("urls.txt", [site.url("/")]);
    let allowed = ["--near-duplicates", "--nothing-new", "20", "--allow-trap", "nothing_new"];
    let ended = place.crawl(&["urls.txt", "--delay", "0", "--follow"]).args(&allowed).run().expect(0);
    let host = site.url("/").trim_start_matches("http://").split(':').next().unwrap_or_default().to_owned();
    let said = format!("nothing new: the last 1,199 pages of {host} say what others said");
    assert!(ended.stderr.contains(&said), "{said} is not in\n{}", ended.stderr);
    place.crawl(&["urls.txt", "--nothing-new", "5"]).run().expect(2).says("add --follow");
    place.crawl(&["urls.txt", "--follow", "--nothing-new", "0"]).run().expect(2).says("at least 1");
}
