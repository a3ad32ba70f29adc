//! Which elements stand on lines of their own, and which hold nothing that readers see.

use html5ever::ns;
use scraper::node::Element;

use super::arena::{self, Namespace};

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
pub(super) fn is_hidden(element: &Element) -> bool {
    match element.name() {
        "script" | "style" | "template" | "noscript" | "noembed" | "noframes" | "iframe" => true,
        "annotation" | "annotation-xml" => element.name.ns == ns!(mathml),
        _ => false,
    }
}

/// The same of an element of the tree that text, tables and Markdown are read from.
pub(super) fn is_unread(element: arena::Element<'_>) -> bool {
    match element.name() {
        "script" | "style" | "template" | "noscript" | "noembed" | "noframes" | "iframe" => true,
        "annotation" | "annotation-xml" => element.namespace() == Namespace::MathMl,
        _ => false,
    }
}
