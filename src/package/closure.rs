//! Packages that are paths of a Nix store. Takes the reference graph that Nix writes for `exportReferencesGraph` with structured
//! attributes (Nix manual, "Advanced Attributes"): for each path its NAR hash, its size and the paths it refers to. Gives each
//! path as a [`Package`] that is walked as the Nix archive format orders it, with what that format keeps: executable or not,
//! and the targets of links. Owners, times and the modes on the disk do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::tarball::LIMITS;
use super::{Entry, Kind, Package, Visit};
use crate::error::{Error, Result};
use crate::files::{self, Links};
use crate::hash::hex;
use crate::path as names;
use crate::printable::printable;

/// Raised whenever equal store paths would give other members than before.
const FORMAT: u32 = 1;
/// The letters of Nix's base 32: digits and lower-case letters without e, o, t and u.
const BASE32: &[u8; 32] = b"0123456789abcdfghijklmnpqrsvwxyz";
/// The hash part of a store path's name, in letters.
const HASH_LENGTH: usize = 32;

/// One path of a closure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorePath {
    /// `/nix/store/HASH-NAME`, as programs in it name it.
    pub path: String,
    /// SHA-256 of its Nix archive, 64 hexadecimal digits.
    pub nar_hash: String,
    /// Bytes of its Nix archive.
    pub nar_size: u64,
    /// The paths that it refers to, but for itself.
    pub references: BTreeSet<String>,
}

/// As Nix writes it; newer versions add fields.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    path: String,
    nar_hash: String,
    nar_size: u64,
    references: Vec<String>,
}

/// Store paths and what they refer to, complete: no reference leads out of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    paths: BTreeMap<String, StorePath>,
}

impl Graph {
    /// Reads the list that Nix writes; its order does not matter.
    ///
    /// # Errors
    /// An environment failure for anything else, and for a reference to a path that is not in the list.
    pub fn parse(value: &serde_json::Value) -> Result<Self> {
        let wrong = |what: String| {
            Error::environment(format!("the reference graph {}", printable(&what)), "use Nix 2.8 or later, and leave the builder's arguments to it")
        };
        let records: Vec<Record> = Deserialize::deserialize(value).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let mut paths = BTreeMap::new();
        for record in records {
            check(&record.path).map_err(wrong)?;
            let nar_hash = hash(&record.nar_hash).ok_or_else(|| wrong(format!("has `{}` where the hash of {} belongs", record.nar_hash, record.path)))?;
            let references = record.references.into_iter().filter(|reference| *reference != record.path).collect();
            let path = StorePath { path: record.path, nar_hash, nar_size: record.nar_size, references };
            if let Some(other) = paths.insert(path.path.clone(), path)
                && paths[&other.path] != other
            {
                return Err(wrong(format!("has {} twice", other.path)));
            }
        }
        for path in paths.values() {
            if let Some(reference) = path.references.iter().find(|reference| !paths.contains_key(*reference)) {
                return Err(wrong(format!("lacks {reference}, which {} refers to", path.path)));
            }
        }
        let graph = Self { paths };
        let ordered = graph.ordered().len();
        if ordered < graph.paths.len() {
            let circle = graph.paths.len() - ordered;
            return Err(wrong(format!("has {circle} paths that refer to each other in a circle, or to such ones, which no store can hold")));
        }
        Ok(graph)
    }

    /// All paths, each before those that it refers to.
    pub fn ordered(&self) -> Vec<&StorePath> {
        let mut referrers: BTreeMap<&str, usize> = BTreeMap::new();
        for reference in self.paths.values().flat_map(|path| &path.references) {
            *referrers.entry(reference).or_default() += 1;
        }
        let mut ordered: Vec<&StorePath> = self.paths.values().filter(|path| !referrers.contains_key(path.path.as_str())).collect();
        let mut next = 0;
        while let Some(path) = ordered.get(next).copied() {
            next += 1;
            for reference in &path.references {
                if let Some(left) = referrers.get_mut(reference.as_str()) {
                    *left -= 1;
                    if *left == 0 {
                        ordered.extend(self.paths.get(reference));
                    }
                }
            }
        }
        ordered
    }

    /// All paths, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &StorePath> {
        self.paths.values()
    }

    /// One path.
    pub fn get(&self, path: &str) -> Option<&StorePath> {
        self.paths.get(path)
    }

    /// Some paths and all that they need.
    ///
    /// # Errors
    /// An environment failure when one of them is not in the graph.
    pub fn closure<'a>(&'a self, roots: impl IntoIterator<Item = &'a str>) -> Result<BTreeSet<&'a str>> {
        let mut closure = BTreeSet::new();
        let mut left: Vec<&str> = roots.into_iter().collect();
        while let Some(path) = left.pop() {
            let path = self.get(path).ok_or_else(|| {
                Error::environment(format!("{path} is not in the reference graph"), "name all packages of the images in exportReferencesGraph.closure")
            })?;
            if closure.insert(path.path.as_str()) {
                left.extend(path.references.iter().map(String::as_str));
            }
        }
        Ok(closure)
    }
}

/// A store path's name without its hash: `glibc-2.40-66`.
pub fn name(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.get(HASH_LENGTH + 1..).unwrap_or(file)
}

/// The name without its version, as `builtins.parseDrvName` cuts it: at the first hyphen that no letter follows.
pub fn package_name(path: &str) -> &str {
    let name = name(path);
    let cut = name.match_indices('-').find(|(at, _)| name.as_bytes().get(at + 1).is_some_and(|next| !next.is_ascii_alphabetic()));
    cut.map_or(name, |(at, _)| &name[..at])
}

