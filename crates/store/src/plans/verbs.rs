//! Every verb's work on a small store, so that all its statements are seen: a crawl and what may happen to it, crawls of
//! the same lists, and all that reads or changes a store afterwards.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::beginning::Beginning;
use crate::follow::{Follow, FoundCounts, StoredLinks};
use crate::insert::{Again, ListFile, Only, Session, Store};
use crate::order::{self, Budget};
use crate::processed::Wanted;
use crate::reextract::Rework;
use crate::revisit::Revisit;
use crate::rows::{Filter, Order, SelectError, Selection, Snapshot};
use crate::tables::{TABLES, Table};
use crate::versions::Keep;
use crate::{
    StoreError, archive, audit, backup, beginning, body, collections, diff, drift, examples, fill, guard, health, life,
    links, open_for_reading, open_for_writing, processed, read, report, retry, search, told, versions,
};
use seine_core::protocol::processing::{Failed, Input, Processed};
use seine_core::protocol::{
    BodyHead, EndedBy, Ending, Found, ImportEntry, ImportUrl, PageFields, PageHead, Place, Position, Pull, RequestHead,
    RequestKind, RobotsHead, Sweep, UrlKind, Validators,
};
use seine_core::record::items::{
    Collection, Excess, Field, FieldCount, FieldType, Item, PageExtras, PageItems, Problem, ProblemKind, item_key,
};
use seine_core::record::{CrawlUrl, ErrorClass, Failure, HttpVersion, KeyKind, Outcome, UrlId, url_key};

/// A condition of a user's, over `pages`.
const CONDITION: &str = "status = 200";

/// Does everything once; the store is left at `path`.
pub fn run_all(path: &Path) {
    first_crawl(path);
    extract(path, None, true);
    edited_lists(path);
    followed(path);
    ordered(path);
    repeating(path);
    fetched_again(path);
    taken_back(path);
    looked_at(path);
    extract(path, None, false);
    extract(path, Some(CONDITION), true);
    process(path);
    retry_and_prune(path);
    super::merging::merged(path);
}

pub(crate) fn first_crawl(path: &Path) {
    let mut store = open(path, Only::New, "1");
    store.tidy_at_once();
    import(
        &mut store,
        &[line(1, "https://a.example/1"), line(2, "https://a.example/2"), line(3, "https://b.example/3")],
    );
    import(&mut store, &[line(4, "https://a.example/4#x"), line(5, "https://a.example/4"), line(6, "nonsense")]);
    import(
        &mut store,
        &[line(7, "https://c.example/7"), line(8, "https://c.example/8"), line(9, "https://a.example/9")],
    );
    let archived = ImportEntry { archived_at: Some(7), ..line(10, "https://d.example/10") };
    import(&mut store, std::slice::from_ref(&archived));
    import(&mut store, &[ImportEntry { archived_at: Some(9), ..archived }]);
    store.transaction(|store| store.import_end(0, 10)).expect("the end of a list");
    pull(&mut store);
    store.line_of(1).expect("a page as a line");
    store.recheck(&[1, 6, 999]).expect("what became of URLs");
    store.transaction(|store| store.robots(&robots(), b"x")).expect("a robots.txt");
    store.origin("https://a.example").expect("what is known of an origin");

    let failure = Failure::new(ErrorClass::Timeout, "no answer");
    let mut again = page(1, 100, b"one");
    again.0.ending = Ending::Retry { due_at: 5, failure: Some(failure.clone()) };
    again.0.hold_until = 7;
    // A host that a redirect led to is listed later.
    again.0.requests[0].host = "later.example".into();
    put(&mut store, &again);
    import(&mut store, &[line(11, "https://later.example/11")]);
    let (unkept, _) = page(1, 100, b"one");
    put(&mut store, &(unkept, Vec::new()));
    // The same body, kept this time.
    put(&mut store, &page(2, 200, b"one"));
    put(&mut store, &page(3, 300, b"three"));
    put(&mut store, &page(4, 400, b"four"));
    store.transaction(|store| store.end_one(6, Outcome::Quarantined, &failure)).expect("an end");
    store.transaction(|store| store.end_host(3, Outcome::Failed, &failure, 100)).expect("the end of a host");
    let answer = Processed { processor: 0, record: 1, is_item: false, version: 100, url_id: 1, answer: Ok(Vec::new()) };
    store.transaction(|store| store.processed(&answer)).expect("an answer");
    finish(path, store);
}

