//! Which path gives which answer.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::civil::{Date, date};

use super::catalog::{CATEGORIES, PRODUCTS};
use super::journal::POSTS;
use super::layout::Page;
use super::{Answer, calendar, feeds, journal, picture, shop, trouble};

const HTML: &str = "text/html; charset=utf-8";

impl Answer {
    /// A whole answer without delay or fault.
    pub(super) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
        Self { status, headers, body: body.into(), delay: Duration::ZERO, fault: None }
    }

    /// A UTF-8 HTML page.
    pub(super) fn html(status: u16, html: &str) -> Self {
        Self::new(status, HTML, html)
    }

    /// The value of a header field; `name` is matched without regard to case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// The site. It remembers which flaky pages have failed already, and whether there is a sale.
#[derive(Debug)]
pub struct Site {
    today: Date,
    has_sale: AtomicBool,
    failed_once: [AtomicBool; trouble::FLAKY.len()],
}

/// The site on the first day of 2026.
impl Default for Site {
    fn default() -> Self {
        Self::on(date(2026, 1, 1))
    }
}

impl Site {
    /// The site with a calendar that is open at the month of this day.
    pub fn on(today: Date) -> Self {
        Self { today, has_sale: AtomicBool::new(false), failed_once: Default::default() }
    }

    /// From now on books are cheaper. That stands on their own pages; shelves will have new labels some other day.
    pub fn begin_sale(&self) {
        self.has_sale.store(true, Ordering::Relaxed);
    }

