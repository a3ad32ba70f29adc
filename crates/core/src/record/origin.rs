//! Lines of shards: of which list and line they were before `seine split`.
//!
//! A line of a shard is a JSON object that begins with the reserved field `_seine`, and its columns follow:
//! `{"_seine":["urls.txt",17,"https://…"],"id":"7"}`. Of a line that was no URL the reason stands behind its text. In the
//! store of the shard the columns keep list and line, `{"_seine":["urls.txt",17],"id":"7"}`, until `seine merge` puts the
//! line where it came from.

use serde::de::DeserializeOwned;

/// The reserved field.
pub const FIELD: &str = "_seine";

/// How columns and lines of shards begin.
const BEGINNING: &str = "{\"_seine\":";

/// The place that a line of a shard had before the split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The list, as it was named to `seine split`.
    pub list: String,
    /// Its line.
    pub line: u64,
}

/// A line of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardLine {
    /// The first of a file: it says that this is a shard, which may have no other.
    Head,
    /// A line that was one of a list.
    Record {
        /// Its place before the split.
        origin: Origin,
        /// Its URL as it was given.
        raw_url: String,
        /// Why that is no URL.
        rejected: Option<String>,
        /// List and line, and the columns it had: what a store keeps.
        columns: String,
    },
}

/// The head of a shard's file.
pub fn head(shard: u32, of: u32) -> String {
    format!("{BEGINNING}{{\"shard\":{shard},\"of\":{of}}}}}")
}

/// A line of a shard, without its end; `columns` is the text of a JSON object.
pub fn shard_line(origin: &Origin, raw_url: &str, rejected: Option<&str>, columns: Option<&str>) -> String {
    let field = match rejected {
        Some(reason) => serde_json::json!([origin.list, origin.line, raw_url, reason]),
        None => serde_json::json!([origin.list, origin.line, raw_url]),
    };
    with_field(&field, columns)
}

/// Reads `text` as a line of a shard; `None` if it is none.
pub fn read_shard_line(text: &str) -> Option<ShardLine> {
    let (field, rest) = field::<serde_json::Value>(text)?;
    if field.is_object() && rest == "}" {
        return Some(ShardLine::Head);
    }
    let (list, line, raw_url, rejected) = match serde_json::from_value::<(String, u64, String, String)>(field.clone()) {
        Ok((list, line, raw_url, reason)) => (list, line, raw_url, Some(reason)),
        Err(_) => serde_json::from_value::<(String, u64, String)>(field)
            .map(|(list, line, raw_url)| (list, line, raw_url, None))
            .ok()?,
    };
    let columns = with_field(&serde_json::json!([list, line]), columns_of(rest).as_deref());
    Some(ShardLine::Record { origin: Origin { list, line }, raw_url, rejected, columns })
}

/// The origin in `columns` of a shard's store, and the columns without it; `None` if they are of no shard.
pub fn split_columns(columns: &str) -> Option<(Origin, Option<String>)> {
    let ((list, line), rest) = field::<(String, u64)>(columns)?;
    Some((Origin { list, line }, columns_of(rest)))
}

fn with_field(field: &serde_json::Value, columns: Option<&str>) -> String {
    match columns.and_then(|columns| columns.strip_prefix('{')).filter(|rest| *rest != "}") {
        Some(rest) => format!("{BEGINNING}{field},{rest}"),
        None => format!("{BEGINNING}{field}}}"),
    }
}

/// The value of the field, and what follows it.
fn field<T: DeserializeOwned>(text: &str) -> Option<(T, &str)> {
    let text = text.strip_prefix(BEGINNING)?;
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<T>();
    let value = values.next()?.ok()?;
    let rest = &text[values.byte_offset()..];
    (rest == "}" || rest.starts_with(',') && rest.ends_with('}')).then_some((value, rest))
}

fn columns_of(rest: &str) -> Option<String> {
    Some(format!("{{{}", rest.strip_prefix(',')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        Origin { list: "ü \"x\".csv".to_owned(), line: 17 }
    }

    #[test]
    fn a_line_says_what_was_put_into_it() {
        for columns in [None, Some("{\"url\":\"other\",\"n\":1e400}"), Some("{}")] {
            for rejected in [None, Some("not a \"URL\"")] {
                let line = shard_line(&origin(), "https://a.example/\u{1}", rejected, columns);
                let Some(ShardLine::Record { origin: read, raw_url, rejected: reason, columns: kept }) =
                    read_shard_line(&line)
                else {
                    panic!("{line}")
                };
                assert_eq!(
                    (read, raw_url.as_str(), reason.as_deref()),
                    (origin(), "https://a.example/\u{1}", rejected)
                );
                let (again, own) = split_columns(&kept).expect("an origin");
                assert_eq!((again, own.as_deref()), (origin(), columns.filter(|columns| *columns != "{}")));
            }
        }
        assert_eq!(read_shard_line(&head(3, 16)), Some(ShardLine::Head));
    }

    #[test]
    fn what_only_looks_like_a_line_of_a_shard_is_none() {
        for text in [
            "{\"url\":\"https://a.example/\"}",
            "{\"_seine\":1}",
            "{\"_seine\":[\"a\",-1,\"u\"]}",
            "{\"_seine\":[\"a\",1]}",
            "{\"_seine\":[\"a\",1,\"u\"]",
            "{\"_seine\":[\"a\",1,\"u\"]x}",
            "{\"_seine\":{\"shard\":1},\"a\":2}",
            "{\"_seine\":[\"a\",1,\"u\",\"r\",5]}",
        ] {
            assert_eq!(read_shard_line(text), None, "{text}");
        }
        assert_eq!(split_columns("{\"id\":\"7\"}"), None);
    }
}
