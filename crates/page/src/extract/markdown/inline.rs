//! The inside of a paragraph, a heading or a cell: words, and the marks around them.
//!
//! Marks are written as late as possible: before the first word that they are around, and behind the last, so that
//! `<b> a </b>` is `**a**`. Where CommonMark would not take `**` for a mark (between a letter and a punctuation mark) and
//! where marks meet, they are HTML's.

use super::escape::{self, Around};

/// What a mark says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Strong,
    Emphasis,
    Struck,
    Above,
    Below,
    /// To this destination.
    Link(String),
    /// Nothing: it is there already, or has been written.
    Nothing,
}

impl Kind {
    fn is_html_alone(&self) -> bool {
        matches!(self, Self::Above | Self::Below)
    }

    fn start(&self, as_html: bool) -> &'static str {
        match (self, as_html) {
            (Self::Strong, false) => "**",
            (Self::Emphasis, false) => "*",
            (Self::Struck, false) => "~~",
            (Self::Strong, true) => "<strong>",
            (Self::Emphasis, true) => "<em>",
            (Self::Struck, true) => "<del>",
            (Self::Above, _) => "<sup>",
            (Self::Below, _) => "<sub>",
            (Self::Link(_), _) => "[",
            (Self::Nothing, _) => "",
        }
    }

    fn end(&self, as_html: bool) -> &'static str {
        match (self, as_html) {
            (Self::Strong, true) => "</strong>",
            (Self::Emphasis, true) => "</em>",
            (Self::Struck, true) => "</del>",
            (Self::Above, _) => "</sup>",
            (Self::Below, _) => "</sub>",
            (Self::Link(_), _) => "](",
            (other, false) => other.start(false),
            (Self::Nothing, true) => "",
        }
    }
}

/// Separates what comes from what is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owed {
    #[default]
    Nothing,
    Space,
    /// The end of a line.
    Break,
}

#[derive(Debug)]
struct Mark {
    kind: Kind,
    at: usize,
    as_html: bool,
}

/// A mark that ends where the text does.
#[derive(Debug)]
struct Closed {
    start: usize,
    end: usize,
    kind: Kind,
}

/// Text being written.
#[derive(Debug, Default)]
pub(super) struct Inline {
    text: String,
    owed: Owed,
    /// The open marks, outermost first.
    marks: Vec<Mark>,
    /// How many of them are written.
    begun: usize,
    closed: Vec<Closed>,
    in_cell: bool,
}

impl Inline {
    /// Nothing yet, of a cell or of another block.
    pub fn of(in_cell: bool) -> Self {
        Self { in_cell, ..Self::default() }
    }

