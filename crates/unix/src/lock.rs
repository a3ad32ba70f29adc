//! The writer lock: one crawl at a time per store, and the name of the one that has it.
//!
//! It is an exclusive `flock` on the store's own file, which is what [`File::try_lock`] takes on Linux. The kernel gives it back when the last process
//! that has this opening of the file ends, however it ends; nothing is left behind to clean up. The
//! supervisor takes it and the writer inherits it over the fork, so a store stays locked while either
//! lives: also while a writer drains after its supervisor's death.
//!
//! SQLite locks the same file with `fcntl`, which on a local disk does not meet `flock`. But Unix drops
//! all `fcntl` locks of a process when it closes *any* descriptor of the file (sqlite.org, "How To
//! Corrupt An SQLite Database File", section 2.2). Hence: **in the writer the [`StoreLock`] must outlive
//! the SQLite connection**, and nobody there opens and closes the store's file in passing.
//!
//! When a run has ended, others may have the store while its process still tells of it ([`StoreLock::tell`]). That such a
//! process lives is a lock of its own: an open file description lock on a byte that SQLite leaves alone, which the kernel
//! gives back likewise.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::stat::{major, minor};
use nix::unistd::{AccessFlags, access, geteuid};

use super::procfs;

/// How often to begin anew when the file is removed or created by others meanwhile.
const MAX_ATTEMPTS: usize = 8;

/// Whose lock says that a process still tells of a run; SQLite's end 512 bytes behind the first gigabyte
/// (<https://sqlite.org/fileformat.html>, section 1.3.1 of its "lock-byte page").
const TELLING_AT: libc::off_t = (1 << 30) + 4096;

/// The lock on a store; given back when the last process that has this value is gone or drops it.
#[derive(Debug)]
pub struct StoreLock {
    file: File,
    path: PathBuf,
    created: bool,
}

/// Why a store is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run has it.
    #[error(
        "cannot open store {}: writer lock is held by {}; wait for that run or choose another file with --db",
        path.display(),
        holder_name(*.owner, *.since)
    )]
    Held {
        /// The store.
        path: PathBuf,
        /// A process of the run that has the lock, if it can be seen from here.
        owner: Option<u32>,
        /// When that process started.
        since: Option<SystemTime>,
    },
    /// A folder, a pipe, a device.
    #[error("cannot open store {}: not a regular file; choose another with --db", path.display())]
    NotAFile {
        /// The store.
        path: PathBuf,
    },
    /// The file could be neither opened nor created.
    #[error("cannot open store {} for writing; check that its folder exists and both may be written", path.display())]
    Open {
        /// The store.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It belongs to somebody else.
    #[error(
        "cannot write store {}: {} belongs to user {owner} and must be writable by user {uid}, who this is; give it to \
         that user (chown -R {uid} {}), or run as its owner (in Docker: --user {owner}:{group})",
        path.display(),
        place.display(),
        place.display()
    )]
    NotOurs {
        /// The store.
        path: PathBuf,
        /// Its folder, or the file itself.
        place: PathBuf,
        /// The user it belongs to.
        owner: u32,
        /// The group it belongs to.
        group: u32,
        /// The user this process runs as.
        uid: u32,
        /// What the system said.
        source: io::Error,
    },
    /// The file system keeps no locks.
    #[error("cannot lock store {}; put it on a local disk", path.display())]
    Lock {
        /// The store.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl StoreLock {
    /// Locks the store at `path`, never waiting; creates an empty file (mode 0644) if there is none.
    ///
    /// # Errors
    /// [`LockError`]; an empty file may have been left if it is [`LockError::Lock`].
    pub fn acquire(path: &Path) -> Result<Self, LockError> {
        for _ in 0..MAX_ATTEMPTS {
            let (file, created) = open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let owner = holder(&file);
                    let since = owner.and_then(procfs::started_at);
                    return Err(LockError::Held { path: path.to_owned(), owner, since });
                }
                Err(TryLockError::Error(source)) => {
                    return Err(LockError::Lock { path: path.to_owned(), source });
                }
            }
            // Between opening and locking, the run that had the lock may have removed the file it had
            // created. A lock on a file that nobody can find any more guards nothing.
            if is_still_at(path, &file) {
                return Ok(Self { file, path: path.to_owned(), created });
            }
        }
        let source = io::Error::other("it is being removed and created again all the time");
        Err(LockError::Open { path: path.to_owned(), source })
    }

    /// Whether the file did not exist before; a run that stores nothing may then remove it, while it
    /// still has the lock.
    pub fn created(&self) -> bool {
        self.created
    }

    /// The path given to [`StoreLock::acquire`].
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The descriptor that has the lock, to be kept open in the writer.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Whether the store is where it was: its file can be moved, removed or replaced in spite of the lock.
    pub fn is_in_place(&self) -> bool {
        is_still_at(&self.path, &self.file)
    }

    /// Gives the store to others, who can find out that its last run is still being told of.
    pub fn tell(self) -> Telling {
        // Where it cannot be had, on network file systems, they take the run for one whose process was killed.
        let _ = fcntl(&self.file, FcntlArg::F_OFD_SETLK(&telling(libc::F_WRLCK)));
        let _ = self.file.unlock();
        Telling(self)
    }

    /// Whether a process lives that tells of the store's last run.
    pub fn is_being_told_of(&self) -> bool {
        let mut found = telling(libc::F_WRLCK);
        fcntl(&self.file, FcntlArg::F_OFD_GETLK(&mut found)).is_ok() && i32::from(found.l_type) != libc::F_UNLCK
    }

    /// Bytes that this user may still write to the file system of the store.
    ///
    /// # Errors
    /// The file system does not tell.
    pub fn free_bytes(&self) -> io::Result<u64> {
        let status = nix::sys::statvfs::fstatvfs(&self.file)?;
        // The widths of the fields differ between machines.
        #[allow(clippy::useless_conversion, reason = "it is none everywhere")]
        Ok(u64::from(status.blocks_available()).saturating_mul(u64::from(status.fragment_size())))
    }

    /// The kind of network file system the store lies on, if any. Locks and shared memory are not to be
    /// relied on there, and SQLite's WAL mode needs both.
    pub fn network_file_system(&self) -> Option<&'static str> {
        let status = nix::sys::statfs::fstatfs(&self.file).ok()?;
        // The width and sign of the field differ between machines; the magic numbers have 32 bits.
        network_name(status.filesystem_type().0 as u32)
    }
}

