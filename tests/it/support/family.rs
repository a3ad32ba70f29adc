//! The processes of a crawl, as `/proc` shows them.
//!
//! Every crawl runs in a process group of its own, which its children keep even when their parent is dead: so what
//! belongs to a test, and only that, can always be found.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// One living process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub pid: i32,
    /// Its parent's.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// State letter of `/proc/PID/stat`.
    pub state: char,
    /// Its command line: a process of a crawl shows its role there.
    pub title: String,
}

impl Member {
    /// Whether it is `seine: ROLE`.
    pub fn is(&self, role: &str) -> bool {
        self.title == format!("seine: {role}")
    }

    /// Sends it `signal`; it may have ended just now.
    pub fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.pid), signal);
    }

    /// Proportional share of its memory in KiB; 0 if it has ended.
    pub fn pss_kib(&self) -> u64 {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid)).unwrap_or_default();
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
    }

    /// CPU time it has used so far, in milliseconds; 0 if it has ended.
    pub fn cpu_ms(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        // utime and stime, in ticks of which Linux shows 100 a second.
        after_name.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10
    }

    /// The test itself.
    pub fn own() -> Self {
        member(std::process::id().cast_signed()).expect("it lives")
    }

    /// Looks again; `None` if it has ended.
    pub fn now(&self) -> Option<Self> {
        member(self.pid).filter(|now| now.group == self.group)
    }
}

/// The living members of process group `group`. Those that have ended and wait for their parent are not alive.
pub fn of_group(group: i32) -> Vec<Member> {
    all().filter(|member| member.group == group).collect()
}

/// The living children of `parent`.
pub fn children_of(parent: i32) -> Vec<Member> {
    all().filter(|member| member.parent == parent).collect()
}

fn all() -> impl Iterator<Item = Member> {
    let entries = fs::read_dir("/proc").expect("/proc is mounted");
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(member).filter(|member| !matches!(member.state, 'Z' | 'X'))
}

fn member(pid: i32) -> Option<Member> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything, blanks and brackets too; the rest does not.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let title = String::from_utf8_lossy(&line).trim_end_matches('\0').replace('\0', " ");
    Some(Member { pid, parent, group, state, title })
}
