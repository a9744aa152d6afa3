//! What a layer holds while it is written: every path with what it is and who brought it. Takes members one by one, puts
//! missing parents before them, refuses contradictions, and passes the rest on to the tar writer.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use crate::error::{Error, Result};
use crate::image::tarball::{Failure, Header, Member, Tarball};
use crate::package::{Entry, Kind};
use crate::path as names;
use crate::printable::printable;

/// The most paths that a layer may have, parents that nobody brings included. The largest packages of Debian have about 100,000.
const MOST_PATHS: usize = 1_000_000;

/// The most bytes that all of them may have together.
const MOST_BYTES: usize = 128 << 20;

/// Mode and owner of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Meta {
    /// Permission bits.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
}

impl Meta {
    /// What a directory gets that nobody describes.
    pub const PLAIN: Self = Self { mode: 0o755, uid: 0, gid: 0 };
}

/// Who brings a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// image.toml or a component: what they say about a directory counts more than what a package says.
    Made,
    /// Nobody: the parent of a member.
    Implied,
    /// The package with that number.
    Package(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    Directory(Meta),
    File,
    Symlink,
}

/// The state of a layer that is being written.
pub struct Tree<'a, W: Write> {
    tarball: Tarball<W>,
    /// Links of this layer and of the layers below that stand for directories: path to resolved target.
    aliases: &'a BTreeMap<String, String>,
    /// Directories that lower layers made: mentioned again, they keep mode and owner.
    inherited: &'a BTreeMap<String, Meta>,
    /// Directories that packages have but rules leave out; they count when something below them stays.
    described: BTreeMap<String, Meta>,
    nodes: BTreeMap<String, (Node, Origin)>,
    labels: Vec<String>,
    /// How many bytes of paths are kept.
    bytes: usize,
}

impl<'a, W: Write> Tree<'a, W> {
    /// An empty layer that is written to `out`.
    pub fn new(out: W, aliases: &'a BTreeMap<String, String>, inherited: &'a BTreeMap<String, Meta>) -> Self {
        Self { tarball: Tarball::new(out), aliases, inherited, described: BTreeMap::new(), nodes: BTreeMap::new(), labels: Vec::new(), bytes: 0 }
    }

    /// From here on members come from the package of that label.
    pub fn begin_package(&mut self, label: String) {
        self.labels.push(label);
    }

    /// Remembers a directory of a package that is left out.
    ///
    /// # Errors
    /// An environment failure for more paths than a layer may have.
    pub fn describe(&mut self, entry: &Entry) -> Result<()> {
        if entry.kind == Kind::Directory && !self.described.contains_key(&entry.path) {
            self.count(&entry.path)?;
            self.described.insert(entry.path.clone(), package_meta(entry));
        }
        Ok(())
    }

    /// Counts a path that is going to be kept.
    fn count(&mut self, path: &str) -> Result<()> {
        self.bytes += path.len();
        if self.bytes > MOST_BYTES || self.nodes.len() + self.described.len() >= MOST_PATHS {
            let by = self.labels.last().map_or("image.toml", String::as_str);
            return Err(Error::environment(
                format!("{}: the layer gets more than {MOST_PATHS} paths, or paths of more than {MOST_BYTES} bytes", printable(by)),
                "exclude files in image.toml, or put some of the layer's packages into another layer",
            ));
        }
        Ok(())
    }

