//! What can go wrong, sorted by who can mend it. The exit code follows from the sort, and every message says what to do next.

use std::fmt;
use std::path::Path;

use crate::check::Findings;
use crate::printable::printable;

/// An error that ends the program.
#[derive(Debug)]
pub enum Error {
    /// The description of the site is wrong. Exit code 1.
    Site(Findings),
    /// What lies on the target contradicts the site, and going on would damage it. Exit code 1.
    Refused {
        /// What was found and what was expected, in one sentence without a full stop.
        what: String,
        /// How to go back, and how to go on.
        remedy: String,
    },
    /// The command line is wrong. Exit code 2.
    Usage(String),
    /// The environment failed: network, disk, a missing program, a package that is gone, a damaged file. Exit code 3.
    Environment {
        /// What happened, in one sentence without a full stop.
        what: String,
        /// What the reader can do about it, in one sentence.
        remedy: String,
    },
    /// All was done that a program can do, and people have to bring the rest before the site can start. Exit code 4.
    ToBring(Vec<String>),
    /// The user asked to stop (SIGINT, SIGTERM or SIGHUP). Exit code 130.
    Interrupted,
}

/// The result of everything that may end the program.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An environment failure with its remedy.
    pub fn environment(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Environment { what: what.into(), remedy: remedy.into() }
    }

    /// What only a mistake in this program leads to.
    pub fn mistake(what: impl Into<String>) -> Self {
        Self::environment(what, "this is a mistake in synapse-site: please report it with the description, without its secrets")
    }

    /// A refusal to touch what is there, with its remedy.
    pub fn refused(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Refused { what: what.into(), remedy: remedy.into() }
    }

    /// An input or output failure on a path; the remedy follows from the kind of failure.
    pub fn io(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind::*;
        let remedy = match error.kind() {
            NotFound => "check the spelling of the path",
            PermissionDenied => "give yourself access to it, or choose another place",
            StorageFull | QuotaExceeded => "free some space, or choose another place",
            ReadOnlyFilesystem => "choose a place that can be written to",
            FileTooLarge => "raise the limit on the size of files (`ulimit -f`), or choose another file system",
            NotADirectory | IsADirectory => "see which part of the path is a file and which a directory",
            _ if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => "the links lead in a circle: mend them, or name the file itself",
            _ if error.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) => "raise the limit on open files (`ulimit -n`)",
            _ => "look at the disk and try again",
        };
        Self::environment(format!("cannot {doing} {}: {error}", printable(&path.display().to_string())), remedy)
    }

    /// The process's exit code, as the architecture fixes it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Site(_) | Self::Refused { .. } => 1,
            Self::Usage(_) => 2,
            Self::Environment { .. } => 3,
            Self::ToBring(_) => 4,
            Self::Interrupted => 130,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Site(findings) => write!(f, "{findings}"),
            Self::Usage(message) => write!(f, "error: {message}"),
            Self::Refused { what, remedy } | Self::Environment { what, remedy } => write!(f, "error: {what}\n  what to do: {remedy}"),
            Self::ToBring(names) => write!(f, "still to bring: {}", names.join(", ")),
            Self::Interrupted => write!(f, "interrupted; nothing was left half written"),
        }
    }
}

impl std::error::Error for Error {}
