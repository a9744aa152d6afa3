//! The tar stream inside a Debian package. Takes an uncompressed stream and gives [`Entry`] values with their content in
//! constant memory but for the names seen; refuses whatever a well-made package does not hold: names that escape,
//! devices, links to nowhere, absurd sizes, an end that comes early or late. The GNU long-name and the pax records are
//! read here and not by the tar crate, which would take a record of any size into memory.

use std::collections::HashMap;
use std::io::{self, Read};

use tar::EntryType;

use super::{Entry, Kind, Visit};
use crate::error::{Error, Result};
use crate::path;
use crate::printable::printable;

/// What one package may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of the whole uncompressed archive.
    pub total: u64,
    /// Bytes of one member.
    pub member: u64,
    /// Number of members.
    pub members: usize,
    /// Bytes of all names and link targets together.
    pub names: usize,
}

/// Far above every package of Debian (the largest, games data, hold about 2 GiB; texlive about 100,000 members), far
/// below what fills a disk.
pub const LIMITS: Limits = Limits { total: 4 << 30, member: 2 << 30, members: 500_000, names: 64 << 20 };

/// The longest pax record block. Debian packages hold at most a path and a link path.
const PAX_LIMIT: u64 = 64 << 10;

const BLOCK: u64 = 512;

/// Calls `visit` for each member of a tar stream, paths on merged-/usr (see [`path::merged_usr`]).
///
/// # Errors
/// An environment error that names the package and the member, or what `visit` returned.
pub fn walk(label: &str, stream: impl Read, limits: Limits, visit: &mut Visit<'_>) -> Result<()> {
    let mut archive = tar::Archive::new(Counted { inner: stream, count: 0, limit: limits.total });
    let mut seen = Seen::default();
    let mut pending = Records::default();
    let mut members = 0_usize;
    let mut names = 0_usize;
    let mut end = 0_u64;
    let mut last = String::from("(its start)");
    let damaged = |member: &str, what: &str| refuse(label, member, what);

    let entries = archive.entries().map_err(|e| damaged(&last, &e.to_string()))?.raw(true);
    for member in entries {
        let mut member = member.map_err(|e| damaged(&format!("after {last}"), &e.to_string()))?;
        members += 1;
        if members > limits.members {
            return Err(damaged(&last, &format!("it has more than {} members", limits.members)));
        }
        let size = member.header().entry_size().map_err(|e| damaged(&last, &e.to_string()))?;
        end = member.raw_file_position() + size.div_ceil(BLOCK) * BLOCK;
        if pending.take(&mut member, size).map_err(|e| damaged(&format!("after {last}"), &e))? {
            continue;
        }
        let records = std::mem::take(&mut pending);
        let (entry, content) = read_header(&member, records, size).map_err(|(name, reason)| damaged(&name, &reason))?;
        last.clone_from(&entry.path);
        if size > limits.member {
            return Err(damaged(&last, &format!("its {size} bytes are too many (at most {})", limits.member)));
        }
        if entry.path.is_empty() {
            continue;
        }
        names += entry.path.len() + entry.kind.target().map_or(0, str::len);
        if names > limits.names {
            return Err(damaged(&last, &format!("the names of the package have more than {} bytes", limits.names)));
        }
        seen.add(&entry).map_err(|reason| damaged(&last, &reason))?;
        let mut content = Exact { label, path: &entry.path, inner: &mut member, left: content };
        visit(&entry, &mut content)?;
        content.drain().map_err(|e| damaged(&last, &e.to_string()))?;
    }
    if !pending.is_empty() {
        return Err(damaged(&last, "a long name follows it, and no member"));
    }
    finish(archive.into_inner(), end).map_err(|e| damaged(&format!("after {last}"), &e.to_string()))
}

/// The error for a package that must not be used.
pub(super) fn refuse(label: &str, member: &str, what: &str) -> Error {
    Error::environment(
        format!("{} cannot be used: {}: {}", printable(label), printable(member), printable(what)),
        "this package is damaged or made to do harm: compare its source, and choose another version",
    )
}

