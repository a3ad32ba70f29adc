-- Version 11: what a page writes does not grow with the store. Indexes of which each page would touch another leaf get their
-- entries, and lose them, many at a time and in their order.

-- 1: it is in the index frontier. That is all that are pending, and those in ended_url.
ALTER TABLE url ADD COLUMN in_frontier INTEGER NOT NULL DEFAULT 0;
UPDATE url INDEXED BY frontier SET in_frontier = 1 WHERE outcome IS NULL;
DROP INDEX frontier;
-- By host and id: an index ends with the id of its row.
CREATE INDEX frontier ON url(host_id) WHERE in_frontier;
-- URLs that have their outcome and are in the frontier still.
CREATE TABLE ended_url(url_id INTEGER PRIMARY KEY);

-- Bodies by the first bytes of their hashes: the same bytes are stored once, but for those that chance hides.
CREATE TABLE body_key(
  key     BLOB NOT NULL,                     -- 6 bytes of the hash
  body_id INTEGER NOT NULL,
  PRIMARY KEY(key, body_id)
) WITHOUT ROWID;
INSERT INTO body_key SELECT substr(hash, 1, 6), body_id FROM body ORDER BY hash;
-- The latest ones, which are not there yet.
CREATE TABLE new_body(
  body_id INTEGER PRIMARY KEY,
  key     BLOB NOT NULL
);

-- The index of whole hashes goes, and the bodies stay where they are: it becomes an index like any other, which can be dropped.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'NOT NULL UNIQUE', 'NOT NULL') WHERE type = 'table' AND name = 'body';
UPDATE sqlite_schema SET name = 'body.hash', sql = 'CREATE UNIQUE INDEX "body.hash" ON body(hash)'
  WHERE type = 'index' AND name = 'sqlite_autoindex_body_1';
PRAGMA writable_schema = RESET;
DROP INDEX "body.hash";

-- Items of a page.
CREATE INDEX item_url ON item(url_id);