/// Two hosts with the same pages, and one that goes on saying what it said.
fn repeating(path: &Path) {
    let session = Session { follow: Some(Arc::new(Everywhere { depth: 9 })), ..session(Only::New, "9") };
    let mut store = Store::open(path, &session).expect("a store").0;
    let urls: Vec<_> =
        (0..24).map(|at| format!("https://{}.example/{at}", if at < 12 { "same" } else { "other" })).collect();
    let quiet = (0..1001).map(|at| format!("https://quiet.example/{at}"));
    let lines: Vec<_> = (100..).zip(urls.into_iter().chain(quiet)).map(|(number, url)| line(number, &url)).collect();
    import(&mut store, &lines);
    let db = open_for_reading(path).expect("a store");
    let id_of = |line: &ImportEntry| match &line.url {
        ImportUrl::Accepted { url, host, key } => {
            let host = &url[host.0 as usize..host.1 as usize];
            read::find_url(&db, host, key).expect("a look-up").expect("a URL")
        }
        ImportUrl::Rejected { .. } => unreachable!("they are URLs"),
    };
    let ids: Vec<_> = lines.iter().map(id_of).collect();
    store
        .transaction(|store| {
            for (at, url_id) in ids.into_iter().enumerate() {
                let (mut head, zstd) = page(url_id, 100, &[if at < 24 { b'a' + (at as u8 % 12).max(1) } else { b'z' }]);
                if let Some(fields) = head.page.as_mut().filter(|_| at >= 24) {
                    fields.likeness = Some([7; 16]);
                }
                // The next one has the same body.
                if at == 0 {
                    head.status = Some(404);
                    head.ending = Ending::Final { outcome: Outcome::HttpError, failure: None };
                }
                store.page(&head, &zstd)?;
            }
            Ok(())
        })
        .expect("pages");
    finish(path, store);
}

/// Lines are put in, moved and left out, and come again.
fn edited_lists(path: &Path) {
    let mut store = open(path, Only::New, "2");
    import(
        &mut store,
        &[line(1, "https://a.example/0"), line(2, "https://a.example/1"), line(3, "https://b.example/3")],
    );
    store.transaction(|store| store.import_end(0, 3)).expect("the end of a list");
    pull(&mut store);
    finish(path, store);
    let mut store = open(path, Only::New, "3");
    import(&mut store, &[line(4, "https://a.example/2"), line(5, "https://a.example/4")]);
    store.transaction(|store| store.import_end(0, 5)).expect("the end of a list");
    finish(path, store);
    // There was nothing to do.
    open(path, Only::New, "3").end(EndedBy::Completed).expect("the end");
}

/// Links are followed: to what is new, known or nearer than it was, from what is fetched and what is not.
fn followed(path: &Path) {
    let follow = |depth| {
        let mut session = session(Only::All, "f");
        session.follow = Some(Arc::new(Everywhere { depth }));
        Store::open(path, &session).expect("a store").0
    };
    let mut store = follow(3);
    import(&mut store, &[line(1, "https://a.example/1"), line(2, "https://a.example/2")]);
    let (mut naming, body) = page(1, 700, b"naming");
    let mut trap = found_url("https://e.example/trap");
    trap.trap = Some("trap:calendar".into());
    naming.found = vec![trap, found_url("https://e.example/"), found_url("https://a.example/2")];
    naming.place.depth = 1;
    put(&mut store, &(naming.clone(), body));
    // What it shows names something in turn, and is linked to later.
    let (mut showing, body) = page(2, 700, b"showing");
    let style = found_url("https://e.example/a.css");
    showing.found = vec![Found { kind: UrlKind::Asset, ..style.clone() }];
    put(&mut store, &(showing, body));
    let db = open_for_reading(path).expect("a store");
    let style_id = read::find_url(&db, style.host(), &style.key).expect("a look-up").expect("a URL");
    let (mut styling, body) = page(style_id, 700, b"styling");
    styling.place.kind = UrlKind::Asset;
    styling.found = vec![style];
    put(&mut store, &(styling, body));
    let mut robots = robots();
    robots.found = naming.found.clone();
    store.transaction(|store| store.robots(&robots, b"x")).expect("a robots.txt");
    while store.to_follow() > 0 {
        store.transaction(|store| store.follow_stored(9)).expect("links are followed");
    }
    // A list names a URL that only a page had named.
    import(&mut store, &[line(3, "https://e.example/")]);
    finish(path, store);
    let mut store = follow(3);
    import(&mut store, &[line(1, "https://a.example/1")]);
    let (mut same, _) = page(1, 800, b"");
    same.not_modified = true;
    put(&mut store, &(same, Vec::new()));
    store.transaction(|store| store.follow_stored(9)).expect("links are followed");
    finish(path, store);
    drop(open(path, Only::New, "f"));
}

