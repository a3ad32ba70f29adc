//! The plan in simulated time: nothing here waits for anything.

use seine_testkit::Dice;
use std::path::PathBuf;

use super::*;
use crate::schedule::job::Output;

const BEGIN: &str = "2026-11-22T12:00:30Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// So many seconds after [`BEGIN`].
fn after(seconds: i64) -> Timestamp {
    at(BEGIN) + SignedDuration::from_secs(seconds)
}

fn job(name: &str, cron: &str) -> Job {
    Job {
        name: name.to_owned(),
        cron: cron.parse().unwrap(),
        zone: "UTC".parse().unwrap(),
        jitter: Duration::ZERO,
        run_on_start: false,
        overlap: Overlap::Skip,
        catch_up: false,
        arguments: Vec::new(),
        output: Output::Shared,
        db: Some(PathBuf::from(name)),
        store: Some(PathBuf::from(name)),
    }
}

fn begun(jobs: Vec<Job>) -> Plan {
    let (plan, steps) = Plan::new(jobs, State::new(1), at(BEGIN), |_| false);
    assert_eq!(steps, []);
    plan
}

/// The plan of a scheduler that comes after the one that has left `state`.
fn restarted(jobs: Vec<Job>, state: State, now: Timestamp) -> (Plan, Vec<Step>) {
    Plan::new(jobs, state, now, |_| false)
}

fn done(plan: &mut Plan, at: usize, now: Timestamp) {
    plan.ended(at, now, Some(Exit::Code(0)), None);
}

fn counts(plan: &Plan, at: usize) -> (u64, u64, u64) {
    let (_, state) = plan.jobs().nth(at).unwrap();
    (state.runs, state.skipped, state.missed)
}

#[test]
fn a_run_starts_when_it_is_due_and_not_before() {
    let mut plan = begun(vec![job("a", "* * * * *")]);
    assert_eq!(plan.next_due(), Some(after(30)));
    assert_eq!(plan.look(after(29)), []);
    assert_eq!(plan.look(after(30)), [Step::Start(0, after(30), Why::Due)]);
    assert_eq!(plan.look(after(31)), []);
    done(&mut plan, 0, after(40));
    assert_eq!(plan.look(after(90)), [Step::Start(0, after(90), Why::Due)]);
    assert_eq!(counts(&plan, 0), (2, 0, 0));
}

#[test]
fn what_is_due_while_the_last_run_goes_is_skipped() {
    let mut plan = begun(vec![job("a", "* * * * *")]);
    plan.look(after(30));
    assert_eq!(plan.look(after(90)), [Step::Skipped(0, after(90), Busy::Itself)]);
    assert_eq!(plan.look(after(150)), [Step::Skipped(0, after(150), Busy::Itself)]);
    done(&mut plan, 0, after(160));
    assert_eq!(plan.look(after(160)), [], "nothing is made up for");
    assert_eq!(counts(&plan, 0), (1, 2, 0));
}

#[test]
fn or_it_runs_once_right_after() {
    let mut plan = begun(vec![Job { overlap: Overlap::Queue, ..job("a", "* * * * *") }]);
    plan.look(after(30));
    assert_eq!(plan.look(after(90)), [Step::Waits(0, after(90), Busy::Itself)]);
    assert_eq!(plan.look(after(150)), [Step::Skipped(0, after(150), Busy::Itself)]);
    done(&mut plan, 0, after(160));
    assert_eq!(plan.look(after(160)), [Step::Start(0, after(90), Why::Due)]);
    done(&mut plan, 0, after(170));
    assert_eq!(plan.look(after(170)), []);
    assert_eq!(counts(&plan, 0), (2, 1, 0));
}

#[test]
fn two_jobs_of_one_store_never_run_at_once() {
    let store = Some(PathBuf::from("same"));
    let jobs = vec![
        Job { store: store.clone(), ..job("a", "* * * * *") },
        Job { store, overlap: Overlap::Queue, ..job("b", "* * * * *") },
        job("elsewhere", "* * * * *"),
    ];
    let mut plan = begun(jobs);
    let steps = plan.look(after(30));
    assert_eq!(
        steps,
        [
            Step::Waits(1, after(30), Busy::Other("a".to_owned())),
            Step::Start(0, after(30), Why::Due),
            Step::Start(2, after(30), Why::Due)
        ]
    );
    done(&mut plan, 0, after(40));
    assert_eq!(plan.look(after(40)), [Step::Start(1, after(30), Why::Due)]);
    assert_eq!(
        plan.look(after(90))[0],
        Step::Skipped(0, after(90), Busy::Other("b".to_owned())),
        "its turn has come, but the store is in use"
    );
}

