//! Broken links as JUnit's XML, which CI systems show as failed tests: a suite for each page, a case for each link.

use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;

use super::report::{Report, Result};
use crate::console::text::grouped;
use seine_export::target::Output;
use seine_export::xml;
use seine_store::links::{Counts, Link, State};

/// Suites in the making. How many cases a suite has stands at its head, so those of one page are in memory; their number
/// and size are bounded when pages are read.
pub(super) struct Junit {
    output: Output,
    db: PathBuf,
    page: Option<i64>,
    suite: Suite,
}

#[derive(Default)]
struct Suite {
    name: String,
    cases: String,
    tests: u64,
    failures: u64,
}

impl Junit {
    pub fn new(mut output: Output, db: PathBuf) -> Result<Self> {
        writeln!(output, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"seine links\">")?;
        Ok(Self { output, db, page: None, suite: Suite::default() })
    }

    fn end_suite(&mut self) -> Result<()> {
        let Suite { name, cases, tests, failures } = std::mem::take(&mut self.suite);
        if tests == 0 {
            return Ok(());
        }
        let skipped = tests - failures;
        writeln!(
            self.output,
            "<testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\" \
             time=\"0\">\n{cases}</testsuite>"
        )?;
        Ok(())
    }
}

impl Report for Junit {
    fn link(&mut self, link: &Link<'_>) -> Result<()> {
        if self.page.replace(link.page_id) != Some(link.page_id) {
            self.end_suite()?;
            self.suite.name = xml::escaped(&link.from_url);
        }
        let suite = &mut self.suite;
        let (to_url, text, reason) =
            (xml::escaped(&link.to_url), xml::escaped(&link.text), xml::escaped(&link.target.reason()));
        let _ = writeln!(suite.cases, "<testcase classname=\"{}\" name=\"{to_url}\" time=\"0\">", suite.name);
        suite.tests += 1;
        let _ = match link.state {
            State::Broken => {
                suite.failures += 1;
                let kind = link.target.outcome.map_or("", |outcome| outcome.name());
                writeln!(
                    suite.cases,
                    "<failure type=\"{kind}\" message=\"{reason}\">{} links to {to_url} (\"{text}\"): {reason}</failure>",
                    suite.name
                )
            }
            State::Ok | State::Unchecked => writeln!(suite.cases, "<skipped message=\"{reason}\"/>"),
        };
        suite.cases.push_str("</testcase>\n");
        Ok(())
    }

    fn finish(mut self: Box<Self>, counts: &Counts) -> Result<()> {
        self.end_suite()?;
        if counts.broken == 0 {
            // A file without a single test is an error to some readers.
            let (db, links) = (xml::escaped(&self.db.to_string_lossy()), grouped(counts.links - counts.unchecked));
            writeln!(
                self.output,
                "<testsuite name=\"{db}\" tests=\"1\" failures=\"0\" errors=\"0\" skipped=\"0\" time=\"0\">\n\
                 <testcase classname=\"{db}\" name=\"none of {links} checked links is broken\" time=\"0\"/>\n</testsuite>"
            )?;
        }
        writeln!(self.output, "</testsuites>")?;
        self.output.commit()
    }
}