/// URLs come in an order, and as many as there is room for.
fn ordered(path: &Path) {
    let by = |rules: &'static str| {
        let mut session = session(Only::All, "o");
        session.follow = Some(Arc::new(Everywhere { depth: 9 }));
        session.order = Some(Arc::new(Ordered(rules)));
        Store::open(path, &session).expect("a store").0
    };
    let mut store = by("some");
    let lines: Vec<_> =
        (1..=20).map(|number| line(number, &format!("https://o.example/{number}{}", number % 2))).collect();
    import(&mut store, &lines);
    let url_id = store.pull(&sweep()).expect("a pull").0[0].urls[0].url_id;
    let (mut naming, body) = page(url_id, 900, b"ordered");
    naming.found = vec![found_url("https://o.example/3"), found_url("https://o.example/4")];
    put(&mut store, &(naming, body));
    store.pull(&sweep()).expect("a pull");
    store.close();
    // By other rules: what is beyond a budget comes in, or the other way round.
    by("more").close();
    let mut store = by("some");
    import(&mut store, &[line(21, "https://o.example/4")]);
    finish(path, store);
}

fn sweep() -> Pull {
    let sweep = Sweep { after: 0, hosts: 99, urls: 99, but: Vec::new(), until: i64::MAX };
    Pull { sweep: Some(sweep), per_host: 8, ..Pull::default() }
}

