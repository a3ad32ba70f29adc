//! The main part of a page as Markdown: CommonMark, with the tables and the strikethrough of GFM.
//!
//! It is written from the nodes that the text is made of, and says the same: parsed again, it has the words that are
//! there, whatever marks of Markdown the page has in its text. What Markdown has no marks for is HTML (`<sup>`, tables
//! whose heads have several storeys), or the marks are left out.
//!
//! - `blocks`: paragraphs, lists and quotes below each other
//! - `inline`: words, and the marks around them
//! - `escape`: words that look like marks
//! - `code`: code and its language
//! - `table`: tables

mod blocks;
mod code;
mod escape;
mod inline;
mod table;

use self::blocks::{Blocks, Gap};
use self::inline::{Inline, Kind, Owed};
use super::arena::{Element, NodeRef};
use super::article::MAX_ARTICLE_BYTES;
use super::extras::Page;
use super::images;
use super::limits::{self, Met};
use super::scripts::Script;
use super::selection::Selection;
use super::tags::Tag;
use super::text::MAX_CHAR_BYTES;

/// Longest text of a link in a heading that is no part of it but points at it: `#`, `¶`.
const MAX_ANCHOR_CHARS: usize = 2;

/// What is selected of a page as Markdown, `title` above it unless it is there already; `None`: told to stop.
pub(super) fn markdown(page: &Page, selection: &Selection, title: Option<&str>, met: &mut Met) -> Option<String> {
    let mut writer = Writer::new(page, selection);
    writer.inside(page.tree.root())?;
    writer.flush();
    let body = writer.blocks.finish();
    let mut markdown = match title {
        Some(title) if !begins_with(&body, title) => {
            let mut line = Inline::default();
            line.text(title);
            let heading = format!("# {}\n", escape::heading(&line.take()));
            if body.is_empty() { heading } else { heading + "\n" + &body }
        }
        _ => body,
    };
    markdown.truncate(met.within(&limits::MARKDOWN, &markdown).len());
    Some(markdown)
}

/// Whether a heading of this title stands at the start, or one of the highest rank anywhere.
fn begins_with(markdown: &str, title: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
    };
    let title = words(title);
    title.is_empty()
        || markdown
            .lines()
            .enumerate()
            .any(|(n, line)| (line.starts_with("# ") || n == 0 && line.starts_with('#')) && words(line) == title)
}

/// Where what is written goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Below what is there.
    Blocks,
    /// One line, whatever is in it.
    Line,
    /// A cell: blocks are lines of it.
    Cell,
}

struct Writer<'p> {
    page: &'p Page<'p>,
    selection: &'p Selection,
    blocks: Blocks,
    line: Inline,
    place: Place,
    /// Nodes seen.
    seen: usize,
    /// The kind of the list that was the last block, and its marker.
    last_list: Option<(bool, usize)>,
    /// The last picture: behind a lazy one there often is the same for readers without scripts.
    last_picture: String,
}

impl<'p> Writer<'p> {
    fn new(page: &'p Page<'p>, selection: &'p Selection) -> Self {
        Self {
            page,
            selection,
            blocks: Blocks::default(),
            line: Inline::default(),
            place: Place::Blocks,
            seen: 0,
            last_list: None,
            last_picture: String::new(),
        }
    }

    /// Whether there is as much as there may be.
    fn is_full(&self) -> bool {
        self.blocks.len() + self.line.len() > MAX_ARTICLE_BYTES + MAX_CHAR_BYTES
    }

    fn inside(&mut self, node: NodeRef<'p>) -> Option<()> {
        for child in node.children() {
            if self.is_full() {
                break;
            }
            self.node(child)?;
        }
        Some(())
    }

    fn node(&mut self, node: NodeRef<'p>) -> Option<()> {
        self.seen += 1;
        if !self.page.goes_on(self.seen) {
            return None;
        }
        if !self.selection.keeps(node.id()) {
            return Some(());
        }
        if let Some(text) = node.as_text() {
            self.line.text(text);
            return Some(());
        }
        match node.as_element() {
            Some(element) => self.element(element),
            None => self.inside(node),
        }
    }

