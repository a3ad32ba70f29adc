//! What `/proc` tells about processes: threads, memory layout, start time.

use std::time::{Duration, SystemTime};
use std::{fs, io};

/// Threads of this process. An error if `/proc` is not there to count them.
pub(super) fn count_threads() -> io::Result<usize> {
    fs::read_dir("/proc/self/task")?.try_fold(0, |count, entry| entry.map(|_| count + 1))
}

/// Whether this process is known to have one thread.
pub(super) fn is_single_threaded() -> bool {
    matches!(count_threads(), Ok(1))
}

/// Field `number` of the text of a `/proc/PID/stat`, counted as in proc(5): from 1. Only fields from
/// 3 up: the second is the name, which may hold spaces and brackets.
pub(super) fn stat_field(stat: &str, number: usize) -> Option<&str> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(number.checked_sub(3)?)
}

/// When process `pid` started, in clock ticks since the machine did; `None` if it is gone or only waits to be reaped.
pub(super) fn start_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    if matches!(stat_field(&stat, 3), Some("Z" | "X")) {
        return None;
    }
    stat_field(&stat, 22)?.parse().ok()
}

/// When process `pid` started, to the precision the kernel has (about a second).
pub(super) fn started_at(pid: u32) -> Option<SystemTime> {
    let process_stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let system_stat = fs::read_to_string("/proc/stat").ok()?;
    // SAFETY: asks for a constant of the system; no memory involved.
    let ticks_per_second = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).ok()?;
    start_time(&process_stat, &system_stat, ticks_per_second)
}

fn start_time(process_stat: &str, system_stat: &str, ticks_per_second: u64) -> Option<SystemTime> {
    let ticks_after_boot: u64 = stat_field(process_stat, 22)?.parse().ok()?;
    let boot: u64 = system_stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    let seconds = boot.checked_add(ticks_after_boot.checked_div(ticks_per_second)?)?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn fields_are_counted_after_the_last_bracket_of_the_name() {
        let stat = "7 (a) R 1) S 9 10 11";
        assert_eq!(stat_field(stat, 3), Some("S"));
        assert_eq!(stat_field(stat, 5), Some("10"));
        assert_eq!(stat_field(stat, 7), None);
        assert_eq!(stat_field(stat, 2), None);
        assert_eq!(stat_field("", 3), None);
    }

    #[test]
    fn a_start_time_is_boot_time_plus_ticks() {
        let process_stat = format!("7 (x) S {} 250 0", ["0"; 18].join(" "));
        let at = start_time(&process_stat, "cpu 1 2\nbtime 1000\n", 100).unwrap();
        assert_eq!(at, SystemTime::UNIX_EPOCH + Duration::from_secs(1002));
        assert_eq!(start_time(&process_stat, "cpu 1 2\n", 100), None);
        assert_eq!(start_time(&process_stat, "btime 1000\n", 0), None);
    }

    #[test]
    fn this_process_started_in_the_past() {
        // Boot time is kept in whole seconds, so the answer may be off by that much.
        let started = started_at(std::process::id()).unwrap();
        assert!(started <= SystemTime::now() + Duration::from_secs(2));
    }

    #[test]
    fn a_second_thread_is_counted() {
        let (release, wait) = mpsc::channel::<()>();
        let second = thread::spawn(move || wait.recv().is_err());
        assert!(count_threads().unwrap() >= 2);
        assert!(!is_single_threaded());
        drop(release);
        assert!(second.join().unwrap());
    }
}
