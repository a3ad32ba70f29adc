//! A line for each URL that has ended, `200 12ms https://example.com/`, for `-v`.

use seine_core::record::{ErrorClass, Outcome};

use super::text::{printable, span_ms};

/// The target of these events, by which logs tell them from others.
pub const TARGET: &str = "seine::urls";

/// Whether anybody wants the lines.
pub fn are_wanted() -> bool {
    tracing::enabled!(target: TARGET, tracing::Level::INFO)
}

/// How a URL has ended.
#[derive(Debug)]
pub struct UrlEnd<'a> {
    /// The URL.
    pub url: &'a str,
    /// Its outcome.
    pub outcome: Outcome,
    /// Why it failed.
    pub class: Option<ErrorClass>,
    /// Status of the last answer.
    pub status: Option<u16>,
    /// Time of the last request; `None` if there was none.
    pub elapsed_ms: Option<u32>,
    /// The message of a failure.
    pub message: Option<&'a str>,
}

impl UrlEnd<'_> {
    /// Says so.
    pub fn say(&self) {
        let Self { url, outcome, class, status, elapsed_ms, .. } = self;
        let (outcome, error) = (outcome.name(), class.map(ErrorClass::name));
        tracing::info!(target: TARGET, url, outcome, status, error, elapsed_ms, "{}", self.line());
    }

    fn line(&self) -> String {
        let Self { url, outcome, class, status, elapsed_ms, message } = self;
        let what = match (outcome, class, status) {
            (Outcome::Failed, Some(class), _) => class.name().to_owned(),
            (Outcome::Ok | Outcome::HttpError, _, Some(status)) => status.to_string(),
            _ => outcome.name().to_owned(),
        };
        // Without an answer no time at all means that there was no request.
        let elapsed = elapsed_ms.filter(|ms| *ms > 0 || status.is_some());
        let elapsed = elapsed.map_or_else(|| "-".to_owned(), |ms| span_ms(ms.into()).replace(' ', ""));
        let message = message.map_or_else(String::new, |message| format!(": {}", printable(message)));
        format!("{what} {elapsed} {}{message}", printable(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_came_how_soon_and_of_what() {
        let ok = UrlEnd {
            url: "https://a.test/",
            outcome: Outcome::Ok,
            class: None,
            status: Some(200),
            elapsed_ms: Some(12),
            message: None,
        };
        assert_eq!(ok.line(), "200 12ms https://a.test/");
        let failed = UrlEnd {
            outcome: Outcome::Failed,
            class: Some(ErrorClass::Timeout),
            status: None,
            elapsed_ms: Some(1500),
            message: Some("a\nb"),
            ..ok
        };
        assert_eq!(failed.line(), "timeout 1s500ms https://a.test/: a b");
        let denied =
            UrlEnd { outcome: Outcome::RobotsDenied, class: Some(ErrorClass::Robots), elapsed_ms: Some(0), ..failed };
        assert_eq!(denied.line(), "robots_denied - https://a.test/: a b");
    }
}
