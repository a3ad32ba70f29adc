//! What the forest judges a run by: numbers of the run, of what is around it, of its neighbours, of the page.

use super::super::arena::{Arena, NodeId};
use super::super::tags::Tag;
use super::forest::Numbers;
use super::runs::{AROUND, Above, Run, Runs, blocks_around};
use super::vocabulary::{Groups, NAME_GROUPS, NAMES, OF_TEXTS, TEXT_GROUPS, TEXTS};

/// Blocks around a run that are looked at, each larger than the one before.
const LEVELS: usize = 5;
/// Most elements that are passed over to find them.
const MAX_CLIMB: usize = 64;

/// Takes the numbers of a run, one after the other.
pub(super) trait Row {
    fn put(&mut self, name: &str, value: f32);
    /// The same of a name in two parts.
    fn put_of(&mut self, of: &str, name: &str, value: f32);
}

/// The numbers alone.
pub(super) struct Unnamed<'n> {
    numbers: &'n mut Numbers,
    len: u8,
}

impl<'n> Unnamed<'n> {
    pub fn new(numbers: &'n mut Numbers) -> Self {
        Self { numbers, len: 0 }
    }
}

impl Row for Unnamed<'_> {
    #[inline(always)]
    fn put(&mut self, _: &str, value: f32) {
        self.numbers[usize::from(self.len)] = value;
        self.len = self.len.wrapping_add(1);
    }

    #[inline(always)]
    fn put_of(&mut self, _: &str, name: &str, value: f32) {
        self.put(name, value);
    }
}

/// The numbers with their names.
#[derive(Default)]
pub(super) struct Named {
    pub values: Vec<f32>,
    pub names: Vec<String>,
}

impl Row for Named {
    fn put(&mut self, name: &str, value: f32) {
        self.values.push(value);
        self.names.push(name.to_owned());
    }

    fn put_of(&mut self, of: &str, name: &str, value: f32) {
        self.put(&format!("{of}.{name}"), value);
    }
}

/// Sums over the runs up to each one.
#[derive(Clone, Copy, Default)]
struct Sums {
    words: f32,
    link_words: f32,
    prose_words: f32,
    digits: f32,
    short: f32,
    headings: f32,
    texts: [u16; 4],
}

impl Sums {
    fn minus(self, other: Self) -> Self {
        Self {
            words: self.words - other.words,
            link_words: self.link_words - other.link_words,
            prose_words: self.prose_words - other.prose_words,
            digits: self.digits - other.digits,
            short: self.short - other.short,
            headings: self.headings - other.headings,
            texts: std::array::from_fn(|n| self.texts[n].wrapping_sub(other.texts[n])),
        }
    }
}

/// What runs of one form have in common.
#[derive(Clone, Copy, Default)]
struct Form {
    runs: f32,
    words: f32,
    link_words: f32,
    prose: f32,
}

/// What is known of a page before its runs are judged.
pub(super) struct View<'r> {
    runs: &'r [Run],
    sums: Vec<Sums>,
    /// Around each run: blocks that hold more runs each, as ranges of runs.
    levels: Vec<[(u32, u32); LEVELS]>,
    /// Of each run, the number of its form.
    form_of: Vec<u32>,
    forms: Vec<Form>,
    /// How many runs have the text of each.
    copies: Vec<f32>,
    texts: Vec<Groups>,
    titled: Vec<f32>,
    first_h1: usize,
    first_prose: usize,
    last_prose: usize,
    /// The page's own numbers.
    page: Vec<(&'static str, f32)>,
}

pub(super) fn is_heading(tag: Tag) -> bool {
    matches!(tag, Tag::H1 | Tag::H2 | Tag::H3 | Tag::H4 | Tag::H5 | Tag::H6)
}

