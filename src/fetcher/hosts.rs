//! One queue per host, and politeness: who may start a request when.
//!
//! A host that has a pace lives in exactly one fetcher (see [`crate::supervisor::partition`]), so it is kept exactly
//! here. One without may be shared (see `supervisor/lanes.rs`): then each fetcher has a part of the host's places. A request starts when all of this holds at the same moment: its robots.txt allows it, its host's turn has come
//! ([`super::pace`]), its host has a place free, this fetcher has a place free, and the pace of the whole crawl
//! (`--rate`) permits. Whoever waits for its host takes no place meanwhile; a host that is to be left alone for longer
//! gives its URLs back.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use url::Url;

use super::control::Speaker;
use super::origins::{self, Need, Origins, origin_of, robots_url};
use super::pace::{Mood, Pace};
use super::visit::{Next, Visit, VisitContext, Visitor};
use crate::config::Fetching;
use seine_core::policy::HostPolicy;
use seine_core::protocol::{Errand, Job, Lease, NOT_ASKED, OriginFacts};
use seine_core::record::{LONGEST_PAUSE_MS, UrlId};
use seine_page::robots::Robots;
use seine_unix::clock;
use seine_unix::pace::SharedPace;
use seine_unix::status::Row;

/// A host that is to be left alone for longer than this gives its URLs back.
const PATIENCE: Duration = Duration::from_secs(1);

/// Long enough for the supervisor to hear of failures and to judge the host.
const VERDICT: Duration = Duration::from_millis(250);

/// Requests that follow one another on the same places, if the host's pace permits and even where it has more than its
/// share of them: its connection is at hand, while each host in turn would find its own closed or keep hundreds open.
const IN_A_ROW: usize = 32;
/// Other hosts do not wait longer for places that a host has beyond its share.
const ROW_TIME: Duration = Duration::from_secs(1);

/// Answers that one fetcher takes from archives at a time: one is read while another, large one is worked on.
const ARCHIVE_PLACES: usize = 2;

/// See the module. Clones are the same hosts.
#[derive(Clone)]
pub struct Hosts(Rc<Inner>);

struct Inner {
    visitor: Rc<Visitor>,
    speaker: Speaker,
    places: Arc<Semaphore>,
    /// How many of them there are.
    capacity: usize,
    /// For answers that come from an archive.
    archive_places: Arc<Semaphore>,
    settings: Rc<Fetching>,
    /// What holds for hosts that no rule names.
    common: Rc<HostPolicy>,
    rate: Option<Gate>,
    random: RefCell<fastrand::Rng>,
    row: &'static Row,
    hosts: RefCell<HashMap<String, Rc<Host>>>,
    /// URLs requested and not yet in the outbox.
    working: RefCell<HashMap<UrlId, tokio::task::AbortHandle>>,
    queued: Cell<usize>,
    draining: Cell<bool>,
    /// A request ended while draining.
    settled: Notify,
}

struct Host {
    name: String,
    policy: Rc<HostPolicy>,
    queue: RefCell<VecDeque<Job>>,
    /// A job was queued, or something that one waits for has happened.
    news: Notify,
    places: Arc<Semaphore>,
    /// How many of them there are, or will be when the requests over that have ended.
    capacity: Cell<usize>,
    /// It has more URLs than were leased, as far as the supervisor knows.
    more: Cell<bool>,
    /// Places are waited for so that they can be given up.
    shrinking: Cell<u32>,
    pace: Rc<RefCell<Pace>>,
    /// Requests in a row that could not reach it.
    failures: Cell<u32>,
    origins: RefCell<Origins>,
}

impl Host {
    /// Has so many places from now on; what has to be waited for if they are fewer than are taken.
    fn set_places(self: &Rc<Self>, places: usize) -> Option<JoinHandle<()>> {
        let before = self.capacity.replace(places);
        if places >= before {
            self.places.add_permits(places - before);
            return None;
        }
        self.shrinking.update(|waiting| waiting + 1);
        let host = Rc::clone(self);
        Some(tokio::task::spawn_local(async move {
            if let Ok(permits) = host.places.acquire_many((before - places) as u32).await {
                permits.forget();
            }
            host.shrinking.update(|waiting| waiting - 1);
        }))
    }
}

/// The pace of the whole crawl. One at a time waits for it, the others in line.
struct Gate {
    pace: SharedPace,
    line: Semaphore,
}

