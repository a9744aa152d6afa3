//! The directory that a build writes: complete or untouched, also after a kill or a power failure.
//!
//! Everything is written into a hidden [`Sibling`], is synced to the disk, and takes the directory's name in one rename.
//! Before that rename, the new directory gets a symbolic link for every entry of the user (`secrets`, say, or a file that
//! the user put beside ours in `well-known`) that leads to where the entry lies after it; each link is then exchanged with
//! the entry. So the outputs are all old or all new, and every entry of the user is found under its path, before and after
//! each single system call. What a killed build left is completed by the next one.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::interrupt;
use crate::mounts;

mod disk;
mod entries;
mod finish;
mod mark;
mod sibling;

use entries::Entries;
pub use mark::mark;
use mark::{Mark, kind};
use sibling::Sibling;

/// The file by which a directory is known as one of ours.
pub const MARKER: &str = "site.json";

/// A directory that is being written.
#[derive(Debug)]
pub struct OutDir {
    sibling: Sibling,
    files: BTreeSet<PathBuf>,
}

impl OutDir {
    /// Prepares to write `files` into `target`, which is absent, empty, or what an earlier build wrote. `outputs` are the names
    /// that builds write at the top of the directory; what lies beside them (`secrets`, say) is kept, and so is what lies below
    /// them and no build wrote. Completes what earlier builds left that were killed.
    ///
    /// # Errors
    /// An environment failure when another build writes the same directory now, when `target` is somebody else's or has files
    /// that people made or changed where this build writes, or when there is no place to write.
    pub fn create(target: &Path, outputs: &[&str], files: BTreeSet<PathBuf>) -> Result<Self> {
        let target = absolute(target)?;
        check_ours(&target)?;
        let (sibling, dead) = sibling::claim(&target, outputs)?;
        let mut this = Self { sibling, files };
        this.check_owner()?;
        for dead in dead {
            dead.finish()?;
        }
        this.sibling.add_outputs(this.files.iter().filter_map(|file| file.iter().next()?.to_str()));
        this.sibling.add_outputs(Mark::of(&target)?.tops());
        if let Some(link) = this.sibling.others_links()?.first() {
            return Err(Error::environment(
                format!("{} was left by a build that was killed, and that build was another user's", target.join(link).display()),
                "run the build as that user, or as the owner of the directory that the link leads to",
            ));
        }
        this.check_replaceable()?;
        this.sibling.prepare()?;
        Ok(this)
    }

    /// Where to write; not yet under the final name.
    pub fn path(&self) -> &Path {
        self.sibling.content()
    }

    /// Where it will be, absolute.
    pub fn target(&self) -> &Path {
        self.sibling.target()
    }

    /// Gives the directory its name. What an earlier build wrote there is removed; what the user put beside it stays. When
    /// this returns, all of it is on the disk.
    ///
    /// # Errors
    /// An environment failure when the rename is not possible, and [`Error::Interrupted`]; the old directory is then as it was.
    pub fn commit(self) -> Result<PathBuf> {
        self.check_written()?;
        disk::settle(self.path())?;
        // Again: the user may have put files there in the meantime.
        check_ours(self.target())?;
        self.check_replaceable()?;
        interrupt::check()?;
        if exists(self.target())? {
            self.replace()?;
        } else {
            renameat_with(CWD, self.path(), CWD, self.target(), RenameFlags::NOREPLACE).map_err(|error| self.not_renamed(error))?;
            self.sync_names()?;
        }
        self.sibling.finish()?;
        Ok(self.target().to_owned())
    }

    fn check_written(&self) -> Result<()> {
        let written = mark::written(self.path())?;
        let wrong = if let Some(more) = written.difference(&self.files).next() {
            format!("the build wrote {}, which is not among its outputs", more.display())
        } else if let Some(less) = self.files.difference(&written).next() {
            format!("the build wrote no {}", less.display())
        } else {
            return Ok(());
        };
        Err(Error::environment(wrong, "report this as a defect"))
    }

    fn check_replaceable(&self) -> Result<()> {
        entries::check_replaceable(self.target(), self.files.iter().map(PathBuf::as_path))
    }

    /// Exchanges the old directory and the new one, and then the user's entries and the links to them. If an entry cannot be
    /// moved, everything goes back.
    fn replace(&self) -> Result<()> {
        let entries = self.link_entries()?;
        self.exchange()?;
        let moved = self.sync_names().and_then(|()| self.sibling.restore());
        moved.inspect_err(|_| {
            // What cannot be undone stays as after a kill: complete, and for the next build to finish.
            drop(self.sibling.take_again(&entries).and_then(|()| self.exchange()));
        })
    }

