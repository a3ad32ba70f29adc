//! The tree construction of the HTML standard without a tree: only the stack of open elements.
//!
//! That stack decides where an element ends whose end tag is missing or misplaced, and which tags count at
//! all. What the standard does with the tree itself (foster parenting, copies of formatting elements) moves
//! nodes but neither adds nor removes a link, so it is left out.

use super::captures::{CaptureId, Captures, Owner};
use super::tags::{
    BREAKOUT, CLOSES_BLOCK, CLOSES_P, DECODED_TEXT, FORMATTING, HEADING, IMPLIED_END, MARKER, NO_FRAMESET, Name,
    RAW_TEXT, SCOPE, SPECIAL, TABLE_PART, Tag, VOID, traits_of,
};
use super::text::Nul;

/// Deepest nesting kept, as in browsers; an element below replaces the innermost one. It bounds the time
/// that one tag can take.
pub const MAX_DEPTH: usize = 512;

/// What became of a start tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insertion {
    /// There is no such element in the document.
    Ignored,
    /// An element without contents.
    Empty,
    /// An element that is now the innermost open one.
    Opened,
    /// An element whose contents are text up to its end tag; it is not on the stack.
    Text,
    /// An element whose contents are all that is left of the document.
    Plaintext,
}

// Numbers on the stack of elements that do not belong to HTML; those below are tags of HTML.
const SVG: u8 = 250;
const MATHML: u8 = 251;
/// `annotation-xml` of MathML, inside which `<svg>` may stand.
const ANNOTATION: u8 = 252;
/// From here on: elements of SVG and MathML in which HTML may stand.
const HTML_ANNOTATION: u8 = 253;
/// `mi`, `mo`, `mn`, `ms` and `mtext` of MathML.
const MATHML_TEXT: u8 = 254;
/// `foreignObject`, `desc` and `title` of SVG.
const SVG_HTML: u8 = 255;

#[derive(Clone, Copy, Debug)]
struct Element {
    name: Name,
    capture: CaptureId,
    /// Where in the captured text it starts.
    mark: usize,
}

/// The stack of open elements, without `<html>`, `<head>` and `<body>`, and the texts being captured.
pub struct Tree {
    /// Texts of the open elements.
    pub captures: Captures,
    /// Numbers of the open elements, outermost first; [`Tree::elements`] runs parallel.
    numbers: Vec<u8>,
    elements: Vec<Element>,
    /// How many elements of each number are open.
    counts: [u16; 256],
    has_form: bool,
    quirks: bool,
    frameset_possible: bool,
    is_frameset: bool,
    is_empty: bool,
    /// Whether a line end that comes next is dropped: the first one in `<pre>`.
    drops_line_end: bool,
}

impl Tree {
    /// The tree of an empty document.
    pub fn new() -> Self {
        Self {
            captures: Captures::default(),
            numbers: Vec::with_capacity(MAX_DEPTH),
            elements: Vec::with_capacity(MAX_DEPTH),
            counts: [0; 256],
            has_form: false,
            quirks: true,
            frameset_possible: true,
            is_frameset: false,
            is_empty: true,
            drops_line_end: false,
        }
    }

    /// Back to an empty document.
    pub fn clear(&mut self) {
        self.captures.clear();
        self.numbers.clear();
        self.elements.clear();
        self.counts = [0; 256];
        self.has_form = false;
        self.quirks = true;
        self.frameset_possible = true;
        self.is_frameset = false;
        self.is_empty = true;
        self.drops_line_end = false;
    }

    /// Whether the innermost open element belongs to SVG or MathML.
    #[inline]
    pub fn in_foreign(&self) -> bool {
        self.numbers.last().is_some_and(|&number| number >= SVG)
    }

    /// Whether a `<template>` is open.
    pub fn in_template(&self) -> bool {
        self.counts[Tag::Template as usize] > 0
    }

    /// Whether text that comes now matters.
    #[inline]
    pub fn wants_text(&self) -> bool {
        self.captures.want_text() || self.frameset_possible
    }

