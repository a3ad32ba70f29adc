//! The program as its users see it, and who may use whom within it: one binary, a module for each subject.

mod support;

mod answers;
mod architecture;
mod archive;
mod backpressure;
mod budgets;
mod citizen;
mod crawl;
mod diff;
mod disk;
mod docs;
mod down;
mod export;
mod extract_verb;
mod hostile;
mod items;
mod json_log;
mod kills;
mod lanes;
mod lists;
mod lock;
mod notify;
mod operators;
mod outage;
mod politeness;
mod processors;
mod recrawl;
mod robots;
mod schedule;
mod signals;
mod try_verb;
mod verbs;
