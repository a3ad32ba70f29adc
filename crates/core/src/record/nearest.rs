//! Which known name was meant by one that is not known.

use strsim::levenshtein;

/// Names are compared as far as this many characters: they may come from files, and the comparison is quadratic.
const COMPARED: usize = 100;

/// The name that is a slip of the pen away from `wanted`.
pub fn nearest<'a>(names: &'a [String], wanted: &str) -> Option<&'a str> {
    let comparable = |name: &str| name.chars().take(COMPARED).flat_map(char::to_lowercase).collect::<String>();
    let wanted = comparable(wanted);
    let most_edits = wanted.chars().count().max(3) / 2;
    let edits = names.iter().map(|name| (levenshtein(&comparable(name), &wanted), name.as_str()));
    edits.filter(|(edits, _)| *edits <= most_edits).min_by_key(|(edits, _)| *edits).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_close_was_meant() {
        let names = ["title", "status"].map(str::to_owned);
        assert_eq!((nearest(&names, "titel"), nearest(&names, "price")), (Some("title"), None));
    }
}
