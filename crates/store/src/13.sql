-- Version 13: URLs of a host in an order, and budgets of what pages name.

-- The negative of the priority: of a host, lower ones are asked for first.
ALTER TABLE url ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;
DROP INDEX frontier;
CREATE INDEX frontier ON url(host_id, rank) WHERE in_frontier;

-- The rules that the ranks and the counts below are by ('priorities', 'budgets').
CREATE TABLE order_rule(kind TEXT PRIMARY KEY, rules TEXT NOT NULL) WITHOUT ROWID;

-- URLs that count against a budget; host 0: against one of the whole crawl.
CREATE TABLE spent(
  host_id INTEGER NOT NULL,
  budget  TEXT NOT NULL,
  urls    INTEGER NOT NULL,
  PRIMARY KEY(host_id, budget)
) WITHOUT ROWID;