impl Gate {
    async fn pass(&self) {
        let _turn = self.line.acquire().await;
        while let Err(wait) = self.pace.take() {
            tokio::time::sleep(wait).await;
        }
    }
}

/// Different in every process; nothing seeded before a fork would be.
fn seed() -> u64 {
    clock::since_epoch().as_nanos() as u64 ^ u64::from(std::process::id()) << 32
}

impl Hosts {
    /// No hosts yet. `places` are those of this fetcher.
    pub fn new(
        visitor: Rc<Visitor>,
        speaker: Speaker,
        places: Arc<Semaphore>,
        rate: Option<SharedPace>,
        settings: Rc<Fetching>,
        row: &'static Row,
    ) -> Self {
        Self(Rc::new(Inner {
            visitor,
            speaker,
            capacity: places.available_permits(),
            places,
            archive_places: Arc::new(Semaphore::new(ARCHIVE_PLACES)),
            // No host is called so: what is left are the settings common to all.
            common: Rc::new(settings.politeness.policy("")),
            settings,
            rate: rate.map(|pace| Gate { pace, line: Semaphore::new(1) }),
            random: RefCell::new(fastrand::Rng::with_seed(seed())),
            row,
            hosts: RefCell::default(),
            working: RefCell::default(),
            queued: Cell::new(0),
            draining: Cell::new(false),
            settled: Notify::new(),
        }))
    }

    /// Takes leased URLs.
    pub fn lease(&self, lease: Lease) {
        if self.0.draining.get() {
            return;
        }
        let host = self.host(&lease.host, lease.places as usize);
        // Another number than before only if the host was at rest meanwhile.
        drop(host.set_places(lease.places as usize));
        if lease.asked_ms_ago != NOT_ASKED
            && let Some(at) = Instant::now().checked_sub(Duration::from_millis(lease.asked_ms_ago.into()))
        {
            host.pace.borrow_mut().asked(at);
        }
        let floor = host.pace.borrow().floor();
        if floor > host.policy.delay {
            // The supervisor may have forgotten the host since it was told.
            self.0.speaker.pace(host.name.clone(), floor);
        }
        host.more.set(lease.more);
        for mut job in lease.jobs {
            if job.failed.is_some() {
                self.start(job, &host, None, |visitor, job, context| async move { visitor.visit(job, context).await });
                continue;
            }
            match job.errand.take() {
                Some(errand) => match &errand.found {
                    // Back from an errand that led to other hosts.
                    Some(Ok(text)) => {
                        if let Ok(url) = Url::parse(&job.url) {
                            let rules = Rc::new(origins::rules_of(text, &self.0.settings.politeness.robots_agent));
                            self.read(&host, &url, rules);
                        }
                        self.push_front(&host, job);
                    }
                    Some(Err(_)) => {
                        job.errand = Some(errand);
                        self.start(job, &host, None, |visitor, job, _| async move { visitor.errand_failed(job).await });
                    }
                    // Others wait for it.
                    None => {
                        job.errand = Some(errand);
                        self.push_front(&host, job);
                    }
                },
                None => {
                    self.count_queued(1);
                    host.queue.borrow_mut().push_back(job);
                }
            }
        }
        host.news.notify_one();
    }

    /// Gives back what is queued of a host.
    pub fn recall(&self, name: &str) {
        let host = self.0.hosts.borrow().get(name).cloned();
        if let Some(host) = host {
            self.give_back(&host, Duration::ZERO);
        }
    }

    /// Has no more than `places` requests of a host in flight from now on, and says when it is so.
    pub fn share(&self, name: String, places: usize) {
        let shrinking = self.0.hosts.borrow().get(&name).and_then(|host| host.set_places(places));
        let speaker = self.0.speaker.clone();
        tokio::task::spawn_local(async move {
            if let Some(shrinking) = shrinking {
                let _ = shrinking.await;
            }
            speaker.shrunk(name);
        });
    }

    /// Finds out whether one of these URLs can be reached now, and says which.
    pub fn probe(&self, urls: &[String]) {
        let policy = |url: &Url| self.0.settings.politeness.policy(url.host_str().unwrap_or_default());
        let urls: Vec<_> = urls.iter().filter_map(|url| Url::parse(url).ok()).map(|url| (policy(&url), url)).collect();
        let hosts = self.clone();
        tokio::task::spawn_local(async move {
            let reached = hosts.0.visitor.reached(&urls).await;
            hosts.0.speaker.probed(reached);
        });
    }

