use rusqlite::params;

use super::*;

/// Numbers that look like chance, the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// A store of version 10 in `db`, with the history of some URLs as that version wrote it: a row for each fetch but the last.
/// The answer is what the view has to tell of it.
fn history_of_version_10(db: &Connection, seed: u64) -> Vec<String> {
    for step in ["schema.sql", "2.sql", "3.sql", "4.sql", "5.sql", "7.sql", "9.sql", "10.sql"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(step);
        db.execute_batch(&std::fs::read_to_string(path).expect("a step")).expect("it can be taken");
    }
    db.execute_batch(
        "PRAGMA user_version = 10;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12)
           INSERT INTO run(run_id, started_at, pid, last_at, seine_version, config) SELECT i, 0, 1, 0, '', '{}' FROM n;
         INSERT INTO host(host_id, name) VALUES (1, 'a.example');
         INSERT INTO body(body_id, hash, bytes) VALUES (1, x'01', 10), (2, x'02', 20);",
    )
    .expect("rows");
    let mut chance = Chance(seed);
    let mut told = Vec::new();
    for url_id in 1..=90_u64 {
        db.execute(
            "INSERT INTO url(url_id, key, url, host_id, outcome) VALUES (?1, randomblob(12), 'https://a.example/' || ?1, 1, 0)",
            [url_id],
        )
        .expect("a URL");
        let runs = 1 + chance.below(12);
        // Sometimes a retry has taken the page away.
        let is_gone = chance.below(10) == 0;
        let mut body = 0;
        for run_id in 1..=runs {
            let is_last = run_id == runs && !is_gone;
            let found = if body == 0 { chance.below(3) } else { chance.below(6) };
            let (outcome, status, error, not_modified) = match found {
                0 => (2, None, Some("timeout"), false),
                1 | 2 => (0, Some(200), None, false),
                _ => (0, Some(200), None, true),
            };
            body = match found {
                0 => 0,
                1 | 2 => found,
                _ => body,
            };
            let (body_id, title) = ((body > 0).then_some(body), (body > 0).then_some("t"));
            let changed = (outcome == 0).then(|| chance.below(2));
            let (fetched_at, elapsed_ms) = (run_id * 1000, run_id + url_id);
            if is_last {
                db.execute(
                    "INSERT INTO page(url_id, run_id, outcome, status, error, body_id, title, changed, not_modified, fetched_at, \
                       elapsed_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                    params![
                        url_id,
                        run_id,
                        outcome,
                        status,
                        error,
                        body_id,
                        title,
                        changed,
                        not_modified,
                        fetched_at,
                        elapsed_ms
                    ],
                )
                .expect("a page");
            } else {
                db.execute(
                    "INSERT INTO past_page(url_id, run_id, outcome, status, error, body_id, body_hash, bytes, title, changed, \
                       not_modified, fetched_at, elapsed_ms) \
                     SELECT ?1, ?2, ?3, iif(?9, 304, ?4), ?5, ?6, (SELECT hash FROM body WHERE body_id = ?6), \
                            (SELECT bytes FROM body WHERE body_id = ?6), ?7, ?8, ?9, ?10, ?11",
                    params![
                        url_id,
                        run_id,
                        outcome,
                        status,
                        error,
                        body_id,
                        title,
                        changed,
                        not_modified,
                        fetched_at,
                        elapsed_ms
                    ],
                )
                .expect("a past page");
            }
            let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
            told.push(format!(
                "{url_id} {run_id} {outcome} {} {} {} {} {} {} {elapsed_ms}",
                number(if not_modified { Some(304) } else { status }),
                error.unwrap_or("-"),
                number(changed),
                u8::from(not_modified),
                body_id.map_or_else(String::new, |body| format!("0{body}")),
                number(body_id.map(|body| body * 10)),
            ));
        }
    }
    told
}

fn told(db: &Connection) -> Vec<String> {
    let sql = "SELECT format('%d %d %d %s %s %s %d %s %s %d', url_id, run_id, iif(outcome = 'ok', 0, 2), coalesce(status, '-'), \
                 coalesce(error, '-'), coalesce(changed, '-'), not_modified, body_hash, coalesce(body_bytes, '-'), elapsed_ms) \
               FROM history ORDER BY url_id, run_id";
    let mut select = db.prepare(sql).expect("the view");
    let rows = select.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<rusqlite::Result<_>>().expect("rows")
}

#[test]
fn no_fetch_of_a_history_is_lost_when_it_is_put_together() {
    for seed in 1..=3 {
        println!("seed {seed}");
        let mut db = Connection::open_in_memory().expect("memory");
        let expected = history_of_version_10(&db, seed);
        migrate(&mut db, Path::new("memory")).expect("it is brought up to date");
        assert_eq!(told(&db), expected);
        let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, usize>(0)).expect("a count");
        let [pages, past, same] =
            ["page", "past_page", "same_fetch"].map(|table| count(&format!("SELECT count(*) FROM {table}")));
        assert_eq!(pages + past + same, expected.len());
        assert!(same > past / 2, "what found the same is together: {past} {same}");
        let apart = "SELECT count(*) FROM past_page a CROSS JOIN past_page b ON b.url_id = a.url_id \
                       AND b.past_id = (SELECT min(past_id) FROM past_page c WHERE c.url_id = a.url_id AND c.past_id > a.past_id) \
                     WHERE (a.outcome, a.status, a.error, a.body_hash, a.title) IS (b.outcome, b.status, b.error, b.body_hash, b.title)";
        assert_eq!(count(apart), 0);
        // Each leads to the first of its fetches, and says of which run that was.
        let since = "SELECT count(*) FROM (SELECT url_id, run_id, since_run, same_id FROM page \
                       UNION ALL SELECT url_id, run_id, since_run, same_id FROM past_page) p \
                     WHERE (p.same_id IS NULL) <> (p.since_run IS NULL) \
                        OR p.since_run >= p.run_id \
                        OR p.since_run <> (SELECT count(*) FROM history h WHERE h.url_id = p.url_id AND h.run_id <= p.since_run)";
        assert_eq!(count(since), 0);
    }
}

#[test]
fn a_store_whose_migration_is_broken_off_is_as_it_was_and_can_be_migrated_again() {
    let folder = tempfile::tempdir().expect("a folder");
    for after in [1_000, 6_000, 12_000] {
        let path = folder.path().join(format!("{after}.db"));
        let mut db = Connection::open(&path).expect("a file");
        let expected = history_of_version_10(&db, after);
        let mut left = i64::try_from(after).expect("a number");
        db.progress_handler(
            1,
            Some(move || {
                left -= 1;
                left <= 0
            }),
        )
        .expect("it can be broken off");
        migrate(&mut db, &path).expect_err("it was broken off");
        drop(db);
        let mut db = Connection::open(&path).expect("a file");
        assert_eq!(version(&db).expect("a version"), 10, "{after}");
        migrate(&mut db, &path).expect("it is brought up to date");
        assert_eq!((version(&db).expect("a version"), told(&db)), (VERSION, expected), "{after}");
    }
}
