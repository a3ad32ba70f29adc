//! What the machine allows one process: descriptors, core files, CPUs, memory, and who goes first without it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Most descriptors ever asked for. Some container engines set a hard limit of a billion, with which
/// anything that walks all possible descriptors would walk for minutes.
const MOST_DESCRIPTORS: u64 = 1 << 20;

/// A memory limit from here on means "none": cgroup v1 writes the largest multiple of a page.
const NO_MEMORY_LIMIT: u64 = 1 << 62;

/// How a process uses memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heap {
    /// Now and then a block of any size.
    Ordinary,
    /// Many buffers that are mostly idle.
    ManyBuffers,
}

/// Keeps the heap of a long-lived process from growing with every rare large block: such blocks are kept apart, on pages
/// of their own, so that what is freed leaves no hole and what is never written to takes no memory; and all threads
/// have one heap. A block that is kept apart costs two system calls and its pages' first touch, so that there is a
/// price where even small ones are.
///
/// To be called before other threads are started. Without glibc nothing happens: its heap is the one that grows otherwise.
pub fn fit_heap(heap: Heap) {
    #[cfg(not(target_env = "gnu"))]
    let _ = heap;
    #[cfg(target_env = "gnu")]
    {
        // With less to spare the end of an ordinary heap would be given back, and taken again, with every other page.
        let (large_block, spare_end) = match heap {
            Heap::Ordinary => (512 << 10, 4 << 20),
            Heap::ManyBuffers => (32 << 10, 128 << 10),
        };
        // SAFETY: mallopt changes numbers of the allocator, and takes any.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, large_block);
            libc::mallopt(libc::M_TRIM_THRESHOLD, spare_end);
            libc::mallopt(libc::M_ARENA_MAX, 1);
        }
    }
}

/// How many descriptors this process may have open now.
///
/// # Errors
/// What `getrlimit` says.
pub fn descriptor_limit() -> io::Result<u64> {
    let (soft_limit, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(soft_limit)
}

/// Raises the number of descriptors this process may open as far as it may without privileges (at
/// most to 1,048,576) and returns it. Children inherit it.
///
/// # Errors
/// What `getrlimit` or `setrlimit` says; the limit is then what it was.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    let (soft_limit, hard_limit) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let wanted = hard_limit.min(MOST_DESCRIPTORS);
    if soft_limit >= wanted {
        return Ok(soft_limit);
    }
    setrlimit(Resource::RLIMIT_NOFILE, wanted, hard_limit)?;
    Ok(wanted)
}

/// Has a write past the limit on the size of files (`ulimit -f`) fail, instead of killing the process.
pub fn survive_file_limit() {
    // SAFETY: sets a constant disposition; no code of ours runs on the signal.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Bytes that a file of this process may have (`ulimit -f`); `None` if unlimited.
pub fn file_size_limit() -> Option<u64> {
    let (soft_limit, _) = getrlimit(Resource::RLIMIT_FSIZE).ok()?;
    (soft_limit != nix::sys::resource::RLIM_INFINITY).then_some(soft_limit)
}

/// Lets this process leave no core file: it would hold pages and request headers, and writing it
/// would delay the news of the death.
pub(super) fn forbid_core_files() {
    // Fails only for an unknown resource; without the limit the process works all the same.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
}

/// Makes this process the first that the kernel kills when memory runs out: the one whose loss costs least. Raising
/// one's own score needs no privileges.
pub(super) fn go_first_without_memory() {
    // Best effort: without it the kernel chooses by size.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
}

/// CPUs this process may use: CPU affinity and cgroup CPU quota considered, at least 1.
pub fn available_cpus() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Bytes of memory the control group of this process may use; `None` if unlimited or unknown.
///
/// The smallest limit between the process's own group and the top counts (cgroup v2 and v1).
pub fn memory_limit() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    memory_limit_of(&groups, Path::new("/sys/fs/cgroup"))
}

/// Processes that the kernel has killed for lack of memory so far, in the control group of this process; where that is
/// not counted, on the whole machine. `None` if unknown.
pub fn memory_kills() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    memory_kills_of(&groups, Path::new("/sys/fs/cgroup"))
        .or_else(|| counter(&fs::read_to_string("/proc/vmstat").ok()?, "oom_kill"))
}

/// As [`memory_kills`], of control groups alone; see [`memory_limit_of`].
fn memory_kills_of(groups: &str, root: &Path) -> Option<u64> {
    memory_groups(groups, root).find_map(|(mount, path, version)| {
        let name = if version == 2 { "memory.events" } else { "memory.oom_control" };
        let own = mount.join(path.trim_start_matches('/')).join(name);
        let text = fs::read_to_string(own).or_else(|_| fs::read_to_string(mount.join(name))).ok()?;
        counter(&text, "oom_kill")
    })
}