    /// What the store knows of an origin.
    pub fn learn(&self, facts: OriginFacts) {
        let Ok(url) = Url::parse(&facts.origin) else { return };
        let host = url.host_str().and_then(|name| self.0.hosts.borrow().get(name).cloned());
        let Some(host) = host else { return };
        let held_ms = facts.hold_until.saturating_sub(clock::wall().ms()).min(LONGEST_PAUSE_MS);
        host.pace.borrow_mut().hold(Instant::now() + Duration::from_millis(held_ms));
        let rules = host.origins.borrow_mut().learn(facts, &self.0.settings.politeness.robots_agent);
        if let Some(rules) = rules {
            self.obey(&host, &rules);
        }
        host.news.notify_one();
    }

    /// Asks once more what was asked of a writer that died.
    pub fn ask_again(&self) {
        for host in self.0.hosts.borrow().values() {
            host.origins.borrow().open_questions().for_each(|origin| self.0.speaker.ask_origin(origin.clone()));
        }
    }

    /// Every URL that is queued or worked on.
    pub fn holding(&self) -> Vec<UrlId> {
        let hosts = self.0.hosts.borrow();
        let queued = hosts.values().flat_map(|host| {
            let queue = host.queue.borrow();
            queue.iter().map(|job| job.url_id).collect::<Vec<_>>()
        });
        queued.chain(self.0.working.borrow().keys().copied()).collect()
    }

    /// Starts nothing from now on.
    pub fn drain(&self) {
        self.0.draining.set(true);
        for host in self.0.hosts.borrow().values() {
            host.queue.borrow_mut().clear();
        }
        self.0.queued.set(0);
        self.0.settled.notify_waiters();
    }

    /// Gives up what is in flight as well.
    pub fn cancel(&self) {
        self.drain();
        for (_, task) in self.0.working.borrow_mut().drain() {
            task.abort();
        }
        self.0.settled.notify_waiters();
    }

    /// Ends when nothing is in flight; to be called while draining.
    pub async fn idle(&self) {
        loop {
            let settled = self.0.settled.notified();
            if self.0.working.borrow().is_empty() {
                return;
            }
            settled.await;
        }
    }

    /// The host called `name`; one that was not known has so many places.
    fn host(&self, name: &str, places: usize) -> Rc<Host> {
        if let Some(host) = self.0.hosts.borrow().get(name) {
            return Rc::clone(host);
        }
        let settings = &self.0.settings;
        let policy = if settings.politeness.host.is_empty() {
            Rc::clone(&self.0.common)
        } else {
            Rc::new(settings.politeness.policy(name))
        };
        let host = Rc::new(Host {
            name: name.to_owned(),
            queue: RefCell::default(),
            news: Notify::new(),
            places: Arc::new(Semaphore::new(places)),
            capacity: Cell::new(places),
            more: Cell::new(true),
            shrinking: Cell::new(0),
            pace: Rc::new(RefCell::new(Pace::new(
                policy.delay,
                *settings.politeness.adaptive,
                settings.politeness.jitter.0,
            ))),
            failures: Cell::new(0),
            origins: RefCell::default(),
            policy,
        });
        self.0.hosts.borrow_mut().insert(name.to_owned(), Rc::clone(&host));
        tokio::task::spawn_local(self.clone().serve(Rc::clone(&host)));
        host
    }

