//! What is around a crawl: a config to begin with, a copy, words in pages, an export at the end, shells and man pages.

use std::fs;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use crate::support::{Place, Reply, Site, Store};
use seine_testkit::eventually;

const SHOP: &str = "<html><head><title>Lamps</title><script type=\"application/ld+json\">\
                    {\"@type\": \"Product\", \"name\": \"Fresnel lamp\"}</script></head><body><article>\
                    <h1>Lamps</h1><p>A Fresnel lens lamp of brass, which throws its light far over the sea on a clear night, \
                    and is not heavy at all for what it is.</p></article></body></html>";

fn shop() -> Site {
    Site::new(|request| match request.path.as_str() {
        "/robots.txt" => Reply::bytes("text/plain", "User-agent: *\nDisallow: /private\nSitemap: /sitemap.xml\n"),
        "/lamps" => Reply::bytes("text/html", SHOP),
        "/broken" => Reply::status(500),
        path => Reply::page(path),
    })
}

#[test]
fn a_config_is_written_for_a_site_and_never_over_another() {
    let (place, site) = (Place::new(), shop());
    place.seine(&["init", &site.url("/lamps")]).run().expect(0).says("seine crawl -c seine.toml");
    let config = fs::read_to_string(place.path("seine.toml")).unwrap();
    for part in [
        &site.url("/lamps"),
        "calls itself: Lamps",
        "1 rules are about seine",
        "\nsitemap = [",
        "name = \"product_data\"",
    ] {
        assert!(config.contains(part), "{part:?} is not in:\n{config}");
    }
    place.seine(&["init"]).run().expect(2).says("seine.toml is there already");
    assert_eq!(fs::read_to_string(place.path("seine.toml")).unwrap(), config);
    place.seine(&["init", &site.url("/private/x"), "-o", "private.toml"]).run().expect(0).says("does not allow");
    assert!(site.hits().iter().all(|hit| hit.path != "/private/x"));
    let asked = site.count();
    place.seine(&["init", &site.url("/"), "-o", "offline.toml", "--offline"]).run().expect(0);
    assert_eq!(site.count(), asked);
    place.seine(&["init", "nonsense"]).run().expect(2);
}

#[test]
fn a_config_of_init_crawls_its_site() {
    let (place, site) = (Place::new(), shop());
    place.seine(&["init", &site.url("/lamps")]).run().expect(0);
    place.obedient_crawl(&["-c", "seine.toml", "--db", "crawl.db"]).run().expect(0);
    let store = place.store();
    assert_eq!(store.row("SELECT name FROM product_data"), "Fresnel lamp");
    assert!(store.row("SELECT text FROM pages WHERE url LIKE '%/lamps'").contains("brass"));
}

#[test]
fn a_backup_beside_a_running_crawl_is_a_whole_store_and_replaces_nothing_unasked() {
    let place = Place::new();
    let site = Site::new(|request| match request.path.as_str() {
        "/held" => Reply::page("held").held(),
        path => Reply::page(path),
    });
    place.list("urls.txt", [site.url("/a"), site.url("/b"), site.url("/held")]);
    let crawl = place.crawl(&["urls.txt"]).start();
    let committed = || {
        Store::try_open(&place.db()).is_ok_and(|store| {
            store.0.query_row("SELECT count(*) FROM page", [], |row| row.get::<_, i64>(0)).is_ok_and(|pages| pages == 2)
        })
    };
    eventually("two pages that are committed", committed);
    place.seine(&["backup", "crawl.db", "copy.db"]).beside().run().expect(0).says("crawl.db copied to copy.db");
    site.release();
    crawl.wait().expect(0);
    let copy = Store::open(&place.path("copy.db"));
    copy.assert_sound();
    assert_eq!(copy.number("SELECT count(*) FROM pages"), 2);
    assert_eq!(place.store().number("SELECT count(*) FROM pages"), 3);
    drop(copy);

    let before = fs::read(place.path("copy.db")).unwrap();
    place.seine(&["backup", "crawl.db", "copy.db"]).run().expect(2).says("--force replaces it");
    assert_eq!(fs::read(place.path("copy.db")).unwrap(), before);
    for log in ["copy.db-wal", "copy.db-shm"] {
        let _ = fs::remove_file(place.path(log));
    }
    let json = place.seine(&["backup", "crawl.db", "copy.db", "--force", "--json"]).run().expect(0).json();
    assert_eq!(json["bytes"], fs::metadata(place.path("copy.db")).unwrap().len());
    assert_eq!(Store::open(&place.path("copy.db")).number("SELECT count(*) FROM pages"), 3);
    // The copy is a store like any other: the same command goes on with it.
    place.crawl(&["urls.txt", "--db", "copy.db", "--only", "new"]).run().expect(0);
    place.seine(&["backup", "crawl.db", "crawl.db"]).run().expect(2).says("belongs to the store");
    place.seine(&["backup", "none.db", "x.db"]).run().expect(2).says("no crawl store at none.db");
    let left = fs::read_dir(place.path("."))
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().contains("partial"));
    assert_eq!(left.count(), 0);
}

