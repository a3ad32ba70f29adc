//! What the machine allows one process: descriptors, core files, CPUs, memory.

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

/// Lets this process leave no core file: it would hold pages and request headers, and writing it
/// would delay the news of the death.
pub(super) fn forbid_core_files() {
    // Fails only for an unknown resource; without the limit the process works all the same.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
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

/// `groups` is the text of `/proc/self/cgroup`; `root` the place where control groups are mounted.
fn memory_limit_of(groups: &str, root: &Path) -> Option<u64> {
    groups
        .lines()
        .filter_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            if controllers.is_empty() {
                // Version 2: mounted at the root, or beside version 1 in `unified`.
                let mount = Some(root.join("unified")).filter(|mount| mount.is_dir());
                smallest_limit(&mount.unwrap_or_else(|| root.to_owned()), path, "memory.max")
            } else if controllers.split(',').any(|name| name == "memory") {
                smallest_limit(&root.join("memory"), path, "memory.limit_in_bytes")
            } else {
                None
            }
        })
        .min()
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
    fn a_host_path_that_is_not_mounted_falls_back_to_the_mounted_group() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("memory.max"), "77").unwrap();
        assert_eq!(memory_limit_of("0::/system.slice/docker-1.scope", root.path()), Some(77));
        assert_eq!(memory_limit_of("nonsense", root.path()), None);
    }
}