    /// Adds a member of the package that was begun last.
    ///
    /// # Errors
    /// An environment failure for a member that contradicts another one, whose content cannot be read, or when the layer
    /// cannot be written.
    pub fn add_package_entry(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<()> {
        let origin = Origin::Package(self.labels.len().saturating_sub(1));
        if let Some(target) = self.aliases.get(&entry.path) {
            let same = match &entry.kind {
                Kind::Directory => true,
                Kind::Symlink { target: own } => resolve(&entry.path, own) == *target,
                _ => false,
            };
            if same {
                return Ok(());
            }
            return Err(self.contradiction(&entry.path, origin, Origin::Made));
        }
        let path = self.real_path(&entry.path)?;
        let meta = package_meta(entry);
        match &entry.kind {
            Kind::Directory => self.directory(&path, meta, origin),
            Kind::File { size } => self.other(&path, meta, Member::File(*size), origin, content),
            Kind::Symlink { target } => self.other(&path, meta, Member::Symlink(target), origin, content),
            Kind::Hardlink { target } => {
                let target = self.real_path(target)?;
                if !matches!(self.nodes.get(&target), Some((Node::File, from)) if *from == origin) {
                    return Err(Error::environment(
                        format!("{}: {} is a hard link to {}, which is not in the layer", self.name(origin), printable(&path), printable(&target)),
                        "exclude both in image.toml, or include both",
                    ));
                }
                self.other(&path, meta, Member::Hardlink(&target), origin, content)
            }
        }
    }

    /// Adds a directory that image.toml asks for. Comes before the packages.
    ///
    /// # Errors
    /// As [`Tree::add_package_entry`].
    pub fn make_directory(&mut self, path: &str, meta: Meta) -> Result<()> {
        self.directory(path, meta, Origin::Made)
    }

    /// Adds a file that image.toml or a component asks for, owned by root.
    ///
    /// # Errors
    /// As [`Tree::add_package_entry`].
    pub fn make_file(&mut self, path: &str, mode: u32, mut bytes: &[u8]) -> Result<()> {
        let path = self.real_path(path)?;
        let size = bytes.len() as u64;
        self.other(&path, Meta { mode: file_mode(mode), ..Meta::PLAIN }, Member::File(size), Origin::Made, &mut bytes)
    }

    /// Adds a symbolic link that image.toml asks for. Comes after the packages.
    ///
    /// # Errors
    /// As [`Tree::add_package_entry`].
    pub fn make_link(&mut self, path: &str, target: &str) -> Result<()> {
        self.other(path, Meta { mode: 0o777, ..Meta::PLAIN }, Member::Symlink(target), Origin::Made, &mut std::io::empty())
    }

    /// Ends the layer: what it was written to, and the number of members.
    ///
    /// # Errors
    /// An environment failure when the layer cannot be written.
    pub fn finish(self) -> Result<(W, u64)> {
        let count = self.nodes.len() as u64;
        Ok((self.tarball.finish().map_err(|error| unwritable(&error))?, count))
    }

    /// The path with links to directories replaced, as the kernel would walk it. A layer's member below a link of another
    /// layer would otherwise hide that link behind a new directory.
    fn real_path(&self, path: &str) -> Result<String> {
        let mut path = path.to_owned();
        // As many links as the kernel follows before it speaks of a loop.
        for _ in 0..40 {
            let Some((at, target)) = path.match_indices('/').find_map(|(at, _)| self.aliases.get(&path[..at]).map(|target| (at, target))) else {
                return Ok(path);
            };
            path = format!("{target}{}", &path[at..]).trim_start_matches('/').to_owned();
        }
        Err(Error::environment(format!("{} lies below links that go round in a circle", printable(&path)), "correct the links in image.toml"))
    }

    fn directory(&mut self, path: &str, meta: Meta, origin: Origin) -> Result<()> {
        match self.nodes.get(path) {
            None => {
                self.parents(path, origin)?;
                self.emit_directory(path, meta, origin)
            }
            Some((Node::Directory(have), by)) if *have == meta || (*by == Origin::Made && origin != Origin::Made) => Ok(()),
            Some((Node::Directory(have), by)) => {
                let (by, have) = (*by, *have);
                Err(Error::environment(
                    format!(
                        "the directory {} is {:04o} {}:{} for {} and {:04o} {}:{} for {}",
                        printable(path),
                        have.mode,
                        have.uid,
                        have.gid,
                        self.name(by),
                        meta.mode,
                        meta.uid,
                        meta.gid,
                        self.name(origin)
                    ),
                    format!("say which in image.toml: [[layer.directory]] path = \"/{}\"", printable(path)),
                ))
            }
            Some((_, by)) => Err(self.contradiction(path, origin, *by)),
        }
    }

    fn other(&mut self, path: &str, meta: Meta, member: Member<'_>, origin: Origin, content: &mut dyn Read) -> Result<()> {
        if let Some((_, by)) = self.nodes.get(path) {
            return Err(self.contradiction(path, origin, *by));
        }
        self.parents(path, origin)?;
        let header = Header { path, mode: meta.mode, uid: meta.uid, gid: meta.gid, member };
        self.tarball.append(&header, content).map_err(|failure| match failure {
            Failure::Read(error) => Error::environment(
                format!("{}: {} cannot be read: {error}", self.name(origin), printable(path)),
                "the package is damaged; remove it from the cache and build again",
            ),
            Failure::Write(error) => unwritable(&error),
        })?;
        let node = if matches!(member, Member::Symlink(_)) { Node::Symlink } else { Node::File };
        self.count(path)?;
        self.nodes.insert(path.to_owned(), (node, origin));
        Ok(())
    }

    fn parents(&mut self, path: &str, origin: Origin) -> Result<()> {
        if let Err(reason) = names::inside(path).and_then(|()| if path.is_empty() { Err("it is no path inside an image".into()) } else { Ok(()) }) {
            let remedy = match origin {
                Origin::Package(_) => "do not use this package; it is damaged or hostile",
                _ => "choose another name for it, in the description or in image.toml",
            };
            return Err(Error::environment(format!("{}: {}: {reason}", self.name(origin), printable(path)), remedy));
        }
        for (at, _) in path.match_indices('/') {
            let parent = &path[..at];
            match self.nodes.get(parent) {
                Some((Node::Directory(_), _)) => {}
                Some((_, by)) => {
                    return Err(Error::environment(
                        format!("{}: {} lies below {}, which is no directory for {}", self.name(origin), printable(path), printable(parent), self.name(*by)),
                        "exclude one of them in image.toml",
                    ));
                }
                None => {
                    let meta = self.described.get(parent).or_else(|| self.inherited.get(parent)).copied().unwrap_or(Meta::PLAIN);
                    self.emit_directory(parent, meta, Origin::Implied)?;
                }
            }
        }
        Ok(())
    }

    fn emit_directory(&mut self, path: &str, meta: Meta, origin: Origin) -> Result<()> {
        let header = Header { path, mode: meta.mode, uid: meta.uid, gid: meta.gid, member: Member::Directory };
        self.count(path)?;
        self.tarball.begin(&header).map_err(|error| unwritable(&error))?;
        self.nodes.insert(path.to_owned(), (Node::Directory(meta), origin));
        Ok(())
    }

    fn contradiction(&self, path: &str, one: Origin, other: Origin) -> Error {
        Error::environment(
            format!("{} comes from {} and from {}", printable(path), self.name(other), self.name(one)),
            "exclude it in image.toml, or put one of the two into a layer above",
        )
    }

    fn name(&self, origin: Origin) -> &str {
        match origin {
            Origin::Made => "image.toml",
            Origin::Implied => "what lies below it",
            Origin::Package(number) => self.labels.get(number).map_or("a package", String::as_str),
        }
    }
}

/// Where a link leads, from the root of the image, without following further links. `..` stops at the root, as in the kernel.
pub fn resolve(link: &str, target: &str) -> String {
    let mut parts: Vec<&str> = if target.starts_with('/') { Vec::new() } else { link.split('/').collect() };
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// No set-uid, no set-gid, no sticky bit, nothing that everybody may write to.
fn file_mode(mode: u32) -> u32 {
    mode & 0o775
}

fn package_meta(entry: &Entry) -> Meta {
    let mode = match entry.kind {
        // The permission bits of a link mean nothing; Linux shows these.
        Kind::Symlink { .. } => 0o777,
        _ => file_mode(entry.mode),
    };
    Meta { mode, uid: entry.uid, gid: entry.gid }
}

/// The place of a layer is the cache.
fn unwritable(error: &std::io::Error) -> Error {
    Error::environment(format!("a layer cannot be written to the cache: {error}"), "free some space, or choose another place for the cache")
}

#[cfg(test)]
mod tests;
