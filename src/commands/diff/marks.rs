//! Which words of two texts differ, for eyes: the earlier text and the later one as HTML, with their own words marked.

use std::time::Duration;

use similar::{ChangeTag, TextDiff};

use crate::commands::html::Markup;

/// After this what differs is found roughly: more words are marked than need be.
const COMPARE_TIME: Duration = Duration::from_millis(100);
/// Texts that have less than this in common are marked as a whole, which is not to mark them at all.
const MIN_RATIO: f32 = 0.3;

/// Two texts, the earlier one first.
pub(super) fn marked(before: &str, after: &str) -> [Markup; 2] {
    let diff = TextDiff::configure().timeout(COMPARE_TIME).diff_words(before, after);
    if diff.ratio() < MIN_RATIO {
        return [Markup::text(before), Markup::text(after)];
    }
    let (mut old, mut new) = (Markup::default(), Markup::default());
    for change in diff.iter_all_changes() {
        let text = Markup::text(change.value());
        match change.tag() {
            ChangeTag::Equal => {
                old.push(text.clone());
                new.push(text);
            }
            ChangeTag::Delete => old.push(text.within("b", "")),
            ChangeTag::Insert => new.push(text.within("b", "")),
        }
    }
    [old, new]
}

/// A unified diff as HTML, a line at a time; a line that was replaced by another has its own words marked.
pub(super) fn unified(text: &str) -> Markup {
    let mut html = Markup::default();
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for line in text.lines() {
        match line.as_bytes().first() {
            // The names of both versions, at the head.
            _ if line.starts_with("--- ") || line.starts_with("+++ ") => html.push(plain(line)),
            Some(b'-') => {
                if !new.is_empty() {
                    flush(&mut old, &mut new, &mut html);
                }
                old.push(&line[1..]);
            }
            Some(b'+') => new.push(&line[1..]),
            _ => {
                flush(&mut old, &mut new, &mut html);
                html.push(plain(line));
            }
        }
    }
    flush(&mut old, &mut new, &mut html);
    html.within("pre", "")
}

fn plain(line: &str) -> Markup {
    Markup::text(line).within("span", "")
}

/// Lines that went and lines that came in their place, in pairs as far as they go.
fn flush(old: &mut Vec<&str>, new: &mut Vec<&str>, html: &mut Markup) {
    let mut came = Markup::default();
    let pairs = old.len().min(new.len());
    for (at, line) in old.iter().enumerate() {
        let [before, after] = match new.get(at) {
            Some(other) => marked(line, other),
            None => [Markup::text(line), Markup::default()],
        };
        html.push(Markup::raw("- ").with(&before).within("del", ""));
        if at < pairs {
            came.push(Markup::raw("+ ").with(&after).within("ins", ""));
        }
    }
    html.push(came);
    for line in new.iter().skip(pairs) {
        html.push(Markup::raw("+ ").with(&Markup::text(line)).within("ins", ""));
    }
    old.clear();
    new.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_differ_are_marked_and_others_are_not() {
        let html = |before: &str, after: &str| marked(before, after).map(|side| side.to_string());
        assert_eq!(html("a red <box>", "a blue <box>"), ["a <b>red</b> &lt;box&gt;", "a <b>blue</b> &lt;box&gt;"]);
        assert_eq!(html("one two three", "one two"), ["one two<b> </b><b>three</b>", "one two"]);
        // Nothing in common: a mark would tell nothing.
        assert_eq!(html("12.99", "sold out"), ["12.99", "sold out"]);
    }

    #[test]
    fn lines_that_were_replaced_are_told_in_pairs() {
        let text =
            "--- run 1\n+++ run 2\n@@ -1,3 +1,4 @@\n same\n-the old line\n+the new line\n+one more\n same\n-gone\n";
        let html = unified(text).to_string();
        for part in [
            "<del>- the <b>old</b> line</del><ins>+ the <b>new</b> line</ins><ins>+ one more</ins>",
            "<span>--- run 1</span><span>+++ run 2</span>",
            "<del>- gone</del></pre>",
        ] {
            assert!(html.contains(part), "{part}\nis not in\n{html}");
        }
    }
}
