//! SHA-256 of files and streams, in the lower-case hexadecimal form that locks and the cache use.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::files;

/// The SHA-256 of everything a reader gives.
pub fn sha256(reader: &mut dyn Read) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 128 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hex(&digest.finalize())),
            Ok(n) => digest.update(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The SHA-256 of a file.
pub fn sha256_file(path: &Path) -> io::Result<String> {
    sha256(&mut files::open(path)?)
}

/// The SHA-256 of some text.
pub fn sha256_text(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a text is a SHA-256 in the form used here; what is not must never become a file name.
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Opens a package's archive after a look at all of it, so that nothing is read from a file that is not the locked one.
///
/// # Errors
/// An environment error when the file cannot be read or has another hash.
pub fn open_verified(label: &str, path: &Path, expected: &str) -> Result<File> {
    use std::io::Seek;
    let mut file = files::open(path).map_err(|problem| problem.error("open", path))?;
    let found = sha256(&mut file).map_err(|e| Error::io("read", path, &e))?;
    if found != expected {
        return Err(Error::environment(
            format!("{} is not {label}: its SHA-256 is {found}, the lock has {expected}", path.display()),
            "remove that file and build again: it will be fetched anew",
        ));
    }
    file.rewind().map_err(|e| Error::io("read", path, &e))?;
    Ok(file)
}

/// A reader that counts and hashes what passes.
pub struct Hashing<R> {
    inner: R,
    digest: Sha256,
}

impl<R> Hashing<R> {
    /// Around a reader or writer.
    pub fn new(inner: R) -> Self {
        Self { inner, digest: Sha256::new() }
    }

    /// The raw digest of what has passed, and what was wrapped.
    pub fn finish(self) -> ([u8; 32], R) {
        (self.digest.finalize().into(), self.inner)
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.digest.update(&buffer[..n]);
        Ok(n)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.digest.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
