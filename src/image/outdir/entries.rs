//! Whose is what in an output directory. At the top the names that builds write are the tool's, and
//! everything else is the user's. In a directory of the tool's the files that the build wrote are the
//! tool's, as its mark lists them; everything else is the user's there, too.

use std::io;
use std::path::{Path, PathBuf};

use super::mark::Mark;
use super::sibling::Sibling;
use super::{is_directory, names_if_there};
use crate::error::{Error, Result};
use crate::printable::printable;

/// What a directory holds, by path below it.
#[derive(Debug, Default)]
pub struct Entries {
    /// The user's files, and the user's directories that no build writes into: each is moved as a whole.
    pub users: Vec<PathBuf>,
    /// The tool's files, and links to the user's entries.
    pub ours: Vec<PathBuf>,
    /// Directories that hold what is above; those within a directory come before it.
    pub directories: Vec<PathBuf>,
}

impl Entries {
    /// Looks at `directory`, one of the two of a build, while the other one is `other`. A directory that
    /// both have is looked into, even if the user made it: what lies there is found under its path in
    /// either.
    pub fn of(sibling: &Sibling, directory: &Path, other: &Path) -> Result<Self> {
        let mut entries = Self::default();
        let look = Look { sibling, directory, other, mark: Mark::of(directory)? };
        look.at(Path::new(""), &mut entries)?;
        Ok(entries)
    }
}

struct Look<'a> {
    sibling: &'a Sibling,
    directory: &'a Path,
    other: &'a Path,
    mark: Mark,
}

impl Look<'_> {
    fn at(&self, below: &Path, entries: &mut Entries) -> Result<()> {
        for name in names_if_there(&self.directory.join(below))?.unwrap_or_default() {
            let path = below.join(name);
            if self.sibling.is_link(self.directory, &path) {
                entries.ours.push(path);
            } else if below == Path::new("") && !self.sibling.is_output(&path) {
                entries.users.push(path);
            } else if !is_directory(&self.directory.join(&path)) {
                let whose = if self.is_ours(&path) { &mut entries.ours } else { &mut entries.users };
                whose.push(path);
            } else if self.is_shared(&path) {
                self.at(&path, entries)?;
                entries.directories.push(path);
            } else {
                entries.users.push(path);
            }
        }
        Ok(())
    }

    /// Whether a file is the tool's.
    fn is_ours(&self, path: &Path) -> bool {
        match &self.mark {
            // Still being written, by us alone; or all but removed.
            Mark::None => true,
            Mark::Listed(_) => self.mark.lists(path),
            Mark::Unlisted => self.mark.lists(path) || is_regular(&self.directory.join(path)) && (is_regular(&self.other.join(path)) || was_written(path)),
        }
    }

    /// Whether a directory is the tool's as well.
    fn is_shared(&self, path: &Path) -> bool {
        let wrote = match &self.mark {
            Mark::None => true,
            Mark::Listed(_) => self.mark.lists_below(path),
            Mark::Unlisted => path.components().count() == 1,
        };
        wrote || is_directory(&self.other.join(path))
    }
}

/// Whether versions that kept no list wrote a file of this name, for whatever site. What else they
/// wrote and a build writes no more is taken for the user's, and stays.
fn was_written(path: &Path) -> bool {
    let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    match parts[..] {
        [name] => [".env", "compose.yaml"].contains(&name),
        ["secrets.example", "README.txt"] | ["services", "launch"] | ["well-known", "client" | "server" | "support"] => true,
        ["sbom", name] => name.ends_with(".cdx.json"),
        _ => false,
    }
}

fn is_regular(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_file())
}

/// How many files a message names.
const MOST_SHOWN: usize = 50;

/// Refuses to replace what people made: files of the tool's that were changed since `target` was
/// written, and the user's in places that a build of `files` writes to. All of them at once.
///
/// # Errors
/// An environment failure that names them.
pub fn check_replaceable<'a>(target: &Path, files: impl Iterator<Item = &'a Path>) -> Result<()> {
    let mark = Mark::of(target)?;
    if matches!(mark, Mark::None) {
        return Ok(());
    }
    let changed = mark.changed(target)?;
    let mut taken: Vec<PathBuf> = Vec::new();
    for file in files {
        if let Some(path) = in_the_way(target, file, &mark)?.filter(|path| !changed.contains(path) && !taken.contains(path)) {
            taken.push(path);
        }
    }
    let list = |paths: &[PathBuf]| {
        let shown = paths.iter().take(MOST_SHOWN).map(|path| printable(&target.join(path).display().to_string()).into_owned()).collect::<Vec<_>>().join(", ");
        let more = paths.len().saturating_sub(MOST_SHOWN);
        if more == 0 { shown } else { format!("{shown} and {more} more") }
    };
    let was = |paths: &[PathBuf]| if paths.len() == 1 { "was" } else { "were" };
    let mut found = Vec::new();
    if !changed.is_empty() {
        found.push(format!("{} {} changed by hand after being written, and would be replaced", list(&changed), was(&changed)));
    }
    if !taken.is_empty() {
        found.push(format!("{} {} not written by this program, and something else would be written there", list(&taken), was(&taken)));
    }
    if found.is_empty() {
        return Ok(());
    }
    let remedy = "move each of them to another directory or another name (or remove it, if you do not need it), then run this again; \
        changes belong into the description, those of compose.yaml into compose.override.yaml";
    Err(Error::environment(found.join("; "), remedy))
}

/// The user's entry that lies where a file would be written, or above it.
fn in_the_way(target: &Path, file: &Path, mark: &Mark) -> Result<Option<PathBuf>> {
    let above: Vec<&Path> = file.ancestors().filter(|path| *path != Path::new("")).collect();
    for path in above.into_iter().rev() {
        let whole = target.join(path);
        let found = match whole.symlink_metadata() {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("look at", &whole, &error)),
        };
        let ours = match (found.is_dir(), path == file) {
            (true, false) => continue,
            (true, true) => mark.lists_below(path),
            // Without a list, a file is believed to be what this version would write there, too.
            (false, _) => found.is_file() && (mark.lists(path) || matches!(mark, Mark::Unlisted)),
        };
        return Ok((!ours).then(|| path.to_owned()));
    }
    Ok(None)
}