    /// Starts the requests of one host, one by one; forgets the host once it has been idle for longer than its pace
    /// could matter.
    async fn serve(self, host: Rc<Host>) {
        let mut starts = 0_usize;
        loop {
            self.read_archived(&host).await;
            let front = host.queue.borrow().front().map(|job| (job.url_id, self.need(&host, job)));
            let Some((url_id, need)) = front else {
                if self.forgets(&host).await {
                    return;
                }
                continue;
            };
            match need {
                Need::Facts(origin) => {
                    host.origins.borrow_mut().asked(origin.clone());
                    self.0.speaker.ask_origin(origin);
                }
                Need::Patience(None) => host.news.notified().await,
                Need::Patience(Some(until)) => {
                    let _ = tokio::time::timeout_at(until, host.news.notified()).await;
                }
                Need::Denied(decision) => {
                    if let Some(job) = self.pop(&host, url_id) {
                        self.start(job, &host, None, |visitor, job, _| async move {
                            visitor.deny(job, &decision).await;
                            Visit::over()
                        });
                    }
                }
                Need::Errand(_) | Need::Nothing => {
                    let Some(places) = self.turn(&host).await else { return };
                    // The queue may have changed meanwhile. A turn that nobody can take is lost, and that is all.
                    let front = {
                        let queue = host.queue.borrow();
                        let front = queue.front().filter(|job| job.archived.is_none());
                        front.map(|job| (job.url_id, self.need(&host, job)))
                    };
                    let Some((url_id, need @ (Need::Errand(_) | Need::Nothing))) = front else { continue };
                    let Some(mut job) = self.pop(&host, url_id) else { continue };
                    if let (Need::Errand(origin), Ok(url)) = (need, Url::parse(&job.url)) {
                        let listed = job.hops.is_empty() || host.origins.borrow().is_listed(&url);
                        host.origins.borrow_mut().reading(origin, listed);
                        job.errand = Some(Box::new(Errand { url: robots_url(&url), hops: 0, found: None }));
                    }
                    self.start(job, &host, Some(places), |visitor, job, context| async move {
                        visitor.visit(job, context).await
                    });
                    // Places that come free together are for all hosts: one that took them all would need as many new
                    // connections, and the others would close theirs.
                    starts = starts.saturating_sub(1);
                    if starts == 0 {
                        tokio::task::yield_now().await;
                        starts = self.share_of(self.0.places.available_permits());
                    }
                }
            }
        }
    }

    /// Starts what is answered by an archive: that asks nothing of the host, so it waits for no turn of its.
    async fn read_archived(&self, host: &Rc<Host>) {
        let is_archived = |job: &Job| job.archived.is_some();
        while host.queue.borrow().iter().any(is_archived) {
            let Ok(place) = Arc::clone(&self.0.archive_places).acquire_owned().await else { return };
            let at = host.queue.borrow().iter().position(is_archived);
            let Some(job) = at.and_then(|at| host.queue.borrow_mut().remove(at)) else { return };
            self.count_queued(-1);
            self.start(job, host, None, |visitor, job, _| async move {
                let visit = visitor.archived(job).await;
                drop(place);
                visit
            });
        }
    }

    /// What a job needs before it may be requested.
    fn need(&self, host: &Host, job: &Job) -> Need {
        let target = job.errand.as_ref().map_or(&job.url, |errand| &errand.url);
        // What cannot be parsed fails when it is visited.
        let Ok(url) = Url::parse(target) else { return Need::Nothing };
        let obeys = host.policy.robots && job.errand.is_none();
        if !obeys && is_listed(job) {
            return Need::Nothing;
        }
        host.origins.borrow().need(&url, obeys)
    }

