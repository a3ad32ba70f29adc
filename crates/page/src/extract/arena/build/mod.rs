//! Tokens to a tree: the tree construction of the HTML standard, for documents whose scripts do not run.
//!
//! Every tag takes a bounded time, whatever the page: elements nest no deeper than [`MAX_DEPTH`], and of formatting
//! elements that are to be opened again there are no more than [`formatting::MAX_FORMATTING`].
//!
//! - `open`: the open elements
//! - `formatting`: formatting elements, and what is done where they are misnested
//! - `modes`: the insertion modes around the body; `body`, `table`: those in it
//! - `foreign`: SVG and MathML

mod body;
mod foreign;
mod formatting;
mod modes;
mod open;
mod table;

use super::grow::Growing;
use super::{Attribute, Namespace, NodeId, Span};
use crate::extract::doctype::has_quirks;
use crate::extract::stack::{ANNOTATION, MAX_DEPTH, SVG, has};
use crate::extract::tags::{Name, TABLE_PART, Tag};
use crate::extract::text::{Nul, is_as_written, push_attribute_value, push_text};
use crate::extract::tokenize::{MAX_ATTRIBUTES, Token, Tokenizer};
use formatting::Formatting;
use open::{Key, Open, Stack};

/// Tokens between two questions whether to go on.
const TOKENS_PER_QUESTION: u32 = 64;

/// Tags that are compared with one another one by one to find double attributes; more are put in a table.
const FEW_ATTRIBUTES: usize = 16;

/// The tree of a document. `None`: told to stop.
pub(super) fn build(document: &str, max_nodes: usize, keep_going: &dyn Fn() -> bool) -> Option<Growing> {
    let mut builder = Builder {
        document,
        tokens: Tokenizer::for_tree(document),
        tree: Growing::new(document.len()),
        mode: Mode::Initial,
        stack: Stack::new(),
        formatting: Formatting::default(),
        templates: Vec::new(),
        head: None,
        form: None,
        may_have_frames: true,
        fosters: false,
        drops_line_end: false,
    };
    for token in 1_u32.. {
        if token.is_multiple_of(TOKENS_PER_QUESTION) && !keep_going() {
            return None;
        }
        if builder.tree.size() >= max_nodes {
            builder.tree.is_cut = true;
        }
        if builder.tree.is_cut || !builder.next() {
            break;
        }
    }
    // Open templates end here; behind one in the head, a body follows.
    while builder.stack.has_open(Tag::Template) {
        builder.end_template();
    }
    builder.process(Item::Eof);
    Some(builder.tree)
}

/// "Insertion modes".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Initial,
    BeforeHtml,
    BeforeHead,
    InHead,
    InHeadNoscript,
    AfterHead,
    InBody,
    InTable,
    InCaption,
    InColumnGroup,
    InTableBody,
    InRow,
    InCell,
    InTemplate,
    AfterBody,
    InFrameset,
    AfterFrameset,
    AfterAfterBody,
    AfterAfterFrameset,
}

/// A tag.
#[derive(Clone, Copy, Debug)]
struct Word {
    tag: Tag,
    key: Key,
    is_self_closing: bool,
}

impl From<Tag> for Word {
    fn from(tag: Tag) -> Self {
        Self { tag, key: Key::of(tag), is_self_closing: false }
    }
}

/// What a mode takes.
#[derive(Clone, Copy, Debug)]
enum Item {
    Start(Word),
    End(Word),
    /// Text, and whether it is white space alone.
    Text(Span, bool),
    Comment(Span),
    Eof,
}

/// What a mode has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Done,
    /// It is now that mode, which is to take the same.
    Again(Mode),
}

/// Where a node is put.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Into the innermost open element.
    Current,
    Into(NodeId),
    Before(NodeId),
}

