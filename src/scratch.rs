//! Files and directories that are in use for a while, and what killed processes left of them. Each has a name that only this
//! program makes and a lock that goes with its process, so that a later run knows without a clock what nobody uses.

use std::ffi::{CStr, CString};
use std::fs::{File, Permissions, TryLockError};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, openat, statat, unlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;
use tempfile::{Builder, NamedTempFile, TempDir};

use crate::error::{Error, Result};
use crate::plain;

/// What our names begin with; ten random letters and digits and one of the endings follow.
const PREFIX: &str = "synapse-site-";
const RANDOM: usize = 10;
/// A file that is being written. It is locked itself.
const FILE: &str = ".new";
/// The lock of a directory; it is there before the directory, and goes after it.
const LOCK: &str = ".lock";
/// A directory.
const DIRECTORY: &str = ".dir";

/// How earlier versions named both: `.tmp` and six random letters or digits.
const FORMER_PREFIX: &str = ".tmp";
const FORMER_RANDOM: usize = 6;
/// Where they kept a directory's lock.
const FORMER_LOCK: &str = ".lock";
/// How old something with a former name must be. Those versions needed it for the moment between making and locking.
const FORMER_AGE: Duration = Duration::from_secs(600);

/// Makes a file in `dir` that others can read, and locks it.
///
/// # Errors
/// An environment error when the disk refuses.
pub fn file(dir: &Path) -> Result<NamedTempFile> {
    locked(dir, FILE)
}

/// A temporary directory. It goes with the value, or with a later run's [`sweep`].
#[derive(Debug)]
pub struct Scratch {
    // The order matters: the directory goes before its lock.
    dir: TempDir,
    _lock: NamedTempFile,
}

impl Scratch {
    /// Makes one in a directory.
    ///
    /// # Errors
    /// An environment error when the disk refuses.
    pub fn new_in(dir: &Path) -> Result<Self> {
        let lock = locked(dir, LOCK)?;
        let name = lock.path().with_extension(&DIRECTORY[1..]);
        let made = name.file_name().map(|name| Builder::new().prefix(name).rand_bytes(0).permissions(Permissions::from_mode(0o700)).tempdir_in(dir));
        let dir = made.unwrap_or_else(|| Err(io::ErrorKind::InvalidInput.into())).map_err(|error| Error::io("make the directory", &name, &error))?;
        Ok(Self { dir, _lock: lock })
    }

    /// Makes one in the system's directory for temporary files, and removes what this user's killed runs left there.
    ///
    /// # Errors
    /// An environment error when the disk refuses.
    pub fn of_the_system() -> Result<Self> {
        let dir = std::env::temp_dir();
        if let Ok(dir) = openat(CWD, &dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
            sweep(dir.as_fd(), Names::Ours);
        }
        Self::new_in(&dir)
    }

    /// The directory. It is empty at first.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The way to something in this directory from another scratch directory beside it. No part of it comes from the user, so
    /// that a program which cannot take every path can take this one.
    pub fn from_beside(&self, name: &str) -> PathBuf {
        Path::new("..").join(self.dir.path().file_name().unwrap_or_default()).join(name)
    }
}

fn locked(dir: &Path, ending: &str) -> Result<NamedTempFile> {
    for _ in 0..100 {
        let file = Builder::new()
            .prefix(PREFIX)
            .rand_bytes(RANDOM)
            .suffix(ending)
            // Opened here, since an error of tempfile's own hides the system's number, which the remedy follows from.
            .make_in(dir, |path| File::options().read(true).write(true).create_new(true).mode(0o644).open(path))
            .map_err(|error| Error::io("make a file in", dir, &error))?;
        let failed = |error: &io::Error| Error::io("lock", file.path(), error);
        match file.as_file().try_lock() {
            // A sweep that saw the file before it was locked has taken it; another one is made.
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
            Ok(()) if file.as_file().metadata().map_err(|error| failed(&error))?.nlink() == 0 => {}
            Ok(()) => return Ok(file),
        }
    }
    Err(Error::environment(format!("files that are made in {} vanish at once", dir.display()), "see what else removes files there, or name another cache"))
}

/// Whose names a [`sweep`] looks at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Those of this version, which nothing else makes.
    Ours,
    /// Those of earlier versions, too. Other programs make such names, so this is for a directory that is ours alone.
    FormerToo,
}

