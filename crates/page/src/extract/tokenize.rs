//! The tokenizer of the HTML standard, cut to what extraction asks: text is skipped unless somebody wants
//! it, and attributes are read past unless the tag is one whose attributes matter.
//!
//! Every byte is looked at a bounded number of times, whatever the input. The caller knows the open
//! elements, so it says where CDATA sections exist and which elements hold raw text.

use memchr::{memchr, memchr_iter, memmem};

use super::tags::{ATTRIBUTES, Name, Tag};

/// Attributes kept of one tag; further ones are read past.
pub const MAX_ATTRIBUTES: usize = 1024;

/// The next piece of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'d> {
    /// Text as written: character references not decoded.
    Text(&'d str),
    /// The contents of a CDATA section; nothing to decode in there.
    Cdata(&'d str),
    /// A start tag; [`Tokenizer::attribute`] answers for it if its tag has the trait [`ATTRIBUTES`].
    Start {
        /// The name of the element.
        name: Name,
        /// Whether it ends with `/>`.
        self_closing: bool,
    },
    /// An end tag.
    End(Name),
    /// The inside of `<!doctype …>`, after the word.
    Doctype(&'d str),
    /// The inside of a comment, or of what counts as one; only for whoever builds a tree.
    Comment(&'d str),
    /// Nothing more. What an unfinished tag or comment held is lost, as the standard has it.
    EndOfDocument,
}

#[derive(Clone, Copy, Debug)]
struct Attribute<'d> {
    name: &'d str,
    value: &'d str,
}

/// Reads one document from front to back.
pub struct Tokenizer<'d> {
    document: &'d str,
    at: usize,
    attributes: Vec<Attribute<'d>>,
    /// The name of the last tag, as written.
    name: &'d str,
    keeps_all: bool,
    keeps_comments: bool,
}

impl<'d> Tokenizer<'d> {
    /// A tokenizer at the start of `document`.
    pub fn new(document: &'d str) -> Self {
        Self { document, at: 0, attributes: Vec::new(), name: "", keeps_all: false, keeps_comments: false }
    }

    /// One whose [`Tokenizer::attribute`] answers for every start tag.
    pub fn with_all_attributes(document: &'d str) -> Self {
        Self { keeps_all: true, ..Self::new(document) }
    }

    /// One that keeps everything: attributes, names, comments.
    pub fn for_tree(document: &'d str) -> Self {
        Self { keeps_all: true, keeps_comments: true, ..Self::new(document) }
    }

    /// The next token; text only if `wants_text`. `in_foreign` says whether the current element belongs to
    /// SVG or MathML, where CDATA sections exist.
    #[inline]
    pub fn next(&mut self, wants_text: bool, in_foreign: bool) -> Token<'d> {
        let bytes = self.document.as_bytes();
        loop {
            let start = self.at;
            self.at = next_markup(bytes, start);
            if wants_text && self.at > start {
                return Token::Text(&self.document[start..self.at]);
            }
            let markup = self.at;
            match bytes.get(markup + 1) {
                None => return Token::EndOfDocument,
                Some(b'/') => match bytes.get(markup + 2) {
                    Some(letter) if letter.is_ascii_alphabetic() => {
                        let (name, len) = Name::read(&bytes[markup + 2..]);
                        self.at = markup + 2 + len;
                        self.keep_name(name, markup + 2);
                        return match self.read_attributes(false) {
                            Some(_) => Token::End(name),
                            None => Token::EndOfDocument,
                        };
                    }
                    after => {
                        let is_nothing = after == Some(&b'>');
                        self.skip_past(markup + 2, b">");
                        if self.keeps_comments && !is_nothing {
                            return Token::Comment(self.bogus_comment(markup + 2));
                        }
                    }
                },
                Some(b'!') => {
                    let rest = &bytes[markup + 2..];
                    if rest.starts_with(b"--") {
                        self.at = comment_end(bytes, markup + 4);
                        if self.keeps_comments {
                            return Token::Comment(comment_text(&self.document[markup + 4..self.at]));
                        }
                    } else if rest.get(..7).is_some_and(|word| word.eq_ignore_ascii_case(b"doctype")) {
                        self.skip_past(markup + 9, b">");
                        return Token::Doctype(self.document[markup + 9..self.at].trim_end_matches('>'));
                    } else if in_foreign && rest.starts_with(b"[CDATA[") {
                        let start = markup + 9;
                        self.skip_past(start, b"]]>");
                        let section = &self.document[start..self.at];
                        return Token::Cdata(section.strip_suffix("]]>").unwrap_or(section));
                    } else {
                        self.skip_past(markup + 2, b">");
                        if self.keeps_comments {
                            return Token::Comment(self.bogus_comment(markup + 2));
                        }
                    }
                }
                Some(b'?') => {
                    self.skip_past(markup + 2, b">");
                    if self.keeps_comments {
                        return Token::Comment(self.bogus_comment(markup + 1));
                    }
                }
                Some(_) => {
                    let (name, len) = Name::read(&bytes[markup + 1..]);
                    self.at = markup + 1 + len;
                    self.keep_name(name, markup + 1);
                    return match self.read_attributes(self.keeps_all || name.tag().is(ATTRIBUTES)) {
                        Some(self_closing) => Token::Start { name, self_closing },
                        None => Token::EndOfDocument,
                    };
                }
            }
        }
    }

    /// The value of the first attribute called `name` (lower case) of the last start tag, as written.
    pub fn attribute(&self, name: &str) -> Option<&'d str> {
        self.attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name)).map(|found| found.value)
    }

    /// Names and values of the attributes of the last start tag, as written, doubles too.
    pub fn attributes(&self) -> impl ExactSizeIterator<Item = (&'d str, &'d str)> + '_ {
        self.attributes.iter().map(|attribute| (attribute.name, attribute.value))
    }

    /// The name of the last tag, as written; of a tag that [`Tag`] knows it may be that of an earlier one.
    pub fn name(&self) -> &'d str {
        self.name
    }

    #[inline]
    fn keep_name(&mut self, name: Name, start: usize) {
        if self.keeps_comments && name.tag() == Tag::Unknown {
            self.name = &self.document[start..self.at];
        }
    }

    /// What stands between `start` and the `>` that was just read past.
    fn bogus_comment(&self, start: usize) -> &'d str {
        let text = &self.document[start..self.at];
        text.strip_suffix('>').unwrap_or(text)
    }

    /// The raw text of `tag`, whose start tag was just read, up to its end tag, which is read past.
    pub fn raw_text(&mut self, tag: Tag) -> &'d str {
        let bytes = self.document.as_bytes();
        let start = self.at;
        let end = match tag {
            Tag::Script => script_end(bytes, start),
            _ => memchr_iter(b'<', &bytes[start..])
                .map(|offset| start + offset)
                .find(|&at| is_end_tag(bytes, at, tag.name()))
                .unwrap_or(bytes.len()),
        };
        self.at = bytes.len().min(end + 2 + tag.name().len());
        self.read_attributes(false);
        &self.document[start..end]
    }

    /// Everything that is left; the document ends here.
    pub fn rest(&mut self) -> &'d str {
        let rest = &self.document[self.at..];
        self.at = self.document.len();
        rest
    }

    fn skip_past(&mut self, from: usize, end: &[u8]) {
        let rest = &self.document.as_bytes()[from..];
        let found = if let [byte] = end { memchr(*byte, rest) } else { memmem::find(rest, end) };
        self.at = found.map_or(self.document.len(), |offset| from + offset + end.len());
    }

    /// Reads on to the end of a tag whose name was just read, past its `>`. Answers whether the tag is
    /// self-closing, or `None` if the document ends first.
    #[inline]
    fn read_attributes(&mut self, keep: bool) -> Option<bool> {
        let bytes = self.document.as_bytes();
        let mut at = self.at;
        if keep {
            self.attributes.clear();
        }
        // A tag that the document's end cuts off is dropped: every `?` below leaves `at` at the end.
        self.at = bytes.len();
        loop {
            match *bytes.get(at)? {
                b'>' => {
                    self.at = at + 1;
                    return Some(false);
                }
                b'/' => {
                    if *bytes.get(at + 1)? == b'>' {
                        self.at = at + 2;
                        return Some(true);
                    }
                    at += 1;
                }
                byte if is_space(byte) => at += 1,
                _ => {
                    let name_start = at;
                    // The first byte belongs to the name even if it is `=`.
                    at += 1;
                    while !ends_name(*bytes.get(at)?) {
                        at += 1;
                    }
                    let name_end = at;
                    while is_space(*bytes.get(at)?) {
                        at += 1;
                    }
                    let (mut value_start, mut value_end) = (at, at);
                    if bytes[at] == b'=' {
                        at += 1;
                        while is_space(*bytes.get(at)?) {
                            at += 1;
                        }
                        match bytes[at] {
                            quote @ (b'"' | b'\'') => {
                                value_start = at + 1;
                                value_end = value_start + memchr(quote, &bytes[value_start..])?;
                                at = value_end + 1;
                            }
                            b'>' => {}
                            _ => {
                                value_start = at;
                                while !matches!(*bytes.get(at)?, b'>' | b'\t' | b'\n' | b'\x0c' | b'\r' | b' ') {
                                    at += 1;
                                }
                                value_end = at;
                            }
                        }
                    }
                    if keep && self.attributes.len() < MAX_ATTRIBUTES {
                        self.attributes.push(Attribute {
                            name: &self.document[name_start..name_end],
                            value: &self.document[value_start..value_end],
                        });
                    }
                }
            }
        }
    }
}

