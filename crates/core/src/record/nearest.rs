//! Which known name was meant by one that is not known.

/// The name that is a slip of the pen away from `wanted`.
pub fn nearest<'a>(names: &'a [String], wanted: &str) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let close = |name: &String| (distance(&name.to_lowercase(), &wanted), wanted.chars().count().max(3) / 2);
    names.iter().filter(|name| close(name).0 <= close(name).1).min_by_key(|name| close(name).0).map(String::as_str)
}

/// Edit distance (Levenshtein) in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(100).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(100).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, &y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_edits() {
        for (a, b, edits) in
            [("", "", 0), ("abc", "", 3), ("kitten", "sitting", 3), ("url", "url", 0), ("ürl", "url", 1)]
        {
            assert_eq!(distance(a, b), edits, "{a} {b}");
        }
    }

    #[test]
    fn only_what_is_close_was_meant() {
        let names = ["title", "status"].map(str::to_owned);
        assert_eq!((nearest(&names, "titel"), nearest(&names, "price")), (Some("title"), None));
    }
}
