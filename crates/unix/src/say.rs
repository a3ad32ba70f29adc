//! What the program says while it works: text for people on standard error, or, if that was chosen, one JSON object a
//! line on standard output. The choice holds for the whole process and, over a fork, for its children.
//!
//! A line is one write, and short enough ([`MAX_TEXT`]) that the lines of several processes do not mix in a pipe. Who
//! has closed the other end does not want to hear: that is no error.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value, json};

use super::title;

/// Longest text in a JSON line, in bytes; a pipe takes 4 KiB whole.
pub const MAX_TEXT: usize = 1024;

static IN_JSON: AtomicBool = AtomicBool::new(false);

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// How it goes.
    Info,
    /// Worth knowing; the work goes on.
    Warn,
    /// The work is lost or cannot begin.
    Error,
}

impl Level {
    /// As in a line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// From here on everything is said in JSON.
pub fn in_json() {
    IN_JSON.store(true, Ordering::Relaxed);
}

/// Whether that was chosen.
pub fn is_json() -> bool {
    IN_JSON.load(Ordering::Relaxed)
}

/// Says `text`, as it is for people; its lines are one message for programs.
pub fn say(level: Level, text: &str) {
    if is_json() {
        let message = text.trim_end();
        event("log", level, message.strip_prefix("seine: ").unwrap_or(message), Map::new());
    } else {
        let _ = writeln!(io::stderr(), "{text}");
    }
}

/// Says what only programs are told: `kind` names it, `fields` has its values.
pub fn event(kind: &str, level: Level, message: &str, fields: Map<String, Value>) {
    put(&line(kind, level.name(), message, fields));
}

/// Writes one finished line to standard output.
pub fn put(line: &str) {
    // Whole, so that nothing of another process gets in between.
    let _ = io::stdout().lock().write_all(format!("{line}\n").as_bytes());
}

/// `{"time": …, "level": …, "event": …, "role": …, "message": …, "fields": {…}}`, without the fields if there are none.
/// Times are UTC to the millisecond (RFC 3339).
pub fn line(kind: &str, level: &str, message: &str, fields: Map<String, Value>) -> String {
    let mut line = json!({
        "time": format!("{:.3}", jiff::Timestamp::now()),
        "level": level,
        "event": kind,
        "role": title::current().to_string(),
        "message": cut(message),
    });
    if !fields.is_empty() {
        let short = fields.into_iter().map(|(name, value)| match value {
            Value::String(text) => (name, cut(&text).into()),
            other => (name, other),
        });
        line["fields"] = short.collect();
    }
    line.to_string()
}

fn cut(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_TEXT {
        return text.into();
    }
    let end = (0..=MAX_TEXT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", &text[..end]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_object_and_fits_a_pipe() {
        let fields = Map::from_iter([("url".to_owned(), json!("ü".repeat(5000))), ("n".to_owned(), json!(7))]);
        let text = line("log", "warn", &"two\nlines \"and\" more ".repeat(500), fields);
        assert!(!text.contains('\n') && text.len() < 4096, "{} bytes", text.len());
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&value["level"], &value["event"], &value["fields"]["n"]),
            (&json!("warn"), &json!("log"), &json!(7))
        );
        assert!(value["message"].as_str().unwrap().starts_with("two\nlines"));
        assert!(value["time"].as_str().unwrap().ends_with('Z'));
        assert!(!line("log", "info", "", Map::new()).contains("fields"));
    }
}
