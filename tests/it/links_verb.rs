//! Links held against what the crawl made of their targets, in every format, and the graph they make.

use std::collections::BTreeSet;

use crate::support::{Ended, Place, Reply, Site};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// Pages `/` and `/a` with links that lead to whatever there is.
fn site() -> Site {
    Site::new(|request| match request.path.as_str() {
        "/" => Reply::html(
            "<title>Start</title><a href=/a>to a</a> <a href=/gone>the old\n page</a> <a href=/moved>moved</a> \
             <a href=/lost>lost</a> <a href='/%7Eme' rel=nofollow>me</a> <a href='http://unknown.example/x'>elsewhere</a>",
        ),
        "/a" => Reply::html(
            "<title>A &lt;b></title><a href=/~me>also me</a> <a href=/gone#part>\u{202e}::error::&lt;gone&gt;\u{1b}[2J, 100%</a> \
             <a href=/private>secret</a> <a href=/cut>cut</a>",
        ),
        "/moved" => Reply::redirect(301, "/a"),
        "/lost" => Reply::redirect(302, "/gone"),
        "/~me" => Reply::page("me"),
        "/robots.txt" => Reply::bytes("text/plain", "User-agent: *\nDisallow: /private\n"),
        "/cut" => Reply::hang_up(),
        _ => Reply::status(404),
    })
}

const LISTED: [&str; 8] = ["/", "/a", "/gone", "/moved", "/lost", "/~me", "/private", "/cut"];

/// The site, crawled.
fn crawled() -> (Site, Place) {
    let (site, place) = (site(), Place::new());
    place.list("urls.txt", LISTED.map(|path| site.url(path)));
    place.obedient_crawl(&["urls.txt", "--retries", "0", "--host-failures", "0"]).run().expect(0);
    (site, place)
}

fn text(ended: &Ended) -> String {
    String::from_utf8(ended.stdout.clone()).expect("UTF-8")
}

fn links(place: &Place, arguments: &[&str]) -> Ended {
    place.seine(&["links", "crawl.db"]).args(arguments).run()
}

/// Target, state, status and error of each link, without the site's origin.
fn told(site: &Site, json: &Value) -> Vec<String> {
    let links = json["links"].as_array().expect("links");
    let line = |link: &Value| {
        let path = |name: &str| link[name].as_str().expect("a URL").replace(&site.url(""), "");
        format!("{} {} {} {} {}", path("from_url"), path("to_url"), link["state"], link["status"], link["error"])
            .replace('"', "")
    };
    links.iter().map(line).collect()
}

#[test]
fn every_link_is_told_with_what_became_of_its_target() {
    let (site, place) = crawled();
    let ended = links(&place, &["--format", "json"]).expect(0);
    let json = ended.json();
    let error = place.store().row("SELECT error FROM pages WHERE outcome = 'failed'");
    assert_eq!(
        told(&site, &json),
        [
            "/ /a ok 200 null",
            "/ /gone broken 404 null",
            "/ /moved ok 200 null",
            "/ /lost broken 404 null",
            "/ /%7Eme ok 200 null",
            "/ http://unknown.example/x unchecked null null",
            "/a /~me ok 200 null",
            "/a /gone broken 404 null",
            "/a /private unchecked null robots",
            &format!("/a /cut broken null {error}"),
        ]
    );
    let counts = json!({"links": 10, "ok": 4, "broken": 4, "unchecked": 2, "pages_with_broken": 2});
    assert_eq!(json["counts"], counts);
    let moved = &json["links"][2];
    assert_eq!((&moved["final_url"], &moved["outcome"]), (&site.url("/a").into(), &"ok".into()));
    assert_eq!((&json["links"][1]["text"], &json["links"][4]["rel"]), (&"the old page".into(), &"nofollow".into()));
    // A line for each says the same.
    let lines = text(&links(&place, &["--format", "jsonl"]).expect(0));
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    assert_eq!(json["links"].as_array(), Some(&lines));
    ended.says("4 of 10 links are broken, on 2 pages; 2 are unchecked");
}

