//! The end of a build, and of one that was killed: the user's entries go where they belong, then what nobody needs is removed.
//! Nothing is removed that is neither an output nor one of our own links.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::sibling::Sibling;
use super::{MARKER, disk, exists, is_directory, parent};
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
        for entry in self.entries()?.users {
            let (from, to) = (self.content().join(&entry), self.target().join(&entry));
            // A link of ours holds the entry's place. An entry that came after the links were made has none.
            let how = if self.is_link(self.target(), &entry) { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
            disk::make_parents(self.target(), &entry)?;
            renameat_with(CWD, &from, CWD, &to, how).map_err(|error| {
                Error::environment(
                    format!("{} cannot be moved to {}: {error}", from.display(), to.display()),
                    "it is yours: move it to where you want it, then build again",
                )
            })?;
        }
        // Links that lead nowhere: the user removed the entry after the link was made.
        for entry in self.links()? {
            if !exists(&self.content().join(&entry))? {
                let link = self.target().join(&entry);
                fs::remove_file(&link).map_err(|error| Error::io("remove", &link, &error))?;
                // The directories that were made for it; others are not empty.
                let above = entry.ancestors().skip(1).filter(|above| *above != Path::new(""));
                let _others = above.take_while(|above| fs::remove_dir(self.target().join(above)).is_ok()).count();
            }
        }
        Ok(())
    }

    /// Puts every name on the disk before something is removed.
    fn sync(&self) -> Result<()> {
        let directories = self.entries()?.directories;
        let below = directories.iter().flat_map(|directory| [self.target().join(directory), self.content().join(directory)]);
        let above = [self.target().to_owned(), self.content().to_owned(), self.path().to_owned(), parent(self.target())];
        below.chain(above).filter(|directory| is_directory(directory)).try_for_each(|directory| disk::sync(&directory))
    }

    /// Undoes [`Self::restore`] for these entries, as far as it got.
    pub fn take_again(&self, entries: &[PathBuf]) -> Result<()> {
        for entry in entries.iter().filter(|entry| self.is_link(self.content(), entry)) {
            let (from, to) = (self.target().join(entry), self.content().join(entry));
            renameat_with(CWD, &from, CWD, &to, RenameFlags::EXCHANGE).map_err(|error| Error::io("move", &from, &error.into()))?;
        }
        Ok(())
    }

    /// Removes the outputs and links in it, and says whether that was all. The mark goes last: it says what else may go.
    fn clear(&self) -> Result<bool> {
        if !exists(self.content())? {
            return Ok(true);
        }
        let mut entries = self.entries()?;
        if !entries.users.is_empty() {
            return Ok(false);
        }
        entries.ours.retain(|path| path != Path::new(MARKER));
        let content = |path: &PathBuf| self.content().join(path);
        entries.ours.iter().map(content).try_for_each(|file| absent(&file, fs::remove_file))?;
        for directory in entries.directories.iter().map(content) {
            if !is_removed(&directory)? {
                return Ok(false);
            }
        }
        absent(&self.content().join(MARKER), fs::remove_file)?;
        is_removed(self.content())
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

/// Removes a directory that nobody has put anything into.
fn is_removed(directory: &Path) -> Result<bool> {
    match fs::remove_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
        other => other.map(|()| true).map_err(|error| Error::io("remove", directory, &error)),
    }
}

fn absent<'a>(path: &'a Path, remove: impl Fn(&'a Path) -> io::Result<()>) -> Result<()> {
    match remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path, &error)),
        _ => Ok(()),
    }
}
