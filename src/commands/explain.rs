//! `seine explain`: the crawler's decisions as answers, for conformance tests, other programs and curious users.
//!
//! Each answer comes from the code that decides in a crawl, and at once: whoever asks may wait for it before the next
//! question.

use std::io::{self, BufRead, Read, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use encoding_rs::{Encoding, UTF_8};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::session::USAGE;
use crate::cli::{ExplainArgs, ExplainKind};
use crate::config::{CrawlOptions, Politeness};
use crate::fetcher::retry_after;
use crate::following;
use seine_core::record::{BadUrl, CrawlUrl};
use seine_core::values::Networks;
use seine_follow::Rules;
use seine_http::address;
use seine_page::extract::resolve::Resolver;
use seine_page::extract::{Extractor, is_html};
use seine_page::robots::Robots;

/// Longest line that is read; longer ones are answered with an error.
const MAX_LINE_BYTES: usize = 16 << 20;

/// Why a line has no answer.
type Problem = String;

#[derive(Deserialize)]
struct RobotsQuestion {
    robots_b64: String,
    user_agent: String,
    url: String,
}

#[derive(Deserialize)]
struct CrawlDelayQuestion {
    robots_b64: String,
    user_agent: String,
}

#[derive(Deserialize)]
struct UrlQuestion {
    base: String,
    href: String,
    page_encoding: Option<String>,
}

#[derive(Deserialize)]
struct SameUrlQuestion {
    a: String,
    b: String,
    /// The URL that the page at `a` names as its canonical one.
    canonical: Option<String>,
}

#[derive(Deserialize)]
struct AddressQuestion {
    url: String,
}

#[derive(Deserialize)]
struct RetryAfterQuestion {
    header: String,
    now: Moment,
}

/// A time: seconds of the Unix epoch, or a date of RFC 3339 or of HTTP.
#[derive(Deserialize)]
#[serde(untagged)]
enum Moment {
    Seconds(f64),
    Date(String),
}

#[derive(Deserialize)]
struct TitleQuestion {
    content_type: Option<String>,
    body_b64: String,
}

/// Answers line by line until standard input ends.
///
/// # Errors
/// Standard input cannot be read, or standard output not written.
pub fn run(args: ExplainArgs) -> Result<i32> {
    let mut answerer = Answerer::new(args.kind);
    if let Some(config) = &args.config {
        if !matches!(args.kind, ExplainKind::SameUrl) {
            bail!("--config makes no difference to this subject; it is for same-url");
        }
        answerer.same_page = Some(following::rules(&CrawlOptions::load(config)?.0.follow)?);
    }
    answerer.answer_all(&mut io::stdin().lock(), &mut io::stdout().lock())
}

/// Answers questions about one subject.
struct Answerer {
    kind: ExplainKind,
    extractor: Extractor,
    /// The rules of a config file.
    same_page: Option<Rules>,
}

impl Answerer {
    fn new(kind: ExplainKind) -> Self {
        Self { kind, extractor: Extractor::new(), same_page: None }
    }

    fn answer_all(&mut self, input: &mut impl BufRead, output: &mut impl Write) -> Result<i32> {
        let mut line = Vec::new();
        let mut code = 0;
        while let Some(is_whole) = read_line(input, &mut line).context("cannot read standard input")? {
            let answer =
                if is_whole { self.answer(&line) } else { Err(format!("longer than {} MiB", MAX_LINE_BYTES >> 20)) };
            let answer = answer.unwrap_or_else(|problem| {
                code = USAGE;
                json!({ "error": problem })
            });
            match writeln!(output, "{answer}").and_then(|()| output.flush()) {
                // Nobody listens any more.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                other => other.context("cannot write to standard output")?,
            }
        }
        Ok(code)
    }

    fn answer(&mut self, line: &[u8]) -> Result<Value, Problem> {
        match self.kind {
            ExplainKind::Robots => robots(&question(line)?),
            ExplainKind::CrawlDelay => crawl_delay(&question(line)?),
            ExplainKind::Url => url(&question(line)?),
            ExplainKind::SameUrl => Ok(same_url(&question(line)?, self.same_page.as_ref())),
            ExplainKind::Address => Ok(address(&question(line)?)),
            ExplainKind::RetryAfter => retry_after(&question(line)?),
            ExplainKind::Title => title(&question(line)?, &mut self.extractor),
        }
    }
}

/// Reads the next line; says whether it is whole, or too long and passed over. `None` at the end.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    line.clear();
    // With room for the line's end.
    let read = input.by_ref().take(MAX_LINE_BYTES as u64 + 1).read_until(b'\n', line)?;
    if read <= MAX_LINE_BYTES || line.ends_with(b"\n") {
        return Ok((read > 0).then_some(true));
    }
    input.skip_until(b'\n')?;
    Ok(Some(false))
}

fn question<'q, T: Deserialize<'q>>(line: &'q [u8]) -> Result<T, Problem> {
    serde_json::from_slice(line).map_err(|error| error.to_string())
}

