//! Titles of processes, as `ps` shows them: `seine: supervisor`, `seine: fetcher 2`, `seine: writer`.
//!
//! Linux shows as a process's command line whatever lies in the memory where the kernel once put its
//! arguments, with the environment right behind it (`/proc/PID/stat` tells where). If the last byte
//! of the arguments is no longer NUL, it reads on into the environment, so a title may be longer
//! than the arguments were. [`init`] moves the environment away, [`set`] writes.
//!
//! Where `/proc` does not tell, both do nothing: a title is a courtesy. A side effect worth having:
//! secrets in the environment vanish from `/proc/PID/environ`.

use std::ffi::CString;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fmt, fs, ptr};

use super::procfs::{is_single_threaded, stat_field};

/// The purpose of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Decides who fetches what.
    Supervisor,
    /// Fetches; the number is its slot.
    Fetcher(usize),
    /// Writes the store.
    Writer,
    /// Applies rules to stored pages; the number is its slot.
    Extractor(usize),
    /// Feeds the user's programs.
    Processors,
    /// Serves the sample site of the demo.
    DemoSite,
    /// Starts runs when they are due.
    Scheduler,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Supervisor => f.write_str("supervisor"),
            Self::Fetcher(slot) => write!(f, "fetcher {slot}"),
            Self::Writer => f.write_str("writer"),
            Self::Extractor(slot) => write!(f, "extractor {slot}"),
            Self::Processors => f.write_str("processors"),
            Self::DemoSite => f.write_str("demo site"),
            Self::Scheduler => f.write_str("scheduler"),
        }
    }
}

impl Role {
    /// The name shown by tools that have 15 bytes for it (`top`, `pgrep`).
    fn short_name(self) -> String {
        let mut name = match self {
            Self::Supervisor => "seine-sup".to_owned(),
            Self::Fetcher(slot) => format!("seine-fetch-{slot}"),
            Self::Writer => "seine-writer".to_owned(),
            Self::Extractor(slot) => format!("seine-extra-{slot}"),
            Self::Processors => "seine-process".to_owned(),
            Self::DemoSite => "seine-demo-site".to_owned(),
            Self::Scheduler => "seine-schedule".to_owned(),
        };
        name.truncate(15);
        name
    }
}

/// Where the kernel put the argument and environment strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Area {
    start: usize,
    arguments_len: usize,
    /// Length with the environment, which can be used for longer titles.
    len: usize,
}

/// The role set last, as a number: a fetcher's slot, an extractor's above [`EXTRACTORS`], or one of those below.
static CURRENT: AtomicUsize = AtomicUsize::new(SUPERVISOR);
const SUPERVISOR: usize = usize::MAX;
const WRITER: usize = usize::MAX - 1;
const DEMO_SITE: usize = usize::MAX - 2;
const PROCESSORS: usize = usize::MAX - 3;
const SCHEDULER: usize = usize::MAX - 4;
const EXTRACTORS: usize = usize::MAX / 2;

/// Set once by [`init`].
static AREA: OnceLock<Area> = OnceLock::new();

/// Makes room for titles: moves every environment variable to the heap. Call once at the start of
/// the program, before anything starts a thread or keeps a pointer into the environment.
///
/// In a process with several threads it does nothing, nor will [`set`] change the long title.
pub fn init() {
    if !is_single_threaded() {
        return;
    }
    let Some(area) = fs::read_to_string("/proc/self/stat").ok().and_then(|stat| area_in(&stat)) else {
        return;
    };
    if area.len > area.arguments_len {
        move_environment();
    }
    // A second call finds the same area: nothing to do.
    let _ = AREA.set(area);
}

/// The purpose of this process: the role set last; a supervisor until then.
pub fn current() -> Role {
    match CURRENT.load(Ordering::Relaxed) {
        WRITER => Role::Writer,
        DEMO_SITE => Role::DemoSite,
        PROCESSORS => Role::Processors,
        SCHEDULER => Role::Scheduler,
        SUPERVISOR => Role::Supervisor,
        slot if slot >= EXTRACTORS => Role::Extractor(slot - EXTRACTORS),
        slot => Role::Fetcher(slot),
    }
}

/// What the process `pid` is here for, if it is one of ours and its title could be set.
pub fn role_of(pid: u32) -> Option<Role> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    [Role::Supervisor, Role::Writer, Role::DemoSite].into_iter().find(|role| role.short_name() == name.trim_end())
}