struct Builder<'d> {
    document: &'d str,
    tokens: Tokenizer<'d>,
    tree: Growing,
    mode: Mode,
    stack: Stack,
    formatting: Formatting,
    /// Modes of the open templates.
    templates: Vec<Mode>,
    head: Option<Open>,
    form: Option<NodeId>,
    /// "frameset-ok".
    may_have_frames: bool,
    /// Whether what comes into a table is put before it.
    fosters: bool,
    /// Whether a line end that comes next is dropped: the first one in `<pre>`.
    drops_line_end: bool,
}

impl<'d> Builder<'d> {
    /// Takes the next token; `false`: there is none.
    fn next(&mut self) -> bool {
        let in_foreign = self.stack.number().is_some_and(|number| number >= SVG);
        let token = self.tokens.next(true, in_foreign);
        let drops_line_end = std::mem::take(&mut self.drops_line_end);
        match token {
            Token::Text(raw) => self.text(raw, true, drops_line_end),
            Token::Cdata(raw) => self.text(raw, false, drops_line_end),
            Token::Start { name, self_closing } => {
                let word = Word { is_self_closing: self_closing, ..self.word(name) };
                if self.make_room() {
                    self.process(Item::Start(word));
                }
            }
            Token::End(name) => {
                let word = self.word(name);
                self.process(Item::End(word));
            }
            Token::Comment(raw) => {
                if let Some(text) = self.span(raw, false, Nul::Replaced) {
                    self.process(Item::Comment(text));
                }
            }
            Token::Doctype(rest) => self.doctype(rest),
            Token::EndOfDocument => return false,
        }
        true
    }

    fn word(&mut self, name: Name) -> Word {
        let tag = name.tag();
        if tag != Tag::Unknown {
            return tag.into();
        }
        let written = self.tokens.name();
        let is_plain = !written.bytes().any(|byte| byte.is_ascii_uppercase() || byte == 0);
        let number = if is_plain {
            self.tree.intern(written)
        } else {
            self.tree.intern(&written.to_ascii_lowercase().replace('\0', "\u{FFFD}"))
        };
        Word { tag, key: Key::interned(number), is_self_closing: false }
    }

    fn doctype(&mut self, rest: &str) {
        if self.mode == Mode::Initial {
            self.tree.has_quirks = has_quirks(rest);
            if let Some(text) = self.span(rest.trim_ascii(), false, Nul::Replaced) {
                let doctype = self.tree.doctype(text);
                self.tree.append(NodeId::DOCUMENT, doctype);
            }
            self.mode = Mode::BeforeHtml;
        }
    }

    fn text(&mut self, raw: &str, has_references: bool, drops_line_end: bool) {
        // In SVG and MathML a NUL is seen.
        let is_foreign = self.stack.number().is_some_and(|number| (SVG..=ANNOTATION).contains(&number));
        let nul = if is_foreign { Nul::Replaced } else { Nul::Dropped };
        let Some(mut text) = self.span(raw, has_references, nul) else { return };
        if drops_line_end && self.str(text).starts_with('\n') {
            text = Span { start: text.start + 1, len: text.len - 1 };
        }
        while text.len & !Span::SIDE > 0 {
            let all = self.str(text);
            let space = all.bytes().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(all.len());
            let len = match self.mode {
                _ if space == all.len() => space,
                // Here white space stays, and text does not.
                Mode::InColumnGroup if space == 0 && !self.stack.is_in(Tag::Colgroup) => {
                    all.bytes().position(|byte| byte.is_ascii_whitespace()).unwrap_or(all.len())
                }
                Mode::InFrameset | Mode::AfterFrameset | Mode::AfterAfterFrameset if space == 0 => {
                    all.bytes().position(|byte| byte.is_ascii_whitespace()).unwrap_or(all.len())
                }
                Mode::InBody | Mode::InCell | Mode::InCaption | Mode::InTemplate => all.len(),
                Mode::InTable | Mode::InTableBody | Mode::InRow => all.len(),
                _ if space == 0 => all.len(),
                _ => space,
            };
            let (len, side) = (len as u32, text.len & Span::SIDE);
            let is_space = len as usize <= space;
            self.process(Item::Text(Span { start: text.start, len: len | side }, is_space));
            text = Span { start: text.start + len, len: ((text.len & !Span::SIDE) - len) | side };
        }
    }

