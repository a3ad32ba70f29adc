//! System calls, by seccomp (`seccomp(2)`): those that no part of a walled-off process makes fail with `EPERM`.
//!
//! The list names what is refused, not what is allowed: a C library of tomorrow that makes a call nobody has thought of
//! must not end a crawl. Calls whose arguments lie in memory, where a filter cannot look, fail with `ENOSYS`, upon which
//! the C library makes the older call that can be looked at.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter, sock_filter,
};

use super::{Needs, Network, SandboxError};

/// Nobody behind a wall starts a program, looks into another process, changes the machine, or talks to the kernel by
/// the ways that most of its holes were found in.
const NEVER: &[i64] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    // The kernel.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_personality,
    libc::SYS_vhangup,
    // Other views of the files.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_mknodat,
    // Who we are.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_capset,
    // Nobody is to connect to us.
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
];

/// The same by their names of old, where a processor still has them.
#[cfg(target_arch = "x86_64")]
const NEVER_OF_OLD: &[i64] =
    &[libc::SYS_fork, libc::SYS_vfork, libc::SYS_mknod, libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt];
#[cfg(not(target_arch = "x86_64"))]
const NEVER_OF_OLD: &[i64] = &[];

/// What begins a conversation, for processes that begin none.
const NETWORK: &[i64] = &[libc::SYS_socket, libc::SYS_connect, libc::SYS_bind];

/// What changes files, for processes that write none. Files that are open already are written to by other calls.
const CHANGES: &[i64] = &[
    libc::SYS_truncate,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_unlinkat,
    libc::SYS_mkdirat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    libc::SYS_utimensat,
];
#[cfg(target_arch = "x86_64")]
const CHANGES_OF_OLD: &[i64] = &[
    libc::SYS_creat,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_unlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
];
#[cfg(not(target_arch = "x86_64"))]
const CHANGES_OF_OLD: &[i64] = &[];

/// Calls whose arguments a filter cannot see; the C library makes `clone` and `openat` instead.
const UNSEEN: &[i64] = &[libc::SYS_clone3, libc::SYS_openat2];

/// The bits of a socket's type that are no flags.
const TYPE_BITS: u64 = 0xf;

/// A rule's conditions, all of which hold of what is refused.
type Conditions = Vec<SeccompCondition>;
/// Refused calls; those without conditions are refused whatever their arguments.
type Calls = BTreeMap<i64, Vec<SeccompRule>>;

/// Refuses the calls; `false` if the kernel, or a container's own filter, does not let us.
pub(super) fn refuse(needs: &Needs) -> Result<bool, SandboxError> {
    let failed = |error: seccompiler::BackendError| SandboxError::Calls(error.to_string());
    let unseen = UNSEEN.iter().map(|call| (*call, Vec::new())).collect();
    let unseen = program(unseen, libc::ENOSYS).map_err(failed)?;
    let refused = program(refused(needs).map_err(failed)?, libc::EPERM).map_err(failed)?;
    Ok(put_on(&[by_other_numbers(), unseen, refused]).is_ok())
}

/// Puts the filters on this thread. Later ones cannot undo earlier ones; of several answers the strictest counts.
fn put_on(filters: &[BpfProgram]) -> Result<(), seccompiler::Error> {
    filters.iter().filter(|filter| !filter.is_empty()).try_for_each(|filter| apply_filter(filter))
}

/// Refuses every call of x32, an interface of x86-64 that few kernels still have: its calls are those of the lists by other
/// numbers, and a filter of numbers would let them pass. Calls of 32 bits end the process, since they name another processor.
#[cfg(target_arch = "x86_64")]
fn by_other_numbers() -> BpfProgram {
    const FIRST_OF_X32: u32 = 0x4000_0000;
    let step = |code: u32, jf: u8, k: u32| sock_filter { code: code as u16, jt: 0, jf, k };
    vec![
        // The number comes first in what the kernel shows of a call.
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 1, FIRST_OF_X32),
        step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned()),
        step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

#[cfg(not(target_arch = "x86_64"))]
fn by_other_numbers() -> BpfProgram {
    Vec::new()
}

/// Refuses a program of the user's the network: it gets no socket but those of this machine.
#[derive(Clone, Debug)]
pub struct Offline([BpfProgram; 2]);

