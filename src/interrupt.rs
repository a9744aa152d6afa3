//! The wish to stop. The first SIGINT, SIGTERM or SIGHUP (its terminal was closed) ends the program with exit code 130: at
//! once where nothing has to be taken back, else (while somebody holds [`Orderly`]) on the ordinary way out: it raises a flag, every long loop calls [`check`] and
//! returns [`Error::Interrupted`]. A second signal ends the process in any case. What it started ends with it ([`crate::child`]).

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

use crate::error::{Error, Result};

static ASKED: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(false)));

/// How many have something to take back.
static ORDERLY: AtomicUsize = AtomicUsize::new(0);

/// Installs the handlers; called once, by the program's main function.
///
/// # Errors
/// An environment failure when the system refuses a handler.
pub fn install() -> Result<()> {
    let refused = |signal: i32| move |error| Error::environment(format!("cannot handle signal {signal}: {error}"), "report this as a defect");
    // A signal that comes meanwhile waits until every handler is there.
    let _blocked = Blocked::new();
    // `nohup` has it ignored, and means that.
    let hangup = (!is_ignored(SIGHUP)).then_some(SIGHUP);
    for signal in [SIGINT, SIGTERM].into_iter().chain(hangup) {
        // The order matters: the first signal finds the flag down and only raises it, the second finds it up.
        end_at_once(signal)
            .and_then(|()| signal_hook::flag::register_conditional_default(signal, Arc::clone(&ASKED)))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&ASKED)))
            .map_err(refused(signal))?;
    }
    // A file that may not grow (`ulimit -f`) is then a write that fails, with words and without litter, instead of a sudden end.
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).map_err(refused(SIGXFSZ))?;
    Ok(())
}

/// While this is held, the three signals wait.
struct Blocked(libc::sigset_t);

impl Blocked {
    #[allow(unsafe_code)]
    fn new() -> Self {
        let mut signals = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        // SAFETY: sigemptyset fills the set that the others read, and pthread_sigmask fills the other one. None of them fails
        // for signals that exist.
        unsafe {
            libc::sigemptyset(signals.as_mut_ptr());
            for signal in [SIGINT, SIGTERM, SIGHUP] {
                libc::sigaddset(signals.as_mut_ptr(), signal);
            }
            libc::pthread_sigmask(libc::SIG_BLOCK, signals.as_ptr(), before.as_mut_ptr());
            Self(before.assume_init())
        }
    }
}

impl Drop for Blocked {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: it reads the set that `new` had filled.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) };
    }
}

/// Whether whoever started this program had it ignore a signal.
#[allow(unsafe_code)]
fn is_ignored(signal: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action the call only fills the structure, which is read if it did.
    unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0 && action.assume_init().sa_sigaction == libc::SIG_IGN }
}

/// Lets a signal end the process where it stands, unless somebody has something to take back.
#[allow(unsafe_code)]
fn end_at_once(signal: i32) -> std::io::Result<()> {
    let end = || {
        if ORDERLY.load(Ordering::SeqCst) > 0 {
            return;
        }
        // Nobody may be reading, and then the words would wait.
        let stderr = std::io::stderr();
        let ready = poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        if ready == Ok(1) {
            let _unheard = rustix::io::write(&stderr, b"interrupted; nothing was left half written\n");
        }
        signal_hook::low_level::exit(130);
    };
    // SAFETY: a handler may only do what is async-signal-safe. This one reads an atomic and makes system calls, without a lock
    // and without memory from the heap.
    unsafe { signal_hook::low_level::register(signal, end) }.map(drop)
}

/// While this is held, there is something to take back, and a signal only raises the flag of [`check`].
#[derive(Debug)]
pub struct Orderly(());

/// From here on, until the value is dropped, there is something to take back.
///
/// # Errors
/// As [`check`].
pub fn orderly() -> Result<Orderly> {
    ORDERLY.fetch_add(1, Ordering::SeqCst);
    let held = Orderly(());
    check().map(|()| held)
}

impl Drop for Orderly {
    fn drop(&mut self) {
        ORDERLY.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Gives [`Error::Interrupted`] once a signal has come.
///
/// # Errors
/// [`Error::Interrupted`], nothing else.
pub fn check() -> Result<()> {
    if ASKED.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
}