#[test]
fn words_are_found_in_pages_as_they_are_now() {
    let (place, site) = (Place::new(), shop());
    place.list("urls.txt", [site.url("/lamps"), site.url("/broken"), site.url("/other")]);
    place.crawl(&["urls.txt", "--text"]).run().expect(0);
    let ended = place.seine(&["search", "crawl.db", "fresnel", "sea", "--json"]).run().expect(0);
    let hit = ended.json();
    assert_eq!((hit["url"].as_str(), hit["title"].as_str()), (Some(&*site.url("/lamps")), Some("Lamps")));
    assert!(hit["snippet"].as_str().unwrap().contains("light far over the sea"), "{hit}");
    assert!(place.path("crawl.db.search").exists());
    let again = place.seine(&["search", "crawl.db", "\"lens lamp\""]).run().expect(0);
    let text = String::from_utf8(again.stdout).unwrap();
    assert!(text.starts_with(&site.url("/lamps")) && !text.contains(['\u{2}', '\u{3}']), "{text}");
    // Nothing was read again.
    assert_eq!(again.stderr, "");
    place.seine(&["search", "crawl.db", "fresnel -brass"]).run().expect(1).says("no page of crawl.db has that");
    place.seine(&["search", "crawl.db", "--", "-brass"]).run().expect(2).says("no word to look for");
    place.seine(&["search", "none.db", "brass"]).run().expect(2).says("no crawl store");
    place.seine(&["audit", "crawl.db"]).run().expect(0);
}

#[test]
fn a_complete_crawl_is_exported_and_one_that_is_not_is_not() {
    let (place, site) = (Place::new(), shop());
    place.list("urls.txt", [site.url("/lamps"), site.url("/other")]);
    place.crawl(&["urls.txt", "-o", "pages.parquet", "--limit", "1"]).run().expect(3);
    assert!(!place.path("pages.parquet").exists());
    place.crawl(&["urls.txt", "-o", "pages.parquet"]).run().expect(0).says("2 rows in pages.parquet");
    assert!(fs::read(place.path("pages.parquet")).unwrap().starts_with(b"PAR1"));
    place.write("rules.toml", "[[collection]]\nname = 'lamps'\n[collection.fields]\nname = { jsonld = '$..name' }\n");
    place.crawl(&["urls.txt", "-o", "out/", "-c", "rules.toml"]).run().expect(0);
    let lamps = fs::read_to_string(place.path("out/lamps.csv")).unwrap();
    assert!(lamps.contains("Fresnel lamp") && place.path("out/pages.csv").exists(), "{lamps}");
    let asked = site.count();
    place.crawl(&["urls.txt", "-o", "pages.docx"]).run().expect(2).says("no format is called docx");
    place.crawl(&["urls.txt", "-o", "-"]).run().expect(2).says("names a file or a folder");
    place.crawl(&["urls.txt", "-o", "crawl.db"]).run().expect(2).says("belongs to the store");
    assert_eq!(site.count(), asked, "a mistake is told before anybody is asked");
}

