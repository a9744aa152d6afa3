//! Words for the reader. What is asked for goes to standard output, and a reader who has seen enough (`| head`) is no failure;
//! what is told on the way goes to standard error, and nobody listening there is no reason to stop a build.

use std::io::{ErrorKind, Write as _};

use crate::error::{Error, Result};
use crate::printable::{printable_json, printable_lines};

/// Prints what was asked for, with a line's end.
///
/// # Errors
/// An environment failure when standard output takes no more, as on a full disk.
pub fn answer(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{}", printable_lines(text.trim_end())).and_then(|()| out.flush()) {
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
    let text = serde_json::to_string_pretty(value).map_err(|error| Error::environment(format!("no JSON can be made: {error}"), "report this as a defect"))?;
    answer(&printable_json(&text))
}

/// Tells something on standard error.
pub fn tell(text: &str) {
    // There is no better place to complain about standard error than standard error.
    let _unheard = writeln!(std::io::stderr().lock(), "{}", printable_lines(text.trim_end()));
}
