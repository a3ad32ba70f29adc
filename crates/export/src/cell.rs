//! Values as formats want them: text, numbers of days and microseconds.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::temporal::DateTimeParser;

use super::Cell;

/// Microseconds of a day.
pub const DAY_US: i64 = 86_400_000_000;

/// The day that days and times are counted from.
const EPOCH: Date = Date::constant(1970, 1, 1);

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
    let pieces = DateTimeParser::new().parse_pieces(text).ok()?;
    // Counted in civil time, which knows the last days of the year 9999, too.
    let civil = pieces.date().to_datetime(pieces.time().unwrap_or(Time::midnight()));
    let offset_us = pieces.to_numeric_offset().map_or(0, |offset| i64::from(offset.seconds()) * 1_000_000);
    i64::try_from(civil.duration_since(DateTime::from(EPOCH)).as_micros()).ok()?.checked_sub(offset_us)
}

/// Days since 1970-01-01.
pub fn days(text: &str) -> Option<i32> {
    let date: Date = text.parse().ok()?;
    i32::try_from(date.duration_since(EPOCH).as_hours() / 24).ok()
}
