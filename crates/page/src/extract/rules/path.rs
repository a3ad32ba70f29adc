//! JSONPath (RFC 9535), one step after the other, so that a query can be told to stop.
//!
//! Two things are not taken, since their cost is a power of the document's size: `$` and `..` inside a filter. A node
//! that several ways lead to is found once.

use std::collections::HashSet;

use serde_json::Value;
use serde_json_path::JsonPath;

use super::Budget;

/// A compiled path.
#[derive(Clone, Debug)]
pub struct Path {
    text: String,
    /// Each a path of its own, of one segment, and where it ends in the text.
    steps: Vec<(JsonPath, usize)>,
}

/// Why a text is no path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathError {
    /// Byte of the text.
    pub at: usize,
    /// The mistake, for people.
    pub message: String,
}

impl Path {
    /// Compiles a path.
    ///
    /// # Errors
    /// [`PathError`]
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if let Err(error) = JsonPath::parse(text) {
            let message = "expected a JSONPath such as `$.items[0].id`, `$..sku`, `$.list[*]`, `$[?@.type == 'x']`";
            let at = if text.starts_with('$') { error.position().min(text.len()) } else { 0 };
            return Err(PathError { at, message: message.to_owned() });
        }
        let mut steps = Vec::new();
        let mut at = 1;
        while at < text.len() {
            let end = at + segment_len(&text[at..]);
            let segment = text[at..end].trim();
            if let Some(odd) = unbounded_part(segment) {
                let message = "`$` and `..` cannot be used inside a filter".to_owned();
                let start = at + text[at..end].len() - text[at..end].trim_start().len();
                return Err(PathError { at: start + odd, message });
            }
            if !segment.is_empty() {
                let step = JsonPath::parse(&format!("${segment}"))
                    .map_err(|_| PathError { at, message: "expected a segment of a JSONPath".to_owned() })?;
                steps.push((step, end));
            }
            at = end;
        }
        Ok(Self { text: text.to_owned(), steps })
    }

    /// At most `limit` nodes of `root` it leads to, in the order of the document as far as the RFC has one.
    pub(super) fn nodes<'v>(&self, root: &'v Value, limit: usize, budget: &Budget<'_>) -> Option<Vec<&'v Value>> {
        let mut nodes = vec![root];
        for (number, (step, _)) in self.steps.iter().enumerate() {
            let is_last = number + 1 == self.steps.len();
            let mut seen = HashSet::new();
            let mut next = Vec::new();
            for node in nodes {
                let found = step.query(node).all();
                budget.spend(1 + found.len())?;
                next.extend(found.into_iter().filter(|node| seen.insert(std::ptr::from_ref::<Value>(node))));
                if is_last && next.len() >= limit {
                    break;
                }
            }
            nodes = next;
        }
        nodes.truncate(limit);
        Some(nodes)
    }

    /// The path up to each of its steps, with its text.
    pub(super) fn prefixes(&self) -> impl Iterator<Item = (String, Self)> {
        (1..=self.steps.len()).map(|len| {
            let text = self.text[..self.steps[len - 1].1].to_owned();
            (text.clone(), Self { text, steps: self.steps[..len].to_vec() })
        })
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Length of the first segment of `text`, the rest of a valid path.
fn segment_len(text: &str) -> usize {
    let start = text.len() - text.trim_start().len();
    let body = &text[start..];
    let dots = body.len() - body.trim_start_matches('.').len();
    let body = &body[dots..];
    let len = if body.starts_with('[') {
        bracket_len(body)
    } else {
        body.find(|c: char| matches!(c, '.' | '[') || c.is_whitespace()).unwrap_or(body.len())
    };
    (start + dots + len).max(1)
}

fn bracket_len(text: &str) -> usize {
    let mut depth = 0;
    for (at, byte) in outside_quotes(text) {
        match byte {
            b'[' => depth += 1,
            b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    text.len()
}

/// The place of a bracket whose cost cannot be bounded.
fn unbounded_part(segment: &str) -> Option<usize> {
    let open = segment.find('[')?;
    let mut before = 0;
    for (at, byte) in outside_quotes(segment).filter(|(at, _)| *at > open) {
        if byte == b'$' {
            return Some(at);
        }
        if byte == b'.' && before == b'.' {
            return Some(at - 1);
        }
        before = byte;
    }
    None
}

/// The bytes of `text` that are in no quoted string, with their places.
fn outside_quotes(text: &str) -> impl Iterator<Item = (usize, u8)> {
    let mut quote = None;
    let mut is_escaped = false;
    text.bytes().enumerate().filter(move |&(_, byte)| match quote {
        Some(open) => {
            if is_escaped {
                is_escaped = false;
            } else if byte == b'\\' {
                is_escaped = true;
            } else if byte == open {
                quote = None;
            }
            false
        }
        None => {
            if matches!(byte, b'"' | b'\'') {
                quote = Some(byte);
                return false;
            }
            true
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(path: &str, value: &Value) -> Vec<Value> {
        let path = Path::parse(path).expect(path);
        path.nodes(value, 100, &Budget::new(&|| true)).expect("told to go on").into_iter().cloned().collect()
    }

    #[test]
    fn steps_one_by_one_lead_where_the_whole_path_does() {
        let value = json!({
            "a": {"b": [{"c": 1, "d.e": 2}, {"c": 3}], "x y": [[1, 2], [3]]}, "c": 9, "q'\"]": {"[": 5},
        });
        for path in [
            "$",
            "$.a",
            "$.a.b[0].c",
            "$.a.b[*].c",
            "$..c",
            "$.a..c",
            "$..[0]",
            "$['a']['x y'][0][1]",
            "$.a.b[?@.c > 1]",
            "$.a.b[?@['d.e'] == 2].c",
            "$[\"q'\\\"]\"]['[']",
            "$.a.b[-1:].c",
            "$.a.b[0, 1]['c', 'd.e']",
            "$ .a ['b'] [0]",
            "$.*.b",
            "$.a.b[?match(@['d.e'], 'x') || search(@.c, 'y')]",
        ] {
            let whole: Vec<_> = JsonPath::parse(path).expect(path).query(&value).all().into_iter().cloned().collect();
            assert_eq!(found(path, &value), whole, "{path}");
        }
    }

    #[test]
    fn a_mistake_is_shown_where_it_is() {
        for (path, at) in [("", 0), ("items", 0), ("$[?@.a == $.b]", 10), ("$.a[?@..b]", 6), ("$.a[", 3)] {
            let error = Path::parse(path).expect_err(path);
            assert_eq!(error.at, at, "{path}: {error:?}");
        }
        assert!(Path::parse("$['$..']").is_ok());
    }

    #[test]
    fn many_ways_to_a_node_find_it_once() {
        let mut value = json!(1);
        for _ in 0..100 {
            value = json!([value]);
        }
        assert_eq!(found("$..*..*..*", &value).len(), 98);
    }
}
