//! The header lines of an answer as they are kept: without sessions and passwords, since stores are handed on.
//!
//! Left out are the values of cookies and of fields that carry tokens, what stands before the `@` of URLs, and, wherever
//! a site repeats it, what the request has said of who we are.

use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, PROXY_AUTHORIZATION, SET_COOKIE};

/// Written in the place of a secret.
const MASK: &[u8] = b"***";

/// A shorter text is none that could be recognised elsewhere.
const MIN_SECRET_BYTES: usize = 6;

/// Parts of the names of fields whose values are credentials.
const TELLING: [&str; 8] = ["authorization", "token", "secret", "passw", "session", "api-key", "apikey", "set-cookie2"];

/// Parts of the names of the user's own headers that may say who he is; those of the standards say what he likes.
const PERSONAL: [&str; 3] = ["x-", "auth", "key"];

/// The lines of `headers`, the answer to a request with the headers `sent`: `name: value` and CR LF.
pub(super) fn lines(headers: &HeaderMap, sent: &HeaderMap) -> Vec<u8> {
    let secrets = secrets(sent);
    let mut lines = Vec::with_capacity(512);
    for (name, value) in headers {
        lines.extend_from_slice(name.as_str().as_bytes());
        lines.extend_from_slice(b": ");
        let value = value.as_bytes();
        if *name == SET_COOKIE {
            push_cookie(&mut lines, value);
        } else if TELLING.iter().any(|part| name.as_str().contains(part)) {
            lines.extend_from_slice(MASK);
        } else {
            let mut kept = without_credentials(value);
            for secret in &secrets {
                kept = without(kept, secret);
            }
            lines.extend_from_slice(&kept);
        }
        lines.extend_from_slice(b"\r\n");
    }
    lines
}

/// Of a cookie its name and attributes; one without a name is all value.
fn push_cookie(lines: &mut Vec<u8>, value: &[u8]) {
    let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
    let (pair, attributes) = value.split_at(end);
    let name = pair.iter().position(|byte| *byte == b'=').map_or(&[][..], |end| &pair[..end]);
    lines.extend_from_slice(name);
    lines.push(b'=');
    lines.extend_from_slice(attributes);
}

/// The texts in `sent` that say who we are: credentials, cookies, and values of the user's own headers.
fn secrets(sent: &HeaderMap) -> Vec<&[u8]> {
    let mut secrets = Vec::new();
    for (name, value) in sent.iter().filter(|(_, value)| value.is_sensitive()) {
        let value = value.as_bytes();
        if *name == COOKIE {
            let pairs = value.split(|byte| *byte == b';');
            secrets.extend(pairs.map(|pair| match pair.iter().position(|byte| *byte == b'=') {
                Some(at) => pair[at + 1..].trim_ascii(),
                None => pair.trim_ascii(),
            }));
        } else if *name == AUTHORIZATION || *name == PROXY_AUTHORIZATION {
            // Behind the name of the scheme.
            secrets.push(value.splitn(2, |byte| *byte == b' ').last().unwrap_or(value).trim_ascii());
        } else if TELLING.iter().chain(&PERSONAL).any(|part| name.as_str().contains(part)) {
            secrets.push(value);
        }
    }
    secrets.retain(|secret| secret.len() >= MIN_SECRET_BYTES);
    // One may be part of another.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets
}

/// `text` with each `secret` masked.
fn without(text: Vec<u8>, secret: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut rest = &text[..];
    while let Some(at) = rest.windows(secret.len()).position(|window| window == secret) {
        kept.extend_from_slice(&rest[..at]);
        kept.extend_from_slice(MASK);
        rest = &rest[at + secret.len()..];
    }
    if rest.len() == text.len() {
        return text;
    }
    kept.extend_from_slice(rest);
    kept
}

/// `value` with the user names and passwords of URLs in it masked. URLs are found as browsers read them: backslashes
/// are slashes, and http has its host behind any number of them.
fn without_credentials(value: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(value.len());
    for word in value.split_inclusive(|byte| b"/\\?# \"<>".contains(byte)) {
        let is_url = match &kept[..] {
            [.., b'/' | b'\\', b'/' | b'\\'] => true,
            [before @ .., b'/' | b'\\'] => scheme_at_end(before),
            _ => false,
        };
        let scheme = if is_url { 0 } else { scheme_at_start(word) };
        match word.iter().rposition(|byte| *byte == b'@') {
            Some(at) if is_url || scheme > 0 => {
                kept.extend_from_slice(&word[..scheme]);
                kept.extend_from_slice(MASK);
                kept.extend_from_slice(&word[at..]);
            }
            _ => kept.extend_from_slice(word),
        }
    }
    kept
}

