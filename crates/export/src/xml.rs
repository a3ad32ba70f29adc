//! Texts in XML: what means something there as references, and what may not be there at all replaced.

/// `text` as content or as a value in double quotes (XML 1.0, sections 2.2 and 2.4).
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // As they are, attributes would have spaces in their place.
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            '\r' => escaped.push_str("&#13;"),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_one_that_xml_may_have() {
        assert_eq!(
            escaped("<a b=\"&\">\n\u{0}\u{1b}\u{ffff}é"),
            "&lt;a b=&quot;&amp;&quot;&gt;&#10;\u{fffd}\u{fffd}\u{fffd}é"
        );
    }
}
