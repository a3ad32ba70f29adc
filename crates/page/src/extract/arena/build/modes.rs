//! The insertion modes before, around and behind the body, and that of templates.

use super::{Builder, Flow, Item, Mode, NodeId, Word};
use crate::extract::arena::Namespace;
use crate::extract::tags::Tag;

impl Builder<'_> {
    /// What a mode does with a token.
    #[inline]
    pub(super) fn step(&mut self, mode: Mode, item: Item) -> Flow {
        match mode {
            Mode::InBody => self.in_body(item),
            Mode::InTable => self.in_table(item),
            Mode::InTableBody => self.in_table_body(item),
            Mode::InRow => self.in_row(item),
            Mode::InCell => self.in_cell(item),
            Mode::InCaption => self.in_caption(item),
            Mode::InColumnGroup => self.in_column_group(item),
            Mode::Initial => self.initial(item),
            Mode::BeforeHtml => self.before_html(item),
            Mode::BeforeHead => self.before_head(item),
            Mode::InHead => self.in_head(item),
            Mode::InHeadNoscript => self.in_head_noscript(item),
            Mode::AfterHead => self.after_head(item),
            Mode::InTemplate => self.in_template(item),
            Mode::AfterBody | Mode::AfterAfterBody => self.after_body(item, mode),
            Mode::InFrameset => self.in_frameset(item),
            Mode::AfterFrameset | Mode::AfterAfterFrameset => self.after_frameset(item, mode),
        }
    }

    fn initial(&mut self, item: Item) -> Flow {
        match item {
            Item::Text(_, true) => Flow::Done,
            Item::Comment(text) => self.comment_into(NodeId::DOCUMENT, text),
            _ => {
                self.tree.has_quirks = true;
                Flow::Again(Mode::BeforeHtml)
            }
        }
    }

    fn before_html(&mut self, item: Item) -> Flow {
        match item {
            Item::Text(_, true) => Flow::Done,
            Item::Comment(text) => self.comment_into(NodeId::DOCUMENT, text),
            Item::Start(word) if word.tag == Tag::Html => {
                self.insert(word);
                self.mode = Mode::BeforeHead;
                Flow::Done
            }
            Item::End(word) if !ends_what_is_implied(word.tag) => Flow::Done,
            _ => {
                self.insert_implied(Tag::Html);
                Flow::Again(Mode::BeforeHead)
            }
        }
    }

    fn before_head(&mut self, item: Item) -> Flow {
        match item {
            Item::Text(_, true) => Flow::Done,
            Item::Comment(text) => self.insert_comment(text),
            Item::Start(word) if word.tag == Tag::Html => self.in_body(item),
            Item::Start(word) if word.tag == Tag::Head => {
                self.head = Some(self.insert(word));
                self.mode = Mode::InHead;
                Flow::Done
            }
            Item::End(word) if !ends_what_is_implied(word.tag) => Flow::Done,
            _ => {
                self.head = Some(self.insert_implied(Tag::Head));
                Flow::Again(Mode::InHead)
            }
        }
    }

    pub(super) fn in_head(&mut self, item: Item) -> Flow {
        match item {
            Item::Text(text, true) => self.insert_text(text),
            Item::Comment(text) => self.insert_comment(text),
            Item::Start(word) => match word.tag {
                Tag::Html => self.in_body(item),
                Tag::Base | Tag::Basefont | Tag::Bgsound | Tag::Link | Tag::Meta => {
                    self.insert_closed(word);
                    Flow::Done
                }
                Tag::Title => self.insert_raw(word, true, false),
                Tag::Noframes | Tag::Style | Tag::Script => self.insert_raw(word, false, false),
                Tag::Noscript => {
                    self.insert(word);
                    self.mode = Mode::InHeadNoscript;
                    Flow::Done
                }
                Tag::Template => {
                    self.insert(word);
                    self.formatting.mark();
                    self.may_have_frames = false;
                    self.mode = Mode::InTemplate;
                    self.templates.push(Mode::InTemplate);
                    Flow::Done
                }
                Tag::Head => Flow::Done,
                _ => self.leave_head(),
            },
            Item::End(word) => match word.tag {
                Tag::Head => {
                    self.pop();
                    self.mode = Mode::AfterHead;
                    Flow::Done
                }
                Tag::Body | Tag::Html | Tag::Br => self.leave_head(),
                Tag::Template => {
                    self.end_template();
                    Flow::Done
                }
                _ => Flow::Done,
            },
            Item::Text(..) | Item::Eof => self.leave_head(),
        }
    }

    pub(super) fn end_template(&mut self) {
        if let Some(index) = self.stack.find(Tag::Template, |_| false) {
            self.close_from(index);
            self.formatting.clear_to_marker();
            self.templates.pop();
            self.reset_mode();
        }
    }

    fn leave_head(&mut self) -> Flow {
        self.pop();
        Flow::Again(Mode::AfterHead)
    }

    fn in_head_noscript(&mut self, item: Item) -> Flow {
        match item {
            Item::Text(_, true) | Item::Comment(_) => return self.in_head(item),
            Item::Start(word) => match word.tag {
                Tag::Html => return self.in_body(item),
                Tag::Basefont | Tag::Bgsound | Tag::Link | Tag::Meta | Tag::Noframes | Tag::Style => {
                    return self.in_head(item);
                }
                Tag::Head | Tag::Noscript => return Flow::Done,
                _ => {}
            },
            Item::End(word) => match word.tag {
                Tag::Noscript => {
                    self.pop();
                    self.mode = Mode::InHead;
                    return Flow::Done;
                }
                Tag::Br => {}
                _ => return Flow::Done,
            },
            Item::Text(..) | Item::Eof => {}
        }
        self.pop();
        Flow::Again(Mode::InHead)
    }

    fn after_head(&mut self, item: Item) -> Flow {
        match item {
            Item::Text(text, true) => return self.insert_text(text),
            Item::Comment(text) => return self.insert_comment(text),
            Item::Start(word) => match word.tag {
                Tag::Html => return self.in_body(item),
                Tag::Body => {
                    self.insert(word);
                    self.may_have_frames = false;
                    self.mode = Mode::InBody;
                    return Flow::Done;
                }
                Tag::Frameset => {
                    self.insert(word);
                    self.mode = Mode::InFrameset;
                    return Flow::Done;
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
                | Tag::Title => return self.in_head_again(item),
                Tag::Head => return Flow::Done,
                _ => {}
            },
            Item::End(word) => match word.tag {
                Tag::Template => return self.in_head(item),
                Tag::Body | Tag::Html | Tag::Br => {}
                _ => return Flow::Done,
            },
            Item::Text(..) | Item::Eof => {}
        }
        self.insert_implied(Tag::Body);
        Flow::Again(Mode::InBody)
    }

    /// Puts what belongs into the head there, behind its end tag.
    fn in_head_again(&mut self, item: Item) -> Flow {
        let Some(head) = self.head else { return Flow::Done };
        if self.tree.parent(head.id).and_then(|html| self.tree.last_child(html)) != Some(head.id) {
            self.tree.shuffle();
        }
        self.stack.push(head);
        let flow = self.in_head(item);
        if let Some(index) = self.stack.position(head.id) {
            self.stack.remove(index);
        }
        flow
    }

    fn in_template(&mut self, item: Item) -> Flow {
        let mode = match item {
            Item::Text(..) | Item::Comment(_) => return self.in_body(item),
            Item::Start(word) => match word.tag {
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
                Tag::Caption | Tag::Colgroup | Tag::Tbody | Tag::Tfoot | Tag::Thead => Mode::InTable,
                Tag::Col => Mode::InColumnGroup,
                Tag::Tr => Mode::InTableBody,
                Tag::Td | Tag::Th => Mode::InRow,
                _ => Mode::InBody,
            },
            Item::End(Word { tag: Tag::Template, .. }) => return self.in_head(item),
            Item::End(_) | Item::Eof => return Flow::Done,
        };
        if let Some(current) = self.templates.last_mut() {
            *current = mode;
        }
        Flow::Again(mode)
    }

    fn after_body(&mut self, item: Item, mode: Mode) -> Flow {
        match item {
            Item::Text(_, true) => self.in_body(item),
            Item::Comment(text) if mode == Mode::AfterBody => {
                let html = self.stack.get(0).map_or(NodeId::DOCUMENT, |html| html.id);
                self.comment_into(html, text)
            }
            Item::Comment(text) => self.comment_into(NodeId::DOCUMENT, text),
            Item::Start(word) if word.tag == Tag::Html => self.in_body(item),
            Item::End(word) if word.tag == Tag::Html && mode == Mode::AfterBody => {
                self.mode = Mode::AfterAfterBody;
                Flow::Done
            }
            Item::Eof => Flow::Done,
            _ => Flow::Again(Mode::InBody),
        }
    }

    fn in_frameset(&mut self, item: Item) -> Flow {
        match item {
            Item::Text(text, true) => return self.insert_text(text),
            Item::Comment(text) => return self.insert_comment(text),
            Item::Start(word) => match word.tag {
                Tag::Html => return self.in_body(item),
                Tag::Frameset => {
                    self.insert(word);
                }
                Tag::Frame => {
                    self.insert_closed(word);
                }
                Tag::Noframes => return self.in_head(item),
                _ => {}
            },
            Item::End(word) if word.tag == Tag::Frameset && self.stack.len() > 1 => {
                self.pop();
                if !self.stack.is_in(Tag::Frameset) {
                    self.mode = Mode::AfterFrameset;
                }
            }
            Item::End(_) | Item::Text(..) | Item::Eof => {}
        }
        Flow::Done
    }

    fn after_frameset(&mut self, item: Item, mode: Mode) -> Flow {
        match item {
            Item::Text(_, true) => self.in_body(item),
            Item::Comment(text) if mode == Mode::AfterFrameset => self.insert_comment(text),
            Item::Comment(text) => self.comment_into(NodeId::DOCUMENT, text),
            Item::Start(word) if word.tag == Tag::Html => self.in_body(item),
            Item::Start(word) if word.tag == Tag::Noframes => self.in_head(item),
            Item::End(word) if word.tag == Tag::Html && mode == Mode::AfterFrameset => {
                self.mode = Mode::AfterAfterFrameset;
                Flow::Done
            }
            _ => Flow::Done,
        }
    }

    fn comment_into(&mut self, parent: NodeId, text: super::Span) -> Flow {
        let comment = self.tree.comment(text);
        // Nothing of the body may come any more; if it does, it stands before this.
        if self.stack.len() > 1 {
            self.tree.append_anywhere(parent, comment);
        } else {
            self.tree.append(parent, comment);
        }
        Flow::Done
    }

    /// What a browser calls a foreign element.
    pub(super) fn namespace_of(number: u8) -> Namespace {
        use crate::extract::stack::{SVG, SVG_HTML};
        match number {
            SVG | SVG_HTML => Namespace::Svg,
            number if number > SVG => Namespace::MathMl,
            _ => Namespace::Html,
        }
    }
}

/// Whether an end tag opens what it would end, if that is not open yet.
fn ends_what_is_implied(tag: Tag) -> bool {
    matches!(tag, Tag::Head | Tag::Body | Tag::Html | Tag::Br)
}
