-- Version 2: every request that was made, robots.txt files, and what politeness has to remember.

ALTER TABLE run ADD COLUMN robots_denied INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN skipped INTEGER NOT NULL DEFAULT 0;

-- A list names it; other hosts are those that redirects led to.
ALTER TABLE host ADD COLUMN listed INTEGER NOT NULL DEFAULT 0;
-- It asked (Retry-After) to be left alone until then.
ALTER TABLE host ADD COLUMN hold_until INTEGER NOT NULL DEFAULT 0;
UPDATE host SET listed = 1;

-- Attempts before it was last made pending again; they do not count against --retries.
ALTER TABLE url ADD COLUMN forgiven INTEGER NOT NULL DEFAULT 0;

-- Directives of X-Robots-Tag and <meta name=robots>.
ALTER TABLE page ADD COLUMN meta_robots TEXT;

-- One row per HTTP request, in the order of their records. Only ever appended to, and without an index: a row costs
-- a crawl next to nothing, and those who ask (why, audit) read it from end to end.
CREATE TABLE request(
  request_id INTEGER PRIMARY KEY,
  url_id     INTEGER NOT NULL,                 -- the URL it was made for; gone if an edited list forgot it
  run_id     INTEGER NOT NULL REFERENCES run,
  host_id    INTEGER NOT NULL REFERENCES host, -- the host asked
  url        TEXT,                             -- what was requested; NULL: the URL itself
  kind       INTEGER NOT NULL,                 -- 0 page, 1 robots.txt
  attempt    INTEGER NOT NULL,                 -- at the URL, from 1
  is_last    INTEGER NOT NULL,                 -- the one that ended the attempt
  started_us INTEGER NOT NULL,                 -- microseconds of the Unix epoch
  elapsed_ms INTEGER NOT NULL,
  gap_ms     INTEGER NOT NULL,                 -- smallest gap to the host's request before it that was in force
  status     INTEGER,
  error      TEXT,
  bytes      INTEGER NOT NULL,                 -- of the body, as received
  remote_ip  TEXT,
  http_version INTEGER                         -- 10, 11, 20
);

-- The robots.txt of each origin, as last read.
CREATE TABLE robots(
  robots_id      INTEGER PRIMARY KEY,
  origin         TEXT NOT NULL UNIQUE,         -- scheme, host and port
  run_id         INTEGER NOT NULL REFERENCES run,
  fetched_at     INTEGER NOT NULL,
  final_url      TEXT,                         -- NULL: where it belongs
  status         INTEGER,
  error          TEXT,                         -- why it could not be read
  error_message  TEXT,
  bytes          INTEGER NOT NULL,
  crawl_delay_ms INTEGER,                      -- for us, before any cap
  sitemaps       TEXT,                         -- JSON array
  zstd           BLOB                          -- its text; NULL: empty or not read
);
