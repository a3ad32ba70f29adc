//! The insertion mode of the body.

use super::{Builder, Flow, Item, Mode, Word};
use crate::extract::arena::Namespace;
use crate::extract::stack::has;
use crate::extract::tags::{HEADING, SPECIAL, Tag};

impl Builder<'_> {
    #[inline]
    pub(super) fn in_body(&mut self, item: Item) -> Flow {
        match item {
            Item::Text(text, is_space) => {
                self.reconstruct();
                self.may_have_frames &= is_space;
                self.insert_text(text)
            }
            Item::Start(word) => self.start_in_body(word, item),
            Item::End(word) => self.end_in_body(word, item),
            Item::Comment(text) => self.insert_comment(text),
            Item::Eof => Flow::Done,
        }
    }

    fn start_in_body(&mut self, word: Word, item: Item) -> Flow {
        match word.tag {
            Tag::Div
            | Tag::P
            | Tag::Ul
            | Tag::Address
            | Tag::Article
            | Tag::Aside
            | Tag::Blockquote
            | Tag::Center
            | Tag::Details
            | Tag::Dialog
            | Tag::Dir
            | Tag::Dl
            | Tag::Fieldset
            | Tag::Figcaption
            | Tag::Figure
            | Tag::Footer
            | Tag::Header
            | Tag::Hgroup
            | Tag::Main
            | Tag::Menu
            | Tag::Nav
            | Tag::Ol
            | Tag::Search
            | Tag::Section
            | Tag::Summary => {
                self.close_p();
                self.insert(word);
            }
            Tag::A => {
                self.end_open_anchor();
                self.reconstruct();
                return self.insert_formatting(word);
            }
            Tag::B
            | Tag::Big
            | Tag::Code
            | Tag::Em
            | Tag::Font
            | Tag::I
            | Tag::S
            | Tag::Small
            | Tag::Strike
            | Tag::Strong
            | Tag::Tt
            | Tag::U => {
                self.reconstruct();
                return self.insert_formatting(word);
            }
            Tag::Nobr => {
                self.reconstruct();
                if self.stack.in_scope(Tag::Nobr).is_some() {
                    self.adopt(word);
                    self.reconstruct();
                }
                return self.insert_formatting(word);
            }
            Tag::Li => self.start_item(word, |number| number == Tag::Li as u8),
            Tag::Dd | Tag::Dt => self.start_item(word, |number| number == Tag::Dd as u8 || number == Tag::Dt as u8),
            Tag::H1 | Tag::H2 | Tag::H3 | Tag::H4 | Tag::H5 | Tag::H6 => {
                self.close_p();
                if self.stack.number().is_some_and(|number| has(number, HEADING)) {
                    self.pop();
                }
                self.insert(word);
            }
            Tag::Pre | Tag::Listing => {
                self.close_p();
                self.insert(word);
                self.drops_line_end = true;
                self.may_have_frames = false;
            }
            Tag::Table => {
                if !self.tree.has_quirks {
                    self.close_p();
                }
                self.insert(word);
                self.may_have_frames = false;
                self.mode = Mode::InTable;
            }
            Tag::Area | Tag::Br | Tag::Embed | Tag::Img | Tag::Keygen | Tag::Wbr => {
                self.reconstruct();
                self.insert_closed(word);
                self.may_have_frames = false;
            }
            Tag::Image => {
                return self.start_in_body(Word { is_self_closing: word.is_self_closing, ..Tag::Img.into() }, item);
            }
            Tag::Input => {
                if let Some(index) = self.stack.in_scope(Tag::Select) {
                    self.close_from(index);
                }
                self.reconstruct();
                self.insert_closed(word);
                self.may_have_frames &= self.is_hidden_input();
            }
            Tag::Param | Tag::Source | Tag::Track => {
                self.insert_closed(word);
            }
            Tag::Hr => {
                self.close_p();
                if self.stack.in_scope(Tag::Select).is_some() {
                    self.close_implied(Tag::Unknown);
                }
                self.insert_closed(word);
                self.may_have_frames = false;
            }
            Tag::Base
            | Tag::Basefont
            | Tag::Bgsound
            | Tag::Link
            | Tag::Meta
            | Tag::Noframes
            | Tag::Script
            | Tag::Style
            | Tag::Template
            | Tag::Title => return self.in_head(item),
            Tag::Textarea => {
                self.may_have_frames = false;
                return self.insert_raw(word, true, true);
            }
            Tag::Xmp => {
                self.close_p();
                self.reconstruct();
                self.may_have_frames = false;
                return self.insert_raw(word, false, false);
            }
            Tag::Iframe => {
                self.may_have_frames = false;
                return self.insert_raw(word, false, false);
            }
            Tag::Noembed => return self.insert_raw(word, false, false),
            Tag::Plaintext => {
                self.close_p();
                self.insert(word);
                let raw = self.tokens.rest();
                self.plaintext(raw);
            }
            Tag::Button => {
                if let Some(index) = self.stack.in_scope(Tag::Button) {
                    self.close_from(index);
                }
                self.reconstruct();
                self.insert(word);
                self.may_have_frames = false;
            }
            Tag::Applet | Tag::Marquee | Tag::Object => {
                self.reconstruct();
                self.insert(word);
                self.formatting.mark();
                self.may_have_frames = false;
            }
            Tag::Form => {
                let in_template = self.stack.has_open(Tag::Template);
                if self.form.is_some() && !in_template {
                    return Flow::Done;
                }
                self.close_p();
                let form = self.insert(word);
                if !in_template {
                    self.form = Some(form.id);
                }
            }
            Tag::Select => {
                if let Some(index) = self.stack.in_scope(Tag::Select) {
                    self.close_from(index);
                } else {
                    self.reconstruct();
                    self.insert(word);
                    self.may_have_frames = false;
                }
            }
            Tag::Option | Tag::Optgroup => {
                if self.stack.in_scope(Tag::Select).is_some() {
                    self.close_implied(if word.tag == Tag::Option { Tag::Optgroup } else { Tag::Unknown });
                } else if self.stack.is_in(Tag::Option) {
                    self.pop();
                }
                self.reconstruct();
                self.insert(word);
            }
            Tag::Rb | Tag::Rtc | Tag::Rp | Tag::Rt => {
                if self.stack.in_scope(Tag::Ruby).is_some() {
                    let kept = if matches!(word.tag, Tag::Rp | Tag::Rt) { Tag::Rtc } else { Tag::Unknown };
                    self.close_implied(kept);
                }
                self.insert(word);
            }
            Tag::Svg | Tag::Math => {
                self.reconstruct();
                self.insert_foreign(word, if word.tag == Tag::Svg { Namespace::Svg } else { Namespace::MathMl });
            }
            Tag::Html => {
                if !self.stack.has_open(Tag::Template)
                    && let Some(html) = self.stack.get(0)
                {
                    self.add_missing_attributes(html.id);
                }
            }
            Tag::Body => {
                if let Some(body) = self.stack.get(1).filter(|open| open.number == Tag::Body as u8).copied()
                    && !self.stack.has_open(Tag::Template)
                {
                    self.may_have_frames = false;
                    self.add_missing_attributes(body.id);
                }
            }
            Tag::Frameset => {
                if let Some(body) = self.stack.get(1).filter(|open| open.number == Tag::Body as u8).copied()
                    && self.may_have_frames
                {
                    self.tree.detach(body.id);
                    self.close_from(1);
                    self.insert(word);
                    self.mode = Mode::InFrameset;
                }
            }
            Tag::Caption
            | Tag::Col
            | Tag::Colgroup
            | Tag::Frame
            | Tag::Head
            | Tag::Tbody
            | Tag::Td
            | Tag::Tfoot
            | Tag::Th
            | Tag::Thead
            | Tag::Tr => {}
            _ => {
                self.reconstruct();
                self.insert(word);
            }
        }
        Flow::Done
    }

    fn end_in_body(&mut self, word: Word, item: Item) -> Flow {
        match word.tag {
            Tag::A
            | Tag::B
            | Tag::Big
            | Tag::Code
            | Tag::Em
            | Tag::Font
            | Tag::I
            | Tag::Nobr
            | Tag::S
            | Tag::Small
            | Tag::Strike
            | Tag::Strong
            | Tag::Tt
            | Tag::U => return self.adopt(word),
            Tag::P => {
                if self.stack.p_in_scope().is_none() {
                    self.insert_implied(Tag::P);
                }
                self.close_p();
            }
            Tag::Li => self.close_some(self.stack.li_in_scope()),
            Tag::Address
            | Tag::Article
            | Tag::Aside
            | Tag::Blockquote
            | Tag::Button
            | Tag::Center
            | Tag::Dd
            | Tag::Details
            | Tag::Dialog
            | Tag::Dir
            | Tag::Div
            | Tag::Dl
            | Tag::Dt
            | Tag::Fieldset
            | Tag::Figcaption
            | Tag::Figure
            | Tag::Footer
            | Tag::Header
            | Tag::Hgroup
            | Tag::Listing
            | Tag::Main
            | Tag::Menu
            | Tag::Nav
            | Tag::Ol
            | Tag::Pre
            | Tag::Search
            | Tag::Section
            | Tag::Select
            | Tag::Summary
            | Tag::Ul => self.close_some(self.stack.in_scope(word.tag)),
            Tag::H1 | Tag::H2 | Tag::H3 | Tag::H4 | Tag::H5 | Tag::H6 => self.close_some(self.stack.heading_in_scope()),
            Tag::Applet | Tag::Marquee | Tag::Object => {
                if let Some(index) = self.stack.in_scope(word.tag) {
                    self.close_from(index);
                    self.formatting.clear_to_marker();
                }
            }
            Tag::Form => self.end_form(),
            Tag::Br => {
                self.reconstruct();
                self.insert_implied(Tag::Br);
                self.pop();
                self.may_have_frames = false;
            }
            Tag::Body | Tag::Html => {
                if self.stack.in_scope(Tag::Body).is_some() {
                    self.mode = Mode::AfterBody;
                    if word.tag == Tag::Html {
                        return Flow::Again(Mode::AfterBody);
                    }
                }
            }
            Tag::Template => return self.in_head(item),
            _ => return self.end_any_other(word),
        }
        Flow::Done
    }

    fn close_some(&mut self, index: Option<usize>) {
        if let Some(index) = index {
            self.close_from(index);
        }
    }

    /// A list item ends the one before it, unless a list or another block lies between.
    fn start_item(&mut self, word: Word, is_item: impl Fn(u8) -> bool) {
        self.may_have_frames = false;
        let is_bound = |number: u8| {
            let passes = number == Tag::Address as u8 || number == Tag::Div as u8 || number == Tag::P as u8;
            has(number, SPECIAL) && !passes
        };
        let found = self.stack.innermost(|number| is_item(number) || is_bound(number));
        if let Some(index) = found.filter(|index| self.stack.get(*index).is_some_and(|open| is_item(open.number))) {
            self.close_from(index);
        }
        self.close_p();
        self.insert(word);
    }

    /// `</form>` ends the form element alone: what is open inside stays open.
    fn end_form(&mut self) {
        if self.stack.has_open(Tag::Template) {
            return self.close_some(self.stack.in_scope(Tag::Form));
        }
        let Some(index) = self.form.take().and_then(|form| self.stack.position(form)) else { return };
        if self.stack.is_in_scope(index) {
            self.close_implied(Tag::Unknown);
            self.remove(index);
        }
    }

    pub(super) fn is_hidden_input(&self) -> bool {
        self.tokens
            .attribute("type")
            .is_some_and(|kind| crate::extract::text::attribute_value(kind).eq_ignore_ascii_case("hidden"))
    }
}
