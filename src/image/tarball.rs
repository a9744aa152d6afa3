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
        Self {
            out,
            buffer: vec![0; 128 * 1024],
        }
    }

    /// Adds a member. `content` must give exactly as many bytes as the header says, none for anything but a file.
    ///
    /// # Errors
    /// [`Failure::Read`] when the content fails or has another length, [`Failure::Write`] when the archive cannot be written.
    pub fn append(&mut self, header: &Header<'_>, content: &mut dyn Read) -> Result<(), Failure> {
        let size = if let Member::File(size) = header.member {
            size
        } else {
            0
        };
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
                return Err(Failure::Read(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "it is longer than its package says",
                )));
            }
            self.out
                .write_all(&self.buffer[..read])
                .map_err(Failure::Write)?;
            left -= read as u64;
        }
        if left > 0 {
            return Err(Failure::Read(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "it is shorter than its package says",
            )));
        }
        self.pad(size).map_err(Failure::Write)
    }

    /// Writes only a file's header: the caller then writes `size` bytes with [`Tarball::out`] and calls [`Tarball::pad`].
    ///
    /// # Errors
    /// When the archive cannot be written.
    pub fn begin(&mut self, header: &Header<'_>) -> io::Result<()> {
        self.write_header(
            header,
            if let Member::File(size) = header.member {
                size
            } else {
                0
            },
        )
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
        if over > 0 {
            self.out.write_all(&[0; BLOCK][over..])
        } else {
            Ok(())
        }
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
            let extended = block(
                EntryType::XHeader,
                "PaxHeader",
                "",
                0o644,
                0,
                0,
                records.len() as u64,
            )?;
            self.out.write_all(&extended)?;
            self.out.write_all(&records)?;
            self.pad(records.len() as u64)?;
        }
        let within = |id: u32| if u64::from(id) > MAX_ID { 0 } else { id };
        let size = if size > MAX_SIZE { 0 } else { size };
        self.out.write_all(&block(
            kind,
            &path,
            link,
            header.mode,
            within(header.uid),
            within(header.gid),
            size,
        )?)
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
fn block(
    kind: EntryType,
    path: &str,
    link: &str,
    mode: u32,
    uid: u32,
    gid: u32,
    size: u64,
) -> io::Result<[u8; BLOCK]> {
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
mod tests {
    use super::*;

    fn archive(members: &[(Header<'_>, &[u8])]) -> Vec<u8> {
        let mut tarball = Tarball::new(Vec::new());
        for (header, content) in members {
            let mut content = *content;
            tarball.append(header, &mut content).unwrap();
        }
        tarball.finish().unwrap()
    }

    #[test]
    fn every_field_of_a_header() {
        let bytes = archive(&[(
            Header {
                path: "etc/motd",
                mode: 0o640,
                uid: 7,
                gid: 8,
                member: Member::File(3),
            },
            b"hi\n",
        )]);
        assert_eq!(bytes.len(), 4 * BLOCK);
        let field = |from: usize, length: usize| &bytes[from..from + length];
        let mut name = [0; 100];
        name[..8].copy_from_slice(b"etc/motd");
        assert_eq!(field(0, 100), name);
        assert_eq!(field(100, 8), b"0000640\0");
        assert_eq!(field(108, 8), b"0000007\0");
        assert_eq!(field(116, 8), b"0000010\0");
        assert_eq!(field(124, 12), b"00000000003\0");
        assert_eq!(field(136, 12), format!("{MTIME:011o}\0").as_bytes());
        let sum: u32 = bytes[..BLOCK]
            .iter()
            .enumerate()
            .map(|(i, b)| {
                if (148..156).contains(&i) {
                    32
                } else {
                    u32::from(*b)
                }
            })
            .sum();
        assert_eq!(field(155, 1), b"\0");
        let stored = std::str::from_utf8(field(148, 7)).unwrap();
        assert_eq!(u32::from_str_radix(stored, 8).unwrap(), sum);
        assert_eq!(field(156, 1), b"0");
        assert_eq!(field(157, 100), [0; 100]);
        assert_eq!(field(257, 8), b"ustar\x0000");
        assert_eq!(field(265, 64), [0; 64], "no names of users or groups");
        assert_eq!(field(329, 16), b"0000000\x000000000\0");
        assert_eq!(field(345, 167), [0; 167]);
        assert_eq!(&bytes[BLOCK..BLOCK + 4], b"hi\n\0");
        assert!(bytes[2 * BLOCK..].iter().all(|b| *b == 0));
    }

    #[test]
    fn the_date_is_the_same_in_both_forms() {
        assert_eq!(
            MTIME,
            (10 * 365 + 2 + 1) * 86_400,
            "ten years with two leap days, and one day"
        );
        assert!(MTIME_RFC3339.starts_with("1980-01-02T00:00:00"));
    }

    #[test]
    fn what_does_not_fit_goes_into_pax_records() {
        let long = format!("{}/x", "d".repeat(120));
        let target = format!("../{}", "t".repeat(200));
        let bytes = archive(&[
            (
                Header {
                    path: &long,
                    mode: 0o755,
                    uid: 3_000_000,
                    gid: 4_000_000,
                    member: Member::Directory,
                },
                b"",
            ),
            (
                Header {
                    path: "ü",
                    mode: 0o777,
                    uid: 0,
                    gid: 0,
                    member: Member::Symlink(&target),
                },
                b"",
            ),
            (
                Header {
                    path: "hard",
                    mode: 0o644,
                    uid: 0,
                    gid: 0,
                    member: Member::Hardlink("ü"),
                },
                b"",
            ),
        ]);
        let mut archive = tar::Archive::new(&bytes[..]);
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let entry = entry.unwrap();
            let link = entry.link_name().unwrap().map(|l| l.display().to_string());
            seen.push((
                entry.path().unwrap().display().to_string(),
                link,
                entry.header().entry_type(),
            ));
        }
        assert_eq!(
            seen,
            [
                (format!("{long}/"), None, EntryType::Directory),
                ("ü".into(), Some(target), EntryType::Symlink),
                ("hard".into(), Some("ü".into()), EntryType::Link),
            ]
        );
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            text.contains("15 gid=4000000\n") && text.contains("15 uid=3000000\n"),
            "length counts its own digits"
        );
    }

    #[test]
    fn lengths_around_a_power_of_ten() {
        for length in 80..110 {
            let mut bytes = Vec::new();
            record(&mut bytes, "path", &"p".repeat(length));
            let text = String::from_utf8(bytes).unwrap();
            assert_eq!(
                text.split(' ').next().unwrap().parse::<usize>().unwrap(),
                text.len()
            );
        }
    }

    #[test]
    fn content_of_another_length_is_refused() {
        let header = Header {
            path: "f",
            mode: 0o644,
            uid: 0,
            gid: 0,
            member: Member::File(3),
        };
        for content in [&b"12"[..], b"1234"] {
            let failure = Tarball::new(Vec::new()).append(&header, &mut &content[..]);
            assert!(matches!(failure, Err(Failure::Read(_))), "{failure:?}");
        }
        let link = Header {
            path: "l",
            mode: 0o777,
            uid: 0,
            gid: 0,
            member: Member::Symlink("f"),
        };
        assert!(matches!(
            Tarball::new(Vec::new()).append(&link, &mut &b"x"[..]),
            Err(Failure::Read(_))
        ));
    }
}