/// Position of the next `<` that starts markup, or the end. Any other `<` is text.
#[inline]
fn next_markup(bytes: &[u8], mut at: usize) -> usize {
    loop {
        if bytes.get(at) != Some(&b'<') {
            match bytes.get(at..).and_then(|rest| memchr(b'<', rest)) {
                Some(offset) => at += offset,
                None => return bytes.len(),
            }
        }
        match bytes.get(at + 1) {
            Some(byte) if byte.is_ascii_alphabetic() || matches!(byte, b'!' | b'?') => return at,
            Some(b'/') if at + 2 < bytes.len() => return at,
            _ => at += 1,
        }
    }
}

/// Position after the comment whose contents start at `start`.
fn comment_end(bytes: &[u8], start: usize) -> usize {
    let contents = &bytes[start..];
    if contents.starts_with(b">") {
        return start + 1;
    }
    if contents.starts_with(b"->") {
        return start + 2;
    }
    memchr_iter(b'>', contents)
        .find(|&end| contents[..end].ends_with(b"--") || contents[..end].ends_with(b"--!"))
        .map_or(bytes.len(), |end| start + end + 1)
}

/// The text of a comment, given what stands behind its `<!--` up to its end.
fn comment_text(contents: &str) -> &str {
    if let "" | ">" | "->" = contents {
        return "";
    }
    let is_ended = contents.ends_with("-->") || contents.ends_with("--!>");
    let text = if is_ended { &contents[..contents.len() - 1] } else { contents };
    let text = text.strip_suffix("--!").or_else(|| text.strip_suffix("--"));
    // The document's end may come between the dashes.
    text.unwrap_or_else(|| contents.strip_suffix('-').unwrap_or(contents))
}

