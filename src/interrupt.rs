//! The wish to stop. SIGINT and SIGTERM raise one flag; every long loop calls [`check`] and returns [`Error::Interrupted`],
//! so that what was begun is taken back on the ordinary way out. A second signal ends the process at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};

use crate::error::{Error, Result};

static ASKED: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(false)));

/// Installs the handlers; called once, by the program's main function.
///
/// # Errors
/// An environment failure when the system refuses a handler.
pub fn install() -> Result<()> {
    let refused = |signal: i32| move |error| Error::environment(format!("cannot handle signal {signal}: {error}"), "report this as a defect");
    for signal in [SIGINT, SIGTERM] {
        // The order matters: the first signal finds the flag down and only raises it, the second finds it up.
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&ASKED))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&ASKED)))
            .map_err(refused(signal))?;
    }
    // A file that may not grow (`ulimit -f`) is then a write that fails, with words and without litter, instead of a sudden end.
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).map_err(refused(SIGXFSZ))?;
    Ok(())
}

/// Gives [`Error::Interrupted`] once a signal has come.
///
/// # Errors
/// [`Error::Interrupted`], nothing else.
pub fn check() -> Result<()> {
    if ASKED.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
}