/// After the last member there must be two blocks of zeros, and zeros only.
fn finish(mut rest: Counted<impl Read>, end: u64) -> io::Result<()> {
    let mut buffer = [0; 8192];
    loop {
        match rest.read(&mut buffer)? {
            0 => break,
            n if buffer[..n].iter().any(|byte| *byte != 0) => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "trailing garbage follows the archive's end"));
            }
            _ => {}
        }
    }
    if rest.count < end + 2 * BLOCK {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive ends early"));
    }
    Ok(())
}

/// Turns a header into an entry and the number of content bytes.
fn read_header<R: Read>(member: &tar::Entry<'_, R>, records: Records, size: u64) -> std::result::Result<(Entry, u64), (String, String)> {
    let raw = records.path.unwrap_or_else(|| member.path_bytes().into_owned());
    let shown = String::from_utf8_lossy(&raw[..raw.len().min(200)]).escape_debug().to_string();
    let fail = |reason: String| (shown.clone(), reason);
    let original = path::member(&raw).map_err(fail)?;
    let header = member.header();
    let number = |value: io::Result<u64>, what: &str| {
        value.ok().and_then(|value| u32::try_from(value).ok()).ok_or_else(|| fail(format!("its {what} is not a number of 32 bits")))
    };
    let uid = number(records.uid.map_or_else(|| header.uid(), Ok), "owner")?;
    let gid = number(records.gid.map_or_else(|| header.gid(), Ok), "group")?;
    let mode = header.mode().map_err(|e| fail(e.to_string()))? & 0o7777;
    let link = records.link.or_else(|| member.link_name_bytes().map(|name| name.into_owned())).unwrap_or_default();

    let kind = header.entry_type();
    let path = if kind == EntryType::Symlink && path::is_alias(&original) {
        original // base-files' own aliases: lib → usr/lib
    } else {
        path::merged_usr(original)
    };
    let kind = match kind {
        EntryType::Regular | EntryType::Continuous => Kind::File { size },
        EntryType::Directory => Kind::Directory,
        EntryType::Symlink => Kind::Symlink { target: path::symlink_target(&path, &link).map_err(fail)? },
        EntryType::Link => {
            let target = path::member(&link).map_err(|reason| fail(format!("its link target: {reason}")))?;
            Kind::Hardlink { target: path::merged_usr(target) }
        }
        EntryType::Char | EntryType::Block => return Err(fail("it is a device".into())),
        EntryType::Fifo => return Err(fail("it is a FIFO".into())),
        EntryType::GNUSparse => {
            return Err(fail("it is a sparse file, which Debian packages never hold".into()));
        }
        other => {
            return Err(fail(format!("its kind {:?} is not known", other.as_byte() as char)));
        }
    };
    if path.is_empty() && kind != Kind::Directory {
        return Err(fail("it stands for the root and is no directory".into()));
    }
    let content = if matches!(kind, Kind::File { .. }) { size } else { 0 };
    if content == 0 && size != 0 {
        return Err(fail(format!("it has {size} bytes of content, which only a file may have")));
    }
    Ok((Entry { path, mode, uid, gid, kind }, content))
}

/// What GNU (`L`, `K`) and pax (`x`) records say about the member that follows them.
#[derive(Default)]
struct Records {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    uid: Option<u64>,
    gid: Option<u64>,
    pax: bool,
}

impl Records {
    fn is_empty(&self) -> bool {
        self.path.is_none() && self.link.is_none() && !self.pax
    }

    /// Takes the member if it is such a record.
    fn take<R: Read>(&mut self, member: &mut tar::Entry<'_, R>, size: u64) -> std::result::Result<bool, String> {
        let kind = member.header().entry_type();
        let slot = match kind {
            EntryType::GNULongName => &mut self.path,
            EntryType::GNULongLink => &mut self.link,
            EntryType::XHeader => return self.take_pax(member, size).map(|()| true),
            EntryType::XGlobalHeader => {
                return Err("it holds a global pax header, which Debian packages never do".into());
            }
            _ => return Ok(false),
        };
        // One byte more than a path for the NUL that GNU tar writes.
        let mut name = record(member, size, path::LONGEST as u64 + 1)?;
        if name.last() == Some(&0) {
            name.pop();
        }
        if slot.replace(name).is_some() {
            return Err("two long names are given for one member".into());
        }
        Ok(true)
    }