    fn element(&mut self, element: Element<'p>) -> Option<()> {
        let node = *element;
        match element.tag() {
            Tag::Br => {
                // Two of them end a paragraph.
                if self.place == Place::Blocks && self.line.owed() == Owed::Break {
                    self.end_block(Gap::Empty);
                }
                self.line.owe(if self.place == Place::Line { Owed::Space } else { Owed::Break });
            }
            Tag::Hr => self.rule(),
            Tag::Img => self.image(element),
            Tag::Strong | Tag::B => self.marked(node, Kind::Strong)?,
            Tag::Em | Tag::I | Tag::Cite | Tag::Dfn | Tag::Var => self.marked(node, Kind::Emphasis)?,
            Tag::Del | Tag::S | Tag::Strike => self.marked(node, Kind::Struck)?,
            Tag::Sup => self.script(element, Script::Above)?,
            Tag::Sub => self.script(element, Script::Below)?,
            Tag::Q => {
                self.line.push_written("“");
                self.inside(node)?;
                self.line.push_written("”");
            }
            Tag::A => self.link(element)?,
            Tag::Code | Tag::Kbd | Tag::Samp | Tag::Tt => self.code(element)?,
            Tag::Pre | Tag::Listing | Tag::Xmp | Tag::Plaintext => self.pre(element)?,
            Tag::Math => self.math(element),
            Tag::H1 | Tag::H2 | Tag::H3 | Tag::H4 | Tag::H5 | Tag::H6 => self.heading(element)?,
            Tag::Ul | Tag::Ol | Tag::Menu | Tag::Dir => self.list(element)?,
            Tag::Li => self.item(element, "- ")?,
            Tag::Blockquote if self.place == Place::Blocks => {
                self.end_block(Gap::Empty);
                let outer = self.blocks.enter("> ", "> ");
                self.inside(node)?;
                self.flush();
                self.blocks.leave(outer);
                self.end_block(Gap::Empty);
            }
            Tag::Table => self.table(element)?,
            Tag::Dt | Tag::Summary if self.place != Place::Line => {
                self.end_block(Gap::Empty);
                self.marked(node, Kind::Strong)?;
                self.end_block(Gap::Empty);
            }
            Tag::Td if code::is_gutter(element) => {}
            _ if element.is_html() && super::blocks::is_block_tag(element.tag()) => {
                self.end_block(Gap::Empty);
                self.inside(node)?;
                self.end_block(Gap::Empty);
            }
            // What a formula looks like, beside what it says.
            _ if element.has_class("katex-html") => {}
            _ => self.inside(node)?,
        }
        Some(())
    }

    /// A block ends here, or begins.
    fn end_block(&mut self, gap: Gap) {
        match self.place {
            Place::Blocks => {
                self.flush();
                self.blocks.gap(gap);
            }
            Place::Line => self.line.owe(Owed::Space),
            Place::Cell => self.line.owe(Owed::Break),
        }
    }

    /// Writes the paragraph that there is.
    fn flush(&mut self) {
        if self.place == Place::Blocks && !self.line.is_empty() {
            let text = self.line.take();
            self.blocks.paragraph(&text);
            self.last_list = None;
        }
    }

    fn marked(&mut self, node: NodeRef<'p>, kind: Kind) -> Option<()> {
        self.line.open(kind);
        self.inside(node)?;
        self.line.close();
        Some(())
    }

    fn rule(&mut self) {
        self.end_block(Gap::Empty);
        if self.place == Place::Blocks && !self.blocks.is_empty() {
            self.blocks.lines("---");
            self.blocks.gap(Gap::Empty);
        }
    }

    fn image(&mut self, image: Element<'p>) {
        let is_dot = ["width", "height"].iter().any(|side| matches!(image.attr(side), Some("0" | "1")));
        let Some(url) = images::picture(image, self.page).filter(|_| !is_dot) else { return };
        if self.last_picture == url {
            return;
        }
        let mut alt = Inline::of(self.line.in_cell());
        // Brackets in it are escaped as in a link's text.
        alt.open(Kind::Link(String::new()));
        alt.text(image.attr("alt").unwrap_or_default());
        let alt = alt.take();
        let alt = alt.strip_suffix("]()").and_then(|alt| alt.strip_prefix('[')).unwrap_or_default();
        self.line.push_written(&format!("![{alt}]({})", escape::destination(&url)));
        self.last_picture = url;
    }

