//! Cookies (RFC 6265 with the prefixes and the care for `Secure` of its successor), for hosts whose user wants them.
//!
//! Kept by site, the domain someone registered, since no cookie may cross from one to another. What sites set is
//! bounded, per site and in all; what the user's own file holds stays.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::header::{HeaderMap, HeaderValue, SET_COOKIE};
use url::{Host, Url};

/// Cookies of one site.
const MAX_PER_SITE: usize = 50;

/// Bytes of one cookie, name and value.
const MAX_COOKIE_BYTES: usize = 4096;

/// Bytes of a domain or path attribute.
const MAX_ATTRIBUTE_BYTES: usize = 1024;

/// Bytes of all cookies that sites have set, about.
const MAX_BYTES: usize = 16 << 20;

/// `Set-Cookie` lines looked at in one answer.
const MAX_LINES: usize = 100;

/// Why a file of cookies cannot be used. Never shows a value.
#[derive(Debug, thiserror::Error)]
pub enum CookieFileError {
    /// It cannot be read.
    #[error("cannot read the cookie file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is not of the format.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The mistake.
        problem: &'static str,
    },
}

/// The cookies of one fetcher.
#[derive(Debug, Default)]
pub struct Jar {
    sites: Mutex<Sites>,
}

#[derive(Default)]
struct Sites {
    by_name: HashMap<Box<str>, Site>,
    /// Counts uses and cookies: later is larger.
    clock: u64,
    /// Of the cookies that sites have set.
    bytes: usize,
}

impl std::fmt::Debug for Sites {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} sites", self.by_name.len())
    }
}

#[derive(Default)]
struct Site {
    cookies: Vec<Cookie>,
    used: u64,
}

struct Cookie {
    name: Box<[u8]>,
    value: Box<[u8]>,
    /// The host it belongs to, and whether those below it share it.
    domain: Box<str>,
    below: bool,
    path: Box<str>,
    secure: bool,
    /// Seconds since 1970.
    expires: Option<i64>,
    created: u64,
    /// From the user's file.
    given: bool,
}

impl Cookie {
    fn is_same(&self, other: &Self) -> bool {
        (&self.name, &self.domain, self.below, &self.path) == (&other.name, &other.domain, other.below, &other.path)
    }

    /// Memory that counts against the limit.
    fn weight(&self) -> usize {
        let bytes = self.name.len() + self.value.len() + self.domain.len() + self.path.len() + size_of::<Self>();
        if self.given { 0 } else { bytes }
    }

    fn is_for(&self, host: &str, path: &str, secure: bool) -> bool {
        (*self.domain == *host || self.below && is_below(host, &self.domain))
            && (secure || !self.secure)
            && path_matches(path, &self.path)
    }
}

