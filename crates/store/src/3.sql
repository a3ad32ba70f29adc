-- Version 3: what rules find on pages, what pages say beyond that, and the headers of answers.

-- Collections, as last declared.
CREATE TABLE collection(
  collection_id INTEGER PRIMARY KEY,
  name          TEXT NOT NULL UNIQUE,
  declared      TEXT NOT NULL                -- JSON: Collection in record/items.rs
);

-- One row per record. With a key it is the same record on whatever page it is found, and says what the page fetched
-- last said of it; without, it belongs to its page and its place there.
CREATE TABLE item(
  -- Never reused: what was noted of an item that is gone is not of another.
  item_id       INTEGER PRIMARY KEY AUTOINCREMENT,
  collection_id INTEGER NOT NULL REFERENCES collection,
  key           BLOB,                        -- 16 bytes, see record/items.rs
  url_id        INTEGER NOT NULL,
  number        INTEGER NOT NULL,            -- on its page, from 0
  run_id        INTEGER NOT NULL REFERENCES run,
  data          TEXT NOT NULL,               -- JSON object
  first_seen    INTEGER NOT NULL,
  last_seen     INTEGER NOT NULL
);
CREATE UNIQUE INDEX item_key ON item(collection_id, key) WHERE key IS NOT NULL;
CREATE UNIQUE INDEX item_place ON item(url_id, collection_id, number) WHERE key IS NULL;

-- What was not as a rule says.
CREATE TABLE extract_problem(
  problem_id    INTEGER PRIMARY KEY,
  url_id        INTEGER NOT NULL,
  run_id        INTEGER NOT NULL REFERENCES run,
  collection_id INTEGER NOT NULL REFERENCES collection,
  number        INTEGER,                     -- item on the page, from 0; NULL: the page as a whole
  field         TEXT NOT NULL,
  kind          INTEGER NOT NULL,            -- see ProblemKind in record/items.rs
  found         TEXT NOT NULL
);
CREATE INDEX extract_problem_url ON extract_problem(url_id);

-- How often each field was found, run by run and host by host; one row to write instead of one a field.
CREATE TABLE field_rate(
  run_id        INTEGER NOT NULL,
  collection_id INTEGER NOT NULL,
  host_id       INTEGER NOT NULL,
  -- JSON object: field -> [items that could have it, items that had it]; under '' pages that matched, and those of
  -- them with an item.
  counts        TEXT NOT NULL,
  PRIMARY KEY(run_id, collection_id, host_id)
) WITHOUT ROWID;

-- What was asked for with --metadata, --text, --markdown, --tables.
CREATE TABLE page_extra(
  url_id   INTEGER PRIMARY KEY REFERENCES url,
  metadata TEXT,                             -- JSON object
  text     TEXT,
  markdown TEXT,
  tables   TEXT                              -- JSON: array of tables, a table an array of rows, a row of strings
);

-- Header lines of the answer, "name: value" each ended by CR LF, values as they came. Compressed with zstd and a
-- dictionary, see record/headers.rs. NULL: not kept.
ALTER TABLE request ADD COLUMN headers BLOB;

-- Where in an archive (--from-warc) its answer is; NULL: in the network.
ALTER TABLE url ADD COLUMN archived_at INTEGER;
-- Of an answer that was recorded without its payload (a revisit): where the record with the payload is.
ALTER TABLE url ADD COLUMN payload_at INTEGER;

-- Which records a processor has had: written with the items of its answer.
CREATE TABLE processed(
  collection_id INTEGER NOT NULL,            -- of its answers
  record        INTEGER NOT NULL,            -- a URL's id or an item's
  version       INTEGER NOT NULL,            -- of a page when it was fetched, of an item a hash of its data
  items         INTEGER NOT NULL,            -- in the answer
  failed        INTEGER NOT NULL,            -- it had no answer: extract_problem says why
  PRIMARY KEY(collection_id, record)
) WITHOUT ROWID;
