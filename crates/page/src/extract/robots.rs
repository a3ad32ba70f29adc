//! The requests of a page to robots: the directives of `<meta name=robots>` and of `X-Robots-Tag` headers.
//!
//! Both are lists with commas. A header may name the robot it speaks to (`otherbot: noindex, nofollow`); what it says
//! to others is dropped. A few directives have values, of which one, a date, holds commas and colons.

use super::text::cut;

/// Most bytes of all directives of a page; what does not fit is dropped.
pub const MAX_BYTES: usize = 256;

/// Most bytes read of all tags and headers of a page.
const MAX_READ_BYTES: usize = 4096;

/// Directives with a value; any other word before a colon names a robot.
const WITH_VALUE: [&str; 4] = ["unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"];

/// The directives for the robot called `agent` in `values`, the contents of tags and headers: in lower case, each
/// once, like `noindex, max-snippet: 20`; `None` if there are none.
///
/// `none` is written out as `noindex, nofollow`. Commas only separate, so a date loses those of its own; what this
/// answers can be among the `values` of another call.
pub fn directives<'v>(agent: &str, values: impl IntoIterator<Item = &'v str>) -> Option<String> {
    let mut directives = Directives::default();
    values.into_iter().for_each(|value| directives.add(agent, value));
    directives.joined()
}

/// The directives of a page while its tags go by.
#[derive(Debug, Default)]
pub struct Directives {
    joined: String,
    bytes_read: usize,
    is_cut: bool,
}

impl Directives {
    /// Adds what one tag or header says to `agent`.
    pub fn add(&mut self, agent: &str, value: &str) {
        let whole = value;
        let value = cut(whole, MAX_READ_BYTES - self.bytes_read);
        self.is_cut |= value.len() < whole.len();
        self.bytes_read += value.len();
        let mut is_for_agent = true;
        let mut parts = value.split(',').map(str::trim).peekable();
        while let Some(mut part) = parts.next() {
            let has_value = |name: &str| WITH_VALUE.iter().any(|known| name.trim().eq_ignore_ascii_case(known));
            while let Some((robot, rest)) = part.split_once(':').filter(|(name, _)| !has_value(name)) {
                is_for_agent = robot.trim().eq_ignore_ascii_case(agent);
                part = rest.trim();
            }
            if !is_for_agent {
                continue;
            }
            let Some((name, value)) = part.split_once(':') else {
                // Some forget the commas. What starts with a digit is none, and would pass for more of a date.
                let is_directive = |name: &&str| !name.starts_with(|c: char| c.is_ascii_digit());
                part.split_whitespace().filter(is_directive).for_each(|name| self.push(name));
                continue;
            };
            let mut words: Vec<&str> = value.split_whitespace().collect();
            // No directive starts with a digit, so this is more of a date: `Thu, 25 Jun 2026`, `June 25, 2026`.
            while let Some(more) = parts.next_if(|part| part.starts_with(|c: char| c.is_ascii_digit())) {
                words.extend(more.split_whitespace());
            }
            if !words.is_empty() {
                self.push(&format!("{}: {}", name.trim_end(), words.join(" ")));
            }
        }
    }

    /// Whether there was more than is kept.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// All of them.
    pub fn joined(self) -> Option<String> {
        (!self.joined.is_empty()).then_some(self.joined)
    }

    fn push(&mut self, directive: &str) {
        let directive = directive.to_ascii_lowercase();
        if directive == "none" {
            self.push("noindex");
            return self.push("nofollow");
        }
        let separator = if self.joined.is_empty() { "" } else { ", " };
        let is_known = self.joined.split(", ").any(|known| known == directive);
        let fits = self.joined.len() + separator.len() + directive.len() <= MAX_BYTES;
        if is_known || directive.contains(char::is_control) {
            return;
        }
        if !fits {
            self.is_cut = true;
            return;
        }
        self.joined.push_str(separator);
        self.joined.push_str(&directive);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> String {
        let joined = directives("seine", values.iter().copied());
        assert_eq!(directives("seine", joined.as_deref()), joined, "its own answer is understood");
        joined.unwrap_or_default()
    }

    #[test]
    fn directives_of_tags_and_headers_are_joined_each_once() {
        for (values, joined) in [
            (&["noindex, nofollow"][..], "noindex, nofollow"),
            (&[" NoIndex ,,NOFOLLOW,"], "noindex, nofollow"),
            (&["noindex", "nofollow,noindex", "noarchive"], "noindex, nofollow, noarchive"),
            (&["none"], "noindex, nofollow"),
            (&["nofollow, none"], "nofollow, noindex"),
            (&["all"], "all"),
            (&["noindex nofollow\tnoarchive"], "noindex, nofollow, noarchive"),
            (&["max-snippet:-1, Max-Image-Preview : Large"], "max-snippet: -1, max-image-preview: large"),
            (&["max-snippet: 20", "7up, noindex"], "max-snippet: 20, noindex"),
            (&["", " ", ",", "max-snippet:"], ""),
            (&[], ""),
        ] {
            assert_eq!(of(values), joined, "{values:?}");
        }
    }

    #[test]
    fn what_is_said_to_other_robots_is_dropped() {
        for (values, joined) in [
            (&["seine: noindex"][..], "noindex"),
            (&["Seine:noindex,nofollow"], "noindex, nofollow"),
            (&["otherbot: noindex"], ""),
            (&["otherbot: noindex, nofollow"], ""),
            (&["otherbot: noindex", "nofollow"], "nofollow"),
            (&["nofollow, otherbot: noindex, noarchive"], "nofollow"),
            (&["otherbot: noindex, seine: nofollow, noarchive"], "nofollow, noarchive"),
            (&["seine: noindex, otherbot: nofollow"], "noindex"),
            (&["seinebot: noindex, xseine: nofollow"], ""),
            (&["otherbot: max-snippet: 3, unavailable_after: Thu, 25 Jun 2026 15:00:00 GMT, noindex"], ""),
            (&["seine: max-snippet: 3"], "max-snippet: 3"),
            (&[": noindex", "a:b:c"], ""),
        ] {
            assert_eq!(of(values), joined, "{values:?}");
        }
    }

    #[test]
    fn a_date_keeps_its_colons_and_loses_its_commas() {
        for (value, joined) in [
            ("unavailable_after: 25 Jun 2026 15:00:00 GMT", "unavailable_after: 25 jun 2026 15:00:00 gmt"),
            (
                "noindex, unavailable_after: Thu, 25 Jun 2026 15:00:00 GMT, nofollow",
                "noindex, unavailable_after: thu 25 jun 2026 15:00:00 gmt, nofollow",
            ),
            ("Unavailable_After:June 25, 2026,noindex", "unavailable_after: june 25 2026, noindex"),
            ("seine: unavailable_after: 2026-06-25T15:00:00Z", "unavailable_after: 2026-06-25t15:00:00z"),
        ] {
            assert_eq!(of(&[value]), joined, "{value}");
        }
    }

    #[test]
    fn what_a_page_may_say_is_bounded() {
        let many: Vec<String> = (0..1000).map(|number| format!("directive{number}")).collect();
        let joined = of(&[&many.join(",")]);
        assert!((MAX_BYTES - 20..=MAX_BYTES).contains(&joined.len()), "{joined}");
        assert_eq!(of(&[&"x".repeat(MAX_BYTES + 1), "noindex"]), "noindex");
        assert_eq!(of(&[&"ä".repeat(MAX_READ_BYTES), "noindex"]), "");
        assert_eq!(of(&["no\0index, \u{7f}x"]), "");
    }
}