    fn script(&mut self, element: Element<'p>, script: Script) -> Option<()> {
        let is_short = element.end().index() - element.id().index() <= 3;
        let is_text = element.children().all(|child| child.is_text() && self.selection.keeps(child.id()));
        if is_short && is_text {
            let text = element.text();
            if let Some(written) = script.of(&text) {
                self.line.text(&written);
                return Some(());
            }
            if script.is_plain(&text) {
                return self.inside(*element);
            }
        }
        let kind = if script == Script::Above { Kind::Above } else { Kind::Below };
        self.marked(*element, kind)
    }

    fn link(&mut self, element: Element<'p>) -> Option<()> {
        if self.place == Place::Line && is_anchor(element) {
            return Some(());
        }
        let target = element.attr("href").and_then(|href| self.target(href));
        let kind = target.map_or(Kind::Nothing, |url| Kind::Link(escape::destination(&url).into_owned()));
        self.marked(*element, kind)
    }

    /// Where a link leads: to the web, or to somebody.
    fn target(&self, href: &str) -> Option<String> {
        let href = href.trim();
        let is_of = |scheme: &str| href.get(..scheme.len()).is_some_and(|own| own.eq_ignore_ascii_case(scheme));
        if is_of("mailto:") || is_of("tel:") {
            let url = url::Url::parse(href).ok().filter(|url| !url.path().is_empty())?;
            return (url.as_str().len() <= seine_core::record::MAX_URL_BYTES).then(|| url.into());
        }
        self.page.absolute(href)
    }

    fn code(&mut self, element: Element<'p>) -> Option<()> {
        if code::has_lines(element) && self.place == Place::Blocks {
            return self.pre(element);
        }
        // Code that is a link as a whole: the link is around it.
        let mut links = element.descendants().filter_map(NodeRef::as_element).filter(|inner| inner.is(Tag::A));
        let link = links.next().filter(|link| link.text().trim() == element.text().trim());
        let url = link.and_then(|link| link.attr("href")).and_then(|href| self.target(href));
        self.line.open(url.map_or(Kind::Nothing, |url| Kind::Link(escape::destination(&url).into_owned())));
        let text = self.raw_text(element)?;
        if text.starts_with(char::is_whitespace) {
            self.line.owe(Owed::Space);
        }
        self.line.code(&text);
        self.line.close();
        if text.ends_with(char::is_whitespace) {
            self.line.owe(Owed::Space);
        }
        Some(())
    }

    fn pre(&mut self, element: Element<'p>) -> Option<()> {
        let text = self.raw_text(element)?;
        let text = text.trim_end();
        match self.place {
            Place::Line => self.line.code(text),
            Place::Cell => {
                for line in text.lines().filter(|line| !line.trim().is_empty()) {
                    self.line.owe(Owed::Break);
                    self.line.code(line);
                }
                self.line.owe(Owed::Break);
            }
            Place::Blocks => {
                self.end_block(Gap::Empty);
                if !text.is_empty() {
                    let fence = "`".repeat(inline::longest_run(text, '`').max(2) + 1);
                    let language = code::language(element).unwrap_or_default();
                    self.blocks.lines(&format!("{fence}{language}\n{text}\n{fence}"));
                    self.last_list = None;
                }
                self.blocks.gap(Gap::Empty);
            }
        }
        Some(())
    }

    /// The text of code, each line of it on a line.
    fn raw_text(&mut self, element: Element<'p>) -> Option<String> {
        let mut text = String::new();
        for edge in element.edges() {
            self.seen += 1;
            if !self.page.goes_on(self.seen) {
                return None;
            }
            code::push(&mut text, edge, element, self.selection);
        }
        Some(text)
    }

