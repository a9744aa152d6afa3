//! The members of a tar archive that any program wrote, one after the other: POSIX pax and ustar, and GNU's long names. Takes a
//! stream and gives [`Member`] values. What describes a member (a GNU long name, a pax header) is read here and at most
//! [`LONGEST_RECORD`] bytes long, the limit of Go's `archive/tar`, which engines use; content is skipped, never held.

use std::io::{self, Read};

use tar::{EntryType, Header};

/// The longest GNU long name or pax header, in bytes.
const LONGEST_RECORD: u64 = 1 << 20;

const BLOCK: usize = 512;

/// A stream in which content can be passed over.
pub trait Source: Read {
    /// Passes over so many bytes.
    ///
    /// # Errors
    /// When there are fewer, or reading fails.
    fn skip(&mut self, bytes: u64) -> io::Result<()>;
}

/// What an archive says about one member.
#[derive(Debug, Clone)]
pub struct Member {
    /// The name, as it stands there.
    pub name: Vec<u8>,
    /// The target of a link.
    pub link: Vec<u8>,
    /// What it is.
    pub kind: EntryType,
    /// Permission bits.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u64,
    /// Numeric group.
    pub gid: u64,
    /// Bytes of content.
    pub size: u64,
    /// Where the content begins, in bytes from the start of the archive.
    pub content: u64,
    /// Names of extended attributes.
    pub attributes: Vec<String>,
    /// Whether it is a sparse file of any format, whose content is not what its size says.
    pub sparse: bool,
    /// Whether programs disagree about what it is: a link or directory with content, a name in two places.
    pub ambiguous: bool,
    /// All bytes that describe it, its header the last 512 of them.
    pub header: Vec<u8>,
}

/// What GNU and pax records say about the member that follows.
#[derive(Default)]
struct Records {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    attributes: Vec<String>,
    sparse: bool,
    ambiguous: bool,
}

/// A reader of members.
pub struct Members<S> {
    source: S,
    /// Bytes read and passed over so far.
    position: u64,
    /// Content of the current member and what fills its last block.
    left: (u64, u64),
    ended: bool,
    clean: bool,
}

impl<S: Source> Members<S> {
    /// Starts at the beginning of an archive.
    pub fn new(source: S) -> Self {
        Self { source, position: 0, left: (0, 0), ended: false, clean: true }
    }

    /// The next member, whatever was left of the one before; none at the end.
    ///
    /// # Errors
    /// When reading fails, the archive ends inside a member, or a header is damaged.
    pub fn next_member(&mut self) -> io::Result<Option<Member>> {
        let mut records = Records::default();
        let mut header_bytes = Vec::new();
        loop {
            self.pass()?;
            let Some(block) = self.block()? else {
                return if header_bytes.is_empty() { Ok(None) } else { Err(damaged("it ends where a member is described")) };
            };
            header_bytes.extend_from_slice(&block);
            let header = Header::from_byte_slice(&block);
            // What the tar crate says of a bad number holds bytes of the file, which may be anything.
            if header.cksum().ok() != Some(sum(&block)) {
                return Err(damaged("the checksum of a header is wrong"));
            }
            let size = header.entry_size().map_err(|_| damaged("the size of a member is no number"))?;
            let record = match header.entry_type() {
                EntryType::GNULongName => self.record(size, &mut header_bytes)?.map_name(&mut records.path, &mut records.ambiguous),
                EntryType::GNULongLink => self.record(size, &mut header_bytes)?.map_name(&mut records.link, &mut records.ambiguous),
                EntryType::XHeader => {
                    records.pax(&self.record(size, &mut header_bytes)?.0)?;
                    true
                }
                EntryType::XGlobalHeader => {
                    // Engines pass over it, other programs apply it to everything that follows.
                    self.record(size, &mut header_bytes)?;
                    records.ambiguous = true;
                    true
                }
                _ => false,
            };
            if !record {
                return self.member(header, size, records, header_bytes).map(Some);
            }
        }
    }

    /// Whether the archive ended with a block of zeros, and where that begins; the bytes after it have not been looked at.
    pub fn end(&self) -> (bool, u64) {
        (self.ended, self.position - if self.ended { BLOCK as u64 } else { 0 })
    }

    /// Whether all last blocks were filled with zeros.
    pub fn is_clean(&self) -> bool {
        self.clean
    }

    /// What was read from.
    pub fn into_source(self) -> S {
        self.source
    }