/// Shows `role` as this process's title, as far as [`init`] found room.
///
/// Overwrites the argument strings: `std::env::args` yields nonsense afterwards.
pub fn set(role: Role) {
    let number = match role {
        Role::Fetcher(slot) => slot,
        Role::Writer => WRITER,
        Role::DemoSite => DEMO_SITE,
        Role::Extractor(slot) => EXTRACTORS + slot,
        Role::Processors => PROCESSORS,
        Role::Scheduler => SCHEDULER,
        Role::Supervisor => SUPERVISOR,
    };
    CURRENT.store(number, Ordering::Relaxed);
    if let Ok(name) = CString::new(role.short_name()) {
        // Fails only under a sandbox; the name is a courtesy.
        let _ = nix::sys::prctl::set_name(&name);
    }
    let Some(area) = AREA.get() else { return };
    if !is_single_threaded() {
        return;
    }
    let title = format!("seine: {role}");
    let title = fitting(&title, area);
    let start = ptr::with_exposed_provenance_mut::<u8>(area.start);
    // SAFETY: `area` is the argument and environment block that the kernel mapped writable at the bottom
    // of the initial stack, and it stays mapped for the life of the process; `fitting` returns at most
    // `area.len` bytes. No Rust value lives there: `move_environment` left no pointer into the
    // environment part, `std::env::args` copies when called, and the check above leaves no other thread
    // that could be reading. The last byte stays NUL, so a C string read from any old argument pointer
    // ends inside the block.
    unsafe {
        ptr::write_bytes(start, 0, area.len);
        ptr::copy_nonoverlapping(title.as_ptr(), start, title.len());
    }
}

/// The part of `title` that fits `area` with a NUL behind it.
fn fitting<'title>(title: &'title str, area: &Area) -> &'title [u8] {
    &title.as_bytes()[..title.len().min(area.len.saturating_sub(1))]
}

/// Reads the area out of the text of `/proc/PID/stat`: `None` if the kernel does not tell (zeros) or
/// tells something that cannot be.
fn area_in(stat: &str) -> Option<Area> {
    let field = |number| stat_field(stat, number).and_then(|text| text.parse::<usize>().ok());
    let (arg_start, arg_end, env_start, env_end) = (field(48)?, field(49)?, field(50)?, field(51)?);
    if arg_start == 0 || arg_end <= arg_start {
        return None;
    }
    let arguments_len = arg_end - arg_start;
    // The kernel reads on into the environment only if it begins where the arguments end.
    let is_adjacent = env_start == arg_end && env_end >= env_start;
    let len = if is_adjacent { env_end - arg_start } else { arguments_len };
    Some(Area { start: arg_start, arguments_len, len })
}

/// Copies every environment variable to the heap, leaving no pointer into the old strings. Of a name
/// that occurs twice the first stays, as `getenv` would answer; text that is no variable is dropped.
fn move_environment() {
    let variables: Vec<_> = env::vars_os().collect();
    // SAFETY: the only caller has found this process to have one thread, so nobody reads the environment
    // meanwhile. The C library owns the list; `variables` are copies.
    unsafe { libc::clearenv() };
    for (name, value) in variables {
        if name.as_encoded_bytes().contains(&b'=') || env::var_os(&name).is_some() {
            continue;
        }
        // SAFETY: one thread, as above.
        unsafe { env::set_var(name, value) };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    /// A line of `/proc/PID/stat` with the given fields 48 to 51; the name is as nasty as names get.
    fn stat(arg_start: usize, arg_end: usize, env_start: usize, env_end: usize) -> String {
        let fields_3_to_47 = (3..=47).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        format!("4242 (a) S (b c) {fields_3_to_47} {arg_start} {arg_end} {env_start} {env_end} 0\n")
    }

    #[test]
    fn the_area_reaches_from_the_first_argument_to_the_end_of_the_environment() {
        let area = area_in(&stat(1000, 1011, 1011, 1500)).unwrap();
        assert_eq!(area, Area { start: 1000, arguments_len: 11, len: 500 });
    }

    #[test]
    fn an_environment_elsewhere_is_left_alone() {
        assert_eq!(area_in(&stat(1000, 1011, 2000, 2500)).unwrap().len, 11);
        assert_eq!(area_in(&stat(1000, 1011, 1011, 5)).unwrap().len, 11);
    }

    #[test]
    fn a_kernel_that_does_not_tell_gives_no_area() {
        assert_eq!(area_in(&stat(0, 0, 0, 0)), None);
        assert_eq!(area_in(&stat(1000, 1000, 1000, 1500)), None);
        assert_eq!(area_in("4242 (seine) S 1 2 3"), None);
        assert_eq!(area_in(""), None);
    }

    #[test]
    fn a_title_leaves_the_last_byte_of_the_area_nul() {
        let area = Area { start: 1000, arguments_len: 4, len: 8 };
        assert_eq!(fitting("seine: writer", &area), b"seine: ");
        assert_eq!(fitting("seine", &area), b"seine");
    }

    #[test]
    fn short_names_fit_fifteen_bytes() {
        assert_eq!(Role::Supervisor.short_name(), "seine-sup");
        assert_eq!(Role::Fetcher(2).short_name(), "seine-fetch-2");
        assert_eq!(Role::Fetcher(12345).short_name(), "seine-fetch-123");
        assert_eq!(Role::Writer.short_name(), "seine-writer");
    }

    #[test]
    fn a_threaded_process_keeps_its_arguments() {
        let before: Vec<_> = env::args_os().collect();
        let (release, wait) = mpsc::channel::<()>();
        let second = thread::spawn(move || wait.recv().is_err());
        init();
        set(Role::Writer);
        assert_eq!(env::args_os().collect::<Vec<_>>(), before);
        drop(release);
        assert!(second.join().unwrap());
    }
}
