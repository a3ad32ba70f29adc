//! The pages that go wrong, each in one way, and the page that lists them for people.

use std::fmt::Write as _;
use std::time::Duration;

use super::layout::{Page, escape};
use super::{Answer, Fault};

/// How late the slow page is: long enough to see, well within any sensible timeout.
pub(super) const SLOW: Duration = Duration::from_millis(800);

/// (path, status, `Location`): chains of one to three hops, one that leads nowhere, and a loop. Locations are
/// absolute paths, relative paths and whole URLs, whose scheme and host stand as `{origin}`.
const REDIRECTS: [(&str, u16, &str); 10] = [
    ("/old/journal", 308, "/journal"),
    ("/old/shop", 301, "/old/catalogue"),
    ("/old/catalogue", 302, "/c/lamps"),
    ("/go/spring", 307, "/go/spring/2025"),
    ("/go/spring/2025", 308, "landing"),
    ("/go/spring/landing", 302, "{origin}/p/weather-vane-gull"),
    ("/go/lost", 302, "/no-such-page"),
    ("/loop/a", 302, "/loop/b"),
    ("/loop/b", 307, "/loop/c"),
    ("/loop/c", 301, "/loop/a"),
];

/// Pages that fail at the first try and are well at every later one: (path, status, `Retry-After` in seconds).
pub(super) const FLAKY: [(&str, u16, Option<u32>); 3] =
    [("/flaky/1", 503, None), ("/flaky/2", 503, Some(1)), ("/flaky/3", 429, Some(1))];

/// What the page of troubles says about each of them.
const TOUR: [(&str, &str); 16] = [
    ("/old/shop", "moved, and moved again"),
    ("/go/spring", "three hops to one product"),
    ("/go/lost", "moved to a page that is not there"),
    ("/loop/a", "moved in a circle"),
    ("/gone/winter-sale", "was here, is gone"),
    ("/catalogue/2024", "is not there, and says that all is well"),
    ("/account/orders", "not for you"),
    ("/error/500", "always fails"),
    ("/flaky/1", "fails once"),
    ("/flaky/2", "fails once and says when to come back"),
    ("/flaky/3", "asks you to slow down, once"),
    ("/slow", "thinks for 0.8 seconds"),
    ("/broken/markup", "HTML as found in the wild"),
    ("/broken/reset", "the line goes dead in mid-sentence"),
    ("/broken/truncated", "promises more than it sends"),
    ("/broken/closed", "hangs up without a word"),
];

/// HTML that a browser shows and a strict parser refuses.
const WILD: &str = "<title>Flotsam & jetsam</title>\n<META name=description content='Washed up, unsorted'>\n\
    <body bgcolor=#f6f1e7><h1>Flotsam <i>& jetsam</h1></i>\n<p>Found on the beach after Tuesday's gale:\n\
    <ul><li>One oar, <b>left<li>A crate marked FRAGILE</b>, empty\n<li><a href=/p/oyster-knife>An oyster knife\n\
    <li><a href='/c/rope?page=2'>Rope</a>, <a href=\"/journal/mending-day\" href=\"/nowhere\">to mend</a>\n\
    <li>A bottle, no letter < 3 cm of sand\n</ul><table><tr><td>Finder<td>Ines<tr><td>Reward<p>A mug</table>\n\
    <!-- the rest was -- lost at sea -->\n<div class=\"price\" class=\"free\">$0.00</div></span></body></p>\n\
    <p>The tide took the end of this pa";

/// The answer at `path`, if it is one of the troubles.
pub(super) fn answer(path: &str, origin: &str) -> Option<Answer> {
    if let Some((_, status, location)) = REDIRECTS.iter().find(|(from, ..)| *from == path) {
        let mut answer = notice(*status, "Moved", "This page lives elsewhere now.");
        answer.headers.push(("Location".to_owned(), location.replace("{origin}", origin)));
        return Some(answer);
    }
    let whole = |title: &str| notice(200, title, "This page is well.");
    Some(match path {
        "/gone/winter-sale" => notice(410, "The winter sale is over", "It was short and there was soup."),
        // A soft 404: the words for people, the status for nobody.
        "/catalogue/2024" => notice(200, "Page not found", "The page that you are looking for could not be found."),
        "/account/orders" => notice(403, "Not for you", "Orders are between a customer and the till."),
        "/error/500" => notice(500, "Something fell off a shelf", "We heard it too. This page always fails."),
        "/slow" => Answer { delay: SLOW, ..whole("Worth the wait") },
        "/broken/markup" => Answer::new(200, "text/html; charset=utf-8", WILD),
        "/broken/reset" => Answer { fault: Some(Fault::ResetMidBody), ..whole("A line that goes dead") },
        "/broken/truncated" => Answer { fault: Some(Fault::TruncatedLength), ..whole("More was promised") },
        "/broken/closed" => Answer { fault: Some(Fault::CloseBeforeResponse), ..whole("Nobody there") },
        _ => return None,
    })
}

/// A flaky page at its first try, or at a later one.
pub(super) fn flaky(path: &str, status: u16, retry_after: Option<u32>, first: bool) -> Answer {
    if !first {
        return notice(200, "Back again", &format!("The page {path} failed once and is well now."));
    }
    let mut answer = notice(status, "Back in a moment", "The shopkeeper is carrying something heavy. Try again.");
    if let Some(seconds) = retry_after {
        answer.headers.push(("Retry-After".to_owned(), seconds.to_string()));
    }
    answer
}

/// A page with a heading and a sentence.
pub(super) fn notice(status: u16, title: &str, text: &str) -> Answer {
    let body =
        format!("<h1>{}</h1>\n<p>{}</p>\n<p><a href=\"/\">Back to the shop</a></p>", escape(title), escape(text));
    Answer::html(status, &Page { charset: "utf-8", title, body: &body, ..Page::default() }.html())
}

/// The page that links every trouble.
pub(super) fn tour(origin: &str) -> String {
    let mut body = String::from(
        "<h1>When things go wrong</h1>\n<p>A crawler meets all of these sooner or later. Ours are kept on \
         purpose.</p>\n\
         <ul class=\"troubles\">\n",
    );
    for (path, what) in TOUR {
        let _ = writeln!(body, "<li><a href=\"{path}\">{path}</a>: {what}</li>");
    }
    body.push_str("</ul>");
    Page {
        charset: "utf-8",
        title: "When things go wrong",
        description: "Pages that fail, each in its own way.",
        canonical: &format!("{origin}/trouble"),
        crumbs: &[("/".to_owned(), "Shop")],
        body: &body,
        ..Page::default()
    }
    .html()
}