    /// Answers one request. `target` is the request target as sent (path and query, or an absolute URL);
    /// `host` is the `Host` field and goes into absolute URLs, unless it looks like no host at all.
    ///
    /// The same request gives the same bytes, except that a flaky page fails at the first GET, and prices change once.
    pub fn answer(&self, method: &str, target: &str, host: &str) -> Answer {
        if !matches!(method, "GET" | "HEAD") {
            let mut answer = trouble::notice(405, "Look, do not touch", "This site answers GET and HEAD only.");
            answer.headers.push(("Allow".to_owned(), "GET, HEAD".to_owned()));
            return answer;
        }
        let Some(target) = path_and_query(target) else {
            return trouble::notice(400, "Not an address", "The request names no path on this site.");
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut answer = self.find(method, path, query, &origin(host));
        // Pages that change have no tag: a 304 must never stand for a page that would fail.
        if answer.status == 200 && answer.fault.is_none() && !path.starts_with("/flaky/") {
            let tag = blake3::hash(&answer.body).to_hex();
            answer.headers.push(("ETag".to_owned(), format!("\"{}\"", &tag[..16])));
        }
        answer
    }

    fn find(&self, method: &str, path: &str, query: &str, origin: &str) -> Answer {
        if let Some(place) = trouble::FLAKY.iter().position(|(flaky, ..)| *flaky == path) {
            let (_, status, retry_after) = trouble::FLAKY[place];
            let failed = &self.failed_once[place];
            let failed =
                if method == "GET" { failed.swap(true, Ordering::Relaxed) } else { failed.load(Ordering::Relaxed) };
            return trouble::flaky(path, status, retry_after, !failed);
        }
        trouble::answer(path, origin)
            .or_else(|| fixed(path, query, origin))
            .or_else(|| self.product(path, origin))
            .or_else(|| listed(path, query, origin))
            .or_else(|| calendar::page(path, self.today, origin).map(|html| Answer::html(200, &html)))
            .unwrap_or_else(|| {
                trouble::notice(404, "Lost at sea", "There is no page here, and perhaps there never was.")
            })
    }

    fn product(&self, path: &str, origin: &str) -> Option<Answer> {
        let slug = path.strip_prefix("/p/")?;
        // Not `==`: the digits of a percent-encoding may be written in either case.
        let product = PRODUCTS.iter().find(|p| p.slug().eq_ignore_ascii_case(slug))?;
        let has_sale = self.has_sale.load(Ordering::Relaxed);
        let html = shop::product(origin, &if has_sale { product.in_sale() } else { *product });
        Some(Answer::html(200, &html))
    }
}

/// Pages with one path.
fn fixed(path: &str, query: &str, origin: &str) -> Option<Answer> {
    Some(match path {
        "/" => Answer::html(200, &shop::home(origin)),
        "/about" => Answer::html(200, &shop::about(origin)),
        "/journal" => Answer::html(200, &journal::index(origin)),
        "/journal/archive" => gzipped(&journal::archive(origin)),
        "/parts" => Answer::html(200, &shop::parts(origin)),
        "/wholesale" => Answer::html(200, &shop::wholesale(origin)),
        "/search" => Answer::html(200, &shop::search(origin, &parameter(query, "q").unwrap_or_default())),
        "/trouble" => Answer::html(200, &trouble::tour(origin)),
        "/robots.txt" => Answer::new(200, "text/plain; charset=utf-8", feeds::robots(origin)),
        "/terms.txt" => Answer::new(200, "text/plain; charset=utf-8", feeds::TERMS),
        "/sitemap.xml" => Answer::new(200, "application/xml", feeds::sitemap(origin)),
        "/feed.xml" => Answer::new(200, "application/rss+xml", feeds::rss(origin)),
        "/api/products.json" => Answer::new(200, "application/json", feeds::catalogue(origin)),
        "/private/till" => Answer::html(200, &till()),
        _ => return None,
    })
}

/// Pages whose path names a row of a table.
fn listed(path: &str, query: &str, origin: &str) -> Option<Answer> {
    if let Some(slug) = path.strip_prefix("/c/") {
        let number = parameter(query, "page").map_or(Some(1), |n| n.parse().ok())?;
        let category = CATEGORIES.iter().find(|c| c.slug == slug)?;
        return Some(Answer::html(200, &shop::shelf(origin, category, number)?));
    }
    if let Some(slug) = path.strip_prefix("/journal/") {
        let post = POSTS.iter().find(|p| p.slug == slug)?;
        return Some(Answer::new(200, post.charset.content_type(), post.page(origin)));
    }
    if let Some(number) = path.strip_prefix("/parts/") {
        let is_drawer = number.len() == 4 && number.bytes().all(|b| b.is_ascii_digit());
        return is_drawer
            .then(|| number.parse().ok())
            .flatten()
            .and_then(|n| shop::part(origin, n))
            .map(|html| Answer::html(200, &html));
    }
    let name = path.strip_prefix("/img/")?.strip_suffix(".png")?;
    let of_product = PRODUCTS.iter().zip(1..).find(|(p, _)| p.sku().to_lowercase() == name);
    let of_shelf = CATEGORIES.iter().zip(100..).find(|(c, _)| c.slug == name);
    let (colour, seed) = match (of_product, of_shelf, name) {
        (Some((product, seed)), ..) => (product.category().colour, seed),
        (_, Some((category, seed)), _) => (category.colour, seed),
        (.., "shop") => (CATEGORIES[2].colour, 0),
        _ => return None,
    };
    Some(Answer::new(200, "image/png", picture::png(colour, seed)))
}

/// The page that robots.txt asks crawlers to leave alone.
fn till() -> String {
    let body = "<h1>The till</h1>\n<p>Staff only. Float: $80.00, two buttons and a foreign coin.</p>";
    Page { charset: "utf-8", title: "The till", body, ..Page::default() }.html()
}

/// A page sent gzip-encoded, as every browser and crawler of today accepts it.
fn gzipped(html: &str) -> Answer {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let body = encoder.write_all(html.as_bytes()).and_then(|()| encoder.finish());
    let mut answer = Answer::new(200, HTML, body.expect("writing to memory cannot fail"));
    answer.headers.push(("Content-Encoding".to_owned(), "gzip".to_owned()));
    answer.headers.push(("Vary".to_owned(), "Accept-Encoding".to_owned()));
    answer
}

/// The first value of `name` in a query.
fn parameter(query: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes()).find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
}