    fn take_pax<R: Read>(&mut self, member: &mut tar::Entry<'_, R>, size: u64) -> std::result::Result<(), String> {
        if std::mem::replace(&mut self.pax, true) {
            return Err("two pax headers are given for one member".into());
        }
        let block = record(member, size, PAX_LIMIT)?;
        for extension in tar::PaxExtensions::new(&block) {
            let extension = extension.map_err(|e| format!("its pax header: {e}"))?;
            let key = extension.key().map_err(|_| "a pax key is not UTF-8".to_owned())?;
            let value = extension.value_bytes();
            let number = || std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or_else(|| format!("the pax value of {key} is not a number"));
            match key {
                "path" => self.path = Some(value.to_vec()),
                "linkpath" => self.link = Some(value.to_vec()),
                "uid" => self.uid = Some(number()?),
                "gid" => self.gid = Some(number()?),
                // Only archives with members of 8 GiB and more need it, and readers that disagree on it see different archives.
                "size" => {
                    return Err("its pax header gives another size than its tar header".into());
                }
                key if key.starts_with("GNU.sparse.") => {
                    return Err("it is a sparse file, which Debian packages never hold".into());
                }
                // Times, names of owners, comments: nothing that reaches an image.
                _ => {}
            }
        }
        Ok(())
    }
}

/// The content of a record that describes another member.
fn record<R: Read>(member: &mut tar::Entry<'_, R>, size: u64, limit: u64) -> std::result::Result<Vec<u8>, String> {
    if size > limit {
        return Err(format!("a name or pax header of {size} bytes is too long"));
    }
    let mut bytes = Vec::new();
    member.read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if bytes.len() as u64 != size {
        return Err("the archive ends early".into());
    }
    Ok(bytes)
}

/// What the names of an archive have stood for so far.
#[derive(Default)]
struct Seen(HashMap<String, Is>);

#[derive(Clone, Copy, PartialEq)]
enum Is {
    Directory,
    Content,
    Symlink,
}

impl Seen {
    fn add(&mut self, entry: &Entry) -> std::result::Result<(), String> {
        for (index, _) in entry.path.match_indices('/') {
            let parent = &entry.path[..index];
            if self.0.get(parent).is_some_and(|is| *is != Is::Directory) {
                return Err(format!("it lies below {parent}, which is no directory"));
            }
        }
        let is = match &entry.kind {
            Kind::Directory => Is::Directory,
            Kind::Symlink { .. } => Is::Symlink,
            Kind::File { .. } => Is::Content,
            Kind::Hardlink { target } => match self.0.get(target) {
                Some(Is::Content) => Is::Content,
                Some(_) => return Err(format!("it is a hard link to {target}, which is no file")),
                None => {
                    return Err(format!("it is a hard link to {target}, which no earlier member is"));
                }
            },
        };
        match self.0.insert(entry.path.clone(), is) {
            None => Ok(()),
            Some(Is::Directory) if is == Is::Directory => Ok(()),
            Some(_) => Err("the package names it twice".into()),
        }
    }
}

/// A stream with a counter and an end that must not be passed.
struct Counted<R> {
    inner: R,
    count: u64,
    limit: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.count += n as u64;
        if self.count > self.limit {
            let what = format!("the package unpacks to more than {} bytes", self.limit);
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(n)
    }
}

/// Exactly as many bytes as promised: fewer is an error that names the package and the member.
pub(super) struct Exact<'a, R> {
    pub label: &'a str,
    pub path: &'a str,
    pub inner: R,
    pub left: u64,
}

impl<R: Read> Exact<'_, R> {
    /// Reads what the visitor left.
    pub fn drain(mut self) -> io::Result<()> {
        io::copy(&mut self, &mut io::sink()).map(|_| ())
    }
}

impl<R: Read> Read for Exact<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {}: {e}", self.label, self.path));
        let n = self.inner.read(&mut buffer[..most]).map_err(named)?;
        if n == 0 {
            return Err(named(io::Error::new(io::ErrorKind::UnexpectedEof, "its content ends early")));
        }
        self.left -= n as u64;
        Ok(n)
    }
}
