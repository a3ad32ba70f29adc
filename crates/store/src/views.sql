-- The stable SQL surface: columns are added, never renamed or removed without a note and a migration.
--
-- CROSS JOIN says in which order tables are read, whatever statistics say: the left one first. Names of files, hosts and
-- collections are looked up one by one: where statistics count few of them, a join would go through all of them.
DROP VIEW IF EXISTS pages;
DROP VIEW IF EXISTS inputs;
DROP VIEW IF EXISTS links;
DROP VIEW IF EXISTS runs;
DROP VIEW IF EXISTS requests;
DROP VIEW IF EXISTS attempts;
DROP VIEW IF EXISTS robots_files;
DROP VIEW IF EXISTS items;
DROP VIEW IF EXISTS extract_problems;
DROP VIEW IF EXISTS field_rates;
DROP VIEW IF EXISTS tables;
DROP VIEW IF EXISTS history;
DROP VIEW IF EXISTS near_duplicates;

CREATE VIEW pages AS
SELECT u.url_id, u.url,
       (SELECT f.name FROM file f WHERE f.file_id = u.file_id) AS input_file, u.line AS input_line, i.columns AS input_columns,
       CASE WHEN p.outcome <> 3 THEN coalesce(p.final_url, u.url) END AS final_url,
       CASE p.outcome WHEN 0 THEN 'ok' WHEN 1 THEN 'http_error' WHEN 2 THEN 'failed'
                      WHEN 3 THEN 'rejected' WHEN 4 THEN 'quarantined'
                      WHEN 5 THEN 'robots_denied' WHEN 6 THEN 'skipped' END AS outcome,
       p.status, p.error, p.error_message,
       p.title, p.h1, p.description, p.canonical, p.lang,
       p.content_type, p.charset, b.bytes AS body_bytes, CASE WHEN b.hash IS NOT NULL THEN lower(hex(b.hash)) END AS body_hash,
       strftime('%Y-%m-%dT%H:%M:%S', p.fetched_at / 1000, 'unixepoch') || printf('.%03dZ', p.fetched_at % 1000) AS fetched_at,
       p.elapsed_ms, u.attempts, u.depth, p.run_id, p.redirects, p.meta_robots,
       e.metadata, e.text, e.markdown, p.changed,
       CASE u.kind WHEN 0 THEN 'page' WHEN 1 THEN 'sitemap' WHEN 2 THEN 'feed' WHEN 3 THEN 'asset' END AS kind,
       (SELECT w.url FROM url w WHERE w.url_id = u.found_on) AS found_on,
       strftime('%Y-%m-%dT%H:%M:%S', u.changed_at / 1000, 'unixepoch') || printf('.%03dZ', u.changed_at % 1000) AS lastmod,
       -- Only what is there itself, and counts as no other: so no canonical URL makes a page disappear behind nothing.
       (SELECT w.url FROM same_page s CROSS JOIN page o ON o.url_id = s.same_as CROSS JOIN url w ON w.url_id = s.same_as
        WHERE s.url_id = u.url_id AND o.outcome = 0
          AND NOT EXISTS (SELECT 1 FROM same_page n WHERE n.url_id = s.same_as)) AS same_as,
       CASE p.soft_404 WHEN 1 THEN 'says_so' WHEN 2 THEN 'like_404' END AS soft_404
FROM url u
CROSS JOIN page p ON p.url_id = u.url_id
LEFT JOIN input i ON i.file_id = u.file_id AND i.line = u.line
LEFT JOIN body b ON b.body_id = p.body_id
LEFT JOIN page_extra e ON e.url_id = u.url_id;

CREATE VIEW inputs AS
SELECT (SELECT f.name FROM file f WHERE f.file_id = i.file_id) AS file, i.line, coalesce(i.raw_url, u.url) AS raw_url, i.columns, i.url_id,
       CASE u.outcome WHEN 0 THEN 'ok' WHEN 1 THEN 'http_error' WHEN 2 THEN 'failed'
                      WHEN 3 THEN 'rejected' WHEN 4 THEN 'quarantined'
                      WHEN 5 THEN 'robots_denied' WHEN 6 THEN 'skipped' ELSE 'pending' END AS outcome,
       CASE WHEN u.outcome = 3 THEN p.error_message END AS reason
FROM input i
CROSS JOIN url u ON u.url_id = i.url_id
LEFT JOIN page p ON p.url_id = i.url_id AND u.outcome = 3;

CREATE VIEW links AS
SELECT from_url, to_url, text, rel, url_id,
       CASE element WHEN 1 THEN 'area' WHEN 2 THEN 'iframe' WHEN 3 THEN 'link' WHEN 4 THEN 'refresh' WHEN 5 THEN 'header'
                    WHEN 6 THEN 'img' WHEN 7 THEN 'script' WHEN 8 THEN 'style' WHEN 9 THEN 'entry' WHEN 10 THEN 'sitemap'
                    WHEN 11 THEN 'media'
                    ELSE 'a' END AS element,
       -- The hosts, with their ports: what lies between the second slash and the third.
       substr(to_url, instr(to_url, '//') + 2, instr(substr(to_url, instr(to_url, '//') + 2) || '/', '/') - 1)
         = substr(from_url, instr(from_url, '//') + 2, instr(substr(from_url, instr(from_url, '//') + 2) || '/', '/') - 1)
         AS internal,
       ' ' || lower(rel) || ' ' LIKE '% nofollow %' AS nofollow
