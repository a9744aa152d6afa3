//! The byte code of one package as a file in the cache: a line with the key that it was made for, a frame a module, and the
//! SHA-256 of all that. A file that is damaged, of another format, or of another package is not sound, and is made again.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Take, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::package::cache::Pending;
use crate::plain;

/// The length of the sum at the end.
const SUM: u64 = 32;

/// The line at the beginning. Before it was there, files began with the length of a path.
fn head(key: &str) -> Vec<u8> {
    format!("synapse-site byte code 2 {key}\n").into_bytes()
}

/// A file that is being written.
pub struct Writer(Summed<BufWriter<Pending>>);

impl Writer {
    /// Begins a file.
    pub fn new(pending: Pending, key: &str) -> io::Result<Self> {
        let mut file = Summed { inner: BufWriter::new(pending), sum: Sha256::new() };
        file.write_all(&head(key))?;
        Ok(Self(file))
    }

    /// Adds a module: the path of its byte code and `length` bytes out of `code`.
    pub fn add(&mut self, path: &str, length: u64, code: &mut dyn Read) -> Result<(), Failed> {
        frame(&mut self.0, path.as_bytes(), length).map_err(Failed::Disk)?;
        let mut buffer = [0; 1 << 14];
        let mut left = length;
        while left > 0 {
            let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            match code.read(&mut buffer[..most]) {
                Ok(0) => return Err(Failed::Code(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => {
                    self.0.write_all(&buffer[..count]).map_err(Failed::Disk)?;
                    left -= count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Failed::Code(error)),
            }
        }
        Ok(())
    }

    /// Ends the file with its sum.
    pub fn finish(self) -> io::Result<Pending> {
        let Summed { mut inner, sum } = self.0;
        inner.write_all(&sum.finalize())?;
        inner.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

/// Why a module could not be added.
pub enum Failed {
    /// Its byte code cannot be read.
    Code(io::Error),
    /// The file cannot be written.
    Disk(io::Error),
}

/// A sound file, at its first frame.
pub struct Reader {
    path: PathBuf,
    frames: Take<BufReader<File>>,
}

impl Reader {
    /// Opens the file of that key; none when it is not sound.
    pub fn open(path: &Path, key: &str) -> io::Result<Option<Self>> {
        let Some(file) = plain::open(path)? else { return Ok(None) };
        let Some(body) = file.metadata()?.len().checked_sub(SUM) else { return Ok(None) };
        let mut file = BufReader::with_capacity(1 << 17, file);
        let mut sum = Sha256::new();
        io::copy(&mut (&mut file).take(body), &mut sum)?;
        let mut expected = [0; SUM as usize];
        file.read_exact(&mut expected)?;
        let head = head(key);
        let (Some(rest), true) = (body.checked_sub(head.len() as u64), sum.finalize()[..] == expected) else { return Ok(None) };
        file.seek(SeekFrom::Start(0))?;
        let mut found = vec![0; head.len()];
        file.read_exact(&mut found)?;
        Ok((found == head).then(|| Self { path: path.to_owned(), frames: file.take(rest) }))
    }

    /// Where the file is, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Path and length of the next module's byte code; none at the end. The content is read from [`Reader::content`].
    pub fn next(&mut self) -> io::Result<Option<(String, u64)>> {
        let frames = &mut self.frames;
        let mut head = [0; 4];
        match frames.read(&mut head[..1])? {
            0 => return Ok(None),
            _ => frames.read_exact(&mut head[1..])?,
        }
        let mut path = String::new();
        frames.take(u64::from(u32::from_le_bytes(head))).read_to_string(&mut path)?;
        let mut length = [0; 8];
        frames.read_exact(&mut length)?;
        Ok(Some((path, u64::from_le_bytes(length))))
    }

    /// That content.
    pub fn content(&mut self, length: u64) -> impl Read {
        (&mut self.frames).take(length)
    }
}

/// Writes the head of a frame: lengths of path and content around the path.
pub fn frame(out: &mut impl Write, path: &[u8], length: u64) -> io::Result<()> {
    out.write_all(&u32::try_from(path.len()).map_err(io::Error::other)?.to_le_bytes())?;
    out.write_all(path)?;
    out.write_all(&length.to_le_bytes())
}

/// Writes through and sums what goes by.
struct Summed<W> {
    inner: W,
    sum: Sha256,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
