//! seccomp: which system calls are left. Any other fails with EPERM, as it would for want of privilege: a server that
//! goes on without something is better than none.
//!
//! No program can be started, no process but ours seen or stopped, nothing mounted, no kernel module, tracer, raw or
//! netlink socket, and no new memory can be executed.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use anyhow::Result;
use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, sock_filter,
};

#[rustfmt::skip]
const ALLOWED: &[c_long] = &[
    // Files; what opens them stands below.
    libc::SYS_close, libc::SYS_read, libc::SYS_write, libc::SYS_readv, libc::SYS_writev,
    libc::SYS_pread64, libc::SYS_pwrite64, libc::SYS_preadv, libc::SYS_pwritev, libc::SYS_lseek, libc::SYS_fstat,
    libc::SYS_newfstatat, libc::SYS_statx, libc::SYS_statfs, libc::SYS_fstatfs, libc::SYS_getdents64,
    libc::SYS_readlinkat, libc::SYS_faccessat, libc::SYS_faccessat2, libc::SYS_getcwd, libc::SYS_fsync,
    libc::SYS_fdatasync, libc::SYS_ftruncate, libc::SYS_fallocate, libc::SYS_renameat, libc::SYS_renameat2,
    libc::SYS_unlinkat, libc::SYS_mkdirat, libc::SYS_linkat, libc::SYS_fchmod, libc::SYS_flock, libc::SYS_fcntl,
    libc::SYS_dup, libc::SYS_dup3, libc::SYS_umask, libc::SYS_fadvise64, libc::SYS_copy_file_range,
    libc::SYS_inotify_init1, libc::SYS_inotify_add_watch, libc::SYS_inotify_rm_watch,
    // Sockets; `socket` itself stands below.
    libc::SYS_bind, libc::SYS_listen, libc::SYS_accept, libc::SYS_accept4, libc::SYS_connect, libc::SYS_shutdown,
    libc::SYS_getsockname, libc::SYS_getpeername, libc::SYS_getsockopt, libc::SYS_setsockopt, libc::SYS_socketpair,
    libc::SYS_sendto, libc::SYS_sendmsg, libc::SYS_sendmmsg, libc::SYS_recvfrom, libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    // Waiting.
    libc::SYS_epoll_create1, libc::SYS_epoll_ctl, libc::SYS_epoll_pwait, libc::SYS_epoll_pwait2, libc::SYS_ppoll,
    libc::SYS_pselect6, libc::SYS_eventfd2, libc::SYS_pipe2, libc::SYS_timerfd_create, libc::SYS_timerfd_settime,
    libc::SYS_nanosleep, libc::SYS_clock_nanosleep, libc::SYS_clock_gettime, libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    // Threads; `clone` stands below, and whoever asks for `clone3` is sent there.
    libc::SYS_clone3, libc::SYS_futex, libc::SYS_set_robust_list, libc::SYS_set_tid_address, libc::SYS_rseq,
    libc::SYS_membarrier, libc::SYS_gettid, libc::SYS_getpid, libc::SYS_sched_yield, libc::SYS_sched_getaffinity,
    libc::SYS_sched_setaffinity, libc::SYS_sched_getparam, libc::SYS_sched_getscheduler, libc::SYS_getcpu,
    libc::SYS_exit, libc::SYS_exit_group,
    // Signals to ourselves.
    libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn, libc::SYS_sigaltstack, libc::SYS_tgkill,
    libc::SYS_restart_syscall,
    // Memory; what makes it executable stands below.
    libc::SYS_brk, libc::SYS_munmap, libc::SYS_mremap, libc::SYS_madvise, libc::SYS_mincore, libc::SYS_mlock,
    // Who and where we are.
    libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid, libc::SYS_getegid, libc::SYS_getppid, libc::SYS_uname,
    libc::SYS_sysinfo, libc::SYS_getrusage, libc::SYS_getrandom, libc::SYS_prlimit64,
];

/// Older forms of these, which newer processors never had.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const ALLOWED_BEFORE: &[c_long] = &[
    libc::SYS_stat, libc::SYS_lstat, libc::SYS_access, libc::SYS_readlink, libc::SYS_rename,
    libc::SYS_unlink, libc::SYS_mkdir, libc::SYS_link, libc::SYS_dup2, libc::SYS_poll, libc::SYS_select,
    libc::SYS_epoll_wait, libc::SYS_getrlimit, libc::SYS_time, libc::SYS_arch_prctl,
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_BEFORE: &[c_long] = &[];

/// What opens files, and which argument says how.
#[cfg(target_arch = "x86_64")]
const OPENING: &[(c_long, u32)] = &[(libc::SYS_openat, 2), (libc::SYS_open, 1)];
#[cfg(not(target_arch = "x86_64"))]
const OPENING: &[(c_long, u32)] = &[(libc::SYS_openat, 2)];

/// `PR_SET_VMA` names memory, which the allocator does.
const PR_SET_VMA: u64 = 0x5356_4d41;

/// A socket's kind without the flags that come with it.
const SOCKET_KIND: u64 = 0xf;

/// Whether the kernel has seccomp.
pub fn are_there() -> bool {
    Path::new("/proc/sys/kernel/seccomp/actions_avail").exists()
}

