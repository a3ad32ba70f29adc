//! JSON objects as text: takes one field out, and leaves the others as they were written.
//!
//! Values are never parsed into numbers and back: an identifier of thirty digits leaves as it came.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Nesting that no reader of the store has to follow: serde_json's own limit, SQLite allows 1000.
const MAX_DEPTH: usize = 128;

/// An object split in two: the field that was asked for, and the rest.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split<'a> {
    /// JSON text of the field's value, if it is there.
    pub field: Option<&'a str>,
    /// The object without the field; `None` if nothing is left.
    pub rest: Option<String>,
}

/// Splits the object in `text` into `field` (the name of a field, or a path with dots) and the rest.
///
/// # Errors
/// The reason why `text` is no JSON object.
pub(super) fn split<'a>(text: &'a str, field: &str) -> Result<Split<'a>, String> {
    if !text.trim_ascii_start().starts_with('{') {
        return Err("not a JSON object; one object per line is expected".to_owned());
    }
    // Raw values are checked without recursion, and so to any depth; only what may be deep is looked at twice.
    if memchr::memchr2_iter(b'[', b'{', text.as_bytes()).nth(MAX_DEPTH - 1).is_some() && depth(text) >= MAX_DEPTH {
        return Err(format!("nested deeper than {MAX_DEPTH} levels"));
    }
    let pairs = serde_json::from_str(text).map_err(|e| malformed(&e))?;
    let (field, rest) = split_pairs(&pairs, field);
    Ok(Split { field, rest: (rest != "{}").then_some(rest) })
}

/// Names of the fields of the object in `text`, for a message.
pub(super) fn field_names(text: &str) -> Vec<String> {
    let pairs = serde_json::from_str::<Pairs<'_>>(text).map_or_else(|_| Vec::new(), |pairs| pairs.0);
    pairs.into_iter().map(|(name, _)| name.into_owned()).collect()
}

/// The string in the JSON `value`, or what else it is.
pub(super) fn string(value: &str) -> Result<Cow<'_, str>, &'static str> {
    match value.as_bytes().first() {
        Some(b'"') => {
            let inner = &value[1..value.len() - 1];
            if !inner.contains('\\') {
                return Ok(inner.into());
            }
            serde_json::from_str::<String>(value).map(Cow::Owned).map_err(|_| "not text in Unicode")
        }
        Some(b'{') => Err("an object"),
        Some(b'[') => Err("an array"),
        Some(b'n') => Err("null"),
        Some(b't' | b'f') => Err("true or false"),
        _ => Err("a number"),
    }
}

/// Appends `text` to `json` as a JSON string.
pub(super) fn push_string(json: &mut String, text: &str) {
    if text.bytes().any(|byte| byte < b' ' || matches!(byte, b'"' | b'\\')) {
        json.push_str(&serde_json::Value::from(text).to_string());
    } else {
        json.push('"');
        json.push_str(text);
        json.push('"');
    }
}

/// The value at `path` and the text of the object without it. Of a name given twice the last value counts, as for
/// most readers of JSON.
fn split_pairs<'a>(pairs: &Pairs<'a>, path: &str) -> (Option<&'a str>, String) {
    // A field that is called "page.url" comes before a field "url" in an object "page".
    let is_one_name = pairs.0.iter().any(|(name, _)| name == path);
    let nested = path.split_once('.').filter(|_| !is_one_name);
    let mut found = None;
    let mut rest = String::from("{");
    for (name, value) in &pairs.0 {
        let value: &'a RawValue = value;
        if name == path {
            found = Some(value.get());
            continue;
        }
        let mut kept = Cow::Borrowed(value.get());
        if let Some((outer, inner)) = nested
            && name == outer
            && let Ok(inner_pairs) = serde_json::from_str(value.get())
        {
            let (inner_found, inner_rest) = split_pairs(&inner_pairs, inner);
            found = inner_found.or(found);
            kept = inner_rest.into();
        }
        if rest.len() > 1 {
            rest.push(',');
        }
        push_string(&mut rest, name);
        rest.push(':');
        rest.push_str(&kept);
    }
    rest.push('}');
    (found, rest)
}

/// How deep arrays and objects of `text` are nested; of malformed JSON any number. No value is looked at, so none is
/// too large or odd.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut is_escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if std::mem::take(&mut is_escaped) => {}
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn malformed(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    format!("malformed JSON at column {}: {what}", error.column())
}