/// A store that others may have, while the last run is told of.
#[derive(Debug)]
pub struct Telling(StoreLock);

impl Telling {
    /// Whether the store is where it was: a program that was notified may have moved it.
    pub fn is_in_place(&self) -> bool {
        self.0.is_in_place()
    }

    /// Takes the store back, if nobody else has it.
    pub fn take_back(&self) -> bool {
        self.0.file.try_lock().is_ok()
    }

    /// The path of the store.
    pub fn path(&self) -> &Path {
        &self.0.path
    }
}

/// The byte at [`TELLING_AT`], for `fcntl`.
fn telling(kind: libc::c_int) -> libc::flock {
    // Widths differ between machines; the constants fit all of them.
    libc::flock { l_type: kind as _, l_whence: libc::SEEK_SET as _, l_start: TELLING_AT, l_len: 1, l_pid: 0 }
}

/// The process that has the store at `path` now, as far as it can be told; takes no lock.
pub fn owner(path: &Path) -> Option<u32> {
    File::open(path).ok().and_then(|file| holder(&file))
}

fn open(path: &Path) -> Result<(File, bool), LockError> {
    let failed = |source| refused(path, source);
    // Looked at before it is opened: opening a device can have effects, opening a pipe can wait.
    let found = match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => return Err(LockError::NotAFile { path: path.to_owned() }),
        Ok(_) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(failed(error)),
    };
    let mut options = OpenOptions::new();
    // The standard library closes its files on exec.
    options.read(true).write(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    if !found {
        match options.clone().create_new(true).mode(0o644).open(path) {
            Ok(file) => return Ok((file, true)),
            // Another process made it just now, and that file is as good.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
    }
    let file = options.open(path).map_err(failed)?;
    // SQLite makes its log beside the file.
    access(&folder_of(path), AccessFlags::W_OK).map_err(|errno| failed(errno.into()))?;
    Ok((file, false))
}

fn folder_of(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned())
}

/// Says whose it is, if that is why the store at `path` cannot be opened for writing.
fn refused(path: &Path, source: io::Error) -> LockError {
    let folder = folder_of(path);
    let place = if access(&folder, AccessFlags::W_OK).is_err() { folder } else { path.to_owned() };
    match fs::metadata(&place) {
        Ok(found) if source.kind() == io::ErrorKind::PermissionDenied => LockError::NotOurs {
            path: path.to_owned(),
            place,
            owner: found.uid(),
            group: found.gid(),
            uid: geteuid().as_raw(),
            source,
        },
        _ => LockError::Open { path: path.to_owned(), source },
    }
}

