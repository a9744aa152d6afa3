//! Programs that this one starts: apt, pip, Nix, the image's interpreter. Each runs in a session of its own, without a
//! terminal, without our open files, and within limits; it and what it started end when it is dropped, and also when this
//! program is killed.
//!
//! Three things see to the last: the kernel kills the program when the thread that started it ends (`PR_SET_PDEATHSIG`,
//! prctl(2), which macOS does not have); a shell waits beside it for our end and then kills its process group; and an orderly
//! end kills the group, too.

use std::io::{self, Write as _};
use std::marker::PhantomData;
use std::os::unix::process::CommandExt as _;
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions};

/// What a program started by us may use. The default limits nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// The length of a file that it writes, in bytes; longer, and the write fails with `EFBIG`.
    pub file_size: Option<u64>,
    /// Its address space, in bytes; more, and it is refused memory.
    pub memory: Option<u64>,
    /// What it may write to in memory and shares with nobody, in bytes; not what it only reserves.
    /// More, and it is refused memory.
    pub data: Option<u64>,
    /// The stack of its first thread, in bytes.
    pub stack: Option<u64>,
    /// How many files it may have open.
    pub open_files: Option<u64>,
    /// The size of a core dump, in bytes.
    pub core: Option<u64>,
}

impl Limits {
    /// As the kernel takes them; none is above what we are allowed ourselves.
    fn resources(&self) -> Vec<(Resource, Rlimit)> {
        let all = [
            (Resource::Fsize, self.file_size),
            (Resource::As, self.memory),
            (Resource::Data, self.data),
            (Resource::Stack, self.stack),
            (Resource::Nofile, self.open_files),
            (Resource::Core, self.core),
        ];
        let given = all.into_iter().filter_map(|(resource, limit)| Some((resource, limit?)));
        given
            .map(|(resource, limit)| {
                let most = rustix::process::getrlimit(resource).maximum.map_or(limit, |most| most.min(limit));
                (resource, Rlimit { current: Some(most), maximum: Some(most) })
            })
            .collect()
    }
}

/// What a program does to itself between its birth and its first instruction, for confinement. It may only make system
/// calls: it runs between fork and exec, in a copy of this process that has one thread.
pub trait Confine: Send + Sync {
    /// Confines the calling process.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn confine(&mut self) -> io::Result<()>;
}

/// What [`spawn`] fails with when [`Confine::confine`] failed. `ENOTRECOVERABLE` is an error of mutexes; no start of a
/// program gives it.
pub const NOT_CONFINED: i32 = libc::ENOTRECOVERABLE;

/// What to do about a program that cannot be started, where that is a matter of the machine's limits.
pub fn remedy(error: &io::Error) -> Option<&'static str> {
    match error.raw_os_error()? {
        libc::EMFILE | libc::ENFILE => Some("raise the limit on open files (`ulimit -n`)"),
        libc::EAGAIN => Some("raise the limit on processes (`ulimit -u`)"),
        libc::ENOMEM => Some("free some memory, or build with fewer `--threads`"),
        _ => None,
    }
}

/// A program that runs. It stays on the thread that started it, whose end would kill it.
#[derive(Debug)]
pub struct Child {
    inner: std::process::Child,
    /// The shell that waits for our end; none once it was told that there is nothing to do.
    guard: Option<std::process::Child>,
    ended: Option<ExitStatus>,
    thread: PhantomData<*const ()>,
}

/// Starts a program.
///
/// # Errors
/// As [`Command::spawn`]; [`NOT_CONFINED`].
pub fn spawn(command: &mut Command, limits: &Limits, confine: Option<Box<dyn Confine>>) -> io::Result<Child> {
    prepare(command, limits.resources(), confine);
    let inner = command.spawn()?;
    // Without a shell on this machine the program itself still ends with us; only what it started may not.
    let guard = guard(inner.id()).ok();
    Ok(Child { inner, guard, ended: None, thread: PhantomData })
}