/// Numbers for keys, the same for equal ones, and how many there are.
fn numbered(keys: impl Iterator<Item = u64>) -> (Vec<u32>, usize) {
    let mut sorted: Vec<(u64, u32)> = keys.zip(0..).collect();
    sorted.sort_unstable();
    let mut numbers = vec![0; sorted.len()];
    let mut count = 0;
    for same in sorted.chunk_by(|a, b| a.0 == b.0) {
        same.iter().for_each(|(_, at)| numbers[*at as usize] = count);
        count += 1;
    }
    (numbers, count as usize)
}

/// Whether it reads like sentences.
pub(super) fn is_prose(run: &Run) -> bool {
    let counts = &run.counts;
    counts.words >= 12.0 && counts.ends + counts.commas > 0 && counts.link_words < counts.words * 0.4
}

fn share(part: f32, whole: f32) -> f32 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

fn log(value: f32) -> f32 {
    (1.0 + value).ln()
}

impl<'r> View<'r> {
    /// Looks at a page.
    pub fn new(tree: &Arena<'_>, runs: &'r Runs) -> Self {
        let all = &runs.runs[..];
        let mut sums = Vec::with_capacity(all.len() + 1);
        let mut sum = Sums::default();
        sums.push(sum);
        let (form_of, count) = numbered(all.iter().map(|run| run.form));
        let mut forms = vec![Form::default(); count];
        let mut texts = Vec::with_capacity(all.len());
        for (run, form) in all.iter().zip(&form_of) {
            let counts = &run.counts;
            let groups = OF_TEXTS.groups(&run.head);
            texts.push(groups);
            sum.words += counts.words;
            sum.link_words += counts.link_words;
            sum.prose_words += if is_prose(run) { counts.words } else { 0.0 };
            sum.digits += counts.digits as f32;
            sum.short += f32::from(counts.words < 5.0);
            sum.headings += f32::from(is_heading(run.tag));
            for (n, group) in [13, 12, 10, 0].into_iter().enumerate() {
                sum.texts[n] = sum.texts[n].wrapping_add((groups >> group & 1) as u16);
            }
            sums.push(sum);
            let form = &mut forms[*form as usize];
            form.runs += 1.0;
            form.words += counts.words;
            form.link_words += counts.link_words;
            form.prose += f32::from(is_prose(run));
        }
        let (text_of, count) = numbered(all.iter().map(|run| run.hash));
        let mut texts_like = vec![0_u16; count];
        text_of.iter().for_each(|text| texts_like[*text as usize] = texts_like[*text as usize].saturating_add(1));
        let copies = text_of.iter().map(|text| f32::from(texts_like[*text as usize])).collect();
        let levels = all.iter().enumerate().map(|(n, run)| levels(tree, runs, n, run)).collect();
        let title = title(tree);
        let titled =
            all.iter().map(|run| if run.counts.words <= 40.0 { overlap(&run.head, &title) } else { 0.0 }).collect();
        let first_h1 = all.iter().position(|run| run.tag == Tag::H1).unwrap_or(all.len());
        let first_prose = all.iter().position(is_prose).unwrap_or(all.len());
        let last_prose = all.iter().rposition(is_prose).unwrap_or(0);
        let mut view = Self {
            runs: all,
            sums,
            levels,
            form_of,
            forms,
            copies,
            texts,
            titled,
            first_h1,
            first_prose,
            last_prose,
            page: Vec::new(),
        };
        view.page = view.page(tree);
        view
    }