fn is_still_at(path: &Path, file: &File) -> bool {
    match (fs::metadata(path), file.metadata()) {
        (Ok(at_path), Ok(opened)) => identity(&at_path) == identity(&opened),
        _ => false,
    }
}

fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// A living process that has the lock on `file`, as far as this process may see.
///
/// `/proc/locks` names the process that took the lock. That may be a supervisor long dead, whose writer still
/// drains, and in a container it may show nothing: then every process we may look into is asked.
fn holder(file: &File) -> Option<u32> {
    let metadata = file.metadata().ok()?;
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let taker = flock_owner(&locks, &metadata);
    if let Some(pid) = taker.filter(|&pid| has_lock(pid, &metadata)) {
        return Some(pid);
    }
    let all = fs::read_dir("/proc").ok();
    let mut pids = all.into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // A process of another user cannot be asked; if it lives, it is still the likeliest.
    pids.find(|&pid| has_lock(pid, &metadata)).or(taker.filter(|pid| Path::new(&format!("/proc/{pid}")).exists()))
}

/// The process named in the text of `/proc/locks` for the lock on the file of `metadata`.
fn flock_owner(locks: &str, metadata: &fs::Metadata) -> Option<u32> {
    let (device, inode) = (metadata.dev(), metadata.ino());
    let place = format!("{:02x}:{:02x}:{inode}", major(device), minor(device));
    // "3: FLOCK  ADVISORY  WRITE 1419 fe:00:753938 0 EOF"; those who wait have "->" after the number.
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        (fields.get(1) == Some(&"FLOCK") && fields.get(5) == Some(&place.as_str())).then(|| fields[4].parse().ok())?
    })
}

/// Whether process `pid` has an opening of the file that carries the lock.
fn has_lock(pid: u32, metadata: &fs::Metadata) -> bool {
    let Ok(infos) = fs::read_dir(format!("/proc/{pid}/fdinfo")) else { return false };
    let inode = format!(":{} ", metadata.ino());
    infos.flatten().any(|info| {
        let is_candidate = fs::read_to_string(info.path())
            .is_ok_and(|text| text.lines().any(|line| line.contains("FLOCK") && line.contains(&inode)));
        // The device in the text is the file system's own name for it, which for some (btrfs, overlays) is
        // not the one `stat` tells; so the file itself is asked, and only when the number fits.
        is_candidate
            && fs::metadata(Path::new(&format!("/proc/{pid}/fd")).join(info.file_name()))
                .is_ok_and(|theirs| identity(&theirs) == identity(metadata))
    })
}

fn holder_name(owner: Option<u32>, since: Option<SystemTime>) -> String {
    match (owner, since) {
        (None, _) => "another process".to_owned(),
        (Some(pid), None) => format!("pid {pid}"),
        (Some(pid), Some(since)) => format!("pid {pid} (started {})", humantime::format_rfc3339_seconds(since)),
    }
}

