//! The one writer of tar archives: POSIX ustar, with a pax extended header for what does not fit. Takes a [`Header`] and
//! content, writes blocks in which every field is set here and none comes from the machine: no names of users, no clock.

use std::io::{self, Read, Write};

use tar::EntryType;

/// Modification time of every member: 2 January 1980, 00:00 UTC, in seconds since 1970. Zero would be a mark too, but GNU tar
/// calls it implausibly old, and zip files (Python wheels, imports from zip) cannot hold times before 1 January 1980 in local
/// time, wherever that is. `SOURCE_DATE_EPOCH` is not consulted: it would make the bytes depend on the environment.
pub const MTIME: u64 = 315_619_200;

/// [`MTIME`] as RFC 3339 writes it.
pub const MTIME_RFC3339: &str = "1980-01-02T00:00:00Z";

const BLOCK: usize = 512;
/// What fits into the octal digits of the fields (POSIX pax, "ustar Interchange Format").
const MAX_SIZE: u64 = 0o77_777_777_777;
const MAX_ID: u64 = 0o7_777_777;

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member<'a> {
    /// A directory.
    Directory,
    /// A regular file of so many bytes.
    File(u64),
    /// A symbolic link to a target.
    Symlink(&'a str),
    /// A hard link to a member that came before.
    Hardlink(&'a str),
}

/// Everything that the archive says about a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Path without leading or trailing slash.
    pub path: &'a str,
    /// Permission bits.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
    /// What it is.
    pub member: Member<'a>,
}

/// Writes a tar archive to `W`.
pub struct Tarball<W: Write> {
    out: W,
    buffer: Vec<u8>,
}

impl<W: Write> Tarball<W> {
    /// Starts an archive.
    pub fn new(out: W) -> Self {
        Self { out, buffer: vec![0; 128 * 1024] }
    }

    /// Adds a member. `content` must give exactly as many bytes as the header says, none for anything but a file.
    ///
    /// # Errors
    /// [`Failure::Read`] when the content fails or has another length, [`Failure::Write`] when the archive cannot be written.
    pub fn append(&mut self, header: &Header<'_>, content: &mut dyn Read) -> Result<(), Failure> {
        let size = if let Member::File(size) = header.member { size } else { 0 };
        self.write_header(header, size).map_err(Failure::Write)?;
        let mut left = size;
        loop {
            // One byte more than is left: content that is too long is an error, not a silent cut.
            let want = (left + 1).min(self.buffer.len() as u64) as usize;
            let read = match content.read(&mut self.buffer[..want]) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failure::Read(error)),
            };
            if read == 0 {
                break;
            }
            if read as u64 > left {
                return Err(Failure::Read(io::Error::new(io::ErrorKind::InvalidData, "it is longer than its package says")));
            }
            self.out.write_all(&self.buffer[..read]).map_err(Failure::Write)?;
            left -= read as u64;
        }
        if left > 0 {
            return Err(Failure::Read(io::Error::new(io::ErrorKind::UnexpectedEof, "it is shorter than its package says")));
        }
        self.pad(size).map_err(Failure::Write)
    }

    /// Writes only a file's header: the caller then writes `size` bytes with [`Tarball::out`] and calls [`Tarball::pad`].
    ///
    /// # Errors
    /// When the archive cannot be written.
    pub fn begin(&mut self, header: &Header<'_>) -> io::Result<()> {
        self.write_header(header, if let Member::File(size) = header.member { size } else { 0 })
    }

    /// What the archive is written to.
    pub fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// Fills the last block of a file of `size` bytes.
    ///
    /// # Errors
    /// When the archive cannot be written.
    pub fn pad(&mut self, size: u64) -> io::Result<()> {
        let over = (size % BLOCK as u64) as usize;
        if over > 0 { self.out.write_all(&[0; BLOCK][over..]) } else { Ok(()) }
    }

    /// Ends the archive with its two zero blocks and gives back what was written to.
    ///
    /// # Errors
    /// When the archive cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        Ok(self.out)
    }

    fn write_header(&mut self, header: &Header<'_>, size: u64) -> io::Result<()> {
        let (kind, link) = match header.member {
            Member::Directory => (EntryType::Directory, ""),
            Member::File(_) => (EntryType::Regular, ""),
            Member::Symlink(target) => (EntryType::Symlink, target),
            Member::Hardlink(target) => (EntryType::Link, target),
        };
        let mut path = header.path.to_owned();
        if header.member == Member::Directory {
            path.push('/');
        }
        let mut records = Vec::new();
        // In the order of the records' names; each only where the ustar field cannot hold the value.
        if u64::from(header.gid) > MAX_ID {
            record(&mut records, "gid", &header.gid.to_string());
        }
        if !fits(link) {
            record(&mut records, "linkpath", link);
        }
        if !fits(&path) {
            record(&mut records, "path", &path);
        }
        if size > MAX_SIZE {
            record(&mut records, "size", &size.to_string());
        }
        if u64::from(header.uid) > MAX_ID {
            record(&mut records, "uid", &header.uid.to_string());
        }
        if !records.is_empty() {
            let extended = block(EntryType::XHeader, "PaxHeader", "", 0o644, 0, 0, records.len() as u64)?;
            self.out.write_all(&extended)?;
            self.out.write_all(&records)?;
            self.pad(records.len() as u64)?;
        }
        let within = |id: u32| if u64::from(id) > MAX_ID { 0 } else { id };
        let size = if size > MAX_SIZE { 0 } else { size };
        self.out.write_all(&block(kind, &path, link, header.mode, within(header.uid), within(header.gid), size)?)
    }
}

/// Why a member could not be added.
#[derive(Debug)]
pub enum Failure {
    /// Its content is at fault.
    Read(io::Error),
    /// The place that the archive goes to is at fault.
    Write(io::Error),
}

/// Whether a text may stand in a 100-byte field: longer texts and other than ASCII belong into a pax record (always UTF-8).
fn fits(text: &str) -> bool {
    text.len() <= 100 && text.is_ascii()
}

/// One pax record, `LENGTH KEY=VALUE\n`, where the length counts its own digits.
fn record(records: &mut Vec<u8>, key: &str, value: &str) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} {key}={value}\n").as_bytes());
}

/// One header block with every field set.
fn block(kind: EntryType, path: &str, link: &str, mode: u32, uid: u32, gid: u32, size: u64) -> io::Result<[u8; BLOCK]> {
    let mut header = tar::Header::new_ustar();
    let copy = |field: &mut [u8], text: &str| {
        let length = text.len().min(field.len());
        field[..length].copy_from_slice(&text.as_bytes()[..length]);
    };
    copy(&mut header.as_old_mut().name, path);
    copy(&mut header.as_old_mut().linkname, link);
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(uid.into());
    header.set_gid(gid.into());
    header.set_size(size);
    header.set_mtime(MTIME);
    header.set_device_major(0)?;
    header.set_device_minor(0)?;
    header.set_cksum();
    Ok(*header.as_bytes())
}

#[cfg(test)]
mod tests;
