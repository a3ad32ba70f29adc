//! One page for a command that only asks (`seine try`): requested as a crawl does it, robots.txt and redirects obeyed.

use reqwest::Method;
use url::Url;

use super::origins::origin_of;
use super::robots_txt::{ReaderError, RobotsReader};
use super::visit::redirect_target;
use crate::config::Fetching;
use seine_http::{Ask, Body, Want};

/// Reads single pages.
pub struct PageReader {
    /// Its client asks for the pages too.
    robots: RobotsReader,
}

/// A page as it came.
#[derive(Debug)]
pub struct SinglePage {
    /// Its URL, after redirects.
    pub url: Url,
    /// The status of the last answer.
    pub status: u16,
    /// Its Content-Type.
    pub content_type: Option<String>,
    /// The decoded body.
    pub body: Body,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum SingleError {
    /// The system, or the settings.
    #[error(transparent)]
    Reader(#[from] ReaderError),
    /// robots.txt forbids it.
    #[error("{url}: not allowed by {robots_url}: {reason}; --ignore-robots asks all the same")]
    Denied {
        /// The page.
        url: String,
        /// The robots.txt.
        robots_url: String,
        /// The rule, or why there is none.
        reason: String,
    },
    /// No answer, or one that cannot be used.
    #[error("{url}: {reason}")]
    Failed {
        /// The URL asked for.
        url: String,
        /// The problem; may contain text a site sent.
        reason: String,
    },
}

impl PageReader {
    /// A reader that asks as a crawl with these settings does.
    ///
    /// # Errors
    /// [`SingleError`]: the system or the settings.
    pub fn new(settings: &Fetching) -> Result<Self, SingleError> {
        Ok(Self { robots: RobotsReader::new(settings)? })
    }

    /// The page at `url`, which the user has named.
    ///
    /// # Errors
    /// [`SingleError`]
    pub fn read(&self, url: &Url) -> Result<SinglePage, SingleError> {
        let RobotsReader { runtime, http, settings } = &self.robots;
        let mut at = url.clone();
        for _ in 0..=settings.http.max_redirects {
            let policy = settings.politeness.policy(at.host_str().unwrap_or_default());
            if policy.robots {
                self.ask_robots(&at)?;
            }
            let failed = |reason: String| SingleError::Failed { url: at.to_string(), reason };
            let ask = Ask {
                url: &at,
                policy: &policy,
                listed: at.host_str() == url.host_str(),
                elsewhere: origin_of(&at) != origin_of(url),
                method: &Method::GET,
                body: None,
                validators: None,
                is_last: false,
                want: Want::Page,
                grows: None,
            };
            let exchange = runtime.block_on(http.request(&ask));
            let answer =
                exchange.answer.map_err(|failure| failed(format!("{}: {}", failure.class, failure.message)))?;
            if answer.is_redirect() {
                let next = redirect_target(&at, &answer).map_err(|error| failed(error.to_string()))?;
                at = Url::parse(&next.url).map_err(|error| failed(error.to_string()))?;
                continue;
            }
            if let Some(skipped) = answer.skipped {
                return Err(failed(format!("it is {skipped}, which accept_types leaves out")));
            }
            return Ok(SinglePage {
                url: at,
                status: answer.status,
                content_type: answer.content_type,
                body: answer.body,
            });
        }
        Err(SingleError::Failed { url: at.into(), reason: "too many redirects".to_owned() })
    }

    fn ask_robots(&self, url: &Url) -> Result<(), SingleError> {
        let file = self.robots.read(url, &self.robots.settings.politeness.robots_agent);
        let reason = match &file.rules {
            Ok(rules) => {
                let decision = rules.decide(url);
                if decision.allowed {
                    return Ok(());
                }
                match (decision.rule, decision.line) {
                    (Some(rule), Some(line)) => format!("{rule} (line {line})"),
                    _ => "its rules are too many to be tried on this URL".to_owned(),
                }
            }
            Err(problem) => format!("it could not be read: {problem}"),
        };
        Err(SingleError::Denied { url: url.to_string(), robots_url: file.url, reason })
    }
}