/// What a shell is told that asks for completions of `words`, the last of which is being typed.
fn completed(place: &Place, words: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_seine"))
        .current_dir(place.path("."))
        .env("SEINE_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", words.len().to_string())
        .env("_CLAP_COMPLETE_COMP_TYPE", "9")
        .env("_CLAP_COMPLETE_SPACE", "true")
        .env("_CLAP_IFS", "\n")
        .args(["--", "seine"])
        .args(words)
        .stdin(Stdio::null())
        .output()
        .expect("seine can be started");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn shells_complete_verbs_flags_formats_and_the_tables_of_a_store() {
    let (place, site) = (Place::new(), shop());
    place.list("urls.txt", [site.url("/lamps")]);
    place.write("rules.toml", "[[collection]]\nname = 'lamps'\n[collection.fields]\nname = { jsonld = '$..name' }\n");
    place.crawl(&["urls.txt", "-c", "rules.toml", "--db", "shop.db"]).run().expect(0);
    assert_eq!(completed(&place, &["expo"]), ["export"]);
    assert!(completed(&place, &["crawl", "--url-"]).contains(&"--url-column".to_owned()));
    assert_eq!(completed(&place, &["export", "--format", "par"]), ["parquet"]);
    assert_eq!(completed(&place, &["export", "shop.db", "--table", "la"]), ["lamps"]);
    assert_eq!(completed(&place, &["export", "--db", "shop.db", "--table", "la"]), ["lamps"]);
    assert_eq!(completed(&place, &["diff", "shop.db", "--collection", ""]), ["lamps"]);
    assert!(completed(&place, &["export", "--table", "la"]).is_empty(), "crawl.db is not there");
    assert_eq!(completed(&place, &["export", "--table", "field"]), ["field_rates"]);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = String::from_utf8(place.seine(&["completions", shell]).run().expect(0).stdout).unwrap();
        assert!(script.contains("SEINE_COMPLETE") && !script.contains("target/debug"), "{script}");
        if crate::support::crawl::is_permitted(shell, &["-c", "true"]) {
            place.write("script", script);
            let status = Command::new(shell).arg("-n").arg(place.path("script")).status().expect("it is there");
            assert!(status.success(), "{shell} does not understand its script");
        }
    }
}

#[test]
fn every_verb_has_a_man_page_that_man_can_show() {
    let place = Place::new();
    place.seine(&["man", "man/man1"]).run().expect(0);
    let help = String::from_utf8(place.seine(&["--help"]).run().expect(0).stdout).unwrap();
    let (_, verbs) = help.split_once("Commands:\n").unwrap();
    let verbs = verbs
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let verbs: Vec<_> =
        verbs.map(|line| line.split_whitespace().next().unwrap()).filter(|verb| *verb != "help").collect();
    assert!(verbs.len() > 20, "{verbs:?}");
    for verb in &verbs {
        let page =
            fs::read_to_string(place.path(&format!("man/man1/seine-{verb}.1"))).unwrap_or_else(|_| panic!("{verb}"));
        assert!(page.contains(".SH SYNOPSIS"), "{verb}");
    }
    assert_eq!(fs::read_dir(place.path("man/man1")).unwrap().count(), verbs.len() + 1);
    if crate::support::crawl::is_permitted("groff", &["--version"]) {
        let output = Command::new("groff")
            .args(["-man", "-Tutf8", "-ww"])
            .arg(place.path("man/man1/seine-crawl.1"))
            .output()
            .unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn the_version_is_short_or_long() {
    let place = Place::new();
    let says = |flag: &str| String::from_utf8(place.seine(&[flag]).run().expect(0).stdout).unwrap();
    let short = says("-V");
    assert_eq!(short, format!("seine {}\n", env!("CARGO_PKG_VERSION")));
    let long = says("--version");
    assert!(long.starts_with(&short) && long.contains(&format!("SQLite {}", rusqlite::version())), "{long}");
}

#[test]
fn a_backup_that_is_interrupted_leaves_nothing() {
    let place = Place::new();
    let site = shop();
    place.list("urls.txt", [site.url("/lamps")]);
    place.crawl(&["urls.txt"]).run().expect(0);
    // Held while it is made: into a folder of its own, so that whatever is left would be seen.
    fs::create_dir(place.path("copies")).unwrap();
    let backup = place.seine(&["backup", "crawl.db", "copies/a.db"]).start();
    backup.signal(Signal::SIGTERM);
    let ended = backup.wait();
    let names: Vec<_> = fs::read_dir(place.path("copies")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    match (ended.code, ended.signal) {
        (Some(0), None) => assert_eq!(names, ["a.db"]),
        (Some(143), None) | (None, Some(15)) => assert!(names.is_empty(), "{names:?}"),
        other => panic!("{other:?}: {}", ended.stderr),
    }
}
