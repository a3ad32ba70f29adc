-- What is found while rules are applied again, until it is compared. Gone with the connection.
PRAGMA temp.journal_mode = off;
PRAGMA temp.synchronous = off;

-- The collections of the config, by their order there; NULL: the store does not know it.
CREATE TEMP TABLE declared(number INTEGER PRIMARY KEY, collection_id INTEGER);
CREATE INDEX temp.declared_id ON declared(collection_id);
-- The pages a condition names.
CREATE TEMP TABLE wanted(url_id INTEGER PRIMARY KEY);
-- The pages that were read.
CREATE TEMP TABLE page_read(url_id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL, fetched_at INTEGER NOT NULL);
-- Items as the rules have them now.
CREATE TEMP TABLE fresh(
  fresh_id   INTEGER PRIMARY KEY,
  collection INTEGER NOT NULL,
  key        BLOB,
  url_id     INTEGER NOT NULL,
  number     INTEGER NOT NULL,
  run_id     INTEGER NOT NULL,
  data       TEXT NOT NULL,
  first_seen INTEGER NOT NULL,
  last_seen  INTEGER NOT NULL,
  first_run  INTEGER NOT NULL,               -- the first run that had one of its pages
  item_id    INTEGER                         -- the same item in the store
);
CREATE UNIQUE INDEX temp.fresh_key ON fresh(collection, key) WHERE key IS NOT NULL;
CREATE TEMP TABLE problem(
  url_id     INTEGER NOT NULL,
  run_id     INTEGER NOT NULL,
  collection INTEGER NOT NULL,
  number     INTEGER,
  field      TEXT NOT NULL,
  kind       INTEGER NOT NULL,
  found      TEXT NOT NULL
);
CREATE TEMP TABLE rate(
  run_id     INTEGER NOT NULL,
  collection INTEGER NOT NULL,
  host_id    INTEGER NOT NULL,
  field      INTEGER NOT NULL,              -- 0: the collection as a whole, then its fields
  name       TEXT NOT NULL,
  of_items   INTEGER NOT NULL,
  found      INTEGER NOT NULL,
  PRIMARY KEY(run_id, collection, host_id, field)
) WITHOUT ROWID;

-- What else pages say; NULL: it was not asked for.
CREATE TEMP TABLE extra(url_id INTEGER PRIMARY KEY, metadata TEXT, text TEXT, markdown TEXT, tables TEXT);

-- The difference.
CREATE TEMP TABLE added(fresh_id INTEGER PRIMARY KEY, collection INTEGER NOT NULL);
CREATE TEMP TABLE removed(item_id INTEGER PRIMARY KEY, collection INTEGER NOT NULL);
CREATE TEMP TABLE changed(fresh_id INTEGER PRIMARY KEY, collection INTEGER NOT NULL);
CREATE TEMP TABLE winner(
  fresh_id   INTEGER PRIMARY KEY,
  item_id    INTEGER NOT NULL,
  collection INTEGER NOT NULL,
  differs    INTEGER NOT NULL
);
