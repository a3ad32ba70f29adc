//! A page cut into runs: stretches of text without a block boundary inside, each with what it is in.

use super::super::arena::{Arena, Data, Edge, Element, NodeId, NodeRef};
use super::super::blocks;
use super::super::tags::Tag;
use super::vocabulary::{Groups, NAME_GROUPS, OF_NAMES};

/// Bytes at the start of a run that are looked at for words.
const HEAD_BYTES: usize = 240;
/// Bytes of class and id that are looked at for words.
const NAME_BYTES: usize = 512;
/// An element that is farther away than this is not counted with.
pub(super) const FAR: u8 = 30;

/// Elements that matter by being around a text.
pub(super) const AROUND: [&str; 20] = [
    "nav",
    "header",
    "footer",
    "aside",
    "main",
    "article",
    "section",
    "form",
    "table",
    "li",
    "dl",
    "blockquote",
    "figure",
    "button",
    "dialog",
    "noscript",
    "hidden",
    "a",
    "heading",
    "details",
];
const HIDDEN: usize = 16;
/// Those that hold what is beside the page's own text, or is not shown.
pub(super) const SURROUNDING: [usize; 8] = [0, 1, 2, 3, 13, 14, 15, HIDDEN];

/// How far above a text the nearest element of each sort is: of [`AROUND`], then by the groups of its names.
pub(super) type Above = [u8; AROUND.len() + NAME_GROUPS];

/// What is counted of a text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub words: f32,
    pub link_words: f32,
    pub chars: u32,
    pub upper: u32,
    pub digits: u32,
    pub commas: u32,
    pub ends: u32,
    pub links: u32,
    pub bold_words: f32,
}

/// A stretch of text.
#[derive(Debug)]
pub(super) struct Run {
    /// Its text nodes: a range of [`Runs::texts`].
    pub texts: std::ops::Range<u32>,
    /// The innermost block that it is in.
    pub block: NodeId,
    /// That block's tag.
    pub tag: Tag,
    pub counts: Counts,
    pub above: Above,
    /// How its text begins, lower case.
    pub head: String,
    /// Its last character that is none of white space.
    pub last: char,
    /// Of all its letters and digits.
    pub hash: u64,
    /// Of the tags and first classes of the blocks around it.
    pub form: u64,
    pub depth: u16,
}

/// The runs of a page, in order.
#[derive(Default)]
pub(super) struct Runs {
    pub runs: Vec<Run>,
    /// Text nodes, white-space-only ones inside a run too.
    pub texts: Vec<NodeId>,
    /// By node: number of runs before its start.
    pub starts: Vec<u32>,
    /// By node: number of runs before its end.
    pub ends: Vec<u32>,
}

/// Whether nothing below it is for readers.
fn is_unread(element: Element<'_>) -> bool {
    use Tag::*;
    match element.tag() {
        Script | Style | Svg | Iframe | Object | Embed | Applet | Canvas | Audio | Video | Select | Datalist
        | Textarea | Input | Head | Link | Meta | Map | Annotation | AnnotationXml | Noembed | Noframes | Title
        | Rp => true,
        // Declarative shadow trees are shown.
        Template => !element.has_attr("shadowrootmode"),
        _ => false,
    }
}

fn is_hidden(element: Element<'_>) -> bool {
    element.has_attr("hidden")
        || element.attr("aria-hidden").is_some_and(|value| value == "true")
        || element.attr("style").is_some_and(|style| {
            style.contains("display") && style.replace(' ', "").to_ascii_lowercase().contains("display:none")
        })
}

fn around(element: Element<'_>) -> Option<usize> {
    use Tag::*;
    Some(match element.tag() {
        Nav | Menu => 0,
        Header => 1,
        Footer => 2,
        Aside => 3,
        Main => 4,
        Article => 5,
        Section => 6,
        Form => 7,
        Table => 8,
        Li => 9,
        Dl => 10,
        Blockquote => 11,
        Figure => 12,
        Button => 13,
        Dialog => 14,
        Noscript => 15,
        A => 17,
        H1 | H2 | H3 | H4 | H5 | H6 => 18,
        Details => 19,
        _ => match element.attr("role")? {
            "navigation" | "menu" | "menubar" | "tablist" => 0,
            "banner" => 1,
            "contentinfo" => 2,
            "complementary" => 3,
            "main" => 4,
            "article" => 5,
            "button" => 13,
            "dialog" | "alertdialog" => 14,
            "heading" => 18,
            _ => return None,
        },
    })
}