    /// All that is left of the document is text.
    fn plaintext(&mut self, raw: &str) {
        if raw.is_empty() {
            // Without a text there is nothing for which formatting would begin anew.
            return;
        }
        if let Some(text) = self.span(raw, false, Nul::Replaced) {
            self.process(Item::Text(text, false));
        }
    }

    /// A text of the document as it is read.
    fn span(&mut self, raw: &str, has_references: bool, nul: Nul) -> Option<Span> {
        if is_as_written(raw) || !has_references && !raw.bytes().any(|byte| matches!(byte, b'\r' | 0)) {
            return Some(self.written(raw));
        }
        self.tree.aside_with(|side| push_text(side, raw, has_references, nul))
    }

    /// The place of a piece of the document in it.
    #[inline]
    fn written(&self, raw: &str) -> Span {
        let start = raw.as_ptr().addr().wrapping_sub(self.document.as_ptr().addr());
        Span { start: start as u32, len: raw.len() as u32 }
    }

    fn str(&self, span: Span) -> &str {
        match self.tree.side(span) {
            Some(text) => text,
            None => self.document.get(span.start as usize..span.start as usize + span.len as usize).unwrap_or_default(),
        }
    }

    fn process(&mut self, item: Item) {
        let mut flow = if self.is_foreign(item) { self.foreign(item) } else { self.step(self.mode, item) };
        while let Flow::Again(mode) = flow {
            self.mode = mode;
            flow = if self.is_foreign(item) { self.foreign(item) } else { self.step(mode, item) };
        }
    }

    /// Ends the innermost element if one more would be too deep in it. `false`: it cannot be ended.
    fn make_room(&mut self) -> bool {
        while let Some(current) = self.stack.last().copied()
            && usize::from(current.depth) >= MAX_DEPTH
        {
            let before = self.stack.len();
            let word = Word { tag: current.tag, key: current.key, is_self_closing: false };
            self.process(Item::End(word));
            if self.stack.len() >= before {
                return false;
            }
        }
        true
    }

    /// "The appropriate place for inserting a node"; with a target, in that.
    fn place(&self, target: Option<&Open>) -> Place {
        let Some(into) = target.or(self.stack.last()) else { return Place::Into(NodeId::DOCUMENT) };
        let is_table = into.number == Tag::Table as u8 || table::is_body(into.number) || into.number == Tag::Tr as u8;
        if !(self.fosters && is_table) {
            return if target.is_some() { Place::Into(into.inside) } else { Place::Current };
        }
        let found = self.stack.innermost(|number| number == Tag::Table as u8 || number == Tag::Template as u8);
        match found.and_then(|index| Some((index, self.stack.get(index)?))) {
            Some((_, template)) if template.number == Tag::Template as u8 => Place::Into(template.inside),
            Some((index, table)) => {
                let around = index.checked_sub(1).and_then(|index| self.stack.get(index));
                match (self.tree.parent(table.id), around) {
                    (None, Some(around)) => Place::Into(around.inside),
                    _ => Place::Before(table.id),
                }
            }
            None => Place::Into(self.stack.get(0).map_or(NodeId::DOCUMENT, |html| html.inside)),
        }
    }

    fn put(&mut self, id: NodeId, place: Place) {
        match place {
            Place::Current => {
                let into = self.stack.last().map_or(NodeId::DOCUMENT, |open| open.inside);
                self.tree.append(into, id);
            }
            Place::Into(parent) => self.tree.append_anywhere(parent, id),
            Place::Before(next) => self.tree.insert_before(next, id),
        }
    }

    fn insert_text(&mut self, text: Span) -> Flow {
        let place = self.place(None);
        let before = match place {
            Place::Current => self.stack.last().and_then(|open| self.tree.last_child(open.inside)),
            Place::Into(parent) => self.tree.last_child(parent),
            Place::Before(next) => self.tree.previous(next),
        };
        if before.is_some_and(|before| self.tree.lengthen(before, text)) {
            return Flow::Done;
        }
        let id = self.tree.text(text);
        self.put(id, place);
        Flow::Done
    }

