//! Text or JSON that a source found, converted to a value of its field's type, as JSON text.

use std::borrow::Cow;
use std::io::{self, Write};

use serde_json::Value;
use url::Url;

use super::MAX_VALUE_BYTES;
use super::compiled::Source;
use super::dates::{self, Moment};
use super::locale::Locale;
use super::numbers;
use crate::extract::text::{Nul, cut, fold_into};
use seine_core::record::items::{FieldType, MAX_FOUND_BYTES};

/// Whole numbers up to this are exact as floating-point numbers.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Text or a value as a source found it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Raw<'v> {
    /// For people: numbers and dates as their country writes them.
    Text(&'v str),
    /// For machines: an attribute of microdata, a `<meta>`. Plain numbers are plain numbers, whatever the locale.
    Data(&'v str),
    /// HTML, which keeps its white space.
    Html(&'v str),
    /// A value of JSON.
    Json(&'v Value),
}

/// The result of a conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing is there.
    Nothing,
    /// JSON.
    Value(String),
    /// It is no value of the type; how the text begins.
    Unparsable(String),
    /// It is longer than [`MAX_VALUE_BYTES`]; how it begins.
    TooLong(String),
}

/// `raw` as a value of `kind`. URLs are relative to `base`.
pub(super) fn convert(raw: Raw<'_>, kind: FieldType, source: &Source, base: &Url) -> Verdict {
    let (found, is_data) = match raw {
        Raw::Text(text) => (Cow::Borrowed(text), false),
        Raw::Data(text) => (Cow::Borrowed(text), true),
        Raw::Html(html) => (Cow::Borrowed(html), false),
        Raw::Json(Value::Null) => return Verdict::Nothing,
        Raw::Json(value) if kind == FieldType::Json && source.regex.is_none() => return bounded_json(value),
        Raw::Json(Value::String(text)) => (Cow::Borrowed(text.as_str()), true),
        Raw::Json(value @ (Value::Number(_) | Value::Bool(_))) => {
            if let (FieldType::Date | FieldType::Datetime, None, Some(number)) = (kind, &source.format, value.as_i64())
            {
                return moment(Moment::of_epoch(number), kind, &value.to_string());
            }
            (Cow::Owned(value.to_string()), true)
        }
        // A value with a language or type in JSON-LD.
        Raw::Json(Value::Object(object)) if object.get("@value").is_some_and(|value| !value.is_object()) => {
            return object
                .get("@value")
                .map_or(Verdict::Nothing, |value| convert(Raw::Json(value), kind, source, base));
        }
        Raw::Json(value) => return Verdict::Unparsable(beginning(value)),
    };
    let keeps_space = !source.folds(kind) || matches!(raw, Raw::Html(_));
    let text = if keeps_space { found } else { folded(&found) };
    let text = match &source.regex {
        Some(regex) => match regex.captures(&text) {
            Some(captures) => {
                let group = captures.get(1).or_else(|| captures.get(0)).map_or("", |group| group.as_str());
                let group = if source.trim { group.trim() } else { group };
                Cow::Owned(group.to_owned())
            }
            None => return Verdict::Nothing,
        },
        None => text,
    };
    if text.trim().is_empty() {
        return Verdict::Nothing;
    }
    if let Some(regex) = &source.matches {
        return Verdict::Value(regex.is_match(&text).to_string());
    }
    typed(&text, is_data, kind, source, base)
}

fn typed(text: &str, is_data: bool, kind: FieldType, source: &Source, base: &Url) -> Verdict {
    let locale = source.locale.unwrap_or_default();
    let value = match kind {
        FieldType::Text | FieldType::Record => {
            if text.len() > MAX_VALUE_BYTES {
                return Verdict::TooLong(quotable(text));
            }
            Some(quoted(text))
        }
        FieldType::Number => {
            number(text, is_data, &locale).and_then(serde_json::Number::from_f64).map(|number| number.to_string())
        }
        FieldType::Integer => integer(text, is_data, &locale).map(|number| number.to_string()),
        FieldType::Bool => truth(text).map(|truth| truth.to_string()),
        FieldType::Url => base.join(text.trim()).ok().map(|url| quoted(url.as_str())),
        FieldType::Date | FieldType::Datetime => {
            let moment_found =
                dates::moment(text, source.locale.as_ref(), source.format.as_deref(), source.zone.as_ref());
            return moment(moment_found, kind, text);
        }
        // Its depth is bounded by the parser.
        FieldType::Json => serde_json::from_str::<Value>(text).ok().map(|value| value.to_string()),
    };
    match value {
        Some(value) if value.len() > MAX_VALUE_BYTES * 2 => Verdict::TooLong(quotable(text)),
        Some(value) => Verdict::Value(value),
        None => Verdict::Unparsable(quotable(&folded(text))),
    }
}

fn moment(moment: Option<Moment>, kind: FieldType, text: &str) -> Verdict {
    let written = moment.and_then(|moment| if kind == FieldType::Date { moment.date() } else { moment.datetime() });
    written.map_or_else(|| Verdict::Unparsable(quotable(text)), |written| Verdict::Value(quoted(&written)))
}

fn number(text: &str, is_data: bool, locale: &Locale) -> Option<f64> {
    let plain = if is_data { numbers::plain(text.trim()) } else { None };
    let number = plain.or_else(|| numbers::decimal(text, locale)?.parse().ok());
    number.filter(|number| number.is_finite())
}

fn integer(text: &str, is_data: bool, locale: &Locale) -> Option<i64> {
    if is_data && let Ok(number) = text.trim().parse() {
        return Some(number);
    }
    if is_data && let Some(number) = numbers::plain(text.trim()) {
        // `5.0` and `1e3` are whole numbers; beyond 2⁵³ a floating-point number does not tell which.
        return (number.fract() == 0.0 && number.abs() <= MAX_EXACT).then_some(number as i64);
    }
    let decimal = numbers::decimal(text, locale)?;
    match decimal.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|byte| byte == b'0') => whole.parse().ok(),
        Some(_) => None,
        None => decimal.parse().ok(),
    }
}

