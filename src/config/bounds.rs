//! Checks of the values of options.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Chosen, ConfigError};
use seine_core::values::{Size, Span};

/// Bodies above the limit of requests in flight times this are not held at once; see docs/explain/memory.md.
pub(super) const MAX_CONCURRENCY: usize = 65_536;

/// No pause is longer than this, whatever a config or a site asks for.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_millis(seine_core::record::LONGEST_PAUSE_MS);

/// The error for a value that cannot be used.
pub(super) fn refused<T>(name: &'static str, value: impl Display, problem: &'static str) -> Result<T, ConfigError> {
    Err(ConfigError::Value { name, value: value.to_string(), problem })
}

/// A number within bounds; `problem` names them.
pub(super) fn within<T: Copy + Display + PartialOrd>(
    bounds: RangeInclusive<T>,
    problem: &'static str,
) -> impl Fn(&'static str, &T) -> Result<(), ConfigError> {
    move |name, value| if bounds.contains(value) { Ok(()) } else { refused(name, value, problem) }
}

/// The same `check` of a value that the user need not have chosen.
pub(super) fn chosen<T>(
    check: impl Fn(&'static str, &T) -> Result<(), ConfigError>,
) -> impl Fn(&'static str, &Chosen<T>) -> Result<(), ConfigError> {
    move |name, value| check(name, value)
}

/// A time in which something can be done.
pub(super) fn lasting(name: &'static str, span: &Span) -> Result<(), ConfigError> {
    if span.0.is_zero() { refused(name, 0, "must be longer; nothing would ever finish") } else { Ok(()) }
}

/// A pause that ends in foreseeable time.
pub(super) fn pause(name: &'static str, span: &Span) -> Result<(), ConfigError> {
    if span.0 <= LONGEST_PAUSE { Ok(()) } else { refused(name, span, "must be at most 1day") }
}

/// A number of which nothing would be done if it were 0.
pub(super) fn some(name: &'static str, number: &Option<u64>) -> Result<(), ConfigError> {
    if *number == Some(0) { refused(name, 0, "must be at least 1") } else { Ok(()) }
}

/// As [`some`], of a size.
pub(super) fn some_bytes(name: &'static str, size: &Option<Size>) -> Result<(), ConfigError> {
    if *size == Some(Size(0)) { refused(name, 0, "must be at least 1B") } else { Ok(()) }
}
