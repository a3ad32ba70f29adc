//! A tree as HTML.

use std::io::{self, Write};

use super::{Data, Edge, Element};
use crate::extract::tags::{Tag, VOID};

/// Writes what is in an element as the HTML standard has it ("serializing HTML fragments"), attributes by their names.
/// Of comments and texts nothing is left out; the contents of templates are in them.
///
/// # Errors
/// Those of `out`.
pub(in crate::extract) fn write_inner_html(element: Element<'_>, out: &mut dyn Write) -> io::Result<()> {
    for edge in element.edges() {
        match edge {
            Edge::Open(node) => match node.data() {
                // Text of the element itself is escaped, whatever that is.
                Data::Text(text) => {
                    let is_raw = node.parent().filter(|parent| *parent != *element).is_some_and(|parent| {
                        parent.as_element().is_some_and(|parent| parent.is_html() && is_raw(parent.tag()))
                    });
                    if is_raw { out.write_all(text.as_bytes())? } else { escape(text, false, out)? }
                }
                Data::Comment(text) => {
                    out.write_all(b"<!--")?;
                    out.write_all(text.as_bytes())?;
                    out.write_all(b"-->")?;
                }
                Data::Element(inner) if inner != element => start(inner, out)?,
                _ => {}
            },
            Edge::Close(node) => {
                if let Some(inner) = node.as_element().filter(|inner| *inner != element && !is_void(*inner)) {
                    write!(out, "</{}>", inner.name())?;
                }
            }
        }
    }
    Ok(())
}

fn start(element: Element<'_>, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "<{}", element.name())?;
    let mut attributes: Vec<_> = element.attributes().collect();
    attributes.sort_unstable();
    for (name, value) in attributes {
        write!(out, " {name}=\"")?;
        escape(value, true, out)?;
        out.write_all(b"\"")?;
    }
    out.write_all(b">")
}

fn is_void(element: Element<'_>) -> bool {
    element.is_html() && (element.tag().is(VOID) && element.tag() != Tag::Image)
}

fn is_raw(tag: Tag) -> bool {
    matches!(tag, Tag::Style | Tag::Script | Tag::Xmp | Tag::Iframe | Tag::Noembed | Tag::Noframes | Tag::Plaintext)
}

fn escape(text: &str, in_attribute: bool, out: &mut dyn Write) -> io::Result<()> {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>', '"', '\u{A0}']) {
        out.write_all(&rest.as_bytes()[..at])?;
        let c = rest[at..].chars().next().unwrap_or_default();
        out.write_all(match c {
            '&' => b"&amp;",
            '<' => b"&lt;",
            '>' => b"&gt;",
            '"' if in_attribute => b"&quot;",
            '"' => b"\"",
            _ => b"&nbsp;",
        })?;
        rest = &rest[at + c.len_utf8()..];
    }
    out.write_all(rest.as_bytes())
}