FROM (SELECT u.url AS from_url, substr(u.url, 1, coalesce(l.value ->> 3, 0)) || (l.value ->> 0) AS to_url,
             l.value ->> 1 AS text, l.value ->> 2 AS rel, u.url_id, l.value ->> 4 AS element
      FROM url u
      CROSS JOIN page_link k ON k.url_id = u.url_id
      CROSS JOIN json_each(k.links) l
      -- True of all, and in no index: so the table is read in its order, and not an index that has all else that is asked for.
      WHERE u.depth >= 0);

CREATE VIEW runs AS
SELECT run_id,
       strftime('%Y-%m-%dT%H:%M:%S', started_at / 1000, 'unixepoch') || printf('.%03dZ', started_at % 1000) AS started_at,
       strftime('%Y-%m-%dT%H:%M:%S', ended_at / 1000, 'unixepoch') || printf('.%03dZ', ended_at % 1000) AS ended_at,
       ended_by, urls, ok, http_error, failed, rejected, quarantined, bytes, seine_version, config, robots_denied, skipped
FROM run;

CREATE VIEW requests AS
SELECT r.request_id, r.url_id, u.url, (SELECT h.name FROM host h WHERE h.host_id = r.host_id) AS host, coalesce(r.url, u.url) AS requested_url,
       CASE r.kind WHEN 0 THEN 'page' ELSE 'robots' END AS kind, r.attempt,
       strftime('%Y-%m-%dT%H:%M:%S', r.started_us / 1000000, 'unixepoch') || printf('.%06dZ', r.started_us % 1000000) AS started_at,
       r.status, r.error, r.elapsed_ms, r.bytes, r.remote_ip,
       CASE r.http_version WHEN 10 THEN 'HTTP/1.0' WHEN 11 THEN 'HTTP/1.1' WHEN 20 THEN 'HTTP/2' END AS http_version,
       r.gap_ms, r.run_id
FROM request r
LEFT JOIN url u ON u.url_id = r.url_id;

CREATE VIEW attempts AS
SELECT u.url, r.attempt,
       strftime('%Y-%m-%dT%H:%M:%S', r.started_us / 1000000, 'unixepoch') || printf('.%06dZ', r.started_us % 1000000) AS started_at,
       r.status, r.error, r.elapsed_ms, r.bytes, r.remote_ip,
       CASE r.http_version WHEN 10 THEN 'HTTP/1.0' WHEN 11 THEN 'HTTP/1.1' WHEN 20 THEN 'HTTP/2' END AS http_version,
       r.url_id, r.run_id, r.request_id
FROM request r
LEFT JOIN url u ON u.url_id = r.url_id
WHERE r.is_last AND EXISTS (SELECT 1 FROM url w WHERE w.url_id = r.url_id);

CREATE VIEW robots_files AS
SELECT origin,
       strftime('%Y-%m-%dT%H:%M:%S', fetched_at / 1000, 'unixepoch') || printf('.%03dZ', fetched_at % 1000) AS fetched_at,
       final_url, status, error, error_message, bytes, crawl_delay_ms / 1000.0 AS crawl_delay_s, sitemaps, run_id
FROM robots;

-- Each collection has a view of its own beside this one, a column for each of its fields; see store/collections.rs.
CREATE VIEW items AS
SELECT t.item_id, (SELECT c.name FROM collection c WHERE c.collection_id = t.collection_id) AS collection, u.url, t.run_id, t.data,
       strftime('%Y-%m-%dT%H:%M:%S', t.first_seen / 1000, 'unixepoch') || printf('.%03dZ', t.first_seen % 1000) AS first_seen,
       strftime('%Y-%m-%dT%H:%M:%S', t.seen_at / 1000, 'unixepoch') || printf('.%03dZ', t.seen_at % 1000) AS last_seen
-- It is seen too when its page is asked for and has not been modified.
FROM (SELECT i.*, iif(i.last_seen >= coalesce(p.content_at, p.fetched_at), p.fetched_at, i.last_seen) AS seen_at
      FROM item i LEFT JOIN page p ON p.url_id = i.url_id) t
LEFT JOIN url u ON u.url_id = t.url_id;

CREATE VIEW extract_problems AS
SELECT u.url, (SELECT c.name FROM collection c WHERE c.collection_id = p.collection_id) AS collection, p.number AS item, p.field,
       CASE p.kind WHEN 0 THEN 'missing' WHEN 1 THEN 'unparsable' WHEN 2 THEN 'not_readable' WHEN 3 THEN 'too_many'
                   WHEN 4 THEN 'processor' END AS problem,
       p.found, p.run_id, p.problem_id
