//! What sites answer, and what of it is in the store.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use crate::support::{Dice, Place, Reply, Site};

#[test]
fn a_page_has_its_fields_its_links_and_its_charset() {
    let (place, site) = (
        Place::new(),
        Site::new(|request| match request.path.as_str() {
            "/utf8" => Reply::html(
                "<!doctype html><html lang=de><head><title> Grüße \n aus  K&ouml;ln </title>\
                 <meta name=description content='Eine Seite.'><link rel=canonical href='/kanon'></head>\
                 <body><h1>Große <b>Überschrift</b></h1><a href='../x?y=1#z' rel=nofollow>ein <i>Link</i></a>\
                 <a href='mailto:me@example.com'>kein Link</a></body></html>",
            ),
            "/latin" => Reply::bytes("text/html; charset=iso-8859-1", b"<title>caf\xe9</title>".to_vec()),
            "/sniffed" => Reply::status(200).body("<!doctype html><title>no content type</title>"),
            "/meta" => Reply::bytes(
                "text/html",
                b"<meta charset=windows-1251><title>\xcf\xf0\xe8\xe2\xe5\xf2</title>".to_vec(),
            ),
            _ => Reply::html(""),
        }),
    );
    place.list("urls.txt", ["/utf8", "/latin", "/sniffed", "/meta", "/empty"].map(|path| site.url(path)));
    place.crawl(&["urls.txt"]).run().expect(0);
    let store = place.store();
    assert_eq!(
        store.row("SELECT title, h1, description, canonical, lang, charset FROM pages WHERE url LIKE '%/utf8'"),
        format!("Grüße aus Köln|Große Überschrift|Eine Seite.|{}|de|UTF-8", site.url("/kanon"))
    );
    assert_eq!(
        store.rows("SELECT from_url, to_url, text, rel FROM links"),
        [format!("{}|{}|ein Link|nofollow", site.url("/utf8"), site.url("/x?y=1"))]
    );
    assert_eq!(
        store.rows("SELECT title, charset, content_type FROM pages WHERE url NOT LIKE '%/utf8' ORDER BY url"),
        [
            "-|UTF-8|text/html; charset=utf-8"
                .replace("UTF-8", &store.row("SELECT charset FROM pages WHERE url LIKE '%/empty'")),
            "café|windows-1252|text/html; charset=iso-8859-1".to_owned(),
            "Привет|windows-1251|text/html".to_owned(),
            format!("no content type|{}|-", store.row("SELECT charset FROM pages WHERE url LIKE '%/sniffed'")),
        ]
    );
    assert_eq!(
        store.row("SELECT outcome, status, body_bytes, body_hash FROM pages WHERE url LIKE '%/empty'"),
        "ok|200|-|-"
    );
    store.assert_sound();
}

#[test]
fn what_is_no_html_is_stored_but_not_parsed() {
    let (place, site) = (
        Place::new(),
        Site::new(|request| {
            let kind = match request.path.as_str() {
                "/json" => "application/json",
                "/text" => "text/plain",
                "/picture" => "image/png",
                _ => "application/octet-stream",
            };
            Reply::bytes(kind, "<html><title>not a title</title><a href=/x>not a link</a>")
        }),
    );
    place.list("urls.txt", ["/json", "/text", "/picture", "/bytes"].map(|path| site.url(path)));
    place.crawl(&["urls.txt"]).run().expect(0);
    let store = place.store();
    assert_eq!(store.number("SELECT count(*) FROM pages WHERE outcome = 'ok' AND title IS NULL AND body_bytes > 0"), 4);
    assert_eq!(store.number("SELECT count(*) FROM links"), 0);
    assert_eq!(store.number("SELECT count(*) FROM body"), 1, "the same bytes are kept once");
}

