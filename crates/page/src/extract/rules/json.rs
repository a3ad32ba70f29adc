//! JSON as sites write it, bounded: bodies, JSON-LD blocks, texts in scripts.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::Budget;
use super::repair::{MARKS, has_long_number, repaired};
use crate::extract::arena::Element;
use crate::extract::tags::Tag;

/// Most values of one document; one that holds more is not read. (Its depth is bounded by 128.)
pub const MAX_VALUES: usize = 2_000_000;

/// Most values of one JSON-LD block; what follows them is passed over.
const MAX_BLOCK_VALUES: usize = 100;

/// The result of reading a text.
#[derive(Debug)]
pub(super) enum Read {
    /// It is JSON.
    Value(Value),
    /// It is not JSON; the reason.
    Broken(String),
}

/// Most JSON-LD blocks of a page that are read.
pub(in crate::extract) const MAX_BLOCKS: usize = 100;

/// Whether an element is a block of JSON-LD.
pub(in crate::extract) fn holds_jsonld(element: Element<'_>) -> bool {
    let essence = element.attr("type").and_then(|kind| kind.split(';').next()).unwrap_or_default();
    element.tag() == Tag::Script && essence.trim().eq_ignore_ascii_case("application/ld+json")
}

/// The JSON value of a body, with nothing behind it. `None`: told to stop.
pub(super) fn read_body(text: &str, budget: &Budget<'_>) -> Option<Read> {
    leniently(text, &mut |text| read(text, true, budget))
}

/// The first JSON value of `text`, whatever follows it.
pub(super) fn read_first(text: &str, budget: &Budget<'_>) -> Option<Read> {
    leniently(text, &mut |text| read(text, false, budget))
}

/// All values of a JSON-LD block, of which some have several, and what is wrong with it, if anything is.
pub(in crate::extract) fn read_block(text: &str, budget: &Budget<'_>) -> Option<(Vec<Value>, Option<String>)> {
    let mut values = Vec::new();
    let mut text = if is_blank(text) { String::new() } else { text.to_owned() };
    while !text.is_empty() {
        let mut read_text = String::new();
        let read = leniently(&text, &mut |text| {
            text.clone_into(&mut read_text);
            read(text, false, budget)
        });
        match read? {
            Read::Value(value) => values.push(value),
            Read::Broken(error) => return Some((values, Some(error))),
        }
        let mut ends = serde_json::Deserializer::from_str(&read_text).into_iter::<IgnoredAny>();
        let end = ends.next().map_or(read_text.len(), |_| ends.byte_offset());
        let rest = read_text[end..].trim_start_matches(|c: char| c.is_whitespace() || matches!(c, ',' | ';'));
        let rest = without_marks(rest);
        let is_value = rest.starts_with(['{', '[']);
        if is_value && values.len() == MAX_BLOCK_VALUES {
            return Some((values, Some(format!("more than {MAX_BLOCK_VALUES} values"))));
        }
        text = if is_value { rest.to_owned() } else { String::new() };
    }
    Some((values, None))
}

/// Whether there is nothing in a block: many templates leave it out and its tags there.
fn is_blank(text: &str) -> bool {
    without_marks(text).trim().is_empty()
}

/// `text` without the marks and white space that it begins with.
fn without_marks(text: &str) -> &str {
    let mut rest = text.trim_start();
    while let Some(after) = MARKS.iter().find_map(|mark| rest.strip_prefix(mark)) {
        rest = after.trim_start();
    }
    rest
}

/// Reads `text` as it is, or, if that is not JSON, [`repaired`].
fn leniently(text: &str, read: &mut dyn FnMut(&str) -> Option<Read>) -> Option<Read> {
    if has_long_number(text) {
        return read(&repaired(text));
    }
    match read(text)? {
        Read::Broken(error) => Some(match read(&repaired(text))? {
            Read::Broken(_) => Read::Broken(error),
            value @ Read::Value(_) => value,
        }),
        value @ Read::Value(_) => Some(value),
    }
}

/// The first JSON value of `text`; what follows it is an error only if `strict`. `None`: told to stop.
fn read(text: &str, strict: bool, budget: &Budget<'_>) -> Option<Read> {
    let counter = Counter { left: Cell::new(MAX_VALUES), is_stopped: Cell::new(false), budget };
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Seed(&counter).deserialize(&mut reader);
    let value = value.and_then(|value| if strict { reader.end().map(|()| value) } else { Ok(value) });
    if counter.is_stopped.get() {
        return None;
    }
    Some(match value {
        Ok(value) => Read::Value(value),
        Err(error) => Read::Broken(error.to_string()),
    })
}

struct Counter<'a> {
    left: Cell<usize>,
    is_stopped: Cell<bool>,
    budget: &'a Budget<'a>,
}