    fn page(&self, tree: &Arena<'_>) -> Vec<(&'static str, f32)> {
        let all = self.sums[self.runs.len()];
        let mut counts = [0_u32; 8];
        let mut kinds = 0_u32;
        for element in tree.elements() {
            match element.tag() {
                Tag::P => counts[0] += 1,
                Tag::H2 => counts[1] += 1,
                Tag::H3 => counts[2] += 1,
                Tag::Li => counts[3] += 1,
                Tag::Article => counts[4] += 1,
                Tag::Main => counts[5] += 1,
                Tag::Pre | Tag::Code => counts[6] += 1,
                Tag::Img => counts[7] += 1,
                Tag::Meta => {
                    let name = element.attr("property").or_else(|| element.attr("name"));
                    if name.is_some_and(|name| name == "og:type")
                        && let Some(value) = element.attr("content")
                    {
                        kinds |= match value {
                            "article" => 1,
                            "website" => 2,
                            value if value.contains("product") => 4,
                            _ => 0,
                        };
                    }
                    if name == Some("generator")
                        && element.attr("content").is_some_and(|value| value.contains("Discourse"))
                    {
                        kinds |= 32;
                    }
                }
                Tag::Script if element.attr("type").is_some_and(|kind| kind.contains("ld+json")) => {
                    for text in element.children().filter_map(|node| node.as_text()) {
                        kinds |= of_schema(text);
                    }
                }
                _ => {}
            }
            if let Some(kind) = element.attr("itemtype") {
                kinds |= of_schema(kind);
            }
        }
        let forms = self.forms.iter();
        let repeated = forms.clone().filter(|form| form.runs >= 4.0 && form.words >= 15.0 * form.runs);
        let mut page = vec![
            ("words", log(all.words)),
            ("runs", log(self.runs.len() as f32)),
            ("links", share(all.link_words, all.words)),
            ("prose", share(all.prose_words, all.words)),
            ("prose_words", log(all.prose_words)),
            ("short", share(all.short, self.runs.len() as f32)),
            ("headings", share(all.headings, self.runs.len() as f32)),
            ("forms", log(self.forms.len() as f32)),
            ("repeated_words", share(repeated.map(|form| form.words).sum(), all.words)),
            ("votes", share(f32::from(all.texts[0]), self.runs.len() as f32)),
            ("prices", log(f32::from(all.texts[1]))),
            ("bylines", log(f32::from(all.texts[2]))),
            ("h1_at", share(self.first_h1 as f32, self.runs.len() as f32)),
            ("prose_at", share(self.first_prose as f32, self.runs.len() as f32)),
        ];
        let names = ["p", "h2", "h3", "li", "article", "main", "code", "img"];
        page.extend(names.iter().zip(counts).map(|(name, count)| (*name, log(count as f32))));
        let names = [
            "og_article",
            "og_website",
            "og_product",
            "ld_article",
            "ld_product",
            "discourse",
            "ld_forum",
            "ld_list",
            "ld_faq",
        ];
        page.extend(names.iter().enumerate().map(|(n, name)| (*name, (kinds >> n & 1) as f32)));
        page
    }

    /// One of the page's own numbers; 0 if there is none of that name.
    pub fn page_number(&self, name: &str) -> f32 {
        self.page.iter().find(|(own, _)| *own == name).map_or(0.0, |(_, value)| *value)
    }