#[test]
fn cat_gives_back_every_body_byte_for_byte() {
    let mut dice = Dice::new();
    let bodies = [
        ("/text", b"line\r\nline\n\0end".to_vec()),
        ("/every-byte", (0..=255).collect()),
        ("/noise", dice.noise(300_000)),
        ("/zeros", vec![0; 2_000_000]),
    ];
    let served = bodies.clone();
    let site = Site::new(move |request| {
        let found = served.iter().find(|(path, _)| *path == request.path);
        found.map_or(Reply::status(404).body("gone\n"), |(_, body)| {
            Reply::bytes("application/octet-stream", body.clone())
        })
    });
    let place = Place::new();
    place.list("urls.txt", bodies.iter().map(|(path, _)| site.url(path)).chain([site.url("/missing")]));
    place.crawl(&["urls.txt"]).run().expect(0);
    for (path, body) in &bodies {
        let ended = place.seine(&["cat", "crawl.db", &site.url(path)]).run().expect(0);
        assert!(ended.stdout == *body, "{path} came back different");
        assert_eq!(ended.stderr, "");
    }
    assert_eq!(place.seine(&["cat", "crawl.db", &site.url("/missing")]).run().expect(0).stdout, b"gone\n");
    place.seine(&["cat", "crawl.db", &site.url("/never-listed")]).run().expect(2).says("not in this store");
    place.seine(&["cat", "nothing.db", &site.url("/text")]).run().expect(2).says("no crawl store");
    assert!(!place.path("nothing.db").exists());
}

#[test]
fn bodies_are_kept_once_or_not_at_all_as_asked() {
    let (place, site) =
        (Place::new(), Site::new(|request| Reply::page(if request.number() < 8 { "same" } else { "other" })));
    place.list("urls.txt", site.urls(10));
    place.crawl(&["urls.txt"]).run().expect(0);
    assert_eq!(place.store().row("SELECT count(*), count(zstd) FROM body"), "2|2");

    place.crawl(&["urls.txt", "--db", "lean.db", "--no-store-bodies"]).run().expect(0);
    let lean = crate::support::Store::open(&place.path("lean.db"));
    assert_eq!(lean.row("SELECT count(*), count(zstd) FROM body"), "2|0");
    assert_eq!(
        lean.number("SELECT count(*) FROM pages WHERE title IS NOT NULL AND body_bytes > 0 AND body_hash IS NOT NULL"),
        10
    );
    place.seine(&["cat", "lean.db", &site.url("/1")]).run().expect(2).says("--no-store-bodies");
}

#[test]
fn redirects_are_followed_on_one_host_and_across_hosts_and_their_chain_is_kept() {
    let (place, site) = (
        Place::new(),
        Site::with_hosts(3, |request| match (request.host, request.path.as_str()) {
            (0, "/same") => Reply::redirect(302, "/same/2"),
            (0, "/same/2") => Reply::redirect(301, "end?of=it"),
            (0, "/across") => Reply::redirect(307, request.url_at(1, "/across/1")),
            (1, "/across/1") => Reply::redirect(308, request.url_at(2, "/across/2")),
            (2, "/across/2") => Reply::redirect(303, request.url_at(0, "/home")),
            (1, "/to-error") => Reply::redirect(302, request.url_at(2, "/404")),
            (2, "/404") => Reply::status(404).body("no"),
            (1, "/no-location") => Reply::status(302).body("a 302 without a target is an answer"),
            _ => Reply::page(&format!("host {} {}", request.host, request.path)),
        }),
    );
    place.list(
        "urls.txt",
        [site.url("/same"), site.url("/across"), site.url_at(1, "/to-error"), site.url_at(1, "/no-location")],
    );
    place.crawl(&["urls.txt", "--allow-private"]).run().expect(0);
    let store = place.store();
    let found = store.rows("SELECT url, final_url, outcome, status, title, redirects FROM pages ORDER BY input_line");
    let at = |host, path: &str| site.url_at(host, path);
    let expected = [
        format!(
            "{}|{}|ok|200|host 0 /same/end?of=it|[[\"{}\",302],[\"{}\",301]]",
            at(0, "/same"),
            at(0, "/same/end?of=it"),
            at(0, "/same"),
            at(0, "/same/2")
        ),
        format!(
            "{}|{}|ok|200|host 0 /home|[[\"{}\",307],[\"{}\",308],[\"{}\",303]]",
            at(0, "/across"),
            at(0, "/home"),
            at(0, "/across"),
            at(1, "/across/1"),
            at(2, "/across/2")
        ),
        format!("{}|{}|http_error|404|-|[[\"{}\",302]]", at(1, "/to-error"), at(2, "/404"), at(1, "/to-error")),
        format!("{0}|{0}|http_error|302|-|-", at(1, "/no-location")),
    ];
    assert_eq!(found, expected);
    assert_eq!(site.count(), 10);
    store.assert_sound();
}