/// Path and query of a request target; `None` if it has no path.
fn path_and_query(target: &str) -> Option<&str> {
    let target = match target.strip_prefix("http://") {
        Some(rest) => &rest[rest.find('/')?..],
        None => target,
    };
    target.starts_with('/').then_some(target)
}

/// Scheme and host for absolute URLs. A `Host` field is whatever the client sent; only what a host can look
/// like gets into a page.
fn origin(host: &str) -> String {
    let plausible = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    let host = if host.is_empty() || host.len() > 255 || !host.bytes().all(plausible) { "localhost" } else { host };
    format!("http://{host}")
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn get(target: &str) -> Answer {
        Site::default().answer("GET", target, "127.0.0.1:8080")
    }

    #[test]
    fn the_same_request_gives_the_same_bytes() {
        for path in ["/", "/journal/archive", "/img/hs-101.png", "/broken/markup"] {
            assert_eq!(get(path), get(path), "{path}");
        }
    }

    #[test]
    fn a_flaky_page_fails_at_the_first_get_only() {
        let site = Site::default();
        let statuses = |path| ["HEAD", "GET", "GET", "GET"].map(|m| site.answer(m, path, "x").status);
        assert_eq!(statuses("/flaky/1"), [503, 503, 200, 200]);
        assert_eq!(statuses("/flaky/3"), [429, 429, 200, 200]);
        assert_eq!(get("/flaky/2").header("retry-after"), Some("1"));
    }

    #[test]
    fn a_sale_makes_the_books_cheaper_and_nothing_else() {
        let site = Site::default();
        let prices = || PRODUCTS.each_ref().map(|p| site.answer("GET", &format!("/p/{}", p.slug()), "x").body);
        let before = prices();
        site.begin_sale();
        for ((product, before), after) in PRODUCTS.iter().zip(before).zip(prices()) {
            assert_eq!(before != after, product.category().slug == "books", "{}", product.name);
        }
    }

    #[test]
    fn redirects_lead_where_they_say() {
        assert_eq!(get("/old/shop").header("location"), Some("/old/catalogue"));
        assert_eq!(get("/go/spring/2025").header("location"), Some("landing"));
        assert_eq!(get("/go/spring/landing").header("location"), Some("http://127.0.0.1:8080/p/weather-vane-gull"));
    }

    #[test]
    fn the_gzip_page_decodes_to_the_whole_journal() {
        let mut text = String::new();
        flate2::read::GzDecoder::new(&get("/journal/archive").body[..]).read_to_string(&mut text).expect("gzip");
        assert_eq!(text.matches("<section").count(), POSTS.len());
    }

    #[test]
    fn only_what_looks_like_a_host_gets_into_a_page() {
        let site = Site::default();
        for host in ["", "\"><script>", "a b", &"x".repeat(300)] {
            let robots = site.answer("GET", "/robots.txt", host).body;
            assert!(String::from_utf8_lossy(&robots).contains("Sitemap: http://localhost/sitemap.xml"), "{host}");
        }
        let page = site.answer("GET", "/about", "[::1]:99").body;
        assert!(String::from_utf8_lossy(&page).contains("href=\"http://[::1]:99/about\""));
    }

    #[test]
    fn odd_requests_get_an_answer_too() {
        assert_eq!(get("http://127.0.0.1:8080/about").status, 200);
        assert_eq!(get("/p/caf%c3%a9-table-zinc-top?ref=home").status, 200);
        assert_eq!(get("/c/lamps?page=2").status, 200);
        for lost in ["/c/lamps?page=0", "/c/lamps?page=x", "/parts/1", "/parts/2001", "/parts/+001", "/img/x.png"] {
            assert_eq!(get(lost).status, 404, "{lost}");
        }
        for bad in ["*", "about", "http://host-only"] {
            assert_eq!(get(bad).status, 400, "{bad}");
        }
        let refused = Site::default().answer("POST", "/", "x");
        assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")));
    }
}
