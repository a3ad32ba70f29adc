//! `seine health`: whether a store is kept up to date, as an exit code for health checks.
//!
//! Looks and never touches: no lock is taken, no file is made, nothing is brought up to date.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::schedule::{absolute, state_of};
use super::session::written;
use crate::cli::HealthArgs;
use crate::console::text::printable;
use crate::schedule::keeper::lock_path;
use crate::schedule::state::State;
use seine_store::health::{Facts, RunFacts, facts};
use seine_store::{StoreError, open_at_rest};
use seine_unix::{clock, lock};

/// A run that has committed nothing for so long is taken for one that does not move. What a site asks for with
/// Retry-After is 5 minutes at most by default; a crawl that was allowed more by `--max-retry-after`, or given a longer
/// `--delay`, may well pause for longer and is unhealthy then.
const MOVES_WITHIN: Duration = Duration::from_secs(10 * 60);

/// A busy store is not waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Exit code of what is not well.
const UNHEALTHY: i32 = 1;

/// The demands on a store.
#[derive(Clone, Copy, Debug)]
struct Demands {
    max_age: Duration,
    fail_threshold: f64,
    now_ms: u64,
}

/// The verdict, and why.
type Verdict = Result<String, String>;

/// Says whether the store is healthy; returns the exit code.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: &HealthArgs) -> Result<i32> {
    let demands =
        Demands { max_age: args.max_age.0, fail_threshold: args.fail_threshold.0, now_ms: clock::wall().ms() };
    let (verdict, facts) = examined(args, demands);
    let healthy = verdict.is_ok();
    let reason = printable(&verdict.unwrap_or_else(|reason| reason));
    let text = if args.json {
        let run = facts.as_ref().and_then(|facts| facts.latest.as_ref());
        json!({
            "healthy": healthy,
            "reason": reason,
            "db": args.db.to_string_lossy(),
            "run_id": run.map(|run| run.run_id),
            "started_at": run.map(|run| crate::console::text::at_ms(run.started_at)),
            "ended_at": run.and_then(|run| run.ended_at).map(crate::console::text::at_ms),
            "ended_by": run.and_then(|run| run.ended_by.clone()),
            "last_at": run.map(|run| crate::console::text::at_ms(run.last_at)),
        })
        .to_string()
    } else {
        format!("{}: {reason}", if healthy { "healthy" } else { "unhealthy" })
    };
    written(writeln!(io::stdout(), "{text}"))?;
    Ok(if healthy { 0 } else { UNHEALTHY })
}

fn examined(args: &HealthArgs, demands: Demands) -> (Verdict, Option<Facts>) {
    let beside = state_of(&args.db);
    let state_path = args.state.as_deref().unwrap_or(&beside);
    let scheduler = lock::owner(&lock_path(state_path));
    // One that was named has to be there; one that merely lies beside the store may be of earlier times.
    if args.state.is_some() && scheduler.is_none() {
        return (Err(format!("no scheduler is at work with the state {}", state_path.display())), None);
    }
    // Asked before and after: a run that begins or ends meanwhile is none that was killed.
    let was_held = lock::owner(&args.db).is_some();
    match read(&args.db) {
        Ok(facts) if facts.latest.is_some() => {
            let is_held = was_held || lock::owner(&args.db).is_some();
            (judged(&facts, is_held, demands), Some(facts))
        }
        Ok(_) => (before_the_first_run(state_path, scheduler, &args.db, demands), None),
        Err(StoreError::Missing(_)) => (before_the_first_run(state_path, scheduler, &args.db, demands), None),
        Err(error) => (Err(error.to_string()), None),
    }
}

/// Without making the log's files where there are none: between two runs nothing at all is written.
fn read(path: &Path) -> Result<Facts, StoreError> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.len() > 0 => {}
        _ => return Err(StoreError::Missing(path.into())),
    }
    let db = open_at_rest(path)?;
    db.busy_timeout(PATIENCE)?;
    facts(&db)
}

/// A store that is not there yet is fine as long as the scheduler has not been due to make it.
fn before_the_first_run(state_path: &Path, scheduler: Option<u32>, db: &Path, demands: Demands) -> Verdict {
    let nothing = || Err(format!("there is no crawl in {} yet", db.display()));
    let Ok(Some(state)) = State::load(state_path) else { return nothing() };
    if scheduler.is_none() {
        return nothing();
    }
    let store = absolute(db).to_string_lossy().into_owned();
    let Some((name, job)) = state.jobs.iter().find(|(_, job)| job.db.as_ref() == Some(&store)) else {
        return nothing();
    };
    if let (Some(_), Some(start)) = (job.running, job.last_start) {
        let since = demands.now_ms.saturating_sub(u64::try_from(start.as_millisecond()).unwrap_or(0));
        if since < MOVES_WITHIN.as_millis() as u64 {
            return Ok(format!("the first run of {name} has just begun"));
        }
    }
    match job.next_due {
        Some(due) if job.runs == 0 => Ok(format!("the first run of {name} is due {due:.0}")),
        _ => nothing(),
    }
}