fn scheme_at_end(text: &[u8]) -> bool {
    ["http:", "https:"].iter().any(|scheme| {
        text.len().checked_sub(scheme.len()).is_some_and(|at| text[at..].eq_ignore_ascii_case(scheme.as_bytes()))
    })
}

/// Behind the last scheme in `word`, which no slashes follow; 0 if there is none.
fn scheme_at_start(word: &[u8]) -> usize {
    (1..=word.len()).rev().find(|end| scheme_at_end(&word[..*end])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn map(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, text) in fields {
            let mut value = HeaderValue::from_str(text).unwrap();
            value.set_sensitive(true);
            headers.append(name.parse::<HeaderName>().unwrap(), value);
        }
        headers
    }

    fn kept(name: &str, value: &str, sent: &[(&str, &str)]) -> String {
        let lines = String::from_utf8(lines(&map(&[(name, value)]), &map(sent))).unwrap();
        lines.strip_prefix(&format!("{name}: ")).unwrap().strip_suffix("\r\n").unwrap().to_owned()
    }

    #[test]
    fn credentials_in_urls_are_masked_in_every_field_and_spelling() {
        for (value, expected) in [
            ("https://user:swordfish@a.test/x", "https://***@a.test/x"),
            ("HTTPS://swordfish@a.test", "HTTPS://***@a.test"),
            ("//user:swordfish@a.test/?q=a@b", "//***@a.test/?q=a@b"),
            ("https:user:swordfish@a.test/", "https:***@a.test/"),
            ("https:/user:swordfish@a.test/", "https:/***@a.test/"),
            ("https:///user:swordfish@a.test/", "https:///***@a.test/"),
            ("http:\\\\user:swordfish@a.test\\", "http:\\\\***@a.test\\"),
            ("http://a@b:swordfish@a.test/", "http://***@a.test/"),
            ("0; url=http:swordfish@a.test/", "0; url=http:***@a.test/"),
            (
                "<https://u:swordfish@a.test/>; rel=x, <ftp://u:swordfish@b.test>",
                "<https://***@a.test/>; rel=x, <ftp://***@b.test>",
            ),
            ("/r?to=https://u:swordfish@a.test/", "/r?to=https://***@a.test/"),
            ("http://a.test/@user", "http://a.test/@user"),
            ("mailto:me@a.test", "mailto:me@a.test"),
            ("a@b", "a@b"),
        ] {
            for name in ["location", "link", "refresh", "x-any"] {
                assert_eq!(kept(name, value, &[]), expected, "{value}");
            }
        }
    }

    #[test]
    fn cookies_and_tokens_have_a_name_and_no_value() {
        for (name, value, expected) in [
            ("set-cookie", "id=swordfish; Path=/; HttpOnly", "id=; Path=/; HttpOnly"),
            ("set-cookie", "swordfish; Path=/", "=; Path=/"),
            ("set-cookie", "swordfish", "="),
            ("set-cookie2", "id=swordfish", "***"),
            ("x-csrf-token", "swordfish", "***"),
            ("x-amz-security-token", "swordfish", "***"),
            ("x-session-id", "swordfish", "***"),
            ("proxy-authorization", "Basic swordfish", "***"),
            ("etag", "\"swordfish\"", "\"swordfish\""),
            ("www-authenticate", "Basic realm=\"x\"", "Basic realm=\"x\""),
        ] {
            assert_eq!(kept(name, value, &[]), expected, "{name}");
        }
    }

    #[test]
    fn what_a_site_repeats_of_the_request_is_masked() {
        let sent = [
            ("authorization", "Bearer swordfish-1"),
            ("cookie", "a=1; session=swordfish-2;bare-swordfish"),
            ("x-own", "swordfish"),
            ("accept", "text/html"),
        ];
        let all = "Bearer swordfish-1; swordfish-2, bare-swordfish; swordfish; 1; swordfis";
        assert_eq!(kept("x-echo", all, &sent), "Bearer ***; ***, ***; ***; 1; swordfis");
        assert_eq!(kept("content-type", "text/html", &sent), "text/html");
    }
}
