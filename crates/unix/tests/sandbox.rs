//! Processes that somebody has taken over try what the walls are there against; and what they are there for still works.
//!
//! Not a test of the usual harness: that has threads, and a process with threads neither forks nor walls itself off.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getppid};

use seine_unix::fork::{Death, ForkSpec, fork};
use seine_unix::sandbox::{InForce, Needs, Network, SandboxError, enter};
use seine_unix::title::Role;

/// A child that needs longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Marks the calls of the interface x32.
#[cfg(target_arch = "x86_64")]
const X32: i64 = 0x4000_0000;

/// What a child has found out: its lines, and whether it ended well.
struct Told {
    text: String,
    status: WaitStatus,
}

/// Runs `body` in a child; what it writes is what it tells.
fn in_child(body: impl FnOnce(&mut dyn Write) -> bool) -> Told {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let spec = ForkSpec { role: Role::Fetcher(0), keep: &[theirs.as_raw_fd()], death: Death::Kill };
    let child = fork(spec, move || i32::from(!body(&mut &theirs))).unwrap();
    ours.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut text = String::new();
    let read = (&ours).read_to_string(&mut text);
    if read.is_err() {
        kill(child, Signal::SIGKILL).unwrap();
    }
    Told { text, status: waitpid(child, Some(WaitPidFlag::empty())).unwrap() }
}

/// The folders of one case: one that may be written to, one that may be read, one that is nobody's business.
struct Place {
    _root: tempfile::TempDir,
    store: PathBuf,
    certificates: PathBuf,
    secrets: PathBuf,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let [store, certificates, secrets] = ["store", "certificates", "secrets"].map(|name| root.path().join(name));
        for folder in [&store, &certificates, &secrets] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("file"), "some text").unwrap();
        }
        Self { _root: root, store, certificates, secrets }
    }
}

/// Tells by name what was done although it should have been refused.
struct Attempts<'a> {
    out: &'a mut dyn Write,
    all_refused: bool,
}

impl Attempts<'_> {
    fn refused<T>(&mut self, name: &str, result: io::Result<T>) {
        match result {
            // Of what is refused it must not be told whether it would have come to anything.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES | libc::ENOSYS)) => {}
            Err(error) => self.fail(name, &format!("was not refused, but failed: {error}")),
            Ok(_) => self.fail(name, "was done"),
        }
    }

    fn refused_by_filter<T>(&mut self, name: &str, result: io::Result<T>) {
        match result {
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {}
            Err(error) => self.fail(name, &format!("was not refused by the filter: {error}")),
            Ok(_) => self.fail(name, "was done"),
        }
    }

    fn done<T>(&mut self, name: &str, result: io::Result<T>) {
        if let Err(error) = result {
            self.fail(name, &error.to_string());
        }
    }

    fn fail(&mut self, name: &str, what: &str) {
        self.all_refused = false;
        let _ = writeln!(self.out, "{name}: {what}");
    }
}