/// The fields of an object in their order, values as text.
struct Pairs<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::with_capacity(8);
                while let Some((Name(name), value)) = map.next_entry()? {
                    pairs.push((name, value));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A field's name, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn parts_of(text: &str, field: &str) -> (Option<String>, Option<String>) {
        let Split { field, rest } = split(text, field).expect(text);
        (field.map(str::to_owned), rest)
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn the_other_fields_stay_as_they_were_written() {
        let text =
            r#"{ "z": 1.0e5, "url": "u", "id": 123456789012345678901234567890, "n\u00e4me": [1, {"b":2, "a":1}]}"#;
        let rest = r#"{"z":1.0e5,"id":123456789012345678901234567890,"näme":[1, {"b":2, "a":1}]}"#;
        assert_eq!(parts_of(text, "url"), (some("\"u\""), some(rest)));
    }

    #[test]
    fn a_value_that_few_readers_take_costs_no_other_field() {
        for value in ["1e400", "-0", r#""\ud800""#, r#""\udc00\ud800x""#, "1E-999", "123456789012345678901234567890.10"]
        {
            let text = format!(r#"{{"url":"u","odd":{value},"even":19.90}}"#);
            let rest = format!(r#"{{"odd":{value},"even":19.90}}"#);
            assert_eq!(parts_of(&text, "url"), (some("\"u\""), some(&rest)));
            let (many, brackets) = ("[],".repeat(200), r#"{"url":"u","odd":"#);
            assert!(split(&format!("{brackets}{value},\"many\":[{many}1]}}"), "url").is_ok(), "{value}");
        }
    }

    #[test]
    fn a_path_leads_into_nested_objects() {
        let text = r#"{"a":{"b":{"url":"u","x":1}},"url":2}"#;
        assert_eq!(parts_of(text, "a.b.url"), (some("\"u\""), some(r#"{"a":{"b":{"x":1}},"url":2}"#)));
        assert_eq!(parts_of(text, "a.c.url").0, None);
        assert_eq!(parts_of(text, "url.x").0, None);
        assert_eq!(parts_of(r#"{"a.b":"u","a":{"b":"v"}}"#, "a.b"), (some("\"u\""), some(r#"{"a":{"b":"v"}}"#)));
    }

    #[test]
    fn nothing_but_the_url_leaves_nothing_and_the_last_of_two_counts() {
        assert_eq!(parts_of(r#"{"url":"u"}"#, "url"), (some("\"u\""), None));
        assert_eq!(parts_of(r#"{"url":"u","url":"v","a":1}"#, "url"), (some("\"v\""), some(r#"{"a":1}"#)));
        assert_eq!(parts_of("{}", "url"), (None, None));
    }

    #[test]
    fn what_is_no_object_is_named_with_its_column() {
        assert_eq!(
            split(r#"{"url":"u" "a":1}"#, "url").expect_err("bad"),
            "malformed JSON at column 12: expected `,` or `}`"
        );
        assert!(split(r#"{"url":"u"} x"#, "url").expect_err("bad").contains("trailing characters"));
        assert!(split(r#"{"url":"u""#, "url").expect_err("bad").contains("EOF"));
        assert!(split(r#"["u"]"#, "url").expect_err("bad").contains("one object per line"));
    }

    #[test]
    fn deep_nesting_is_refused_before_a_reader_of_the_store_would_refuse_it() {
        let deep = |n: usize| format!(r#"{{"url":"u","a":{}{}}}"#, "[".repeat(n), "]".repeat(n));
        assert!(split(&deep(100), "url").is_ok());
        assert!(split(&deep(200), "url").expect_err("deep").contains("128 levels"));
        assert!(split(&deep(126), "url").is_ok());
        assert!(split(&deep(127), "url").is_err());
        let in_text = format!(r#"{{"url":"u","a":"\"{}","b":1e400}}"#, "[".repeat(500));
        assert!(split(&in_text, "url").is_ok());
        let wide = format!(r#"{{"url":"u","a":[{}[]]}}"#, "[],".repeat(5000));
        assert!(split(&wide, "url").is_ok());
    }

    #[test]
    fn a_value_is_text_or_is_called_by_its_kind() {
        assert_eq!(string(r#""a\u002fb""#).as_deref(), Ok("a/b"));
        assert_eq!(string(r#""a""#).as_deref(), Ok("a"));
        let kinds = ["null", "1", "true", "[]", "{}", r#""\ud800""#].map(|value| string(value).expect_err(value));
        assert_eq!(kinds, ["null", "a number", "true or false", "an array", "an object", "not text in Unicode"]);
    }

    #[test]
    fn a_written_string_reads_back() {
        for text in ["", "plain", "\"quoted\" \\ \n\u{1}\0", "ünï"] {
            let mut json = String::new();
            push_string(&mut json, text);
            assert_eq!(serde_json::from_str::<String>(&json).expect("valid"), text);
        }
    }
}