FROM extract_problem p
CROSS JOIN url u ON u.url_id = p.url_id;

CREATE VIEW field_rates AS
SELECT f.run_id, (SELECT c.name FROM collection c WHERE c.collection_id = f.collection_id) AS collection,
       (SELECT h.name FROM host h WHERE h.host_id = f.host_id) AS host, n.key AS field, n.value ->> 0 AS of_items, n.value ->> 1 AS found,
       round(CAST(n.value ->> 1 AS REAL) / (n.value ->> 0), 4) AS rate
FROM field_rate f
CROSS JOIN json_each(f.counts) n;

CREATE VIEW tables AS
SELECT u.url, t.key + 1 AS table_number, r.key + 1 AS row_number, r.value AS cells, u.url_id
FROM url u
CROSS JOIN page_extra e ON e.url_id = u.url_id
CROSS JOIN json_each(e.tables) t
CROSS JOIN json_each(t.value) r
-- As in links.
WHERE u.depth >= 0;

-- Every fetch of every URL: the one in page, those of past_page, and those before each of them that found the same. (These
-- are looked up by their ids, whatever is asked for: no index of their runs is to be made first.)
CREATE VIEW history AS
SELECT f.url, f.run_id,
       CASE f.outcome WHEN 0 THEN 'ok' WHEN 1 THEN 'http_error' WHEN 2 THEN 'failed'
                      WHEN 3 THEN 'rejected' WHEN 4 THEN 'quarantined'
                      WHEN 5 THEN 'robots_denied' WHEN 6 THEN 'skipped' END AS outcome,
       iif(f.not_modified, 304, f.status) AS status, f.error, f.changed, f.not_modified, lower(hex(f.body_hash)) AS body_hash,
       f.bytes AS body_bytes,
       strftime('%Y-%m-%dT%H:%M:%S', f.fetched_at / 1000, 'unixepoch') || printf('.%03dZ', f.fetched_at % 1000) AS fetched_at,
       f.elapsed_ms, f.title, f.url_id
FROM (
      SELECT u.url, u.url_id, p.run_id, p.outcome, p.status, p.error, p.changed, p.not_modified, b.hash AS body_hash, b.bytes,
             p.fetched_at, p.elapsed_ms, p.title
      FROM url u CROSS JOIN page p ON p.url_id = u.url_id LEFT JOIN body b ON b.body_id = p.body_id
      -- As in links.
      WHERE u.depth >= 0
      UNION ALL
      SELECT u.url, u.url_id, CAST(f.run_id AS INTEGER) AS run_id, p.outcome, p.status, p.error, f.changed, f.not_modified, b.hash, b.bytes,
             f.fetched_at, f.elapsed_ms, p.title
      FROM url u CROSS JOIN page p ON p.url_id = u.url_id
      CROSS JOIN same_fetch f ON p.same_id IS NOT NULL AND f.fetch_id IN (
        WITH RECURSIVE before(fetch_id) AS (
          SELECT p.same_id
          UNION ALL
          SELECT s.before_id FROM before CROSS JOIN same_fetch s ON s.fetch_id = before.fetch_id WHERE s.before_id IS NOT NULL)
        SELECT fetch_id FROM before)
      LEFT JOIN body b ON b.body_id = p.body_id
      WHERE u.depth >= 0
      UNION ALL
      SELECT u.url, u.url_id, h.run_id, h.outcome, h.status, h.error, h.changed, h.not_modified, h.body_hash, h.bytes,
             h.fetched_at, h.elapsed_ms, h.title
      FROM url u CROSS JOIN past_page h ON h.url_id = u.url_id
      WHERE u.depth >= 0
      UNION ALL
      SELECT u.url, u.url_id, CAST(f.run_id AS INTEGER) AS run_id, h.outcome, h.status, h.error, f.changed, f.not_modified, h.body_hash, h.bytes,
             f.fetched_at, f.elapsed_ms, h.title
      FROM url u CROSS JOIN past_page h ON h.url_id = u.url_id
      CROSS JOIN same_fetch f ON h.same_id IS NOT NULL AND f.fetch_id IN (
        WITH RECURSIVE before(fetch_id) AS (
          SELECT h.same_id
          UNION ALL
          SELECT s.before_id FROM before CROSS JOIN same_fetch s ON s.fetch_id = before.fetch_id WHERE s.before_id IS NOT NULL)
        SELECT fetch_id FROM before)
      WHERE u.depth >= 0) f;

-- Found at the end of a run, see store/alike.
CREATE VIEW near_duplicates AS
SELECT u.url, o.url AS of_url, d.distance, u.url_id
FROM near_duplicate d
CROSS JOIN url u ON u.url_id = d.url_id
CROSS JOIN url o ON o.url_id = d.of_id;
