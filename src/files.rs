//! Files in places where anybody may have put something else: read without waiting for a FIFO, without opening a device, and
//! never beyond a limit; and the removal of temporary files that a killed run left. Takes paths, gives contents, or a reason
//! that ends a sentence.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::path::Arg;

use crate::error::{Error, Result as Done};

/// The largest plan, template or list of packages that is read, in bytes: more than a hundred times what the largest has.
pub const LARGEST: u64 = 16 * 1024 * 1024;

/// Whether a symbolic link at the end of a path leads on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// It does.
    Follow,
    /// It is no regular file.
    Refuse,
}

/// Why a file was not read; as text it ends a sentence such as `the plan cannot be read: …`.
#[derive(Debug)]
pub enum Unread {
    /// The system refused.
    Io(io::Error),
    /// Something else lies there, such as `a FIFO`.
    Kind(&'static str),
    /// It has more bytes than this.
    TooLarge(u64),
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Kind(kind) => write!(f, "it is {kind} and not a regular file"),
            Self::TooLarge(limit) => write!(f, "it has more than {limit} bytes"),
        }
    }
}

impl From<Unread> for io::Error {
    fn from(problem: Unread) -> Self {
        match problem {
            Unread::Io(error) => error,
            other => Self::new(io::ErrorKind::InvalidInput, other.to_string()),
        }
    }
}

impl Unread {
    /// What the system refused, if it did.
    pub fn kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Io(error) => Some(error.kind()),
            Self::Kind(_) | Self::TooLarge(_) => None,
        }
    }

    /// Whether there is nothing at all.
    pub fn is_missing(&self) -> bool {
        self.kind() == Some(io::ErrorKind::NotFound)
    }

    /// The error of a program that needs the file.
    pub fn error(&self, doing: &str, path: &Path) -> Error {
        match self {
            Self::Io(error) => Error::io(doing, path, error),
            Self::Kind(_) => Error::environment(format!("cannot {doing} {}: {self}", path.display()), "put the file itself there"),
            Self::TooLarge(_) => {
                Error::environment(format!("cannot {doing} {}: {self}", path.display()), "another file is in its place: put the right one there")
            }
        }
    }
}

/// Reads a whole regular file of at most `limit` bytes; links are followed.
///
/// # Errors
/// [`Unread`]: there is none, it may not be read, it is no regular file, it is too large.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Unread> {
    read_opened(&open(path)?, limit)
}

/// As [`read`], for text; what is not UTF-8 is an [`io::ErrorKind::InvalidData`].
///
/// # Errors
/// As [`read`].
pub fn read_text(path: &Path, limit: u64) -> Result<String, Unread> {
    String::from_utf8(read(path, limit)?).map_err(|_| Unread::Io(io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text")))
}

/// Opens a regular file for reading and never waits; links are followed.
///
/// # Errors
/// As [`read`].
pub fn open(path: &Path) -> Result<File, Unread> {
    open_at(CWD, path, Links::Follow)
}

/// Writes the content of a regular file into another one.
///
/// # Errors
/// An environment failure that names the file at fault.
pub fn copy(from: &Path, to: &Path) -> Done<()> {
    let mut content = open(from).map_err(|problem| problem.error("read", from))?;
    let mut file = File::create(to).map_err(|error| Error::io("write", to, &error))?;
    io::copy(&mut content, &mut file).map(drop).map_err(|error| Error::io("write", to, &error))
}

/// As [`open`], below an open directory and with a say in links. The kind is asked before, since opening a device may set it going, and
/// again of what was opened.
///
/// # Errors
/// As [`read`].
pub fn open_at(directory: impl AsFd, path: impl Arg + Copy, links: Links) -> Result<File, Unread> {
    let (at, no_follow) = match links {
        Links::Follow => (AtFlags::empty(), OFlags::empty()),
        Links::Refuse => (AtFlags::SYMLINK_NOFOLLOW, OFlags::NOFOLLOW),
    };
    let system = |errno: rustix::io::Errno| Unread::Io(errno.into());
    let regular = |stat: rustix::fs::Stat| match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(()),
        kind => Err(Unread::Kind(name(kind))),
    };
    regular(rustix::fs::statat(&directory, path, at).map_err(system)?)?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | no_follow;
    let file = rustix::fs::openat(&directory, path, flags, Mode::empty()).map_err(system)?;
    regular(rustix::fs::fstat(&file).map_err(system)?)?;
    Ok(file.into())
}

/// Reads what [`open_at`] opened.
///
/// # Errors
/// As [`read`].
pub fn read_opened(file: &File, limit: u64) -> Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(Unread::Io)?;
    if bytes.len() as u64 > limit { Err(Unread::TooLarge(limit)) } else { Ok(bytes) }
}

fn name(kind: FileType) -> &'static str {
    match kind {
        FileType::Directory => DIRECTORY,
        FileType::Symlink => LINK,
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::RegularFile | FileType::Unknown => "of an unknown kind",
    }
}

/// What [`Unread::Kind`] says of a directory.
pub const DIRECTORY: &str = "a directory";
/// What [`Unread::Kind`] says of a symbolic link that is not followed.
pub const LINK: &str = "a symbolic link";

/// Removes temporary files that a killed run left in a directory: regular files of the running user whose name `is_ours`. Gives
/// their names, sorted. A file that is gone meanwhile is as good as removed.
///
/// # Errors
/// What the system says when it does not list the directory or remove a file.
pub fn sweep(directory: impl AsFd, is_ours: impl Fn(&str) -> bool) -> io::Result<Vec<String>> {
    let own = rustix::process::geteuid().as_raw();
    let mut swept = Vec::new();
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().ok().filter(|name| is_ours(name)) else { continue };
        let stat = match rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(rustix::io::Errno::NOENT) => continue,
            Err(error) => return Err(error.into()),
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_uid != own {
            continue;
        }
        match rustix::fs::unlinkat(&directory, name, AtFlags::empty()) {
            Ok(()) => swept.push(name.to_owned()),
            Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    swept.sort();
    Ok(swept)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_regular_files_are_opened_and_never_waited_for() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        rustix::fs::mknodat(CWD, path("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        std::fs::create_dir(path("directory")).unwrap();
        std::fs::write(path("file"), "12345").unwrap();
        symlink("fifo", path("to-fifo")).unwrap();
        symlink("file", path("to-file")).unwrap();
        symlink("/dev/zero", path("to-device")).unwrap();
        for (name, expected) in [
            ("fifo", "a FIFO"),
            ("socket", "a socket"),
            ("directory", "a directory"),
            ("to-fifo", "a FIFO"),
            ("to-device", "a device"),
            ("file", "more than 4"),
        ] {
            let said = read(&path(name), 4).unwrap_err().error("read", &path(name)).to_string();
            assert!(said.contains(expected) && said.contains(name), "{said}");
        }
        assert_eq!(read(&path("to-file"), 5).unwrap(), b"12345");
        assert!(matches!(open_at(CWD, &path("to-file"), Links::Refuse), Err(Unread::Kind(LINK))));
        assert!(read(&path("none"), 5).unwrap_err().is_missing());
    }
}
