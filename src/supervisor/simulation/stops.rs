//! The ways to the end of a run: complete, asked to stop once or twice, out of budget, on a full disk, with processors
//! at work or without; and the model of the processor host, for which the store is kept open.

use super::*;

/// From a second request to stop to the writer's word to close the store: fetchers are told to give up and killed a
/// moment later, the same for the host, and the deaths of both are to be noticed.
const PROMPT_MS: u64 = 1_500 + 3_000 + 2_000;

/// What a world is like, beside what its seed decides.
#[derive(Clone, Debug, Default)]
pub(super) struct Setup {
    pub processors: bool,
    pub limit: Option<u64>,
    /// From when to when nothing can be written.
    pub full: Option<(u64, u64)>,
    /// Fetchers and the host do not obey when they are told to end.
    pub is_stubborn: bool,
    /// Pages name others, which are fetched too.
    pub follows: bool,
    /// Pages have priorities.
    pub ranks: bool,
    /// Processors need as much time as there is.
    pub is_slow: bool,
}

/// The processor host: reads the store, sends an answer for each page, is done when all answers are lasting.
pub(super) struct HostModel {
    pub generation: Generation,
    pub queue: u64,
    sent: BTreeSet<UrlId>,
    pub told_to_drain: bool,
    /// Its channel is closed.
    pub is_let_go: bool,
}

impl World {
    pub(super) fn start_host(&mut self, generation: Generation) {
        assert!(self.host.is_none(), "two processor hosts at once");
        self.next_queue += 1;
        let queue = self.next_queue;
        if let Some(writer) = &mut self.writer {
            self.queues.insert(queue, Queue::default());
            writer.inbox.push_back(ToWriterModel::Attach(PROCESSORS, generation, queue));
        }
        self.host =
            Some(HostModel { generation, queue, sent: BTreeSet::new(), told_to_drain: false, is_let_go: false });
    }

    /// Pages in the store that no processor has answered.
    pub(super) fn unmarked(&self) -> usize {
        let is_ok = |url: &&StoredUrl| url.outcome == Some(Outcome::Ok);
        if !self.setup.processors {
            return 0;
        }
        self.disk.urls.values().filter(is_ok).count() - self.disk.marked.len()
    }

    pub(super) fn host_step(&mut self) {
        let Some(host) = &mut self.host else { return };
        if host.is_let_go && self.setup.is_stubborn {
            return;
        }
        let Some(queue) = self.queues.get_mut(&host.queue).filter(|_| !host.is_let_go) else {
            // Nobody to work for any more.
            self.kill(Who::Processors, None);
            return;
        };
        if self.setup.is_slow && self.random.chance(95) {
            return;
        }
        let is_to_do = |(id, url): &(&UrlId, &StoredUrl)| {
            url.outcome == Some(Outcome::Ok) && !self.disk.marked.contains(id) && !host.sent.contains(id)
        };
        let todo: Vec<UrlId> = self.disk.urls.iter().filter(is_to_do).map(|(id, _)| *id).take(5).collect();
        if host.told_to_drain && todo.is_empty() && host.sent.is_subset(&self.disk.marked) {
            let generation = host.generation;
            self.host_said.push_back((generation, FromHost::Done(Vec::new())));
            self.kill(Who::Processors, None);
            self.exits.back_mut().expect("it has just ended").2 = true;
            return;
        }
        queue.records.extend(todo.iter().map(|id| Record::Mark(*id)));
        host.sent.extend(todo);
    }

    /// Whether the writer waits for room; it says when that begins and ends, and may be told not to wait.
    pub(super) fn is_held_up_by_the_disk(&mut self) -> bool {
        let is_full = self.setup.full.is_some_and(|(from, until)| (from..until).contains(&self.now));
        let Some(writer) = &mut self.writer else { return true };
        let has_work = !(writer.batch.is_empty()
            && writer.imports.is_empty()
            && writer.ends.is_empty()
            && writer.hosts_ended.is_empty());
        if !is_full {
            if std::mem::take(&mut writer.full) {
                self.say(FromWriter::Room);
            }
            return false;
        }
        if !has_work && !writer.full {
            return false;
        }
        if let Some((_, true)) = writer.stop {
            let generation = writer.generation;
            self.kill(Who::Writer, None);
            let exit = self.exits.back_mut().expect("it has just ended");
            assert_eq!(exit.1, generation);
            exit.2 = true;
        } else if !std::mem::replace(&mut writer.full, true) {
            self.say(FromWriter::Full { message: "no room".into() });
        }
        true
    }

