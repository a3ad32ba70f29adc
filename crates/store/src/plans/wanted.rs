//! Statements that read a table from end to end, or sort, and why that is as it has to be. None of them is run for each
//! page, URL or item of many; of those that are, it is said how little they see.

/// What statements of one kind may do.
pub struct Wanted {
    /// How they begin.
    pub start: &'static str,
    /// Whether they sort what they read, too.
    pub sorts: bool,
    /// What they read.
    pub why: &'static str,
}

const fn reads(why: &'static str, start: &'static str) -> Wanted {
    Wanted { start, sorts: false, why }
}

const fn sorts(why: &'static str, start: &'static str) -> Wanted {
    Wanted { start, sorts: true, why }
}

/// All of them.
pub const WANTED: &[Wanted] = &[
    // A crawl.
    reads(
        "the one row of told_run",
        "SELECT run_id FROM run WHERE run_id = (SELECT max(run_id) FROM run) AND ended_by",
    ),
    reads("pages of the run that failed, once at its end", "SELECT coalesce(error, 'http_' || status), url_id"),
    reads("the few rows of total", "SELECT coalesce(sum(urls), 0) FROM total WHERE outcome"),
    reads("the lists, of which there are few", "SELECT name FROM file"),
    reads("the one row of told_run", "UPDATE told_run SET run_id = ?1"),
    reads("stops at the first row of each", "SELECT NOT EXISTS (SELECT 1 FROM run WHERE NOT demo)"),
    reads("once a run: what is pending", "SELECT (SELECT count(*) FROM url INDEXED BY frontier WHERE in_frontier)"),
    reads("stops at the first", "SELECT EXISTS (SELECT 1 FROM ended_url)"),
    reads("the latest keys, once, and there is a limit to them", "SELECT key, body_id FROM new_body"),
    sorts("the same, so that they come to the index in its order", "INSERT INTO body_key(key, body_id) SELECT"),
    reads("once for a list that was edited", "DELETE FROM url INDEXED BY frontier WHERE in_frontier AND"),
    reads("once for a list that was edited", "UPDATE url INDEXED BY frontier SET in_frontier = 0, outcome ="),
    reads("once for a list that was edited", "UPDATE url SET unlisted_by = ?1, relisted_by = NULL"),
    reads("once for a list that was edited", "UPDATE url SET file_id = first.file_id"),
    reads("pages whose links wait to be followed, once", "SELECT count(*) FROM to_follow"),
    reads("pages whose links wait in vain, once", "DELETE FROM to_follow"),
    reads("the next few of them", "SELECT url_id FROM to_follow"),
    reads("pages that count as another, once at the end of a run", "SELECT count(*) FROM same_page s"),
    reads("the one row of scope", "SELECT kind FROM scope"),
    reads("once for another scope", "DELETE FROM scope"),
    reads("once for other budgets, or for a run with some", "DELETE FROM spent"),
    reads("once for another scope", "SELECT url FROM url WHERE file_id IS NOT NULL AND host_id <> 0"),
    sorts("versions of one page", "SELECT body_id, max(fetched_at) FROM past_page INDEXED BY past_url"),
    sorts("fetches of one page", "SELECT h.outcome, NULL, b.bytes, b.hash, b.zstd FROM past_page h"),
    // Its end, and prune: bodies that nobody has any more.
    reads("stops at the first", "SELECT EXISTS (SELECT 1 FROM loose_body)"),
    reads("the loose ones, once", "DELETE FROM loose_body WHERE EXISTS"),
    reads(
        "pages, once, if there is a loose one",
        "DELETE FROM loose_body WHERE body_id IN (SELECT p.body_id FROM page p",
    ),
    reads("the next few of those that go", "SELECT body_id, coalesce(length(zstd), 0) FROM loose_body"),
    reads("prune looks at every body once", "INSERT OR IGNORE INTO loose_body(body_id) SELECT body_id FROM body WHERE"),
    reads("prune looks at every request once", "DELETE FROM request WHERE started_us < ?1"),
    // Its summary, and status.
    sorts(
        "pages of the run by error, of which there are few kinds",
        "SELECT coalesce(error, 'http_' || status), count(*) FROM page",
    ),
    sorts(
        "items by collection, of which there are few",
        "SELECT collection_id, count(*) FROM item INDEXED BY item_key",
    ),
    sorts("URLs that were found, by kinds, once at the end of a run that follows", "SELECT f.kind, u.kind, count(*)"),
    sorts("traps, of which there are seven, likewise", "SELECT error_message, count(*) FROM page WHERE error = 'trap'"),
    reads("problems of the run, counted", "SELECT count(*) FROM extract_problem WHERE run_id = ?1"),
    sorts(
        "the slowest hosts",
        "SELECT name, fetched, failed, elapsed_ms / (fetched + failed) FROM host WHERE fetched + failed > 0",
    ),
    sorts(
        "the hosts that fail most",
        "SELECT name, fetched, failed, elapsed_ms / (fetched + failed) FROM host WHERE failed > 0",
    ),
    reads(
        "stops at the first",
        "SELECT EXISTS (SELECT 1 FROM page WHERE run_id = ?1 AND outcome = 0 AND NOT not_modified)",
    ),
    reads("the latest run", "SELECT r.run_id, v.started_at, v.ended_at"),
    reads("the collections", "WITH earlier AS MATERIALIZED"),
    reads("the one row of alike", "SELECT near_duplicates, soft_404 FROM alike"),
    sorts("mirrors, the few that are named", "SELECT (SELECT h.name FROM host h WHERE h.host_id = m.host_id)"),
    sorts("hosts that repeat themselves, likewise", "SELECT (SELECT h.name FROM host h WHERE h.host_id = q.host_id)"),
    // Pages held against each other, at the end of a run in which some have changed.
    reads("the one row of alike", "SELECT is_stale OR reading"),
    reads("the one row of alike", "UPDATE alike SET is_stale"),
    reads("what was found before", "DELETE FROM near_duplicate"),
    reads("what was found before", "DELETE FROM mirror"),
    reads("what was found before", "DELETE FROM quiet_host"),
    sorts("pages by host", "SELECT u.host_id, p.url_id, p.outcome, p.likeness"),
    sorts("bodies with the hosts that have them", "SELECT p.body_id, u.host_id, count(*) FROM page p"),
    reads("once a run: what an earlier one knew", "DELETE FROM known_text"),
    reads("hosts, once a run", "UPDATE host SET nothing_new = 0 WHERE nothing_new <> 0"),
    // Why: a request costs a crawl no index.
    sorts(
        "requests, of which those of one URL are sorted",
        "SELECT r.attempt, r.kind, r.url, (SELECT h.name FROM host h",
    ),
    reads("lines", "SELECT (SELECT f.name FROM file f WHERE f.file_id = i.file_id), i.line"),
    // Audit: everything is held against everything.
    sorts(
        "requests of each host in their order",
        "SELECT host_id, started_us, elapsed_ms, gap_ms, url_id FROM request",
    ),
    sorts("requests in their order", "SELECT started_us FROM request WHERE run_id = ?1"),
    reads("every line", "SELECT count(*) FROM input"),
    reads("every URL and page", "SELECT count(*) FROM (SELECT url_id FROM"),
    reads("every page", "SELECT count(*) FROM page WHERE url_id NOT IN"),
    // Links: places within pages are looked for in every stored page.
    reads(
        "stored pages in the order of their numbers",
        "SELECT u.url_id, u.url, p.final_url, p.content_type, p.body_id",
    ),
    // Report: a whole site, once.
    reads("every page, for all that is said of them", "SELECT p.outcome, p.status, p.error, p.elapsed_ms, p.redirects"),
    sorts("titles, so that equal ones come together", "SELECT p.title, p.url_id FROM page p"),
    sorts("near-duplicates by the page that came first", "SELECT (SELECT o.url FROM url o WHERE o.url_id = d.of_id)"),
    sorts("descriptions, so that equal ones come together", "SELECT p.description, p.url_id FROM page p"),
    sorts("targets of broken links, of which the first few are kept", "SELECT u.url, b.url_id, b.pages, p.outcome"),
    // Diff: pages in the order of their ids.
    reads(
        "URLs that can differ",
        "SELECT u.url_id FROM url u LEFT JOIN page p ON p.url_id = u.url_id WHERE (p.run_id IS NULL",
    ),
    reads("items with a key", "SELECT i.url_id, i.collection_id, coalesce(i.first_run, i.run_id), i.last_seen"),
    sorts(
        "items without a key, and those of them that went between the runs",
        "SELECT i.url_id, i.collection_id, i.number, coalesce(i.first_run",
    ),
    // Exports, and what users ask of the views.
    sorts("rows of a table, sorted if they are split by host or run", "SELECT \""),
    reads("a whole view", "SELECT * FROM "),
    reads(
        "every URL, as the nodes of a graph",
        "SELECT u.url_id, u.url, u.depth, p.title, p.status, p.outcome FROM url u",
    ),
    reads("a bit for each URL that has ended", "SELECT url_id FROM url WHERE outcome IS NOT NULL ORDER BY url_id"),
    // Extract: once for all pages, over what was found on them.
    reads("bodies are counted once", "SELECT count(*) FILTER (WHERE b.zstd IS NOT NULL)"),
    reads("pages a condition names", "INSERT INTO temp.wanted"),
    reads("items found", "UPDATE temp.fresh SET item_id"),
    reads("items found", "INSERT INTO temp.added"),
    reads("items found", "INSERT INTO temp.winner"),
    reads("items found", "INSERT INTO temp.changed"),
    reads("items that were there", "INSERT INTO temp.removed"),
    reads("items that are another now", "UPDATE item SET data = f.data"),
    reads("items that go", "DELETE FROM item WHERE item_id IN (SELECT item_id FROM temp.removed"),
    reads(
        "items that are new",
        "INSERT INTO item(collection_id, key, url_id, number, run_id, data, first_seen, last_seen, first_run) SELECT",
    ),
    reads(
        "problems found",
        "INSERT INTO extract_problem(url_id, run_id, collection_id, number, field, kind, found) SELECT",
    ),
    reads("texts found", "INSERT INTO page_extra(url_id, metadata, text, markdown, tables) SELECT"),
    reads("pages, of which some could not be read", "UPDATE page SET etag = NULL"),
    reads("pages read", "DELETE FROM field_rate WHERE run_id IN"),
    sorts("rates of a host's fields", "INSERT INTO field_rate(run_id, collection_id, host_id, counts) SELECT"),
    reads("a count for the report", "SELECT count(*) FROM temp."),
    reads("a count for the report", "SELECT count(*) FROM item WHERE collection_id = ?1"),
    reads("what was counted, for the report", "SELECT name, of_items, found FROM temp.rate"),
    reads("the first few that differ", "SELECT u.url, NULL, f.data FROM temp.added"),
    reads("the first few that differ", "SELECT u.url, i.data, NULL FROM temp.removed"),
    reads("the first few that differ", "SELECT u.url, i.data, f.data FROM temp.changed"),
    // Process: how much there is to do, at the start.
    reads("pages without a mark", "SELECT count(*) FROM url u WHERE u.outcome = 0"),
    reads("items without a mark", "SELECT count(*) FROM item t"),
    // Merge: all of a store, once, from table to table.
    reads("stops at the first", "SELECT EXISTS (SELECT 1 FROM past_page) OR EXISTS (SELECT 1 FROM same_fetch)"),
    reads("every URL", "SELECT url_id, key, url, host_id, outcome, attempts, due_at"),
    reads("every host, if a store is split", "SELECT host_id, name FROM host ORDER BY host_id"),
    reads("every line", "SELECT i.file_id, i.line, i.raw_url, i.columns, i.url_id, u.url"),
    reads("every item", "SELECT item_id, collection_id, key, url_id, number, run_id, data, first_seen"),
    reads("every item that said something else", "SELECT item_id, run_id, data, seen_at, replaced_by FROM past_item"),
    reads("every item that is gone", "SELECT item_id, collection_id, url_id, number, run_id, data, first_run, gone_by"),
    reads("every item that is gone, before", "INSERT OR IGNORE INTO temp.known_gone SELECT"),
    reads("every mark", "SELECT DISTINCT collection_id FROM processed"),
    reads("every mark", "SELECT collection_id, record, version, items, failed FROM processed"),
    reads("every request", "SELECT url_id, run_id, host_id, url, kind, attempt, is_last, started_us"),
    reads("every robots.txt", "SELECT origin, run_id, fetched_at, final_url, status, error, error_message"),
    reads("every root of the scope", "SELECT root FROM scope_root"),
    reads("every rate", "SELECT run_id, collection_id, host_id, counts FROM field_rate"),
    reads("pages that count as another", "SELECT url_id, same_as FROM same_page"),
    reads("URLs that were there before", "SELECT source_id, url_id FROM temp.moved_url"),
    // Retry: over the URLs that are pending again.
    reads("pages a condition names", "SELECT count(*) FROM pages WHERE outcome <> 'rejected'"),
    reads("pages a condition names", "INSERT INTO temp.again"),
    sorts("runs they are of", "SELECT DISTINCT run_id FROM temp.again"),
    sorts("hosts they are of", "SELECT host_id, count(*) FILTER"),
    reads("outcomes they had", "WITH of_run AS MATERIALIZED"),
    reads("outcomes they had", "UPDATE total SET urls = urls - (SELECT count(*) FROM temp.again WHERE outcome = ?1)"),
    reads("each of them, up to the first that is beyond a budget", "DELETE FROM order_rule WHERE kind IN"),
    reads("each of them", "SELECT url_id, is_history FROM temp.again"),
];