fn names(element: Element<'_>) -> Groups {
    let mut groups = 0;
    for name in ["class", "id"] {
        if let Some(value) = element.attr(name) {
            groups |= OF_NAMES.groups(super::super::text::cut(value, NAME_BYTES));
        }
    }
    groups
}

/// An open element.
struct Open {
    above: Above,
    form: [u64; 4],
    is_block: bool,
    block: NodeId,
    block_tag: Tag,
    in_link: bool,
    is_bold: bool,
}

/// The runs of `tree`; `None`: told to stop.
pub(super) fn runs(tree: &Arena<'_>, goes_on: &dyn Fn(usize) -> bool) -> Option<Runs> {
    let mut all = Runs { starts: vec![0; tree.len()], ends: vec![0; tree.len()], ..Runs::default() };
    let mut open = vec![Open {
        above: [FAR; AROUND.len() + NAME_GROUPS],
        form: [0; 4],
        is_block: true,
        block: NodeId::DOCUMENT,
        block_tag: Tag::Unknown,
        in_link: false,
        is_bold: false,
    }];
    let mut run: Option<Run> = None;
    let mut breaks = 0;
    let mut skipped: Option<NodeId> = None;
    for (n, edge) in tree.root().edges().enumerate() {
        if !goes_on(n) {
            return None;
        }
        match edge {
            Edge::Open(node) => {
                if skipped.is_some() {
                    continue;
                }
                all.starts[node.id().index()] = all.runs.len() as u32 + u32::from(run.is_some());
                match node.data() {
                    Data::Element(element) => {
                        if is_unread(element) {
                            skipped = Some(node.id());
                            continue;
                        }
                        let tag = element.tag();
                        if tag == Tag::Br {
                            breaks += 1;
                            if breaks >= 2 {
                                all.runs.extend(run.take());
                            }
                            if let Some(run) = &mut run {
                                push_head(&mut run.head, " ");
                            }
                        }
                        let inside = inside(open.last()?, element);
                        if inside.is_block {
                            all.runs.extend(run.take());
                        }
                        all.starts[node.id().index()] = all.runs.len() as u32 + u32::from(run.is_some());
                        if tag == Tag::A
                            && let Some(run) = &mut run
                        {
                            run.counts.links += 1;
                        }
                        open.push(inside);
                    }
                    Data::Text(text) => {
                        let around = open.last()?;
                        let is_blank = text.bytes().all(|byte| byte.is_ascii_whitespace());
                        if is_blank && run.is_none() {
                            continue;
                        }
                        let run = run.get_or_insert_with(|| Run {
                            texts: all.texts.len() as u32..all.texts.len() as u32,
                            block: around.block,
                            tag: around.block_tag,
                            counts: Counts { links: u32::from(around.in_link), ..Counts::default() },
                            above: around.above,
                            head: String::new(),
                            last: ' ',
                            hash: 0xcbf2_9ce4_8422_2325,
                            form: around.form.iter().fold(0, |all: u64, one| mix(all, *one)),
                            depth: (open.len().min(500)) as u16,
                        });
                        all.texts.push(node.id());
                        run.texts.end = all.texts.len() as u32;
                        if !is_blank {
                            breaks = 0;
                            count(run, text, around);
                        } else {
                            push_head(&mut run.head, " ");
                        }
                    }
                    _ => open.push(inherited(open.last()?)),
                }
            }
            Edge::Close(node) => {
                if let Some(id) = skipped {
                    if id == node.id() {
                        skipped = None;
                    }
                    continue;
                }
                if node.is_text() {
                    continue;
                }
                if open.pop()?.is_block {
                    all.runs.extend(run.take());
                    breaks = 0;
                }
                all.ends[node.id().index()] = all.runs.len() as u32 + u32::from(run.is_some());
            }
        }
    }
    all.runs.extend(run);
    Some(all)
}