/// Everything that no process behind walls may do.
fn try_all(a: &mut Attempts<'_>, place: &Place, files: bool) {
    let secret = place.secrets.join("file");
    if files {
        a.refused("read a secret", fs::read(&secret));
        a.refused("list a folder of secrets", fs::read_dir(&place.secrets));
        a.refused("read the words of another's command line", fs::read(format!("/proc/{}/cmdline", getppid())));
        a.refused("read /etc/passwd", fs::read("/etc/passwd"));
    }
    a.refused("write to a secret", fs::write(&secret, "x"));
    a.refused("make a file", fs::File::create(place.secrets.join("new")));
    a.refused("remove a file", fs::remove_file(&secret));
    a.refused("rename a file", fs::rename(&secret, place.secrets.join("other")));
    a.refused("start a program", Command::new("/bin/true").status());
    // SAFETY: a child of this one would end at once; it is refused.
    a.refused(
        "fork",
        errno_of(|| unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::_exit(0);
            }
            child.into()
        }),
    );
    a.refused("signal the parent", kill(getppid(), Signal::SIGCONT).map_err(Into::into));
    a.refused("signal the group", kill(Pid::from_raw(0), Signal::SIGCONT).map_err(Into::into));
    // SAFETY: no pointer is looked at by what is refused, nor by what would be done.
    unsafe {
        let parent = libc::getppid();
        a.refused("trace the parent", errno_of(|| libc::ptrace(libc::PTRACE_SEIZE, parent, 0, 0)));
        let none = std::ptr::null::<libc::c_void>();
        let peek = || libc::process_vm_readv(parent, none.cast(), 0, none.cast(), 0, 0) as i64;
        a.refused("read the parent's memory", errno_of(peek));
        a.refused("open a handle on the parent", errno_of(|| libc::syscall(libc::SYS_pidfd_open, parent, 0)));
        a.refused("use io_uring", errno_of(|| libc::syscall(libc::SYS_io_uring_setup, 1, none)));
        a.refused("load a BPF program", errno_of(|| libc::syscall(libc::SYS_bpf, 0, none, 0)));
        a.refused("make a namespace", errno_of(|| libc::unshare(libc::CLONE_NEWUSER).into()));
        a.refused("type at the terminal", errno_of(|| libc::ioctl(2, libc::TIOCSTI, c"x".as_ptr()).into()));
        // The filter itself has to refuse these: where there is no Landlock, nobody else would.
        for (name, flags) in [("make a file to read", libc::O_CREAT), ("empty a file", libc::O_TRUNC)] {
            a.refused_by_filter(name, errno_of(|| libc::open(c"/tmp".as_ptr(), flags, 0o600).into()));
        }
        #[cfg(target_arch = "x86_64")]
        a.refused_by_filter("call by the numbers of x32", errno_of(|| libc::syscall(X32 | libc::SYS_getpid)));
        a.refused("have a signal sent", errno_of(|| libc::fcntl(1, libc::F_SETOWN, parent).into()));
    }
    a.refused("talk over a socket of the machine", UnixStream::connect("/run/nothing.sock"));
    a.refused("capture packets", socket_of(AddressFamily::Packet, SockType::Raw));
    a.refused("send raw packets", socket_of(AddressFamily::Inet, SockType::Raw));
    a.refused("listen", TcpListener::bind("127.0.0.1:0"));
}

fn socket_of(family: AddressFamily, kind: SockType) -> io::Result<()> {
    socket(family, kind, SockFlag::empty(), None).map(drop).map_err(Into::into)
}

fn errno_of(call: impl FnOnce() -> i64) -> io::Result<i64> {
    match call() {
        -1 => Err(io::Error::last_os_error()),
        value => Ok(value),
    }
}

/// A thread can be started, memory be had, time be read.
fn lives(a: &mut Attempts<'_>) {
    let sum = std::thread::spawn(|| (0..1_000_u64).sum::<u64>()).join();
    a.done("start a thread", sum.map_err(|_| io::Error::other("it panicked")));
    let many = vec![1_u8; 64 << 20];
    a.done("have memory", if many[many.len() - 1] == 1 { Ok(()) } else { Err(io::Error::other("wrong")) });
    a.done("tell the time", Instant::now().checked_add(PATIENCE).ok_or(io::Error::other("no time")));
    a.done("signal itself", kill(Pid::this(), Signal::SIGCONT).map_err(Into::into));
}

