//! The outer container of a Debian package (deb(5)): `ar` with members debian-binary, control.tar.*, data.tar.* in that
//! order. Takes a reader and gives one member's bytes at a time; the common `ar` extensions (long names, symbol tables)
//! do not occur in Debian packages and are refused like any unknown member.

use std::io::{self, Read};

const MAGIC: &[u8; 8] = b"!<arch>\n";

/// The members of an archive, one after the other.
pub struct Archive<R> {
    reader: R,
    /// Bytes of the current member not read yet.
    left: u64,
    /// Whether the current member is followed by a padding byte.
    padded: bool,
}

impl<R: Read> Archive<R> {
    /// Reads the magic number.
    pub fn new(mut reader: R) -> io::Result<Self> {
        let mut magic = [0; 8];
        reader.read_exact(&mut magic).map_err(ends_early)?;
        if &magic != MAGIC {
            return Err(invalid("it is not an ar archive"));
        }
        Ok(Self { reader, left: 0, padded: false })
    }

    /// Goes on to the next member, whatever is left of the current one, and gives its name; none at the end.
    pub fn next_member(&mut self) -> io::Result<Option<String>> {
        io::copy(&mut &mut *self, &mut io::sink())?;
        if std::mem::take(&mut self.padded) {
            let mut newline = [0];
            self.reader.read_exact(&mut newline).map_err(ends_early)?;
            if newline != *b"\n" {
                return Err(invalid("the padding of an ar member is not a newline"));
            }
        }
        let mut header = [0; 60];
        let mut have = 0;
        while have < header.len() {
            match self.reader.read(&mut header[have..])? {
                0 if have == 0 => return Ok(None),
                0 => return Err(invalid("trailing garbage follows the last ar member")),
                n => have += n,
            }
        }
        if &header[58..] != b"`\n" {
            return Err(invalid("trailing garbage or a damaged header stands where an ar member should start"));
        }
        let text = |range: std::ops::Range<usize>| {
            std::str::from_utf8(&header[range]).map(|text| text.trim_end_matches(' ')).map_err(|_| invalid("the header of an ar member is not text"))
        };
        let name = text(0..16)?.trim_end_matches('/').to_owned();
        let size = text(48..58)?;
        if size.is_empty() || !size.bytes().all(|b| b.is_ascii_digit()) {
            return Err(invalid("the size of an ar member is not a number"));
        }
        self.left = size.parse().map_err(|_| invalid("the size of an ar member is not a number"))?;
        self.padded = self.left % 2 == 1;
        Ok(Some(name))
    }
}

impl<R: Read> Read for Archive<R> {
    /// Reads from the current member. A file that ends inside it is an error, never an early end.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let n = self.reader.read(&mut buffer[..most])?;
        if n == 0 {
            return Err(ends_early(io::ErrorKind::UnexpectedEof.into()));
        }
        self.left -= n as u64;
        Ok(n)
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn ends_early(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof { io::Error::new(io::ErrorKind::UnexpectedEof, "the file ends early") } else { error }
}
