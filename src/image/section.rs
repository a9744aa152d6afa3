//! Files inside a tar archive on disk, without unpacking: a table of names and places, and a reader for one of them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use tar::EntryType;

use crate::error::{Error, Result};
use crate::image::tree::resolve;
use crate::interrupt;

/// The largest document that is read into memory; real ones have kilobytes.
const LARGEST_DOCUMENT: u64 = 16 << 20;

/// A tar archive whose members can be read in any order.
pub struct Sections {
    file: File,
    name: String,
    files: BTreeMap<String, (u64, u64)>,
    links: BTreeMap<String, String>,
}

impl Sections {
    /// Reads the table of an uncompressed archive.
    ///
    /// # Errors
    /// An environment failure when the file cannot be read or is no tar archive.
    pub fn open(path: &Path) -> Result<Self> {
        let damaged = |error: io::Error| {
            Error::environment(
                // What comes behind the colon is what stands in the file, which may be anything.
                format!("{} is no archive of images: {}", path.display(), error.to_string().split(':').next().unwrap_or_default()),
                "name an images.tar as `synapse-site build` or `docker save` writes it, not compressed",
            )
        };
        // Opening a pipe waits for its writer.
        let plain = std::fs::metadata(path).map_err(|error| Error::io("open", path, &error))?.is_file();
        if !plain {
            return Err(damaged(io::Error::other("it is no plain file")));
        }
        let file = File::open(path).map_err(|error| Error::io("open", path, &error))?;
        let length = file.metadata().map_err(|error| Error::io("look at", path, &error))?.len();
        let mut sections = Self { file, name: path.display().to_string(), files: BTreeMap::new(), links: BTreeMap::new() };
        let reader = sections.file.try_clone().map_err(|error| Error::io("open", path, &error))?;
        for entry in tar::Archive::new(reader).entries_with_seek().map_err(damaged)? {
            interrupt::check()?;
            let entry = entry.map_err(damaged)?;
            let name = entry.path().map_err(damaged)?.to_string_lossy().trim_start_matches("./").to_owned();
            match entry.header().entry_type() {
                EntryType::Regular => {
                    let (offset, size) = (entry.raw_file_position(), entry.size());
                    if offset.checked_add(size).is_none_or(|end| end > length) {
                        return Err(damaged(io::Error::new(io::ErrorKind::UnexpectedEof, format!("it ends inside {name}"))));
                    }
                    sections.files.insert(name, (offset, size));
                }
                // `docker save` before 25 writes a layer once and links to it.
                EntryType::Symlink => {
                    let target = entry.link_name().map_err(damaged)?.unwrap_or_default();
                    sections.links.insert(name.clone(), resolve(&name, &target.to_string_lossy()));
                }
                EntryType::Link => {
                    let target = entry.link_name().map_err(damaged)?.unwrap_or_default();
                    sections.links.insert(name, target.to_string_lossy().into_owned());
                }
                _ => {}
            }
        }
        Ok(sections)
    }

    /// The archive as the user named it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A member's content and its length, if the archive has it.
    pub fn get(&self, name: &str) -> Option<(Section<'_>, u64)> {
        let name = self.links.get(name).map_or(name, String::as_str);
        self.files.get(name).map(|&(offset, size)| (Section { file: &self.file, offset, left: size }, size))
    }

    /// A document's bytes, if the archive has it.
    ///
    /// # Errors
    /// An environment failure when it cannot be read or is absurdly long.
    pub fn document(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let Some((mut section, size)) = self.get(name) else {
            return Ok(None);
        };
        if size > LARGEST_DOCUMENT {
            return Err(self.wrong(format!("{name} has {size} bytes")));
        }
        let mut bytes = Vec::new();
        section.read_to_end(&mut bytes).map_err(|error| self.wrong(format!("{name} cannot be read: {error}")))?;
        Ok(Some(bytes))
    }

    /// What is wrong with the archive, as an error.
    pub fn wrong(&self, what: impl std::fmt::Display) -> Error {
        Error::environment(format!("{}: {what}", self.name), "the archive is damaged or incomplete: build or copy it again")
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