    fn math(&mut self, element: Element<'p>) {
        let Some(written) = code::formula(element, self.selection) else { return };
        if written.starts_with('$') { self.line.push_written(&written) } else { self.line.text(&written) }
    }

    fn heading(&mut self, element: Element<'p>) -> Option<()> {
        if self.place != Place::Blocks {
            self.end_block(Gap::Empty);
            self.marked(*element, Kind::Strong)?;
            self.end_block(Gap::Empty);
            return Some(());
        }
        self.end_block(Gap::Empty);
        self.place = Place::Line;
        self.inside(*element)?;
        self.place = Place::Blocks;
        let text = self.line.take();
        let text = text.trim();
        if !text.is_empty() {
            let rank = usize::from(element.name().as_bytes().get(1).map_or(1, |digit| digit - b'0'));
            self.blocks.lines(&format!("{} {}", &"######"[..rank], escape::heading(text)));
            self.last_list = None;
        }
        self.blocks.gap(Gap::Empty);
        Some(())
    }

    fn list(&mut self, list: Element<'p>) -> Option<()> {
        if self.place != Place::Blocks {
            return self.list_in_line(list);
        }
        let is_ordered = list.is(Tag::Ol);
        // One behind another of its kind would be one list.
        self.flush();
        let other = self.last_list.filter(|(kind, _)| *kind == is_ordered).map_or(0, |(_, marker)| 1 - marker);
        let is_nested = list.parent_element().is_some_and(|parent| parent.is(Tag::Li));
        let mut number: i64 = list.attr("start").and_then(|start| start.trim().parse().ok()).unwrap_or(1);
        // Only a list from 1 may follow a paragraph's line.
        let gap = if is_nested && (!is_ordered || number == 1) { Gap::Line } else { Gap::Empty };
        self.end_block(gap);
        for child in list.children() {
            if self.is_full() {
                break;
            }
            match child.as_element().filter(|child| child.is(Tag::Li)) {
                Some(item) if self.selection.keeps(item.id()) => {
                    number = item.attr("value").and_then(|value| value.trim().parse().ok()).unwrap_or(number);
                    let marker = match (is_ordered, other) {
                        (true, 0) => format!("{}. ", number.clamp(0, 999_999_999)),
                        (true, _) => format!("{}) ", number.clamp(0, 999_999_999)),
                        (false, 0) => "- ".to_owned(),
                        (false, _) => "* ".to_owned(),
                    };
                    number = number.saturating_add(1);
                    self.item(item, &marker)?;
                }
                _ => self.node(child)?,
            }
        }
        self.end_block(Gap::Empty);
        self.last_list = Some((is_ordered, other));
        Some(())
    }

    /// A list in a cell or a heading: its items are lines with dots or numbers, or words among others.
    fn list_in_line(&mut self, list: Element<'p>) -> Option<()> {
        self.end_block(Gap::Empty);
        self.inside(*list)?;
        self.end_block(Gap::Empty);
        Some(())
    }

    fn item(&mut self, item: Element<'p>, marker: &str) -> Option<()> {
        self.end_block(Gap::Line);
        if self.place != Place::Blocks {
            if self.place == Place::Cell {
                self.line.push_written("•");
                self.line.owe(Owed::Space);
            }
            self.inside(*item)?;
            self.end_block(Gap::Line);
            return Some(());
        }
        let outer = self.blocks.enter(marker, &" ".repeat(marker.len()));
        self.last_list = None;
        self.inside(*item)?;
        self.flush();
        self.blocks.leave(outer);
        self.last_list = None;
        self.blocks.end_item();
        Some(())
    }
}

/// Whether a link in a heading points at the heading and says nothing.
fn is_anchor(link: Element<'_>) -> bool {
    let is_here = link.attr("href").is_some_and(|href| href.contains('#'));
    let text = link.text();
    let text = text.trim();
    is_here
        && (text.chars().count() <= MAX_ANCHOR_CHARS && !text.chars().any(char::is_alphanumeric)
            || ["headerlink", "anchor-link", "hash-link", "anchorjs-link"].iter().any(|class| link.has_class(class)))
}

#[cfg(test)]
mod tests;
