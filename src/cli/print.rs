//! Words for the reader. What is asked for goes to standard output, and a reader who has seen enough (`| head`) is no failure;
//! what is told on the way goes to standard error, and nobody listening there is no reason to stop a build. A reader who does
//! not read is waited for, until a signal comes.

use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::error::{Error, Result};
use crate::interrupt;
use crate::printable::{printable_json, printable_lines};

/// How much a pipe takes without a wait once it takes anything: `PIPE_BUF`, in bytes (pipe(7)).
const AT_ONCE: usize = 4096;

/// Prints what was asked for, with a line's end.
///
/// # Errors
/// An environment failure when standard output takes no more, as on a full disk; [`Error::Interrupted`].
pub fn answer(text: &str) -> Result<()> {
    match put(&mut io::stdout().lock(), &printable_lines(text.trim_end())) {
        Err(error) if error.kind() == ErrorKind::Interrupted => Err(Error::Interrupted),
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::environment(format!("cannot write to standard output: {error}"), "see where it is redirected to"))
        }
        _ => Ok(()),
    }
}

/// Prints a value that was asked for as JSON.
///
/// # Errors
/// As [`answer`].
pub fn answer_json(value: &impl serde::Serialize) -> Result<()> {
    answer(&printable_json(&json(value)?))
}

/// A value as JSON that people can read.
///
/// # Errors
/// [`Error::Environment`] for a value that JSON does not have, which is a mistake of this program.
pub fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string_pretty(value).map_err(|error| Error::environment(format!("no JSON can be made: {error}"), "report this as a defect"))
}

/// Tells something on standard error.
pub fn print_status(text: &str) {
    // There is no better place to complain about standard error than standard error.
    let _unheard = put(&mut io::stderr().lock(), &printable_lines(text.trim_end()));
}

/// Writes a text and a line's end; [`ErrorKind::Interrupted`] once a signal has come and nobody reads.
fn put(out: &mut (impl Write + AsFd), text: &str) -> io::Result<()> {
    for part in text.as_bytes().chunks(AT_ONCE).chain([b"\n".as_slice()]) {
        wait(&*out)?;
        out.write_all(part)?;
        out.flush()?;
    }
    Ok(())
}

/// Waits until something can be written, or until that fails.
fn wait(out: impl AsFd) -> io::Result<()> {
    loop {
        let is_asked = interrupt::check().is_err();
        // A signal that comes before the wait is seen after it.
        let tick = Timespec { tv_sec: 0, tv_nsec: if is_asked { 0 } else { 50_000_000 } };
        match poll(&mut [PollFd::new(&out, PollFlags::OUT)], Some(&tick)) {
            Ok(0) if is_asked => return Err(ErrorKind::Interrupted.into()),
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