#[test]
fn broken_links_make_the_exit_code_1_and_none_makes_it_0() {
    let (site, place) = crawled();
    let ended = links(&place, &["--broken"]).expect(1);
    let error = place.store().row("SELECT error FROM pages WHERE outcome = 'failed'");
    let expected = format!(
        "{start}\n  404             {gone}  \"the old page\"\n  404             {lost} -> {gone}  \"lost\"\n\n\
         {a}\n  404             {gone}  \"\u{fffd}::error::<gone>\u{fffd}[2J, 100%\"\n  {error:<14}  {cut}  \"cut\"\n\n\
         crawl.db: 4 of 10 links are broken, on 2 pages; 2 are unchecked\n",
        start = site.url("/"),
        a = site.url("/a"),
        gone = site.url("/gone"),
        lost = site.url("/lost"),
        cut = site.url("/cut"),
    );
    assert_eq!(text(&ended), expected);
    assert_eq!(ended.stderr, "", "the summary is told once");
    let broken = |arguments: &[&str]| links(&place, &[&["--broken", "--quiet"], arguments].concat());
    broken(&["--accept", "404"]).expect(1);
    broken(&["--accept", "400-499", "--where", "to_url NOT LIKE '%/cut'"]).expect(0);
    broken(&["--from", &site.url("/a"), "--where", "text LIKE 'also%'"]).expect(0);
    // What was not asked for is not broken, but can be listed beside it.
    let ended = links(&place, &["--broken", "--unchecked", "--format", "json", "-q"]).expect(1);
    assert_eq!((told(&site, &ended.json()).len(), &*ended.stderr), (6, ""));
    let unchecked = links(&place, &["--unchecked", "--format", "json"]).expect(0).json();
    assert_eq!(unchecked["links"].as_array().map(Vec::len), Some(2));
    assert_eq!(unchecked["counts"]["links"], 10);
}

/// A site whose start page links to another host, and on its own host to a page that the crawl was not to ask for.
fn site_that_links_out() -> (Site, Place) {
    let site = Site::with_hosts(2, |request| match request.path.as_str() {
        "/" => Reply::html(format!(
            "<a href=/logout>out</a> <a href={0}/there>there</a> <a href={0}/gone>gone</a> <a href={0}/gone#part>again</a> \
             <a href={0}/private>private</a> <a href={0}/moved>moved</a> <a href={0}/cut>cut</a>",
            request.url_at(1, "")
        )),
        "/there" => Reply::bytes("image/png", vec![7; 300_000]),
        "/moved" => Reply::redirect(302, "/gone"),
        "/cut" => Reply::hang_up(),
        "/robots.txt" => Reply::bytes("text/plain", "User-agent: *\nDisallow: /private\n"),
        "/logout" => Reply::page("out"),
        _ => Reply::status(404).body("none"),
    });
    let place = Place::new();
    place.list("urls.txt", [site.url("/")]);
    place.obedient_crawl(&["urls.txt"]).run().expect(0);
    place.write("quick.toml", "retries = 0\nhost_failures = 0\ndelay = 0\n");
    (site, place)
}

#[test]
fn targets_on_other_hosts_are_asked_for_once_in_a_while() {
    let (site, place) = site_that_links_out();
    let ask = |arguments: &[&str]| {
        let base = ["--broken", "--unchecked", "--external", "--config", "quick.toml", "--format", "json"];
        links(&place, &[&base, arguments].concat())
    };
    let out = |path: &str| site.url_at(1, path);
    let before = place.store().rows("SELECT * FROM pages");
    let json = ask(&[]).expect(1).says("5 targets on other hosts; answers go to crawl.external.db").json();
    let told = told(&site, &json);
    assert_eq!(
        told[..4],
        [
            "/ /logout unchecked null null".to_owned(),
            format!("/ {} broken 404 null", out("/gone")),
            format!("/ {} unchecked null robots", out("/private")),
            format!("/ {} broken 404 null", out("/moved")),
        ]
    );
    assert!(told[4].starts_with(&format!("/ {} broken null ", out("/cut"))), "{}", told[4]);
    let counts = json!({"links": 6, "ok": 1, "broken": 3, "unchecked": 2, "pages_with_broken": 1});
    assert_eq!(json["counts"], counts);
    assert_eq!((site.hits_of("/logout"), site.hits_of("/there"), site.hits_of("/private")), (0, 1, 0));
    assert_eq!(place.store().rows("SELECT * FROM pages"), before, "the crawl itself stays what it was");

    // What was answered today is not asked for again, unless that is wanted.
    let hits = site.count();
    assert_eq!(ask(&[]).expect(1).json()["links"], json["links"]);
    assert_eq!(site.count(), hits);
    ask(&["--max-age", "0"]).expect(1);
    assert_eq!(site.hits_of("/there"), 2);

    // Without --external nothing is said of them.
    links(&place, &["--broken"]).expect(0);
    links(&place, &["--external", "-o", "crawl.external.db"])
        .expect(2)
        .says("belongs to the store of external targets");
}

