//! Which directory is a cache. A path that is free, an empty directory, and one that a run of this program marked are taken;
//! every other one is refused before anything in it is made, changed or removed. The mark is `CACHEDIR.TAG` with a comment of
//! our own (<https://bford.info/cachedir/>), which backup programs know, too.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, mkdirat, open, openat, statat};
use rustix::io::Errno;

use super::VARIABLE;
use crate::error::{Error, Result};
use crate::plain;

/// The mark's file.
const TAG: &str = "CACHEDIR.TAG";
/// What a mark begins with. Before marks had a format, this was all of it.
const HEAD: &str = "Signature: 8a477f597d28d172789f06886806bc55\n# Files that synapse-site fetched or made; it makes them anew when they are gone.\n";
/// What comes before the number of the format.
const FORMAT_LINE: &str = "# Format ";
/// Raised when an older version of this program would do harm in a newer cache, or misread it.
const FORMAT: u32 = 1;
/// No mark is longer.
const LONGEST: u64 = 4096;

/// The directories that a cache has now.
const DIRECTORIES: [&str; 4] = ["packages", "tmp", "layers", "bytecode"];
/// Those of them that are made at once.
const AT_ONCE: [&str; 2] = ["packages", "tmp"];
/// Directories of earlier versions, which are not used any more.
const FORMER: [&str; 2] = ["apt", "locks"];

const OTHER_PLACE: &str = "name a directory that is empty or does not exist yet";

/// What a directory is.
enum Found {
    /// A cache of this program, in a format that it knows.
    Cache,
    /// Nothing of anybody's; it can become a cache.
    Free,
    /// None of ours, and why.
    Foreign(String),
    /// A cache of a later version.
    Later(String),
}

/// Takes a directory as a cache, and makes and marks it if need be. Gives its path without links, and the directory itself.
///
/// # Errors
/// An environment error when it is not a cache of this program and holds something, or the disk refuses.
pub fn claim(asked: &Path) -> Result<(PathBuf, OwnedFd)> {
    let choose = |what: String| Error::environment(what, format!("{OTHER_PLACE}, with --cache or {VARIABLE}"));
    let shown = asked.display();
    utf8(asked)?;
    if fs::symlink_metadata(asked).is_ok() && !asked.is_dir() {
        return Err(choose(format!("the cache {shown} is not a directory")));
    }
    let failed = |error: io::Error| Error::io("open the cache", asked, &error);
    fs::create_dir_all(asked).map_err(|error| Error::io("make the cache directory", asked, &error))?;
    // Programs that are started with a path in the cache run in other working directories.
    let root = fs::canonicalize(asked).map_err(failed)?;
    utf8(&root)?;
    let dir = open(&root, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(|errno| failed(errno.into()))?;
    match look(dir.as_fd()).map_err(failed)? {
        Found::Cache => {}
        Found::Free => mark(dir.as_fd()).map_err(|error| Error::io("write", &root.join(TAG), &error))?,
        Found::Foreign(why) => return Err(choose(format!("{shown} is not a cache of synapse-site: {why}"))),
        Found::Later(format) => {
            return Err(Error::environment(
                format!("{shown} is a cache of format {format}, and this synapse-site knows format {FORMAT} only"),
                format!("use the later version that made it, or {OTHER_PLACE}, with --cache or {VARIABLE}"),
            ));
        }
    }
    furnish(dir.as_fd(), &root)?;
    Ok((root, dir))
}

/// pip cannot work below a path of another kind.
fn utf8(path: &Path) -> Result<()> {
    match path.to_str() {
        Some(_) => Ok(()),
        None => Err(Error::environment(
            format!("the path of the cache is not UTF-8, and pip cannot work there: {}", path.display()),
            format!("name another directory with --cache or {VARIABLE}"),
        )),
    }
}

fn look(dir: BorrowedFd<'_>) -> io::Result<Found> {
    // The names come first. Whoever is filling a new cache at this moment wrote its mark before anything else, so that a mark
    // which is read after other names is whole.
    let names = names(dir)?;
    let mark = match plain::open_at(dir, TAG)? {
        Some(file) => Some(text(file)?),
        None if names.iter().any(|name| name == TAG) => return Ok(Found::Foreign(format!("its {TAG} is not a plain file"))),
        None => None,
    };
    if let Some(comment) = mark.as_deref().and_then(|mark| mark.strip_prefix(HEAD)) {
        let format = comment.lines().find_map(|line| line.strip_prefix(FORMAT_LINE)).map(str::trim);
        return Ok(match format {
            None => Found::Cache,
            Some(format) if format.parse() == Ok(FORMAT) => Found::Cache,
            Some(format) => Found::Later(format!("{format:?}").trim_matches('"').chars().take(40).collect()),
        });
    }
    let others: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name != TAG).collect();
    let unfinished = match &mark {
        // Its maker was killed, or the power was cut, before all of the mark was on the disk.
        Some(mark) => whole().starts_with(mark) && are_directories(dir, &others, &[&DIRECTORIES[..], &FORMER[..]].concat()),
        // Earlier versions made two directories before they wrote the mark.
        None => are_directories(dir, &others, &AT_ONCE) && others.iter().all(|name| is_empty(dir, name)),
    };
    if unfinished {
        return Ok(Found::Free);
    }
    Ok(Found::Foreign(match mark {
        Some(mark) => {
            let line = mark.lines().find(|line| !line.starts_with("Signature:")).unwrap_or_default();
            format!("its {TAG} is of another program: {:?}", line.chars().take(100).collect::<String>())
        }
        None => {
            let more = if others.len() > 3 { " and more" } else { "" };
            let some: Vec<String> = others.iter().take(3).map(|name| format!("{name:?}")).collect();
            format!("it has no {TAG} and holds {}{more}", some.join(", "))
        }
    }))
}