/// The number behind `name` in lines of a name and a number each.
fn counter(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// `groups` is the text of `/proc/self/cgroup`; `root` the place where control groups are mounted.
fn memory_limit_of(groups: &str, root: &Path) -> Option<u64> {
    memory_groups(groups, root)
        .filter_map(|(mount, path, version)| {
            smallest_limit(&mount, path, if version == 2 { "memory.max" } else { "memory.limit_in_bytes" })
        })
        .min()
}

/// Where the groups that count the memory of this process are mounted, their paths there, and the version of their
/// interface.
fn memory_groups<'a>(groups: &'a str, root: &'a Path) -> impl Iterator<Item = (PathBuf, &'a str, u8)> {
    groups.lines().filter_map(move |line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        if controllers.is_empty() {
            // Version 2: mounted at the root, or beside version 1 in `unified`.
            let mount = Some(root.join("unified")).filter(|mount| mount.is_dir());
            Some((mount.unwrap_or_else(|| root.to_owned()), path, 2))
        } else if controllers.split(',').any(|name| name == "memory") {
            Some((root.join("memory"), path, 1))
        } else {
            None
        }
    })
}

/// The smallest number found in a file `name` on the way from `mount/path` up to `mount`. Inside a
/// container `path` may be the host's and not exist below `mount`; `mount` itself is then the group.
fn smallest_limit(mount: &Path, path: &str, name: &str) -> Option<u64> {
    let mut inside = PathBuf::from(path.trim_start_matches('/'));
    let mut smallest = None;
    loop {
        let limit = fs::read_to_string(mount.join(&inside).join(name)).ok().and_then(|text| text.trim().parse().ok());
        smallest = [smallest, limit].into_iter().flatten().filter(|&bytes| bytes < NO_MEMORY_LIMIT).min();
        if !inside.pop() {
            return smallest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_descriptor_limit_is_raised_once_and_then_stays() {
        let raised = raise_descriptor_limit().unwrap();
        assert_eq!(descriptor_limit().unwrap(), raised);
        assert_eq!(raise_descriptor_limit().unwrap(), raised);
    }

    #[test]
    fn there_is_at_least_one_cpu() {
        assert!(available_cpus() >= 1);
    }

    #[test]
    fn the_smallest_limit_up_the_cgroup_tree_counts() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/b")).unwrap();
        fs::write(root.path().join("a/memory.max"), "1000\n").unwrap();
        fs::write(root.path().join("a/b/memory.max"), "max\n").unwrap();
        assert_eq!(memory_limit_of("0::/a/b\n", root.path()), Some(1000));
        assert_eq!(memory_limit_of("0::/\n", root.path()), None);
    }

    #[test]
    fn a_cgroup_v1_limit_is_found_and_its_no_limit_is_none() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("memory/job")).unwrap();
        fs::write(root.path().join("memory/memory.limit_in_bytes"), "9223372036854771712\n").unwrap();
        let groups = "5:cpuset:/\n4:cpu,memory:/job\n0::/\n";
        assert_eq!(memory_limit_of(groups, root.path()), None);
        fs::write(root.path().join("memory/job/memory.limit_in_bytes"), "4096\n").unwrap();
        assert_eq!(memory_limit_of(groups, root.path()), Some(4096));
    }

    #[test]
    fn kills_for_lack_of_memory_are_counted_in_the_own_group() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a")).unwrap();
        fs::write(root.path().join("memory.events"), "low 0\noom 9\noom_kill 9\noom_group_kill 0\n").unwrap();
        fs::write(root.path().join("a/memory.events"), "oom 5\noom_kill 4\noom_group_kill 2\n").unwrap();
        assert_eq!(memory_kills_of("0::/a\n", root.path()), Some(4));
        assert_eq!(memory_kills_of("0::/not/mounted\n", root.path()), Some(9));
        assert_eq!(memory_kills_of("", root.path()), None);
        fs::create_dir_all(root.path().join("memory")).unwrap();
        let text = "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n";
        fs::write(root.path().join("memory/memory.oom_control"), text).unwrap();
        assert_eq!(memory_kills_of("4:memory:/docker/1\n", root.path()), Some(7));
        assert!(memory_kills().is_some());
    }

    #[test]
    fn a_host_path_that_is_not_mounted_falls_back_to_the_mounted_group() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("memory.max"), "77").unwrap();
        assert_eq!(memory_limit_of("0::/system.slice/docker-1.scope", root.path()), Some(77));
        assert_eq!(memory_limit_of("nonsense", root.path()), None);
    }
}