#[test]
fn a_check_that_is_stopped_says_so_and_goes_on() {
    let (site, place) = site_that_links_out();
    place.write("slow.toml", "retries = 0\nhost_failures = 0\ndelay = '30s'\n");
    let check = |config: &str| place.seine(&["links", "crawl.db", "--broken", "--external", "--config", config]);
    let running = check("slow.toml").start();
    site.wait_for_hits(3);
    running.signal(Signal::SIGINT);
    let ended = running.wait().expect(130);
    assert_eq!(text(&ended), "", "of half a check nothing is told");
    check("quick.toml").run().expect(1);
    assert_eq!((site.hits_of("/there"), site.hits_of("/gone")), (1, 2));
}

#[test]
fn links_to_a_page_are_found_however_they_are_written() {
    let (site, place) = crawled();
    let who = |url: &str| told(&site, &links(&place, &["--to", url, "--format", "json"]).expect(0).json());
    let both = ["/ /%7Eme ok 200 null", "/a /~me ok 200 null"];
    assert_eq!(who(&site.url("/~me")), both);
    assert_eq!(who(&site.url("/%7eme#top")), both);
    assert_eq!(who("http://unknown.example/x"), ["/ http://unknown.example/x unchecked null null"]);
    assert_eq!(who(&site.url("/nobody")), [""; 0]);
    let from = links(&place, &["--from", &site.url("/a"), "--format", "json"]).expect(0).json();
    assert_eq!(told(&site, &from).len(), 4);
    // A page that redirects led to has its links once, unless it is asked for by such a URL.
    let from = links(&place, &["--from", &site.url("/moved"), "--format", "json"]).expect(0).json();
    assert_eq!(told(&site, &from).len(), 4);
    let both = links(&place, &["--from", &site.url("/a"), "--to", &site.url("/gone"), "--broken"]).expect(1);
    assert!(text(&both).ends_with("crawl.db: 1 of 1 link is broken, on 1 page\n"), "{}", text(&both));
}

#[test]
fn texts_of_sites_are_texts_in_every_format() {
    let (site, place) = crawled();
    let github = text(&links(&place, &["--broken", "--format", "github"]).expect(1));
    assert_eq!(github.lines().count(), 4);
    let expected = format!(
        "::error title=broken link%3A 404::{} links to {} (\"\u{fffd}::error::<gone>\u{fffd}[2J, 100%25\"): 404",
        site.url("/a"),
        site.url("/gone")
    );
    assert_eq!(github.lines().nth(2), Some(&*expected));

    links(&place, &["--broken", "--unchecked", "--format", "junit", "-o", "broken.xml"]).expect(1);
    let junit = std::fs::read_to_string(place.path("broken.xml")).expect("a file");
    let suites = elements(&junit, "testsuite");
    let numbers: Vec<_> = suites.iter().map(|suite| [1, 2, 4].map(|at| suite[at].1.clone())).collect();
    assert_eq!(numbers, [["3", "2", "1"], ["3", "2", "1"]], "{junit}");
    assert_eq!(elements(&junit, "testcase").len(), 6);
    let failures = elements(&junit, "failure");
    assert_eq!(failures[0], [("type".into(), "http_error".into()), ("message".into(), "404".into())]);

    let csv = text(&links(&place, &["--broken", "--format", "csv"]).expect(1));
    assert!(csv.starts_with("from_url,to_url,text,rel,"), "{csv}");
    assert!(csv.lines().next().is_some_and(|head| head.ends_with(",state,outcome,status,error,final_url")), "{csv}");
    assert_eq!(csv.matches(",broken,http_error,404,,").count(), 3, "{csv}");
}