/// An order by the last digit; room for a few URLs of a host, or for more.
#[derive(Debug)]
struct Ordered(&'static str);

impl order::Order for Ordered {
    fn priorities(&self) -> &str {
        self.0
    }

    fn priority(&self, url: &str) -> i32 {
        i32::from(url.ends_with('1')) * if self.0 == "more" { 2 } else { 1 }
    }

    fn budgets(&self) -> &str {
        self.0
    }

    fn budgets_of(&self, _: &str, _: &str, _: u32) -> Vec<Budget> {
        vec![Budget { name: "*".into(), urls: if self.0 == "more" { 99 } else { 21 }, is_of_host: true }]
    }
}

/// Follows whatever is named.
#[derive(Debug)]
struct Everywhere {
    depth: u32,
}

impl Follow for Everywhere {
    fn scope(&self) -> &str {
        "any"
    }

    fn root(&self, listed: &str) -> Option<String> {
        Some(listed.to_owned())
    }

    fn admits(
        &self,
        found: &str,
        is_root: &mut dyn FnMut(&str) -> Result<bool, StoreError>,
    ) -> Result<bool, StoreError> {
        is_root(found).map(|_| true)
    }

    fn of_stored(&self, page: &StoredLinks, _: Place) -> Vec<Found> {
        vec![found_url("https://a.example/1"), found_url(&page.page)]
    }

    fn canonical(&self, _: &str, named: &str) -> Option<Found> {
        Some(found_url(named))
    }

    fn nothing_new(&self) -> Option<u64> {
        Some(1)
    }

    fn max_depth(&self) -> Option<u32> {
        Some(self.depth)
    }
}

pub(crate) fn found_url(url: &str) -> Found {
    let CrawlUrl { url, host, key } = CrawlUrl::parse(url).expect("a URL");
    let start = url.find("//").map_or(0, |at| at as u32 + 2);
    let host = (start, start + host.len() as u32);
    Found { url, host, key, kind: UrlKind::Page, changed_at: Some(1), stands: false, trap: None }
}

pub(crate) fn fetched_again(path: &Path) {
    let lines = [line(2, "https://a.example/1"), line(3, "https://b.example/3"), line(4, "https://a.example/2")];
    for (only, fingerprint) in [(Only::All, "4"), (Only::Changed, "5"), (Only::Failed, "6"), (Only::All, "7")] {
        let mut store = open(path, only, fingerprint);
        import(&mut store, &lines);
        pull(&mut store);
        let number: u64 = fingerprint.parse().expect("a number");
        let (mut same, _) = page(3, number * 1000, b"");
        same.not_modified = true;
        put(&mut store, &(same, Vec::new()));
        put(&mut store, &page(1, number * 1000 + 1, fingerprint.as_bytes()));
        put(&mut store, &page(2, number * 1000 + 2, format!("{fingerprint} too").as_bytes()));
        finish(path, store);
    }
}

/// What a run has confirmed before it was stopped is to be fetched once more.
fn taken_back(path: &Path) {
    let mut store = open(path, Only::All, "8");
    import(&mut store, &[line(3, "https://b.example/3")]);
    let (mut same, _) = page(3, 8000, b"");
    same.not_modified = true;
    put(&mut store, &(same, Vec::new()));
    store.end(EndedBy::Interrupted).expect("the end");
    retry::make_pending(&mut open_for_writing(path).expect("a store"), CONDITION).expect("URLs");
    let mut store = open(path, Only::New, "8");
    for url_id in 1..=3 {
        put(&mut store, &page(url_id, 8100, b"once more"));
    }
    finish(path, store);
}

fn looked_at(path: &Path) {
    let db = open_for_reading(path).expect("a store");
    read::summary(&db).expect("a summary");
    FoundCounts::of(&db).expect("what was found");
    read::is_demo(&db).expect("whose it is");
    read::last_complete_start(&db).expect("when a run began");
    read::files(&db).expect("where its lines come from");
    told::untold(&db).expect("whether the end was seen");
    beginning::last_reading(&db).expect("how a run read pages");
    for finishes_untold in [true, false] {
        Beginning::of(&db, &["urls.txt"], finishes_untold).expect("how a run begins");
    }
    examples::of_errors(&db, 1, &BTreeMap::from([("http_404".to_owned(), 1)])).expect("examples of failures");
    health::facts(&db).expect("health");
    audit::audit(&db, 3).expect("an audit");
    for url in ["https://a.example/1", "https://a.example/2", "https://c.example/7", "nonsense"] {
        life::life(&db, url, &|_, _, _| life::RobotsVerdict { allowed: true, rule: None, line: None }).expect("a life");
        let _ = body::cat(&db, url, 1 << 20, &mut Vec::new());
        let _ = body::answer_of(&db, url);
        diff::history::history(&db, url).expect("a history");
    }
    life::config(&db, None).expect("settings");
    let last = diff::Run::last(&db, 0).expect("runs").expect("a run");
    fill::fills(&db, last.run_id, &[products(), notes()]).expect("fills");
    fill::fills(&db, 999, &[products()]).expect("fills");
    drift::drifts(&db, last.run_id, |_| 0.3).expect("drifts");
    diff::counts(&db, None, last.run_id).expect("what differs");
    let before = diff::Run::before(&db, last.run_id).expect("runs");
    let scope = diff::Scope { condition: Some(CONDITION.into()), ..diff::Scope::between(before.as_ref(), &last) };
    diff::pages::pages(&db, &scope, |_| Ok::<_, StoreError>(())).expect("pages");
    let compared = diff::Compared::of(&db).expect("collections");
    diff::items::items(&db, &scope, &compared, |_| Ok::<_, StoreError>(())).expect("items");
    let from = Some(CrawlUrl::parse("https://a.example/1").expect("a URL"));
    let once = links::Scope { once: true, ..links::Scope::default() };
    for scope in [once, links::Scope { from, ..links::Scope::default() }] {
        let links = links::Links::of(&db, scope).expect("links");
        links.read_with(&db, Some(&db), |_| Ok::<_, StoreError>(())).expect("links");
    }
    links::is_crawled_host(&db, "a.example").expect("a host");
    links::stored_pages(&db, |page| links::stored_page_of(&db, page.url_id).map(drop)).expect("stored pages");
    links::nodes(&db, |_| Ok::<_, StoreError>(())).expect("nodes");
    report::site(&db, 3, &[]).expect("a report");
    Table::names(&db).expect("tables");
    let mut index = search::Index::open(&search::path_of(path), true).expect("an index");
    index.update(&db, || true).expect("words");
    index.find(&db, &["t".to_owned()], 3).expect("pages");
    let copy = path.with_extension("copy");
    std::fs::File::create(&copy).expect("a file");
    backup::copy(path, &copy, |_| true).expect("a copy");
    export(path, last.run_id);
}

fn export(path: &Path, last_run: i64) {
    let mut db = open_for_reading(path).expect("a store");
    guard::guard(&mut db).expect("a guard");
    let snapshot = Snapshot::take(&db).expect("a snapshot");
    let filters = [
        Filter::default(),
        Filter { run: Some(last_run), ..Filter::default() },
        Filter { changed_since: Some(1), ..Filter::default() },
    ];
    for name in TABLES.into_iter().chain(["products", "notes"]) {
        db.prepare(&format!("SELECT * FROM {name}")).expect("a view").raw_query().next().expect("a row");
        let table = Table::find(&db, name).expect("a table");
        for order in [Order::Key, Order::Input, Order::Host, Order::Run] {
            for filter in &filters {
                // Not every table has every order and filter.
                let Ok(mut selection) = Selection::of_table(&db, &table, None, filter, order) else { continue };
                selection.read(&db, &snapshot, |_| Ok::<_, SelectError>(())).expect("rows");
                selection.at_once();
                selection.read(&db, &snapshot, |_| Ok::<_, SelectError>(())).expect("rows");
            }
        }
    }
    archive::answers(&db, &snapshot, &filters[1], |answer| {
        if let archive::AnswerBody::Stored(body_id) = answer.body {
            archive::body(&db, body_id, 1 << 20)?;
        }
        archive::settings(&db, answer.run_id)?;
        Ok::<_, SelectError>(())
    })
    .expect("answers");
}

fn extract(path: &Path, condition: Option<&str>, writes: bool) {
    let mut rework = Rework::open(path, vec![products(), notes()], condition, writes).expect("a store");
    let mut after = 0;
    while let Some((origin, ..)) = rework.next(after).expect("a page") {
        after = origin.url_id;
        rework.keep(&origin, &found(origin.url_id, &format!("again {after}"))).expect("kept");
        let extras = PageExtras { text: Some(format!("again {after}")), ..PageExtras::default() };
        rework.keep_extras(&origin, &extras).expect("kept");
    }
    rework.prepare(&|_| Some([1; 16])).expect("a comparison");
    if writes {
        rework.commit().expect("a commit");
    }
}

pub(crate) fn process(path: &Path) {
    let wanted = [
        wanted("echoes", Input::Pages, None),
        wanted("bodies", Input::Bodies, None),
        wanted("prices", Input::Items, Some("products")),
    ];
    let answers = wanted.each_ref().map(|wanted| collection(&wanted.name, &[]));
    let mut marks = processed::Marks::open(path, &answers).expect("marks");
    let mut todos = processed::todos(path, &wanted, true).expect("what is to be done");
    for (number, todo) in todos.iter_mut().enumerate() {
        for answer in
            [Ok(vec!["{}".to_owned(); 2]), Err(Failed { reason: "it ended".into() }), Ok(vec!["{}".to_owned()])]
        {
            todo.count().expect("a count");
            let Some(record) = todo.next().expect("a record") else { break };
            let is_item = matches!(record.what, processed::What::Item { .. });
            let answer = Processed {
                processor: number as u16,
                record: record.id,
                is_item,
                version: record.version,
                url_id: record.url_id,
                answer,
            };
            marks.commit(std::slice::from_ref(&answer)).expect("a mark");
            // An answer to another version, with less in it, and one to what is gone.
            marks.commit(&[Processed { version: 1, answer: Ok(Vec::new()), ..answer.clone() }]).expect("a mark");
            marks.commit(&[Processed { record: 999, url_id: 999, ..answer }]).expect("a mark");
            todo.is_marked(record.id, record.version).expect("whether it is marked");
        }
        todo.again();
    }
}

fn retry_and_prune(path: &Path) {
    retry::count(&open_for_reading(path).expect("a store"), CONDITION).expect("a count");
    let mut db = open_for_writing(path).expect("a store");
    retry::make_pending(&mut db, CONDITION).expect("URLs");
    drop(db);
    let mut store = open(path, Only::New, "9");
    pull(&mut store);
    put(&mut store, &page(1, 90_000, b"at last"));
    store.end(EndedBy::Interrupted).expect("the end");
    drop(open(path, Only::New, "9"));
    let mut db = open_for_writing(path).expect("a store");
    retry::make_pending(&mut db, CONDITION).expect("URLs of an unfinished run");
    collections::declare(&db, &collection("products", &[])).expect("another declaration");
    versions::prune(&mut db, Keep { versions: 1, since: 0 }, Some(5)).expect("pruned");
}

pub(crate) fn open(path: &Path, only: Only, fingerprint: &str) -> Store {
    Store::open(path, &session(only, fingerprint)).expect("a store").0
}

fn session(only: Only, fingerprint: &str) -> Session {
    Session {
        finishes_untold: false,
        is_demo: false,
        follow: None,
        order: None,
        pid: 1,
        config: r#"{"rate":"2/s"}"#.into(),
        lists: vec![ListFile { name: "urls.txt".into(), fingerprint: Some(fingerprint.into()) }],
        collections: vec![products(), notes()],
        processors: vec![collection("echoes", &[])],
        again: Again {
            only,
            fetched_before: u64::MAX >> 1,
            revisit: (fingerprint == "7").then_some(Revisit { min_ms: 1, max_ms: 2 }),
        },
        keep: Keep { versions: 1, since: 0 },
        requests_since: u64::MAX >> 1,
        reading: [0; 16],
    }
}

/// Ends what is left, and the run; somebody sees that it has ended.
pub(crate) fn finish(path: &Path, mut store: Store) {
    let failure = Failure::new(ErrorClass::Timeout, "no answer");
    for host_id in 0..9 {
        store.transaction(|store| store.end_host(host_id, Outcome::Failed, &failure, 100)).expect("the end of a host");
    }
    let run_id = store.run_id();
    store.end(EndedBy::Completed).expect("the end");
    told::note(path, run_id, true).expect("told");
}

pub(crate) fn import(store: &mut Store, lines: &[ImportEntry]) {
    let work = |store: &mut Store| {
        store.find_hosts([(0, lines)].into_iter())?;
        store.import(0, lines)
    };
    store.transaction(work).expect("an import");
}

fn pull(store: &mut Store) {
    let sweep = Sweep { after: 0, hosts: 9, urls: 99, but: Vec::new(), until: i64::MAX };
    store.pull(&Pull { refills: vec![(1, Position::START, 9)], sweep: Some(sweep), per_host: 9 }).expect("a pull");
}

pub(crate) fn put(store: &mut Store, (head, zstd): &(PageHead, Vec<u8>)) {
    store.transaction(|store| store.page(head, zstd)).expect("a page");
}

pub(crate) fn line(line: u64, raw_url: &str) -> ImportEntry {
    let url = match CrawlUrl::parse(raw_url) {
        Ok(url) => {
            let start = url.url.find("//").expect("a scheme") as u32 + 2;
            ImportUrl::Accepted { host: (start, start + url.host.len() as u32), url: url.url, key: url.key }
        }
        Err(error) => {
            ImportUrl::Rejected { key: url_key(KeyKind::Rejected, raw_url.as_bytes()), reason: error.to_string() }
        }
    };
    ImportEntry {
        line,
        raw_url: Some(raw_url.to_owned()),
        columns: Some(r#"{"a":"b"}"#.into()),
        url,
        archived_at: None,
        payload_at: None,
        kind: UrlKind::Page,
    }
}

fn request() -> RequestHead {
    RequestHead {
        url: None,
        host: "a.example".into(),
        kind: RequestKind::Page,
        started_us: 100_000,
        elapsed_ms: 7,
        gap_ms: 500,
        status: Some(200),
        error: None,
        bytes: 3,
        remote_ip: Some([192, 0, 2, 1].into()),
        http_version: Some(HttpVersion::Http11),
        headers: Vec::new(),
    }
}

pub(crate) fn page(url_id: UrlId, started_at: u64, body: &[u8]) -> (PageHead, Vec<u8>) {
    let head = PageHead {
        url_id,
        generation: 1,
        ending: Ending::Final { outcome: Outcome::Ok, failure: None },
        final_url: None,
        hops: Vec::new(),
        status: Some(200),
        started_at,
        elapsed_ms: 7,
        requests: vec![request()],
        attempt: 1,
        hold_until: 0,
        not_modified: false,
        validators: Some(Box::new(Validators { etag: Some("e".into()), last_modified: None })),
        meta_robots: None,
        content_type: Some("text/html".into()),
        charset: Some("UTF-8".into()),
        body: Some(BodyHead { bytes: body.len() as u64, hash: *blake3::hash(body).as_bytes() }),
        page: Some(PageFields {
            title: Some("t".into()),
            canonical: Some("https://a.example/2".into()),
            links: Some(r#"[["https://b.example/","to b","nofollow"],["https://c.example/7","to c",""]]"#.into()),
            ..PageFields::default()
        }),
        items: Some(Box::new(found(url_id, &String::from_utf8_lossy(body)))),
        extras: Some(Box::new(PageExtras {
            tables: Some(r#"[[["a"]]]"#.into()),
            beyond: vec![Excess { field: "tables".into(), found: "more than 1 cells".into() }],
            ..PageExtras::default()
        })),
        found: Vec::new(),
        finds_more: false,
        place: Place::default(),
    };
    (head, zstd::bulk::compress(body, 1).expect("compression"))
}

fn robots() -> RobotsHead {
    RobotsHead {
        url_id: 1,
        generation: 1,
        origin: "https://a.example".into(),
        final_url: None,
        status: Some(200),
        failure: None,
        fetched_at: 1,
        bytes: 1,
        crawl_delay_ms: None,
        sitemaps: None,
        found: Vec::new(),
        requests: vec![RequestHead { kind: RequestKind::Robots, ..request() }],
        attempt: 1,
    }
}

pub(crate) fn collection(name: &str, key: &[&str]) -> Collection {
    let field = Field { name: "sku".into(), kind: FieldType::Text, many: false, fields: Vec::new() };
    Collection { name: name.into(), key: key.iter().map(|&key| key.into()).collect(), fields: vec![field] }
}

fn products() -> Collection {
    collection("products", &["sku"])
}

fn notes() -> Collection {
    collection("notes", &[])
}

/// What rules find on a page: an item with a key, one without, and what is wrong.
pub(crate) fn found(url_id: UrlId, text: &str) -> PageItems {
    let data = serde_json::json!({ "sku": text }).to_string();
    PageItems {
        items: vec![
            Item { collection: 0, number: 0, key: Some(item_key(&format!("[{url_id}]"))), data: data.clone() },
            Item { collection: 1, number: 0, key: None, data },
        ],
        problems: vec![Problem {
            collection: 0,
            number: None,
            field: "sku".into(),
            kind: ProblemKind::Missing,
            found: String::new(),
        }],
        counts: (0..2)
            .flat_map(|collection| [None, Some(0)].map(|field| FieldCount { collection, field, of: 1, found: 1 }))
            .collect(),
    }
}

pub(crate) fn wanted(name: &str, input: Input, source: Option<&str>) -> Wanted {
    Wanted {
        name: name.into(),
        input,
        source: source.map(str::to_owned),
        condition: source.is_none().then(|| CONDITION.to_owned()),
    }
}