impl Counter<'_> {
    fn count<E: Error>(&self) -> Result<(), E> {
        if self.budget.spend(2).is_none() {
            self.is_stopped.set(true);
            return Err(E::custom("stopped"));
        }
        match self.left.get().checked_sub(1) {
            Some(left) => self.left.set(left),
            None => return Err(E::custom(format_args!("more than {MAX_VALUES} values"))),
        }
        Ok(())
    }
}

/// A [`Value`], counted while it is read.
struct Seed<'a>(&'a Counter<'a>);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.0.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(Seed(self.0))? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            values.insert(key, map.next_value_seed(Seed(self.0))?);
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lenient(text: &str) -> Option<Value> {
        match read_first(text, &Budget::new(&|| true)).expect("told to go on") {
            Read::Value(value) => Some(value),
            Read::Broken(_) => None,
        }
    }

    #[test]
    fn bodies_are_read_as_sites_write_them_but_to_their_end() {
        let body = |text| match read_body(text, &Budget::new(&|| true)).expect("told to go on") {
            Read::Value(value) => Ok(value),
            Read::Broken(error) => Err(error),
        };
        assert_eq!(
            body(r#"[{"id": 1}, {"id": 2, "t": "x\ud83d"}, {"id": 3,},]"#),
            Ok(json!([{"id": 1}, {"id": 2, "t": "x\u{FFFD}"}, {"id": 3}]))
        );
        assert_eq!(body("{\"id\": 12345678901234567890123}"), Ok(json!({"id": "12345678901234567890123"})));
        assert_eq!(body("{\"a\": \"one\ntwo\", \"n\": 1e400}"), Ok(json!({"a": "one two", "n": "1e400"})));
        assert!(body("{\"a\": 1} x").unwrap_err().contains("trailing characters at line 1 column 10"));
        assert!(body("{\"a\": ").unwrap_err().contains("EOF"));
    }

    #[test]
    fn blocks_are_read_as_sites_write_them() {
        let plain = json!({"a": [1, "x // y"]});
        for text in [
            r#" {"a": [1, "x // y"]} "#,
            r#"<!-- {"a": [1, "x // y"]} -->"#,
            "//<![CDATA[\n{\"a\": [1, \"x // y\"]}\n//]]>",
            "/* <![CDATA[ */ {\"a\": [1, \"x // y\"]} /* ]]> */",
            r#"{"a": [1, "x // y",],};"#,
            r#"{"a": [1, "x // y"]}} trailing"#,
            "{\"a\": // one\n [1, \"x // y\"]}",
        ] {
            assert_eq!(lenient(text), Some(plain.clone()), "{text}");
        }
        assert_eq!(lenient("{\"a\": \"one\n\ttwo \\\" \"}"), Some(json!({"a": "one  two \" "})));
        for text in ["", "{", "nothing", "{\"a\": \"", "/*", "<!--"] {
            assert_eq!(lenient(text), None, "{text}");
        }
    }

    #[test]
    fn a_block_may_have_several_values() {
        let block = |text| read_block(text, &Budget::new(&|| true)).expect("told to go on");
        for text in ["{\"a\":1}{\"b\":2}", " {\"a\":1,},\n{\"b\":2};", "{\"a\":1}\n\n{\"b\":2,}} rubbish"] {
            assert_eq!(block(text), (vec![json!({"a": 1}), json!({"b": 2})], None), "{text}");
        }
        let (values, problem) = block("{\"a\":1}{\"b\":");
        assert!(values == [json!({"a": 1})] && problem.is_some());
        for text in ["", " \n", "<!-- -->", "//<![CDATA[\n//]]>"] {
            assert_eq!(block(text), (Vec::new(), None), "{text}");
        }
        let (values, problem) = block("//<![CDATA[\n{\"a\":1}\n//]]>\n<!-- {\"b\":\"x\\ud83d\",} -->");
        assert_eq!((values, problem), (vec![json!({"a": 1}), json!({"b": "x\u{FFFD}"})], None));
        let (values, problem) = block(&"{} ".repeat(MAX_BLOCK_VALUES + 1));
        assert!(values.len() == MAX_BLOCK_VALUES && problem.is_some());
    }

    #[test]
    fn numbers_are_read_to_the_last_bit() {
        let mut dice = seine_testkit::Dice::new();
        for _ in 0..20_000 {
            let number = f64::from_bits(dice.between(0, u64::MAX));
            if number.is_finite() {
                assert_eq!(lenient(&format!("[{number:?}]")), Some(json!([number])), "{number:?}");
            }
        }
    }

    #[test]
    fn depth_and_number_of_values_are_bounded_and_reading_stops_when_told() {
        let go_on = || true;
        let budget = Budget::new(&go_on);
        let deep = "[".repeat(100_000);
        assert!(matches!(read(&deep, true, &budget), Some(Read::Broken(_))));
        let wide = format!("[{}0]", "0,".repeat(MAX_VALUES));
        assert!(matches!(read(&wide, true, &budget), Some(Read::Broken(_))));
        let stop = || false;
        assert!(read(&wide, true, &Budget::new(&stop)).is_none());
    }
}
