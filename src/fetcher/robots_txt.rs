//! One robots.txt for a command that only asks (`seine robots`), read and understood as in a crawl.

use std::io;

use reqwest::Method;
use tokio::runtime::Runtime;
use url::Url;

use super::client::http_options;
use super::origins::{origin_of, robots_url};
use super::robots_answer::{Found, judge};
use crate::config::Fetching;
use seine_http::{Ask, Http, HttpError, Want};
use seine_page::robots::{MAX_BYTES, Robots};

/// Reads robots.txt files, one at a time.
pub struct RobotsReader {
    pub(super) runtime: Runtime,
    pub(super) http: Http,
    pub(super) settings: Fetching,
}

/// Why none can be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// The system refuses what every request needs.
    #[error("cannot start a runtime")]
    Runtime(#[from] io::Error),
    /// The settings.
    #[error(transparent)]
    Http(#[from] HttpError),
}

/// The robots.txt of a site.
#[derive(Clone, Debug)]
pub struct RobotsFile {
    /// The URL at which it was found, or looked for last.
    pub url: String,
    /// Status of the last answer.
    pub status: Option<u16>,
    /// Its rules, or why it could not be read: then nothing is allowed.
    pub rules: Result<Robots, String>,
}

impl RobotsReader {
    /// A reader that asks as a crawl with these settings does.
    ///
    /// # Errors
    /// [`ReaderError`]
    pub fn new(settings: &Fetching) -> Result<Self, ReaderError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let guard = runtime.enter();
        let http = Http::new(&http_options(settings))?;
        drop(guard);
        Ok(Self { runtime, http, settings: settings.clone() })
    }

    /// The robots.txt of the origin of `url`, an http(s) URL that the user has named, for `agent`.
    pub fn read(&self, url: &Url, agent: &str) -> RobotsFile {
        self.runtime.block_on(self.follow(url, agent))
    }

    async fn follow(&self, url: &Url, agent: &str) -> RobotsFile {
        let mut file = RobotsFile { url: robots_url(url), status: None, rules: Ok(Robots::default()) };
        let mut at = url.clone();
        at.set_path("/robots.txt");
        at.set_query(None);
        for hops in 0.. {
            let policy = self.settings.politeness.policy(at.host_str().unwrap_or_default());
            let ask = Ask {
                url: &at,
                policy: &policy,
                listed: at.host_str() == url.host_str(),
                elsewhere: origin_of(&at) != origin_of(url),
                method: &Method::GET,
                body: None,
                validators: None,
                is_last: false,
                want: Want::Robots { limit: MAX_BYTES },
                grows: None,
            };
            let exchange = self.http.request(&ask).await;
            file.url = at.to_string();
            file.status = exchange.status;
            match judge(&at, hops, &exchange.answer) {
                Found::Redirect(next) => {
                    let Ok(next) = Url::parse(&next.url) else { break };
                    at = next;
                }
                Found::File { status, text } => {
                    file.status = Some(status);
                    file.rules = Ok(Robots::parse(text, agent));
                    break;
                }
                Found::Unreachable(failure) => {
                    let class = exchange.answer.err().map(|failure| format!("{}: ", failure.class));
                    file.rules = Err(class.unwrap_or_default() + &failure.message);
                    break;
                }
            }
        }
        file
    }
}
