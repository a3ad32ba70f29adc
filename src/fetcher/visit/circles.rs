//! Redirects that go round in a circle: a URL that is to be asked again, with the cookies it was asked with before.
//!
//! A site may send a visitor back to the same URL to find out whether he keeps cookies. Those who do get on; to those who
//! do not it is an endless circle, and the message says how to get out.

use seine_core::protocol::Job;
use seine_core::record::{ErrorClass, Failure};

/// Why the URL of `job` is not to be asked with `cookies`, if it has been before on the way to itself.
pub(super) fn closed(job: &Job, cookies: impl FnOnce() -> u64, keeps_cookies: bool) -> Option<Failure> {
    let mut before = job.hops.iter().filter(|hop| hop.url == job.url).peekable();
    before.peek()?;
    let cookies = cookies();
    before.any(|hop| hop.cookies == cookies).then(|| {
        let sets_cookie = job.hops.iter().any(|hop| hop.sets_cookie);
        let message = format!("redirects lead back to {}{}", job.url, way_out(sets_cookie, keeps_cookies));
        Failure::new(ErrorClass::RedirectLoop, message)
    })
}

/// What to do about redirects that lead nowhere, behind a message about them.
pub(super) fn way_out(sets_cookie: bool, keeps_cookies: bool) -> &'static str {
    if sets_cookie && !keeps_cookies { "; a cookie was set on the way, which --cookies sends back" } else { "" }
}
