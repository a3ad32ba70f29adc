//! Session ids in URLs: told by their names and looks, and taken out.
//!
//! A server that finds no cookie may write a session id into every link. Each visit then has URLs of its own for the
//! whole site. Such links are not cut, since there may be no others: the URL without the id is the page.

use memchr::{memchr2, memchr3};

use crate::parts::Parts;

/// Parameters that are session ids whatever their value.
const NAMES: &[&str] = &["jsessionid", "phpsessid", "oscsid", "zenid", "cftoken"];

/// Beginnings of such names.
const PREFIXES: &[&str] = &["aspsessionid"];

/// Parameters that may be session ids: a conference has sessions too. Their value must look like one, and the path
/// like that of a program.
const AMBIGUOUS: &[&str] = &["sid", "s", "sess", "sessid", "session", "sessionid", "session_id"];

/// How long the values of those are: 26 to 40 digits and small letters, as PHP makes them.
const LENGTHS: std::ops::RangeInclusive<usize> = 26..=40;

/// How paths of programs end.
const PROGRAMS: &[&str] = &["/", ".php", ".asp", ".aspx", ".jsp", ".do", ".cfm", ".cgi", ".pl"];

/// `url` without the session ids in it, if there are any.
pub(crate) fn without_ids(url: &str) -> Option<String> {
    memchr3(b';', b'(', b'?', url.as_bytes())?;
    let parts = Parts::of(url)?;
    let bare_path = path_without_ids(parts.path);
    let path = bare_path.as_deref().unwrap_or(parts.path);
    let query = query_without_ids(&Parts { path, ..parts });
    if bare_path.is_none() && query.is_none() {
        return None;
    }
    let start = &url[..parts.authority.as_ptr() as usize - url.as_ptr() as usize + parts.authority.len()];
    let query = query.as_deref().or(parts.query).unwrap_or_default();
    let mark = if query.is_empty() { "" } else { "?" };
    Some(format!("{start}{path}{mark}{query}"))
}

/// Of `/a;jsessionid=1A2B` and `/(S(1a2b))/a` the `/a`.
fn path_without_ids(path: &str) -> Option<String> {
    memchr2(b';', b'(', path.as_bytes())?;
    let segments = path.split('/').map(without_parameters).filter(|segment| !is_cookieless(segment));
    let bare = segments.collect::<Vec<_>>().join("/");
    let bare = if bare.starts_with('/') { bare } else { format!("/{bare}") };
    (bare != path).then_some(bare)
}

/// Whether it is a segment in which ASP.NET keeps tickets: `(S(lit3py55t21z5v55vlm25s55))`.
fn is_cookieless(segment: &str) -> bool {
    let Some(tickets) = segment.strip_prefix('(').and_then(|rest| rest.strip_suffix("))")) else { return false };
    let id = tickets.split("S(").nth(1).unwrap_or_default().split(')').next().unwrap_or_default();
    id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// A segment without its `;jsessionid=…`.
fn without_parameters(segment: &str) -> String {
    let is_kept = |piece: &&str| !is_session_name(piece.split('=').next().unwrap_or_default());
    segment.split(';').filter(is_kept).collect::<Vec<_>>().join(";")
}

fn is_session_name(name: &str) -> bool {
    let has_prefix = |prefix: &&str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known)) || PREFIXES.iter().any(has_prefix)
}

fn query_without_ids(parts: &Parts<'_>) -> Option<String> {
    let query = parts.query?;
    // ColdFusion's ids come in pairs; alone, CFID may be anything.
    let has_token = || parts.parameters().any(|(name, _)| name.eq_ignore_ascii_case("cftoken"));
    let is_program = || PROGRAMS.iter().any(|end| parts.path.ends_with(end));
    let is_ambiguous = |name: &str| AMBIGUOUS.iter().any(|known| name.eq_ignore_ascii_case(known));
    let is_id = |piece: &&str| {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        is_session_name(name)
            || (name.eq_ignore_ascii_case("cfid") && has_token())
            || (looks_random(value) && is_ambiguous(name) && is_program())
    };
    if !query.split('&').any(|piece| is_id(&piece)) {
        return None;
    }
    Some(query.split('&').filter(|piece| !is_id(piece)).collect::<Vec<_>>().join("&"))
}

fn looks_random(value: &str) -> bool {
    if !LENGTHS.contains(&value.len()) {
        return false;
    }
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let letters = value.bytes().filter(u8::is_ascii_lowercase).count();
    digits + letters == value.len() && digits >= 4 && letters >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "5d41402abc4b2a76b9719d911017c592";

    #[test]
    fn session_ids_of_common_programs_are_taken_out() {
        for (rest, bare) in [
            ("/shop/item.do;jsessionid=1A2B3C4D.node1?id=7", "/shop/item.do?id=7"),
            ("/shop;jsessionid=1A2B/item", "/shop/item"),
            ("/a;v=1;JSESSIONID=1A2B", "/a;v=1"),
            ("/index.php?PHPSESSID=abc123&page=2", "/index.php?page=2"),
            ("/index.php?page=2&phpsessid=abc123", "/index.php?page=2"),
            ("/?PHPSESSID=abc123", "/"),
            (&*format!("/viewtopic.php?t=12&sid={MD5}&start=15"), "/viewtopic.php?t=12&start=15"),
            (&*format!("/showthread.php?s={MD5}&t=99"), "/showthread.php?t=99"),
            ("/product_info.php?products_id=3&osCsid=g6f", "/product_info.php?products_id=3"),
            ("/index.cfm?CFID=12&CFTOKEN=34&x=1", "/index.cfm?x=1"),
            ("/(S(lit3py55t21z5v55vlm25s55))/default.aspx", "/default.aspx"),
            ("/app/(A(xyz)S(lit3py55t21z5v55vlm25s55))/p", "/app/p"),
            ("/a.asp?ASPSESSIONIDQQABC=XY", "/a.asp"),
            ("/(S(lit3py55t21z5v55vlm25s55));jsessionid=1/a", "/a"),
            (&*format!("/a.php;jsessionid=1?sid={MD5}"), "/a.php"),
        ] {
            let url = format!("https://example.org{rest}");
            assert_eq!(without_ids(&url).as_deref(), Some(&*format!("https://example.org{bare}")), "{url}");
        }
    }

    #[test]
    fn what_is_no_session_id_stays() {
        for rest in [
            "/conference/session?session_id=1234",
            "/talks.php?sessionid=keynote-2026",
            "/talks.php?sid=42&s=summer",
            &format!("/files/download?sid={MD5}"),
            &format!("/commit/{MD5}"),
            &format!("/store.php?product={MD5}"),
            "/index.cfm?CFID=12",
            "/wiki/Foo_(S(n))",
            "/wiki/(S(n))/x",
            "/a;v=1/b",
            "/search?q=PHPSESSID",
            "/a/b?c=d",
        ] {
            assert_eq!(without_ids(&format!("https://example.org{rest}")), None, "{rest}");
        }
    }
}
