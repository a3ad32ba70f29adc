//! The tree construction of the HTML standard without a tree: only the stack of open elements.
//!
//! That stack decides where an element ends whose end tag is missing or misplaced, and which tags count at
//! all. What the standard does with the tree itself (foster parenting, copies of formatting elements) moves
//! nodes but neither adds nor removes a link, so it is left out.

use super::captures::{CaptureId, Owner};
use super::doctype::has_quirks;
use super::stack::{ANNOTATION, HTML_ANNOTATION, MATHML, MATHML_TEXT, SVG, SVG_HTML, Stack, has};
use super::tags::{
    BREAKOUT, CLOSES_BLOCK, CLOSES_P, DECODED_TEXT, FORMATTING, HEADING, MARKER, NO_FRAMESET, Name, RAW_TEXT, SCOPE,
    SPECIAL, TABLE_PART, Tag, VOID,
};
use super::text::Nul;

/// The result of a start tag.
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

/// How far the construction has come.
pub struct Tree {
    /// The open elements.
    pub stack: Stack,
    has_form: bool,
    quirks: bool,
    frameset_possible: bool,
    is_frameset: bool,
    is_empty: bool,
    /// Whether a line end that comes next is dropped: the first one in `<pre>`.
    drops_line_end: bool,
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            stack: Stack::default(),
            has_form: false,
            quirks: true,
            frameset_possible: true,
            is_frameset: false,
            is_empty: true,
            drops_line_end: false,
        }
    }
}

impl Tree {
    /// Back to an empty document.
    pub fn clear(&mut self) {
        self.stack.clear();
        self.has_form = false;
        self.quirks = true;
        self.frameset_possible = true;
        self.is_frameset = false;
        self.is_empty = true;
        self.drops_line_end = false;
    }

    /// Whether a `<template>` is open.
    pub fn in_template(&self) -> bool {
        self.stack.counts[Tag::Template as usize] > 0
    }

    /// Whether an element without contents that comes now, or the one just opened, is of the document itself: not of a
    /// template, whose contents are apart, nor of SVG or MathML.
    pub fn is_of_document(&self) -> bool {
        !self.in_template() && !matches!(self.stack.numbers.last(), Some(&(SVG..=ANNOTATION)))
    }

    /// Whether text that comes now matters.
    #[inline]
    pub fn wants_text(&self) -> bool {
        self.stack.captures.want_text() || self.frameset_possible
    }

    /// Takes text; `is_encoded` says whether it holds character references.
    pub fn text(&mut self, text: &str, is_encoded: bool) {
        let text = if std::mem::take(&mut self.drops_line_end) { without_line_end(text) } else { text };
        if self.frameset_possible && text.bytes().any(|byte| !byte.is_ascii_whitespace() && byte != 0) {
            self.frameset_possible = false;
        }
        if self.stack.captures.want_text() && !self.in_code() {
            let in_svg_or_mathml = matches!(self.stack.numbers.last(), Some(&(SVG..=ANNOTATION)));
            let nul = if in_svg_or_mathml { Nul::Replaced } else { Nul::Dropped };
            if is_encoded {
                self.stack.captures.push_encoded(text, nul);
            } else {
                self.stack.captures.push_plain(text, nul);
            }
        }
    }

