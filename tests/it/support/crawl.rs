//! Crawls in a folder of their own, started as a user starts them; after each, nothing may be left.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::family::{self, Member};
use super::store::Store;
use super::{DEADLINE, eventually, within};

/// Children outlive their supervisor by this much at most, and let go of the lock.
pub const GONE_WITHIN: Duration = Duration::from_millis(1500);

/// A folder with lists and a store, all of one test.
#[derive(Debug)]
pub struct Place {
    folder: TempDir,
    started: AtomicUsize,
}

impl Place {
    /// An empty folder.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder can be made"), started: AtomicUsize::new(0) }
    }

    /// The path of `name` in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the file `name`.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).expect("a file in a temporary folder can be written");
        path
    }

    /// Writes a list `name`, one URL a line.
    pub fn list<S: AsRef<str>>(&self, name: &str, urls: impl IntoIterator<Item = S>) -> PathBuf {
        self.write(name, urls.into_iter().map(|url| format!("{}\n", url.as_ref())).collect::<String>())
    }

    /// Where crawls keep their store unless told otherwise.
    pub fn db(&self) -> PathBuf {
        self.path("crawl.db")
    }

    /// The store there, open.
    pub fn store(&self) -> Store {
        Store::open(&self.db())
    }

    /// Names of the files in the folder that belong to the store.
    pub fn store_files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("the folder can be read");
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<_> = names.filter(|name| name.starts_with("crawl.db")).collect();
        names.sort();
        names
    }

    /// `seine crawl ARGUMENTS` with two fetchers, no delay and no regard for robots.txt, so that the requests a site
    /// sees are those for the list.
    pub fn crawl(&self, arguments: &[&str]) -> Crawl<'_> {
        self.obedient_crawl(arguments).args(&["--ignore-robots"])
    }

    /// `seine crawl ARGUMENTS` with two fetchers and no delay, and an exit code that does not depend on how many pages
    /// fail (sites of tests often do little else), unless the arguments say otherwise.
    pub fn obedient_crawl(&self, arguments: &[&str]) -> Crawl<'_> {
        let mut crawl = self.seine(&["crawl"]);
        let usual = [("--db", "crawl.db"), ("--fetchers", "2"), ("--delay", "0"), ("--fail-threshold", "100%")];
        for (name, value) in usual {
            if !arguments.contains(&name) {
                crawl.arguments.extend([name.to_owned(), value.to_owned()]);
            }
        }
        if let Some(at) = arguments.iter().position(|&argument| argument == "--db") {
            crawl.db = self.path(arguments[at + 1]);
        }
        crawl.args(arguments)
    }

    /// `seine ARGUMENTS`, started in this folder; on however small a disk, unless the arguments say otherwise.
    pub fn seine(&self, arguments: &[&str]) -> Crawl<'_> {
        let program = vec![env!("CARGO_BIN_EXE_seine").to_owned()];
        Crawl { place: self, program, arguments: Vec::new(), stdin: None, db: self.db() }.args(arguments)
    }

    /// Fails if a crawl has left a process in `group` or the lock.
    pub fn assert_nothing_left(&self, group: i32, db: &Path, limit: Duration) {
        let gone = within(limit, || family::of_group(group).is_empty());
        assert!(gone, "left behind after {limit:?}: {:?}", family::of_group(group));
        if db.is_file() {
            let file = File::open(db).expect("the store can be opened");
            match file.try_lock() {
                // Closing it would drop the locks of every SQLite connection this process has to the same file.
                Ok(()) => {
                    file.unlock().expect("a lock just taken can be given back");
                    std::mem::forget(file);
                }
                Err(TryLockError::WouldBlock) => panic!("{} is still locked", db.display()),
                Err(TryLockError::Error(error)) => panic!("{}: {error}", db.display()),
            }
        }
    }
}

/// A command to be started.
#[derive(Debug)]
pub struct Crawl<'a> {
    place: &'a Place,
    program: Vec<String>,
    arguments: Vec<String>,
    stdin: Option<Vec<u8>>,
    db: PathBuf,
}