    /// The numbers of a run.
    pub fn row(&self, n: usize, row: &mut impl Row) {
        let run = &self.runs[n];
        let all = self.sums[self.runs.len()];
        let counts = &run.counts;
        // Itself.
        let chars = counts.chars as f32;
        row.put("words", counts.words);
        row.put("links", share(counts.link_words, counts.words));
        row.put("link_count", counts.links as f32);
        row.put("word_chars", share(chars, counts.words));
        row.put("upper", share(counts.upper as f32, chars));
        row.put("digits", share(counts.digits as f32, chars));
        row.put("commas", share(counts.commas as f32, counts.words));
        row.put("ends", counts.ends as f32);
        row.put("bold", share(counts.bold_words, counts.words));
        row.put("tag", tag_class(run.tag));
        row.put("last", last_class(run.last));
        row.put("first", first_class(&run.head));
        row.put("depth", f32::from(run.depth));
        row.put("titled", self.titled[n]);
        row.put("copies", self.copies[n]);
        let texts = self.texts[n];
        for (group, (name, _)) in TEXTS.iter().enumerate() {
            row.put_of("says", name, (texts >> group & 1) as f32);
        }
        above(row, &run.above);
        // Where it is.
        row.put("at", share(n as f32, self.runs.len() as f32));
        row.put("words_before", share(self.sums[n].words, all.words));
        row.put("from_h1", (n as f32 - self.first_h1.min(self.runs.len()) as f32).clamp(-200.0, 200.0));
        row.put("from_prose", (n as f32 - self.first_prose as f32).clamp(-200.0, 200.0));
        row.put("to_last_prose", (self.last_prose as f32 - n as f32).clamp(-200.0, 200.0));
        // Those of its form.
        let form = self.forms[self.form_of[n] as usize];
        row.put("form.runs", form.runs);
        row.put("form.words", share(form.words, form.runs));
        row.put("form.links", share(form.link_words, form.words));
        row.put("form.prose", share(form.prose, form.runs));
        row.put("form.share", share(form.words, all.words));
        // What is around it.
        for (level, (start, end)) in self.levels[n].into_iter().enumerate() {
            let inside = self.sums[end as usize].minus(self.sums[start as usize]);
            let runs = (end - start) as f32;
            let of = ["a", "b", "c", "d", "e"][level];
            row.put_of(of, "words", inside.words);
            row.put_of(of, "share", share(inside.words, all.words));
            row.put_of(of, "links", share(inside.link_words, inside.words));
            row.put_of(of, "prose", share(inside.prose_words, inside.words));
            row.put_of(of, "prose_share", share(inside.prose_words, all.prose_words));
            row.put_of(of, "runs", runs);
            row.put_of(of, "short", share(inside.short, runs));
            if level < 3 {
                row.put_of(of, "at", share((n as u32 - start) as f32, runs));
                row.put_of(of, "votes", share(f32::from(inside.texts[0]), runs));
                row.put_of(of, "headings", inside.headings.min(20.0));
            }
        }
        // Its neighbours.
        for (of, step) in [("before2", -2), ("before", -1), ("behind", 1), ("behind2", 2)] {
            let beside = n.checked_add_signed(step).and_then(|n| self.runs.get(n));
            row.put_of(of, "words", beside.map_or(-1.0, |run| run.counts.words));
            row.put_of(of, "links", beside.map_or(-1.0, |run| share(run.counts.link_words, run.counts.words)));
            row.put_of(of, "tag", beside.map_or(-1.0, |run| tag_class(run.tag)));
            row.put_of(of, "same", beside.map_or(0.0, |other| f32::from(other.form == run.form)));
        }
        let near = |from: usize, to: usize| {
            let (from, to) = (from.min(self.runs.len()), to.min(self.runs.len()));
            let inside = self.sums[to].minus(self.sums[from]);
            (inside.prose_words, share(inside.link_words, inside.words))
        };
        let (before, before_links) = near(n.saturating_sub(8), n);
        let (behind, behind_links) = near(n + 1, n + 9);
        row.put("near.before", before);
        row.put("near.before_links", before_links);
        row.put("near.behind", behind);
        row.put("near.behind_links", behind_links);
        // The heading above.
        let heading = (n.saturating_sub(40)..n).rev().find(|n| is_heading(self.runs[*n].tag));
        row.put("heading.far", heading.map_or(99.0, |heading| (n - heading) as f32));
        row.put("heading.tag", heading.map_or(-1.0, |heading| tag_class(self.runs[heading].tag)));
        for group in [1, 3, 4, 6, 8, 14] {
            row.put_of(
                "heading",
                TEXTS[group].0,
                heading.map_or(0.0, |heading| (self.texts[heading] >> group & 1) as f32),
            );
        }
        for (name, value) in &self.page {
            row.put_of("page", name, *value);
        }
    }
}

fn above(row: &mut impl Row, above: &Above) {
    for (n, far) in above.iter().enumerate() {
        let name = AROUND.get(n).copied().unwrap_or_else(|| NAMES[n - AROUND.len()].0);
        row.put_of(if n < AROUND.len() { "in" } else { "named" }, name, f32::from(*far));
    }
    debug_assert!(NAME_GROUPS + AROUND.len() == above.len() && TEXT_GROUPS == TEXTS.len());
}

