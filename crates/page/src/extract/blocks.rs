//! Which elements stand on lines of their own, and which hold nothing that readers see.

use super::arena::{self, Namespace};
use super::tags::Tag;

/// Whether an element begins and ends a line, so that the words in it do not run into those around it.
pub(super) fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "aside"
            | "blockquote"
            | "caption"
            | "center"
            | "dd"
            | "details"
            | "dialog"
            | "dir"
            | "div"
            | "dl"
            | "dt"
            | "fieldset"
            | "figcaption"
            | "figure"
            | "footer"
            | "form"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "header"
            | "hgroup"
            | "hr"
            | "legend"
            | "li"
            | "listing"
            | "main"
            | "menu"
            | "nav"
            | "ol"
            | "optgroup"
            | "option"
            | "p"
            | "pre"
            | "search"
            | "section"
            | "summary"
            | "table"
            | "tbody"
            | "td"
            | "tfoot"
            | "th"
            | "thead"
            | "tr"
            | "ul"
            | "xmp"
    )
}

/// Whether the inside of an element is no text of those around it: scripts, styles, templates, what stands in for
/// scripts and frames (markup, to a browser that has those), and the source of a formula.
pub(super) fn hides(element: arena::Element<'_>) -> bool {
    match element.tag() {
        Tag::Script | Tag::Style | Tag::Template | Tag::Noscript | Tag::Noembed | Tag::Noframes | Tag::Iframe => true,
        Tag::Annotation | Tag::AnnotationXml => element.namespace() == Namespace::MathMl,
        _ => false,
    }
}

/// The same as [`is_block`] of the name of a tag.
pub(super) fn is_block_tag(tag: Tag) -> bool {
    static BLOCKS: std::sync::LazyLock<[bool; 256]> = std::sync::LazyLock::new(|| {
        let mut blocks = [false; 256];
        Tag::all().iter().for_each(|tag| blocks[*tag as usize] = is_block(tag.name()));
        blocks
    });
    BLOCKS[tag as usize]
}