    fn insert_comment(&mut self, text: Span) -> Flow {
        let id = self.tree.comment(text);
        let place = self.place(None);
        self.put(id, place);
        Flow::Done
    }

    /// The element of a start tag, nowhere yet, and how it is on the stack.
    fn create(&mut self, word: Word, namespace: Namespace) -> Open {
        let len = self.take_attributes(namespace);
        let (name, number) = match namespace {
            Namespace::Html | Namespace::None => (word.key.number(), word.tag as u8),
            Namespace::Svg | Namespace::MathMl => self.foreign_name(word, namespace),
        };
        self.create_with(word, namespace, name, number, len)
    }

    fn create_with(&mut self, word: Word, namespace: Namespace, name: u32, number: u8, attributes: u16) -> Open {
        let id = self.tree.element(word.tag, name, namespace, attributes);
        let mut inside = id;
        if namespace == Namespace::Html && word.tag == Tag::Template {
            inside = self.tree.fragment();
            self.tree.append(id, inside);
        }
        Open { id, inside, key: word.key, tag: word.tag, number, depth: 0 }
    }

    /// Puts an element where it belongs.
    fn place_element(&mut self, open: &mut Open) {
        let place = self.place(None);
        self.put(open.id, place);
        open.depth = self.stack.last().map_or(0, |around| around.depth + u16::from(around.inside != around.id)) + 1;
    }

    /// Inserts an element of HTML for a start tag, without opening it.
    fn insert_closed(&mut self, word: Word) -> Open {
        let mut open = self.create(word, Namespace::Html);
        self.place_element(&mut open);
        open
    }

    /// Inserts and opens an element of HTML.
    fn insert(&mut self, word: Word) -> Open {
        let open = self.insert_closed(word);
        self.stack.push(open);
        open
    }

    /// Inserts and opens an element that no tag stands for.
    fn insert_implied(&mut self, tag: Tag) -> Open {
        let mut open = self.create_with(tag.into(), Namespace::Html, 0, tag as u8, 0);
        self.place_element(&mut open);
        self.stack.push(open);
        open
    }

    /// Inserts an element whose contents are text up to its end tag, with that.
    fn insert_raw(&mut self, word: Word, has_references: bool, drops_line_end: bool) -> Flow {
        let open = self.insert_closed(word);
        let raw = self.tokens.raw_text(word.tag);
        if let Some(mut text) = self.span(raw, has_references, Nul::Replaced) {
            if drops_line_end && self.str(text).starts_with('\n') {
                text = Span { start: text.start + 1, len: text.len - 1 };
            }
            if text.len & !Span::SIDE > 0 {
                let id = self.tree.text(text);
                // It was inserted just now, so this is in order if that was.
                self.tree.append(open.id, id);
            }
        }
        Flow::Done
    }

    /// Adds the attributes of the last start tag to the tree: each name once, in lower case but for those of SVG that have
    /// capitals. How many there are.
    fn take_attributes(&mut self, namespace: Namespace) -> u16 {
        let count = self.tokens.attributes().len();
        if count == 0 {
            return 0;
        }
        let mut taken = 0;
        let mut seen = (count > FEW_ATTRIBUTES).then(std::collections::HashSet::new);
        for number in 0..count {
            let Some((name, value)) = self.tokens.attributes().nth(number) else { break };
            let is_double = match &mut seen {
                Some(seen) => !seen.insert(name.to_ascii_lowercase()),
                None => self.tokens.attributes().take(number).any(|(before, _)| before.eq_ignore_ascii_case(name)),
            };
            if is_double {
                continue;
            }
            let name = self.attribute_name(name, namespace);
            let value = if is_as_written(value) {
                Some(self.written(value))
            } else {
                self.tree.aside_with(|side| push_attribute_value(side, value))
            };
            if let Some((name, value)) = name.zip(value) {
                self.tree.attribute(name, value);
                taken += 1;
            }
        }
        taken
    }

