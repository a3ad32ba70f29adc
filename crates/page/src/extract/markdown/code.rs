//! Code and formulas: lines, language, TeX.

use super::super::arena::{Edge, Element, NodeRef};
use super::super::blocks::is_block_tag;
use super::super::selection::Selection;
use super::super::tags::Tag;

/// Longest name of a language.
const MAX_LANGUAGE_BYTES: usize = 20;
/// How far out from code its language is looked for.
const MAX_STEPS: usize = 3;

/// Whether code has line ends of its own outside of `<pre>`.
pub(super) fn has_lines(code: Element<'_>) -> bool {
    let inside = code.descendants().filter_map(NodeRef::as_element);
    inside.into_iter().any(|inner| inner.is(Tag::Br) || inner.is(Tag::Div) || inner.is(Tag::P))
}

/// Whether an element has the numbers of code's lines.
pub(super) fn is_gutter(element: Element<'_>) -> bool {
    const NAMES: [&str; 7] =
        ["gutter", "linenos", "lineno", "line-numbers", "line-number", "linenumber", "rouge-gutter"];
    element.classes().take(20).any(|class| NAMES.contains(&class))
}

/// Adds what an edge of a walk through code says.
pub(super) fn push(text: &mut String, edge: Edge<'_>, of: Element<'_>, selection: &Selection) {
    let end_line = |text: &mut String| {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
    };
    let is_number = |node: NodeRef<'_>| {
        node.as_text().is_some() && node.parent().and_then(NodeRef::as_element).is_some_and(is_gutter)
    };
    match edge {
        Edge::Open(node) if selection.keeps(node.id()) && !is_number(node) => {
            if let Some(own) = node.as_text() {
                text.push_str(own);
            } else if let Some(element) = node.as_element() {
                match element.tag() {
                    Tag::Br => text.push('\n'),
                    _ if node.id() != of.id() && is_block_tag(element.tag()) => end_line(text),
                    _ => {}
                }
            }
        }
        Edge::Close(node)
            if node.id() != of.id()
                && selection.keeps(node.id())
                && node.as_element().is_some_and(|element| is_block_tag(element.tag())) =>
        {
            end_line(text);
        }
        _ => {}
    }
}

/// The language of code, by the classes and attributes that highlighters read and write: on it, just inside, around it.
pub(super) fn language(code: Element<'_>) -> Option<String> {
    let inside = code.children().filter_map(NodeRef::as_element).take(1);
    let around = code.ancestors().filter_map(NodeRef::as_element).take(MAX_STEPS);
    [code].into_iter().chain(inside).chain(around).find_map(told)
}

fn told(element: Element<'_>) -> Option<String> {
    let attribute = ["data-lang", "data-language"].iter().find_map(|name| element.attr(name)).and_then(name);
    attribute.or_else(|| {
        let classes: Vec<&str> = element.classes().take(20).collect();
        let prefixed = classes.iter().find_map(|class| {
            const PREFIXES: [&str; 5] = ["language-", "lang-", "highlight-source-", "highlight-text-", "highlight-"];
            PREFIXES.iter().find_map(|prefix| class.strip_prefix(prefix))
        });
        let brush = || {
            let at = classes.iter().position(|class| class.starts_with("brush:"))?;
            let behind = classes[at].strip_prefix("brush:").filter(|behind| !behind.is_empty());
            behind.or_else(|| classes.get(at + 1).copied()).map(|name| name.trim_end_matches(';'))
        };
        // "sourceCode python", "hljs rust".
        let beside = || {
            let is_sign = |class: &&str| matches!(*class, "sourceCode" | "hljs" | "prettyprint");
            classes.iter().any(is_sign).then(|| classes.iter().find(|class| !is_sign(class)).copied())?
        };
        prefixed.or_else(brush).or_else(beside).and_then(name)
    })
}

/// The name of a language, if it is one.
fn name(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_lowercase();
    let is_name = !text.is_empty()
        && text.len() <= MAX_LANGUAGE_BYTES
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+#-_.".contains(&byte));
    let says_nothing = matches!(
        &*text,
        "none"
            | "text"
            | "plaintext"
            | "txt"
            | "nohighlight"
            | "default"
            | "notranslate"
            | "auto"
            | "wrapper"
            | "box"
            | "container"
            | "block"
            | "code"
            | "linenums"
            | "line-numbers"
            | "numberlines"
            | "undefined"
            | "plain"
    );
    (is_name && !says_nothing).then_some(text)
}

/// A formula: its TeX between dollars if it has it, else what it shows.
pub(super) fn formula(math: Element<'_>, selection: &Selection) -> Option<String> {
    let is_tex = |element: &Element<'_>| {
        element.name() == "annotation" && element.attr("encoding").is_some_and(|kind| kind.contains("tex"))
    };
    let tex = math.descendants().filter_map(NodeRef::as_element).find(is_tex).map(Element::text);
    let tex = tex.or_else(|| math.attr("alttext").map(str::to_owned));
    if let Some(tex) = tex.map(|tex| tex.split_whitespace().collect::<Vec<_>>().join(" "))
        && !tex.is_empty()
    {
        // Backticks keep what means something in Markdown.
        let is_plain = !tex.contains(['\\', '_', '*', '[', '<', '&', '~', '|']);
        return match (tex.contains('`'), is_plain) {
            (true, _) => Some(tex),
            (false, true) => Some(format!("${tex}$")),
            (false, false) => Some(format!("$`{tex}`$")),
        };
    }
    let mut inside = math.descendants();
    let mut shown = String::new();
    while let Some(node) = inside.next() {
        if node.as_element().is_some_and(|element| matches!(element.name(), "annotation" | "annotation-xml")) {
            inside.skip_inside();
        } else if let Some(text) = node.as_text().filter(|_| selection.keeps(node.id())) {
            shown.push_str(text);
        }
    }
    (!shown.trim().is_empty()).then_some(shown)
}