#[allow(unsafe_code)]
fn prepare(command: &mut Command, limits: Vec<(Resource, Rlimit)>, mut confine: Option<Box<dyn Confine>>) {
    let parent = rustix::process::getpid();
    let before_exec = move || -> io::Result<()> {
        rustix::process::setsid()?;
        end_with_parent()?;
        // Our end before the line above is not told.
        if rustix::process::getppid() != Some(parent) {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        keep_standard_files_only();
        for (resource, limit) in &limits {
            rustix::process::setrlimit(*resource, *limit)?;
        }
        match &mut confine {
            Some(confine) => confine.confine().map_err(|_| io::Error::from_raw_os_error(NOT_CONFINED)),
            None => Ok(()),
        }
    };
    // SAFETY: between fork and exec only async-signal-safe functions may be called. The closure makes system calls, without
    // a lock and without memory from the heap: all that it needs was made before.
    unsafe { command.pre_exec(before_exec) };
}

/// Lets the kernel kill this process when the thread that started it ends.
#[cfg(target_os = "linux")]
fn end_with_parent() -> io::Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?)
}

/// No other kernel does that; the shell beside the program does.
#[cfg(not(target_os = "linux"))]
fn end_with_parent() -> io::Result<()> {
    Ok(())
}

/// The first file beyond standard input, output and error.
const FIRST: libc::c_int = 3;

/// Files that we inherited without `O_CLOEXEC` (a job server's pipe, say) go no further, and a file that may not grow is an
/// error of the write, not the program's sudden end.
#[allow(unsafe_code)]
fn keep_standard_files_only() {
    close_others_on_exec();
    // SAFETY: the call touches no memory.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn close_others_on_exec() {
    // SAFETY: the call touches no memory. A kernel before 5.11 does not know it: the files then stay open.
    unsafe {
        libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
    }
}

/// One by one, as far as files are numbered: macOS has no call for all of them.
#[cfg(not(target_os = "linux"))]
#[allow(unsafe_code)]
fn close_others_on_exec() {
    // SAFETY: the calls touch no memory, and a number without a file is an error without consequences.
    unsafe {
        for file in FIRST..libc::getdtablesize() {
            libc::fcntl(file, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
}

/// Starts a shell that kills a process group when our end of its input is closed without a word.
fn guard(group: u32) -> io::Result<std::process::Child> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "read -r word || kill -9 -\"$0\""]).arg(group.to_string()).env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    command.spawn()
}

impl Child {
    /// Its standard input, if it was asked for; once.
    pub fn stdin(&mut self) -> Option<ChildStdin> {
        self.inner.stdin.take()
    }

    /// Its standard output, if it was asked for; once.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.inner.stdout.take()
    }

    /// Its standard error, if it was asked for; once.
    pub fn stderr(&mut self) -> Option<ChildStderr> {
        self.inner.stderr.take()
    }

    /// How it ended, if it did. What it started ends then, too.
    ///
    /// # Errors
    /// When the system does not know the process.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.ended.is_some() {
            return Ok(self.ended);
        }
        // Not taken away yet, so that its number means nobody else while its group is ended.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match rustix::process::waitid(WaitId::Pid(Pid::from_child(&self.inner)), options) {
            Ok(None) => Ok(None),
            Ok(Some(_)) => self.end().map(Some),
            Err(rustix::io::Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for its end, at most for that long.
    ///
    /// # Errors
    /// `TimedOut`; when the system does not know the process.
    pub fn wait_for(&mut self, patience: Duration) -> io::Result<ExitStatus> {
        let until = Instant::now() + patience;
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= until {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(25));
        }
    }

    /// Ends it and what it started, and gives how it ended.
    ///
    /// # Errors
    /// When the system does not know the process.
    pub fn end(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.ended {
            return Ok(status);
        }
        // The group is gone when all of it ended in this moment.
        let _gone = rustix::process::kill_process_group(Pid::from_child(&self.inner), Signal::KILL);
        if let Some(mut guard) = self.guard.take() {
            if let Some(mut input) = guard.stdin.take() {
                let _ended = input.write_all(b"done\n");
            }
            let _status = guard.wait();
        }
        let status = self.inner.wait()?;
        self.ended = Some(status);
        Ok(status)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _status = self.end();
    }
}