#[test]
fn a_redirect_that_takes_its_time_is_followed_all_the_same() {
    // Longer than an idle host is remembered by its fetcher: delay and a second.
    let slow = Duration::from_millis(1_500);
    let (place, site) = (
        Place::new(),
        Site::new(move |request| match request.path.as_str() {
            "/slow" => Reply::redirect(302, "/end").after(slow),
            path => Reply::page(path),
        }),
    );
    place.list("urls.txt", [site.url("/slow")]);
    place.crawl(&["urls.txt", "--delay", "1ms"]).run().expect(0);
    assert_eq!(place.store().row("SELECT outcome, title FROM pages"), "ok|/end");
}

#[test]
fn a_retry_behind_a_redirect_keeps_its_chain_and_sends_no_secret_to_the_other_site() {
    let (place, site) = (
        Place::new(),
        Site::with_hosts(2, |request| match (request.host, request.path.as_str(), request.nth) {
            (0, "/in", _) => Reply::redirect(302, request.url_at(1, "/out")),
            (1, "/out", 1) => Reply::status(503),
            _ if request.headers.get("authorization").is_some_and(|value| value.contains("swordfish")) => {
                Reply::page("it was told the secret")
            }
            _ => Reply::page("it knows nothing"),
        }),
    );
    place.list("urls.txt", [site.url_at(0, "/in"), site.url_at(0, "/listed")]);
    place.crawl(&["urls.txt", "--allow-private", "--header", "Authorization: Bearer swordfish"]).run().expect(0);
    assert_eq!(
        place.store().rows("SELECT title, final_url, attempts FROM pages ORDER BY input_line"),
        [
            format!("it knows nothing|{}|2", site.url_at(1, "/out")),
            format!("it was told the secret|{}|1", site.url_at(0, "/listed"))
        ]
    );
}

#[test]
fn redirects_end_in_a_record_when_they_lead_nowhere() {
    let (place, site) = (
        Place::new(),
        Site::with_hosts(2, |request| match request.path.as_str() {
            "/self" => Reply::redirect(302, "/self#other"),
            "/ping" => Reply::redirect(302, request.url_at(1, "/pong")),
            "/pong" => Reply::redirect(302, request.url_at(0, "/ping")),
            "/mail" => Reply::redirect(302, "mailto:me@example.com"),
            "/secret" => Reply::redirect(302, "http://user:secret@127.0.0.1/"),
            path if path.starts_with("/count/") && request.number() > 0 => {
                Reply::redirect(302, request.url_at(request.number() % 2, &format!("/count/{}", request.number() - 1)))
            }
            path => Reply::page(path),
        }),
    );
    let listed = ["/self", "/ping", "/mail", "/secret", "/count/3", "/count/4"];
    place.list("urls.txt", listed.map(|path| site.url(path)));
    place.crawl(&["urls.txt", "--max-redirects", "3", "--retries", "0", "--allow-private"]).run().expect(0);
    let store = place.store();
    assert_eq!(
        store.rows("SELECT outcome, error, status FROM pages ORDER BY input_line"),
        [
            "failed|redirect_loop|302",
            "failed|redirect_loop|302",
            "failed|protocol|302",
            "failed|protocol|302",
            "ok|-|200",
            "failed|too_many_redirects|302",
        ]
    );
    assert_eq!(site.count(), 1 + 2 + 1 + 1 + 4 + 4);
    store.assert_sound();
}

