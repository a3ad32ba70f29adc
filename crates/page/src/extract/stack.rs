//! The stack of open elements: what is open, what is in scope, what closes.

use super::captures::{CaptureId, Captures};
use super::tags::{HEADING, IMPLIED_END, Name, SCOPE, SPECIAL, TABLE_PART, Tag, Traits, traits_of};

/// Deepest nesting kept, as in browsers; an element below replaces the innermost one. It bounds the time
/// that one tag can take.
pub const MAX_DEPTH: usize = 512;

/// From here on, numbers on the stack are of elements that do not belong to HTML; this is one of SVG.
pub const SVG: u8 = 250;
/// An element of MathML.
pub const MATHML: u8 = 251;
/// `annotation-xml` of MathML, inside which `<svg>` may stand.
pub const ANNOTATION: u8 = 252;
/// From here on: elements of SVG and MathML in which HTML may stand.
pub const HTML_ANNOTATION: u8 = 253;
/// `mi`, `mo`, `mn`, `ms` and `mtext` of MathML.
pub const MATHML_TEXT: u8 = 254;
/// `foreignObject`, `desc` and `title` of SVG.
pub const SVG_HTML: u8 = 255;

/// One open element.
#[derive(Clone, Copy, Debug)]
pub struct Element {
    /// Its name; of SVG and MathML elements too.
    pub name: Name,
    /// The capture of its text.
    pub capture: CaptureId,
    /// Its start in the captured text.
    pub mark: usize,
}

/// The open elements, without `<html>`, `<head>` and `<body>`, and the texts captured in them.
pub struct Stack {
    /// Texts of the open elements.
    pub captures: Captures,
    /// Numbers of the open elements, outermost first; [`Stack::elements`] runs parallel.
    pub numbers: Vec<u8>,
    /// The same elements.
    pub elements: Vec<Element>,
    /// How many elements of each number are open.
    pub counts: [u16; 256],
}

impl Default for Stack {
    fn default() -> Self {
        Self {
            captures: Captures::default(),
            numbers: Vec::with_capacity(MAX_DEPTH),
            elements: Vec::with_capacity(MAX_DEPTH),
            counts: [0; 256],
        }
    }
}

impl Stack {
    /// Back to an empty document.
    pub fn clear(&mut self) {
        self.captures.clear();
        self.numbers.clear();
        self.elements.clear();
        self.counts = [0; 256];
    }

    /// Whether the innermost open element belongs to SVG or MathML.
    #[inline]
    pub fn in_foreign(&self) -> bool {
        self.numbers.last().is_some_and(|&number| number >= SVG)
    }

    /// Opens an element inside the innermost one, or in its place at [`MAX_DEPTH`].
    #[inline]
    pub fn open(&mut self, number: u8, name: Name) {
        if self.numbers.len() >= MAX_DEPTH {
            self.close_from(MAX_DEPTH - 1);
        }
        self.numbers.push(number);
        self.elements.push(Element { name, capture: CaptureId::NONE, mark: self.captures.mark() });
        self.counts[number as usize] += 1;
    }

    /// Closes every element from `index` on.
    #[inline]
    pub fn close_from(&mut self, index: usize) {
        while self.numbers.len() > index {
            let (Some(number), Some(element)) = (self.numbers.pop(), self.elements.pop()) else { return };
            self.counts[number as usize] -= 1;
            if element.capture != CaptureId::NONE {
                self.captures.close(element.capture, self.captures.mark());
            }
        }
    }

    /// Takes one element out of the stack; those inside it stay open. Its text ends at `mark`.
    pub fn remove(&mut self, index: usize, mark: usize) {
        let number = self.numbers.remove(index);
        let element = self.elements.remove(index);
        self.counts[number as usize] -= 1;
        if element.capture != CaptureId::NONE {
            self.captures.close(element.capture, mark);
        }
    }

    /// Closes what belongs to SVG or MathML, up to an element in which HTML may stand.
    pub fn leave_foreign(&mut self) {
        let stays = |number: &u8| !(SVG..HTML_ANNOTATION).contains(number);
        let end = self.numbers.iter().rposition(stays).map_or(0, |index| index + 1);
        self.close_from(end);
    }

    /// Closes an open paragraph with all that is in it.
    pub fn close_p(&mut self) {
        if let Some(index) = self.in_p_scope() {
            self.close_from(index);
        }
    }

    /// "Generate implied end tags", except for `kept`.
    pub fn close_implied(&mut self, kept: Tag) {
        let stays = |&number: &u8| !has(number, IMPLIED_END) || number == kept as u8;
        let end = self.numbers.iter().rposition(stays).map_or(0, |index| index + 1);
        self.close_from(end);
    }

    /// Index of the innermost open part of a table, table, caption or template.
    pub fn table_context(&self) -> Option<usize> {
        self.numbers
            .iter()
            .rposition(|&number| has(number, TABLE_PART) || number == Tag::Table as u8 || number == Tag::Template as u8)
    }

    /// Index of the innermost open `tag`, unless an element that `is_barrier` is open inside it.
    pub fn find_open(&self, tag: Tag, is_barrier: impl Fn(u8) -> bool) -> Option<usize> {
        if self.counts[tag as usize] == 0 {
            return None;
        }
        let index = self.numbers.iter().rposition(|&number| number == tag as u8 || is_barrier(number))?;
        (self.numbers[index] == tag as u8).then_some(index)
    }

    /// Index of the innermost open `tag` if it is "in scope".
    pub fn in_scope(&self, tag: Tag) -> Option<usize> {
        self.find_open(tag, |number| has(number, SCOPE))
    }

    /// The same for a paragraph, "in button scope".
    pub fn in_p_scope(&self) -> Option<usize> {
        self.find_open(Tag::P, |number| has(number, SCOPE) || number == Tag::Button as u8)
    }

    /// The same "in table scope".
    pub fn in_table_scope(&self, tag: Tag) -> Option<usize> {
        self.find_open(tag, |number| number == Tag::Table as u8 || number == Tag::Template as u8)
    }

    /// The same for the innermost heading of any level.
    pub fn heading_in_scope(&self) -> Option<usize> {
        let index = self.numbers.iter().rposition(|&number| has(number, HEADING | SCOPE))?;
        has(self.numbers[index], HEADING).then_some(index)
    }

    /// Index of the innermost open HTML element called `name`, unless a special element is open inside it.
    pub fn named_before_special(&self, name: Name) -> Option<usize> {
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
}

/// Whether the standard says any of `traits` of the elements with this number.
#[inline]
pub fn has(number: u8, traits: Traits) -> bool {
    match number {
        SVG_HTML | MATHML_TEXT => traits & SCOPE != 0,
        _ => traits_of(number) & traits != 0,
    }
}
