//! Words for the reader. What is asked for goes to standard output, and a reader who has seen enough (`| head`) is no failure;
//! what is told on the way goes to standard error, and nobody listening there is no reason to stop a build.

use std::borrow::Cow;
use std::io::{ErrorKind, Write as _};

use crate::error::{Error, Result};

/// Prints what was asked for, with a line's end.
///
/// # Errors
/// An environment failure when standard output takes no more, as on a full disk.
pub fn answer(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{}", visible(text.trim_end())).and_then(|()| out.flush()) {
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
    answer(&text)
}

/// Tells something on standard error.
pub fn tell(text: &str) {
    // There is no better place to complain about standard error than standard error.
    let _unheard = writeln!(std::io::stderr().lock(), "{}", visible(text.trim_end()));
}

/// A text in which no character commands a terminal: those of control (Unicode's Cc, but for the end of a line and the tab) and those that
/// change the direction of writing are shown as JSON writes them, so that JSON stays what it is.
fn visible(text: &str) -> Cow<'_, str> {
    let commands = |c: char| c.is_control() && !matches!(c, '\n' | '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(commands) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| if commands(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    Cow::Owned(text.chars().map(shown).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_printed_commands_a_terminal() {
        assert_eq!(visible("a\u{1b}[31m\u{7f}\u{9b}\r\u{202e}\tb\n"), "a\\u001b[31m\\u007f\\u009b\\u000d\\u202e\tb\n");
        let json = serde_json::to_string("\u{7f}\u{85}\u{202e}").expect("JSON");
        assert_eq!(serde_json::from_str::<String>(&visible(&json)).expect("JSON still"), "\u{7f}\u{85}\u{202e}");
    }
}
