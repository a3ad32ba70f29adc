//! Redirects: the target that an answer names, and whether it may be followed.

use url::Url;

use super::circles;
use super::record::Ended;
use super::{Next, Visitor};
use seine_core::protocol::{Hop, Job};
use seine_core::record::{BadUrl, CrawlUrl, ErrorClass, Failure};
use seine_http::Answer;

impl Visitor {
    /// Follows the redirect that `url` was answered with, or records why it cannot be followed.
    ///
    /// `cookies` are those of the request, see [`Hop::cookies`].
    pub(super) async fn redirected(
        &self,
        mut job: Job,
        url: &Url,
        answer: &Answer,
        cookies: u64,
        started_at: u64,
    ) -> Next {
        match self.target(&job, url, answer) {
            Ok(target) => {
                let asked = std::mem::replace(&mut job.url, target.url);
                job.hops.push(Hop { url: asked, status: answer.status, cookies, sets_cookie: answer.sets_cookie });
                self.go_on(job, url, target.host)
            }
            Err(failure) => {
                self.fail(job, failure, Ended { status: Some(answer.status), ..Ended::at(started_at) }).await;
                Next::Over
            }
        }
    }

    /// The target of a redirect, if it may be followed.
    fn target(&self, job: &Job, url: &Url, answer: &Answer) -> Result<CrawlUrl, Failure> {
        let target = redirect_target(url, answer).map_err(|error| {
            let message = format!("redirect ({}) to what cannot be followed: {error}", answer.status);
            Failure::new(ErrorClass::Protocol, message)
        })?;
        let most = self.settings.http.max_redirects;
        if job.hops.len() >= most {
            let sets_cookie = answer.sets_cookie || job.hops.iter().any(|hop| hop.sets_cookie);
            let keeps_cookies = self.settings.politeness.policy(&target.host).cookies;
            let way_out = circles::way_out(sets_cookie, keeps_cookies);
            let message = format!("more than {most} redirects; the next one led to {}{way_out}", target.url);
            return Err(Failure::new(ErrorClass::TooManyRedirects, message));
        }
        Ok(target)
    }
}

/// The target that `answer` names, checked as a URL of a list is; a relative one is resolved against `url`
/// (RFC 9110 §15.4).
pub(in crate::fetcher) fn redirect_target(url: &Url, answer: &Answer) -> Result<CrawlUrl, BadUrl> {
    let location = seine_http::location(answer.location.as_deref().unwrap_or_default());
    url.join(location.trim()).map_err(BadUrl::Syntax).and_then(CrawlUrl::try_from)
}
