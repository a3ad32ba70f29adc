//! The text under which duplicates of a URL meet: percent-encoding as RFC 3986 section 6.2.2 normalises it.
//!
//! The URL standard leaves escapes as they are written, so `/%7euser`, `/%7Euser` and `/~user` are three URLs to it,
//! though every server takes them for one. Only such spellings are made equal here: an escape of a reserved
//! character (`%2F`, `%3F`, `%26`, `%25`, …) may mean something else than the character itself and stays.

use std::borrow::Cow;

use memchr::memchr;

/// The deduplication text of `url`, which is an http(s) URL without fragment, as the `url` crate writes it.
///
/// Escapes of unreserved characters are decoded, all others are written in upper case, a `%` that starts no escape
/// is left alone. The answer is a URL in the same standard form (decoded dots make no new dot segments: the URL
/// standard takes `%2e` for a dot and has removed them), and its own deduplication text.
pub fn dedup_text(url: &str) -> Cow<'_, str> {
    let bytes = url.as_bytes();
    let mut text = String::new();
    // What comes before this is in `text`.
    let mut copied = 0;
    // An escape that starts before this follows a stray `%`, with which its character might make up a new escape
    // (`%%34%31`, `%4%31`): it is not decoded.
    let mut stray_end = 0;
    let mut at = 0;
    // The host has no `%`: so it is only path and query that change.
    while let Some(offset) = memchr(b'%', &bytes[at..]) {
        at += offset;
        let Some(byte) = escaped(&bytes[at..]) else {
            stray_end = at + 3;
            at += 1;
            continue;
        };
        let is_unreserved = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        let escape = &url[at..at + 3];
        if is_unreserved && at >= stray_end {
            text.push_str(&url[copied..at]);
            text.push(char::from(byte));
            copied = at + 3;
        } else if escape.bytes().any(|byte| byte.is_ascii_lowercase()) {
            text.push_str(&url[copied..at]);
            text.push_str(&escape.to_ascii_uppercase());
            copied = at + 3;
        }
        at += 3;
    }
    if copied == 0 {
        return Cow::Borrowed(url);
    }
    text.push_str(&url[copied..]);
    Cow::Owned(text)
}

/// The byte that the escape at the start of `text` stands for, if it is one.
fn escaped(text: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*text.get(at)?).to_digit(16);
    Some((digit(1)? * 16 + digit(2)?) as u8)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    #[track_caller]
    fn text_of(rest: &str) -> String {
        let url = format!("https://example.org/{rest}");
        dedup_text(&url)["https://example.org/".len()..].to_owned()
    }

    #[test]
    fn escapes_of_unreserved_characters_are_decoded() {
        for (rest, text) in [
            ("%7euser", "~user"),
            ("%7Euser", "~user"),
            ("%41%5a%61%7A%30%39", "AZaz09"),
            ("%2d%2E%5f%7e", "-._~"),
            ("a%2ehtml?b=%2e&%63=1", "a.html?b=.&c=1"),
            ("%2e%2e%2e/x", ".../x"),
            ("%61", "a"),
            ("x%61", "xa"),
        ] {
            assert_eq!(text_of(rest), text, "{rest}");
        }
    }

    #[test]
    fn escapes_that_may_mean_something_else_stay_in_upper_case() {
        for (rest, text) in [
            ("a%2fb", "a%2Fb"),
            ("a%3Fb%3fc", "a%3Fb%3Fc"),
            ("a%23%26%2b%25%3d%3b%40%3a", "a%23%26%2B%25%3D%3B%40%3A"),
            ("%20%c3%a4%00%ff%7f%80", "%20%C3%A4%00%FF%7F%80"),
            ("?q=a+b%2bc%20d", "?q=a+b%2Bc%20d"),
        ] {
            assert_eq!(text_of(rest), text, "{rest}");
        }
    }

    #[test]
    fn nothing_is_decoded_twice() {
        for (rest, text) in [
            ("%2541", "%2541"),
            ("%25%34%31", "%2541"),
            ("%252e%252e/x", "%252e%252e/x"),
            ("%25%32%66", "%252f"),
            // A stray `%` makes up no escape with what is decoded behind it.
            ("%%34%31", "%%341"),
            ("%%341", "%%341"),
            ("%4%31", "%4%31"),
            ("%%32e/x", "%%32e/x"),
            ("%2%65/x", "%2%65/x"),
            ("%%2fb", "%%2Fb"),
            ("%%%41", "%%%41"),
            ("%zz%41", "%zzA"),
        ] {
            assert_eq!(text_of(rest), text, "{rest}");
        }
    }

    #[test]
    fn a_stray_percent_sign_is_left_alone() {
        for rest in ["%", "%4", "%zz", "100%", "%%", "%g1", "%1g", "%+1", "a%?b=%&c=%2"] {
            assert_eq!(text_of(rest), rest);
        }
    }

    #[test]
    fn a_url_that_is_normal_already_is_borrowed() {
        for url in ["https://example.org/a/b?c=d", "https://example.org/%C3%A4?a=%20%", "", "%"] {
            assert!(matches!(dedup_text(url), Cow::Borrowed(text) if text == url), "{url}");
        }
    }

    #[test]
    fn the_text_is_a_url_in_standard_form_and_its_own_text() {
        let pieces =
            ["%", "2", "e", "E", "4", "1", ".", "/", "?", "%2e", "%2E", "%41", "%2f", "%25", "%3f", "%32", "%7e"];
        for first in pieces {
            for second in pieces {
                for third in pieces {
                    for fourth in pieces {
                        let url = Url::parse(&format!("http://x.y/a/{first}{second}{third}{fourth}")).expect("a URL");
                        let text = dedup_text(url.as_str());
                        assert_eq!(Url::parse(&text).expect("a URL").as_str(), text, "{url}");
                        assert_eq!(dedup_text(&text), text, "{url}");
                    }
                }
            }
        }
    }
}
