//! The insertion modes of tables.

use super::{Builder, Flow, Item, Mode};
use crate::extract::tags::Tag;

/// Whether an element is a `<tbody>`, `<thead>` or `<tfoot>`.
pub(super) fn is_body(number: u8) -> bool {
    number == Tag::Tbody as u8 || number == Tag::Thead as u8 || number == Tag::Tfoot as u8
}

fn is_any(number: u8, tags: &[Tag]) -> bool {
    tags.iter().any(|tag| *tag as u8 == number)
}

impl Builder<'_> {
    pub(super) fn in_table(&mut self, item: Item) -> Flow {
        match item {
            Item::Text(text, true)
                if self.stack.number().is_some_and(|n| is_any(n, &[Tag::Table, Tag::Tr]) || is_body(n)) =>
            {
                return self.insert_text(text);
            }
            Item::Comment(text) => return self.insert_comment(text),
            Item::Eof => return Flow::Done,
            Item::Start(word) => match word.tag {
                Tag::Caption => {
                    self.close_to_table();
                    self.formatting.mark();
                    self.insert(word);
                    self.mode = Mode::InCaption;
                    return Flow::Done;
                }
                Tag::Colgroup => {
                    self.close_to_table();
                    self.insert(word);
                    self.mode = Mode::InColumnGroup;
                    return Flow::Done;
                }
                Tag::Col => {
                    self.close_to_table();
                    self.insert_implied(Tag::Colgroup);
                    return Flow::Again(Mode::InColumnGroup);
                }
                Tag::Tbody | Tag::Tfoot | Tag::Thead => {
                    self.close_to_table();
                    self.insert(word);
                    self.mode = Mode::InTableBody;
                    return Flow::Done;
                }
                Tag::Td | Tag::Th | Tag::Tr => {
                    self.close_to_table();
                    self.insert_implied(Tag::Tbody);
                    return Flow::Again(Mode::InTableBody);
                }
                Tag::Table => {
                    let Some(index) = self.stack.in_table_scope(Tag::Table) else { return Flow::Done };
                    self.close_from(index);
                    self.reset_mode();
                    return Flow::Again(self.mode);
                }
                Tag::Style | Tag::Script | Tag::Template => return self.in_head(item),
                Tag::Input if self.is_hidden_input() => {
                    self.insert_closed(word);
                    return Flow::Done;
                }
                Tag::Form => {
                    if self.form.is_none() && !self.stack.has_open(Tag::Template) {
                        self.form = Some(self.insert_closed(word).id);
                    }
                    return Flow::Done;
                }
                _ => {}
            },
            Item::End(word) => match word.tag {
                Tag::Table => {
                    if let Some(index) = self.stack.in_table_scope(Tag::Table) {
                        self.close_from(index);
                        self.reset_mode();
                    }
                    return Flow::Done;
                }
                Tag::Body
                | Tag::Caption
                | Tag::Col
                | Tag::Colgroup
                | Tag::Html
                | Tag::Tbody
                | Tag::Td
                | Tag::Tfoot
                | Tag::Th
                | Tag::Thead
                | Tag::Tr => return Flow::Done,
                Tag::Template => return self.in_head(item),
                _ => {}
            },
            Item::Text(..) => {}
        }
        self.fosters = true;
        let flow = self.in_body(item);
        self.fosters = false;
        flow
    }

    fn close_to_table(&mut self) {
        self.close_up_to(|number| is_any(number, &[Tag::Table, Tag::Template, Tag::Html]));
    }

    fn close_to_body(&mut self) {
        self.close_up_to(|number| is_body(number) || is_any(number, &[Tag::Template, Tag::Html]));
    }

    fn close_to_row(&mut self) {
        self.close_up_to(|number| is_any(number, &[Tag::Tr, Tag::Template, Tag::Html]));
    }

    pub(super) fn in_table_body(&mut self, item: Item) -> Flow {
        match item {
            Item::Start(word) => match word.tag {
                Tag::Tr => {
                    self.close_to_body();
                    self.insert(word);
                    self.mode = Mode::InRow;
                    Flow::Done
                }
                Tag::Th | Tag::Td => {
                    self.close_to_body();
                    self.insert_implied(Tag::Tr);
                    Flow::Again(Mode::InRow)
                }
                Tag::Caption | Tag::Col | Tag::Colgroup | Tag::Tbody | Tag::Tfoot | Tag::Thead => {
                    self.leave_table_body()
                }
                _ => self.in_table(item),
            },
            Item::End(word) => match word.tag {
                Tag::Tbody | Tag::Tfoot | Tag::Thead => {
                    if self.stack.in_table_scope(word.tag).is_some() {
                        self.close_to_body();
                        self.pop();
                        self.mode = Mode::InTable;
                    }
                    Flow::Done
                }
                Tag::Table => self.leave_table_body(),
                Tag::Body | Tag::Caption | Tag::Col | Tag::Colgroup | Tag::Html | Tag::Td | Tag::Th | Tag::Tr => {
                    Flow::Done
                }
                _ => self.in_table(item),
            },
            _ => self.in_table(item),
        }
    }

    fn leave_table_body(&mut self) -> Flow {
        if self.stack.any_in_table_scope(is_body).is_none() {
            return Flow::Done;
        }
        self.close_to_body();
        self.pop();
        Flow::Again(Mode::InTable)
    }

    pub(super) fn in_row(&mut self, item: Item) -> Flow {
        match item {
            Item::Start(word) => match word.tag {
                Tag::Th | Tag::Td => {
                    self.close_to_row();
                    self.insert(word);
                    self.formatting.mark();
                    self.mode = Mode::InCell;
                    Flow::Done
                }
                Tag::Caption | Tag::Col | Tag::Colgroup | Tag::Tbody | Tag::Tfoot | Tag::Thead | Tag::Tr => {
                    self.leave_row()
                }
                _ => self.in_table(item),
            },
            Item::End(word) => match word.tag {
                Tag::Tr => match self.leave_row() {
                    Flow::Again(mode) => {
                        self.mode = mode;
                        Flow::Done
                    }
                    Flow::Done => Flow::Done,
                },
                Tag::Table => self.leave_row(),
                Tag::Tbody | Tag::Tfoot | Tag::Thead => match self.stack.in_table_scope(word.tag) {
                    Some(_) => self.leave_row(),
                    None => Flow::Done,
                },
                Tag::Body | Tag::Caption | Tag::Col | Tag::Colgroup | Tag::Html | Tag::Td | Tag::Th => Flow::Done,
                _ => self.in_table(item),
            },
            _ => self.in_table(item),
        }
    }

    fn leave_row(&mut self) -> Flow {
        if self.stack.in_table_scope(Tag::Tr).is_none() {
            return Flow::Done;
        }
        self.close_to_row();
        self.pop();
        Flow::Again(Mode::InTableBody)
    }

    pub(super) fn in_cell(&mut self, item: Item) -> Flow {
        match item {
            Item::Start(word) => match word.tag {
                Tag::Caption
                | Tag::Col
                | Tag::Colgroup
                | Tag::Tbody
                | Tag::Td
                | Tag::Tfoot
                | Tag::Th
                | Tag::Thead
                | Tag::Tr => self.leave_cell(),
                _ => self.in_body(item),
            },
            Item::End(word) => match word.tag {
                Tag::Td | Tag::Th => {
                    if let Some(index) = self.stack.in_table_scope(word.tag) {
                        self.close_from(index);
                        self.formatting.clear_to_marker();
                        self.mode = Mode::InRow;
                    }
                    Flow::Done
                }
                Tag::Body | Tag::Caption | Tag::Col | Tag::Colgroup | Tag::Html => Flow::Done,
                Tag::Table | Tag::Tbody | Tag::Tfoot | Tag::Thead | Tag::Tr => {
                    match self.stack.in_table_scope(word.tag) {
                        Some(_) => self.leave_cell(),
                        None => Flow::Done,
                    }
                }
                _ => self.in_body(item),
            },
            _ => self.in_body(item),
        }
    }

    /// "Close the cell".
    fn leave_cell(&mut self) -> Flow {
        let Some(index) = self.stack.any_in_table_scope(|number| is_any(number, &[Tag::Td, Tag::Th])) else {
            return Flow::Done;
        };
        self.close_from(index);
        self.formatting.clear_to_marker();
        Flow::Again(Mode::InRow)
    }

    pub(super) fn in_caption(&mut self, item: Item) -> Flow {
        let ends = match item {
            Item::Start(word) => matches!(
                word.tag,
                Tag::Caption
                    | Tag::Col
                    | Tag::Colgroup
                    | Tag::Tbody
                    | Tag::Td
                    | Tag::Tfoot
                    | Tag::Th
                    | Tag::Thead
                    | Tag::Tr
            ),
            Item::End(word) => match word.tag {
                Tag::Caption | Tag::Table => true,
                Tag::Body
                | Tag::Col
                | Tag::Colgroup
                | Tag::Html
                | Tag::Tbody
                | Tag::Td
                | Tag::Tfoot
                | Tag::Th
                | Tag::Thead
                | Tag::Tr => return Flow::Done,
                _ => false,
            },
            _ => false,
        };
        if !ends {
            return self.in_body(item);
        }
        let Some(index) = self.stack.in_table_scope(Tag::Caption) else { return Flow::Done };
        self.close_from(index);
        self.formatting.clear_to_marker();
        self.mode = Mode::InTable;
        match item {
            Item::End(word) if word.tag == Tag::Caption => Flow::Done,
            _ => Flow::Again(Mode::InTable),
        }
    }

    pub(super) fn in_column_group(&mut self, item: Item) -> Flow {
        match item {
            Item::Text(text, true) => return self.insert_text(text),
            Item::Comment(text) => return self.insert_comment(text),
            Item::Eof => return Flow::Done,
            Item::Start(word) => match word.tag {
                Tag::Html => return self.in_body(item),
                Tag::Col => {
                    self.insert_closed(word);
                    return Flow::Done;
                }
                Tag::Template => return self.in_head(item),
                _ => {}
            },
            Item::End(word) => match word.tag {
                Tag::Colgroup => {
                    if self.stack.is_in(Tag::Colgroup) {
                        self.pop();
                        self.mode = Mode::InTable;
                    }
                    return Flow::Done;
                }
                Tag::Col => return Flow::Done,
                Tag::Template => return self.in_head(item),
                _ => {}
            },
            Item::Text(..) => {}
        }
        if !self.stack.is_in(Tag::Colgroup) {
            return Flow::Done;
        }
        self.pop();
        Flow::Again(Mode::InTable)
    }
}