impl Jar {
    /// Takes the cookies of a file in Netscape's format, `cookies.txt` of curl and browsers.
    ///
    /// # Errors
    /// If it cannot be read or is of another format.
    pub fn load(&self, path: &Path) -> Result<(), CookieFileError> {
        let text = std::fs::read(path).map_err(|source| CookieFileError::Read { path: path.to_owned(), source })?;
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&text);
        for (number, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let cookie = from_file(line).map_err(|problem| CookieFileError::Line {
                path: path.to_owned(),
                line: number + 1,
                problem,
            })?;
            if let Some(cookie) = cookie {
                let domain = cookie.domain.clone();
                self.lock().put(site_of(&domain), cookie, now(), true);
            }
        }
        Ok(())
    }

    /// Takes the cookies that the answer to a request for `url` sets.
    pub fn take(&self, url: &Url, headers: &HeaderMap) {
        let Some(host) = url.host_str() else { return };
        for line in headers.get_all(SET_COOKIE).iter().take(MAX_LINES) {
            if let Some(cookie) = set_by(url, host, line.as_bytes(), now()) {
                self.lock().put(site_of(host), cookie, now(), url.scheme() == "https");
            }
        }
    }

    /// The `Cookie` header for `url`, behind `first`, which the user's own headers hold.
    pub fn header(&self, url: &Url, first: Option<&HeaderValue>) -> Option<HeaderValue> {
        let host = url.host_str()?;
        let mut sites = self.lock();
        sites.clock += 1;
        let used = sites.clock;
        let site = sites.by_name.get_mut(site_of(host))?;
        site.used = used;
        let now = now();
        let (path, secure) = (url.path(), url.scheme() == "https");
        let mut found: Vec<&Cookie> = site
            .cookies
            .iter()
            .filter(|cookie| cookie.expires.is_none_or(|end| end > now) && cookie.is_for(host, path, secure))
            .collect();
        if found.is_empty() {
            return None;
        }
        found.sort_by_key(|cookie| (Reverse(cookie.path.len()), cookie.created));
        let mut text = first.map(|value| value.as_bytes().to_vec()).unwrap_or_default();
        for cookie in found {
            if !text.is_empty() {
                text.extend_from_slice(b"; ");
            }
            text.extend_from_slice(&cookie.name);
            if !cookie.name.is_empty() {
                text.push(b'=');
            }
            text.extend_from_slice(&cookie.value);
        }
        let mut value = HeaderValue::from_bytes(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    fn lock(&self) -> MutexGuard<'_, Sites> {
        self.sites.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sites {
    /// Keeps `cookie`, which replaces its like; one that has expired only takes that away.
    fn put(&mut self, name: &str, mut cookie: Cookie, now: i64, secure: bool) {
        let expired = cookie.expires.is_some_and(|end| end <= now);
        if expired && !self.by_name.contains_key(name) {
            return;
        }
        self.clock += 1;
        let site = self.by_name.entry(name.into()).or_default();
        site.used = self.clock;
        // A cookie that came over TLS is neither overwritten nor hidden by one that did not.
        let shadows = |old: &Cookie| {
            old.secure
                && old.name == cookie.name
                && (is_within(&old.domain, &cookie.domain) || is_within(&cookie.domain, &old.domain))
                && path_matches(&cookie.path, &old.path)
        };
        if !secure && site.cookies.iter().any(shadows) {
            return;
        }
        cookie.created = self.clock;
        if let Some(at) = site.cookies.iter().position(|old| old.is_same(&cookie)) {
            let old = site.cookies.swap_remove(at);
            self.bytes -= old.weight();
            cookie.created = old.created;
            cookie.given |= old.given;
        }
        if !expired {
            self.bytes += cookie.weight();
            site.cookies.push(cookie);
        }
        if site.cookies.len() > MAX_PER_SITE {
            self.bytes -= site.make_room(now);
        }
        if site.cookies.is_empty() {
            self.by_name.remove(name);
        }
        if self.bytes > MAX_BYTES {
            self.forget();
        }
    }

    /// Forgets what sites have set that were used longest ago: half of them, so that not every cookie pays for it.
    fn forget(&mut self) {
        let mut used: Vec<u64> = self.by_name.values().map(|site| site.used).collect();
        let middle = used.len() / 2;
        let (_, &mut middle, _) = used.select_nth_unstable(middle);
        let mut bytes = 0;
        self.by_name.retain(|_, site| {
            if site.used < middle {
                site.cookies.retain(|cookie| cookie.given);
            }
            bytes += site.cookies.iter().map(Cookie::weight).sum::<usize>();
            !site.cookies.is_empty()
        });
        self.bytes = bytes;
    }
}

impl Site {
    /// Drops what has expired or else the oldest that the user has not given: the weight that frees.
    fn make_room(&mut self, now: i64) -> usize {
        let before: usize = self.cookies.iter().map(Cookie::weight).sum();
        self.cookies.retain(|cookie| cookie.expires.is_none_or(|end| end > now));
        let own = self.cookies.iter().filter(|cookie| !cookie.given);
        if own.clone().count() > MAX_PER_SITE
            && let Some(oldest) = own.map(|cookie| cookie.created).min()
        {
            self.cookies.retain(|cookie| cookie.given || cookie.created != oldest);
        }
        before - self.cookies.iter().map(Cookie::weight).sum::<usize>()
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The domain someone registered that `host` is in; `host` itself where there is none.
fn site_of(host: &str) -> &str {
    if is_address(host) { host } else { psl::domain_str(host).unwrap_or(host) }
}

fn is_address(host: &str) -> bool {
    matches!(Host::parse(host), Ok(Host::Ipv4(_) | Host::Ipv6(_)))
}

fn is_public_suffix(domain: &str) -> bool {
    !is_address(domain) && psl::domain_str(domain).is_none()
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')) && !is_address(host)
}

fn is_within(host: &str, domain: &str) -> bool {
    host == domain || is_below(host, domain)
}

/// RFC 6265 §5.1.4.
fn path_matches(path: &str, of_cookie: &str) -> bool {
    path.strip_prefix(of_cookie)
        .is_some_and(|rest| rest.is_empty() || of_cookie.ends_with('/') || rest.starts_with('/'))
}

/// The cookie that a `Set-Cookie` line in the answer of `host` sets, RFC 6265 §5.2 and §5.3.
fn set_by(url: &Url, host: &str, line: &[u8], now: i64) -> Option<Cookie> {
    if line.iter().any(|&byte| byte < b' ' && byte != b'\t' || byte == 0x7f) {
        return None;
    }
    let mut parts = line.split(|&byte| byte == b';');
    let (name, value) = pair(parts.next().unwrap_or_default()).unwrap_or_else(|whole| (&[], whole));
    if name.is_empty() && value.is_empty() || name.len() + value.len() > MAX_COOKIE_BYTES {
        return None;
    }
    let is_https = url.scheme() == "https";
    let (mut domain, mut path, mut secure, mut expires, mut max_age) = (None, None, false, None, None);
    for part in parts {
        let (name, value) = pair(part).unwrap_or_else(|whole| (whole, &[]));
        let text = || std::str::from_utf8(value).ok().filter(|text| text.len() <= MAX_ATTRIBUTE_BYTES);
        match &name.to_ascii_lowercase()[..] {
            b"domain" if !value.is_empty() => domain = Some(text()?.trim_start_matches('.').to_ascii_lowercase()),
            b"path" => path = text().filter(|path| path.starts_with('/')),
            b"secure" => secure = true,
            b"expires" => expires = date(value).or(expires),
            b"max-age" => max_age = seconds(value).map(|seconds| now.saturating_add(seconds)).or(max_age),
            _ => {}
        }
    }
    let below = match &domain {
        // A public suffix may set cookies for itself alone.
        Some(domain) if is_public_suffix(domain) && domain != host => return None,
        Some(domain) if !is_within(host, domain) => return None,
        Some(domain) => !is_public_suffix(domain) && !is_address(host),
        None => false,
    };
    // A nameless cookie is sent as its value alone, and must not pass for one with a prefix.
    let lower = if name.is_empty() { value } else { name }.to_ascii_lowercase();
    let is_host_only = domain.is_none() && path == Some("/");
    if secure && !is_https
        || lower.starts_with(b"__secure-") && !secure
        || lower.starts_with(b"__host-") && !(secure && is_host_only)
    {
        return None;
    }
    Some(Cookie {
        name: name.into(),
        value: value.into(),
        domain: domain.unwrap_or_else(|| host.to_owned()).into(),
        below,
        path: path.unwrap_or_else(|| folder(url.path())).into(),
        secure,
        expires: max_age.or(expires),
        created: 0,
        given: false,
    })
}

/// `name=value` without the space around both; the whole if there is no `=`.
fn pair(part: &[u8]) -> Result<(&[u8], &[u8]), &[u8]> {
    match part.iter().position(|&byte| byte == b'=') {
        Some(at) => Ok((part[..at].trim_ascii(), part[at + 1..].trim_ascii())),
        None => Err(part.trim_ascii()),
    }
}

/// RFC 6265 §5.1.4: the path up to its last slash.
fn folder(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(end) => &path[..end],
    }
}

/// The value of `Max-Age`; what is too long is for ever.
fn seconds(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX }))
}