/// The version as `builtins.parseDrvName` cuts it; empty when the name has none.
pub fn version(path: &str) -> &str {
    name(path)[package_name(path).len()..].trim_start_matches('-')
}

/// Refuses what is no path right below a store.
fn check(path: &str) -> std::result::Result<(), String> {
    let file = path.rsplit('/').next().unwrap_or_default();
    let hashed = file.len() > HASH_LENGTH + 1 && file.as_bytes()[HASH_LENGTH] == b'-' && file.bytes().take(HASH_LENGTH).all(|b| BASE32.contains(&b));
    let plain = file.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._?=".contains(&b));
    let absolute = path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(|part| !matches!(part, "" | "." | "..")));
    if hashed && plain && absolute { Ok(()) } else { Err(format!("has `{path}`, which is no store path")) }
}

/// A SHA-256 as any version of Nix writes it (base 32 or 16 after `sha256:`, base 64 after `sha256-`), as hexadecimal digits.
fn hash(text: &str) -> Option<String> {
    if let Some(text) = text.strip_prefix("sha256-") {
        use base64::Engine as _;
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
        return (bytes.len() == 32).then(|| hex(&bytes));
    }
    let text = text.strip_prefix("sha256:")?;
    if crate::hash::is_sha256(text) {
        return Some(text.to_owned());
    }
    if text.len() != 52 {
        return None;
    }
    // The last letter holds the lowest five bits.
    let mut bytes = [0u8; 32];
    for (n, letter) in text.bytes().rev().enumerate() {
        let digit = BASE32.iter().position(|b| *b == letter)? as u16;
        let (byte, shift) = (n * 5 / 8, n * 5 % 8);
        let [low, high] = (digit << shift).to_le_bytes();
        bytes[byte] |= low;
        match bytes.get_mut(byte + 1) {
            Some(next) => *next |= high,
            None if high != 0 => return None,
            None => {}
        }
    }
    Some(hex(&bytes))
}

/// A store path with its files.
#[derive(Debug, Clone)]
pub struct Closure {
    /// What the graph says about it.
    pub path: StorePath,
    /// Where its files are; the same as its path but in tests and in stores elsewhere.
    pub files: PathBuf,
}

impl Closure {
    /// The path where this machine has it under its own name.
    pub fn new(path: &StorePath) -> Self {
        Self { path: path.clone(), files: PathBuf::from(&path.path) }
    }
}

impl Package for Closure {
    fn label(&self) -> String {
        let (name, version) = (package_name(&self.path.path), version(&self.path.path));
        if version.is_empty() { name.to_owned() } else { format!("{name} {version}") }
    }

    fn key(&self) -> String {
        format!("nar {FORMAT} {} {}", self.path.path, self.path.nar_hash)
    }

    fn walk(&self, visit: &mut Visit<'_>) -> Result<()> {
        walk(&self.files, self.path.path.trim_start_matches('/'), &mut (LIMITS.members, LIMITS.names), visit)
    }
}

/// A file system object and what is below it, names sorted by their bytes. `left` are the members and the bytes of names that the
/// store path may still have.
fn walk(file: &Path, path: &str, left: &mut (usize, usize), visit: &mut Visit<'_>) -> Result<()> {
    let refused = |what: &str| Error::environment(format!("{}: {what}", printable(&file.display().to_string())), "leave this package out of the images");
    names::inside(path).map_err(|reason| refused(&reason))?;
    *left = match (left.0.checked_sub(1), left.1.checked_sub(path.len())) {
        (Some(members), Some(bytes)) => (members, bytes),
        _ => return Err(refused(&format!("its store path has more than {} members, or names of more than {} bytes", LIMITS.members, LIMITS.names))),
    };
    let metadata = fs::symlink_metadata(file).map_err(|error| Error::io("look at", file, &error))?;
    let entry = |mode, kind| Entry { path: path.to_owned(), mode, uid: 0, gid: 0, kind };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| refused("a name or target in it is not UTF-8"));
    let kind = metadata.file_type();
    if kind.is_dir() {
        visit(&entry(0o555, Kind::Directory), &mut io::empty())?;
        let mut names = fs::read_dir(file)
            .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>())
            .map_err(|error| Error::io("read", file, &error))?;
        names.sort();
        names.iter().try_for_each(|name| walk(&file.join(name), &format!("{path}/{}", text(name.as_bytes())?), left, visit))
    } else if kind.is_symlink() {
        let target = fs::read_link(file).map_err(|error| Error::io("read", file, &error))?;
        visit(&entry(0o777, Kind::Symlink { target: text(target.as_os_str().as_bytes())? }), &mut io::empty())
    } else if kind.is_file() {
        // The owner's bit is the one that Nix looks at.
        let mode = if metadata.permissions().mode() & 0o100 == 0 { 0o444 } else { 0o555 };
        let mut content = files::open_at(rustix::fs::CWD, file, Links::Refuse).map_err(|problem| problem.error("read", file))?;
        visit(&entry(mode, Kind::File { size: metadata.len() }), &mut content)
    } else {
        Err(Error::environment(
            format!("{} is neither a file nor a directory nor a symbolic link", file.display()),
            "leave this package out of the images; a store path cannot hold such a thing",
        ))
    }
}

#[cfg(test)]
mod tests;