fn behind(needs: &Needs, out: &mut dyn Write, body: impl FnOnce(&mut Attempts<'_>, InForce)) -> bool {
    let walls = match enter(needs) {
        Ok(walls) => walls,
        Err(error) => {
            let _ = writeln!(out, "no walls: {error}");
            return false;
        }
    };
    if !walls.calls {
        let _ = writeln!(out, "skipped: {walls}");
        return true;
    }
    let mut attempts = Attempts { out, all_refused: true };
    body(&mut attempts, walls);
    attempts.all_refused
}

fn a_fetcher_asks_sites_and_does_nothing_else() -> Told {
    let place = Place::new();
    let (site, _pipe) = (TcpListener::bind("127.0.0.1:0").unwrap(), UnixListener::bind(place.store.join("s")).unwrap());
    let address = site.local_addr().unwrap();
    let needs = Needs {
        network: Network::Outward,
        reads: vec![place.certificates.clone(), "/etc/hosts".into(), "/etc/nsswitch.conf".into()],
        writes: Vec::new(),
    };
    in_child(|out| {
        behind(&needs, out, |a, walls| {
            try_all(a, &place, walls.files > 0);
            a.refused("connect to a process of this machine", UnixStream::connect(pipe_path(&place)));
            a.refused("write where it may read", fs::write(place.certificates.join("file"), "x"));
            a.done("read certificates", fs::read(place.certificates.join("file")));
            a.done("connect to a site", TcpStream::connect(address));
            a.done("look up a name", ("localhost", 80).to_socket_addrs());
            a.done("ask over UDP", UdpSocket::bind("127.0.0.1:0").and_then(|udp| udp.connect(address)));
            lives(a);
        })
    })
}

fn pipe_path(place: &Place) -> PathBuf {
    place.store.join("s")
}

fn a_writer_writes_in_its_folder_and_asks_nobody() -> Told {
    let place = Place::new();
    let site = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = site.local_addr().unwrap();
    let needs = Needs { network: Network::None, reads: Vec::new(), writes: vec![place.store.clone()] };
    in_child(|out| {
        behind(&needs, out, |a, walls| {
            a.refused("connect to a site", TcpStream::connect(address));
            a.refused("send a datagram", UdpSocket::bind("127.0.0.1:0"));
            a.refused("start a program", Command::new("/bin/true").status());
            a.refused("signal the parent", kill(getppid(), Signal::SIGCONT).map_err(Into::into));
            if walls.files > 0 {
                a.refused("read a secret", fs::read(place.secrets.join("file")));
                a.refused("make a file elsewhere", fs::File::create(place.secrets.join("new")));
                let link = std::os::unix::fs::symlink(place.secrets.join("file"), place.store.join("link"));
                a.refused("link to a secret", link);
            }
            a.done("write a file", fs::write(place.store.join("file"), "more"));
            a.done("make, rename and remove one", make_rename_remove(&place.store));
            lives(a);
        })
    })
}

fn make_rename_remove(folder: &Path) -> io::Result<()> {
    let [a, b] = ["a", "b"].map(|name| folder.join(name));
    fs::File::create_new(&a)?.set_len(10)?;
    fs::rename(&a, &b)?;
    fs::File::options().write(true).truncate(true).open(&b)?;
    fs::remove_file(&b)
}

fn who_needs_nothing_has_nothing() -> Told {
    let place = Place::new();
    let site = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = site.local_addr().unwrap();
    in_child(|out| {
        behind(&Needs::nothing(), out, |a, walls| {
            try_all(a, &place, walls.files > 0);
            a.refused("connect to a site", TcpStream::connect(address));
            lives(a);
        })
    })
}

fn a_process_with_threads_is_refused() -> Told {
    in_child(|out| {
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let second = std::thread::spawn(move || wait.recv().is_err());
        let refused = enter(&Needs::nothing());
        let _ = writeln!(out, "{refused:?}");
        drop(release);
        second.join().unwrap() && matches!(refused, Err(SandboxError::Threads(2)))
    })
}

type Case = fn() -> Told;

fn main() -> ExitCode {
    let cases: [(&str, Case); 4] = [
        ("a fetcher asks sites and does nothing else", a_fetcher_asks_sites_and_does_nothing_else),
        ("a writer writes in its folder and asks nobody", a_writer_writes_in_its_folder_and_asks_nobody),
        ("who needs nothing has nothing", who_needs_nothing_has_nothing),
        ("a process with threads is refused", a_process_with_threads_is_refused),
    ];
    let mut failed = false;
    for (name, case) in cases {
        let told = case();
        let ok = matches!(told.status, WaitStatus::Exited(_, 0));
        failed |= !ok;
        println!("test {name} ... {}", if ok { "ok" } else { "FAILED" });
        if !ok || told.text.starts_with("skipped") {
            println!("{:?}\n{}", told.status, told.text);
        }
    }
    ExitCode::from(u8::from(failed))
}
