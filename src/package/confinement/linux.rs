//! Rules of Landlock (landlock(7)) for files, and a filter of system calls (seccomp(2)) for everything else. Each stands for
//! itself; a kernel that has only one of them gives half.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset, RulesetAttr as _, RulesetCreated,
    RulesetCreatedAttr as _, Scope,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule};

use crate::child::Confine;

/// The newest Landlock that the rules know; older ones enforce what they can.
const NEWEST: ABI = ABI::V6;

/// System calls without conditions: memory, its own signals, time, and files that are open. What would open a socket, start a
/// process, change a file or reach another process is not here.
const ALLOWED: &[i64] = &[
    // Memory.
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_madvise,
    // Files that are open, and what files there are.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_ppoll,
    // Itself.
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_futex,
    libc::SYS_set_tid_address,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_restart_syscall,
    // Its start. Another program, where Landlock lets it start one, is under the same filter.
    libc::SYS_execve,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Those that only x86-64 has; newer architectures have one call in place of several.
#[cfg(target_arch = "x86_64")]
const ALLOWED_HERE: &[i64] =
    &[libc::SYS_arch_prctl, libc::SYS_access, libc::SYS_getdents, libc::SYS_lstat, libc::SYS_poll, libc::SYS_readlink, libc::SYS_stat, libc::SYS_time];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: &[i64] = &[];

/// Rules that are ready to be taken on.
pub struct Confinement {
    files: Option<RulesetCreated>,
    calls: Option<BpfProgram>,
}

impl Confinement {
    /// Makes the rules for a program that reads `directory` only, and says what this kernel cannot enforce.
    pub fn new(directory: &Path) -> (Self, Vec<&'static str>) {
        let (files, calls) = (files(directory), calls());
        let mut lacking = Vec::new();
        if files.is_none() {
            lacking.push("Landlock");
        }
        if calls.is_none() {
            lacking.push("seccomp");
        }
        (Self { files, calls }, lacking)
    }
}

impl Confine for Confinement {
    fn confine(&mut self) -> io::Result<()> {
        if let Some(files) = self.files.take() {
            files.restrict_self().map_err(|_| io::ErrorKind::PermissionDenied)?;
        }
        // Last: it does not allow what came before.
        match &self.calls {
            Some(calls) => seccompiler::apply_filter(calls).map_err(|_| io::ErrorKind::PermissionDenied.into()),
            None => Ok(()),
        }
    }
}

fn files(directory: &Path) -> Option<RulesetCreated> {
    let rules = Ruleset::default()
        // The first Landlock is the least, and what it lacks of the newest is left out.
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))
        .map(|rules| rules.set_compatibility(CompatLevel::BestEffort))
        .and_then(|rules| rules.handle_access(AccessFs::from_all(NEWEST)))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(NEWEST)))
        .and_then(|rules| rules.scope(Scope::from_all(NEWEST)))
        .and_then(Ruleset::create)
        .ok()?;
    rules.add_rule(PathBeneath::new(PathFd::new(directory).ok()?, AccessFs::from_read(NEWEST))).ok()
}

/// The filter; none where the kernel has no such thing. A call that is not allowed fails with `ENOSYS`, as in an older kernel,
/// so that a newer C library tries the older way.
fn calls() -> Option<BpfProgram> {
    // A line that kernels without seccomp do not write (proc_pid_status(5)).
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    if !status.lines().any(|line| line.starts_with("Seccomp:")) {
        return None;
    }
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED.iter().chain(ALLOWED_HERE).map(|call| (*call, Vec::new())).collect();
    let writes = (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC) as u64;
    let mut when = |call: i64, argument: u8, length: &SeccompCmpArgLen, operator: &SeccompCmpOp, values: &[u64]| {
        let condition = |value: &u64| SeccompCondition::new(argument, length.clone(), operator.clone(), *value);
        let made: Result<Vec<_>, _> = values.iter().map(|value| SeccompRule::new(vec![condition(value)?])).collect();
        made.map(|made| rules.insert(call, made)).ok()
    };
    let (word, long) = (SeccompCmpArgLen::Dword, SeccompCmpArgLen::Qword);
    when(libc::SYS_openat, 2, &word, &SeccompCmpOp::MaskedEq(writes), &[0])?;
    #[cfg(target_arch = "x86_64")]
    when(libc::SYS_open, 1, &word, &SeccompCmpOp::MaskedEq(writes), &[0])?;
    // Whether something is a terminal, and not to pass it on to another program.
    when(libc::SYS_ioctl, 1, &word, &SeccompCmpOp::Eq, &[libc::TCGETS, libc::FIOCLEX])?;
    let flags = [libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_DUPFD_CLOEXEC].map(|command| command as u64);
    when(libc::SYS_fcntl, 1, &word, &SeccompCmpOp::Eq, &flags)?;
    // Its limits are read and not changed: there is no new one.
    when(libc::SYS_prlimit64, 2, &long, &SeccompCmpOp::Eq, &[0])?;
    let refused = SeccompAction::Errno(libc::ENOSYS as u32);
    let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, std::env::consts::ARCH.try_into().ok()?).ok()?;
    filter.try_into().ok()
}