    /// Whether the innermost open element is a script or style of SVG, or the source of a formula: no text for readers.
    fn in_code(&self) -> bool {
        let Some((number, element)) = self.stack.numbers.last().zip(self.stack.elements.last()) else { return false };
        matches!((*number, element.name.tag()), (SVG, Tag::Script | Tag::Style) | (MATHML, Tag::Annotation))
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
        if let Some(element) = self.stack.elements.last_mut() {
            element.capture = self.stack.captures.open(owner);
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
        if self.stack.in_foreign() && !self.takes_html(tag) {
            let breaks_out = tag.is(BREAKOUT)
                || tag == Tag::Font && ["color", "face", "size"].iter().any(|name| attribute(name).is_some());
            if !breaks_out {
                return self.start_foreign(name, self_closing, attribute);
            }
            self.stack.leave_foreign();
        }
        self.start_html(tag, name, self_closing)
    }

    /// Takes an end tag.
    #[inline]
    pub fn end(&mut self, name: Name) {
        let tag = name.tag();
        self.drops_line_end = false;
        let Some((&number, element)) = self.stack.numbers.last().zip(self.stack.elements.last()) else { return };
        if number < SVG && element.name == name {
            if tag == Tag::Form && !self.in_template() {
                self.has_form = false;
            }
            return self.stack.close_from(self.stack.numbers.len() - 1);
        }
        if number >= SVG {
            if matches!(tag, Tag::P | Tag::Br) {
                self.stack.leave_foreign();
            } else {
                for index in (0..self.stack.numbers.len()).rev() {
                    if self.stack.numbers[index] < SVG {
                        break;
                    }
                    if self.stack.elements[index].name == name {
                        return self.stack.close_from(index);
                    }
                }
            }
        }
        self.end_html(tag, name);
    }

    /// Takes the end of the document.
    pub fn finish(&mut self) {
        self.stack.close_from(0);
    }

    /// Whether a start tag inside this element of SVG or MathML is HTML.
    fn takes_html(&self, tag: Tag) -> bool {
        match self.stack.numbers.last() {
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
        let in_svg = matches!(self.stack.numbers.last(), Some(&(SVG | SVG_HTML)));
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

    fn start_html(&mut self, tag: Tag, name: Name, self_closing: bool) -> Insertion {
        if tag == Tag::Frameset {
            if self.frameset_possible {
                self.stack.close_from(0);
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
            Tag::Nobr if self.stack.in_scope(Tag::Nobr).is_some() => {
                self.adopt(Tag::Nobr);
            }
            Tag::Li => self.close_item(|number| number == Tag::Li as u8),
            Tag::Dd | Tag::Dt => self.close_item(|number| number == Tag::Dd as u8 || number == Tag::Dt as u8),
            Tag::Button | Tag::Select => {
                if let Some(index) = self.stack.in_scope(tag) {
                    self.stack.close_from(index);
                    if tag == Tag::Select {
                        return Insertion::Ignored;
                    }
                }
            }
            Tag::Input => {
                if let Some(index) = self.stack.in_scope(Tag::Select) {
                    self.stack.close_from(index);
                }
            }
            Tag::Option | Tag::Optgroup => {
                if self.stack.in_scope(Tag::Select).is_some() {
                    let kept = if tag == Tag::Option { Tag::Optgroup } else { Tag::Unknown };
                    self.stack.close_implied(kept);
                } else if self.stack.numbers.last() == Some(&(Tag::Option as u8)) {
                    self.stack.close_from(self.stack.numbers.len() - 1);
                }
            }
            Tag::Rb | Tag::Rtc | Tag::Rp | Tag::Rt if self.stack.in_scope(Tag::Ruby).is_some() => {
                let kept = if matches!(tag, Tag::Rp | Tag::Rt) { Tag::Rtc } else { Tag::Unknown };
                self.stack.close_implied(kept);
            }
            Tag::Hr if self.stack.in_scope(Tag::Select).is_some() => self.stack.close_implied(Tag::Unknown),
            Tag::Form => {
                let table = self.stack.table_context();
                let in_table = table.is_some_and(|index| !has(self.stack.numbers[index], MARKER));
                if self.has_form && !self.in_template() {
                    return Insertion::Ignored;
                }
                if !self.in_template() {
                    self.has_form = true;
                }
                if in_table {
                    return Insertion::Empty;
                }
                self.stack.close_p();
            }
            Tag::Table => {
                if let Some(index) = self.stack.table_context() {
                    // Within a table but in no cell: the outer table ends.
                    if !has(self.stack.numbers[index], MARKER) {
                        let table = self.stack.numbers[..=index].iter().rposition(|&number| number == Tag::Table as u8);
                        self.stack.close_from(table.unwrap_or(index));
                    }
                }
                if !self.quirks {
                    self.stack.close_p();
                }
            }
            Tag::Svg | Tag::Math => {
                if self_closing {
                    return Insertion::Empty;
                }
                return self.open(if tag == Tag::Svg { SVG } else { MATHML }, name);
            }
            Tag::Plaintext => {
                self.stack.close_p();
                return Insertion::Plaintext;
            }
            _ if tag.is(TABLE_PART) => return self.start_table_part(tag, name),
            _ => {}
        }
        if tag.is(CLOSES_P) {
            self.stack.close_p();
        }
        if tag.is(HEADING) && self.stack.numbers.last().is_some_and(|&number| has(number, HEADING)) {
            self.stack.close_from(self.stack.numbers.len() - 1);
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
        let Some(context) = self.stack.table_context() else { return Insertion::Ignored };
        let is_template = self.stack.numbers[context] == Tag::Template as u8;
        if is_template && context + 1 < self.stack.numbers.len() {
            return Insertion::Ignored;
        }
        let is_body = |number| number == Tag::Tbody as u8 || number == Tag::Thead as u8 || number == Tag::Tfoot as u8;
        let holds = |number| {
            number == Tag::Table as u8
                || number == Tag::Template as u8
                || matches!(tag, Tag::Tr | Tag::Td | Tag::Th) && is_body(number)
                || matches!(tag, Tag::Td | Tag::Th) && number == Tag::Tr as u8
        };
        let Some(parent) = self.stack.numbers[..=context].iter().rposition(|&number| holds(number)) else {
            return Insertion::Ignored;
        };
        self.stack.close_from(parent + 1);
        let parent = self.stack.numbers[parent];
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
            Tag::P => self.stack.in_p_scope(),
            Tag::Li => self
                .stack
                .find_open(Tag::Li, |number| has(number, SCOPE) || number == Tag::Ol as u8 || number == Tag::Ul as u8),
            Tag::Dd | Tag::Dt => self.stack.in_scope(tag),
            Tag::Form => return self.end_form(),
            Tag::Template => self.stack.find_open(tag, |_| false),
            Tag::Table => self.stack.in_table_scope(tag),
            _ if tag.is(TABLE_PART) => self.stack.in_table_scope(tag),
            _ if tag.is(HEADING) => self.stack.heading_in_scope(),
            _ if tag.is(FORMATTING) => {
                self.adopt(tag);
                None
            }
            _ if tag.is(CLOSES_BLOCK) => self.stack.in_scope(tag),
            _ => self.stack.named_before_special(name),
        };
        if let Some(index) = from {
            self.stack.close_from(index);
        }
    }

    /// `</form>` ends the form element alone: what is open inside stays open.
    fn end_form(&mut self) {
        if self.in_template() {
            if let Some(index) = self.stack.in_scope(Tag::Form) {
                self.stack.close_from(index);
            }
            return;
        }
        if !std::mem::take(&mut self.has_form) {
            return;
        }
        if self.stack.in_scope(Tag::Form).is_some() {
            self.stack.close_implied(Tag::Unknown);
            if let Some(index) = self.stack.in_scope(Tag::Form) {
                self.stack.remove(index, self.stack.captures.mark());
            }
        }
    }

    /// `<a>` inside `<a>` ends the outer one, unless a table cell or the like lies between.
    fn close_misnested_anchor(&mut self) {
        if self.stack.counts[Tag::A as usize] == 0 {
            return;
        }
        let anchor = self.stack.find_open(Tag::A, |number| has(number, MARKER));
        if let Some(index) = anchor
            && !self.adopt(Tag::A)
        {
            // A table or a list box lies between: the anchor is no longer open, but that one is still in it.
            let capture = std::mem::replace(&mut self.stack.elements[index].capture, CaptureId::NONE);
            self.stack.remove(index, self.stack.captures.mark());
            match self.stack.elements.get_mut(index) {
                Some(inner) if inner.capture == CaptureId::NONE => inner.capture = capture,
                _ => self.stack.captures.close(capture, self.stack.captures.mark()),
            }
        }
    }

    /// The "adoption agency algorithm", of which this is what it does to the stack. Blocks opened inside the
    /// formatting element stay open; it and its like end where the first such block starts, since what
    /// follows goes to copies of them. Answers whether there was anything to do.
    fn adopt(&mut self, tag: Tag) -> bool {
        let Some(first) = self.stack.in_scope(tag) else { return false };
        let is_special = |number: &u8| has(*number, SPECIAL);
        let Some(last_special) = self.stack.numbers[first..].iter().rposition(is_special).map(|offset| first + offset)
        else {
            self.stack.close_from(first);
            return true;
        };
        self.stack.close_from(last_special + 1);
        let mut mark = self.stack.captures.mark();
        for index in (first..last_special + 1).rev() {
            let number = self.stack.numbers[index];
            if has(number, SPECIAL) {
                mark = self.stack.elements[index].mark;
            } else if index == first || !has(number, FORMATTING) {
                self.stack.remove(index, mark);
            } else {
                let capture = std::mem::replace(&mut self.stack.elements[index].capture, CaptureId::NONE);
                if capture != CaptureId::NONE {
                    self.stack.captures.close(capture, mark);
                }
            }
        }
        true
    }

    /// A list item ends the one before it, unless a list or another block lies between.
    fn close_item(&mut self, is_item: impl Fn(u8) -> bool) {
        for index in (0..self.stack.numbers.len()).rev() {
            let number = self.stack.numbers[index];
            if is_item(number) {
                return self.stack.close_from(index);
            }
            let passes = number == Tag::Address as u8 || number == Tag::Div as u8 || number == Tag::P as u8;
            if has(number, SPECIAL) && !passes {
                return;
            }
        }
    }

    fn open(&mut self, number: u8, name: Name) -> Insertion {
        self.stack.open(number, name);
        Insertion::Opened
    }
}

/// `text` without the line end it starts with, if it does.
pub fn without_line_end(text: &str) -> &str {
    let rest = text.strip_prefix('\r').unwrap_or(text);
    rest.strip_prefix('\n').unwrap_or(rest)
}
