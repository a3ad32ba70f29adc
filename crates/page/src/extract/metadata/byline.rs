//! Names of authors as people read them.

use std::sync::LazyLock;

use regex::Regex;

/// Longest name, in words; longer texts are sentences.
const MAX_WORDS: usize = 7;
/// Longest name in bytes.
const MAX_BYTES: usize = 90;

static BEFORE: LazyLock<Regex> = LazyLock::new(|| {
    let words = r"(?i)^[\s,:|–—-]*(?:(?:(?:written|posted|published|reviewed|created|submitted|story|words|geschrieben|article|text|author|authors|contributor)s?\b[\s:]*(?:and\b\s*\w+\s+)?)?(?:by|von|par|por|di|door|av|af)\b[\s:]+|(?:authors?|written|writer|autor|auteur|autore)\s*:\s*|about the author:?\s+)";
    Regex::new(words).expect("it is one")
});
static BEHIND: LazyLock<Regex> = LazyLock::new(|| {
    let words = r"(?i)\s*(?:[|•·»›/(\[]|\s[–—-]\s|,?\s+(?:on|am|le|el)\s+\S*\d|\b(?:published|posted|updated|last|reviewed|medically|modified|edited|fact)\b|\b(?:january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.?\s+\d|\s\d|\bview\b|,?\s+\b(?:staff writer|senior|editor|contributor|contributing|chief|director|manager|founder|reporter|correspondent|author|writer|ceo|freelance)\b|https?:|www\.|\S+@\S+).*$";
    Regex::new(words).expect("it is one")
});

/// The names in a text that is a byline; none if it is no name. Of a `told` one it is known that it names somebody.
pub(super) fn names(text: &str, told: bool) -> Option<String> {
    let folded = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if folded.len() > 4 * MAX_BYTES {
        return None;
    }
    let text = BEFORE.replace(&folded, "");
    let text = BEHIND.replace(&text, "");
    let text = text.trim_matches(|c: char| c.is_whitespace() || ",;:|-–—\"'“”*@".contains(c)).trim_end_matches('.');
    let words = text.split_whitespace().count();
    let starts = text.chars().next().is_some_and(|first| {
        first.is_uppercase() || told && first.is_alphanumeric() || first.is_alphabetic() && !first.is_lowercase()
    });
    let is_name =
        !text.is_empty() && text.len() <= MAX_BYTES && words <= if told { 2 * MAX_WORDS } else { MAX_WORDS } && starts;
    (is_name && !says_nothing(text)).then(|| text.to_owned())
}

/// Whether a text begins as bylines do.
pub(super) fn begins_as_one(text: &str) -> bool {
    text.get(..40).unwrap_or(text).trim_start().len() > 3 && BEFORE.is_match(text)
}

/// Words that stand where a name would.
fn says_nothing(text: &str) -> bool {
    let text = text.to_lowercase();
    const WORDS: [&str; 24] = [
        "author",
        "authors",
        "by",
        "about",
        "about the author",
        "share",
        "follow",
        "view profile",
        "admin",
        "administrator",
        "guest",
        "anonymous",
        "unknown",
        "read more",
        "contact",
        "the author",
        "editor",
        "written",
        "login",
        "log in",
        "posts",
        "home",
        "none",
        "null",
    ];
    WORDS.contains(&&*text)
        || text.starts_with("about ")
        || text.starts_with("more ")
        || ["follow ", "visit ", "this ", "get ", "see ", "all "].iter().any(|word| text.starts_with(word))
        || text.starts_with("view ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byline_is_its_names_and_nothing_else() {
        for (text, told, names) in [
            ("By Ada Lovelace", false, Some("Ada Lovelace")),
            ("Written by: Ada Lovelace | May 3, 2026", false, Some("Ada Lovelace")),
            ("Von Ada Lovelace, 3.5.2026", false, Some("Ada Lovelace")),
            ("Ada Lovelace and Grace Hopper, Staff Writer", false, Some("Ada Lovelace and Grace Hopper")),
            ("By Ada Lovelace Updated May 3", false, Some("Ada Lovelace")),
            ("ada99", true, Some("ada99")),
            ("https://example.com/ada", true, None),
            ("Author", false, None),
            ("this is a sentence about somebody", false, None),
            ("", true, None),
        ] {
            assert_eq!(super::names(text, told).as_deref(), names, "{text}");
        }
        assert!(begins_as_one("By Ada") && !begins_as_one("Bystanders") && !begins_as_one("Ada"));
    }
}
