//! The file by which a directory is known as one of ours. It says which verb wrote the directory, and
//! lists its files with their digests, so that the next build knows which files are somebody else's
//! and which of its own were changed since.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use rustix::fs::CWD;
use serde_json::Value;

use super::{MARKER, names};
use crate::error::{Error, Result};
use crate::files::{self, Links, Unread};
use crate::hash::sha256;

/// The archive of images. It is not listed: to read it all before each build would take seconds, and
/// nobody edits it.
const ARCHIVE: &str = "images.tar";

/// What a directory says of itself.
#[derive(Debug)]
pub enum Mark {
    /// Nothing: no verb has completed it.
    None,
    /// That a version wrote it which kept no list.
    Unlisted,
    /// Which files the tool wrote: path, and digest in the form `sha256:…`.
    Listed(BTreeMap<PathBuf, String>),
}

impl Mark {
    /// The mark of a directory.
    ///
    /// # Errors
    /// An environment failure when there is one that cannot be read.
    pub fn of(directory: &Path) -> Result<Self> {
        let Some(mark) = read(directory)? else { return Ok(Self::None) };
        let Some(files) = mark.get("files") else { return Ok(Self::Unlisted) };
        let entry = |(path, digest): (&String, &Value)| Some((PathBuf::from(path), digest.as_str()?.to_owned()));
        let listed = files.as_object().and_then(|files| files.iter().map(entry).collect::<Option<BTreeMap<_, _>>>());
        listed.filter(|files| files.keys().all(|path| may_be_written(path))).map(Self::Listed).ok_or_else(|| {
            Error::environment(
                format!(
                    "the list of files in {} is not as this program wrote it, so that nobody knows which of the files are yours",
                    directory.join(MARKER).display()
                ),
                "put the earlier site.json back; or move your own files elsewhere, remove the directory and run this again",
            )
        })
    }

    /// Whether a file is the tool's, as far as the mark says it.
    pub fn lists(&self, path: &Path) -> bool {
        is_unlisted(path) || matches!(self, Self::Listed(files) if files.contains_key(path))
    }

    /// Whether it lists a file below this directory.
    pub fn lists_below(&self, directory: &Path) -> bool {
        matches!(self, Self::Listed(files) if files.range(directory.to_owned()..).any(|(path, _)| path != directory && path.starts_with(directory)))
    }

    /// The names at the top of the directory that it lists.
    pub fn tops(&self) -> BTreeSet<&str> {
        let Self::Listed(files) = self else { return BTreeSet::new() };
        files.keys().filter_map(|path| path.iter().next()?.to_str()).collect()
    }

    /// The listed files that are there and are no longer as they were written.
    pub fn changed(&self, directory: &Path) -> Result<Vec<PathBuf>> {
        let Self::Listed(files) = self else { return Ok(Vec::new()) };
        let mut changed = Vec::new();
        for (path, digest) in files {
            match self::digest(&directory.join(path)) {
                Ok(found) if found == *digest => {}
                Err(problem) if matches!(problem.kind(), Some(io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)) => {}
                Ok(_) | Err(Unread::Kind(_)) => changed.push(path.clone()),
                Err(problem) => return Err(problem.error("read", &directory.join(path))),
            }
        }
        Ok(changed)
    }
}

/// Whether a verb can have written a file of this path: it leads not out of the directory, and not to the secrets.
fn may_be_written(path: &Path) -> bool {
    let is_inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    is_inside && path != Path::new("") && !path.starts_with("secrets")
}

/// Whether a file is the tool's that no list names: the mark itself, and the archive.
pub fn is_unlisted(path: &Path) -> bool {
    path == Path::new(MARKER) || path == Path::new(ARCHIVE)
}

/// Writes the mark of a directory that has all its other files, and gives its text: `value`, which
/// names the verb as `kind`, and the list.
///
/// # Errors
/// An environment failure when a file cannot be read or the mark cannot be written.
pub fn mark(directory: &Path, mut value: Value) -> Result<String> {
    let mut listed = serde_json::Map::new();
    for path in written(directory)?.iter().filter(|path| !is_unlisted(path)) {
        let whole = directory.join(path);
        let digest = digest(&whole).map_err(|problem| problem.error("read", &whole))?;
        listed.insert(path.display().to_string(), digest.into());
    }
    value["files"] = listed.into();
    let text = format!("{value:#}\n");
    let path = directory.join(MARKER);
    fs::write(&path, &text).map_err(|error| Error::io("write", &path, &error))?;
    Ok(text)
}

/// All files below a directory.
pub fn written(directory: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut open = vec![PathBuf::new()];
    while let Some(next) = open.pop() {
        for name in names(&directory.join(&next))? {
            let path = next.join(name);
            if super::is_directory(&directory.join(&path)) {
                open.push(path);
            } else {
                found.insert(path);
            }
        }
    }
    Ok(found)
}

/// The verb that wrote a directory, as its mark tells; none for a file of that name that no verb wrote.
pub fn kind(directory: &Path) -> Result<Option<String>> {
    Ok(read(directory)?.and_then(|mark| mark["kind"].as_str().map(str::to_owned)))
}

fn read(directory: &Path) -> Result<Option<Value>> {
    let path = directory.join(MARKER);
    let text = match files::read(&path, files::LARGEST) {
        Ok(text) => text,
        Err(problem) if matches!(problem.kind(), Some(io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)) => return Ok(None),
        // No verb writes such a thing.
        Err(Unread::Kind(files::DIRECTORY) | Unread::TooLarge(_)) => return Ok(None),
        Err(problem) => return Err(problem.error("read", &path)),
    };
    // What is no JSON was not written by us either.
    let mark: Option<Value> = serde_json::from_slice(&text).ok();
    Ok(mark.filter(|mark| mark["kind"].as_str().is_some_and(|verb| ["build", "render"].contains(&verb))))
}

fn digest(path: &Path) -> std::result::Result<String, Unread> {
    let mut file = files::open_at(CWD, path, Links::Refuse)?;
    sha256(&mut file).map(|digest| format!("sha256:{digest}")).map_err(Unread::Io)
}