    /// Links the user's entries, and looks again for some that have just come. Gives their paths.
    fn link_entries(&self) -> Result<Vec<PathBuf>> {
        let mut linked = Vec::new();
        for _ in 0..3 {
            let Entries { users, ours, directories } = Entries::of(&self.sibling, self.target(), self.path())?;
            let new: Vec<PathBuf> = users.into_iter().filter(|entry| !linked.contains(entry)).collect();
            check_mounts(self.target(), new.iter().chain(&ours).chain(&directories))?;
            if new.is_empty() {
                break;
            }
            self.sibling.link(&new)?;
            linked.extend(new);
        }
        Ok(linked)
    }

    fn exchange(&self) -> Result<()> {
        renameat_with(CWD, self.path(), CWD, self.target(), RenameFlags::EXCHANGE).map_err(|error| self.not_renamed(error))
    }

    /// Puts the directories that hold the two names on the disk.
    fn sync_names(&self) -> Result<()> {
        disk::sync(&parent(self.target()))?;
        disk::sync(self.sibling.path())
    }

    /// In a directory where everybody may write, such as /tmp, somebody else can have prepared the target.
    fn check_owner(&self) -> Result<()> {
        let (target, parent) = (self.target(), parent(self.target()));
        let failed = |error: io::Error| Error::io("look at", target, &error);
        let mode = fs::metadata(parent).map_err(failed)?.mode();
        if mode & 0o1002 != 0o1002 || !exists(target)? {
            return Ok(());
        }
        let owner = fs::symlink_metadata(target).map_err(failed)?.uid();
        if owner == self.sibling.owner()? {
            return Ok(());
        }
        Err(Error::environment(format!("{} belongs to user {owner}, in a directory where everybody may write", target.display()), "name another directory"))
    }

    fn not_renamed(&self, error: Errno) -> Error {
        match error {
            Errno::INVAL | Errno::NOSYS | Errno::NOTSUP | Errno::BUSY | Errno::XDEV => Error::environment(
                format!("{} cannot be replaced in one step: {error}", self.target().display()),
                "the file system does not allow it, or it is a mount point: build into a new directory inside it",
            ),
            error => Error::io("put the finished build into", self.target(), &error.into()),
        }
    }
}

impl Drop for OutDir {
    /// A build that failed leaves nothing. What cannot be removed now is removed by the next build: the error that
    /// ends this one is more important.
    fn drop(&mut self) {
        drop(self.sibling.finish());
    }
}

/// Refuses a directory whose entries are in part still with a build that was killed, and one that a build is writing now.
/// `outputs` are the names that builds write at its top.
///
/// # Errors
/// An environment failure that says how to complete it.
pub fn check_finished(target: &Path, outputs: &[&str]) -> Result<()> {
    let target = absolute(target)?;
    if sibling::is_inside(&target) {
        return Err(Error::environment(
            format!("{} is the old directory of a build", target.display()),
            "change to the new one: leave this directory and enter it again by its name",
        ));
    }
    let Some(place) = sibling::unfinished(&target, outputs)? else { return Ok(()) };
    let shown = target.display();
    Err(Error::environment(
        format!("a build of {shown} was killed, and files of yours are still in {}", place.display()),
        format!("run `synapse-site build SITE --out {shown}` again, on the machine and as the user of that build: it puts them back; then repeat this"),
    ))
}

/// An absolute path without links in its parent, so that two spellings of one directory have the same siblings.
fn absolute(target: &Path) -> Result<PathBuf> {
    match fs::canonicalize(target) {
        Ok(path) if path.file_name().is_some() => return Ok(path),
        Ok(path) => {
            return Err(Error::environment(format!("{} cannot be replaced as a whole", path.display()), "name a directory of its own, such as ./out"));
        }
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

/// Refuses entries on which something is mounted: they cannot be renamed, nor can the directory be replaced without them.
fn check_mounts<'a>(target: &Path, entries: impl Iterator<Item = &'a PathBuf>) -> Result<()> {
    let mut mounts = Vec::new();
    for path in entries.map(|entry| target.join(entry)) {
        if mounts::is_mount_point(&path).map_err(|error| Error::io("look at", &path, &error))? {
            mounts.push(path.display().to_string());
        }
    }
    if mounts.is_empty() {
        return Ok(());
    }
    Err(Error::environment(
        format!("{} is a mount point and cannot be moved into the new directory", mounts.join(", ")),
        "unmount it for the time of the build, or build into another directory",
    ))
}

/// The directory that an absolute path lies in.
fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("/")).to_owned()
}

fn is_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

fn exists(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("look at", path, &error)),
    }
}

/// The names in a directory, sorted; none if it is not there.
fn names_if_there(directory: &Path) -> Result<Option<Vec<OsString>>> {
    if exists(directory)? { names(directory).map(Some) } else { Ok(None) }
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