fn robots(question: &RobotsQuestion) -> Result<Value, Problem> {
    let url = Url::parse(&question.url).map_err(|error| format!("url: {error}"))?;
    let decision = Robots::parse(&bytes("robots_b64", &question.robots_b64)?, &question.user_agent).decide(&url);
    Ok(json!({ "allowed": decision.allowed, "rule": decision.rule, "line": decision.line }))
}

fn crawl_delay(question: &CrawlDelayQuestion) -> Result<Value, Problem> {
    let robots = Robots::parse(&bytes("robots_b64", &question.robots_b64)?, &question.user_agent);
    Ok(json!({ "crawl_delay_s": robots.crawl_delay().map(seconds) }))
}

fn url(question: &UrlQuestion) -> Result<Value, Problem> {
    let charset = match &question.page_encoding {
        None => UTF_8,
        Some(label) => {
            Encoding::for_label(label.as_bytes()).ok_or_else(|| format!("page_encoding: no encoding {label:?}"))?
        }
    };
    let resolved =
        Url::parse(&question.base).map_err(|error| format!("base: {}", BadUrl::Syntax(error))).and_then(|base| {
            Resolver::new(&base, charset).resolve(&question.href).map(str::to_owned).map_err(|bad| bad.to_string())
        });
    Ok(match resolved {
        Ok(url) => json!({ "url": url, "reason": null }),
        Err(reason) => json!({ "url": null, "reason": reason }),
    })
}

/// A text that is no URL equals no other.
fn same_url(question: &SameUrlQuestion, rules: Option<&Rules>) -> Value {
    let parse = |text: &str| match rules {
        Some(rules) => rules.explain(text).map(|explained| explained.url),
        None => CrawlUrl::parse(text),
    };
    let (Ok(a), Ok(b)) = (parse(&question.a), parse(&question.b)) else { return json!({ "same": false }) };
    let canonical = question.canonical.as_deref().zip(rules).and_then(|(named, rules)| rules.canonical(&a.host, named));
    json!({ "same": a.key == b.key || canonical.is_some_and(|canonical| canonical.key == b.key) })
}

fn address(question: &AddressQuestion) -> Value {
    let judged = CrawlUrl::parse(&question.url).and_then(|url| Url::parse(&url.url).map_err(BadUrl::Syntax));
    let judged = judged
        .map_err(|error| error.to_string())
        .and_then(|url| address::judge_url(&url, false, &Networks::default()).map_err(str::to_owned));
    json!({ "allowed": judged.is_ok(), "reason": judged.err() })
}

fn retry_after(question: &RetryAfterQuestion) -> Result<Value, Problem> {
    let now = question.now.time().ok_or("now: neither seconds of the Unix epoch nor a date")?;
    Ok(match retry_after::parse(question.header.as_bytes(), now) {
        None => json!({ "wait_s": null, "capped": false }),
        Some(asked) => {
            let wait = asked.min(Politeness::default().max_retry_after.0);
            json!({ "wait_s": seconds(wait), "capped": wait < asked })
        }
    })
}

fn title(question: &TitleQuestion, extractor: &mut Extractor) -> Result<Value, Problem> {
    let body = bytes("body_b64", &question.body_b64)?;
    let content_type = question.content_type.as_deref().map(str::as_bytes);
    if !is_html(content_type, &body) {
        return Ok(json!({ "title": null, "encoding": null }));
    }
    let nowhere = Url::parse("http://localhost/").expect("a fixed, valid URL");
    let page = extractor.html(&body, content_type, &nowhere);
    Ok(json!({ "title": page.fields.title, "encoding": page.charset }))
}

impl Moment {
    fn time(&self) -> Option<SystemTime> {
        match self {
            Self::Seconds(seconds) => UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(*seconds).ok()?),
            Self::Date(text) => match text.trim().parse::<jiff::Timestamp>() {
                Ok(timestamp) => Some(timestamp.into()),
                Err(_) => httpdate::parse_http_date(text.trim()).ok(),
            },
        }
    }
}

fn bytes(field: &str, base64: &str) -> Result<Vec<u8>, Problem> {
    BASE64.decode(base64).map_err(|error| format!("{field}: not base64: {error}"))
}

