//! JSON as sites write it, bounded: bodies, JSON-LD blocks, texts in scripts.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::Budget;

/// Most values of one document; one that holds more is not read. (Its depth is bounded by 128.)
pub const MAX_VALUES: usize = 2_000_000;

/// Most values of one JSON-LD block; what follows them is passed over.
const MAX_BLOCK_VALUES: usize = 100;

/// What became of a text.
#[derive(Debug)]
pub(super) enum Read {
    /// It is JSON.
    Value(Value),
    /// It is none.
    Broken(String),
}

/// The first JSON value of `text`; what follows it is an error only if `strict`. `None`: told to stop.
pub(super) fn read(text: &str, strict: bool, budget: &Budget<'_>) -> Option<Read> {
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

/// The same of a JSON-LD block: as it is, or else without what templates leave in it (comments, CDATA marks, raw line
/// ends in strings, commas too many, rubbish at the end).
pub(super) fn read_lenient(text: &str, budget: &Budget<'_>) -> Option<Read> {
    match read(text, false, budget)? {
        Read::Broken(error) => Some(match read(&repaired(text), false, budget)? {
            Read::Value(value) => Read::Value(value),
            Read::Broken(_) => Read::Broken(error),
        }),
        value @ Read::Value(_) => Some(value),
    }
}

/// All values of a JSON-LD block, of which some have several, and what is wrong with it, if anything is.
pub(in crate::extract) fn read_block(text: &str, budget: &Budget<'_>) -> Option<(Vec<Value>, Option<String>)> {
    let (mut values, mut text) = (Vec::new(), text.to_owned());
    loop {
        let read = match read(&text, false, budget)? {
            Read::Broken(error) => {
                text = repaired(&text);
                match read(&text, false, budget)? {
                    Read::Broken(_) => return Some((values, Some(error))),
                    value @ Read::Value(_) => value,
                }
            }
            value @ Read::Value(_) => value,
        };
        let Read::Value(value) = read else { return Some((values, None)) };
        values.push(value);
        let mut ends = serde_json::Deserializer::from_str(&text).into_iter::<IgnoredAny>();
        let end = ends.next().map_or(text.len(), |_| ends.byte_offset());
        let rest = text[end..].trim_start_matches(|c: char| c.is_whitespace() || matches!(c, ',' | ';'));
        if !rest.starts_with(['{', '[']) || values.len() >= MAX_BLOCK_VALUES {
            return Some((values, None));
        }
        text = rest.to_owned();
    }
}

fn repaired(text: &str) -> String {
    const MARKS: [&str; 7] = ["<!--", "-->", "//<![CDATA[", "//]]>", "<![CDATA[", "]]>", "\u{FEFF}"];
    let mut fixed = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_string = false;
    while let Some(c) = rest.chars().next() {
        let len = c.len_utf8();
        if in_string {
            match c {
                '\\' => {
                    let escaped = rest[1..].chars().next().map_or(0, char::len_utf8);
                    fixed.push_str(&rest[..1 + escaped]);
                    rest = &rest[1 + escaped..];
                    continue;
                }
                '"' => in_string = false,
                _ => {}
            }
            fixed.push(if c < ' ' { ' ' } else { c });
            rest = &rest[len..];
            continue;
        }
        if let Some(mark) = MARKS.iter().find(|mark| rest.starts_with(**mark)) {
            rest = &rest[mark.len()..];
        } else if rest.starts_with("/*") {
            rest = rest.find("*/").map_or("", |end| &rest[end + 2..]);
        } else if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else {
            if matches!(c, '}' | ']') && fixed.trim_end().ends_with(',') {
                fixed.truncate(fixed.trim_end().len() - 1);
            }
            in_string = c == '"';
            fixed.push(c);
            rest = &rest[len..];
        }
    }
    fixed
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
        match read_lenient(text, &Budget::new(&|| true)).expect("told to go on") {
            Read::Value(value) => Some(value),
            Read::Broken(_) => None,
        }
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
