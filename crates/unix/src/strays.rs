//! Processes that a program of the user's has started and left: out of its group (`setsid`), or as orphans.
//!
//! A process that starts programs adopts their orphans, so that they can be found and ended with the program, and not by
//! the machine's init some day. They are told from those of other programs by a variable of their environment.

use std::collections::HashMap;
use std::fs;
use std::process;

use nix::sys::signal::kill;
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};
use nix::unistd::Pid;

use super::Signal;
use super::procfs::stat_field;

/// Rounds in which orphans are ended: each may leave children of its own, which are orphans then.
const ROUNDS: usize = 64;

/// The variable that tells the processes of one program from those of another.
pub(super) const MARK: &str = "SEINE_PROGRAM";

/// From now on this process is the parent of orphans among its descendants, if no process between them is.
pub fn adopt() {
    // SAFETY: prctl with this option takes a plain number and touches no memory.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) };
}

/// The descendants of process `pid`, which is a child of this one and not waited for yet.
pub(super) fn descendants_of(pid: Pid) -> Vec<Pid> {
    let children = children();
    let mut found = vec![pid.as_raw()];
    let mut at = 0;
    while let Some(parent) = found.get(at) {
        let own = children.get(parent).cloned().unwrap_or_default();
        found.extend(own);
        at += 1;
    }
    found.into_iter().skip(1).map(Pid::from_raw).collect()
}

/// Kills and reaps the adopted processes whose [`MARK`] is `mark`.
pub(super) fn end_marked(mark: &str) {
    end(|pid| mark_of(pid).is_some_and(|own| own == mark.as_bytes()));
}

/// Kills and reaps the adopted processes of programs that a process below this one has started and did not live to end.
pub fn end_programs() {
    // This process may be of a program itself, and hands the mark of that one down to all its children.
    let own = std::env::var_os(MARK).map(|mark| mark.into_encoded_bytes());
    end(|pid| mark_of(pid).is_some_and(|mark| Some(mark) != own));
}

/// The [`MARK`] in the environment that process `pid` was started with.
fn mark_of(pid: i32) -> Option<Vec<u8>> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut variables = environment.split(|byte| *byte == 0);
    variables.find_map(|variable| variable.strip_prefix(MARK.as_bytes())?.strip_prefix(b"=")).map(<[u8]>::to_vec)
}

/// Reaps adopted processes that have ended by themselves; children that are `known` are left to the code that waits for them.
pub fn reap(known: impl Fn(Pid) -> bool) {
    let peek = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    // A known one that has ended hides the others until it has been waited for.
    while let Some(pid) = waitid(Id::All, peek).ok().and_then(|status| status.pid()).filter(|pid| !known(*pid)) {
        if waitpid(pid, Some(WaitPidFlag::WNOHANG)).is_err() {
            return;
        }
    }
}

/// Kills and reaps every child of this process, adopted or not: the last thing that it does with them.
pub fn end_all() {
    end(|_| true);
}

fn end(is_meant: impl Fn(i32) -> bool) {
    for _ in 0..ROUNDS {
        let mut children = children();
        let mine: Vec<_> = children.remove(&process::id().cast_signed()).unwrap_or_default();
        let meant: Vec<_> = mine.into_iter().filter(|pid| is_meant(*pid)).map(Pid::from_raw).collect();
        if meant.is_empty() {
            return;
        }
        for pid in &meant {
            let _ = kill(*pid, Signal::SIGKILL);
        }
        for pid in meant {
            // It has been killed, so this takes but a moment.
            let _ = waitpid(pid, Some(WaitPidFlag::empty()));
        }
    }
}

/// The children of every process that can be seen.
fn children() -> HashMap<i32, Vec<i32>> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    let processes = fs::read_dir("/proc").ok().into_iter().flatten().flatten();
    for pid in processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()) {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if let Some(parent) = stat_field(&stat, 4).and_then(|parent| parent.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    children
}