fn truth(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "true" | "yes" | "y" | "1" | "on" | "ja" | "oui" | "sí" | "si" | "✓" | "✔" => Some(true),
        "false" | "no" | "n" | "0" | "off" | "nein" | "non" | "nee" | "✗" | "✘" => Some(false),
        _ => None,
    }
}

/// As much of a text as a problem quotes: there may be many.
fn quotable(text: &str) -> String {
    cut(text, MAX_FOUND_BYTES).to_owned()
}

/// A JSON string.
pub(super) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// White space folded and trimmed.
fn folded(text: &str) -> Cow<'_, str> {
    let mut folded = String::with_capacity(text.len());
    fold_into(&mut folded, text, usize::MAX, Nul::Dropped);
    folded.truncate(folded.trim_end().len());
    Cow::Owned(folded)
}

fn bounded_json(value: &Value) -> Verdict {
    let mut out = Bounded { bytes: Vec::new(), limit: MAX_VALUE_BYTES };
    match serde_json::to_writer(&mut out, value) {
        Ok(()) => String::from_utf8(out.bytes).map_or(Verdict::Nothing, Verdict::Value),
        Err(_) => Verdict::TooLong(beginning(value)),
    }
}

/// How a value begins, for people.
fn beginning(value: &Value) -> String {
    let mut out = Bounded { bytes: Vec::new(), limit: MAX_FOUND_BYTES };
    // The only error is that of a full buffer.
    let _ = serde_json::to_writer(&mut out, value);
    String::from_utf8_lossy(&out.bytes).into_owned()
}

/// A buffer that is full at some time.
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.limit.saturating_sub(self.bytes.len()));
        if taken == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.bytes.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
