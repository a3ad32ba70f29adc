//! How hosts are, and whether it is our own network that is out.

use super::{Child, Fetcher, Plan};
use crate::supervisor::events::Action;
use crate::supervisor::frontier::{HostRef, Judgement, Trouble};
use crate::supervisor::ledger::Whereabouts;
use crate::supervisor::outage::{Findings, News};
use seine_core::protocol::{Done, Generation, Job, Slot, Verdict};
use seine_core::record::{CrawlUrl, ErrorClass, Failure, Outcome, UrlId};
use seine_core::time::{Mono, Now};

impl Plan {
    /// What a URL's end tells of its host.
    pub(super) fn judge_host(&mut self, host: HostRef, done: &Done, now: Mono, actions: &mut Vec<Action>) {
        let class = match done.verdict {
            Verdict::Known | Verdict::Ended(Outcome::Quarantined, _) => return,
            Verdict::Again { class, .. } | Verdict::Ended(_, class) => class,
        };
        let (why, trouble) = match (done.status, class) {
            // In an outage no host can be reached, so a failure tells nothing of this one.
            (None, Some(class)) if class.is_of_host() && self.outage.is_on() => return,
            // Without its robots.txt nothing of the host may be fetched, and each of its URLs would wait for it in turn.
            (_, Some(class @ ErrorClass::Timeout)) if done.robots => (class.name().to_owned(), Trouble::Gate),
            (_, Some(class)) if done.robots && class != ErrorClass::BlockedAddress => {
                (class.name().to_owned(), Trouble::Failed)
            }
            // A timeout after the status line still proves that the host is up.
            (Some(_), Some(ErrorClass::Timeout | ErrorClass::Tls)) => {
                self.frontier.well(host);
                return;
            }
            (_, Some(class)) if class.is_of_host() => (class.name().to_owned(), Trouble::Failed),
            // The host is overloaded or says that it is asked too often: it wants to be left alone.
            (Some(status @ (429 | 503)), _) => (format!("status {status}"), Trouble::Busy),
            // No request was made, or its end is not known any more.
            (_, Some(ErrorClass::Robots | ErrorClass::BlockedAddress)) | (None, None) => return,
            _ => {
                self.frontier.well(host);
                return;
            }
        };
        match self.frontier.trouble(host, trouble, now) {
            Judgement::Tolerated => {}
            Judgement::Aside => {
                actions.extend(self.frontier.away(host).map(|(slot, name)| Action::Recall(slot, name)));
            }
            Judgement::Down => self.give_up(host, class, &why, now, actions),
        }
    }

    /// Ends all URLs of a host that is down.
    pub(super) fn give_up(
        &mut self,
        host: HostRef,
        class: Option<ErrorClass>,
        why: &str,
        now: Mono,
        actions: &mut Vec<Action>,
    ) {
        let message = format!(
            "{} failed again and again, the last time with {why}; its URLs are given up, `seine retry` brings them back",
            self.frontier.name(host)
        );
        // A host whose robots.txt cannot be read allows nothing (RFC 9309 section 2.3.1.4).
        let (outcome, class) = match class {
            Some(class @ ErrorClass::RobotsUnreachable) => (Outcome::RobotsDenied, class),
            _ => (Outcome::Failed, ErrorClass::HostDown),
        };
        let failure = Failure::new(class, message);
        let given_up = self.frontier.give_up(host, now);
        for url_id in given_up.guests {
            actions.push(Action::End(url_id, outcome, failure.clone()));
        }
        if let Some(host_id) = given_up.id {
            self.down.insert(host_id, (outcome, failure.clone()));
            if self.ending.insert(host_id) {
                actions.push(Action::EndHost(host_id, outcome, failure));
            }
        }
    }

    /// A URL could not be requested, and it is not known yet whether the host or our network is at fault.
    pub(super) fn unreached(
        &mut self,
        (slot, generation): (Slot, Generation),
        job: Job,
        failure: Failure,
        began: Mono,
        now: Now,
    ) {
        if self.ledger.whereabouts(job.url_id) != Some(Whereabouts::Fetcher(slot, generation)) {
            return;
        }
        let (url_id, url) = (job.url_id, job.listed_url().to_owned());
        let host = CrawlUrl::parse(&url).map(|url| url.host).unwrap_or_default();
        self.ledger.doubt(job);
        if self.outage.failed(url_id, &host, &url, failure, began, now.mono) {
            self.forget_attempt(url_id, now);
        }
    }

    /// A URL in doubt comes again, as if it had not been tried.
    pub(super) fn forget_attempt(&mut self, url_id: UrlId, now: Now) {
        if self.ledger.whereabouts(url_id) == Some(Whereabouts::InDoubt)
            && let Some(mut entry) = self.ledger.close(url_id)
        {
            self.frontier.closed(entry.host, entry.slot, now.mono);
            // Hops before may have been answered: that was asked, and is to be told.
            entry.job.trail.retain(|request| request.status.is_some());
            self.begin_again(entry.host, entry.job, now.wall, now);
        }
    }

    /// What has been found out about URLs in doubt, and about the network.
    pub(super) fn probed(&mut self, findings: Findings, now: Now, actions: &mut Vec<Action>) {
        for (url_id, failure) in findings.theirs {
            if self.ledger.whereabouts(url_id) == Some(Whereabouts::InDoubt)
                && let Some(mut entry) = self.ledger.close(url_id)
            {
                self.frontier.closed(entry.host, entry.slot, now.mono);
                entry.job.failed = Some(Box::new(failure));
                let host = self.frontier.name(entry.host).to_owned();
                self.frontier.put_back(&host, entry.job, now.mono);
            }
        }
        for url_id in findings.ours {
            self.forget_attempt(url_id, now);
        }
        match findings.news {
            None => {}
            Some(News::Out(failure)) => {
                self.tally.outage = true;
                // The URLs that fetchers have would only fail as well.
                actions.extend(self.frontier.all_away().map(|(slot, name)| Action::Recall(slot, name)));
                actions.push(Action::Warn(format!(
                    "nothing can be reached any more ({}): our network or its resolver is out; fetching pauses and goes \
                     on by itself when it is back; nothing is lost",
                    failure.message
                )));
            }
            Some(News::Back(lasted_ms)) => {
                self.tally.outage = false;
                let lasted = lasted_ms as f64 / 1000.0;
                actions.push(Action::Warn(format!("the network is back after {lasted:.1} s; fetching goes on")));
            }
        }
    }

    /// Has a fetcher find out why hosts cannot be reached, or whether they can be reached again.
    pub(super) fn probe(&mut self, now: Mono, actions: &mut Vec<Action>) {
        let is_up = |fetcher: &Fetcher| matches!(fetcher.child, Child::Up { attached: true, stopping: false, .. });
        if let Some(slot) = self.fetchers.iter().position(is_up)
            && let Some(urls) = self.outage.probe(slot as Slot, self.frontier.some(now), now)
        {
            actions.push(Action::Probe(slot as Slot, urls));
        }
    }
}