/// The whole mark.
fn whole() -> String {
    format!("{HEAD}{FORMAT_LINE}{FORMAT}\n")
}

fn text(file: File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Names in a directory, sorted. What a new file system of its own holds is nothing.
fn names(dir: BorrowedFd<'_>) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_string_lossy().into_owned();
        if ![".", "..", "lost+found"].contains(&name.as_str()) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn are_directories(dir: BorrowedFd<'_>, names: &[&str], allowed: &[&str]) -> bool {
    names.iter().all(|name| allowed.contains(name) && kind(dir, name).is_ok_and(|kind| kind == FileType::Directory))
}

fn is_empty(dir: BorrowedFd<'_>, name: &str) -> bool {
    openat(dir, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        .map_err(io::Error::from)
        .and_then(|inner| names(inner.as_fd()))
        .is_ok_and(|names| names.is_empty())
}

fn kind(dir: BorrowedFd<'_>, name: &str) -> std::result::Result<FileType, Errno> {
    statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map(|stat| FileType::from_raw_mode(stat.st_mode))
}

/// Writes the mark. Any number of processes may do so at once: all write the same bytes at the same place.
fn mark(dir: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(openat(dir, TAG, flags, Mode::from_raw_mode(0o644))?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a plain file"));
    }
    file.write_all_at(whole().as_bytes(), 0)?;
    file.sync_all()
}

/// Makes the directories that every run needs, and looks whether all are directories.
fn furnish(dir: BorrowedFd<'_>, root: &Path) -> Result<()> {
    for name in DIRECTORIES {
        let failed = |errno: Errno| Error::io("make the cache directory", &root.join(name), &errno.into());
        let mut found = kind(dir, name);
        if found == Err(Errno::NOENT) && AT_ONCE.contains(&name) {
            match mkdirat(dir, name, Mode::from_raw_mode(0o777)) {
                Err(errno) if errno != Errno::EXIST => return Err(failed(errno)),
                _ => found = kind(dir, name),
            }
        }
        match found {
            Ok(FileType::Directory) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(failed(errno)),
            Ok(kind) => {
                let what = if kind == FileType::Symlink { "a link" } else { "not a directory" };
                return Err(Error::environment(
                    format!("{} in the cache is {what}", root.join(name).display()),
                    "remove it; what is missing in the cache is fetched or made again. A cache on another disk is named with --cache",
                ));
            }
        }
    }
    Ok(())
}