    /// Waits for the next start of a request to `host`, and returns the places it takes; `None` at the end of all.
    async fn turn(&self, host: &Host) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let host_place = Arc::clone(&host.places).acquire_owned().await.ok()?;
        loop {
            let wait = host.pace.borrow().wait(Instant::now());
            if let Some(wait) = wait {
                tokio::time::sleep(wait).await;
                continue;
            }
            let place = Arc::clone(&self.0.places).acquire_owned().await.ok()?;
            if let Some(rate) = &self.0.rate {
                rate.pass().await;
            }
            // With the places in hand, so that nothing comes between the pace's word and the start.
            let random = self.0.random.borrow_mut().f64();
            if host.pace.borrow_mut().start(Instant::now(), random) {
                return Some((host_place, place));
            }
            if host.pace.borrow().wait(Instant::now()).is_none() {
                // The limiter's clock is a hair behind ours.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }

    /// Waits for news of an idle host; `true` if none came for so long that it was forgotten.
    async fn forgets(&self, host: &Host) -> bool {
        // The supervisor keeps a host here for one delay after its last commit, which is later than its last start.
        let forget_after = host.pace.borrow().floor() + Duration::from_secs(1);
        let idle = || host.places.available_permits() == host.capacity.get();
        if tokio::time::timeout(forget_after, host.news.notified()).await.is_err()
            && host.queue.borrow().is_empty()
            // What is in flight may still come back as a redirect, and holds its place of this host.
            && idle()
        {
            self.0.hosts.borrow_mut().remove(&host.name);
            return true;
        }
        false
    }

    /// The first job of the queue, if it is still this one.
    fn pop(&self, host: &Host, url_id: UrlId) -> Option<Job> {
        let mut queue = host.queue.borrow_mut();
        let job = if queue.front()?.url_id == url_id { queue.pop_front() } else { None };
        self.count_queued(-(job.iter().len() as isize));
        job
    }

    fn start<W, F>(
        &self,
        job: Job,
        host: &Rc<Host>,
        places: Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
        work: W,
    ) where
        W: FnOnce(Rc<Visitor>, Job, VisitContext) -> F + 'static,
        F: Future<Output = Visit>,
    {
        let url_id = job.url_id;
        let is_request = places.is_some();
        let hosts = self.clone();
        let host = Rc::clone(host);
        let task = tokio::task::spawn_local(async move {
            let begun = Instant::now();
            hosts.visit(&host, job, is_request, work).await;
            // From here on the URL is nobody's work: its record is in the outbox, or even sent, or it is queued again.
            let mut task = hosts.0.working.borrow_mut().remove(&url_id);
            let mut in_a_row = 1;
            while is_request
                && (in_a_row < IN_A_ROW && begun.elapsed() < ROW_TIME || hosts.has_no_more_than_its_share(&host))
            {
                // Its connection is put back by a task that was woken with this one. Before that has run the next request
                // would find none, and have another one made.
                tokio::task::yield_now().await;
                let Some(next) = hosts.next_at_once(&host) else { break };
                in_a_row += 1;
                let url_id = next.url_id;
                hosts.0.working.borrow_mut().extend(task.map(|task| (url_id, task)));
                hosts
                    .visit(&host, next, true, |visitor, job, context| async move { visitor.visit(job, context).await })
                    .await;
                task = hosts.0.working.borrow_mut().remove(&url_id);
            }
            drop(places);
            // Whoever waits for a place of this host, or for its end.
            host.news.notify_one();
            hosts.0.row.in_flight.store(hosts.0.working.borrow().len() as u64, Ordering::Relaxed);
            if hosts.0.draining.get() {
                hosts.0.settled.notify_waiters();
            }
        });
        self.0.working.borrow_mut().insert(url_id, task.abort_handle());
        self.0.row.in_flight.store(self.0.working.borrow().len() as u64, Ordering::Relaxed);
    }

    /// One visit and what its end means.
    async fn visit<W, F>(&self, host: &Rc<Host>, job: Job, is_request: bool, work: W)
    where
        W: FnOnce(Rc<Visitor>, Job, VisitContext) -> F,
        F: Future<Output = Visit>,
    {
        let context = VisitContext {
            policy: Rc::clone(&host.policy),
            listed: is_listed(&job)
                || Url::parse(job.errand.as_ref().map_or(&job.url, |errand| &errand.url))
                    .is_ok_and(|url| host.origins.borrow().is_listed(&url)),
            pace: Rc::clone(&host.pace),
            is_last: job.errand.is_none() && !host.more.get() && host.queue.borrow().is_empty(),
        };
        self.0.row.requests.fetch_add(u64::from(is_request), Ordering::Relaxed);
        let errand = job.errand.is_some().then(|| Url::parse(&job.url).ok().map(|url| origin_of(&url))).flatten();
        let visit = work(Rc::clone(&self.0.visitor), job, context).await;
        self.ended(host, visit, errand.as_deref());
    }

    /// What one host may have of so many places, as long as the others want theirs.
    fn share_of(&self, places: usize) -> usize {
        places / self.0.hosts.borrow().len().max(1)
    }

    /// Whether a host has so few requests in flight that its places are nobody else's.
    fn has_no_more_than_its_share(&self, host: &Host) -> bool {
        let in_flight = host.capacity.get().saturating_sub(host.places.available_permits());
        in_flight <= self.share_of(self.0.capacity)
    }

    /// The next job of a host, if its request may start now and on the places of one that has ended.
    fn next_at_once(&self, host: &Host) -> Option<Job> {
        if self.0.draining.get() || self.0.rate.is_some() || host.shrinking.get() > 0 {
            return None;
        }
        let url_id = {
            let queue = host.queue.borrow();
            let front = queue.front().filter(|job| job.archived.is_none())?;
            matches!(self.need(host, front), Need::Nothing).then_some(front.url_id)?
        };
        let random = self.0.random.borrow_mut().f64();
        let starts = host.pace.borrow_mut().start(Instant::now(), random);
        starts.then(|| self.pop(host, url_id))?
    }

    /// What the end of a visit means for its host; `errand` is the origin whose robots.txt it was after.
    fn ended(&self, host: &Rc<Host>, visit: Visit, errand: Option<&str>) {
        let unreachable = visit.answered.is_none_or(|(_, mood)| mood == Mood::Unreachable);
        if let Some((latency, mood)) = visit.answered {
            host.pace.borrow_mut().answered(latency, mood);
            self.count_failure(host, mood);
        }
        match visit.next {
            Next::Over => {
                if let Some(origin) = errand {
                    host.origins.borrow_mut().not_read(origin, unreachable);
                }
            }
            // Wherever it went, it will be back or somebody else will go.
            Next::Elsewhere => {}
            // The others would most likely fail alike before it is known whose fault it is.
            Next::Unreached => {
                if let Some(origin) = errand {
                    host.origins.borrow_mut().not_read(origin, true);
                }
                self.give_back(host, VERDICT);
            }
            // The next hop waits for its turn like any request, ahead of the others.
            Next::SameHost(job) => self.push_front(host, *job),
            Next::RobotsRead(job, rules) => {
                if let Ok(url) = Url::parse(&job.url) {
                    self.read(host, &url, Rc::new(rules));
                }
                self.push_front(host, *job);
            }
        }
        if let Some(hold) = visit.hold {
            host.pace.borrow_mut().hold(Instant::now() + hold);
            // Who shares the host hears of it by the supervisor.
            if hold > PATIENCE || host.capacity.get() < host.policy.concurrency {
                self.give_back(host, hold);
            }
        }
        // Whoever waits for the errand.
        host.news.notify_one();
    }

    /// A host that fails again and again is the supervisor's business, which hears of it with the records; until it
    /// has, no more of the host's URLs are spent.
    fn count_failure(&self, host: &Host, mood: Mood) {
        let failures = if mood == Mood::Unreachable { host.failures.get() + 1 } else { 0 };
        host.failures.set(failures);
        let most = self.0.settings.politeness.host_failures;
        if most > 0 && failures >= most {
            host.failures.set(0);
            self.give_back(host, VERDICT);
        }
    }

    fn push_front(&self, host: &Host, job: Job) {
        if !self.0.draining.get() {
            self.count_queued(1);
            host.queue.borrow_mut().push_front(job);
        }
    }

    /// The robots.txt of `url`'s origin was read.
    fn read(&self, host: &Host, url: &Url, rules: Rc<Robots>) {
        host.origins.borrow_mut().read(url, Rc::clone(&rules));
        self.obey(host, &rules);
    }

    /// Takes over the delay that a robots.txt asks for, and sees to the memory of all rules.
    fn obey(&self, host: &Host, rules: &Robots) {
        if let Some(asked) = rules.crawl_delay().filter(|_| host.policy.robots) {
            let most = self.0.settings.politeness.max_crawl_delay.0;
            if asked > most && asked > host.policy.delay {
                self.0.speaker.warn(format!(
                    "{} asks for a Crawl-delay of {} s; {} is obeyed (--max-crawl-delay)",
                    host.name,
                    asked.as_secs_f64(),
                    humantime::format_duration(most)
                ));
            }
            let raised = host.pace.borrow_mut().raise(asked.min(most));
            if raised {
                self.0.speaker.pace(host.name.clone(), host.pace.borrow().floor());
            }
        }
        let hosts = self.0.hosts.borrow();
        // All but the present ones are forgotten; the store is asked again when they are needed.
        if rules.memory() > 4096
            && hosts.values().map(|host| host.origins.borrow().memory()).sum::<usize>()
                > self.0.settings.buffers.rules_bytes
        {
            hosts
                .values()
                .filter(|other| other.name != host.name)
                .for_each(|other| other.origins.borrow_mut().forget_rules());
        }
    }

    /// Gives the URLs of a host back to the supervisor, which leases none of them before `wait` is over.
    fn give_back(&self, host: &Host, wait: Duration) {
        let jobs: Vec<_> = host.queue.borrow_mut().drain(..).collect();
        self.count_queued(-(jobs.len() as isize));
        self.0.speaker.returned(host.name.clone(), jobs, wait);
    }

    fn count_queued(&self, change: isize) {
        let queued = self.0.queued.get().saturating_add_signed(change);
        self.0.queued.set(queued);
        self.0.row.queued.store(queued as u64, Ordering::Relaxed);
    }
}

/// Whether a list itself names what the job requests now.
fn is_listed(job: &Job) -> bool {
    job.hops.is_empty() && job.errand.as_ref().is_none_or(|errand| errand.hops == 0)
}