impl<'a> Crawl<'a> {
    /// More arguments.
    pub fn args(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Standard input; without it there is none.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// A store elsewhere; its lock is looked at in the end.
    pub fn db(mut self, db: &Path) -> Self {
        let at = self.arguments.iter().position(|argument| argument == "--db").expect("crawls have a --db");
        self.arguments[at + 1] = db.to_str().expect("paths of tests are UTF-8").to_owned();
        self.db = db.to_owned();
        self
    }

    /// Beside another that has the store: its lock is not looked at in the end.
    pub fn beside(mut self) -> Self {
        self.db = self.place.path("no store");
        self
    }

    /// Runs it by way of another program.
    pub fn under(mut self, program: &[&str]) -> Self {
        self.program.splice(0..0, program.iter().map(|&word| word.to_owned()));
        self
    }

    /// Starts it in a process group of its own.
    pub fn start(mut self) -> Running<'a> {
        let crawls = self.arguments.iter().any(|word| matches!(&**word, "crawl" | "import" | "retry"));
        if crawls && !self.arguments.iter().any(|argument| argument == "--min-free-disk") {
            self = self.args(&["--min-free-disk", "0"]);
        }
        let number = self.place.started.fetch_add(1, Ordering::Relaxed);
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| self.place.path(&format!("{name}.{number}")));
        let make = |path: &PathBuf| File::create(path).expect("a file in a temporary folder can be written");
        let stdin = match &self.stdin {
            None => Stdio::null(),
            Some(bytes) => {
                let path = self.place.write(&format!("stdin.{number}"), bytes);
                // A pipe, as in a shell's pipeline.
                let mut cat = Command::new("cat").arg(path).stdout(Stdio::piped()).spawn().expect("cat can be run");
                let pipe = cat.stdout.take().expect("its output is a pipe");
                std::thread::spawn(move || cat.wait());
                Stdio::from(pipe)
            }
        };
        let mut command = Command::new(&self.program[0]);
        // SAFETY: between fork and exec it only sets a constant disposition, which is safe there.
        unsafe {
            command.pre_exec(|| {
                // Tests that are themselves run by `nohup` would hand down what a crawl rightly goes on for.
                libc::signal(libc::SIGHUP, libc::SIG_DFL);
                Ok(())
            });
        }
        let child = command
            .args(&self.program[1..])
            .args(&self.arguments)
            .current_dir(self.place.folder.path())
            .stdin(stdin)
            .stdout(make(&stdout))
            .stderr(make(&stderr))
            .process_group(0)
            .spawn()
            .expect("the program can be started");
        Running {
            place: self.place,
            group: child.id() as i32,
            child,
            stdout,
            stderr,
            db: self.db,
            started: Instant::now(),
            ended: false,
        }
    }

    /// Starts it and waits for its end.
    pub fn run(self) -> Ended {
        self.start().wait()
    }
}

/// A command under way; killed with all its processes if it is dropped before its end.
#[derive(Debug)]
pub struct Running<'a> {
    place: &'a Place,
    child: Child,
    /// Process group of the command and whatever it starts.
    pub group: i32,
    stdout: PathBuf,
    stderr: PathBuf,
    db: PathBuf,
    started: Instant,
    ended: bool,
}

/// What a command came to.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: String,
    /// From start to end.
    pub elapsed: Duration,
}

impl Ended {
    /// Fails unless the exit code is `code`.
    pub fn expect(self, code: i32) -> Self {
        assert_eq!((self.code, self.signal), (Some(code), None), "after {:?}:\n{}", self.elapsed, self.stderr);
        self
    }

    /// Fails unless standard error has `text`.
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{text:?} is not in:\n{}", self.stderr);
        self
    }

    /// Standard output as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.stdout)))
    }
}

impl Running<'_> {
    /// Standard error so far.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stderr).unwrap_or_default()).into_owned()
    }

    /// Waits until standard error has `text`.
    pub fn wait_to_hear(&mut self, text: &str) {
        let heard = within(DEADLINE, || self.stderr().contains(text));
        assert!(heard, "waited in vain for {text:?} in:\n{}", self.stderr());
    }

    /// The living processes.
    pub fn family(&self) -> Vec<Member> {
        family::of_group(self.group)
    }

    /// The process that is `seine: ROLE`, if it lives.
    pub fn find(&self, role: &str) -> Option<Member> {
        self.family().into_iter().find(|member| member.is(role))
    }

    /// The process that is `seine: ROLE`; waits for it.
    pub fn the(&self, role: &str) -> Member {
        let mut found = None;
        eventually(&format!("a process called \"seine: {role}\""), || {
            found = self.find(role);
            found.is_some()
        });
        found.expect("waited for above")
    }

    /// The living fetchers.
    pub fn fetchers(&self) -> Vec<Member> {
        self.family().into_iter().filter(|member| member.title.starts_with("seine: fetcher ")).collect()
    }

    /// Sends `signal` to the command.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.group), signal).expect("the command has not been waited for, so its id is its own");
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.status().is_some()
    }

    /// Waits for its end, at most [`DEADLINE`]; then no process of it is left and the store is free.
    pub fn wait(self) -> Ended {
        self.wait_within(DEADLINE)
    }

    /// The same with another limit.
    pub fn wait_within(mut self, limit: Duration) -> Ended {
        let mut status = None;
        let ended = within(limit, || {
            status = self.status();
            status.is_some()
        });
        assert!(ended, "still running after {limit:?}: {:?}\n{}", self.family(), self.stderr());
        self.finish(status.expect("it has ended"))
    }

    /// SIGKILL to the supervisor alone; its children have to end by themselves.
    pub fn kill_supervisor(self) -> Ended {
        self.signal(Signal::SIGKILL);
        self.wait()
    }

    fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the command is a child of this process")
    }

    fn finish(mut self, status: ExitStatus) -> Ended {
        let elapsed = self.started.elapsed();
        self.place.assert_nothing_left(self.group, &self.db, GONE_WITHIN);
        self.ended = true;
        Ended {
            code: status.code(),
            signal: status.signal(),
            stdout: fs::read(&self.stdout).expect("its output is a file of ours"),
            stderr: self.stderr(),
            elapsed,
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        // Only what is in its group now, one by one: a group's number may be somebody else's once it is empty.
        for _ in 0..100 {
            let family = self.family();
            family.iter().for_each(|member| member.signal(Signal::SIGKILL));
            if matches!(self.child.try_wait(), Ok(Some(_))) && family.is_empty() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Whether a program is there and may do what its arguments say; if not, the test that needs it is skipped.
pub fn is_permitted(program: &str, arguments: &[impl AsRef<OsStr>]) -> bool {
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let permitted = status.is_ok_and(|status| status.success());
    if !permitted {
        println!("skipped: {program} is not permitted here");
    }
    permitted
}