/// Whether runs like these are what was asked for; `is_held`: a process has the store now.
fn judged(facts: &Facts, is_held: bool, demands: Demands) -> Verdict {
    let age = |at: u64| Duration::from_millis(demands.now_ms.saturating_sub(at));
    let ago = |at: u64| crate::console::text::span_ms(age(at).as_millis() as u64 / 1000 * 1000);
    let Some(latest) = &facts.latest else { return Err("there is no run".to_owned()) };
    let at_work = latest.ended_at.is_none() && is_held;
    if latest.ended_at.is_none() && !is_held {
        return Err(format!("run {} was killed; its last commit was {} ago", latest.run_id, ago(latest.last_at)));
    }
    if at_work {
        // Before its first commit it has what the run before it left there.
        let moved = latest.last_at.max(latest.started_at);
        if age(moved) > MOVES_WITHIN {
            return Err(format!("run {} is at work, but has committed nothing for {}", latest.run_id, ago(moved)));
        }
    }
    if let Some(ended) = &facts.ended {
        complete_enough(ended, facts.ok, demands)?;
    }
    let recent = |at: u64| age(at) <= demands.max_age;
    match (&facts.ended, at_work) {
        (Some(RunFacts { run_id, ended_at: Some(at), ok, not_ok, .. }), _) if recent(*at) => {
            Ok(format!("run {run_id} ended {} ago, {ok} of {} ok", ago(*at), ok + not_ok))
        }
        (_, true) if recent(latest.started_at) => {
            Ok(format!("run {} is at work since {}", latest.run_id, crate::console::text::at_ms(latest.started_at)))
        }
        (_, true) => {
            Err(format!("run {} is at work since {} ago, longer than --max-age", latest.run_id, ago(latest.started_at)))
        }
        (Some(RunFacts { run_id, ended_at: Some(at), .. }), _) => {
            Err(format!("the last complete run, {run_id}, ended {} ago, longer than --max-age", ago(*at)))
        }
        _ => Err("no run has ended".to_owned()),
    }
}

fn complete_enough(run: &RunFacts, ok_in_store: u64, demands: Demands) -> Result<(), String> {
    let RunFacts { run_id, ended_by, ok, not_ok, .. } = run;
    match ended_by.as_deref() {
        Some("completed") => {}
        other => return Err(format!("run {run_id} is not complete: it was stopped ({})", other.unwrap_or("unknown"))),
    }
    let all = ok + not_ok;
    // A run that had nothing to fetch says nothing; what is there does.
    if *ok == 0 && (all > 0 || ok_in_store == 0) {
        return Err(format!("run {run_id} has no page that ended ok"));
    }
    let share = *not_ok as f64 / all.max(1) as f64;
    if share > demands.fail_threshold {
        return Err(format!("run {run_id}: {not_ok} of {all} failed, more than --fail-threshold"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;
    const NOW: u64 = 1000 * HOUR;

    fn demands() -> Demands {
        Demands { max_age: Duration::from_secs(26 * 3600), fail_threshold: 0.5, now_ms: NOW }
    }

    /// A run that ended so many hours ago.
    fn ended(hours: u64) -> RunFacts {
        let at = NOW - hours * HOUR;
        RunFacts {
            run_id: 7,
            started_at: at - HOUR,
            ended_at: Some(at),
            ended_by: Some("completed".to_owned()),
            last_at: at,
            ok: 60,
            not_ok: 40,
        }
    }

    /// A run that began so many hours ago and has just committed.
    fn going(hours: u64) -> RunFacts {
        RunFacts {
            run_id: 8,
            started_at: NOW - hours * HOUR,
            ended_at: None,
            ended_by: None,
            last_at: NOW,
            ok: 0,
            not_ok: 9,
        }
    }

    fn verdict(latest: RunFacts, before: Option<RunFacts>, is_held: bool) -> Verdict {
        let ended = if latest.ended_at.is_some() { Some(latest.clone()) } else { before };
        judged(&Facts { latest: Some(latest), ended, ok: 60 }, is_held, demands())
    }

    #[test]
    fn a_recent_complete_run_is_healthy_and_an_old_one_is_not() {
        assert_eq!(verdict(ended(2), None, false).unwrap(), "run 7 ended 2h ago, 60 of 100 ok");
        assert!(verdict(ended(25), None, false).is_ok());
        assert!(verdict(ended(27), None, false).unwrap_err().contains("ended 1day 3h ago"));
    }

    #[test]
    fn a_run_at_work_makes_up_for_an_old_one_as_long_as_it_moves() {
        assert!(verdict(going(3), Some(ended(40)), true).is_ok());
        assert!(verdict(going(3), None, true).is_ok());
        assert!(verdict(going(30), Some(ended(40)), true).unwrap_err().contains("longer than --max-age"));
        let stuck = RunFacts { last_at: NOW - HOUR, ..going(3) };
        assert!(verdict(stuck.clone(), Some(ended(4)), true).unwrap_err().contains("committed nothing for 1h"));
        // Nothing is committed yet: it has just begun.
        let fresh = RunFacts { started_at: NOW - 1000, last_at: 0, ..going(0) };
        assert!(verdict(fresh, None, true).is_ok());
    }

    #[test]
    fn a_run_that_was_killed_or_stopped_is_unhealthy() {
        assert!(verdict(going(3), Some(ended(4)), false).unwrap_err().contains("run 8 was killed"));
        let stopped = RunFacts { ended_by: Some("max_wall".to_owned()), ..ended(1) };
        assert!(verdict(stopped, None, false).unwrap_err().contains("stopped (max_wall)"));
    }

    #[test]
    fn too_many_failures_or_no_page_at_all_are_unhealthy() {
        assert!(verdict(RunFacts { ok: 50, not_ok: 50, ..ended(1) }, None, false).is_ok());
        assert!(verdict(RunFacts { ok: 49, not_ok: 51, ..ended(1) }, None, false).unwrap_err().contains("51 of 100"));
        assert!(verdict(RunFacts { ok: 0, not_ok: 1, ..ended(1) }, None, false).unwrap_err().contains("no page"));
        // Nothing was due: what is there counts.
        assert!(verdict(RunFacts { ok: 0, not_ok: 0, ..ended(1) }, None, false).is_ok());
    }
}