    /// Laws: the store is closed when nobody is left who has something for it, and after a complete run when everything
    /// is processed.
    pub(super) fn check_stop(&mut self, ended_by: EndedBy, abandon: bool) {
        assert!(self.fetchers.iter().all(Option::is_none), "the store is closed while fetchers work");
        assert!(self.host.is_none(), "the store is closed while processors work");
        assert!(self.exits.iter().all(|(who, ..)| *who == Who::Writer), "the store is closed before all ends are seen");
        assert!(!abandon || self.setup.full.is_some(), "something is dropped though there is room");
        if ended_by == EndedBy::Completed {
            assert_eq!(self.disk.pending(), 0, "a run is complete and URLs are not done");
            assert_eq!(self.unmarked(), 0, "a run is complete and pages are not processed");
        }
        self.closing_at.get_or_insert(self.now);
        self.is_abandoned = abandon;
    }

    /// Laws: a run leaves no process behind, and does not end before its writer has closed the store, unless the disk is
    /// full or no writer can be had.
    pub(super) fn check_end(&mut self, ended_by: EndedBy) {
        assert!(self.writer.is_none() && self.host.is_none(), "a process is left behind");
        assert!(self.fetchers.iter().all(Option::is_none), "a fetcher is left behind");
        if !self.is_abandoned && self.plan.tally().fatal.is_none() {
            assert_eq!(self.disk.closed, Some(ended_by), "the run is over, and the store does not know how it ended");
        }
        if self.plan.tally().fatal.is_some() {
            assert_ne!(ended_by, EndedBy::Completed);
        }
    }

    /// Asks the run to stop.
    pub(super) fn stop(&mut self, ended_by: EndedBy) {
        let phase = match self.plan.phase() {
            Phase::Running => "running",
            Phase::Draining { .. } => "draining",
            Phase::Processing { kill_at: None, .. } => "processing",
            Phase::Processing { .. } => "stopping processors",
            Phase::Closing { .. } => "closing",
            Phase::Over { .. } => "over",
        };
        self.asked.push((phase, self.now));
        self.event(Event::Stop(ended_by));
    }

    /// URLs that have ended.
    fn outcomes(&self) -> usize {
        self.disk.urls.values().filter(|url| url.outcome.is_some()).count()
    }
}

/// Goes on with what an earlier invocation has left, to the end.
fn go_on(seed: u64, earlier: World) -> World {
    let disk = Disk { closed: None, ..earlier.disk };
    let setup = Setup { processors: earlier.setup.processors, ..Setup::default() };
    drive(seed, World::with(seed, setup, disk), 5, &[])
}

/// Nothing that the stopped run has stored is lost, and the next one brings the rest.
fn assert_resumable(seed: u64, world: World) {
    let before: BTreeMap<_, _> = world.disk.urls.iter().filter_map(|(id, url)| Some((*id, url.outcome?))).collect();
    let tally = world.plan.tally().outcomes.iter().sum::<u64>();
    assert!(tally as usize <= world.outcomes(), "seed {seed}: more was acknowledged than there is");
    let marked = world.disk.marked.clone();
    let world = go_on(seed, world);
    assert_eq!(world.over, Some(EndedBy::Completed), "seed {seed}");
    assert_eq!(world.outcomes(), world.list.len(), "seed {seed}");
    assert_eq!(world.unmarked(), 0, "seed {seed}");
    assert!(marked.is_subset(&world.disk.marked), "seed {seed}: answers are lost");
    for (id, outcome) in before {
        assert_eq!(world.disk.urls[&id].outcome, Some(outcome), "seed {seed}: url {id} has ended twice");
    }
}

fn setups(seed: u64) -> Setup {
    let mut random = Random(seed ^ 0x5705);
    Setup {
        processors: random.chance(70),
        is_stubborn: random.chance(30),
        is_slow: random.chance(40),
        ..Setup::default()
    }
}

/// Twice, while fetchers are at work or when only processors are.
fn requests_to_stop(random: &mut Random) -> [(When, EndedBy); 2] {
    let first = 1 + random.below(2_000) as u64;
    let second = 1 + random.below(100) as u64;
    if random.chance(50) {
        [(When::Step(first), EndedBy::Interrupted), (When::Step(first + second), EndedBy::Terminated)]
    } else {
        let first = 1 + first / 20;
        [(When::Complete(first), EndedBy::Interrupted), (When::Complete(first + second), EndedBy::Terminated)]
    }
}

#[test]
fn a_run_that_is_asked_to_stop_once_or_twice_goes_on_where_it_was() {
    let mut asked_in = BTreeSet::new();
    for seed in seeds(40) {
        let stops = requests_to_stop(&mut Random(seed));
        let stops = &stops[..1 + (seed % 2) as usize];
        let world = drive(seed, World::with(seed, setups(seed), Disk::default()), 10, stops);
        let over = world.over.expect("it has ended");
        assert!(
            matches!(over, EndedBy::Interrupted | EndedBy::Terminated | EndedBy::Completed),
            "seed {seed}: {over:?}"
        );
        // Whoever asks while there is something to process does not wait for it.
        let in_vain = world.asked.iter().find(|(phase, _)| !["closing", "over"].contains(phase));
        assert!(!world.setup.processors || over != EndedBy::Completed || in_vain.is_none(), "seed {seed}: {in_vain:?}");
        asked_in.extend(world.asked.iter().map(|(phase, _)| *phase));
        assert_resumable(seed, world);
    }
    let all = ["closing", "draining", "processing", "running", "stopping processors"];
    assert!(asked_in.is_superset(&all.into()), "asked in {asked_in:?} only: the test tests little");
}

