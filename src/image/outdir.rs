//! The directory that a build writes: complete or untouched. Everything is written into a hidden sibling, which takes the
//! directory's name in one rename at the end. The sibling is locked while its owner lives, so that a second build into the same
//! directory is refused, and what a killed build left is removed by the next.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};
use rustix::io::Errno;

use crate::error::{Error, Result};

/// The file by which a directory is known as one of ours.
pub const MARKER: &str = "site.json";

/// A directory that is being written.
#[derive(Debug)]
pub struct OutDir {
    target: PathBuf,
    work: PathBuf,
    /// Names at the top that belong to the tool; everything else in the directory belongs to the user and stays.
    outputs: Vec<OsString>,
    /// Held for its lock.
    _lock: File,
    done: bool,
}

impl OutDir {
    /// Prepares to write `target`, which is absent, empty, or what an earlier build wrote. `outputs` are the names that builds
    /// write at the top of the directory: they are replaced as a whole, whereas other entries (`secrets`, say) are kept.
    ///
    /// # Errors
    /// An environment failure when another build writes the same directory now, when `target` holds somebody else's files, or
    /// when there is no place to write.
    pub fn create(target: &Path, outputs: &[&str]) -> Result<Self> {
        let target = absolute(target)?;
        let name = target
            .file_name()
            .ok_or_else(|| Error::environment(format!("{} cannot be replaced as a whole", target.display()), "name a directory of its own, such as ./out"))?;
        let work = target.with_file_name(sibling(name));
        let outputs: Vec<OsString> = outputs.iter().map(OsString::from).collect();
        check_ours(&target)?;
        let lock = lock_work(&work, &target)?;
        let this = Self { target, work, outputs, _lock: lock, done: false };
        this.take_back()?;
        Ok(this)
    }

    /// Where to write; not yet under the final name.
    pub fn path(&self) -> &Path {
        &self.work
    }

    /// Where it will be, absolute.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Gives the directory its name. What an earlier build wrote there is removed; what the user put beside it stays.
    ///
    /// # Errors
    /// An environment failure when the rename is not possible; the old directory is then as it was.
    pub fn commit(mut self) -> Result<PathBuf> {
        let written = names(&self.work)?;
        if let Some(name) = written.iter().find(|name| !self.outputs.contains(name)) {
            return Err(Error::environment(
                format!("the build wrote {}, which is not among its outputs", Path::new(name).display()),
                "report this as a defect",
            ));
        }
        if !written.iter().any(|name| name == MARKER) {
            return Err(Error::environment(format!("the build wrote no {MARKER}"), "report this as a defect"));
        }
        for name in &written {
            open_up(&self.work.join(name))?;
        }
        // Again: the user may have put files there in the meantime.
        check_ours(&self.target)?;
        match File::open(&self.target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                renameat_with(CWD, &self.work, CWD, &self.target, RenameFlags::NOREPLACE).map_err(|error| self.not_renamed(error))?;
                self.done = true;
            }
            Err(error) => return Err(Error::io("open", &self.target, &error)),
            Ok(old) => {
                // After the exchange the old directory has the sibling's name: its lock keeps other builds from using it.
                flock(&old, FlockOperation::NonBlockingLockExclusive).map_err(|_| busy(&self.target))?;
                renameat_with(CWD, &self.work, CWD, &self.target, RenameFlags::EXCHANGE).map_err(|error| self.not_renamed(error))?;
                self.take_back()?;
                fs::remove_dir_all(&self.work).map_err(|error| Error::io("remove the old files in", &self.work, &error))?;
                self.done = true;
            }
        }
        Ok(self.target.clone())
    }

    /// Empties the sibling: what builds write is removed, what users wrote goes to where they expect it.
    fn take_back(&self) -> Result<()> {
        for name in names(&self.work)? {
            let path = self.work.join(&name);
            if self.outputs.contains(&name) {
                let directory = fs::symlink_metadata(&path).map_err(|error| Error::io("look at", &path, &error))?.is_dir();
                let removed = if directory { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
                removed.map_err(|error| Error::io("remove", &path, &error))?;
            } else {
                let place = self.target.join(&name);
                renameat_with(CWD, &path, CWD, &place, RenameFlags::NOREPLACE).map_err(|error| {
                    Error::environment(
                        format!("{} cannot be moved back to {}: {error}", path.display(), place.display()),
                        "it is yours: move it to where you want it, then build again",
                    )
                })?;
            }
        }
        Ok(())
    }

    fn not_renamed(&self, error: Errno) -> Error {
        match error {
            Errno::INVAL | Errno::NOSYS | Errno::BUSY | Errno::XDEV => Error::environment(
                format!("{} cannot be replaced in one step: {error}", self.target.display()),
                "the file system does not allow it, or it is a mount point: build into a new directory inside it",
            ),
            error => Error::io("put the finished build into", &self.target, &error.into()),
        }
    }
}

