-- Version 9: whether whoever asked for a run knows how it ended, and which runs are those of the demo.

-- The last complete run whose process has come to the end of its work. A later one that is complete too goes on: its
-- process was killed before its exit code was there. One row of a page of its own, written in a process' last moment.
CREATE TABLE told_run(run_id INTEGER NOT NULL);
INSERT INTO told_run SELECT coalesce(max(run_id), 0) FROM run WHERE ended_by = 'completed';

-- 1: of `seine demo`, whose site is gone. A crawl that goes on with it makes it one like any other.
ALTER TABLE run ADD COLUMN demo INTEGER NOT NULL DEFAULT 0;
