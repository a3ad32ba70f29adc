//! The verdict on a host after a visit: its pace, its robots.txt, and whether its URLs go back.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::Hosts;
use super::queue::HostQueue;
use crate::fetcher::pace::Mood;
use crate::fetcher::visit::{Next, Visit};
use seine_page::robots::Robots;

/// A host that is to be left alone for longer than this gives its URLs back.
const PATIENCE: Duration = Duration::from_secs(1);

/// Long enough for the supervisor to hear of failures and to judge the host.
const VERDICT: Duration = Duration::from_millis(250);

/// Rules that take less memory than this are kept without a look at the memory of all.
const SMALL_RULES: usize = 4096;

impl Hosts {
    /// Takes over what a visit has come to; `errand` is the origin whose robots.txt it was after.
    pub(super) fn ended(&self, host: &HostQueue, visit: Visit, errand: Option<&str>) {
        let unreachable = visit.heard.is_none_or(|heard| heard.mood == Mood::Unreachable);
        if let Some(heard) = visit.heard {
            host.pace.borrow_mut().answered(heard.latency, heard.mood);
            self.count_failure(host, heard.mood);
        }
        match visit.next {
            Next::Over => {
                if let Some(origin) = errand {
                    host.origins.borrow_mut().not_read(origin, unreachable);
                }
            }
            // It will be back, or else another URL will go on the errand.
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
        if let Some(Mood::Overrun { hold }) = visit.heard.map(|heard| heard.mood) {
            host.pace.borrow_mut().hold(Instant::now() + hold);
            // Other fetchers that have places of the host hear of it by the supervisor.
            if hold > PATIENCE || host.capacity.get() < host.policy.concurrency {
                self.give_back(host, hold);
            }
        }
        // URLs may wait for the errand.
        host.news.notify_one();
    }

    /// Takes over a robots.txt that was read for the origin of `url`.
    pub(super) fn read(&self, host: &HostQueue, url: &Url, rules: Rc<Robots>) {
        host.origins.borrow_mut().read(url, Rc::clone(&rules));
        self.obey(host, &rules);
    }

    /// Takes over the delay that a robots.txt asks for, and sees to the memory of all rules.
    pub(super) fn obey(&self, host: &HostQueue, rules: &Robots) {
        if let Some(asked) = rules.crawl_delay().filter(|_| host.policy.robots) {
            self.obey_delay(host, asked);
        }
        if rules.memory() > SMALL_RULES {
            self.limit_rules(host);
        }
    }

    fn obey_delay(&self, host: &HostQueue, asked: Duration) {
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

    /// Forgets the rules of all hosts but the present one if they take too much memory; the store is asked again when
    /// they are needed.
    fn limit_rules(&self, present: &HostQueue) {
        let hosts = self.0.hosts.borrow();
        let memory: usize = hosts.values().map(|host| host.origins.borrow().memory()).sum();
        if memory > self.0.settings.buffers.rules_bytes {
            hosts
                .values()
                .filter(|other| other.name != present.name)
                .for_each(|other| other.origins.borrow_mut().forget_rules());
        }
    }

    /// Counts failures in a row. After too many, the supervisor judges the host: it hears of the failures with the
    /// records, and until it has, no more of the host's URLs are spent.
    fn count_failure(&self, host: &HostQueue, mood: Mood) {
        let failures = if mood == Mood::Unreachable { host.failures.get() + 1 } else { 0 };
        host.failures.set(failures);
        let most = self.0.settings.politeness.host_failures;
        if most > 0 && failures >= most {
            host.failures.set(0);
            self.give_back(host, VERDICT);
        }
    }
}