/// Whole seconds as a whole number.
fn seconds(span: Duration) -> Value {
    if span.subsec_nanos() == 0 { json!(span.as_secs()) } else { json!(span.as_secs_f64()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(kind: ExplainKind, question: Value) -> Value {
        Answerer::new(kind).answer(question.to_string().as_bytes()).unwrap()
    }

    fn base64(text: &str) -> String {
        BASE64.encode(text)
    }

    #[test]
    fn robots_txt_files_are_read_for_the_agent() {
        let file = base64("User-agent: *\nDisallow: /x\nCrawl-delay: 90.5\nUser-agent: b\nCrawl-delay: 2\n");
        let about = |agent: &str, url: &str| {
            ask(ExplainKind::Robots, json!({"robots_b64": file, "user_agent": agent, "url": url}))
        };
        assert_eq!(about("a/1.0", "http://a.test/x"), json!({"allowed": false, "rule": "Disallow: /x", "line": 2}));
        assert_eq!(about("b", "http://a.test/x"), json!({"allowed": true, "rule": null, "line": null}));
        let delay =
            |agent: &str| ask(ExplainKind::CrawlDelay, json!({"robots_b64": file, "user_agent": agent})).to_string();
        assert_eq!(delay("a"), r#"{"crawl_delay_s":90.5}"#);
        assert_eq!(delay("b"), r#"{"crawl_delay_s":2}"#);
        assert_eq!(
            ask(ExplainKind::CrawlDelay, json!({"robots_b64": "", "user_agent": "a"})),
            json!({"crawl_delay_s": null})
        );
    }

    #[test]
    fn links_are_resolved_as_on_a_page() {
        let of = |href: &str, encoding: Option<&str>| {
            let question = json!({"base": "https://a.test/b/c?d", "href": href, "page_encoding": encoding});
            ask(ExplainKind::Url, question)
        };
        assert_eq!(of("../x y#z", None), json!({"url": "https://a.test/x%20y", "reason": null}));
        assert_eq!(of("?ä", Some("latin1")), json!({"url": "https://a.test/b/c?%E4", "reason": null}));
        for (href, reason) in [
            ("mailto:x@y.test", "mailto"),
            ("http://u:p@a.test/", "password"),
            ("//[", "IPv6"),
            (&"x".repeat(20_000)[..], "bytes"),
        ] {
            let answer = of(href, None);
            assert!(answer["url"].is_null() && answer["reason"].as_str().unwrap().contains(reason), "{answer}");
        }
        let odd = ask(ExplainKind::Url, json!({"base": "nothing", "href": "http://a.test/"}));
        assert!(odd["reason"].as_str().unwrap().starts_with("base: "), "{odd}");
    }

    #[test]
    fn urls_are_one_if_their_keys_are() {
        let same = |a: &str, b: &str| ask(ExplainKind::SameUrl, json!({"a": a, "b": b}))["same"].clone();
        assert_eq!(same("http://A.test:80/%7ex#y", "http://a.test/~x"), true);
        assert_eq!(same("http://a.test/%2f", "http://a.test//"), false);
        assert_eq!(same("nonsense", "nonsense"), false);
    }

    #[test]
    fn waits_are_capped_and_now_may_be_written_in_any_way() {
        let wait = |header: &str, now: Value| {
            let answer = ask(ExplainKind::RetryAfter, json!({"header": header, "now": now}));
            (answer["wait_s"].clone(), answer["capped"].clone())
        };
        let date = "Thu, 25 Jun 2026 15:01:40 GMT";
        for now in [json!(1_782_399_600), json!("2026-06-25T15:00:00Z"), json!("Thu, 25 Jun 2026 15:00:00 GMT")] {
            assert_eq!(wait(date, now), (json!(100), json!(false)));
        }
        assert_eq!(wait(date, json!(1_782_399_600.5)), (json!(99.5), json!(false)));
        assert_eq!(wait("300", json!(0)), (json!(300), json!(false)));
        assert_eq!(wait("301", json!(0)), (json!(300), json!(true)));
        assert_eq!(wait("soon", json!(0)), (json!(null), json!(false)));
    }

    #[test]
    fn titles_come_with_the_encoding_they_were_read_in() {
        let title = |content_type: Value, body: &[u8]| {
            ask(ExplainKind::Title, json!({"content_type": content_type, "body_b64": BASE64.encode(body)}))
        };
        assert_eq!(
            title(json!("text/html; charset=latin1"), b"<title>\xe4 &amp;</title>"),
            json!({"title": "ä &", "encoding": "windows-1252"})
        );
        assert_eq!(title(json!(null), b"<title></title>"), json!({"title": "", "encoding": "UTF-8"}));
        assert_eq!(title(json!("text/html"), b"<p>"), json!({"title": null, "encoding": "UTF-8"}));
        assert_eq!(title(json!("image/png"), b"<title>x"), json!({"title": null, "encoding": null}));
    }

    #[test]
    fn a_line_that_is_no_question_is_answered_too() {
        let long = format!("{{\"a\":\"{}\"}}\n", "x".repeat(MAX_LINE_BYTES));
        let good = "{\"a\":\"http://a.test\",\"b\":\"http://a.test/\"}";
        let input = format!("{good}\n[\n\n{long}{{\"a\":1}}\n{good}");
        let mut output = Vec::new();
        let code = Answerer::new(ExplainKind::SameUrl).answer_all(&mut input.as_bytes(), &mut output).unwrap();
        assert_eq!(code, USAGE);
        let answers: Vec<Value> =
            output.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        let errors: Vec<bool> = answers.iter().map(|answer| answer["error"].is_string()).collect();
        assert_eq!(errors, [false, true, true, true, true, false]);
        assert_eq!(answers[3]["error"], "longer than 16 MiB");
        assert_eq!(answers[5], json!({"same": true}));
    }
}
