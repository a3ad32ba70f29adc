-- Version 5: what differs from run to run, and when a page is due again.

-- The run that found it first.
ALTER TABLE item ADD COLUMN first_run INTEGER;
UPDATE item SET first_run =
  coalesce((SELECT max(run_id) FROM run WHERE started_at <= item.first_seen AND run_id <= item.run_id), run_id);

-- The run that found something else in its place; NULL: the next one.
ALTER TABLE past_item ADD COLUMN replaced_by INTEGER;

-- Items without a key that their page has no more. Those with a key stay in item, as their last page had them.
CREATE TABLE gone_item(
  item_id       INTEGER PRIMARY KEY,
  collection_id INTEGER NOT NULL,
  url_id        INTEGER NOT NULL,
  number        INTEGER NOT NULL,            -- on its page, from 0
  run_id        INTEGER NOT NULL,            -- that last found it
  data          TEXT NOT NULL,
  first_run     INTEGER NOT NULL,
  gone_by       INTEGER NOT NULL             -- the run that found it no more
);
CREATE INDEX gone_item_run ON gone_item(gone_by);

-- The last run whose lists named it no more; NULL: there was none.
ALTER TABLE url ADD COLUMN unlisted_by INTEGER;
-- The run after that whose lists named it again; NULL: none has so far.
ALTER TABLE url ADD COLUMN relisted_by INTEGER;

-- With --revisit adaptive: how long after a fetch it is due again; NULL: not known yet.
ALTER TABLE page ADD COLUMN revisit_ms INTEGER;

-- Bodies that may be nobody's any more: looked through at the end of a run.
CREATE TABLE loose_body(body_id INTEGER PRIMARY KEY);
CREATE INDEX past_body ON past_page(body_id) WHERE body_id IS NOT NULL;
