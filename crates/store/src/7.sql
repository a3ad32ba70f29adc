-- Version 7: the keys of URLs are looked up host by host. Lists name many URLs of a host together, and new hosts come last
-- in the index: most keys of a long list go to the end of it or beside one another.

-- Views name the table that is about to be gone for a moment, users' own ones too.
PRAGMA legacy_alter_table = ON;

-- One row per normalised URL (or per distinct text that is no URL, with outcome "rejected").
CREATE TABLE url_7(
  -- Never reused: a record of a URL that was deleted meanwhile must find nothing.
  url_id   INTEGER PRIMARY KEY AUTOINCREMENT,
  key      BLOB NOT NULL,                    -- 12 bytes, see record.rs; unique for its host
  url      TEXT NOT NULL,
  host_id  INTEGER NOT NULL,                 -- 0: it has none
  outcome  INTEGER,                          -- see Outcome in record.rs; NULL: pending
  attempts INTEGER NOT NULL DEFAULT 0,
  due_at   INTEGER NOT NULL DEFAULT 0,       -- not to be tried before
  depth    INTEGER NOT NULL DEFAULT 0,       -- 0: named by a list
  file_id  INTEGER REFERENCES file,          -- the first input line that named it
  line     INTEGER,
  forgiven INTEGER NOT NULL DEFAULT 0,       -- attempts before it was last made pending again
  archived_at  INTEGER,                      -- byte of the archive at which its answer begins
  payload_at   INTEGER,                      -- if that is a revisit: that of the record with its payload
  unlisted_by  INTEGER,                      -- the last run whose lists named it no more
  relisted_by  INTEGER                       -- the run after that whose lists named it again
);
-- Keys were hashes of 16 bytes, in version 6 four of the host's hash and twelve of these.
INSERT INTO url_7(url_id, key, url, host_id, outcome, attempts, due_at, depth, file_id, line, forgiven, archived_at,
                  payload_at, unlisted_by, relisted_by)
SELECT url_id, substr(key, iif((SELECT user_version FROM pragma_user_version) = 6, 5, 1), 12), url, coalesce(host_id, 0),
       outcome, attempts, due_at, depth, file_id, line, forgiven, archived_at, payload_at, unlisted_by, relisted_by
FROM url ORDER BY url_id;
-- Ids that were given and deleted since stay given.
DELETE FROM sqlite_sequence WHERE name = 'url_7';
UPDATE sqlite_sequence SET name = 'url_7' WHERE name = 'url';
DROP TABLE url;
ALTER TABLE url_7 RENAME TO url;
CREATE UNIQUE INDEX url_key ON url(host_id, key);
-- By host and id: an index ends with the id of its row.
CREATE INDEX frontier ON url(host_id) WHERE outcome IS NULL;

PRAGMA legacy_alter_table = OFF;
