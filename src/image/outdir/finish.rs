//! The end of a build, and of one that was killed: the user's entries go where they belong, then what nobody needs is removed.
//! Nothing is removed that is neither an output nor one of our own links.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::sibling::Sibling;
use super::{disk, exists, names_if_there, parent};
use crate::error::{Error, Result};

/// How often entries are moved that appear while the old directory is removed.
const ATTEMPTS: u32 = 10;

impl Sibling {
    /// Completes a build from wherever it ended, and removes the sibling. To repeat it does no harm.
    pub fn finish(&self) -> Result<()> {
        for _ in 0..ATTEMPTS {
            self.restore()?;
            self.sync()?;
            if self.clear()? {
                return self.remove();
            }
        }
        Err(Error::environment(
            format!("files keep appearing in {}", self.content().display()),
            "end the programs that write there (see `fuser`), then build again",
        ))
    }

    /// Puts the user's entries into the target, each in one step.
    pub fn restore(&self) -> Result<()> {
        for name in self.users()? {
            let (from, to) = (self.content().join(&name), self.target().join(&name));
            // A link of ours holds the entry's place. An entry that came after the links were made has none.
            let how = if self.is_link(self.target(), &name) { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
            renameat_with(CWD, &from, CWD, &to, how).map_err(|error| {
                Error::environment(
                    format!("{} cannot be moved to {}: {error}", from.display(), to.display()),
                    "it is yours: move it to where you want it, then build again",
                )
            })?;
        }
        // Links that lead nowhere: the user removed the entry after the link was made.
        for name in names_if_there(self.target())?.unwrap_or_default() {
            if self.is_link(self.target(), &name) && !exists(&self.content().join(&name))? {
                remove(self.target(), &name)?;
            }
        }
        Ok(())
    }

    /// Puts every name on the disk before something is removed.
    fn sync(&self) -> Result<()> {
        for directory in [self.target(), self.content(), self.path(), &parent(self.target())] {
            if exists(directory)? {
                disk::sync(directory)?;
            }
        }
        Ok(())
    }

    /// Undoes [`Self::restore`] for these entries, as far as it got.
    pub fn take_again(&self, entries: &[OsString]) -> Result<()> {
        for name in entries.iter().filter(|name| self.is_link(self.content(), name)) {
            let (from, to) = (self.target().join(name), self.content().join(name));
            renameat_with(CWD, &from, CWD, &to, RenameFlags::EXCHANGE).map_err(|error| Error::io("move", &from, &error.into()))?;
        }
        Ok(())
    }

    /// Removes the outputs and links in it, and says whether that was all.
    fn clear(&self) -> Result<bool> {
        let ours = |name: &&OsString| self.is_output(name) || self.is_link(self.content(), name);
        let Some(names) = names_if_there(self.content())? else { return Ok(true) };
        names.iter().filter(ours).try_for_each(|name| remove(self.content(), name))?;
        match fs::remove_dir(self.content()) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
            other => other.map(|()| true).map_err(|error| Error::io("remove", self.content(), &error)),
        }
    }

    /// Removes what is left when the content is gone.
    fn remove(&self) -> Result<()> {
        if self.path() == self.content() {
            return Ok(());
        }
        absent(&self.record(), fs::remove_file)?;
        absent(self.path(), fs::remove_dir)
    }
}

fn absent<'a>(path: &'a Path, remove: impl Fn(&'a Path) -> io::Result<()>) -> Result<()> {
    match remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path, &error)),
        _ => Ok(()),
    }
}

fn remove(directory: &Path, name: &OsStr) -> Result<()> {
    let path = directory.join(name);
    let is_dir = fs::symlink_metadata(&path).map_err(|error| Error::io("look at", &path, &error))?.is_dir();
    let removed = if is_dir { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
    removed.map_err(|error| Error::io("remove", &path, &error))
}
