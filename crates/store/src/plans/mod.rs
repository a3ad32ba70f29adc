//! The plans of all statements, as SQLite makes them: the same whatever the statistics say, and none of them reads or sorts
//! more than it has to.
//!
//! Every connection of a test notes what it runs, so nothing has to be listed here: [`verbs`] does all that can be done
//! to a store, and [`source`] tells which statements that has left out.

pub(crate) mod merging;
mod source;
pub(crate) mod verbs;
mod wanted;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthContext, Authorization};
use rusqlite::trace::{TraceEvent, TraceEventCodes};

use super::guard;
use source::words;
use wanted::WANTED;

thread_local! {
    static SEEN: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// Notes the statements that `db` runs, for the thread's test.
pub(super) fn watch(db: &mut Connection) {
    let note = |event: TraceEvent<'_>| {
        if let TraceEvent::Stmt(_, sql) = event {
            // A statement of a script begins with the comment above it.
            let mut sql = sql.trim_matches([';', ' ', '\n']);
            while let Some((_, rest)) = sql.split_once('\n').filter(|_| sql.starts_with("--")) {
                sql = rest.trim_start();
            }
            SEEN.with_borrow_mut(|seen| seen.insert(sql.to_owned()));
        }
    };
    db.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(note)).expect("statements can be watched");
}

/// Does what makes a store: its statements run on empty tables.
fn unseen<T>(make: impl FnOnce() -> T) -> T {
    let seen = SEEN.take();
    let made = make();
    SEEN.set(seen);
    made
}

/// What is known of a store.
#[derive(Clone, Copy, Debug)]
enum Statistics {
    /// Nothing: as all stores are that this program has written to.
    None,
    /// So many pages.
    Pages(u64),
    /// So many, as `PRAGMA optimize` notes it: nothing of the table `page`, which has no index.
    Without(u64),
}

use Statistics::{Pages, Without};

const STATISTICS: [Statistics; 7] = [
    Statistics::None,
    Pages(100),
    Pages(65_000),
    Without(65_000),
    Without(100_000),
    Pages(1_000_000),
    Without(1_000_000),
];

/// Rows of `sqlite_stat1`: of small tables the smallest numbers, as of the beginning of a crawl.
fn stat1(n: u64, with_page: bool) -> String {
    let mut rows = vec![
        ("run", "NULL", "3".to_owned()),
        ("file", "'sqlite_autoindex_file_1'", "1 1".to_owned()),
        ("total", "NULL", "4".to_owned()),
        ("host", "'sqlite_autoindex_host_1'", format!("{} 1", n / 100)),
        ("url", "'url_key'", format!("{n} 100 1")),
        ("url", "'frontier'", format!("{} 10", n / 10)),
        ("url", "'lookup.url'", format!("{n} 1")),
        ("request", "'lookup.request'", format!("{} 2", 2 * n)),
        ("item", "'item_url'", format!("{} 2", 2 * n)),
        ("input", "'input'", format!("{n} {n} 1")),
        ("body", "'sqlite_autoindex_body_1'", format!("{n} 1")),
        ("page_link", "NULL", format!("{n}")),
        ("page_extra", "NULL", format!("{}", n / 2)),
        ("robots", "'sqlite_autoindex_robots_1'", format!("{} 1", n / 100 + 1)),
        ("past_page", "'past_url'", format!("{n} 2")),
        ("past_page", "'past_bad'", format!("{} 2", n / 10)),
        ("past_page", "'past_body'", format!("{n} 2")),
        ("same_fetch", "NULL", format!("{}", 9 * n)),
        ("item", "'item_key'", format!("{} {n} 1", 2 * n)),
        ("item", "'item_place'", format!("{} 3 3 1", 2 * n)),
        ("past_item", "'past_item'", format!("{n} 2 1 1")),
        ("gone_item", "'gone_item_run'", format!("{} {}", n / 10, n / 20)),
        ("extract_problem", "'extract_problem_url'", format!("{} 2", n / 5)),
        ("processed", "'processed'", format!("{n} {n} 1")),
        ("field_rate", "'field_rate'", format!("{} 300 100 1", n / 10 + 1)),
        ("collection", "'sqlite_autoindex_collection_1'", "1 1".to_owned()),
    ];
    if with_page {
        rows.push(("page", "NULL", format!("{n}")));
    }
    rows.iter().fold(String::new(), |mut sql, (table, index, stat)| {
        let _ = writeln!(sql, "INSERT INTO sqlite_stat1 VALUES ('{table}', {index}, '{stat}');");
        sql
    })
}