#[test]
fn jobs_without_a_store_are_in_nobodys_way() {
    let jobs = ["a", "b"].map(|name| Job { store: None, ..job(name, "* * * * *") });
    let mut plan = begun(jobs.to_vec());
    assert_eq!(plan.look(after(30)).len(), 2);
}

#[test]
fn whatever_happens_no_two_runs_are_on_one_store_and_every_time_is_accounted_for() {
    for seed in 1..=40_u64 {
        let mut dice = Dice::of(seed);
        let mut roll = |sides: u64| dice.between(0, sides - 1);
        let jobs: Vec<Job> = (0..4)
            .map(|number| Job {
                store: Some(PathBuf::from(format!("store {}", number % 2))),
                overlap: if roll(2) == 0 { Overlap::Skip } else { Overlap::Queue },
                jitter: Duration::from_secs(roll(50)),
                ..job(&format!("{number}"), ["* * * * *", "*/2 * * * *", "*/20 * * * * *", "*/3 * * * *"][number])
            })
            .collect();
        let mut plan = begun(jobs.clone());
        let (mut now, mut running) = (at(BEGIN), Vec::new());
        for _ in 0..500 {
            now += SignedDuration::from_secs(1 + i64::try_from(roll(25)).unwrap());
            for step in plan.look(now) {
                if let Step::Start(at, ..) = step {
                    assert!(
                        running.iter().all(|&other: &usize| other % 2 != at % 2),
                        "seed {seed}: {at} and {running:?}"
                    );
                    running.push(at);
                }
            }
            if roll(3) == 0 && !running.is_empty() {
                let at = running.swap_remove(roll(running.len() as u64) as usize);
                done(&mut plan, at, now);
            }
        }
        for (at, job) in jobs.iter().enumerate() {
            let (mut seen, mut due) = (self::at(BEGIN), 0);
            while let Some((named, _)) = job.next_after(seen, 1).filter(|(_, due)| *due <= now) {
                (seen, due) = (named, due + 1);
            }
            let (runs, skipped, missed) = counts(&plan, at);
            let waits = u64::from(plan.standings[at].waits.is_some());
            assert_eq!(runs + skipped + missed + waits, due, "seed {seed}, job {at}");
        }
    }
}

#[test]
fn what_was_missed_while_the_machine_slept_is_said_and_with_catch_up_made_up_for_once() {
    for catch_up in [false, true] {
        let mut plan = begun(vec![Job { catch_up, ..job("a", "0 * * * *") }]);
        // Asleep from 12:00:30 to 15:30.
        let now = at("2026-11-22T15:30:00Z");
        let last = at("2026-11-22T15:00:00Z");
        let mut expected = vec![Step::Missed(0, 3, last, catch_up)];
        if catch_up {
            expected.push(Step::Start(0, now, Why::CatchUp));
        }
        assert_eq!(plan.look(now), expected);
        assert_eq!(counts(&plan, 0), (u64::from(catch_up), 0, 3));
        assert_eq!(plan.next_due(), Some(at("2026-11-22T16:00:00Z")));
    }
}

#[test]
fn a_run_that_is_a_little_late_is_no_missed_one() {
    let mut plan = begun(vec![job("a", "0 * * * *")]);
    let due = at("2026-11-22T13:00:00Z");
    assert_eq!(plan.look(due + LATE), [Step::Start(0, due, Why::Due)]);
}

#[test]
fn a_restart_tells_what_was_missed_meanwhile() {
    for catch_up in [false, true] {
        let jobs = vec![Job { catch_up, ..job("a", "* * * * *") }];
        let mut plan = begun(jobs.clone());
        plan.look(after(30));
        done(&mut plan, 0, after(40));
        let now = after(30 + 5 * 60 + 10);
        let (mut plan, steps) = restarted(jobs, plan.state(), now);
        assert_eq!(steps, [Step::Missed(0, 5, after(30 + 5 * 60), catch_up)]);
        let expected = if catch_up { vec![Step::Start(0, now, Why::CatchUp)] } else { vec![] };
        assert_eq!(plan.look(now), expected);
        assert_eq!(plan.next_due(), Some(after(30 + 6 * 60)));
    }
}

#[test]
fn a_restart_within_the_same_minute_misses_nothing_and_repeats_nothing() {
    let jobs = vec![Job { catch_up: true, ..job("a", "* * * * *") }];
    let mut plan = begun(jobs.clone());
    plan.look(after(30));
    done(&mut plan, 0, after(31));
    let (mut plan, steps) = restarted(jobs, plan.state(), after(32));
    assert_eq!(steps, []);
    assert_eq!(plan.look(after(33)), []);
    assert_eq!(counts(&plan, 0), (1, 0, 0));
}