    /// Takes text; `is_encoded` says whether it holds character references.
    pub fn text(&mut self, text: &str, is_encoded: bool) {
        let text = if std::mem::take(&mut self.drops_line_end) { without_line_end(text) } else { text };
        if self.frameset_possible && text.bytes().any(|byte| !byte.is_ascii_whitespace() && byte != 0) {
            self.frameset_possible = false;
        }
        if self.captures.want_text() {
            let in_svg_or_mathml = matches!(self.numbers.last(), Some(&(SVG..=ANNOTATION)));
            let nul = if in_svg_or_mathml { Nul::Replaced } else { Nul::Dropped };
            if is_encoded {
                self.captures.push_encoded(text, nul);
            } else {
                self.captures.push_plain(text, nul);
            }
        }
    }

    /// Takes a doctype, given what follows the word.
    pub fn doctype(&mut self, rest: &str) {
        if self.is_empty {
            self.quirks = has_quirks(rest);
            self.is_empty = false;
        }
    }

    /// Collects the text of the innermost open element for `owner`.
    pub fn capture(&mut self, owner: Owner) {
        if let Some(element) = self.elements.last_mut() {
            element.capture = self.captures.open(owner);
        }
    }

    /// Takes a start tag; `attribute` gives the values of its attributes by lower-case name, as written.
    #[inline]
    pub fn start<'d>(
        &mut self,
        name: Name,
        self_closing: bool,
        attribute: impl Fn(&str) -> Option<&'d str>,
    ) -> Insertion {
        let tag = name.tag();
        self.is_empty = false;
        self.drops_line_end = false;
        if self.is_frameset {
            return if tag == Tag::Noframes { Insertion::Text } else { Insertion::Ignored };
        }
        if self.in_foreign() && !self.takes_html(tag) {
            let breaks_out = tag.is(BREAKOUT)
                || tag == Tag::Font && ["color", "face", "size"].iter().any(|name| attribute(name).is_some());
            if !breaks_out {
                return self.start_foreign(name, self_closing, attribute);
            }
            self.leave_foreign();
        }
        self.start_html(tag, name, self_closing)
    }

    /// Takes an end tag.
    #[inline]
    pub fn end(&mut self, name: Name) {
        let tag = name.tag();
        self.drops_line_end = false;
        let Some((&number, element)) = self.numbers.last().zip(self.elements.last()) else { return };
        if number < SVG && element.name == name {
            if tag == Tag::Form && !self.in_template() {
                self.has_form = false;
            }
            return self.close_from(self.numbers.len() - 1);
        }
        if number >= SVG {
            if matches!(tag, Tag::P | Tag::Br) {
                self.leave_foreign();
            } else {
                for index in (0..self.numbers.len()).rev() {
                    if self.numbers[index] < SVG {
                        break;
                    }
                    if self.elements[index].name == name {
                        return self.close_from(index);
                    }
                }
            }
        }
        self.end_html(tag, name);
    }

    /// Takes the end of the document.
    pub fn finish(&mut self) {
        self.close_from(0);
    }

    /// Whether a start tag inside this element of SVG or MathML is HTML.
    fn takes_html(&self, tag: Tag) -> bool {
        match self.numbers.last() {
            Some(&SVG_HTML | &HTML_ANNOTATION) => true,
            Some(&MATHML_TEXT) => !matches!(tag, Tag::Mglyph | Tag::Malignmark),
            Some(&ANNOTATION) => tag == Tag::Svg,
            _ => false,
        }
    }

    fn start_foreign<'d>(
        &mut self,
        name: Name,
        self_closing: bool,
        attribute: impl Fn(&str) -> Option<&'d str>,
    ) -> Insertion {
        if self_closing {
            return Insertion::Empty;
        }
        let in_svg = matches!(self.numbers.last(), Some(&(SVG | SVG_HTML)));
        let number = match name.tag() {
            Tag::ForeignObject | Tag::Desc | Tag::Title if in_svg => SVG_HTML,
            _ if in_svg => SVG,
            Tag::Mi | Tag::Mo | Tag::Mn | Tag::Ms | Tag::Mtext => MATHML_TEXT,
            Tag::AnnotationXml => {
                let is_html = attribute("encoding").is_some_and(|encoding| {
                    encoding.eq_ignore_ascii_case("text/html") || encoding.eq_ignore_ascii_case("application/xhtml+xml")
                });
                if is_html { HTML_ANNOTATION } else { ANNOTATION }
            }
            _ => MATHML,
        };
        self.open(number, name)
    }

    fn leave_foreign(&mut self) {
        let stays = |&number: &u8| number < SVG || number >= HTML_ANNOTATION;
        let end = self.numbers.iter().rposition(stays).map_or(0, |index| index + 1);
        self.close_from(end);
    }

    fn start_html(&mut self, tag: Tag, name: Name, self_closing: bool) -> Insertion {
        if tag == Tag::Frameset {
            if self.frameset_possible {
                self.close_from(0);
                self.is_frameset = true;
            }
            return Insertion::Ignored;
        }
        if self.frameset_possible && tag.is(NO_FRAMESET) {
            self.frameset_possible = false;
        }
        match tag {
            Tag::Html | Tag::Head | Tag::Body | Tag::Frame => return Insertion::Ignored,
            Tag::A => self.close_misnested_anchor(),
            Tag::Nobr => {
                if self.in_scope(Tag::Nobr).is_some() {
                    self.adopt(Tag::Nobr);
                }
            }
            Tag::Li => self.close_item(|number| number == Tag::Li as u8),
            Tag::Dd | Tag::Dt => self.close_item(|number| number == Tag::Dd as u8 || number == Tag::Dt as u8),
            Tag::Button | Tag::Select => {
                if let Some(index) = self.in_scope(tag) {
                    self.close_from(index);
                    if tag == Tag::Select {
                        return Insertion::Ignored;
                    }
                }
            }
            Tag::Input => {
                if let Some(index) = self.in_scope(Tag::Select) {
                    self.close_from(index);
                }
            }
            Tag::Option | Tag::Optgroup => {
                if self.in_scope(Tag::Select).is_some() {
                    let kept = if tag == Tag::Option { Tag::Optgroup } else { Tag::Unknown };
                    self.close_implied(kept);
                } else if self.numbers.last() == Some(&(Tag::Option as u8)) {
                    self.close_from(self.numbers.len() - 1);
                }
            }
            Tag::Rb | Tag::Rtc | Tag::Rp | Tag::Rt => {
                if self.in_scope(Tag::Ruby).is_some() {
                    let kept = if matches!(tag, Tag::Rp | Tag::Rt) { Tag::Rtc } else { Tag::Unknown };
                    self.close_implied(kept);
                }
            }
            Tag::Hr => {
                if self.in_scope(Tag::Select).is_some() {
                    self.close_implied(Tag::Unknown);
                }
            }
            Tag::Form => {
                let table = self.table_context();
                let in_table = table.is_some_and(|index| !has(self.numbers[index], MARKER));
                if self.has_form && !self.in_template() {
                    return Insertion::Ignored;
                }
                if !self.in_template() {
                    self.has_form = true;
                }
                if in_table {
                    return Insertion::Empty;
                }
                self.close_p();
            }
            Tag::Table => {
                if let Some(index) = self.table_context() {
                    // Within a table but in no cell: the outer table ends.
                    if !has(self.numbers[index], MARKER) {
                        let table = self.numbers[..=index].iter().rposition(|&number| number == Tag::Table as u8);
                        self.close_from(table.unwrap_or(index));
                    }
                }
                if !self.quirks {
                    self.close_p();
                }
            }
            Tag::Svg | Tag::Math => {
                if self_closing {
                    return Insertion::Empty;
                }
                return self.open(if tag == Tag::Svg { SVG } else { MATHML }, name);
            }
            Tag::Plaintext => {
                self.close_p();
                return Insertion::Plaintext;
            }
            _ if tag.is(TABLE_PART) => return self.start_table_part(tag, name),
            _ => {}
        }
        if tag.is(CLOSES_P) {
            self.close_p();
        }
        if tag.is(HEADING) && self.numbers.last().is_some_and(|&number| has(number, HEADING)) {
            self.close_from(self.numbers.len() - 1);
        }
        if tag.is(RAW_TEXT | DECODED_TEXT) {
            Insertion::Text
        } else if tag.is(VOID) {
            Insertion::Empty
        } else {
            self.drops_line_end = matches!(tag, Tag::Pre | Tag::Listing);
            self.open(tag as u8, name)
        }
    }

    /// `<tr>`, `<td>` and the like: they close what is open in their table, and open what is missing.
    fn start_table_part(&mut self, tag: Tag, name: Name) -> Insertion {
        let Some(context) = self.table_context() else { return Insertion::Ignored };
        let is_template = self.numbers[context] == Tag::Template as u8;
        if is_template && context + 1 < self.numbers.len() {
            return Insertion::Ignored;
        }
        let is_body = |number| number == Tag::Tbody as u8 || number == Tag::Thead as u8 || number == Tag::Tfoot as u8;
        let holds = |number| {
            number == Tag::Table as u8
                || number == Tag::Template as u8
                || matches!(tag, Tag::Tr | Tag::Td | Tag::Th) && is_body(number)
                || matches!(tag, Tag::Td | Tag::Th) && number == Tag::Tr as u8
        };
        let Some(parent) = self.numbers[..=context].iter().rposition(|&number| holds(number)) else {
            return Insertion::Ignored;
        };
        self.close_from(parent + 1);
        let parent = self.numbers[parent];
        if matches!(tag, Tag::Tr | Tag::Td | Tag::Th) && parent == Tag::Table as u8 {
            self.open(Tag::Tbody as u8, Name::of(Tag::Tbody));
        }
        if matches!(tag, Tag::Td | Tag::Th) && (parent == Tag::Table as u8 || is_body(parent)) {
            self.open(Tag::Tr as u8, Name::of(Tag::Tr));
        }
        match tag {
            // Nothing but <col> and <template> stands in a column group, so it need not be open.
            Tag::Col | Tag::Colgroup => Insertion::Empty,
            _ => self.open(tag as u8, name),
        }
    }

    fn end_html(&mut self, tag: Tag, name: Name) {
        let from = match tag {
            Tag::Html | Tag::Head | Tag::Body | Tag::Br => None,
            Tag::P => self.in_p_scope(),
            Tag::Li => self
                .find_open(Tag::Li, |number| has(number, SCOPE) || number == Tag::Ol as u8 || number == Tag::Ul as u8),
            Tag::Dd | Tag::Dt => self.in_scope(tag),
            Tag::Form => return self.end_form(),
            Tag::Template => self.find_open(tag, |_| false),
            Tag::Table => self.in_table_scope(tag),
            _ if tag.is(TABLE_PART) => self.in_table_scope(tag),
            _ if tag.is(HEADING) => self.heading_in_scope(),
            _ if tag.is(FORMATTING) => {
                self.adopt(tag);
                None
            }
            _ if tag.is(CLOSES_BLOCK) => self.in_scope(tag),
            _ => self.named_before_special(name),
        };
        if let Some(index) = from {
            self.close_from(index);
        }
    }

    /// `</form>` ends the form element alone: what is open inside stays open.
    fn end_form(&mut self) {
        if self.in_template() {
            if let Some(index) = self.in_scope(Tag::Form) {
                self.close_from(index);
            }
            return;
        }
        if !std::mem::take(&mut self.has_form) {
            return;
        }
        if self.in_scope(Tag::Form).is_some() {
            self.close_implied(Tag::Unknown);
            if let Some(index) = self.in_scope(Tag::Form) {
                self.remove(index, self.captures.mark());
            }
        }
    }

    /// `<a>` inside `<a>` ends the outer one, unless a table cell or the like lies between.
    fn close_misnested_anchor(&mut self) {
        if self.counts[Tag::A as usize] == 0 {
            return;
        }
        let anchor = self.find_open(Tag::A, |number| has(number, MARKER));
        if let Some(index) = anchor
            && !self.adopt(Tag::A)
        {
            // A table or a list box lies between: the anchor is no longer open, but that one is still in it.
            let capture = std::mem::replace(&mut self.elements[index].capture, CaptureId::NONE);
            self.remove(index, self.captures.mark());
            match self.elements.get_mut(index) {
                Some(inner) if inner.capture == CaptureId::NONE => inner.capture = capture,
                _ => self.captures.close(capture, self.captures.mark()),
            }
        }
    }

    /// The "adoption agency algorithm", of which this is what it does to the stack. Blocks opened inside the
    /// formatting element stay open; it and its like end where the first such block starts, since what
    /// follows goes to copies of them. Answers whether there was anything to do.
    fn adopt(&mut self, tag: Tag) -> bool {
        let Some(first) = self.in_scope(tag) else { return false };
        let is_special = |number: &u8| has(*number, SPECIAL);
        let Some(last_special) = self.numbers[first..].iter().rposition(is_special).map(|offset| first + offset) else {
            self.close_from(first);
            return true;
        };
        self.close_from(last_special + 1);
        let mut mark = self.captures.mark();
        for index in (first..last_special + 1).rev() {
            let number = self.numbers[index];
            if has(number, SPECIAL) {
                mark = self.elements[index].mark;
            } else if index == first || !has(number, FORMATTING) {
                self.remove(index, mark);
            } else {
                let capture = std::mem::replace(&mut self.elements[index].capture, CaptureId::NONE);
                if capture != CaptureId::NONE {
                    self.captures.close(capture, mark);
                }
            }
        }
        true
    }

    /// A list item ends the one before it, unless a list or another block lies between.
    fn close_item(&mut self, is_item: impl Fn(u8) -> bool) {
        for index in (0..self.numbers.len()).rev() {
            let number = self.numbers[index];
            if is_item(number) {
                return self.close_from(index);
            }
            let passes = number == Tag::Address as u8 || number == Tag::Div as u8 || number == Tag::P as u8;
            if has(number, SPECIAL) && !passes {
                return;
            }
        }
    }

    fn close_p(&mut self) {
        if let Some(index) = self.in_p_scope() {
            self.close_from(index);
        }
    }

    /// "Generate implied end tags", except for `kept`.
    fn close_implied(&mut self, kept: Tag) {
        let stays = |&number: &u8| !has(number, IMPLIED_END) || number == kept as u8;
        let end = self.numbers.iter().rposition(stays).map_or(0, |index| index + 1);
        self.close_from(end);
    }

    /// Index of the innermost open part of a table, table, caption or template.
    fn table_context(&self) -> Option<usize> {
        self.numbers
            .iter()
            .rposition(|&number| has(number, TABLE_PART) || number == Tag::Table as u8 || number == Tag::Template as u8)
    }

    /// Index of the innermost open `tag`, unless an element that `is_barrier` is open inside it.
    fn find_open(&self, tag: Tag, is_barrier: impl Fn(u8) -> bool) -> Option<usize> {
        if self.counts[tag as usize] == 0 {
            return None;
        }
        let index = self.numbers.iter().rposition(|&number| number == tag as u8 || is_barrier(number))?;
        (self.numbers[index] == tag as u8).then_some(index)
    }

    fn in_scope(&self, tag: Tag) -> Option<usize> {
        self.find_open(tag, |number| has(number, SCOPE))
    }

    fn in_p_scope(&self) -> Option<usize> {
        self.find_open(Tag::P, |number| has(number, SCOPE) || number == Tag::Button as u8)
    }

    fn in_table_scope(&self, tag: Tag) -> Option<usize> {
        self.find_open(tag, |number| number == Tag::Table as u8 || number == Tag::Template as u8)
    }

    fn heading_in_scope(&self) -> Option<usize> {
        let index = self.numbers.iter().rposition(|&number| has(number, HEADING | SCOPE))?;
        has(self.numbers[index], HEADING).then_some(index)
    }

    /// Index of the innermost open HTML element called `name`, unless a special element is open inside it.
    fn named_before_special(&self, name: Name) -> Option<usize> {
        for index in (0..self.numbers.len()).rev() {
            let number = self.numbers[index];
            if number < SVG && self.elements[index].name == name {
                return Some(index);
            }
            if has(number, SPECIAL) {
                return None;
            }
        }
        None
    }

    #[inline]
    fn open(&mut self, number: u8, name: Name) -> Insertion {
        if self.numbers.len() >= MAX_DEPTH {
            self.close_from(MAX_DEPTH - 1);
        }
        self.numbers.push(number);
        self.elements.push(Element { name, capture: CaptureId::NONE, mark: self.captures.mark() });
        self.counts[number as usize] += 1;
        Insertion::Opened
    }

    /// Closes every element from `index` on.
    #[inline]
    fn close_from(&mut self, index: usize) {
        while self.numbers.len() > index {
            let (Some(number), Some(element)) = (self.numbers.pop(), self.elements.pop()) else { return };
            self.counts[number as usize] -= 1;
            if element.capture != CaptureId::NONE {
                self.captures.close(element.capture, self.captures.mark());
            }
        }
    }

    /// Takes one element out of the stack; those inside it stay open. Its text ends at `mark`.
    fn remove(&mut self, index: usize, mark: usize) {
        let number = self.numbers.remove(index);
        let element = self.elements.remove(index);
        self.counts[number as usize] -= 1;
        if element.capture != CaptureId::NONE {
            self.captures.close(element.capture, mark);
        }
    }
}

