//! Fields of answers that sites write in more ways than their standards have.

use reqwest::header::{CONTENT_TYPE, ETAG, HeaderMap};

/// The media type of an answer: of several, in one line or more, the last that is one (Fetch §3.3.2.1, "extract a MIME
/// type"), with the charset of those before it that are of the same type. What is no media type at all is given as it
/// came.
pub(super) fn content_type(headers: &HeaderMap) -> Option<String> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let lines: Vec<String> = headers.get_all(CONTENT_TYPE).iter().map(|value| text(value.as_bytes())).collect();
    let mut last: Option<(String, String)> = None;
    let mut charset = None;
    for part in lines.iter().flat_map(|line| parts(line)) {
        let Some(essence) = essence(part).filter(|essence| essence != "*/*") else { continue };
        let own = charset_of(part);
        if own.is_some() || last.as_ref().is_none_or(|(before, _)| *before != essence) {
            charset = own;
        }
        let whole = match (&charset, own) {
            (Some(charset), None) => format!("{part}; charset={charset}"),
            _ => part.to_owned(),
        };
        last = Some((essence, whole));
    }
    last.map(|(_, whole)| whole).or_else(|| lines.into_iter().next())
}

/// The parts of a line that commas outside of quotes divide.
fn parts(line: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    line.split(move |char| {
        let is_end = char == ',' && !quoted;
        quoted ^= char == '"' && !escaped;
        escaped = quoted && char == '\\' && !escaped;
        is_end
    })
    .map(str::trim)
}

/// `type/subtype` in lower case, if `part` begins with such.
fn essence(part: &str) -> Option<String> {
    let is_token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    let essence = part.split(';').next()?.trim();
    let (family, kind) = essence.split_once('/')?;
    (is_token(family) && is_token(kind)).then(|| essence.to_ascii_lowercase())
}

fn charset_of(part: &str) -> Option<&str> {
    part.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then_some(value.trim())
    })
}

/// By what an answer can be asked for again; `*` is no entity tag but stands for every one there may be.
pub(super) fn etag(headers: &HeaderMap) -> Option<Vec<u8>> {
    headers.get(ETAG).map(|value| value.as_bytes().to_vec()).filter(|tag| tag.trim_ascii() != b"*")
}

/// The text of a `Location`: bytes that are no UTF-8 are asked for as they came, as curl and browsers do.
pub fn location(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => value.iter().fold(String::with_capacity(value.len() + 8), |mut text, byte| {
            match byte.is_ascii() {
                true => text.push(char::from(*byte)),
                false => text.push_str(&format!("%{byte:02X}")),
            }
            text
        }),
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn of_several_content_types_the_last_valid_one_counts() {
        for (lines, expected) in [
            (&["text/html; charset=\"caf\u{e9}\""][..], Some("text/html; charset=\"caf\u{e9}\"")),
            (&["text/plain", "text/html"], Some("text/html")),
            (&["text/plain, text/html"], Some("text/html")),
            (&["text/html", "nonsense"], Some("text/html")),
            (&["text/html", "*/*"], Some("text/html")),
            (&["text/html", ""], Some("text/html")),
            (&["text/html;charset=gbk", "text/html"], Some("text/html; charset=gbk")),
            (&["text/html;charset=gbk, text/html;x=y"], Some("text/html;x=y; charset=gbk")),
            (&["text/html;charset=gbk", "text/plain", "text/html"], Some("text/html")),
            (&["text/html;charset=gbk", "text/html;charset=utf-8"], Some("text/html;charset=utf-8")),
            (&["text/html;x=\"a,b/c\\\",d/e\""], Some("text/html;x=\"a,b/c\\\",d/e\"")),
            (&["nonsense", "more"], Some("nonsense")),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(CONTENT_TYPE, HeaderValue::from_str(line).unwrap());
            }
            assert_eq!(content_type(&headers).as_deref(), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_star_is_no_entity_tag() {
        for (value, is_tag) in [("\"a\"", true), ("W/\"*\"", true), ("*", false), (" * ", false)] {
            let mut headers = HeaderMap::new();
            headers.insert(ETAG, HeaderValue::from_str(value).unwrap());
            assert_eq!(etag(&headers).is_some(), is_tag, "{value}");
        }
    }

    #[test]
    fn a_location_that_is_no_utf8_is_asked_for_byte_by_byte() {
        assert_eq!(location(b"/caf\xe9?q=\xfc%20"), "/caf%E9?q=%FC%20");
        assert_eq!(location("/caf\u{e9}".as_bytes()), "/caf\u{e9}");
    }
}
