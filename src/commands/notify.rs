//! Notifications of the end of a run: decides whether this kind of end was asked for, and sends the summary.

use serde_json::{Value, json};

use crate::config::{NotifyOn, Settings};
use crate::notify::{Message, is_wanted, send};
use seine_core::protocol::EndedBy;

use super::session::STOPPED;

/// How a run has ended, as far as that decides who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The exit code.
    pub code: i32,
    /// The cause of the end.
    pub ended_by: EndedBy,
    /// Whether it found something new, changed or gone.
    pub has_changes: bool,
}

impl End {
    /// The name of the event.
    fn kind(self) -> &'static str {
        use EndedBy::{HostLimit, Interrupted, Limit, MaxBytes, MaxWall, Terminated};
        match self.ended_by {
            EndedBy::Completed if self.code == 0 => "run.completed",
            Limit | MaxWall | MaxBytes | HostLimit if self.code == STOPPED => "run.stopped",
            Interrupted | Terminated => "run.stopped",
            _ => "run.failed",
        }
    }

    fn is_asked_for(self, on: &[NotifyOn]) -> bool {
        on.iter().any(|on| match on {
            NotifyOn::Always => true,
            NotifyOn::Change => self.has_changes,
            NotifyOn::Failure => self.kind() == "run.failed",
        })
    }
}

/// Tells of the end of a run whose `summary` is what `--json` prints, if somebody is to be told. The store must not be
/// locked any more: a program may want to work on it.
pub fn tell(settings: &Settings, end: End, summary: &Value) {
    if is_wanted(&settings.notify) && end.is_asked_for(&settings.notify.notify_on) {
        send(&settings.notify, &settings.fetching(), &message(settings, end, summary));
    }
}

fn message(settings: &Settings, end: End, summary: &Value) -> Message {
    let kind = end.kind();
    let db = std::path::absolute(&settings.store.db).unwrap_or_else(|_| settings.store.db.clone());
    let mut data = summary.clone();
    data["db"] = json!(db.to_string_lossy());
    data["exit_code"] = json!(end.code);
    let now = jiff::Timestamp::now();
    let run = data["run"]["run_id"].as_i64().map(|run_id| run_id.to_string()).unwrap_or_default();
    let variables = vec![
        ("SEINE_EVENT", kind.to_owned()),
        ("SEINE_DB", db.to_string_lossy().into_owned()),
        ("SEINE_RUN", run),
        ("SEINE_EXIT_CODE", end.code.to_string()),
        ("SEINE_ENDED_BY", end.ended_by.name().to_owned()),
    ];
    let body = json!({ "type": kind, "timestamp": format!("{now:.3}"), "data": data }).to_string();
    let name = format!("{}\n{now}\n{body}", std::process::id());
    let id = format!("msg_{}", &blake3::hash(name.as_bytes()).to_hex()[..32]);
    Message { id, body, variables }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_and_signals_are_no_failures_and_full_disks_are() {
        let end = |code, ended_by| End { code, ended_by, has_changes: false };
        for (end, kind) in [
            (end(0, EndedBy::Completed), "run.completed"),
            (end(1, EndedBy::Completed), "run.failed"),
            (end(3, EndedBy::Completed), "run.failed"),
            (end(6, EndedBy::Completed), "run.failed"),
            (end(3, EndedBy::HostLimit), "run.stopped"),
            (end(143, EndedBy::Terminated), "run.stopped"),
            (end(3, EndedBy::Failure), "run.failed"),
            (end(5, EndedBy::MinFreeDisk), "run.failed"),
        ] {
            assert_eq!(end.kind(), kind, "{end:?}");
            assert_eq!(end.is_asked_for(&[NotifyOn::Change, NotifyOn::Failure]), kind == "run.failed", "{end:?}");
            assert!(end.is_asked_for(&[NotifyOn::Always]) && !end.is_asked_for(&[NotifyOn::Change]));
            assert!(End { has_changes: true, ..end }.is_asked_for(&[NotifyOn::Change]));
        }
    }
}