/// A date as cookies have it, RFC 6265 §5.1.1: its parts in any order and almost any spelling.
fn date(value: &[u8]) -> Option<i64> {
    let is_delimiter = |byte: &u8| matches!(byte, b'\t' | b' '..=b'/' | b';'..=b'@' | b'['..=b'`' | b'{'..=b'~');
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in value.split(is_delimiter).filter(|token| !token.is_empty()) {
        if time.is_none()
            && let Some(found) = clock_time(token)
        {
            time = Some(found);
        } else if day.is_none()
            && let Some(found) = number(token, 1, 2)
        {
            day = Some(found);
        } else if month.is_none()
            && let Some(found) = month_number(token)
        {
            month = Some(found);
        } else if year.is_none()
            && let Some(found) = number(token, 2, 4)
        {
            year = Some(match found {
                0..70 => found + 2000,
                70..100 => found + 1900,
                _ => found,
            });
        }
    }
    let (hour, minute, second) = time?;
    let year = year.filter(|&year| year >= 1601)?;
    let date = jiff::civil::Date::new(year, month?, i8::try_from(day?).ok()?).ok()?;
    let time = jiff::civil::Time::new(hour, minute, second, 0).ok()?;
    Some(date.to_datetime(time).to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

/// The number a token begins with, of so many digits; what follows must not be a digit.
fn number(token: &[u8], least: usize, most: usize) -> Option<i16> {
    let digits = token.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(least..=most).contains(&digits) {
        return None;
    }
    std::str::from_utf8(&token[..digits]).ok()?.parse().ok()
}

fn clock_time(token: &[u8]) -> Option<(i8, i8, i8)> {
    let mut parts = token.splitn(3, |&byte| byte == b':');
    let mut next = || number(parts.next()?, 1, 2).and_then(|number| i8::try_from(number).ok());
    Some((next()?, next()?, next()?))
}

fn month_number(token: &[u8]) -> Option<i8> {
    const MONTHS: &[u8; 36] = b"janfebmaraprmayjunjulaugsepoctnovdec";
    let start = token.get(..3)?.to_ascii_lowercase();
    let at = MONTHS.chunks(3).position(|month| month == start)?;
    i8::try_from(at + 1).ok()
}

/// The cookie of one line of a file; none if the line is a comment or blank.
fn from_file(line: &[u8]) -> Result<Option<Cookie>, &'static str> {
    let line = line.strip_prefix(b"#HttpOnly_").unwrap_or(line);
    if line.starts_with(b"#") || line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let fields: Vec<&[u8]> = line.splitn(7, |&byte| byte == b'\t').collect();
    let [domain, below, path, secure, expires, name, value @ ..] = &fields[..] else {
        return Err(
            "a cookie has seven fields, separated by tabs: domain, subdomains, path, secure, expiry, name, value",
        );
    };
    let value = value.first().copied().unwrap_or_default();
    let flag = |field: &[u8]| match field {
        _ if field.eq_ignore_ascii_case(b"true") => Ok(true),
        _ if field.eq_ignore_ascii_case(b"false") => Ok(false),
        _ => Err("the second and the fourth field of a cookie are TRUE or FALSE"),
    };
    let text = |field| std::str::from_utf8(field).map_err(|_| "domain and path of a cookie must be UTF-8");
    let domain = text(domain)?;
    let domain = Host::parse(domain.strip_prefix('.').unwrap_or(domain)).map_err(|_| "the domain is no host name")?;
    let domain = domain.to_string();
    let below = flag(below)? && !is_address(&domain) && !is_public_suffix(&domain);
    let path = text(path)?;
    if !path.starts_with('/') {
        return Err("the path of a cookie begins with a slash");
    }
    // Some write fractions of seconds.
    let expires = text(expires)?.split('.').next().unwrap_or_default();
    let expires: i64 = expires.parse().map_err(|_| "the expiry of a cookie is a number of seconds since 1970")?;
    if name.iter().chain(value).any(|&byte| byte < b' ' || byte == 0x7f) {
        return Err("name and value of a cookie hold no control characters");
    }
    Ok(Some(Cookie {
        name: (*name).into(),
        value: value.into(),
        domain: domain.into(),
        below,
        path: path.into(),
        secure: flag(secure)?,
        expires: (expires > 0).then_some(expires),
        created: 0,
        given: true,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    /// The Cookie header sent to `to` after `from` has set `lines`.
    fn sent(from: &str, lines: &[&str], to: &str) -> String {
        let jar = Jar::default();
        take(&jar, from, lines);
        header(&jar, to)
    }

    fn take(jar: &Jar, from: &str, lines: &[&str]) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(SET_COOKIE, HeaderValue::from_str(line).unwrap());
        }
        jar.take(&url(from), &headers);
    }

    fn header(jar: &Jar, to: &str) -> String {
        jar.header(&url(to), None).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    fn load(text: &str) -> (Jar, Result<(), String>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let jar = Jar::default();
        let result = jar.load(file.path()).map_err(|error| error.to_string().rsplit('/').next().unwrap().to_owned());
        (jar, result)
    }

    #[test]
    fn a_cookie_goes_back_where_it_belongs() {
        let (shop, www) = ("https://shop.example.co.uk/a/b", "https://www.example.co.uk/");
        for (line, to, expected) in [
            ("k=v", shop, "k=v"),
            ("k=v", "https://shop.example.co.uk:8443/a/", "k=v"),
            ("k=v; Path=/", www, ""),
            ("k=v; Path=/; Domain=example.co.uk", www, "k=v"),
            ("k=v; Path=/; Domain=.Example.CO.UK", "http://example.co.uk/", "k=v"),
            ("k=v; Path=/; Domain=example.co.uk", "https://badexample.co.uk/", ""),
            // Neither for strangers nor for a whole suffix.
            ("k=v; Path=/; Domain=co.uk", shop, ""),
            ("k=v; Path=/; Domain=uk", shop, ""),
            ("k=v; Path=/; Domain=other.co.uk", "https://other.co.uk/", ""),
            ("k=v; Path=/; Domain=www.example.co.uk", www, ""),
            // The default path is the folder of the page.
            ("k=v", "https://shop.example.co.uk/a", "k=v"),
            ("k=v", "https://shop.example.co.uk/ab", ""),
            ("k=v; Path=/x", "https://shop.example.co.uk/x/y", "k=v"),
            ("k=v; Path=/x", "https://shop.example.co.uk/xy", ""),
            ("k=v; Path=x", "https://shop.example.co.uk/a/", "k=v"),
            ("k=v; Secure", "http://shop.example.co.uk/a/", ""),
            ("k=v; secure; HttpOnly; SameSite=Strict; Priority=High", shop, "k=v"),
            ("k=v; Max-Age=60", shop, "k=v"),
            ("k=v; Max-Age=0", shop, ""),
            ("k=v; Max-Age=-1", shop, ""),
            ("k=v; Max-Age=x; Expires=Wed, 09 Jun 2100 10:18:14 GMT", shop, "k=v"),
            ("k=v; Expires=Wed, 09 Jun 2021 10:18:14 GMT", shop, ""),
            ("k=v; Expires=Wed, 09 Jun 2021 10:18:14 GMT; Max-Age=60", shop, "k=v"),
            ("k=v; Expires=Fri, 31-Dec-9999 23:59:59 GMT", shop, "k=v"),
            ("k=v; Max-Age=99999999999999999999", shop, "k=v"),
            (" k = \"v w\" ;x", shop, "k=\"v w\""),
            ("k=", shop, "k="),
            ("flag", shop, "flag"),
            ("=v", shop, "v"),
            ("", shop, ""),
            ("__Secure-k=v; Secure", shop, "__Secure-k=v"),
            ("__Secure-k=v", shop, ""),
            ("__Host-k=v; Secure; Path=/", shop, "__Host-k=v"),
            ("__Host-k=v; Secure; Path=/; Domain=shop.example.co.uk", shop, ""),
            ("__Host-k=v; Secure", shop, ""),
            ("=__host-k=v", shop, ""),
        ] {
            assert_eq!(sent(shop, &[line], to), expected, "{line} to {to}");
        }
    }

    #[test]
    fn no_site_sets_cookies_for_another() {
        for (from, domain, to) in [
            ("https://a.github.io/", "github.io", "https://b.github.io/"),
            ("https://a.github.io/", "a.github.io", "https://b.github.io/"),
            ("http://10.0.0.1/", "0.0.1", "http://20.0.0.1/"),
            ("http://a.localhost/", "localhost", "http://b.localhost/"),
            ("https://a.xn--55qx5d.cn/", "xn--55qx5d.cn", "https://b.xn--55qx5d.cn/"),
            ("https://evil.test/", "", "https://good.test/"),
        ] {
            assert_eq!(sent(from, &[&format!("k=v; Path=/; Domain={domain}")], to), "", "{from} {domain}");
        }
        // A suffix that is a host itself, and an address, have their own.
        assert_eq!(sent("https://github.io/", &["k=v; Domain=github.io"], "https://github.io/"), "k=v");
        assert_eq!(sent("https://github.io/", &["k=v; Domain=github.io"], "https://b.github.io/"), "");
        assert_eq!(sent("http://10.0.0.1/", &["k=v; Domain=10.0.0.1"], "http://10.0.0.1/"), "k=v");
        assert_eq!(sent("http://[::1]/", &["k=v"], "http://[::1]/"), "k=v");
    }

    #[test]
    fn cookies_replace_their_like_and_longer_paths_come_first() {
        let lines = ["a=1; Path=/", "b=2; Path=/x", "c=3; Path=/", "a=4; Path=/", "c=; Path=/; Max-Age=0"];
        assert_eq!(sent("http://a.test/", &lines, "http://a.test/x"), "b=2; a=4");
    }

    #[test]
    fn what_came_over_tls_is_not_for_others_to_overwrite() {
        let jar = Jar::default();
        take(&jar, "https://www.a.test/", &["k=safe; Secure; Path=/", "plain=1; Path=/"]);
        let attack = [
            "k=bad; Path=/",
            "k=bad; Path=/x; Domain=a.test",
            "k=bad; Secure; Path=/",
            "k=; Max-Age=0",
            "plain=2; Path=/",
        ];
        take(&jar, "http://www.a.test/", &attack);
        assert_eq!(header(&jar, "https://www.a.test/x"), "k=safe; plain=2");
    }

    #[test]
    fn the_users_own_cookies_come_first() {
        let jar = Jar::default();
        take(&jar, "http://a.test/", &["b=2"]);
        let first = HeaderValue::from_static("a=1");
        assert_eq!(jar.header(&url("http://a.test/"), Some(&first)).unwrap(), "a=1; b=2");
        assert!(jar.header(&url("http://b.test/"), Some(&first)).is_none());
    }

    #[test]
    fn the_jar_is_bounded() {
        let jar = Jar::default();
        let many: Vec<String> = (0..80).map(|n| format!("k{n}=v")).collect();
        take(&jar, "http://a.test/", &many.iter().map(String::as_str).collect::<Vec<_>>());
        let kept = header(&jar, "http://a.test/");
        assert_eq!((kept.split("; ").count(), kept.starts_with("k30=v; ")), (MAX_PER_SITE, true), "{kept}");
        assert_eq!(sent("http://a.test/", &[&format!("k={}", "v".repeat(MAX_COOKIE_BYTES))], "http://a.test/"), "");

        let (jar, _) = load("kept.test\tFALSE\t/\tFALSE\t0\tk\tv\n");
        let big = format!("k={}", "v".repeat(4000));
        for number in 0..10_000 {
            take(&jar, &format!("http://{number}.test/"), &[&big]);
            take(&jar, &format!("http://none{number}.test/"), &["k=v; Max-Age=0"]);
        }
        let sites = jar.lock();
        let weight: usize = sites.by_name.values().flat_map(|site| &site.cookies).map(Cookie::weight).sum();
        assert!(sites.bytes == weight && weight <= MAX_BYTES && sites.by_name.len() < 6000, "{weight}");
        drop(sites);
        assert_eq!(header(&jar, "http://kept.test/"), "k=v");
        assert_eq!(header(&jar, "http://9999.test/"), big);
        assert_eq!(header(&jar, "http://0.test/"), "");
    }

    #[test]
    fn dates_are_read_as_browsers_do() {
        let expected = Some(1_623_233_894);
        for text in [
            "Wed, 09 Jun 2021 10:18:14 GMT",
            "Wednesday, 09-Jun-21 10:18:14 GMT",
            "Wed Jun  9 10:18:14 2021",
            "10:18:14 june 9 2021",
            "9/jun/2021/10:18:14",
        ] {
            assert_eq!(date(text.as_bytes()), expected, "{text}");
        }
        for text in
            ["", "Wed, 09 Jun 2021", "Wed, 31 Feb 2021 10:18:14", "09 Jun 1600 10:18:14", "09 Jun 2021 24:00:00"]
        {
            assert_eq!(date(text.as_bytes()), None, "{text}");
        }
        assert_eq!(date(b"Thu, 01-Jan-70 00:00:00 GMT"), Some(0));
    }

    #[test]
    fn a_file_of_cookies_is_taken_as_curl_writes_it() {
        let (jar, result) = load("\u{feff}a.test\ttrue\t/\tFalse\t0\tk\tv\n");
        assert_eq!((result, &header(&jar, "http://www.a.test/")[..]), (Ok(()), "k=v"));
        let (jar, result) = load(
            "# Netscape HTTP Cookie File\r\n\r\n\
             .example.com\tTRUE\t/\tFALSE\t0\tall\t1\r\n\
             #HttpOnly_www.example.com\tFALSE\t/in\tTRUE\t4102444800\tsafe\ta=b; c\n\
             www.example.com\tFALSE\t/\tFALSE\t1000000000\told\tx\n\
             www.example.com\tFALSE\t/\tFALSE\t4102444800.5\tempty\n\
             .co.uk\tTRUE\t/\tFALSE\t0\tstray\tx\n",
        );
        assert_eq!(result, Ok(()));
        assert_eq!(header(&jar, "https://www.example.com/in/x"), "safe=a=b; c; all=1; empty=");
        assert_eq!(header(&jar, "http://www.example.com/in/"), "all=1; empty=");
        assert_eq!(header(&jar, "http://sub.example.com/"), "all=1");
        assert_eq!(header(&jar, "http://a.co.uk/"), "");
        // A site may change them.
        take(&jar, "https://www.example.com/", &["all=2; Domain=example.com", "empty=; Max-Age=0"]);
        assert_eq!(header(&jar, "http://www.example.com/"), "all=2");
    }

    #[test]
    fn a_bad_file_of_cookies_is_named_with_its_line_and_no_value() {
        for (line, problem) in [
            ("example.com secret", "seven fields"),
            ("example.com\tyes\t/\tFALSE\t0\tk\tsecret", "TRUE or FALSE"),
            ("a b\tTRUE\t/\tFALSE\t0\tk\tsecret", "no host name"),
            ("a.test\tTRUE\tx\tFALSE\t0\tk\tsecret", "slash"),
            ("a.test\tTRUE\t/\tFALSE\tnever\tk\tsecret", "expiry"),
            ("a.test\tTRUE\t/\tFALSE\t0\tk\tsecret\u{1}", "control"),
        ] {
            let error = load(&format!("# comment\n{line}\n")).1.unwrap_err();
            assert!(error.contains(":2: ") && error.contains(problem) && !error.contains("secret"), "{error}");
        }
        let missing = Jar::default().load(Path::new("/nonexistent/cookies.txt")).unwrap_err();
        assert!(missing.to_string().contains("/nonexistent/cookies.txt"), "{missing}");
    }
}