#[test]
fn a_second_request_to_stop_is_prompt_whatever_anybody_is_at() {
    let mut asked_in = BTreeSet::new();
    for seed in seeds(40) {
        let (mut world, actions) = World::with(seed, setups(seed), Disk::default());
        // Nobody is killed: a writer is waited for when it comes again.
        world.kills = u64::MAX / 5_000;
        let world = drive(seed, (world, actions), 0, &requests_to_stop(&mut Random(seed)));
        let closing_at = world.closing_at.expect("the store was closed");
        if let [_, (phase, second)] = world.asked[..] {
            asked_in.insert(phase);
            let took = closing_at.saturating_sub(second);
            assert!(
                took <= PROMPT_MS,
                "seed {seed}: {took} ms from the second request, while {phase}, to the writer's"
            );
        }
    }
    let all = ["draining", "stopping processors"];
    assert!(asked_in.is_superset(&all.into()), "asked in {asked_in:?} only: the test tests little");
}

#[test]
fn a_run_out_of_budget_goes_on_where_it_was() {
    for seed in seeds(20) {
        let mut random = Random(seed);
        let by_limit = random.chance(50);
        let limit = by_limit.then(|| 10 + random.below(80) as u64);
        let stops =
            if by_limit { vec![] } else { vec![(When::Step(300 + random.below(2_000) as u64), EndedBy::MaxWall)] };
        let setup = Setup { limit, ..setups(seed) };
        let world = drive(seed, World::with(seed, setup, Disk::default()), 10, &stops);
        let over = world.over.expect("it has ended");
        assert!(matches!(over, EndedBy::Limit | EndedBy::MaxWall | EndedBy::Completed), "seed {seed}: {over:?}");
        assert_resumable(seed, world);
    }
}

#[test]
fn a_full_disk_is_waited_for_or_ends_the_run_resumable() {
    let mut ends = BTreeSet::new();
    for seed in seeds(40) {
        let mut random = Random(seed);
        let from = random.below(20_000) as u64;
        let lasts = [500, 3_000, 60_000_000][random.below(3)];
        let stops = if random.chance(30) {
            vec![(When::Step(400 + random.below(2_000) as u64), EndedBy::Interrupted)]
        } else {
            vec![]
        };
        let setup = Setup { full: Some((from, from + lasts)), ..setups(seed) };
        let world = drive(seed, World::with(seed, setup, Disk::default()), 5, &stops);
        let over = world.over.expect("it has ended");
        assert!(matches!(over, EndedBy::Completed | EndedBy::Interrupted | EndedBy::DiskFull), "seed {seed}: {over:?}");
        ends.insert(format!("{over:?}"));
        assert_resumable(seed, world);
    }
    assert_eq!(ends.len(), 3, "{ends:?}: the test tests little");
}

#[test]
fn a_processor_host_that_keeps_crashing_is_given_up_and_the_run_completes() {
    let setup = Setup { processors: true, ..Setup::default() };
    let (mut world, actions) = World::with(1, setup, Disk::default());
    world.carry_out(actions);
    while world.over.is_none() {
        world.kills = u64::MAX / 5_000;
        if world.host.is_some() && world.random.chance(20) {
            world.kill(Who::Processors, None);
        }
        if world.plan.processed().1.is_some() {
            // A run that is complete need not be processed then.
            world.setup.processors = false;
        }
        world.step();
    }
    assert_eq!(world.over, Some(EndedBy::Completed));
    assert!(world.plan.processed().1.is_some_and(|failure| !failure.is_usage));
}

#[test]
fn processors_that_make_no_sense_end_the_run_and_the_pages_in_flight_are_kept() {
    for seed in seeds(10) {
        let setup = Setup { processors: true, ..Setup::default() };
        let (mut world, actions) = World::with(seed, setup, Disk::default());
        world.carry_out(actions);
        while world.over.is_none() {
            world.kills = u64::MAX / 5_000;
            if let Some(host) = world.host.as_ref().filter(|_| world.now > 2_000) {
                let fatal = FromHost::Fatal { message: "no such column".into(), usage: true };
                world.host_said.push_back((host.generation, fatal));
                world.kill(Who::Processors, None);
            }
            world.step();
        }
        let is_usage = world.plan.processed().1.is_some_and(|failure| failure.is_usage);
        assert!(is_usage && world.over == Some(EndedBy::Failure), "seed {seed}: {:?}", world.over);
        assert_resumable(seed, world);
    }
}