    fn member(&mut self, header: &Header, size: u64, records: Records, mut header_bytes: Vec<u8>) -> io::Result<Member> {
        let kind = header.entry_type();
        let mut sparse = records.sparse;
        if kind == EntryType::GNUSparse {
            sparse = true;
            let mut more = header.as_bytes()[482] != 0;
            while more {
                let block = self.block()?.ok_or_else(|| damaged("it ends inside a header"))?;
                more = block[504] != 0;
                if header_bytes.len() as u64 > LONGEST_RECORD {
                    return Err(damaged("the map of a sparse file is too long"));
                }
                header_bytes.extend_from_slice(&block);
            }
        }
        let said = records.size.unwrap_or(size);
        let plain = !matches!(kind, EntryType::Directory | EntryType::Symlink | EntryType::Link | EntryType::Char | EntryType::Block | EntryType::Fifo);
        // Engines take no content for what is no file, other programs do.
        let size = if plain { said } else { 0 };
        if size > u64::MAX - (1 << 20) {
            return Err(damaged("the size of a member is absurd"));
        }
        self.left = (size, size.next_multiple_of(BLOCK as u64) - size);
        let number = |value: io::Result<u64>| value.unwrap_or_default();
        Ok(Member {
            name: records.path.unwrap_or_else(|| header.path_bytes().into_owned()),
            link: records.link.or_else(|| header.link_name_bytes().map(|link| link.into_owned())).unwrap_or_default(),
            kind,
            mode: header.mode().map_err(|_| damaged("the mode of a member is no number"))? & 0o7777,
            uid: records.uid.unwrap_or_else(|| number(header.uid())),
            gid: records.gid.unwrap_or_else(|| number(header.gid())),
            size,
            content: self.position,
            attributes: records.attributes,
            sparse,
            ambiguous: records.ambiguous || said != size,
            header: header_bytes,
        })
    }

    /// Passes over what is left of a member.
    fn pass(&mut self) -> io::Result<()> {
        let (content, filling) = std::mem::take(&mut self.left);
        self.source.skip(content)?;
        let mut zeros = [0; BLOCK];
        let filling = &mut zeros[..filling as usize];
        self.source.read_exact(filling).map_err(early)?;
        self.clean &= filling.iter().all(|byte| *byte == 0);
        self.position += content + filling.len() as u64;
        Ok(())
    }

    /// The next block; none at the end of the archive or of the stream.
    fn block(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        let mut have = 0;
        while !self.ended && have < BLOCK {
            match self.source.read(&mut block[have..]) {
                Ok(0) if have == 0 => return Ok(None),
                Ok(0) => return Err(early(io::ErrorKind::UnexpectedEof.into())),
                Ok(read) => have += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.position += have as u64;
        self.ended |= block.iter().all(|byte| *byte == 0);
        Ok((!self.ended).then_some(block))
    }

    /// The content of a record, which is added to the bytes of the header.
    fn record(&mut self, size: u64, header: &mut Vec<u8>) -> io::Result<Record> {
        if size > LONGEST_RECORD || header.len() as u64 > 2 * LONGEST_RECORD {
            return Err(damaged(&format!("a name or pax header of {size} bytes is too long (at most {LONGEST_RECORD})")));
        }
        let mut bytes = vec![0; (size as usize).next_multiple_of(BLOCK)];
        self.source.read_exact(&mut bytes).map_err(early)?;
        self.position += bytes.len() as u64;
        header.extend_from_slice(&bytes);
        self.clean &= bytes[size as usize..].iter().all(|byte| *byte == 0);
        bytes.truncate(size as usize);
        Ok(Record(bytes))
    }
}

/// The content of a record.
struct Record(Vec<u8>);

impl Record {
    /// Takes it as a name; true, since it was a record.
    fn map_name(mut self, slot: &mut Option<Vec<u8>>, twice: &mut bool) -> bool {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        self.0.truncate(end);
        *twice |= slot.replace(self.0).is_some();
        true
    }
}

impl Records {
    /// Reads a pax header: `LENGTH KEY=VALUE\n`, where a value may hold any byte.
    fn pax(&mut self, mut rest: &[u8]) -> io::Result<()> {
        let broken = || damaged("a pax header is damaged");
        while !rest.is_empty() {
            let digits = rest.iter().take(8).position(|byte| *byte == b' ').ok_or_else(broken)?;
            let length: usize = std::str::from_utf8(&rest[..digits]).ok().and_then(|text| text.parse().ok()).ok_or_else(broken)?;
            let record = rest.get(digits + 1..length).and_then(|record| record.strip_suffix(b"\n")).ok_or_else(broken)?;
            rest = &rest[length..];
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(broken)?;
            let (key, value) = (String::from_utf8_lossy(&record[..equals]), &record[equals + 1..]);
            let number = || std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or_else(broken);
            match &*key {
                "path" => self.ambiguous |= self.path.replace(value.to_vec()).is_some(),
                "linkpath" => self.ambiguous |= self.link.replace(value.to_vec()).is_some(),
                "size" => self.size = Some(number()?),
                "uid" => self.uid = Some(number()?),
                "gid" => self.gid = Some(number()?),
                key if key.starts_with("GNU.sparse.") => self.sparse = true,
                key => {
                    let attribute = key.strip_prefix("SCHILY.xattr.").or_else(|| key.strip_prefix("LIBARCHIVE.xattr."));
                    self.attributes.extend(attribute.map(str::to_owned));
                }
            }
        }
        Ok(())
    }
}

/// The checksum of a header: the sum of its bytes, the checksum itself as blanks.
fn sum(block: &[u8; BLOCK]) -> u32 {
    block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) }).sum()
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn early(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof { io::Error::new(io::ErrorKind::UnexpectedEof, "it ends inside a member") } else { error }
}