#[test]
fn a_suite_without_a_broken_link_passes() {
    let (_site, place) = crawled();
    let ended = links(&place, &["--broken", "--where", "text = 'to a'", "--format", "junit"]).expect(0);
    let junit = text(&ended);
    let cases = elements(&junit, "testcase");
    assert_eq!(cases[0][1].1, "none of 1 checked links is broken", "{junit}");
    assert!(elements(&junit, "failure").is_empty());
}

#[test]
fn mistakes_are_told_and_leave_no_file() {
    let (_site, place) = crawled();
    let usage = |arguments: &[&str], says: &str| {
        let ended = links(&place, arguments).expect(2);
        assert!(ended.stdout.is_empty());
        ended.says(says);
    };
    usage(&["--format", "junit"], "for --broken");
    usage(&["--from", "https://elsewhere.example/"], "is not in the store");
    usage(&["--to", "elsewhere"], "is no URL");
    usage(&["--where", "TRUE) OR (TRUE"], "links");
    usage(&["--where", "colour = 1"], "colour");
    usage(&["--accept", "4xx"], "a status of three digits");
    usage(&["-o", "crawl.db"], "belongs to the store");
    usage(&["--spreadsheet-safe"], "is for csv");
    usage(&["--broken", "-o", "nowhere/links.csv"], "cannot write");
    place.seine(&["links", "none.db"]).run().expect(2).says("no crawl store");
    // Whoever reads the pipe may stop.
    place.seine(&["links", "crawl.db"]).under(&["sh", "-c", "\"$@\" | head -n 1", "sh"]).run().expect(0);
}

#[test]
fn the_graph_has_every_page_and_declares_nodes_before_their_links() {
    let (site, place) = crawled();
    place.seine(&["export", "crawl.db", "-o", "site.graphml", "--quiet"]).run().expect(0);
    let graph = std::fs::read_to_string(place.path("site.graphml")).expect("a file");
    let (mut nodes, mut edges) = (BTreeSet::new(), 0);
    let id = |element: &[(String, String)], name: &str| {
        element.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).expect("an attribute")
    };
    for (name, attributes) in all_elements(&graph) {
        match &*name {
            "node" => assert!(nodes.insert(id(&attributes, "id")), "a node twice: {attributes:?}"),
            "edge" => {
                assert!(nodes.contains(&id(&attributes, "source")) && nodes.contains(&id(&attributes, "target")));
                edges += 1;
            }
            _ => {}
        }
    }
    assert_eq!((nodes.len(), edges), (LISTED.len() + 1, 14), "{graph}");
    let keys: BTreeSet<_> = elements(&graph, "key").iter().map(|key| id(key, "id")).collect();
    let used: BTreeSet<_> = elements(&graph, "data").iter().map(|data| id(data, "key")).collect();
    assert!(used.is_subset(&keys) && used.contains("link_text") && used.contains("status"), "{used:?} {keys:?}");
    assert!(graph.contains("<data key=\"title\">A &lt;b&gt;</data>"), "{graph}");
    assert!(graph.contains(&format!("<data key=\"url\">{}</data>", site.url("/gone"))), "{graph}");
    // Edges can be chosen, and the file packed.
    let args = ["export", "crawl.db", "--table", "links", "--where", "rel = 'nofollow'", "--format", "graphml"];
    let chosen = text(&place.seine(&args).run().expect(0));
    assert_eq!((elements(&chosen, "edge").len(), elements(&chosen, "node").len()), (1, LISTED.len()));
    for (arguments, says) in [
        (&["--table", "pages", "--format", "graphml"][..], "is for links"),
        (&["--format", "graphml", "--columns", "text"], "no meaning for graphml"),
        (&["--format", "graphml", "-o", "graphs/"], "a graph is one file"),
    ] {
        place.seine(&["export", "crawl.db"]).args(arguments).run().expect(2).says(says);
    }
}

