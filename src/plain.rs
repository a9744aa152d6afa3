//! Plain files and directories under names of the cache, whatever lies there now. A link is never followed, and a FIFO, a
//! socket or a device is never opened, as that can wait for ever.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::CWD;
use rustix::path::Arg;

use crate::files::{self, Links, Unread};

/// Opens a plain file for reading. None when there is none: the name is free, or something else has it.
///
/// # Errors
/// When the file is there and cannot be opened.
pub fn open(path: &Path) -> io::Result<Option<File>> {
    open_at(CWD, path)
}

/// As [`open`], below an open directory.
///
/// # Errors
/// As [`open`].
pub fn open_at(dir: impl AsFd, name: impl Arg + Copy) -> io::Result<Option<File>> {
    match files::open_at(dir, name, Links::Refuse) {
        Ok(file) => Ok(Some(file)),
        Err(Unread::Io(error)) if !is_absent(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Whether there is no such file, or something else has become of it since it was looked at.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR | libc::ELOOP | libc::ENXIO | libc::ENODEV))
}

/// Whether a plain file has that name.
pub fn is_here(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file())
}

/// Removes whatever has a name, a directory with all that is in it.
///
/// # Errors
/// When the disk refuses; not when the name is free.
pub fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Removes what has a name and is no plain file. A plain file is replaced by a rename.
///
/// # Errors
/// As [`remove`].
pub fn make_room(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        // Another process may make it between these lines; what was not seen is not removed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(meta) if meta.is_file() => Ok(()),
        _ => remove(path),
    }
}

/// Makes a directory, in place of whatever else has its name.
///
/// # Errors
/// When the disk refuses.
pub fn directory(path: &Path) -> io::Result<()> {
    loop {
        match fs::symlink_metadata(path) {
            Ok(meta) if meta.is_dir() => return Ok(()),
            // Never a directory: another process may have made it meanwhile, and filled it.
            Ok(_) => match fs::remove_file(path) {
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => {}
                other => other?,
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other,
        }
    }
}