#[inline]
fn has(number: u8, traits: super::tags::Traits) -> bool {
    match number {
        SVG_HTML | MATHML_TEXT => traits & SCOPE != 0,
        _ => traits_of(number) & traits != 0,
    }
}

/// `text` without the line end it starts with, if it does.
pub fn without_line_end(text: &str) -> &str {
    let rest = text.strip_prefix('\r').unwrap_or(text);
    rest.strip_prefix('\n').unwrap_or(rest)
}

/// Whether a doctype asks for quirks mode, in which a table does not end a paragraph.
fn has_quirks(doctype: &str) -> bool {
    // The families of the standard's list that are found in the wild.
    const OLD: [&str; 8] = [
        "-//ietf//dtd html",
        "-//netscape comm. corp.//dtd",
        "-//o'reilly and associates//dtd html",
        "-//softquad",
        "-//w3c//dtd html 3",
        "-//w3c//dtd html 4.0 frameset//",
        "-//w3c//dtd html 4.0 transitional//",
        "-//w3o//dtd w3 html",
    ];
    const OLD_WITHOUT_SYSTEM: [&str; 2] = ["-//w3c//dtd html 4.01 frameset//", "-//w3c//dtd html 4.01 transitional//"];
    let doctype = doctype.trim_ascii().to_ascii_lowercase();
    let Some(ids) =
        doctype.strip_prefix("html").filter(|ids| ids.is_empty() || ids.starts_with([' ', '\t', '\n', '\r']))
    else {
        return true;
    };
    let mut quoted = ids.split(['"', '\'']).skip(1).step_by(2);
    let (public, system) = (quoted.next().unwrap_or_default(), quoted.next());
    if !ids.trim_ascii_start().starts_with("public") {
        return false;
    }
    OLD.iter().any(|old| public.starts_with(old))
        || system.is_none() && OLD_WITHOUT_SYSTEM.iter().any(|old| public.starts_with(old))
}