type Attributes = Vec<(String, String)>;

/// Every element of a document that has to be well-formed, with its attributes in their order.
fn all_elements(xml: &str) -> Vec<(String, Attributes)> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(xml);
    let mut found = Vec::new();
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{error}:\n{xml}")) {
            Event::Start(element) | Event::Empty(element) => {
                let attributes = element.attributes().map(|attribute| {
                    let attribute = attribute.expect("an attribute");
                    (attribute.key.as_ref().to_owned(), attribute.value.into_owned())
                });
                found.push((element.name().as_ref().to_owned(), attributes.collect()));
            }
            Event::Eof => return found,
            _ => {}
        }
    }
}

/// The attributes of those called `name`.
fn elements(xml: &str, name: &str) -> Vec<Attributes> {
    all_elements(xml).into_iter().filter(|(own, _)| own == name).map(|(_, attributes)| attributes).collect()
}

#[test]
fn places_within_pages_are_looked_for_in_stored_pages() {
    let site = Site::new(|request| match request.path.as_str() {
        "/" => Reply::html(
            "<title>a</title><h2 id=here>x</h2><a href=#here>1</a><a href=#nowhere>2</a><a href=/b#in>3</a>\
             <a href=/b#out>4</a><a href=/c#out>5</a><a href=/gone#x>6</a><a href=/moved#in>7</a><a href=/b#!/route>8</a>",
        ),
        "/b" => Reply::html("<a name=in>x</a><a href=/#h%65re>1</a><a href='/?#here'>2</a>"),
        "/c" => Reply::bytes("text/plain", "no page of places"),
        "/moved" => Reply::redirect(301, "/b"),
        _ => Reply::status(404),
    });
    let place = Place::new();
    place.list("urls.txt", ["/", "/b", "/c", "/gone", "/moved"].map(|path| site.url(path)));
    place.crawl(&["urls.txt"]).run().expect(0);
    let ended = links(&place, &["--broken", "--anchors", "--format", "json"]).expect(1);
    let json = ended.json();
    assert_eq!(
        told(&site, &json),
        ["/ /gone broken 404 null", "/ /#nowhere broken null no_anchor", "/ /b#out broken null no_anchor"]
    );
    // Links without their fragments, then those to places: two of them are missing, four are there.
    let links_alone = links(&place, &["--broken", "--format", "json"]).expect(1).json();
    let count = |json: &Value, name: &str| json["counts"][name].as_u64().expect("a count");
    let more = |name: &str| count(&json, name) - count(&links_alone, name);
    assert_eq!(["links", "ok", "broken", "unchecked", "pages_with_broken"].map(more), [6, 4, 2, 0, 0]);
    let junit = text(&links(&place, &["--broken", "--anchors", "--format", "junit"]).expect(1));
    assert_eq!(elements(&junit, "failure").len(), 3, "{junit}");
    let usage = |arguments: &[&str]| drop(links(&place, arguments).expect(2));
    usage(&["--anchors"]);
    usage(&["--anchors", "--broken", "--to", "https://a.example/"]);
}

#[test]
fn a_missing_place_is_reason_enough_for_the_exit_code_1() {
    let site = Site::new(|_| Reply::html("<a href=#nowhere>x</a><a href=#TOP>y</a>"));
    let place = Place::new();
    place.list("urls.txt", [site.url("/")]);
    place.crawl(&["urls.txt"]).run().expect(0);
    links(&place, &["--broken"]).expect(0);
    let told = text(&links(&place, &["--broken", "--anchors"]).expect(1));
    let expected =
        format!("{0}\n  no_anchor       {0}#nowhere\n\ncrawl.db: 1 of 3 links is broken, on 1 page\n", site.url("/"));
    assert_eq!(told, expected);
}
