-- Version 10: URLs that pages name come into the crawl as well as those of lists.

ALTER TABLE url ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;  -- see UrlKind in protocol/found.rs
ALTER TABLE url ADD COLUMN found_on INTEGER;                 -- the page that named it first; NULL: a list did
ALTER TABLE url ADD COLUMN seen_in INTEGER;                  -- the last run in which a page or a list named it, if links were followed
ALTER TABLE url ADD COLUMN changed_at INTEGER;               -- when it last changed, by its sitemap or feed

-- The texts that listed URLs stand for in the scope: a found URL must have one of them. Filled while links are followed.
CREATE TABLE scope_root(root TEXT PRIMARY KEY) WITHOUT ROWID;
-- The scope they were noted for; another one has others.
CREATE TABLE scope(kind TEXT NOT NULL);

-- Pages of which the stored links are still to be followed: they have not been fetched, or are nearer than was known.
CREATE TABLE to_follow(url_id INTEGER PRIMARY KEY);
