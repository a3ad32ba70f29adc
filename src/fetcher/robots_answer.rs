//! The meaning of an answer to a request for a robots.txt.

use url::Url;

use super::visit::redirect_target;
use seine_core::record::{CrawlUrl, ErrorClass, Failure};
use seine_http::Answer;
use seine_page::robots::MAX_BYTES;

/// Redirects followed on the way to a robots.txt (RFC 9309 section 2.3.1.2).
const MAX_REDIRECTS: u8 = 5;

/// The result of a request for a robots.txt (RFC 9309 section 2.3.1).
pub(super) enum Found<'a> {
    /// It lies there.
    Redirect(CrawlUrl),
    /// It was read; a site that has none allows everything, as an empty one does.
    File { status: u16, text: &'a [u8] },
    /// It could not be read: nothing is allowed.
    Unreachable(Failure),
}

/// The meaning of `answer` to a request for `url`, after `hops` redirects.
pub(super) fn judge<'a>(url: &Url, hops: u8, answer: &'a Result<Answer, Failure>) -> Found<'a> {
    let answer = match answer {
        Ok(answer) => answer,
        // A redirect to an address that may not be asked: there is no file for us.
        Err(failure) if failure.class == ErrorClass::BlockedAddress && hops > 0 => {
            return Found::File { status: 302, text: &[] };
        }
        Err(failure) => {
            // A host without a connection has no page to give either; the rest is a broken file on a working server.
            let no_page = failure.class.is_of_host()
                || matches!(failure.class, ErrorClass::BlockedAddress | ErrorClass::Proxy | ErrorClass::Tls);
            let class = if no_page { failure.class } else { ErrorClass::RobotsUnreachable };
            return Found::Unreachable(Failure::new(class, failure.message.clone()));
        }
    };
    match answer.status {
        status if answer.is_redirect() => match redirect_target(url, answer) {
            Ok(next) if hops < MAX_REDIRECTS => Found::Redirect(next),
            // Redirects that lead nowhere mean that there is no file.
            _ => Found::File { status, text: &[] },
        },
        status @ 200..300 => Found::File { status, text: &answer.body[..answer.body.len().min(MAX_BYTES)] },
        status @ (..200 | 429 | 500..) => {
            Found::Unreachable(Failure::new(ErrorClass::RobotsUnreachable, format!("it answered {status}")))
        }
        status => Found::File { status, text: &[] },
    }
}
