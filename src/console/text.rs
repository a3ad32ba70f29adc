//! Text for terminals: numbers, sizes and times as people read them, and texts of sites made harmless.

use std::time::Duration;

/// `12345` as `12,345`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes for people.
pub fn size(bytes: u64) -> String {
    bytesize::ByteSize(bytes).display().iec().to_string()
}

/// `text` with what a site could do to a terminal made harmless: control and direction-changing characters.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => ' ',
            c if c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                '\u{fffd}'
            }
            c => c,
        })
        .collect()
}

/// Microseconds of the Unix epoch as the views write times; no time that is none.
pub fn at_us(epoch_us: u64) -> String {
    let timestamp = i64::try_from(epoch_us).ok().and_then(|us| jiff::Timestamp::from_microsecond(us).ok());
    timestamp.map_or_else(|| "-".to_owned(), |timestamp| format!("{timestamp:.3}"))
}

/// Milliseconds of the Unix epoch, likewise.
pub fn at_ms(epoch_ms: u64) -> String {
    at_us(epoch_ms.saturating_mul(1000))
}

/// A span for people, to the millisecond below ten seconds.
pub fn span_ms(ms: u64) -> String {
    let ms = if ms < 10_000 { ms } else { ms / 1000 * 1000 };
    humantime::format_duration(Duration::from_millis(ms)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn what_a_site_sends_cannot_steer_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\u{202e}c\r\nd"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd} d");
    }
}
