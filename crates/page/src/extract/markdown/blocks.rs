//! Blocks below each other, in lists and quotes: markers, indents, empty lines.

use super::escape;

/// How deep lists and quotes are written: what is deeper stands at the same margin.
const MAX_DEPTH: usize = 16;

/// What stands between two blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gap {
    #[default]
    Line,
    Empty,
}

/// What was open around a container: given back when it ends.
#[derive(Debug)]
pub(super) struct Outer {
    margin: usize,
    lead: Option<String>,
    is_deeper: bool,
}

/// Markdown being written.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    out: String,
    /// Before each line.
    margin: String,
    /// As much of the margin as has been there since the last block.
    common: usize,
    depth: usize,
    /// Before the first line of what comes next, if markers are due.
    lead: Option<String>,
    gap: Gap,
}

impl Blocks {
    /// Bytes written.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// What is written.
    pub fn finish(self) -> String {
        self.out
    }

    /// At least so much stands between the last block and the next.
    pub fn gap(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }

    /// A container begins: `marker` is before its first line, its other lines begin with `margin`.
    pub fn enter(&mut self, marker: &str, margin: &str) -> Outer {
        let outer = Outer { margin: self.margin.len(), lead: self.lead.clone(), is_deeper: self.depth < MAX_DEPTH };
        if outer.is_deeper {
            self.depth += 1;
            self.lead = Some(self.lead.take().unwrap_or_else(|| self.margin.clone()) + marker);
            self.margin.push_str(margin);
        }
        outer
    }

    /// A container ends. One with nothing in it has left nothing.
    pub fn leave(&mut self, outer: Outer) {
        if !outer.is_deeper {
            return;
        }
        self.depth -= 1;
        self.margin.truncate(outer.margin);
        self.common = self.common.min(outer.margin);
        if self.lead.is_some() {
            self.lead = outer.lead;
        }
    }

    /// An item ends: the next one stands on the next line.
    pub fn end_item(&mut self) {
        self.gap = Gap::Line;
    }

    /// A paragraph.
    pub fn paragraph(&mut self, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        self.begin();
        for (n, line) in text.lines().enumerate() {
            if n > 0 {
                self.line_end();
            }
            self.out.push_str(&escape::line(line));
        }
        self.gap = Gap::Line;
    }

    /// Lines as they are.
    pub fn lines(&mut self, text: &str) {
        self.begin();
        for (n, line) in text.split('\n').enumerate() {
            if n > 0 {
                self.out.push('\n');
                if line.is_empty() {
                    self.out.push_str(self.margin.trim_end());
                    continue;
                }
                self.out.push_str(&self.margin);
            }
            self.out.push_str(line);
        }
        self.gap = Gap::Line;
    }

    fn begin(&mut self) {
        if !self.out.is_empty() {
            self.out.push('\n');
            if self.gap == Gap::Empty {
                self.out.push_str(self.margin[..self.common].trim_end());
                self.out.push('\n');
            }
        }
        match self.lead.take() {
            Some(lead) => self.out.push_str(&lead),
            None => self.out.push_str(&self.margin),
        }
        self.common = self.margin.len();
    }

    fn line_end(&mut self) {
        self.out.push('\n');
        self.out.push_str(&self.margin);
    }
}