/// Removes what this user's killed processes left in a directory. What cannot be looked at or removed stays: it is nobody's
/// business here.
pub fn sweep(dir: BorrowedFd<'_>, names: Names) {
    let Ok(entries) = Dir::read_from(dir) else { return };
    for name in entries.flatten().map(|entry| entry.file_name().to_owned()) {
        let Ok(stat) = statat(dir, &name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        if stat.st_uid != geteuid().as_raw() {
            continue;
        }
        let _stays = match Name::of(&name) {
            Some(Name::File) => remove_file(dir, &name),
            Some(Name::Lock(directory)) => remove_locked(dir, &name, &directory),
            Some(Name::Directory(lock)) => remove_unlocked(dir, &name, &lock),
            Some(Name::Former) if names == Names::FormerToo => remove_former(dir, &name, &stat),
            _ => Ok(()),
        };
    }
}

/// What a name says.
enum Name {
    File,
    /// The lock of this directory.
    Lock(CString),
    /// The directory of this lock.
    Directory(CString),
    Former,
}

impl Name {
    fn of(name: &CStr) -> Option<Self> {
        let name = name.to_str().ok()?;
        let is_random = |text: &str, length: usize| text.len() == length && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if name.strip_prefix(FORMER_PREFIX).is_some_and(|rest| is_random(rest, FORMER_RANDOM)) {
            return Some(Self::Former);
        }
        let (stem, ending) = name.split_at(name.rfind('.')?);
        if !is_random(stem.strip_prefix(PREFIX)?, RANDOM) {
            return None;
        }
        let with = |ending: &str| CString::new(format!("{stem}{ending}")).ok();
        match ending {
            FILE => Some(Self::File),
            LOCK => with(DIRECTORY).map(Self::Lock),
            DIRECTORY => with(LOCK).map(Self::Directory),
            _ => None,
        }
    }
}

/// Opens a plain file and locks it; none when it is in use, or is no plain file.
fn unused(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<Option<File>> {
    let Some(file) = plain::open_at(dir, name)? else { return Ok(None) };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn remove_file(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    if let Some(_locked) = unused(dir, name)? {
        unlinkat(dir, name, AtFlags::empty())?;
    }
    Ok(())
}

fn remove_locked(dir: BorrowedFd<'_>, lock: &CStr, directory: &CStr) -> io::Result<()> {
    if let Some(_locked) = unused(dir, lock)? {
        remove_at(dir, directory)?;
        unlinkat(dir, lock, AtFlags::empty())?;
    }
    Ok(())
}

/// A directory without a lock has no owner any more: the lock is made first.
fn remove_unlocked(dir: BorrowedFd<'_>, directory: &CStr, lock: &CStr) -> io::Result<()> {
    if statat(dir, lock, AtFlags::SYMLINK_NOFOLLOW).err() == Some(Errno::NOENT) {
        remove_at(dir, directory)?;
    }
    Ok(())
}

fn remove_former(dir: BorrowedFd<'_>, name: &CStr, stat: &Stat) -> io::Result<()> {
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or_default());
    if SystemTime::now().duration_since(modified).unwrap_or_default() < FORMER_AGE {
        return Ok(());
    }
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return remove_file(dir, name);
    }
    let inner = openat(dir, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    // Killed between making the directory and its lock, or after it.
    let never_locked = statat(&inner, FORMER_LOCK, AtFlags::SYMLINK_NOFOLLOW).err() == Some(Errno::NOENT);
    let lock = unused(inner.as_fd(), &CString::new(FORMER_LOCK)?)?;
    if never_locked || lock.is_some() {
        remove_at(dir, name)?;
    }
    Ok(())
}

/// Removes a name below an open directory, a directory with all that is in it. No link is followed.
///
/// # Errors
/// When the disk refuses; not when the name is free.
fn remove_at(dir: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<()> {
    let freed = |result| if result == Err(Errno::NOENT) { Ok(()) } else { result };
    match unlinkat(dir, name, AtFlags::empty()) {
        // POSIX and macOS say PERM.
        Err(Errno::ISDIR | Errno::PERM) => {}
        other => return freed(other),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let inner = match openat(dir, name, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(()),
        other => other?,
    };
    for entry in Dir::read_from(&inner)? {
        let name = entry?.file_name().to_owned();
        if ![&b"."[..], b".."].contains(&name.to_bytes()) {
            remove_at(inner.as_fd(), &name)?;
        }
    }
    freed(unlinkat(dir, name, AtFlags::REMOVEDIR))
}