/// A copy of the store at `path` with such statistics, in which all of `seen` can be prepared.
fn planner(path: &Path, statistics: Statistics, seen: &BTreeSet<String>) -> Connection {
    let copy = PathBuf::from(format!("{}-{statistics:?}", path.display()));
    std::fs::copy(path, &copy).expect("a copy");
    let db = Connection::open(&copy).expect("a copy");
    let rows = match statistics {
        Statistics::None => None,
        Pages(pages) => Some(stat1(pages, true)),
        Without(pages) => Some(stat1(pages, false)),
    };
    if let Some(rows) = rows {
        let sql = format!("ANALYZE; DELETE FROM sqlite_stat1; DELETE FROM sqlite_stat4; {rows}");
        db.execute_batch(&sql).expect("statistics");
    }
    // They are read when the store is opened.
    drop(db);
    let mut db = Connection::open(&copy).expect("a copy");
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).expect("stable plans");
    db.pragma_update(None, "foreign_keys", false).expect("as a writer has it");
    guard::guard(&mut db).expect("its functions");
    db.authorizer(None::<fn(AuthContext<'_>) -> Authorization>).expect("all is allowed");
    for sql in seen.iter().filter(|sql| sql.starts_with("CREATE TEMP ")) {
        db.execute_batch(sql).expect("a temporary table");
    }
    for sql in seen.iter().filter(|sql| sql.starts_with("CREATE ") && sql.contains(" INDEX temp.")) {
        db.execute_batch(sql).expect("its index");
    }
    db
}

/// A step of a plan.
struct Step {
    id: i64,
    /// What it is a part of; 0: the statement.
    of: i64,
    text: String,
}

fn plan(db: &Connection, sql: &str) -> Vec<Step> {
    let mut explain = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap_or_else(|error| panic!("{error}: {sql}"));
    // Values are not looked at.
    let rows = explain.raw_query().mapped(|row| Ok(Step { id: row.get(0)?, of: row.get(1)?, text: row.get(3)? }));
    let mut steps = rows.collect::<Result<Vec<_>, _>>().unwrap_or_else(|error| panic!("{error}: {sql}"));
    // A filter is made where the statistics promise something of it; it reads nothing more.
    steps.retain(|step| !step.text.contains("BLOOM FILTER"));
    steps
}

fn texts(steps: &[Step]) -> Vec<&str> {
    steps.iter().map(|step| step.text.as_str()).collect()
}

/// Steps that are cheap whatever the size of the store: of tables that have few rows in any, and of a row's JSON.
fn is_cheap(step: &str) -> bool {
    const FEW: [&str; 11] = [
        "SCAN CONSTANT ROW",
        "SCAN sqlite_schema",
        "SCAN run",
        "SCAN file",
        "SCAN total",
        "SCAN told_run",
        "SCAN collection",
        "SCAN temp.declared",
        // As statements call the collections, and a row of constants.
        "SCAN c",
        "SCAN n",
        // The fetches before one, one after the other, as the view `history` calls them.
        "SCAN before",
    ];
    !["SCAN ", "USE TEMP B-TREE", "AUTOMATIC"].iter().any(|dear| step.contains(dear))
        || FEW.contains(&step)
        || step.contains(" VIRTUAL TABLE ")
}

/// What is wrong with a plan whatever it is for: a table is read from end to end for each row of another, or an index is
/// made of it first.
fn is_hopeless(steps: &[Step]) -> bool {
    let mut within = BTreeSet::new();
    steps.iter().any(|step| {
        let is_scan = step.text.starts_with("SCAN ") && !is_cheap(&step.text);
        let mut parts = std::iter::successors(Some(step), |part| steps.iter().find(|whole| whole.id == part.of));
        step.text.contains("AUTOMATIC")
            || is_scan && (!within.insert(step.of) || parts.any(|part| part.text.starts_with("CORRELATED")))
    })
}

/// A store on which every verb has worked, and the statements this took.
fn seen() -> (tempfile::TempDir, PathBuf, BTreeSet<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("crawl.db");
    // Whatever made the tables ran on empty ones.
    drop(super::open_for_writing(&path).expect("a store"));
    SEEN.take();
    verbs::run_all(&path);
    let seen = SEEN.take();
    (folder, path, seen)
}

#[test]
fn no_plan_depends_on_statistics_and_none_reads_or_sorts_more_than_it_has_to() {
    let (_folder, path, seen) = seen();
    let planners = STATISTICS.map(|statistics| (statistics, planner(&path, statistics, &seen)));
    let mut wrong = String::new();
    let verbs = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];
    let mut used = BTreeSet::new();
    for sql in seen.iter().filter(|sql| verbs.iter().any(|verb| sql.starts_with(verb))) {
        let text = words(sql);
        let plans = planners.each_ref().map(|(statistics, db)| (*statistics, plan(db, sql)));
        let first = texts(&plans[0].1);
        for (statistics, other) in plans.iter().map(|(statistics, plan)| (statistics, texts(plan))) {
            if first != other {
                let _ = writeln!(wrong, "{text}\n  is not the same with {statistics:?}:\n  {first:?}\n  {other:?}\n");
            }
        }
        let wanted: Vec<_> = WANTED.iter().filter(|wanted| text.starts_with(wanted.start)).collect();
        used.extend(wanted.iter().map(|wanted| wanted.start));
        let is_wanted = |step: &str| wanted.iter().any(|wanted| wanted.sorts || step.starts_with("SCAN "));
        let dear: Vec<_> = first.iter().filter(|step| !is_cheap(step) && !is_wanted(step)).collect();
        if is_hopeless(&plans[0].1) || !dear.is_empty() {
            let _ = writeln!(wrong, "{text}\n  costs more than it has to: {dear:?} of {first:?}\n");
        }
    }
    for unused in WANTED.iter().filter(|wanted| !used.contains(wanted.start)) {
        let _ = writeln!(wrong, "no statement begins like this: {} ({})", unused.start, unused.why);
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// What users ask, whatever program they ask with: each is looked up once a run is complete.
const LOOKED_UP: [&str; 9] = [
    "SELECT * FROM pages WHERE url = 'x'",
    "SELECT * FROM history WHERE url = 'x'",
    "SELECT * FROM history WHERE url = 'x' ORDER BY fetched_at",
    "SELECT * FROM requests WHERE url = 'x'",
    "SELECT * FROM attempts WHERE url = 'x'",
    "SELECT * FROM items WHERE url = 'x'",
    "SELECT * FROM products WHERE _url = 'x'",
    "SELECT * FROM links WHERE from_url = 'x'",
    "SELECT * FROM tables WHERE url = 'x'",
];

#[test]
fn what_is_known_of_a_url_is_looked_up_on_every_view() {
    let (_folder, path, seen) = seen();
    for statistics in STATISTICS {
        let db = planner(&path, statistics, &seen);
        for sql in LOOKED_UP {
            let plan = plan(&db, sql);
            let scans: Vec<_> =
                texts(&plan).into_iter().filter(|step| step.starts_with("SCAN ") && !is_cheap(step)).collect();
            // The rows of a union are handed on from one part of the plan to another.
            let scans: Vec<_> = scans.into_iter().filter(|step| *step != "SCAN f").collect();
            assert!(scans.is_empty(), "{sql} with {statistics:?}: {:?}", texts(&plan));
        }
    }
}

#[test]
fn the_rows_of_views_come_in_the_order_of_their_tables() {
    let (_folder, path, seen) = seen();
    for statistics in STATISTICS {
        let db = planner(&path, statistics, &seen);
        for view in
            ["pages", "links", "items", "attempts", "requests", "tables", "history", "products", "extract_problems"]
        {
            let plan = plan(&db, &format!("SELECT * FROM {view}"));
            let by_index: Vec<_> =
                texts(&plan).into_iter().filter(|step| step.starts_with("SCAN ") && step.contains(" USING ")).collect();
            assert!(by_index.is_empty(), "{view} with {statistics:?}: {:?}", texts(&plan));
        }
    }
}

#[test]
fn every_statement_of_the_store_is_seen() {
    let (_folder, _, seen) = seen();
    let seen: Vec<_> = seen.iter().map(|sql| words(sql)).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let is_tested = |path: &Path| {
        let path = path.strip_prefix(&folder).expect("below it").display().to_string();
        // The index of words is no store.
        !["tests", "plans", "migrations", "statement", "search/index"].iter().any(|part| path.contains(part))
    };
    let statements = source::statements(&folder, &is_tested);
    assert!(statements.len() > 100, "only {} statements found", statements.len());
    let unseen: Vec<_> = statements.iter().filter(|sql| !seen.iter().any(|seen| seen.contains(*sql))).collect();
    assert!(unseen.is_empty(), "{unseen:#?}");
}
