-- Version 4: runs that repeat. What a page said when it was fetched before, and what the store holds in all.

-- As of the last fetch: the page stays what it was while its URL is pending again.
ALTER TABLE page ADD COLUMN outcome INTEGER;
UPDATE page SET outcome = (SELECT outcome FROM url WHERE url.url_id = page.url_id);
-- What the answer said by which it can be asked for again, if it came without redirects.
ALTER TABLE page ADD COLUMN etag TEXT;
ALTER TABLE page ADD COLUMN last_modified TEXT;
-- Whether its body differs from that of the fetch before; NULL: there was none.
ALTER TABLE page ADD COLUMN changed INTEGER;
-- 1: the site said that it is as it was (304), and so is all else in this row but when and by which run.
ALTER TABLE page ADD COLUMN not_modified INTEGER NOT NULL DEFAULT 0;
-- Which attempt at its URL that was: a 304 later on is another.
ALTER TABLE page ADD COLUMN attempt INTEGER;
UPDATE page SET attempt = (SELECT attempts FROM url WHERE url.url_id = page.url_id);
-- When it last came with a body; NULL: fetched_at.
ALTER TABLE page ADD COLUMN content_at INTEGER;

-- Fetches of a URL before the one in page: moved here when it is replaced, so that a first crawl pays nothing.
CREATE TABLE past_page(
  url_id       INTEGER NOT NULL,
  run_id       INTEGER NOT NULL,
  outcome      INTEGER NOT NULL,
  status       INTEGER,
  error        TEXT,
  body_id      INTEGER,                      -- NULL: empty, or pruned
  body_hash    BLOB,                         -- stays when the body goes
  bytes        INTEGER,
  changed      INTEGER,
  not_modified INTEGER NOT NULL,
  fetched_at   INTEGER NOT NULL,
  elapsed_ms   INTEGER,
  title        TEXT,
  PRIMARY KEY(url_id, run_id, fetched_at)
) WITHOUT ROWID;

-- What items said before: one row for each change.
CREATE TABLE past_item(
  item_id INTEGER NOT NULL,
  run_id  INTEGER NOT NULL,                  -- the run that found data
  data    TEXT NOT NULL,
  seen_at INTEGER NOT NULL,                  -- when it was last found so
  PRIMARY KEY(item_id, run_id, seen_at)
) WITHOUT ROWID;

-- The run that has read a list to its end.
ALTER TABLE file ADD COLUMN read_in INTEGER;
UPDATE file SET read_in = (SELECT max(run_id) FROM run) WHERE complete IS NOT NULL;

-- Lines of it differ from an earlier reading, and its end was not reached since.
ALTER TABLE file ADD COLUMN relisted INTEGER NOT NULL DEFAULT 0;

-- What of pages a run reads and keeps: rules, extras, bodies. NULL: not known, or not always the same.
ALTER TABLE run ADD COLUMN reading BLOB;

-- URLs that have an outcome, by outcome: the counts of runs are of what each has done.
CREATE TABLE total(outcome INTEGER PRIMARY KEY, urls INTEGER NOT NULL);
INSERT INTO total SELECT outcome, count(*) FROM url WHERE outcome IS NOT NULL GROUP BY 1;