    fn attribute_name(&mut self, written: &str, namespace: Namespace) -> Option<Span> {
        if matches!(namespace, Namespace::Svg | Namespace::MathMl)
            && let Some(adjusted) = foreign::adjusted_attribute(written, namespace)
        {
            return if adjusted == written { Some(self.written(written)) } else { self.tree.aside(adjusted) };
        }
        if !written.bytes().any(|byte| byte.is_ascii_uppercase() || byte == 0) {
            return Some(self.written(written));
        }
        self.tree.aside_with(|side| {
            side.extend(written.chars().map(|c| if c == '\0' { '\u{FFFD}' } else { c.to_ascii_lowercase() }));
        })
    }

    /// Gives an element those attributes of the last start tag that it lacks: of a second `<html>` or `<body>`.
    fn add_missing_attributes(&mut self, id: NodeId) {
        let before = self.tree.attributes_of(id).to_vec();
        let len = usize::from(self.take_attributes(Namespace::Html));
        let mut all = before;
        let names: std::collections::HashSet<String> =
            all.iter().map(|attribute| self.str(attribute.name).to_owned()).collect();
        for attribute in self.tree.take_last_attributes(len) {
            if all.len() < MAX_ATTRIBUTES && !names.contains(self.str(attribute.name)) {
                all.push(attribute);
            }
        }
        if all.len() > names.len() {
            self.tree.set_attributes(id, &all);
        }
    }

    /// Closes the innermost element.
    fn pop(&mut self) {
        if let Some(open) = self.stack.pop() {
            self.formatting.closed(&open);
        }
    }

    /// Closes all elements from `index` on.
    fn close_from(&mut self, index: usize) {
        while self.stack.len() > index {
            self.pop();
        }
    }

    /// Takes one element out of the stack; those inside it stay open.
    fn remove(&mut self, index: usize) {
        let open = self.stack.remove(index);
        self.formatting.closed(&open);
    }

    /// Closes elements up to one that is meant.
    fn close_up_to(&mut self, is_meant: impl Fn(u8) -> bool) {
        let index = self.stack.innermost(is_meant).map_or(0, |index| index + 1);
        // `<html>` stays open.
        self.close_from(index.max(1));
    }

    /// "Generate implied end tags", except for `kept`.
    fn close_implied(&mut self, kept: Tag) {
        while self.stack.number().is_some_and(|number| open::is_implied(number) && number != kept as u8) {
            self.pop();
        }
    }

    fn close_p(&mut self) {
        if let Some(index) = self.stack.p_in_scope() {
            self.close_from(index);
        }
    }

    /// "Reset the insertion mode appropriately".
    fn reset_mode(&mut self) {
        let index = self.stack.innermost(|number| {
            has(number, TABLE_PART)
                || [Tag::Table, Tag::Template, Tag::Head, Tag::Body, Tag::Frameset, Tag::Html]
                    .map(|tag| tag as u8)
                    .contains(&number)
        });
        let tag = index.and_then(|index| self.stack.get(index)).map_or(Tag::Body, |open| open.tag);
        self.mode = match tag {
            Tag::Td | Tag::Th => Mode::InCell,
            Tag::Tr => Mode::InRow,
            Tag::Tbody | Tag::Thead | Tag::Tfoot => Mode::InTableBody,
            Tag::Caption => Mode::InCaption,
            Tag::Colgroup | Tag::Col => Mode::InColumnGroup,
            Tag::Table => Mode::InTable,
            Tag::Template => self.templates.last().copied().unwrap_or(Mode::InTemplate),
            Tag::Head => Mode::InHead,
            Tag::Frameset => Mode::InFrameset,
            Tag::Html if self.head.is_none() => Mode::BeforeHead,
            Tag::Html => Mode::AfterHead,
            _ => Mode::InBody,
        };
    }
}