/// Restricts this thread and those it will start. False where the kernel has no seccomp.
pub fn restrict() -> Result<bool> {
    let arch: TargetArch = std::env::consts::ARCH.try_into()?;
    // The C library falls back from `clone3`, whose arguments no filter sees, to `clone`, if it is not there.
    let clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let missing = SeccompAction::Errno(libc::ENOSYS as u32);
    let forbidden = SeccompAction::Errno(libc::EPERM as u32);
    let others: BpfProgram = SeccompFilter::new(rules()?, forbidden, SeccompAction::Allow, arch)?.try_into()?;
    let opening = opening(arch);
    for program in [
        SeccompFilter::new(clone3, SeccompAction::Allow, missing, arch)?.try_into()?,
        opening.into_iter().chain(others).collect::<BpfProgram>(),
    ] {
        match seccompiler::apply_filter(&program) {
            Ok(()) => {}
            Err(seccompiler::Error::Seccomp(error)) if is_missing(&error) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL))
}

/// Lets files be opened, but not cut short by that except for writing, as Linux does for who may write them. It stands in
/// front of all other rules, because the kernel goes through it for each of a hundred thousand zones: where arguments
/// count, it cannot know the answer beforehand.
fn opening(arch: TargetArch) -> Vec<sock_filter> {
    /// ELF's number of the processor, of 64 bits, least significant byte first.
    const fn audit(machine: u32) -> u32 {
        machine | 0xc000_0000
    }
    /// Where `seccomp_data` has the number of the call, the processor, and the arguments.
    const CALL: u32 = 0;
    const ARCH: u32 = 4;
    const ARGUMENTS: u32 = 16;
    let step = |code: u32, k: u32, yes: u8, no: u8| sock_filter { code: code as u16, jt: yes, jf: no, k };
    let load = |at| step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, at, 0, 0);
    let is = |value, yes, no| step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, yes, no);
    let how = (libc::O_TRUNC | libc::O_ACCMODE) as u32;
    // For reading, or for neither reading nor writing, as some devices are opened: Landlock asks for neither right then.
    let cut_short = [libc::O_RDONLY, libc::O_ACCMODE].map(|mode| (libc::O_TRUNC | mode) as u32);
    let machine = match arch {
        TargetArch::x86_64 => u32::from(libc::EM_X86_64),
        TargetArch::aarch64 => u32::from(libc::EM_AARCH64),
        TargetArch::riscv64 => u32::from(libc::EM_RISCV),
    };
    let calls: Vec<sock_filter> = OPENING
        .iter()
        .flat_map(|&(call, argument)| {
            [
                load(CALL),
                is(call as u32, 0, 5),
                load(ARGUMENTS + 8 * argument),
                step(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, how, 0, 0),
                is(cut_short[0], 2, 0),
                is(cut_short[1], 1, 0),
                step(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0),
            ]
        })
        .collect();
    let mut steps = vec![load(ARCH), is(audit(machine), 0, calls.len() as u8)];
    steps.extend(calls);
    steps
}

fn rules() -> Result<BTreeMap<c_long, Vec<SeccompRule>>, seccompiler::BackendError> {
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> =
        ALLOWED.iter().chain(ALLOWED_BEFORE).map(|call| (*call, Vec::new())).collect();
    let whole =
        |argument, value: u64| SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value);
    let bits = |argument, mask, value: u64| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(mask), value)
    };
    let mut sockets = vec![SeccompRule::new(vec![whole(0, libc::AF_UNIX as u64)?])?];
    for family in [libc::AF_INET, libc::AF_INET6] {
        for kind in [libc::SOCK_STREAM, libc::SOCK_DGRAM] {
            let conditions = vec![whole(0, family as u64)?, bits(1, SOCKET_KIND, kind as u64)?];
            sockets.push(SeccompRule::new(conditions)?);
        }
    }
    rules.insert(libc::SYS_socket, sockets);
    // A thread, and no process.
    let thread = libc::CLONE_THREAD as u64;
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![bits(0, thread, thread)?])?]);
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(call, vec![SeccompRule::new(vec![bits(2, libc::PROT_EXEC as u64, 0)?])?]);
    }
    let one_of = |argument, values: &[u64]| -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
        values.iter().map(|value| SeccompRule::new(vec![whole(argument, *value)?])).collect()
    };
    let asked = [libc::PR_SET_NAME, libc::PR_GET_NAME, libc::PR_GET_DUMPABLE, libc::PR_GET_NO_NEW_PRIVS];
    let mut asked = asked.map(|request| request as u64).to_vec();
    asked.push(PR_SET_VMA);
    rules.insert(libc::SYS_prctl, one_of(0, &asked)?);
    // A thread that stands back behind those that answer; no other thread, no process.
    let itself = vec![whole(0, u64::from(libc::PRIO_PROCESS))?, whole(1, 0)?];
    rules.insert(libc::SYS_setpriority, vec![SeccompRule::new(itself)?]);
    let itself = vec![whole(0, 0)?, whole(1, libc::SCHED_BATCH as u64)?];
    rules.insert(libc::SYS_sched_setscheduler, vec![SeccompRule::new(itself)?]);
    let asked = [libc::FIONBIO, libc::FIONREAD, libc::FIOCLEX, libc::TCGETS, libc::TIOCGWINSZ];
    rules.insert(libc::SYS_ioctl, one_of(1, &asked)?);
    Ok(rules)
}
