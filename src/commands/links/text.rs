//! Links as text for people: a paragraph for each page, a line for each of its links.

use std::io::Write;
use std::path::PathBuf;

use super::report::{Report, Result, summary};
use crate::console::text::printable;
use seine_export::target::Output;
use seine_store::links::{Counts, Link, State};

/// Characters of a link's text that are shown.
const TEXT_CHARS: usize = 60;

/// Lines of text; what sites sent is made harmless.
pub(super) struct Text {
    output: Output,
    db: PathBuf,
    has_colour: bool,
    page: Option<i64>,
}

impl Text {
    pub fn new(output: Output, db: PathBuf, has_colour: bool) -> Self {
        Self { output, db, has_colour, page: None }
    }

    /// Colours as terminals have them (ECMA-48).
    fn painted(&self, state: State, text: &str) -> String {
        let colour = match state {
            State::Ok => 32,
            State::Broken => 31,
            State::Unchecked => 33,
        };
        if self.has_colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

impl Report for Text {
    fn link(&mut self, link: &Link<'_>) -> Result<()> {
        if self.page != Some(link.page_id) {
            let gap = if self.page.replace(link.page_id).is_some() { "\n" } else { "" };
            writeln!(self.output, "{gap}{}", printable(&link.from_url))?;
        }
        let reason = self.painted(link.state, &format!("{:<14}", printable(&link.target.reason())));
        write!(self.output, "  {reason}  {}", printable(&link.to_url))?;
        if let Some(final_url) = link.target.final_url.as_ref().filter(|url| **url != link.to_url) {
            write!(self.output, " -> {}", printable(final_url))?;
        }
        if !link.text.is_empty() {
            let mut text: String = link.text.chars().take(TEXT_CHARS).collect();
            if text.len() < link.text.len() {
                text.push('…');
            }
            write!(self.output, "  \"{}\"", printable(&text))?;
        }
        Ok(writeln!(self.output)?)
    }

    fn finish(mut self: Box<Self>, counts: &Counts) -> Result<()> {
        let gap = if self.page.is_some() { "\n" } else { "" };
        writeln!(self.output, "{gap}{}", printable(&summary(&self.db, counts)))?;
        self.output.commit()
    }
}
