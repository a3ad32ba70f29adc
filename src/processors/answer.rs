//! A line that a program has answered, as items. Pure.
//!
//! | answer | means |
//! | --- | --- |
//! | `null`, `[]` | nothing |
//! | `{…}` | one item |
//! | `[{…}, {…}]` | several |
//! | `{"items": [{…}]}` | the same |
//! | `{"error": "…"}` | it cannot be done, and need not be tried again |
//!
//! The order of answers is that of the records. Whoever wants to be sure answers `{"id": …, "items": […]}` with the
//! record's own id, which is checked then.

use serde_json::{Map, Value};

/// Longest line, in bytes.
pub const MAX_BYTES: usize = 32 << 20;

/// The items of an answer to the record `id`, each a JSON object.
///
/// # Errors
/// What is wrong with the answer, or what the program says was wrong, for people.
pub fn items(line: &[u8], id: i64) -> Result<Vec<String>, String> {
    let value = serde_json::from_slice(line).map_err(|error| format!("answers no JSON ({error}): {}", shown(line)))?;
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => objects(items),
        Value::Object(object) => answer(object, id),
        _ => Err(format!("answers neither an object nor an array: {}", shown(line))),
    }
}

fn answer(mut object: Map<String, Value>, id: i64) -> Result<Vec<String>, String> {
    let names =
        |object: &Map<String, Value>, allowed: &[&str]| object.keys().all(|key| allowed.contains(&key.as_str()));
    if object.contains_key("items") && names(&object, &["id", "items"]) {
        if object.get("id").is_some_and(|answered| answered.as_i64() != Some(id)) {
            return Err(format!("answers record {} when asked for {id}", object["id"]));
        }
        return match object.remove("items") {
            Some(Value::Array(items)) => objects(items),
            _ => Err("answers items that are no array".to_owned()),
        };
    }
    if object.contains_key("error") && names(&object, &["id", "error"]) {
        let error = &object["error"];
        return Err(error.as_str().map_or_else(|| error.to_string(), str::to_owned));
    }
    Ok(vec![Value::Object(object).to_string()])
}

fn objects(items: Vec<Value>) -> Result<Vec<String>, String> {
    let object = |item: Value| match item {
        Value::Object(_) => Ok(item.to_string()),
        other => Err(format!("answers an item that is no object: {}", shown(other.to_string().as_bytes()))),
    };
    items.into_iter().map(object).collect()
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(100)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_none_one_or_several_items() {
        let count = |line: &str| items(line.as_bytes(), 7).map(|items| items.len());
        assert_eq!(count("null"), Ok(0));
        assert_eq!(count("[]"), Ok(0));
        assert_eq!(count(r#"{"lang":"en"}"#), Ok(1));
        assert_eq!(count(r#"[{"a":1},{}]"#), Ok(2));
        assert_eq!(count(r#"{"items":[{"a":1},{"a":2},{"a":3}]}"#), Ok(3));
        assert_eq!(count(r#"{"id":7,"items":[{}]}"#), Ok(1));
        // One with a field of that name beside others is an item.
        assert_eq!(count(r#"{"items":3,"shop":"x"}"#), Ok(1));
    }

    #[test]
    fn the_order_of_fields_stays() {
        assert_eq!(items(br#"{"z":1,"a":[2,"x"]}"#, 1).unwrap(), [r#"{"z":1,"a":[2,"x"]}"#]);
    }

    #[test]
    fn what_is_no_answer_says_so() {
        for (line, says) in [
            ("", "no JSON"),
            ("loading the model...", "loading the model"),
            ("3", "neither"),
            ("[1]", "no object"),
            (r#"{"id":8,"items":[]}"#, "record 8 when asked for 7"),
            (r#"{"items":{}}"#, "no array"),
            (r#"{"error":"no face in it"}"#, "no face in it"),
        ] {
            let error = items(line.as_bytes(), 7).unwrap_err();
            assert!(error.contains(says), "{line}: {error}");
        }
    }

    #[test]
    fn a_deeply_nested_answer_is_an_error_and_no_crash() {
        assert!(items("[".repeat(1_000_000).as_bytes(), 1).is_err());
    }
}