impl Drop for OutDir {
    /// A build that failed leaves nothing. What cannot be removed now is removed by the next build: the error that
    /// ends this one is more important.
    fn drop(&mut self) {
        if !self.done && self.take_back().is_ok() {
            drop(fs::remove_dir(&self.work));
        }
    }
}

/// The sibling's name, one for each directory.
fn sibling(name: &OsStr) -> OsString {
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(".synapse-site");
    hidden
}

/// An absolute path without links in its parent, so that two spellings of one directory have one sibling.
fn absolute(target: &Path) -> Result<PathBuf> {
    match fs::canonicalize(target) {
        Ok(path) => return Ok(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("open", target, &error)),
    }
    let name = target.file_name().ok_or_else(|| Error::io("create", target, &io::ErrorKind::NotFound.into()))?;
    let parent = match target.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    Ok(fs::canonicalize(parent).map_err(|error| Error::io("write into", parent, &error))?.join(name))
}

/// Refuses a directory that another verb has written: half of it would be replaced, and the rest would stay.
///
/// # Errors
/// An environment failure that names the verb; anything else that is wrong with the directory is for [`OutDir::create`].
pub fn check_kind(target: &Path, verb: &str) -> Result<()> {
    match kind(target)? {
        Some(other) if other != verb => Err(Error::environment(
            format!("{} was written by `synapse-site {other}`, and `{verb}` writes other files", target.display()),
            "name another directory",
        )),
        _ => Ok(()),
    }
}

/// The verb that wrote a directory, as its marker tells; none for a file of that name that no verb wrote.
fn kind(target: &Path) -> Result<Option<String>> {
    let path = target.join(MARKER);
    let plain = match fs::metadata(&path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(None),
        other => other.map_err(|error| Error::io("look at", &path, &error))?.is_file(),
    };
    if !plain {
        return Ok(None);
    }
    let text = fs::read(&path).map_err(|error| Error::io("read", &path, &error))?;
    let known = |verb: &&str| ["build", "render"].contains(verb);
    // What is no JSON was not written by us either.
    let mark: Option<serde_json::Value> = serde_json::from_slice(&text).ok();
    Ok(mark.and_then(|mark| mark["kind"].as_str().filter(known).map(str::to_owned)))
}

/// Refuses a directory that no build has written.
fn check_ours(target: &Path) -> Result<()> {
    match fs::symlink_metadata(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("look at", target, &error)),
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => {
            return Err(Error::environment(format!("{} is no directory", target.display()), "remove it, or name another directory"));
        }
    }
    let names = names(target)?;
    if names.is_empty() {
        return Ok(());
    }
    if names.iter().any(|name| name == MARKER) {
        // A description in JSON has the same name: it must not be taken for our mark, and be replaced.
        if kind(target)?.is_some() {
            return Ok(());
        }
        return Err(Error::environment(
            format!("the {MARKER} in {} was not written by a build", target.display()),
            "name a new or an empty directory; a description does not lie in the directory that a build writes",
        ));
    }
    Err(Error::environment(format!("{} holds files but no {MARKER}, so it was not written by a build", target.display()), "name a new or an empty directory"))
}

/// Makes the sibling and locks it, or takes over one whose owner is dead.
fn lock_work(work: &Path, target: &Path) -> Result<File> {
    // Each turn fails only when another process removed the directory between two of these steps.
    for _ in 0..100 {
        match fs::create_dir(work) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(Error::io("create", work, &error));
            }
            _ => {}
        }
        let lock = match File::open(work) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other.map_err(|error| Error::io("open", work, &error))?,
        };
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => return Err(busy(target)),
            other => other.map_err(|error| Error::io("lock", work, &error.into()))?,
        }
        if same_file(&lock, work)? {
            return Ok(lock);
        }
    }
    Err(busy(target))
}

fn busy(target: &Path) -> Error {
    Error::environment(format!("another build is writing {}", target.display()), "wait until it is done, or build into another directory")
}

fn same_file(open: &File, path: &Path) -> Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let one = open.metadata().map_err(|error| Error::io("look at", path, &error))?;
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        other => {
            let other = other.map_err(|error| Error::io("look at", path, &error))?;
            Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
        }
    }
}

/// Gives what was written the modes that it has on every machine, whatever the umask is: 0644, and 0755 for directories. None of
/// it is secret.
fn open_up(path: &Path) -> Result<()> {
    let failed = |error: io::Error| Error::io("set the mode of", path, &error);
    let found = fs::symlink_metadata(path).map_err(failed)?;
    let directory = found.is_dir();
    // The one program among the outputs stays one.
    let program = found.permissions().mode() & 0o100 != 0;
    fs::set_permissions(path, fs::Permissions::from_mode(if directory || program { 0o755 } else { 0o644 })).map_err(failed)?;
    if directory {
        names(path)?.iter().try_for_each(|name| open_up(&path.join(name)))?;
    }
    Ok(())
}

/// The names in a directory, sorted.
fn names(directory: &Path) -> Result<Vec<OsString>> {
    let mut names = fs::read_dir(directory)
        .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>())
        .map_err(|error| Error::io("read", directory, &error))?;
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests;
