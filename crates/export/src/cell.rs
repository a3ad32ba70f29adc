//! Values as formats want them: text, numbers of days and microseconds.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

use super::Cell;

/// Microseconds of a day.
pub const DAY_US: i64 = 86_400_000_000;

/// A value as text, `None` for NULL. Bytes that are no UTF-8 are replaced; a blob is in Base64.
pub fn text<'a>(cell: &Cell<'a>) -> Option<Cow<'a, str>> {
    Some(match *cell {
        Cell::Null => return None,
        Cell::Integer(number) => Cow::Owned(number.to_string()),
        Cell::Real(number) => Cow::Owned(real(number)),
        Cell::Text(bytes) => String::from_utf8_lossy(bytes),
        Cell::Blob(bytes) => Cow::Owned(STANDARD.encode(bytes)),
    })
}

/// A number so that reading it gives the same again, and that it is seen to be no whole one.
pub fn real(number: f64) -> String {
    format!("{number:?}")
}

/// Microseconds of the Unix epoch; text without an offset is in UTC.
pub fn micros(text: &str) -> Option<i64> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp.as_microsecond());
    }
    let local: DateTime = text.parse().ok()?;
    Some(local.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_microsecond())
}

/// Days since 1970-01-01.
pub fn days(text: &str) -> Option<i32> {
    let date: Date = text.parse().ok()?;
    let noon = date.at(12, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    i32::try_from(noon.timestamp().as_second().div_euclid(86_400)).ok()
}
