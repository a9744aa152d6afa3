//! Files inside a tar archive on disk, without unpacking: a table of names and places, and a reader for one of them. Also notes how
//! far the archive is as [`Tarball`] writes it, since no digest covers the headers and what lies between the files.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use tar::EntryType;

use crate::error::{Error, Result};
use crate::files::{self, Unread};
use crate::image::members::{Member, Members, Source};
use crate::image::tarball::{Header, Member as What, Tarball};
use crate::image::tree::resolve;
use crate::interrupt;
use crate::printable::printable;

/// The largest document that is read into memory; real ones have kilobytes, and engines take no manifest of more than 4 or 8 MiB.
const LARGEST_DOCUMENT: u64 = 4 << 20;

/// The most bytes of documents that are read of one archive.
const ALL_DOCUMENTS: u64 = 16 << 20;

/// The most members of an archive. Archives of many images have thousands.
const MOST_MEMBERS: usize = 100_000;

/// The most bytes of their names and link targets together.
const MOST_NAMES: usize = 16 << 20;

/// A tar archive whose members can be read in any order.
pub struct Sections {
    file: File,
    name: String,
    files: BTreeMap<String, (u64, u64)>,
    links: BTreeMap<String, String>,
    /// All members in their order, and whether each is described as we describe it.
    members: Vec<(String, bool)>,
    /// Whether nothing but zeros fills the last blocks, and nothing but two blocks of them ends the archive.
    zeros: bool,
    documents: Cell<u64>,
}

impl Sections {
    /// Reads the table of an uncompressed archive.
    ///
    /// # Errors
    /// An environment failure when the file cannot be read or is no tar archive.
    pub fn open(path: &Path) -> Result<Self> {
        let name = printable(&path.display().to_string()).into_owned();
        let damaged = |error: io::Error| {
            Error::environment(
                format!("{name} is no archive of images: {}", printable(&error.to_string())),
                "name an images.tar as `synapse-site build` or `docker save` writes it, not compressed",
            )
        };
        let file = match files::open(path) {
            Err(Unread::Io(error)) => return Err(Error::io("open", path, &error)),
            other => other.map_err(|problem| damaged(problem.into()))?,
        };
        let length = file.metadata().map_err(|error| Error::io("look at", path, &error))?.len();
        let mut table =
            Self { file, name: name.clone(), files: BTreeMap::new(), links: BTreeMap::new(), members: Vec::new(), zeros: false, documents: Cell::new(0) };
        let reader = table.file.try_clone().map_err(|error| Error::io("open", path, &error))?;
        let mut members = Members::new(Section { file: &reader, offset: 0, left: length });
        let mut expected = Tarball::new(Vec::new());
        let mut names = 0;
        while let Some(member) = members.next_member().map_err(damaged)? {
            interrupt::check()?;
            names += member.name.len() + member.link.len();
            if table.members.len() == MOST_MEMBERS || names > MOST_NAMES {
                let what = format!("it has more than {MOST_MEMBERS} members, or names of more than {MOST_NAMES} bytes");
                return Err(damaged(io::Error::other(what)));
            }
            table.add(&member, &mut expected).map_err(damaged)?;
        }
        let (ended, end) = members.end();
        table.zeros = members.is_clean() && ended && length == end + 1024 && table.is_zero(end, length).map_err(damaged)?;
        Ok(table)
    }

    fn add(&mut self, member: &Member, expected: &mut Tarball<Vec<u8>>) -> io::Result<()> {
        let full = String::from_utf8_lossy(&member.name).into_owned();
        let name = full.trim_start_matches("./").to_owned();
        let refused = |what: &str| Err(io::Error::other(format!("{name}: {what}")));
        if member.sparse {
            return refused("a sparse file has no place in it");
        }
        if self.files.contains_key(&name) || self.links.contains_key(&name) {
            return refused("it has two files of this name");
        }
        let target = String::from_utf8_lossy(&member.link).into_owned();
        match member.kind {
            EntryType::Regular | EntryType::Continuous => drop(self.files.insert(name, (member.content, member.size))),
            // `docker save` before 25 writes a layer once and links to it.
            EntryType::Symlink => drop(self.links.insert(name.clone(), resolve(&name, &target))),
            EntryType::Link => drop(self.links.insert(name, target)),
            _ => {}
        }
        let ours = match member.kind {
            EntryType::Regular => Some((0o644, What::File(member.size))),
            EntryType::Directory => Some((0o755, What::Directory)),
            _ => None,
        };
        let mut is_ours = false;
        if let Some((mode, what)) = ours {
            expected.out().clear();
            expected.begin(&Header { path: full.trim_end_matches('/'), mode, uid: 0, gid: 0, member: what })?;
            is_ours = *expected.out() == member.header;
        }
        self.members.push((full, is_ours));
        Ok(())
    }

    fn is_zero(&self, from: u64, to: u64) -> io::Result<bool> {
        let mut bytes = Vec::new();
        Section { file: &self.file, offset: from, left: to - from }.read_to_end(&mut bytes)?;
        Ok(bytes.iter().all(|byte| *byte == 0))
    }

    /// The archive as the user named it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All members in their order, and whether each is described as we describe it.
    pub fn members(&self) -> &[(String, bool)] {
        &self.members
    }

    /// Whether what lies between and behind the files is as we write it.
    pub fn has_only_zeros_between(&self) -> bool {
        self.zeros
    }

    /// A member's content, where it begins in the archive, and its length, if the archive has it.
    pub fn get(&self, name: &str) -> Option<(Section<'_>, u64, u64)> {
        let name = self.links.get(name).map_or(name, String::as_str);
        self.files.get(name).map(|&(offset, size)| (Section { file: &self.file, offset, left: size }, offset, size))
    }

    /// A document's bytes, if the archive has it.
    ///
    /// # Errors
    /// An environment failure when it cannot be read or is absurdly long.
    pub fn document(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let Some((mut section, _, size)) = self.get(name) else {
            return Ok(None);
        };
        if size > LARGEST_DOCUMENT {
            return Err(self.wrong(format!("{name} has {size} bytes; a document has at most {LARGEST_DOCUMENT}")));
        }
        self.documents.set(self.documents.get() + size);
        if self.documents.get() > ALL_DOCUMENTS {
            return Err(self.wrong(format!("its documents have more than {ALL_DOCUMENTS} bytes together")));
        }
        let mut bytes = Vec::new();
        section.read_to_end(&mut bytes).map_err(|error| self.wrong(format!("{name} cannot be read: {error}")))?;
        Ok(Some(bytes))
    }

    /// What is wrong with the archive, as an error.
    pub fn wrong(&self, what: impl std::fmt::Display) -> Error {
        let what = what.to_string();
        Error::environment(format!("{}: {}", self.name, printable(&what)), "the archive is damaged or incomplete: build or copy it again")
    }
}

/// A reader of one member.
pub struct Section<'a> {
    file: &'a File,
    offset: u64,
    left: u64,
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let want = self.left.min(buffer.len() as u64) as usize;
        let read = self.file.read_at(&mut buffer[..want], self.offset)?;
        self.offset += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

impl Source for Section<'_> {
    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "it ends inside a member"))?;
        self.offset += bytes;
        Ok(())
    }
}