/// The blocks around a run that hold more runs than those in them.
fn levels(tree: &Arena<'_>, runs: &Runs, n: usize, run: &Run) -> [(u32, u32); LEVELS] {
    let n = n as u32;
    let mut levels = [(n, n + 1); LEVELS];
    let (mut level, mut size) = (0, 1);
    for node in blocks_around(tree, run).take(MAX_CLIMB) {
        let (start, end) = (runs.starts[node.id().index()], runs.ends[node.id().index()]);
        if node.id() == NodeId::DOCUMENT || end.saturating_sub(start) <= size || start > n || end <= n {
            continue;
        }
        size = end - start;
        levels[level..].fill((start, end));
        level += 1;
        if level == LEVELS {
            break;
        }
    }
    levels
}

fn of_schema(text: &str) -> u32 {
    let has = |word: &str| memchr::memmem::find(text.as_bytes(), word.as_bytes()).is_some();
    u32::from(has("NewsArticle") || has("BlogPosting") || has("\"Article\"") || has("/Article")) << 3
        | u32::from(has("\"Product\"") || has("/Product") || has("ProductGroup")) << 4
        | u32::from(has("DiscussionForumPosting") || has("QAPage")) << 6
        | u32::from(has("\"ItemList\"") || has("CollectionPage")) << 7
        | u32::from(has("FAQPage")) << 8
}

/// The words of the page's title.
fn title(tree: &Arena<'_>) -> Vec<String> {
    let title = tree.elements().find(|element| element.is(Tag::Title));
    let text = title.map(|title| title.text().to_lowercase()).unwrap_or_default();
    words(&text).take(40).map(str::to_owned).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// The share of the words of `text` that the title has too.
fn overlap(text: &str, title: &[String]) -> f32 {
    let (mut of, mut all) = (0.0, 0.0_f32);
    for word in words(text) {
        all += 1.0;
        of += f32::from(title.iter().any(|other| other == word));
    }
    share(of, all)
}

fn tag_class(tag: Tag) -> f32 {
    use Tag::*;
    f32::from(match tag {
        P => 0_u8,
        Blockquote => 1,
        Pre => 2,
        Li => 3,
        Dd => 4,
        Dt => 5,
        Td => 6,
        Th => 7,
        Figcaption | Caption => 8,
        H1 => 10,
        H2 => 11,
        H3 => 12,
        H4 => 13,
        H5 | H6 => 14,
        Summary => 15,
        Article | Section | Main => 16,
        Div => 17,
        Body => 18,
        Header => 19,
        Aside | Footer => 20,
        Button => 21,
        Nav => 22,
        Form | Fieldset | Label => 23,
        _ => 24,
    })
}

fn last_class(last: char) -> f32 {
    match last {
        '.' | '!' | '?' | '。' | '！' | '？' | '…' | '"' | '”' | '’' => 0.0,
        ':' | '：' => 1.0,
        ',' | ';' => 2.0,
        char if char.is_alphabetic() => 3.0,
        char if char.is_numeric() => 4.0,
        ')' | ']' => 5.0,
        '»' | '›' | '→' | '>' | '▼' | '+' | '|' | '/' | '×' => 6.0,
        _ => 7.0,
    }
}

fn first_class(head: &str) -> f32 {
    match head.trim_start().chars().next() {
        Some(char) if char.is_alphabetic() => 0.0,
        Some(char) if char.is_numeric() => 1.0,
        Some('"' | '“' | '\'' | '‘' | '„' | '(' | '[') => 2.0,
        Some('$' | '€' | '£') => 3.0,
        Some('•' | '·' | '-' | '–' | '—' | '*') => 4.0,
        Some('#' | '@') => 5.0,
        Some('©' | '×' | '|' | '/' | '>' | '»') => 6.0,
        _ => 7.0,
    }
}
