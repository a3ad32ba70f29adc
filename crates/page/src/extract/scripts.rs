//! Superscripts and subscripts in plain text: `10<sup>6</sup>` is 10⁶, not 106.

/// Longest text that is looked at, in characters: longer ones are set in small type, not numbers.
const MAX_CHARS: usize = 12;

/// Where the characters of an element stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    /// `<sup>`.
    Above,
    /// `<sub>`.
    Below,
}

impl Script {
    /// The characters of `text` raised or lowered; none if Unicode does not have them all.
    pub fn of(self, text: &str) -> Option<String> {
        let text = text.trim();
        let is_one = !text.is_empty() && text.chars().count() <= MAX_CHARS;
        is_one.then(|| text.chars().map(|char| self.char(char)).collect()).flatten()
    }

    /// Whether `text` means the same where the line is: the endings of ordinals, the marks of trade.
    pub fn is_plain(self, text: &str) -> bool {
        let text = text.trim();
        let is_ordinal = ["st", "nd", "rd", "th", "er", "re", "e", "ème", "o", "a"]
            .iter()
            .any(|ordinal| text.eq_ignore_ascii_case(ordinal));
        let is_mark = ["tm", "sm"].iter().any(|mark| text.eq_ignore_ascii_case(mark));
        self == Self::Above && (is_ordinal || is_mark || text.chars().all(|char| !char.is_alphanumeric()))
    }

    fn char(self, char: char) -> Option<char> {
        const PLAIN: [char; 15] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '+', '-', '=', '(', ')'];
        const ABOVE: [char; 15] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹', '⁺', '⁻', '⁼', '⁽', '⁾'];
        const BELOW: [char; 15] = ['₀', '₁', '₂', '₃', '₄', '₅', '₆', '₇', '₈', '₉', '₊', '₋', '₌', '₍', '₎'];
        let char = if matches!(char, '−' | '–') { '-' } else { char };
        let at = PLAIN.iter().position(|plain| *plain == char);
        match (self, at, char) {
            (Self::Above, Some(at), _) => Some(ABOVE[at]),
            (Self::Below, Some(at), _) => Some(BELOW[at]),
            (Self::Above, None, 'n') => Some('ⁿ'),
            (Self::Above, None, 'i') => Some('ⁱ'),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_raised_and_lowered_and_words_are_not() {
        for (script, text, written) in [
            (Script::Above, "6", Some("⁶")),
            (Script::Above, " −12 ", Some("⁻¹²")),
            (Script::Above, "n+1", Some("ⁿ⁺¹")),
            (Script::Below, "2", Some("₂")),
            (Script::Below, "n", None),
            (Script::Above, "x", None),
            (Script::Above, "", None),
            (Script::Above, "1234567890123", None),
        ] {
            assert_eq!(script.of(text).as_deref(), written, "{text}");
        }
        for (script, text, is_plain) in [
            (Script::Above, "th", true),
            (Script::Above, "TM", true),
            (Script::Above, "®", true),
            (Script::Above, "x", false),
            (Script::Below, "th", false),
        ] {
            assert_eq!(script.is_plain(text), is_plain, "{text}");
        }
    }
}