#[test]
fn every_way_to_fail_has_its_class() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let plain = listener.local_addr().expect("a bound socket has an address");
    let no_tls = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the crawl comes");
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nthis is no TLS\r\n");
    });
    let closed =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("loopback is there");
    let (place, site) = (
        Place::new(),
        Site::new(|request| match request.path.as_str() {
            "/timeout" => Reply::page("late").held(),
            "/reset" => Reply::reset(),
            "/hang-up" => Reply::hang_up(),
            "/truncated" => Reply::page("cut").cut_after(20),
            "/no-http" => Reply::raw("SSH-2.0-OpenSSH_9.6\r\n"),
            "/announced" => Reply::bytes("text/plain", vec![b'x'; 70_000]),
            "/unannounced" => {
                let mut raw = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n".to_vec();
                raw.resize(70_000, b'x');
                Reply::raw(raw)
            }
            "/exactly" => Reply::bytes("text/plain", vec![b'x'; 65_536]),
            "/no-gzip" => Reply::page("plain").header("Content-Encoding", "gzip"),
            "/503" => Reply::status(503).body("later"),
            _ => Reply::status(404).body("no"),
        }),
    );
    let paths = ["/timeout", "/reset", "/hang-up", "/truncated", "/no-http", "/announced", "/unannounced", "/exactly"];
    let more = ["/no-gzip", "/503", "/404"];
    let mut urls: Vec<_> = paths.iter().chain(&more).map(|path| site.url(path)).collect();
    urls.push(format!("http://{closed}/refused"));
    urls.push(format!("https://{plain}/tls"));
    place.list("urls.txt", urls);
    let arguments = ["urls.txt", "--retries", "0", "--timeout", "1s", "--max-body", "64KiB"];
    let ended = place.crawl(&arguments).args(&["--host-concurrency", "16", "--json"]).run().expect(0);
    let store = place.store();
    assert_eq!(
        store.rows("SELECT outcome, error, status FROM pages ORDER BY input_line"),
        [
            "failed|timeout|-",
            "failed|reset|-",
            "failed|reset|-",
            "failed|truncated|-",
            "failed|protocol|-",
            "failed|too_large|-",
            "failed|too_large|-",
            "ok|-|200",
            "failed|encoding|-",
            "http_error|-|503",
            "http_error|-|404",
            "failed|connect|-",
            "failed|tls|-",
        ]
    );
    assert_eq!(store.number("SELECT count(*) FROM pages WHERE error IS NOT NULL AND length(error_message) < 10"), 0);
    assert_eq!(ended.json()["errors"]["http_404"], 1);
    assert_eq!(ended.json()["errors"]["reset"], 2);
    no_tls.join().expect("it was asked");
    store.assert_sound();
}

#[test]
fn what_may_pass_is_tried_again_and_what_may_not_is_asked_once() {
    let (place, site) = (
        Place::new(),
        Site::new(|request| match (request.path.as_str(), request.nth) {
            ("/once", 1) => Reply::status(503),
            ("/torn", 1) => Reply::page("torn").cut_after(4),
            ("/always", _) => Reply::status(500).body("still broken"),
            ("/wait", 1) => Reply::status(429).header("Retry-After", "2"),
            ("/gone", _) => Reply::status(410),
            (path, _) => Reply::page(path),
        }),
    );
    place.list("urls.txt", ["/once", "/torn", "/always", "/wait", "/gone"].map(|path| site.url(path)));
    let ended = place.crawl(&["urls.txt", "--retries", "1", "--json"]).run().expect(0);
    let store = place.store();
    assert_eq!(
        store.rows("SELECT outcome, status, attempts, error FROM pages ORDER BY input_line"),
        ["ok|200|2|-", "ok|200|2|-", "http_error|500|2|-", "ok|200|2|-", "http_error|410|1|-"]
    );
    assert_eq!(ended.json()["retries"], 4);
    assert_eq!(site.count(), 9);
    let waits: Vec<_> = site.hits().into_iter().filter(|hit| hit.path == "/wait").map(|hit| hit.at).collect();
    assert!(waits[1] - waits[0] >= Duration::from_millis(1900), "Retry-After was not obeyed");
    store.assert_sound();
}

#[test]
fn what_a_request_says_is_what_was_asked_for() {
    let (place, site) = (
        Place::new(),
        Site::new(|request| {
            let header = |name: &str| request.headers.get(name).cloned().unwrap_or_default();
            Reply::page(&format!("{}|{}|{}", header("user-agent"), header("x-key"), header("referer")))
        }),
    );
    place.list("urls.txt", [site.url("/a")]);
    let arguments = ["urls.txt", "--user-agent", "me/1.0", "--header", "X-Key: swordfish"];
    let ended = place.crawl(&arguments).run().expect(0);
    let store = place.store();
    assert_eq!(store.row("SELECT title FROM pages"), "me/1.0|swordfish|");
    assert!(!ended.stderr.contains("swordfish"));
    assert_eq!(
        store.number("SELECT count(*) FROM runs WHERE config LIKE '%swordfish%'"),
        0,
        "secrets stay out of the store"
    );
}
