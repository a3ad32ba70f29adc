//! Two JSON values, field by field.

use std::fmt::Write as _;

use serde_json::Value;

/// A value that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange<'a> {
    /// Where it is: `price`, `specs.weight`, `images[2].url`, `specs["net weight"]`. Of an array's element the index is
    /// that of the later value, if it has one.
    pub path: String,
    /// `None`: there was none, not even a null.
    pub before: Option<&'a Value>,
    /// `None`: there is none any more.
    pub after: Option<&'a Value>,
}

/// The fields that differ between two values, in the order of the later one; those it has no more come last.
pub fn compare<'a>(before: &'a Value, after: &'a Value) -> Vec<FieldChange<'a>> {
    let mut changes = Vec::new();
    walk(String::new(), Some(before), Some(after), &mut changes);
    changes
}

fn walk<'a>(path: String, before: Option<&'a Value>, after: Option<&'a Value>, changes: &mut Vec<FieldChange<'a>>) {
    match (before, after) {
        (before, after) if before == after => {}
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            for (name, value) in after {
                walk(member(&path, name), before.get(name), Some(value), changes);
            }
            for (name, value) in before.iter().filter(|(name, _)| !after.contains_key(*name)) {
                walk(member(&path, name), Some(value), None, changes);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => {
            // Elements that are the same at both ends are passed over: one more in front is one more, not all of them others.
            let shorter = before.len().min(after.len());
            let first = before.iter().zip(after).take_while(|(before, after)| before == after).count();
            let ends = before.iter().rev().zip(after.iter().rev()).take(shorter - first);
            let last = ends.take_while(|(before, after)| before == after).count();
            for at in first..before.len().max(after.len()) - last {
                let before = before[..before.len() - last].get(at);
                let after = after[..after.len() - last].get(at);
                walk(format!("{path}[{at}]"), before, after, changes);
            }
        }
        (before, after) => changes.push(FieldChange { path, before, after }),
    }
}

fn member(path: &str, name: &str) -> String {
    let is_plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    let mut member = path.to_owned();
    if !is_plain {
        let _ = write!(member, "[{}]", Value::from(name));
    } else if path.is_empty() {
        member.push_str(name);
    } else {
        let _ = write!(member, ".{name}");
    }
    member
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(before: Value, after: Value) -> Vec<String> {
        let text = |value: Option<&Value>| value.map_or_else(|| "-".to_owned(), Value::to_string);
        let line = |change: &FieldChange<'_>| format!("{} {} {}", change.path, text(change.before), text(change.after));
        compare(&before, &after).iter().map(line).collect()
    }

    #[test]
    fn every_field_that_differs_is_named_with_both_values() {
        assert_eq!(paths(json!({"a": 1, "b": "x"}), json!({"a": 1, "b": "x"})), [""; 0]);
        assert_eq!(paths(json!({"a": 1, "b": "x"}), json!({"b": "y", "a": 1.5})), ["b \"x\" \"y\"", "a 1 1.5"]);
        assert_eq!(paths(json!({"a": null, "b": 1}), json!({"a": 1, "c": null})), ["a null 1", "c - null", "b 1 -"]);
        assert_eq!(
            paths(json!({"s": {"w": 1, "h h": 2}}), json!({"s": {"w": 2, "h h": 3}})),
            ["s.w 1 2", "s[\"h h\"] 2 3"]
        );
        assert_eq!(paths(json!({"a": [1]}), json!({"a": {"b": 1}})), ["a [1] {\"b\":1}"]);
    }

    #[test]
    fn one_more_in_a_list_is_one_more() {
        assert_eq!(paths(json!(["a", "b"]), json!(["x", "a", "b"])), ["[0] - \"x\""]);
        assert_eq!(paths(json!(["a", "b"]), json!(["a", "b", "c"])), ["[2] - \"c\""]);
        assert_eq!(paths(json!(["a", "b", "c"]), json!(["a", "c"])), ["[1] \"b\" -"]);
        assert_eq!(paths(json!(["a", "a"]), json!(["a"])), ["[1] \"a\" -"]);
        assert_eq!(paths(json!([]), json!(["a"])), ["[0] - \"a\""]);
        assert_eq!(paths(json!([{"u": 1}, {"u": 2}]), json!([{"u": 1}, {"u": 3}])), ["[1].u 2 3"]);
    }
}
