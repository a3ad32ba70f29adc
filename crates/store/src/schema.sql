-- The crawl store, version 1. These tables may change with any version (with a migration);
-- what is promised to users are the views in views.sql.
--
-- Nothing here is ever "leased": a URL is pending (outcome NULL) or has its outcome, and the outcome, the page,
-- its links and its body are written in one transaction.

-- One invocation of a crawl and all its resumptions.
CREATE TABLE run(
  run_id        INTEGER PRIMARY KEY,
  started_at    INTEGER NOT NULL,            -- ms of the Unix epoch, as all *_at
  ended_at      INTEGER,                     -- NULL: running, or its processes were killed
  ended_by      TEXT,
  pid           INTEGER NOT NULL,            -- supervisor that holds or held the store
  active_ms     INTEGER NOT NULL DEFAULT 0,  -- time spent running, over all resumptions
  last_at       INTEGER NOT NULL,            -- last commit
  seine_version TEXT NOT NULL,
  config        TEXT NOT NULL,               -- JSON, without secrets
  urls          INTEGER NOT NULL DEFAULT 0,  -- new URLs, rejected ones included
  ok            INTEGER NOT NULL DEFAULT 0,
  http_error    INTEGER NOT NULL DEFAULT 0,
  failed        INTEGER NOT NULL DEFAULT 0,
  rejected      INTEGER NOT NULL DEFAULT 0,
  quarantined   INTEGER NOT NULL DEFAULT 0,
  bytes         INTEGER NOT NULL DEFAULT 0   -- decompressed body bytes
);

-- URL lists.
CREATE TABLE file(
  file_id  INTEGER PRIMARY KEY,
  name     TEXT NOT NULL UNIQUE,             -- as given on the command line
  complete TEXT,                             -- fingerprint of the file that was read to its end
  lines    INTEGER NOT NULL DEFAULT 0        -- line of its last entry
);

-- The unit of politeness, with what is needed to name the slowest and the most failing ones.
CREATE TABLE host(
  host_id    INTEGER PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE,
  fetched    INTEGER NOT NULL DEFAULT 0,     -- URLs that ended in ok or http_error
  failed     INTEGER NOT NULL DEFAULT 0,     -- URLs that ended in failed or quarantined
  elapsed_ms INTEGER NOT NULL DEFAULT 0      -- sum over both
);

-- One row per normalised URL (or per distinct text that is no URL, with outcome "rejected").
CREATE TABLE url(
  -- Never reused: a record of a URL that was deleted meanwhile must find nothing.
  url_id   INTEGER PRIMARY KEY AUTOINCREMENT,
  key      BLOB NOT NULL UNIQUE,             -- 16 bytes, see record.rs
  url      TEXT NOT NULL,
  host_id  INTEGER REFERENCES host,
  outcome  INTEGER,                          -- see Outcome in record.rs; NULL: pending
  attempts INTEGER NOT NULL DEFAULT 0,
  due_at   INTEGER NOT NULL DEFAULT 0,       -- not to be tried before
  depth    INTEGER NOT NULL DEFAULT 0,       -- 0: named by a list
  file_id  INTEGER REFERENCES file,          -- the first input line that named it
  line     INTEGER
);

-- What is still to do, host by host, in the order of the lists.
CREATE INDEX frontier ON url(host_id, url_id) WHERE outcome IS NULL;

-- One row per line of a list.
CREATE TABLE input(
  file_id INTEGER NOT NULL REFERENCES file,
  line    INTEGER NOT NULL,
  raw_url TEXT,                              -- NULL: the normalised URL itself
  columns TEXT,                              -- JSON object of the other columns
  url_id  INTEGER NOT NULL REFERENCES url,
  PRIMARY KEY(file_id, line)
) WITHOUT ROWID;

-- How a URL ended.
CREATE TABLE page(
  url_id        INTEGER PRIMARY KEY REFERENCES url,
  run_id        INTEGER NOT NULL REFERENCES run,
  final_url     TEXT,                        -- NULL: the URL itself
  redirects     TEXT,                        -- JSON array of [url, status]
  status        INTEGER,
  error         TEXT,
  error_message TEXT,
  title         TEXT,
  h1            TEXT,
  description   TEXT,
  canonical     TEXT,
  lang          TEXT,
  content_type  TEXT,
  charset       TEXT,
  body_id       INTEGER REFERENCES body,
  fetched_at    INTEGER NOT NULL,
  elapsed_ms    INTEGER
);

-- The links of a page, as one JSON array (see Links in record/links.rs): one row to write instead of hundreds.
CREATE TABLE page_link(
  url_id INTEGER PRIMARY KEY REFERENCES url,
  links  TEXT NOT NULL
);

-- Response bodies, the same bytes once.
CREATE TABLE body(
  body_id INTEGER PRIMARY KEY,
  hash    BLOB NOT NULL UNIQUE,              -- BLAKE3 of the decompressed bytes
  bytes   INTEGER NOT NULL,                  -- decompressed
  zstd    BLOB                               -- NULL: not kept (--no-store-bodies)
);
