-- Version 12: a fetch that finds what the one before it found costs a run one short row at the end of a table, and all that
-- becomes history comes last in its table. Before, each fetch had a row of its own among those of its URL, and the longer
-- the history, the more of the file each run had to write again.

-- Views name the table that is about to have another name.
PRAGMA legacy_alter_table = ON;
DROP INDEX past_body;
ALTER TABLE past_page RENAME TO past_page_11;
PRAGMA legacy_alter_table = OFF;

-- What a URL was before it became what is in page: the last of the fetches that found it just so.
CREATE TABLE past_page(
  past_id       INTEGER PRIMARY KEY,         -- of one URL the later, the greater
  url_id        INTEGER NOT NULL,
  run_id        INTEGER NOT NULL,
  outcome       INTEGER NOT NULL,
  status        INTEGER,                     -- of a 304 that of the answer it confirms
  error         TEXT,
  body_id       INTEGER,                     -- NULL: empty, or pruned
  body_hash     BLOB,                        -- stays when the body goes
  bytes         INTEGER,
  changed       INTEGER,
  not_modified  INTEGER NOT NULL,
  fetched_at    INTEGER NOT NULL,
  elapsed_ms    INTEGER,
  title         TEXT,
  since_run     INTEGER,                     -- the run of the first of those fetches; NULL: there was but one
  since_changed INTEGER,                     -- whether that one found another body than the fetch before it
  same_id       INTEGER                      -- the fetch before the last one: of same_fetch
);

-- Fetches that found what the next one of their URL found too: what that was stands in the row of the last of them, in page
-- or past_page, and from there each leads to the one before. So nothing has to be looked up or put in between.
CREATE TABLE same_fetch(
  fetch_id     INTEGER PRIMARY KEY,
  before_id    INTEGER,
  run_id       INTEGER NOT NULL,
  fetched_at   INTEGER NOT NULL,
  elapsed_ms   INTEGER,
  changed      INTEGER,
  not_modified INTEGER NOT NULL
);

-- As of past_page.
ALTER TABLE page ADD COLUMN since_run INTEGER;
ALTER TABLE page ADD COLUMN since_changed INTEGER;
ALTER TABLE page ADD COLUMN same_id INTEGER;
-- The run in which it last came with a body; NULL: run_id.
ALTER TABLE page ADD COLUMN content_run INTEGER;

-- 1: it was so long ago that of its requests only those are left whose answers are pages of now.
ALTER TABLE run ADD COLUMN requests_gone INTEGER NOT NULL DEFAULT 0;
-- Requests of such runs that were forgotten at its end.
ALTER TABLE run ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;
