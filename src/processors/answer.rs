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
//! The order of answers is that of the records. A program that wants to be sure answers `{"id": …, "items": […]}` with the
//! record's own id, which is checked then.

use serde_json::Value;
use serde_json::value::RawValue;

/// Longest line, in bytes.
pub const MAX_BYTES: usize = 32 << 20;

/// The items of an answer to the record `id`, each a JSON object, `most` at most.
///
/// # Errors
/// The mistake in the answer, or the reason that the program gives, for people.
pub fn items(line: &[u8], id: i64, most: usize) -> Result<Vec<String>, String> {
    let no_json = |error| format!("answers no JSON ({error}): {}", shown(line));
    let whole: &RawValue = serde_json::from_slice(line).map_err(no_json)?;
    // Looked into no deeper than is needed, and kept as it was written: an answer takes no more memory than its line.
    match whole.get().as_bytes().first() {
        Some(b'n') => Ok(Vec::new()),
        Some(b'[') => objects(whole, most),
        Some(b'{') => answer(whole, id, most),
        _ => Err(format!("answers neither an object nor an array: {}", shown(line))),
    }
}

fn answer(whole: &RawValue, id: i64, most: usize) -> Result<Vec<String>, String> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Envelope<'a> {
        id: Option<Value>,
        #[serde(borrow)]
        items: Option<&'a RawValue>,
        error: Option<Value>,
    }
    match serde_json::from_str::<Envelope<'_>>(whole.get()) {
        Ok(Envelope { id: answered, items: Some(items), error: None }) => {
            if answered.as_ref().is_some_and(|answered| answered.as_i64() != Some(id)) {
                return Err(format!("answers record {} when asked for {id}", answered.unwrap_or_default()));
            }
            objects(items, most)
        }
        Ok(Envelope { items: None, error: Some(error), .. }) => {
            Err(error.as_str().map_or_else(|| error.to_string(), str::to_owned))
        }
        // Anything else is an item.
        _ => object(whole).map(|item| vec![item]),
    }
}

fn objects(items: &RawValue, most: usize) -> Result<Vec<String>, String> {
    let items: Vec<&RawValue> =
        serde_json::from_str(items.get()).map_err(|_| "answers items that are no array".to_owned())?;
    if items.len() > most {
        return Err(format!("answers {} items for one record, more than its max_items of {most}", items.len()));
    }
    items.into_iter().map(object).collect()
}

fn object(item: &RawValue) -> Result<String, String> {
    let text = item.get();
    if text.starts_with('{') {
        Ok(text.to_owned())
    } else {
        Err(format!("answers an item that is no object: {}", shown(text.as_bytes())))
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(100)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_none_one_or_several_items() {
        let count = |line: &str| items(line.as_bytes(), 7, 3).map(|items| items.len());
        assert_eq!(count("null"), Ok(0));
        assert_eq!(count("[]"), Ok(0));
        assert_eq!(count(r#"{"lang":"en"}"#), Ok(1));
        assert_eq!(count(r#"[{"a":1},{}]"#), Ok(2));
        assert_eq!(count(r#"{"items":[{"a":1},{"a":2},{"a":3}]}"#), Ok(3));
        assert_eq!(count(r#"{"id":7,"items":[{}]}"#), Ok(1));
        for too_many in ["[{},{},{},{}]", r#"{"items":[{},{},{},{}]}"#] {
            assert!(count(too_many).is_err_and(|error| error.contains("4 items")), "{too_many}");
        }
        // One with a field of that name beside others is an item.
        assert_eq!(count(r#"{"items":3,"shop":"x"}"#), Ok(1));
    }

    #[test]
    fn the_order_of_fields_stays() {
        assert_eq!(items(br#"{"z":1,"a":[2,"x"]}"#, 1, 1).unwrap(), [r#"{"z":1,"a":[2,"x"]}"#]);
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
            let error = items(line.as_bytes(), 7, 1).unwrap_err();
            assert!(error.contains(says), "{line}: {error}");
        }
    }

    #[test]
    fn a_deeply_nested_answer_is_an_error_and_no_crash() {
        assert!(items("[".repeat(1_000_000).as_bytes(), 1, 1).is_err());
    }
}
