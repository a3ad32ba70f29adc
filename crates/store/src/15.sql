-- Version 15: pages that say nearly the same, pages that say that they are not there, hosts that bring nothing new.

-- 16 bytes that differ in few bits where pages differ in few words; NULL: too few words, or no HTML.
ALTER TABLE page ADD COLUMN likeness BLOB;
-- With a status that says otherwise: 1: it says that it is not there; 2: it is like an answer of its host with 404.
ALTER TABLE page ADD COLUMN soft_404 INTEGER;

-- What follows is found at the end of a run from what the pages have.
CREATE TABLE near_duplicate(url_id INTEGER PRIMARY KEY, of_id INTEGER NOT NULL, distance INTEGER NOT NULL);
-- Most pages of the host have the same bytes as pages of another.
CREATE TABLE mirror(
  host_id INTEGER PRIMARY KEY,
  of_id   INTEGER NOT NULL,
  same    INTEGER NOT NULL,                  -- pages of the host that the other one has too
  pages   INTEGER NOT NULL                   -- pages of the host
);
-- So many pages, the last ones of the host, say what earlier ones said.
CREATE TABLE quiet_host(host_id INTEGER PRIMARY KEY, pages INTEGER NOT NULL);
-- Whether pages have changed since; how the run read pages; how many were counted.
CREATE TABLE alike(is_stale INTEGER NOT NULL, reading BLOB, near_duplicates INTEGER NOT NULL, soft_404 INTEGER NOT NULL);
INSERT INTO alike VALUES (1, NULL, 0, 0);

-- Texts of a run that ends where nothing new comes (`nothing_new`), by parts of which two that are alike have one in common;
-- part -1: pages without likeness, by their bodies.
CREATE TABLE known_text(
  host_id INTEGER NOT NULL,
  part    INTEGER NOT NULL,
  bits    INTEGER NOT NULL,
  text    BLOB NOT NULL,
  PRIMARY KEY(host_id, part, bits, text)
) WITHOUT ROWID;
-- So many pages of the host, the last ones, brought nothing new.
ALTER TABLE host ADD COLUMN nothing_new INTEGER NOT NULL DEFAULT 0;
