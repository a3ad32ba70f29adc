//! The state of each job, in a file that survives any crash: it is written beside its name, then renamed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use seine_unix::invocation::Birth;

/// The layout of the file.
const VERSION: u32 = 1;

/// The file.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct State {
    /// [`VERSION`].
    version: u32,
    /// The seed of the jitter.
    pub seed: u64,
    /// By name.
    pub jobs: BTreeMap<String, JobState>,
}

/// One job. Times are UTC.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct JobState {
    /// Its cron text.
    pub cron: String,
    /// Its time zone.
    pub timezone: String,
    /// The store, absolute and without links.
    pub db: Option<String>,
    /// When its next run is due.
    pub next_due: Option<Timestamp>,
    /// When the last of its due times was that has come, whatever became of it.
    pub last_due: Option<Timestamp>,
    /// When its last run started.
    pub last_start: Option<Timestamp>,
    /// When that ended; null as long as it goes.
    pub last_end: Option<Timestamp>,
    /// Its exit code; null if it was killed, or nobody saw its end.
    pub last_exit: Option<i32>,
    /// The signal that killed it.
    pub last_signal: Option<i32>,
    /// The last summary that a run printed (`seine crawl --json`).
    pub last_summary: Option<serde_json::Value>,
    /// Whether its last run was cut short by the end of the scheduler, or one that was to make up for others was not
    /// begun.
    pub is_cut_short: bool,
    /// Runs started.
    pub runs: u64,
    /// Due times left out because the store was in use.
    pub skipped: u64,
    /// Due times that came while nobody looked.
    pub missed: u64,
    /// The run that goes now.
    pub running: Option<RunState>,
    /// The due time of a run that was due and waits for the store.
    pub waiting: Option<Timestamp>,
    /// Times of the cron text up to here are dealt with.
    pub seen: Option<Timestamp>,
}

/// A run that goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct RunState {
    /// Its process; null while that is being made.
    pub process: Option<Birth>,
}

/// Why there is no state.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file cannot be read.
    #[error("cannot read the state {0}")]
    Read(PathBuf, #[source] io::Error),
    /// It is something else.
    #[error("{0} is no state of a schedule; it is left untouched, choose another file with --state")]
    Foreign(PathBuf, #[source] serde_json::Error),
    /// It is of a later version.
    #[error("{0} was written by a newer seine; use that, or another file with --state")]
    Newer(PathBuf),
    /// It cannot be written.
    #[error("cannot write the state {0}; check that its folder exists and may be written")]
    Write(PathBuf, #[source] io::Error),
}

impl State {
    /// Of a schedule that has never run.
    pub fn new(seed: u64) -> Self {
        Self { version: VERSION, seed, jobs: BTreeMap::new() }
    }

    /// Reads the file at `path`; `None` if there is none, or nothing in it.
    ///
    /// # Errors
    /// [`StateError`]
    pub fn load(path: &Path) -> Result<Option<Self>, StateError> {
        let text = match fs::read(path) {
            Ok(text) if text.is_empty() => return Ok(None),
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StateError::Read(path.into(), error)),
        };
        let state: Self = serde_json::from_slice(&text).map_err(|error| StateError::Foreign(path.into(), error))?;
        if state.version > VERSION {
            return Err(StateError::Newer(path.into()));
        }
        Ok(Some(state))
    }

    /// Writes the file at `path`: whole or not at all, also if the power fails.
    ///
    /// # Errors
    /// [`StateError::Write`]; the file is as it was.
    pub fn save(&self, path: &Path) -> Result<(), StateError> {
        let failed = |error| StateError::Write(path.into(), error);
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        let mut file = File::create(&beside).map_err(failed)?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&beside, path).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_loaded_and_leaves_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        assert_eq!(State::load(&path).unwrap(), None);
        let mut state = State::new(7);
        let job = JobState {
            cron: "0 3 * * *".to_owned(),
            last_due: Some("2026-11-22T03:00:00Z".parse().unwrap()),
            last_summary: Some(serde_json::json!({ "urls": 3 })),
            running: Some(RunState { process: Some(Birth { pid: 5, ticks: 6 }) }),
            ..JobState::default()
        };
        state.jobs.insert("nightly".to_owned(), job);
        state.save(&path).unwrap();
        assert_eq!(State::load(&path).unwrap(), Some(state));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_of_something_else_is_not_taken_for_a_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crawl.db");
        fs::write(&path, "SQLite format 3\0").unwrap();
        assert!(matches!(State::load(&path), Err(StateError::Foreign(..))));
        fs::write(&path, r#"{"version":99,"seed":1,"jobs":{}}"#).unwrap();
        assert!(matches!(State::load(&path), Err(StateError::Newer(_))));
        fs::write(&path, "").unwrap();
        assert_eq!(State::load(&path).unwrap(), None, "cut short by a power failure");
        assert!(matches!(State::load(folder.path()), Err(StateError::Read(..))));
        assert!(matches!(State::new(1).save(&folder.path().join("no/state")), Err(StateError::Write(..))));
    }
}