#[test]
fn a_run_that_was_cut_short_goes_on_with_catch_up() {
    for catch_up in [false, true] {
        let jobs = vec![Job { catch_up, ..job("a", "0 * * * *") }];
        let mut plan = begun(jobs.clone());
        plan.look(at("2026-11-22T13:00:00Z"));
        // Killed here: the state says that a run was begun.
        let killed = plan.state();
        // Or asked to stop, and with it its run.
        plan.stop();
        plan.ended(0, at("2026-11-22T13:05:00Z"), Some(Exit::Code(143)), None);
        for state in [killed, plan.state()] {
            let now = at("2026-11-22T13:10:00Z");
            let (mut next, steps) = restarted(jobs.clone(), state, now);
            assert_eq!(steps, [Step::CutShort(0, catch_up)]);
            assert_eq!(!next.look(now).is_empty(), catch_up);
            let (_, again) = restarted(jobs.clone(), next.state(), now);
            assert_eq!(again, [Step::CutShort(0, catch_up)], "until a run has ended by itself");
        }
    }
}

#[test]
fn a_run_that_has_outlived_its_scheduler_is_waited_for() {
    let jobs = vec![Job { catch_up: true, ..job("a", "* * * * *") }];
    let mut plan = begun(jobs.clone());
    plan.look(after(30));
    let birth = Birth { pid: 77, ticks: 5 };
    plan.started(0, Some(birth));
    let (mut plan, steps) = Plan::new(jobs, plan.state(), after(40), |process| process == birth);
    assert_eq!(steps, []);
    assert_eq!(plan.look(after(90)), [Step::Skipped(0, after(90), Busy::Itself)]);
    plan.ended(0, after(95), None, None);
    assert_eq!(plan.look(after(95)), [Step::Start(0, after(95), Why::CatchUp)]);
}

#[test]
fn a_run_that_goes_on_is_tried_again_while_the_store_is_held() {
    for catch_up in [false, true] {
        let jobs = vec![Job { catch_up, ..job("a", "0 * * * *") }];
        let mut plan = begun(jobs.clone());
        let begin = at("2026-11-22T13:00:00Z");
        plan.look(begin);
        plan.ended(0, begin, Some(Exit::Code(HELD)), None);
        assert_eq!(plan.again(0), None, "nothing was cut short");
        plan.look(begin + SignedDuration::from_hours(1));
        let now = begin + SignedDuration::from_mins(70);
        let (mut plan, _) = restarted(jobs.clone(), plan.state(), now);
        if !catch_up {
            assert_eq!(plan.look(now), []);
            continue;
        }
        for minute in 0..3 {
            let now = now + TRY_AGAIN_AFTER * minute;
            assert_eq!(plan.look(now), [Step::Start(0, now, Why::CatchUp)]);
            plan.ended(0, now, Some(Exit::Code(HELD)), None);
            assert_eq!(plan.look(now + SignedDuration::from_secs(59)), []);
            assert_eq!(plan.next_due(), Some(now + TRY_AGAIN_AFTER));
            let (_, steps) = restarted(jobs.clone(), plan.state(), now);
            assert_eq!(steps, [Step::CutShort(0, true)], "whenever the scheduler starts again");
        }
        let now = now + TRY_AGAIN_AFTER * 3;
        plan.look(now);
        done(&mut plan, 0, now);
        assert_eq!((plan.again(0), plan.state().jobs["a"].is_cut_short), (None, false));
    }
}

#[test]
fn a_run_to_catch_up_that_waits_is_counted_once_however_often_the_scheduler_starts() {
    let jobs = vec![Job { catch_up: true, run_on_start: true, ..job("a", "0 * * * *") }];
    let mut plan = begun(jobs.clone());
    let birth = Birth { pid: 77, ticks: 5 };
    plan.look(after(0));
    plan.started(0, Some(birth));
    let mut state = plan.state();
    for _ in 0..3 {
        // The run of the first scheduler still goes.
        let (mut plan, _) = Plan::new(jobs.clone(), state, at("2026-11-22T13:10:00Z"), |process| process == birth);
        assert_eq!(plan.look(at("2026-11-22T13:10:00Z")), []);
        assert_eq!(counts(&plan, 0), (1, 0, 1));
        state = plan.state();
        assert_eq!(state.jobs["a"].waiting, None);
    }
    let (mut plan, steps) = restarted(jobs, state, at("2026-11-22T13:20:00Z"));
    assert_eq!(steps, [Step::CutShort(0, true)]);
    assert_eq!(plan.look(at("2026-11-22T13:20:00Z")), [Step::Start(0, at("2026-11-22T13:20:00Z"), Why::CatchUp)]);
}

