//! `Retry-After`: how long a site asks to be left alone (RFC 9110 §10.2.3).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The wait that `value` asks for at `now`: seconds, or a date in any of the three forms of HTTP, which may be past.
/// `None` if it is neither.
pub fn parse(value: &[u8], now: SystemTime) -> Option<Duration> {
    let value = std::str::from_utf8(value).ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than any number has are a long time too.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// Milliseconds of the Unix epoch as a time.
pub fn at_ms(epoch_ms: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(epoch_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_understood_and_nothing_else() {
        // 2026-06-25 15:00:00 UTC, a Thursday.
        let now = at_ms(1_782_399_600_000);
        let seconds = |value: &str| parse(value.as_bytes(), now).map(|wait| wait.as_secs());
        for (value, expected) in [
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("0", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Thu, 25 Jun 2026 15:01:40 GMT", Some(100)),
            ("Thursday, 25-Jun-26 15:01:40 GMT", Some(100)),
            ("Thu Jun 25 15:01:40 2026", Some(100)),
            ("Thu, 25 Jun 2026 14:00:00 GMT", Some(0)),
            ("-5", None),
            ("1.5", None),
            ("+5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(seconds(value), expected, "{value:?}");
        }
        assert_eq!(parse(b"\xff", now), None);
    }
}