impl Offline {
    /// To be made before the fork, and put on after it.
    ///
    /// # Errors
    /// [`SandboxError::Calls`]: not for this kind of processor.
    pub fn new() -> Result<Self, SandboxError> {
        let filter = || {
            let sockets = vec![SeccompRule::new(vec![is_not(0, libc::AF_UNIX as u64)?])?];
            // It makes sockets as well.
            program([(libc::SYS_socket, sockets), (libc::SYS_io_uring_setup, Vec::new())].into(), libc::EPERM)
        };
        filter()
            .map(|sockets| Self([by_other_numbers(), sockets]))
            .map_err(|error| SandboxError::Calls(error.to_string()))
    }

    /// Puts it on this thread, which must have no way to new privileges. Allocates nothing.
    ///
    /// # Errors
    /// The kernel, or a container's own filter, does not let us.
    pub fn put_on(&self) -> std::io::Result<()> {
        put_on(&self.0).map_err(|_| std::io::Error::from_raw_os_error(libc::EPERM))
    }
}

fn program(calls: Calls, errno: i32) -> Result<BpfProgram, seccompiler::BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let answer = SeccompAction::Errno(errno.cast_unsigned());
    SeccompFilter::new(calls, SeccompAction::Allow, answer, arch)?.try_into()
}

fn refused_always(needs: &Needs) -> Calls {
    let network = if needs.network == Network::None { NETWORK } else { &[] };
    let (changes, of_old) = if needs.writes.is_empty() { (CHANGES, CHANGES_OF_OLD) } else { (&[][..], &[][..]) };
    [NEVER, NEVER_OF_OLD, network, changes, of_old].into_iter().flatten().map(|call| (*call, Vec::new())).collect()
}

fn refused(needs: &Needs) -> Result<Calls, seccompiler::BackendError> {
    let own = u64::from(std::process::id());
    let mut calls = refused_always(needs);
    let mut when = |call: i64, all: Conditions| -> Result<(), seccompiler::BackendError> {
        calls.entry(call).or_default().push(SeccompRule::new(all)?);
        Ok(())
    };

    // Threads are started, processes are not.
    when(libc::SYS_clone, vec![masked(0, libc::CLONE_THREAD as u64, 0)?])?;
    // Signals go to this process alone: it may abort itself.
    when(libc::SYS_kill, vec![is_not(0, own)?])?;
    when(libc::SYS_tgkill, vec![is_not(0, own)?])?;
    when(libc::SYS_prlimit64, vec![is_not(0, 0)?, is_not(0, own)?])?;
    for command in [libc::F_SETOWN, F_SETSIG, F_SETOWN_EX] {
        when(libc::SYS_fcntl, vec![is(1, command as u64)?])?;
    }
    // Words put into the mouth of the user at the terminal.
    for request in [libc::TIOCSTI, libc::TIOCLINUX] {
        when(libc::SYS_ioctl, vec![is(1, request)?])?;
    }
    match needs.network {
        Network::None => {}
        Network::Outward => {
            let [v4, v6, netlink] = [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK].map(|family| family as u64);
            when(libc::SYS_socket, vec![is_not(0, v4)?, is_not(0, v6)?, is_not(0, netlink)?])?;
            for family in [v4, v6] {
                when(libc::SYS_socket, vec![is(0, family)?, masked(1, TYPE_BITS, libc::SOCK_RAW as u64)?])?;
            }
            // By this the C library learns which addresses the machine has, to put those of a name into order.
            when(libc::SYS_socket, vec![is(0, netlink)?, is_not(2, libc::NETLINK_ROUTE as u64)?])?;
        }
    }
    if needs.writes.is_empty() {
        for writing in [libc::O_WRONLY, libc::O_RDWR] {
            when(libc::SYS_openat, vec![masked(2, libc::O_ACCMODE as u64, writing as u64)?])?;
            #[cfg(target_arch = "x86_64")]
            when(libc::SYS_open, vec![masked(1, libc::O_ACCMODE as u64, writing as u64)?])?;
        }
        // Who opens a file to read it makes or empties it with these.
        for changing in [libc::O_CREAT, libc::O_TRUNC] {
            when(libc::SYS_openat, vec![masked(2, changing as u64, changing as u64)?])?;
            #[cfg(target_arch = "x86_64")]
            when(libc::SYS_open, vec![masked(1, changing as u64, changing as u64)?])?;
        }
    }
    Ok(calls)
}

/// Missing in the bindings of the C library.
const F_SETSIG: i32 = 10;
const F_SETOWN_EX: i32 = 15;

fn is(argument: u8, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

fn is_not(argument: u8, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, value)
}

fn masked(argument: u8, mask: u64, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(mask), value)
}