    /// Whether it is the inside of a cell.
    pub fn in_cell(&self) -> bool {
        self.in_cell
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Bytes that are there.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Owes a separator before what comes next.
    pub fn owe(&mut self, owed: Owed) {
        if !self.text.is_empty() {
            self.owed = self.owed.max(owed);
        }
    }

    /// What is owed.
    pub fn owed(&self) -> Owed {
        self.owed
    }

    /// Words, each run of white space being a space.
    pub fn text(&mut self, raw: &str) {
        if raw.starts_with(char::is_whitespace) {
            self.owe(Owed::Space);
        }
        let ends_in_space = raw.ends_with(char::is_whitespace);
        let mut words = raw.split_whitespace().peekable();
        while let Some(word) = words.next() {
            let ends = words.peek().is_some() || ends_in_space;
            self.begin(word.chars().next().unwrap_or(' '));
            let around = Around {
                before: self.text.chars().next_back(),
                ends,
                in_cell: self.in_cell,
                in_marks: self.begun > 0,
                in_link: self.marks[..self.begun].iter().any(|mark| matches!(mark.kind, Kind::Link(_))),
            };
            escape::push_word(&mut self.text, word, around);
            if ends {
                self.owe(Owed::Space);
            }
        }
    }

    /// What is Markdown, or HTML, already: it begins with a punctuation mark and may end with one.
    pub fn push_written(&mut self, markdown: &str) {
        let Some(first) = markdown.chars().next() else { return };
        self.begin(first);
        self.text.push_str(markdown);
    }

    /// Code in a line.
    pub fn code(&mut self, code: &str) {
        let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
        if code.is_empty() {
            return self.owe(Owed::Space);
        }
        let fence = "`".repeat(longest_run(&code, '`') + 1);
        let fence = if code.contains('`') || fence.len() > 1 { fence } else { "`".to_owned() };
        let pad = if code.starts_with('`') || code.ends_with('`') { " " } else { "" };
        let code = if self.in_cell { code.replace('|', "\\|") } else { code };
        // Two spans side by side would be one fence.
        if self.owed == Owed::Nothing && self.text.ends_with('`') {
            self.owed = Owed::Space;
        }
        self.push_written(&format!("{fence}{pad}{code}{pad}{fence}"));
    }

    /// A mark begins.
    pub fn open(&mut self, kind: Kind) {
        let is_there = |mark: &Mark| std::mem::discriminant(&mark.kind) == std::mem::discriminant(&kind);
        let kind = if self.marks.iter().any(is_there) { Kind::Nothing } else { kind };
        self.marks.push(Mark { kind, at: 0, as_html: false });
    }

    /// The innermost mark ends.
    pub fn close(&mut self) {
        let Some(mark) = self.marks.pop() else { return };
        if self.marks.len() < self.begun {
            self.begun = self.marks.len();
            self.end(&mark);
        }
    }

    fn end(&mut self, mark: &Mark) {
        if mark.kind == Kind::Nothing {
            return;
        }
        let end = self.text.len();
        self.text.push_str(mark.kind.end(mark.as_html));
        if let Kind::Link(url) = &mark.kind {
            self.text.push_str(url);
            self.text.push(')');
        }
        if mark.as_html || matches!(mark.kind, Kind::Link(_)) {
            self.closed.clear();
        } else {
            if self.closed.last().is_none_or(|last| last.end + last.kind.end(false).len() != end) {
                self.closed.clear();
            }
            self.closed.push(Closed { start: mark.at, end, kind: mark.kind.clone() });
        }
    }

    /// Ends the block: its text. Marks that are open go on in the next one, but for links.
    pub fn take(&mut self) -> String {
        while self.begun > 0 {
            self.begun -= 1;
            let mark =
                std::mem::replace(&mut self.marks[self.begun], Mark { kind: Kind::Nothing, at: 0, as_html: false });
            self.end(&mark);
            if !matches!(mark.kind, Kind::Link(_)) {
                self.marks[self.begun].kind = mark.kind;
            }
        }
        self.owed = Owed::Nothing;
        self.closed.clear();
        std::mem::take(&mut self.text)
    }

    /// Pays what is owed and writes the marks that are due, before something that begins with `next`.
    fn begin(&mut self, next: char) {
        let owed = std::mem::take(&mut self.owed);
        if owed == Owed::Nothing {
            if self.joins() {
                return self.begin(next);
            }
            // "**" behind a punctuation mark and before a letter ends nothing.
            if !self.closed.is_empty() && !is_apart(next) && self.begun == self.marks.len() {
                self.close_as_html();
            }
        }
        match owed {
            Owed::Nothing => {}
            Owed::Space => self.text.push(' '),
            Owed::Break if self.in_cell => self.text.push_str("<br>"),
            Owed::Break => self.text.push_str("\\\n"),
        }
        if self.begun < self.marks.len() {
            self.begin_marks(next, owed);
        }
        self.closed.clear();
    }

    /// A mark that ends where the same begins again goes on.
    fn joins(&mut self) -> bool {
        let Some(mark) = self.marks.get(self.begun) else { return false };
        let Some(closed) = self.closed.last().filter(|closed| closed.kind == mark.kind) else { return false };
        self.marks[self.begun].at = closed.start;
        self.text.truncate(closed.end);
        self.closed.pop();
        self.begun += 1;
        true
    }

    fn begin_marks(&mut self, next: char, owed: Owed) {
        let before = if owed == Owed::Nothing { self.text.chars().next_back() } else { None };
        let touches = !self.closed.is_empty() && owed == Owed::Nothing;
        if touches && end_badly(&self.text, &self.closed) {
            self.close_as_html();
        }
        // Stars in a row are one run, to which what is around all of them counts.
        let pending = &self.marks[self.begun..];
        let is_run = pending.iter().all(|mark| matches!(mark.kind, Kind::Strong | Kind::Emphasis | Kind::Nothing));
        let is_clear = before.is_none_or(|before| before.is_whitespace() || is_ascii_apart(before));
        let as_html = touches || !(is_clear || is_run && next.is_alphanumeric());
        for n in self.begun..self.marks.len() {
            let mark = &mut self.marks[n];
            mark.as_html = mark.kind.is_html_alone() || as_html && !matches!(mark.kind, Kind::Link(_));
            mark.at = self.text.len();
            if matches!(mark.kind, Kind::Link(_)) && self.text.ends_with('!') {
                // Otherwise it would be an image.
                self.text.insert(mark.at - 1, '\\');
                mark.at += 1;
            }
            self.text.push_str(mark.kind.start(mark.as_html));
        }
        self.begun = self.marks.len();
    }

    fn close_as_html(&mut self) {
        if !end_badly(&self.text, &self.closed) {
            return;
        }
        let closed = std::mem::take(&mut self.closed);
        for mark in closed.iter().rev() {
            self.text.replace_range(mark.end..mark.end + mark.kind.end(false).len(), mark.kind.end(true));
        }
        // The innermost ended first and began last.
        for mark in &closed {
            self.text.replace_range(mark.start..mark.start + mark.kind.start(false).len(), mark.kind.start(true));
        }
    }
}

/// Whether one of the marks that end here stands behind a punctuation mark, so that CommonMark may not see its end.
fn end_badly(text: &str, closed: &[Closed]) -> bool {
    let is_mixed = closed.len() > 1 && closed.iter().any(|mark| mark.kind == Kind::Struck);
    // Those around others stand behind these, and do as they do.
    is_mixed
        || closed
            .first()
            .is_some_and(|inner| text[..inner.end].chars().next_back().is_some_and(|last| !last.is_alphanumeric()))
}

/// Punctuation and white space: what stands apart from words.
fn is_apart(char: char) -> bool {
    char.is_whitespace() || is_ascii_apart(char)
}

fn is_ascii_apart(char: char) -> bool {
    char.is_ascii_punctuation()
}

/// The longest run of a character.
pub(super) fn longest_run(text: &str, of: char) -> usize {
    let (mut longest, mut run) = (0, 0);
    for char in text.chars() {
        run = if char == of { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}
