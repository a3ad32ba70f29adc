//! Broken links as commands of a GitHub workflow: an error for each, which its page of checks shows.

use std::io::Write;

use super::report::{Report, Result};
use crate::console::text::printable;
use seine_export::target::Output;
use seine_store::links::{Counts, Link, State};

/// Lines that the runner of a workflow reads.
pub(super) struct Github {
    output: Output,
}

impl Github {
    pub fn new(output: Output) -> Self {
        Self { output }
    }
}

impl Report for Github {
    fn link(&mut self, link: &Link<'_>) -> Result<()> {
        let (command, title) = match link.state {
            State::Broken => ("error", "broken link"),
            State::Ok | State::Unchecked => ("notice", "unchecked link"),
        };
        let reason = link.target.reason();
        let title = property(&format!("{title}: {reason}"));
        let message = match &*link.text {
            "" => format!("{} links to {}: {reason}", link.from_url, link.to_url),
            text => format!("{} links to {} (\"{text}\"): {reason}", link.from_url, link.to_url),
        };
        Ok(writeln!(self.output, "::{command} title={title}::{}", data(&message))?)
    }

    fn finish(self: Box<Self>, _counts: &Counts) -> Result<()> {
        self.output.commit()
    }
}

/// The text of a command, which goes on to the end of the line.
fn data(text: &str) -> String {
    // Line ends are gone already: whatever a page says, it can begin no command of its own.
    printable(text).replace('%', "%25")
}

/// A property of a command, which ends at a comma or colon.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_a_site_is_no_command() {
        assert_eq!(data("a\n::error::b\r%0A"), "a ::error::b\u{fffd}%250A");
        assert_eq!(property("404: a, b%"), "404%3A a%2C b%25");
    }
}