/// Name of the network file system with this magic number (statfs(2), linux/magic.h). FUSE is named
/// too: behind it may be a local disk, but as often a bucket or another machine.
fn network_name(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "NFS",
        0x517b | 0xfe53_4d42 | 0xff53_4d42 => "SMB",
        0x0102_1997 => "9p",
        0x6573_5546 => "FUSE",
        0x00c3_6400 => "Ceph",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x0bd0_0bd0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x786f_4256 => "vboxsf",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_store_of_somebody_else_names_its_owner_and_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("crawl.db");
        fs::write(&path, "").unwrap();
        let text = refused(&path, io::ErrorKind::PermissionDenied.into()).to_string();
        let uid = geteuid();
        let place = path.display();
        let expected =
            format!("cannot write store {place}: {place} belongs to user {uid} and must be writable by user {uid}");
        assert!(text.starts_with(&expected) && text.contains("chown") && text.contains("--user"), "{text}");
        assert!(matches!(refused(&path, io::ErrorKind::ReadOnlyFilesystem.into()), LockError::Open { .. }));
    }

    #[test]
    fn a_store_has_one_lock_and_its_owner_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("crawl.db");
        let lock = StoreLock::acquire(&path).unwrap();
        assert!(lock.created());
        assert_eq!(lock.path(), path);
        let refused = StoreLock::acquire(&path).unwrap_err();
        let text = refused.to_string();
        let LockError::Held { owner, since, .. } = refused else { panic!("{text}") };
        assert_eq!(owner, Some(std::process::id()));
        assert_eq!(since, procfs::started_at(std::process::id()));
        let expected = format!("cannot open store {}: writer lock is held by pid {} (", path.display(), owner.unwrap());
        assert!(text.starts_with(&expected), "{text}");
    }

    #[test]
    fn a_dropped_lock_is_free_and_the_file_is_no_longer_new() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("crawl.db");
        drop(StoreLock::acquire(&path).unwrap());
        assert!(!StoreLock::acquire(&path).unwrap().created());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o133, 0, "nobody else may write, nobody may execute");
    }

    #[test]
    fn a_second_copy_of_the_descriptor_keeps_the_lock() {
        // As a forked writer does when its supervisor has died.
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("crawl.db");
        let lock = StoreLock::acquire(&path).unwrap();
        let copy = lock.fd().try_clone_to_owned().unwrap();
        drop(lock);
        assert!(matches!(StoreLock::acquire(&path), Err(LockError::Held { .. })));
        drop(copy);
        StoreLock::acquire(&path).unwrap();
    }

    #[test]
    fn a_store_that_is_told_of_is_free_and_those_who_have_it_can_know() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("crawl.db");
        let lock = StoreLock::acquire(&path).unwrap();
        assert!(!lock.is_being_told_of());
        let told = lock.tell();
        let other = StoreLock::acquire(&path).unwrap();
        assert!(other.is_being_told_of() && told.is_in_place() && !told.take_back());
        drop(other);
        assert!(told.take_back());
        assert!(matches!(StoreLock::acquire(&path), Err(LockError::Held { .. })));
        drop(told);
        assert!(!StoreLock::acquire(&path).unwrap().is_being_told_of());
        let told = StoreLock::acquire(&path).unwrap().tell();
        fs::rename(&path, dir.path().join("moved.db")).unwrap();
        assert!(!told.is_in_place());
    }

    #[test]
    fn what_is_no_file_is_refused_untouched() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(StoreLock::acquire(dir.path()), Err(LockError::NotAFile { .. })));
        assert!(matches!(StoreLock::acquire(Path::new("/dev/null")), Err(LockError::NotAFile { .. })));
        let missing_folder = dir.path().join("no/crawl.db");
        assert!(matches!(StoreLock::acquire(&missing_folder), Err(LockError::Open { .. })));
        symlink("nowhere", dir.path().join("link.db")).unwrap();
        assert!(matches!(StoreLock::acquire(&dir.path().join("link.db")), Err(LockError::Open { .. })));
    }

    #[test]
    fn a_file_removed_behind_the_lock_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("crawl.db");
        let lock = StoreLock::acquire(&path).unwrap();
        assert!(is_still_at(&path, &lock.file));
        fs::remove_file(&path).unwrap();
        assert!(!is_still_at(&path, &lock.file));
        fs::write(&path, "").unwrap();
        assert!(!is_still_at(&path, &lock.file));
    }

    #[test]
    fn the_owner_is_read_from_the_lock_table_and_waiters_are_not_owners() {
        let file = tempfile::tempfile().unwrap();
        let metadata = file.metadata().unwrap();
        let (device, inode) = (metadata.dev(), metadata.ino());
        let place = format!("{:02x}:{:02x}:{inode}", major(device), minor(device));
        let table = format!(
            "1: POSIX  ADVISORY  WRITE 11 {place} 0 EOF\n\
             2: FLOCK  ADVISORY  WRITE 12 00:00:1 0 EOF\n\
             3: -> FLOCK  ADVISORY  WRITE 13 {place} 0 EOF\n\
             4: FLOCK  ADVISORY  WRITE 14 {place} 0 EOF\n"
        );
        assert_eq!(flock_owner(&table, &metadata), Some(14));
        assert_eq!(flock_owner("", &metadata), None);
        assert_eq!(flock_owner("4: FLOCK", &metadata), None);
    }

    #[test]
    fn the_holder_is_named_as_far_as_it_is_known() {
        let since = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(holder_name(None, None), "another process");
        assert_eq!(holder_name(Some(7), None), "pid 7");
        assert_eq!(holder_name(Some(7), Some(since)), "pid 7 (started 2023-11-14T22:13:20Z)");
    }

    #[test]
    fn network_file_systems_are_told_from_disks() {
        assert_eq!(network_name(0x6969), Some("NFS"));
        assert_eq!(network_name(0xff53_4d42), Some("SMB"));
        assert_eq!(network_name(0xef53), None, "ext4");
        let dir = tempfile::tempdir().unwrap();
        let lock = StoreLock::acquire(&dir.path().join("crawl.db")).unwrap();
        // Whatever the answer here, asking must not fail or harm the lock.
        let _ = lock.network_file_system();
        assert!(matches!(StoreLock::acquire(lock.path()), Err(LockError::Held { .. })));
    }
}
