//! One message posted to a URL (`--notify-url`): the host rules, proxies and certificate authorities of the crawl hold,
//! its headers and cookies stay out of it.

use std::time::Duration;

use reqwest::Method;
use tokio::runtime::Runtime;
use url::Url;

use super::client::http_options;
use super::robots_txt::ReaderError;
use crate::config::{Fetching, Header};
use seine_core::record::ErrorClass;
use seine_core::values::Private;
use seine_http::{Ask, Http, Want};

/// An answer is looked at for its status alone.
const MAX_ANSWER: u64 = 64 << 10;
/// How often it is asked whether to go on.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Posts messages, one at a time.
pub struct Poster {
    runtime: Runtime,
    http: Http,
    settings: Fetching,
}

/// The result of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// It was answered with this status.
    Answered(u16),
    /// There was no answer. Shows nothing of the URL but its host.
    Failed {
        /// Why.
        problem: String,
        /// Whether it may be otherwise the next time.
        may_pass: bool,
    },
    /// It was given up because it was asked to be.
    Stopped,
}

impl Poster {
    /// A poster that connects as a crawl with these settings does, and waits so long for an answer.
    ///
    /// # Errors
    /// [`ReaderError`]
    pub fn new(settings: &Fetching, timeout: Duration) -> Result<Self, ReaderError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut options = http_options(settings);
        options.headers.clear();
        options.accept_types.clear();
        options.cookie_file = None;
        options.timeout = timeout;
        options.connect_timeout = settings.http.connect_timeout.0.min(timeout);
        options.max_body_bytes = MAX_ANSWER;
        options.min_speed = 0;
        // The user has named it, whatever his lists may name.
        options.networks.private = Private::Listed;
        let guard = runtime.enter();
        let http = Http::new(&options)?;
        drop(guard);
        Ok(Self { runtime, http, settings: settings.clone() })
    }

    /// Posts `body` to `url`, once; redirects are not followed. Gives up when `is_stopped`.
    pub fn post(&self, url: &Url, headers: &[Header], body: &str, mut is_stopped: impl FnMut() -> bool) -> Posted {
        let mut policy = self.settings.politeness.policy(url.host_str().unwrap_or_default());
        policy.cookies = false;
        policy.headers.extend_from_slice(headers);
        let ask = Ask {
            url,
            policy: &policy,
            listed: true,
            elsewhere: false,
            method: &Method::POST,
            body: Some(body),
            validators: None,
            is_last: true,
            want: Want::Page,
            grows: None,
        };
        let exchange = self.runtime.block_on(async {
            let mut request = std::pin::pin!(self.http.request(&ask));
            loop {
                match tokio::time::timeout(LOOK_EVERY, request.as_mut()).await {
                    Ok(exchange) => return Some(exchange),
                    Err(_) if is_stopped() => return None,
                    Err(_) => {}
                }
            }
        });
        match exchange {
            None => Posted::Stopped,
            // The body is of no interest, nor whether it came whole.
            Some(exchange) if exchange.status.is_some() => Posted::Answered(exchange.status.unwrap_or_default()),
            Some(exchange) => match exchange.answer {
                Ok(answer) => Posted::Answered(answer.status),
                Err(failure) => Posted::Failed {
                    problem: without_secrets(url, failure.class, &failure.message),
                    may_pass: failure.class != ErrorClass::BlockedAddress,
                },
            },
        }
    }

    /// Leaves without waiting for a look-up that nobody needs any more.
    pub fn close(self) {
        self.runtime.shutdown_background();
    }
}

/// `message`, unless it names more of `url` than its host.
fn without_secrets(url: &Url, class: ErrorClass, message: &str) -> String {
    let parts = [Some(url.path()).filter(|path| path.len() > 1), url.query()];
    if parts.into_iter().flatten().any(|part| message.contains(part)) {
        return class.to_string();
    }
    format!("{class}: {message}")
}
