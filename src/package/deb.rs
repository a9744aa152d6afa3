//! A Debian package, read as a stream. Takes a `.deb` whose SHA-256 is known and gives its files as they lie on a
//! merged-/usr system, owners and modes from the package's own tar headers; maintainer scripts are never looked at.
//! The format is deb(5): an `ar` archive with `debian-binary`, `control.tar.*` and `data.tar.*`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use super::tarball::{self, LIMITS, refuse};
use super::{Package, Visit, ar};
use crate::error::{Error, Result};
use crate::hash;

/// How much memory an xz decoder may take. `xz -9` needs 65 MiB to decode, and Debian builds with `-6` (9 MiB).
const XZ_MEMORY: u64 = 96 << 20;

/// The longest control file; Debian's longest are about 20 kB.
const CONTROL_LIMIT: u64 = 1 << 20;

/// One `.deb` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deb {
    /// The file.
    pub path: PathBuf,
    /// The package's name: `libc6`.
    pub name: String,
    /// Its version as Debian writes it: `2.41-12`.
    pub version: String,
    /// The file's SHA-256, in lower-case hexadecimal; nothing is read from a file with another one.
    pub sha256: String,
}

/// The fields of a package's control file, by name in lower case; continuation lines are joined with newlines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Control(BTreeMap<String, String>);

impl Control {
    /// The value of a field such as `Version`.
    pub fn get(&self, field: &str) -> Option<&str> {
        self.0.get(&field.to_ascii_lowercase()).map(String::as_str)
    }

    /// The names in `Depends` and `Pre-Depends`, first alternatives first, without versions and architectures.
    pub fn dependencies(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut known = BTreeSet::new();
        for field in ["pre-depends", "depends"] {
            for relation in self.get(field).unwrap_or_default().split([',', '|']) {
                let name = relation.split(['(', '[', ':', '<']).next().unwrap_or_default().trim();
                if !name.is_empty() && known.insert(name) {
                    names.push(name.to_owned());
                }
            }
        }
        names
    }

    fn parse(text: &str) -> Option<Self> {
        let mut fields = BTreeMap::<String, String>::new();
        let mut current = None;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            if line.starts_with([' ', '\t']) {
                let value = fields.get_mut(current.as_ref()?)?;
                value.push('\n');
                value.push_str(line.trim());
            } else {
                let (name, value) = line.split_once(':')?;
                let name = name.to_ascii_lowercase();
                if fields.insert(name.clone(), value.trim().to_owned()).is_some() {
                    return None;
                }
                current = Some(name);
            }
        }
        Some(Self(fields))
    }
}

impl Deb {
    /// Reads the control file.
    ///
    /// # Errors
    /// An environment error when the file is not the locked one or no Debian package.
    pub fn control(&self) -> Result<Control> {
        let label = self.label();
        let mut found = None;
        self.member("control.tar", &mut |entry, content| {
            if entry.path == "control" {
                let mut text = String::new();
                content.take(CONTROL_LIMIT).read_to_string(&mut text).map_err(|e| refuse(&label, "control", &e.to_string()))?;
                found = Control::parse(&text);
            }
            Ok(())
        })?;
        found.ok_or_else(|| refuse(&label, "control.tar", "it has no control file that can be read"))
    }

    /// Walks one of the two tar members.
    fn member(&self, wanted: &str, visit: &mut Visit<'_>) -> Result<()> {
        let label = self.label();
        let file = hash::open_verified(&label, &self.path, &self.sha256)?;
        let broken = |e: io::Error| refuse(&label, "the package file", &e.to_string());
        let mut archive = ar::Archive::new(BufReader::with_capacity(128 << 10, file)).map_err(broken)?;
        let mut format = String::new();
        if archive.next_member().map_err(broken)?.as_deref() != Some("debian-binary") {
            return Err(refuse(&label, "the package file", "it does not start with debian-binary"));
        }
        (&mut archive).take(16).read_to_string(&mut format).map_err(broken)?;
        if !format.starts_with("2.") {
            return Err(refuse(&label, "debian-binary", "only version 2 of the package format is known"));
        }
        let mut done = false;
        while let Some(name) = archive.next_member().map_err(broken)? {
            if let Some(compression) = name.strip_prefix(wanted) {
                if done {
                    return Err(refuse(&label, &name, "the package has it twice"));
                }
                self.decompress(&label, compression, &mut archive, visit)?;
                done = true;
            } else if !name.starts_with('_') && !name.starts_with("control.tar") && !name.starts_with("data.tar") {
                return Err(refuse(&label, &name, "a Debian package has no such part"));
            }
        }
        if done { Ok(()) } else { Err(refuse(&label, wanted, "the package has no such part")) }
    }

    fn decompress(&self, label: &str, compression: &str, archive: &mut ar::Archive<BufReader<File>>, visit: &mut Visit<'_>) -> Result<()> {
        let mut packed = BufReader::with_capacity(64 << 10, archive);
        match compression {
            "" => tarball::walk(label, &mut packed, LIMITS, visit)?,
            ".gz" => {
                let stream = flate2::bufread::MultiGzDecoder::new(&mut packed);
                tarball::walk(label, stream, LIMITS, visit)?;
            }
            ".xz" => {
                // 8 is LZMA_CONCATENATED: the decoder wants all of its input to be xz, so nothing can trail it.
                let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, 8)
                    .map_err(|e| Error::environment(format!("cannot start the xz decoder: {e}"), "free some memory"))?;
                tarball::walk(label, liblzma::bufread::XzDecoder::new_stream(&mut packed, stream), LIMITS, visit)?;
            }
            other => {
                let what = format!("its compression `{}` is not known; xz, gz and none are", other);
                return Err(refuse(label, "the package file", &what));
            }
        }
        let rest = packed.fill_buf().map_err(|e| refuse(label, "the package file", &e.to_string()))?;
        if rest.is_empty() { Ok(()) } else { Err(refuse(label, "the package file", "trailing garbage follows its compressed data")) }
    }
}

impl Package for Deb {
    fn label(&self) -> String {
        format!("{} {}", self.name, self.version)
    }

    fn key(&self) -> String {
        format!("deb:{}", self.sha256)
    }

    /// Members in the order of the archive.
    fn walk(&self, visit: &mut Visit<'_>) -> Result<()> {
        self.member("data.tar", visit)
    }
}