#[test]
fn a_start_runs_at_once_if_asked_to_and_only_once() {
    let jobs = vec![Job { run_on_start: true, catch_up: true, ..job("a", "* * * * *") }];
    let mut plan = begun(jobs.clone());
    assert_eq!(plan.look(after(0)), [Step::Start(0, after(0), Why::Start)]);
    done(&mut plan, 0, after(1));
    let (mut plan, steps) = restarted(jobs, plan.state(), after(100));
    assert_eq!(steps.len(), 1);
    assert_eq!(plan.look(after(100)), [Step::Start(0, after(100), Why::CatchUp)]);
}

#[test]
fn other_times_in_the_config_are_no_reason_to_have_missed_any() {
    let mut plan = begun(vec![job("a", "* * * * *")]);
    plan.look(after(30));
    done(&mut plan, 0, after(31));
    let (plan, steps) = restarted(vec![job("a", "*/5 * * * *")], plan.state(), after(3600));
    assert_eq!(steps, []);
    assert_eq!(counts(&plan, 0), (1, 0, 0), "what is known stays");
}

#[test]
fn jitter_puts_a_run_off_by_the_same_whenever_it_is_asked() {
    let jittery = Job { jitter: Duration::from_secs(600), ..job("a", "0 * * * *") };
    let mut seen = at(BEGIN);
    let mut offs = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let (named, due) = jittery.next_after(seen, 9).unwrap();
        let off = due.duration_since(named);
        assert!(off >= SignedDuration::ZERO && off <= SignedDuration::from_secs(600));
        assert_eq!(jittery.next_after(seen, 9), Some((named, due)));
        offs.insert(off);
        seen = named;
    }
    assert!(offs.len() > 90, "{} different ones", offs.len());
    assert_ne!(jittery.next_after(seen, 9), jittery.next_after(seen, 10), "another machine, another time");
    // Between the named time and the end of the jitter a restart loses nothing.
    let mut plan = begun(vec![jittery.clone()]);
    let due = plan.next_due().unwrap();
    assert_eq!(plan.look(due - SignedDuration::from_millis(1)), []);
    let (mut plan, steps) = restarted(vec![jittery], plan.state(), due - SignedDuration::from_millis(1));
    assert_eq!((steps, plan.look(due)), (vec![], vec![Step::Start(0, due, Why::Due)]));
}

#[test]
fn a_clock_put_back_repeats_nothing_unless_it_was_put_right() {
    let mut plan = begun(vec![job("a", "* * * * *")]);
    plan.look(after(30));
    done(&mut plan, 0, after(31));
    assert_eq!(plan.look(after(-600)), []);
    assert_eq!(plan.next_due(), Some(after(90)), "ten minutes are waited for");
    let long_ago = at("2020-01-01T00:00:30Z");
    assert_eq!(plan.look(long_ago), [Step::PutBack(0)]);
    assert_eq!(plan.next_due(), Some(at("2020-01-01T00:01:00Z")));
}

#[test]
fn years_of_missed_seconds_are_not_counted_one_by_one() {
    let mut plan = begun(vec![job("a", "* * * * * *")]);
    let now = at("2031-01-01T00:00:00Z");
    let steps = plan.look(now);
    assert!(matches!(steps[0], Step::Missed(0, COUNTED, ..)), "{:?}", steps[0]);
    assert!(plan.next_due().unwrap() > now);
}

#[test]
fn the_hour_that_is_there_twice_has_one_run_of_a_fixed_time() {
    let vienna = Job { zone: "Europe/Vienna".parse().unwrap(), ..job("a", "30 2 * * *") };
    let begin = at("2026-10-24T12:00:00Z");
    let (mut plan, _) = Plan::new(vec![vienna], State::new(1), begin, |_| false);
    let mut starts = Vec::new();
    for minute in 0..3 * 24 * 60 {
        let now = begin + SignedDuration::from_mins(minute);
        if !plan.look(now).is_empty() {
            starts.push(now.to_string());
            done(&mut plan, 0, now);
        }
    }
    assert_eq!(starts, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z", "2026-10-27T01:30:00Z"]);
}

#[test]
fn nothing_starts_any_more_once_it_stops() {
    let mut plan = begun(vec![job("a", "* * * * *")]);
    plan.stop();
    assert_eq!(plan.look(after(300)), []);
    assert_eq!(plan.next_due(), None, "what is past would be looked for without a pause");
}

#[test]
fn a_run_that_cannot_be_started_is_tried_again_when_next_due() {
    let mut plan = begun(vec![Job { catch_up: true, ..job("a", "* * * * *") }]);
    plan.look(after(30));
    plan.not_started(0, after(30));
    assert_eq!(plan.look(after(31)), []);
    assert_eq!(plan.look(after(90)), [Step::Start(0, after(90), Why::Due)]);
}