fn inherited(around: &Open) -> Open {
    Open {
        above: around.above,
        form: around.form,
        is_block: false,
        block: around.block,
        block_tag: around.block_tag,
        in_link: around.in_link,
        is_bold: around.is_bold,
    }
}

/// What is around the texts of an element.
fn inside(outer: &Open, element: Element<'_>) -> Open {
    let mut inner = inherited(outer);
    let tag = element.tag();
    for far in &mut inner.above {
        *far = (*far + 1).min(FAR);
    }
    if let Some(sort) = around(element) {
        inner.above[sort] = 0;
    }
    if is_hidden(element) {
        inner.above[HIDDEN] = 0;
    }
    // The page as a whole is called everything there is.
    if !matches!(tag, Tag::Html | Tag::Body) {
        let mut groups = names(element);
        while groups != 0 {
            inner.above[AROUND.len() + groups.trailing_zeros() as usize] = 0;
            groups &= groups - 1;
        }
    }
    inner.in_link |= tag == Tag::A;
    inner.is_bold |= matches!(tag, Tag::B | Tag::Strong);
    inner.is_block = blocks::is_block(element.name()) || matches!(tag, Tag::Button | Tag::Noscript | Tag::Body);
    if inner.is_block {
        inner.block = element.id();
        inner.block_tag = tag;
        inner.form.rotate_left(1);
        let class = element.classes().next().unwrap_or_default();
        inner.form[3] = class
            .bytes()
            .filter(|byte| !byte.is_ascii_digit())
            .fold(tag as u64 + 1, |hash, byte| mix(hash, u64::from(byte)));
    }
    inner
}

#[inline]
fn mix(hash: u64, value: u64) -> u64 {
    (hash ^ value).wrapping_mul(0x0000_0100_0000_01b3)
}

fn push_head(head: &mut String, text: &str) {
    if head.len() < HEAD_BYTES && !(text == " " && head.ends_with(' ')) {
        head.push_str(text);
    }
}

/// Counts a text.
fn count(run: &mut Run, text: &str, around: &Open) {
    if run.head.len() < HEAD_BYTES {
        let start = super::super::text::cut(text, HEAD_BYTES);
        run.head.extend(start.chars().flat_map(char::to_lowercase));
    }
    let mut words = 0.0;
    let mut in_word = false;
    let counts = &mut run.counts;
    let mut ended = false;
    for char in text.chars() {
        if char.is_ascii_whitespace() || char == '\u{a0}' {
            in_word = false;
            counts.ends += u32::from(ended);
            ended = false;
            continue;
        }
        counts.chars += 1;
        run.last = char;
        ended = matches!(char, '.' | '!' | '?' | '…' | '”' | '"' | ':' | ';');
        if matches!(char, '。' | '！' | '？') {
            counts.ends += 1;
        }
        if matches!(char, ',' | '、' | '，' | '،') {
            counts.commas += 1;
        }
        if char.is_alphanumeric() {
            run.hash = mix(run.hash, u64::from(char as u32));
            counts.upper += u32::from(char.is_uppercase());
            counts.digits += u32::from(char.is_ascii_digit());
            if is_ideograph(char) {
                words += 0.5;
                in_word = false;
            } else if !in_word {
                words += 1.0;
                in_word = true;
            }
        } else if char != '_' {
            in_word = false;
        }
    }
    counts.ends += u32::from(ended);
    counts.words += words;
    if around.in_link {
        counts.link_words += words;
    }
    if around.is_bold {
        counts.bold_words += words;
    }
}

/// Whether words of its script stand without spaces between them.
fn is_ideograph(char: char) -> bool {
    matches!(char as u32, 0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x2E80..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF)
}

/// The nodes around a run, innermost block first.
pub(super) fn blocks_around<'t>(tree: &'t Arena<'t>, run: &Run) -> impl Iterator<Item = NodeRef<'t>> {
    let block = tree.get(run.block);
    block.into_iter().chain(block.into_iter().flat_map(NodeRef::ancestors))
}
