//! Starts programs of the user's, with pipes to talk through; they end with the process that started them, and what
//! they have started ends with them.
//!
//! What is started is what the configuration names, word by word: no shell, and nothing of a page.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, getpid};

use super::Signal;
use super::poll::{Interest, PollSet};
use super::sandbox::Offline;
use super::strays;

/// Programs started so far.
static STARTED: AtomicU64 = AtomicU64::new(0);

/// A running program, leader of a process group of its own. Killed when dropped, with its group and all else that it
/// has started.
#[derive(Debug)]
pub struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    stderr: ChildStderr,
    /// How it ended, once it was waited for: its id may be another's from then on.
    ended: Option<ExitStatus>,
    /// The variable [`strays::MARK`] of its processes.
    mark: String,
}

/// What a program may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// What its user may.
    All,
    /// That, and no set-user-ID program gives it more.
    NoMore,
    /// That, without the network.
    Offline,
}

/// What a read from a pipe has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Got {
    /// So many bytes.
    Bytes(usize),
    /// Nothing for now.
    Nothing,
    /// The program has closed it.
    End,
}

impl Program {
    /// Starts `command`: a program, by path or found on `PATH`, and its arguments. All pipes are nonblocking.
    ///
    /// The program has no descriptors but the three pipes, default signals, and is killed when this process dies.
    ///
    /// # Errors
    /// There is no such program, or it cannot be started.
    pub fn start(command: &[String]) -> io::Result<Self> {
        Self::start_with(command, &[], Rights::All)
    }