fn is_end_tag(bytes: &[u8], at: usize, name: &str) -> bool {
    bytes.get(at + 1) == Some(&b'/') && is_word(bytes, at + 2, name)
}

/// Whether the tag name at `at` is `name`.
fn is_word(bytes: &[u8], at: usize, name: &str) -> bool {
    let end = at + name.len();
    bytes.get(at..end).is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
        && bytes.get(end).is_some_and(|&byte| is_space(byte) || matches!(byte, b'/' | b'>'))
}

/// Position of the `</script` that ends the script whose text starts at `start`: not one between
/// `<!-- <script` and `</script` or `-->` ("double escaped").
fn script_end(bytes: &[u8], start: usize) -> usize {
    #[derive(PartialEq)]
    enum State {
        Plain,
        Escaped,
        DoubleEscaped,
    }
    let mut state = State::Plain;
    // The dashes that close a comment may be those that opened it, but not older ones.
    let mut comment = start;
    let mut at = start;
    while let Some(offset) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'<', b'>', rest)) {
        at += offset;
        if bytes[at] == b'>' {
            if state != State::Plain && at >= comment + 2 && bytes[..at].ends_with(b"--") {
                state = State::Plain;
            }
        } else if is_end_tag(bytes, at, "script") {
            match state {
                State::DoubleEscaped => state = State::Escaped,
                _ => return at,
            }
        } else if state == State::Plain && bytes[at..].starts_with(b"<!--") {
            state = State::Escaped;
            comment = at + 2;
            at += 3;
        } else if state == State::Escaped && is_word(bytes, at + 1, "script") {
            state = State::DoubleEscaped;
        }
        at += 1;
    }
    bytes.len()
}

#[inline]
fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ')
}

#[inline]
fn ends_name(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ' | b'/' | b'>' | b'=')
}
