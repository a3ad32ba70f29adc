-- Version 14: a page may count as another, which it names as its canonical one.

-- Filled where users want it (`canonical`). Whether it holds depends on the other page too: see the view `pages`.
CREATE TABLE same_page(url_id INTEGER PRIMARY KEY, same_as INTEGER NOT NULL);