    /// The same with these variables in its environment, beside ours, and with these rights.
    ///
    /// # Errors
    /// As [`Program::start`], or the kernel does not let rights be taken away.
    pub fn start_with(command: &[String], variables: &[(&str, String)], rights: Rights) -> io::Result<Self> {
        let (program, arguments) =
            command.split_first().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no program is named"))?;
        let parent = getpid();
        let mut command = Command::new(program);
        let mark = format!("{parent}-{}", STARTED.fetch_add(1, Ordering::Relaxed));
        command.envs(variables.iter().map(|(name, value)| (name, value))).env(strays::MARK, &mark);
        strays::adopt();
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let offline = (rights == Rights::Offline).then(Offline::new).transpose().map_err(io::Error::other)?;
        // SAFETY: runs in the forked child before exec, where only async-signal-safe functions may be called: signal,
        // prctl, seccomp, getppid and _exit are, and nothing is allocated. `parent` is a plain number, the filter was made
        // before.
        unsafe {
            command.pre_exec(move || {
                // Ours are ignored, and ignored signals stay so over exec.
                for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGXFSZ] {
                    libc::signal(signal, libc::SIG_DFL);
                }
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                if libc::getppid() != parent.as_raw() {
                    libc::_exit(1);
                }
                if rights != Rights::All {
                    libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
                }
                offline.as_ref().map_or(Ok(()), Offline::put_on)
            });
        }
        let mut child = command.spawn()?;
        let (stdin, stdout, stderr) = match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(stdin), Some(stdout), Some(stderr)) => (stdin, stdout, stderr),
            _ => return Err(io::Error::other("its pipes are missing")),
        };
        let program = Self { child, stdin: Some(stdin), stdout, stderr, ended: None, mark };
        let [stdout, stderr] = program.outputs();
        for pipe in program.stdin().into_iter().chain([stdout, stderr]) {
            fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        Ok(program)
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// For polling: its input, unless it is closed.
    pub fn stdin(&self) -> Option<BorrowedFd<'_>> {
        self.stdin.as_ref().map(AsFd::as_fd)
    }

    /// For polling: its output and its errors.
    pub fn outputs(&self) -> [BorrowedFd<'_>; 2] {
        [self.stdout.as_fd(), self.stderr.as_fd()]
    }

    /// Writes what fits of `bytes`, and says how much that was. A program that no longer reads shows by its end.
    ///
    /// # Errors
    /// [`io::ErrorKind::BrokenPipe`] and whatever else a pipe reports.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(stdin) = &mut self.stdin else { return Err(io::ErrorKind::BrokenPipe.into()) };
        match stdin.write(bytes) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(0),
            other => other,
        }
    }

    /// Reads from its output.
    pub fn read(&mut self, into: &mut [u8]) -> Got {
        got(self.stdout.read(into))
    }

    /// Reads from its errors.
    pub fn read_errors(&mut self, into: &mut [u8]) -> Got {
        got(self.stderr.read(into))
    }

    /// Closes its input: a program that is done with what it has ends then.
    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Whether it has ended. It is not waited for: as long as that is so, its group cannot be another's, and what it has
    /// started can be killed with it.
    pub fn has_ended(&self) -> bool {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        self.ended.is_some() || !matches!(waitid(Id::Pid(self.pid()), flags), Ok(WaitStatus::StillAlive))
    }

    /// Ends it: closes its input, waits for so long that it ends by itself, then kills it and its group.
    pub fn end(mut self, patience: Duration) -> Option<ExitStatus> {
        self.close_input();
        let deadline = Instant::now() + patience;
        let mut waste = [0; 4096];
        // A program that still has something to say must not be stuck in saying it.
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            match self.read(&mut waste) {
                Got::End => break,
                Got::Bytes(_) => {}
                Got::Nothing => {
                    while let Got::Bytes(_) = self.read_errors(&mut waste) {}
                    let mut set = PollSet::new();
                    set.add(self.stdout.as_fd(), Interest::Read);
                    if set.wait(Some(left.min(Duration::from_millis(50)))).is_err() {
                        break;
                    }
                }
            }
        }
        // Its output is closed, so it is as good as gone; unless it only pretends.
        while Instant::now() < deadline && !self.has_ended() {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.kill()
    }

    /// Kills it, its group and all else that it has started; says how it ended, which may have been before.
    pub fn kill(&mut self) -> Option<ExitStatus> {
        if self.ended.is_some() {
            return self.ended;
        }
        // Its id is its own until it is waited for, and so is that of its group.
        let pid = self.pid();
        let descendants = strays::descendants_of(pid);
        // It comes first, so that it does not see them end and does something about it.
        let _ = killpg(pid, Signal::SIGKILL);
        for descendant in descendants {
            let _ = kill(descendant, Signal::SIGKILL);
        }
        self.ended = self.child.wait().ok();
        // Orphans of its own, and those that the last lines have made.
        strays::end_marked(&self.mark);
        self.ended
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

fn got(read: io::Result<usize>) -> Got {
    match read {
        Ok(0) => Got::End,
        Ok(n) => Got::Bytes(n),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Got::Nothing,
        Err(_) => Got::End,
    }
}

/// Whether `program` can be started, as far as that can be known before: by its path, or found on `PATH`.
pub fn is_there(program: &str) -> bool {
    let is_executable =
        |path: &Path| path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
    if program.contains('/') {
        return is_executable(Path::new(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| is_executable(&folder.join(program)))
}

/// An opened but nameless file with what `write` puts into it, for programs of the user's: gone when it is closed, whoever
/// dies.
///
/// # Errors
/// Those of `write`; no room, or no folder for temporary files.
pub fn nameless_file(write: impl FnOnce(&mut std::fs::File) -> io::Result<()>) -> io::Result<OwnedFd> {
    let folder = std::env::temp_dir();
    for attempt in 0..100_u32 {
        let path = folder.join(format!("seine-{}-{attempt}-{:x}", getpid(), super::clock::monotonic_us()));
        let mut options = std::fs::OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.read(true).write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                // Its name is gone before anything else can go wrong.
                std::fs::remove_file(&path)?;
                write(&mut file)?;
                return Ok(file.into());
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Where other processes of this user find the open file `fd` of this process.
pub fn path_of(fd: &OwnedFd) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/{}/fd/{}", getpid(), fd.as_raw_fd())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &[&str]) -> Vec<String> {
        command.iter().map(|&word| word.to_owned()).collect()
    }

    fn read_all(program: &mut Program) -> Vec<u8> {
        let (mut all, mut buffer) = (Vec::new(), [0; 1000]);
        loop {
            let mut set = PollSet::new();
            set.add(program.outputs()[0], Interest::Read);
            assert!(set.wait(Some(Duration::from_secs(60))).unwrap() > 0, "nothing came");
            match program.read(&mut buffer) {
                Got::Bytes(n) => all.extend_from_slice(&buffer[..n]),
                Got::Nothing => {}
                Got::End => return all,
            }
        }
    }

    fn told_with(rights: Rights, script: &str) -> String {
        let mut program = Program::start_with(&words(&["bash", "-c", script]), &[], rights).unwrap();
        let told = read_all(&mut program);
        program.end(Duration::from_secs(60)).unwrap();
        String::from_utf8(told).unwrap()
    }

    #[test]
    fn a_program_has_the_rights_it_is_given() {
        let site = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = site.local_addr().unwrap().port();
        let connect = format!("(exec 3<>/dev/tcp/127.0.0.1/{port}) 2>&1 && echo connected");
        let privileges = "grep NoNewPrivs /proc/self/status";
        assert_eq!(told_with(Rights::NoMore, privileges), "NoNewPrivs:\t1\n");
        assert_eq!(told_with(Rights::NoMore, &connect), "connected\n");
        let refused = told_with(Rights::Offline, &connect);
        assert!(refused.contains("not permitted"), "{refused}");
        assert_eq!(told_with(Rights::Offline, privileges), "NoNewPrivs:\t1\n");
        assert_eq!(told_with(Rights::All, &connect), "connected\n");
    }

    #[test]
    fn a_program_gets_its_arguments_as_they_are() {
        let mut program = Program::start(&words(&["printf", "%s|", "a b", "$HOME; exit", "*"])).unwrap();
        assert_eq!(read_all(&mut program), b"a b|$HOME; exit|*|");
        assert!(program.end(Duration::from_secs(60)).unwrap().success());
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        assert_eq!(Program::start(&words(&["no-such-program-here"])).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(Program::start(&[]).is_err());
        assert!(is_there("sh") && is_there("/bin/sh"));
        assert!(!is_there("no-such-program-here") && !is_there("/etc/passwd") && !is_there("/etc") && !is_there(""));
    }

    #[test]
    fn a_program_that_does_not_end_is_killed_with_what_it_started() {
        let mut program = Program::start(&words(&["sh", "-c", "trap '' TERM; sleep 1000 & echo $!; wait"])).unwrap();
        let mut buffer = [0; 100];
        let mut line = String::new();
        while !line.ends_with('\n') {
            let mut set = PollSet::new();
            set.add(program.outputs()[0], Interest::Read);
            assert!(set.wait(Some(Duration::from_secs(60))).unwrap() > 0, "nothing came");
            if let Got::Bytes(n) = program.read(&mut buffer) {
                line.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
            }
        }
        let sleeper: i32 = line.trim().parse().unwrap();
        assert!(!program.end(Duration::from_millis(50)).unwrap().success());
        // Nobody's child any more: whoever adopts it takes its time to reap it.
        let is_gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{sleeper}/stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_none_or(|rest| rest.is_empty() || rest.starts_with('Z'))
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        while !is_gone() {
            assert!(Instant::now() < deadline, "the sleeper lives on");
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_has_left_its_group_or_was_left_alone_ends_with_its_program() {
        // One in a session of its own, and one whose parent is gone at once.
        let script = "setsid sleep 1000 & echo $!; (setsid sleep 1000 & echo $!); read -r line";
        let mut others = Program::start(&words(&["sh", "-c", "(setsid sleep 1000 & echo $!); read -r line"])).unwrap();
        let mut program = Program::start(&words(&["sh", "-c", script])).unwrap();
        let lines = |program: &mut Program, count: usize| {
            let (mut text, mut buffer) = (String::new(), [0; 100]);
            while text.lines().count() < count || !text.ends_with('\n') {
                let mut set = PollSet::new();
                set.add(program.outputs()[0], Interest::Read);
                assert!(set.wait(Some(Duration::from_secs(60))).unwrap() > 0, "nothing came");
                if let Got::Bytes(n) = program.read(&mut buffer) {
                    text.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
                }
            }
            text.lines().map(|line| line.parse::<i32>().unwrap()).collect::<Vec<_>>()
        };
        let (own, foreign) = (lines(&mut program, 2), lines(&mut others, 1));
        let lives = |pid: &i32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            crate::procfs::stat_field(&stat, 3).is_some_and(|state| state != "Z")
        };
        assert!(own.iter().chain(&foreign).all(lives));
        assert!(program.end(Duration::from_millis(50)).is_some());
        assert!(!own.iter().any(lives), "{own:?}");
        assert!(foreign.iter().all(lives), "that of the other program is its own business");
        drop(others);
        assert!(!foreign.iter().any(lives));
    }

    #[test]
    fn a_nameless_file_is_found_by_its_path_until_it_is_closed() {
        let file = nameless_file(|file| file.write_all(b"frames")).unwrap();
        let path = path_of(&file);
        assert_eq!(std::fs::read(&path).unwrap(), b"frames");
        drop(file);
        assert!(std::fs::read(&path).is_err());
    }
}
