//! Byte code of Python packages, made by the image's own interpreter. Takes a package and an interpreter's Debian packages, gives
//! the package with a `.pyc` (PEP 552, unchecked hash) beside each module. The interpreter runs through its own dynamic
//! loader, without root and without a change of root; one process a package, so that the bytes depend on both alone.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::{Arc, Mutex};

use sha2::{Digest as _, Sha256};

use super::cache::Cache;
use super::deb::Deb;
use super::hash::hex;
use super::interpreter::Interpreter;
use super::{Entry, Kind, Package, Visit};
use crate::error::{Error, Result};
use crate::image::spec::Python;
use crate::interrupt;

/// Raised whenever the same package and interpreter would give other bytes.
const FORMAT: u32 = 1;
/// The kind of cached object.
const OBJECTS: &str = "bytecode";
const HELPER: &str = include_str!("bytecode.py");
/// No module comes near; the helper would need a multiple of it in memory.
const LARGEST_SOURCE: u64 = 32 << 20;

/// The image's interpreter.
pub struct Compiler {
    cache: Cache,
    packages: Vec<Deb>,
    program: String,
    version: String,
    /// Directories of the import path, without slashes around them.
    import_path: Vec<String>,
    key: String,
    /// The interpreter's files, once they are needed.
    unpacked: Mutex<Option<Arc<Interpreter>>>,
}

impl Compiler {
    /// An interpreter made of Debian packages that the cache holds.
    pub fn new(cache: Cache, python: &Python, packages: Vec<Deb>) -> Self {
        let mut sum = Sha256::new();
        sum.update(format!("{FORMAT}\n{}\n", python.version));
        sum.update(HELPER);
        for package in &packages {
            sum.update(package.key());
            sum.update("\n");
        }
        let version = python.version.clone();
        let import_path =
            vec![format!("usr/lib/python{version}"), "usr/lib/python3/dist-packages".to_owned(), python.site_packages.trim_matches('/').to_owned()];
        let key = hex(&sum.finalize());
        Self { cache, packages, program: python.interpreter.trim_start_matches('/').to_owned(), version, import_path, key, unpacked: Mutex::new(None) }
    }

    fn compiles(&self, entry: &Entry) -> bool {
        matches!(entry.kind, Kind::File { size } if size <= LARGEST_SOURCE)
            && entry.path.ends_with(".py")
            && self.import_path.iter().any(|dir| entry.path.strip_prefix(dir.as_str()).is_some_and(|rest| rest.starts_with('/')))
    }

    /// `a/b.py` → `a/__pycache__/b.cpython-313.pyc` (PEP 3147).
    fn target(&self, source: &str) -> String {
        let (dir, file) = source.rsplit_once('/').unwrap_or(("", source));
        let stem = file.strip_suffix(".py").unwrap_or(file);
        format!("{dir}/__pycache__/{stem}.cpython-{}.pyc", self.version.replace('.', ""))
    }

    /// The interpreter, unpacked now if nothing has asked for it before.
    fn interpreter(&self) -> Result<Arc<Interpreter>> {
        let mut unpacked = self.unpacked.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(interpreter) = unpacked.as_ref() {
            return Ok(Arc::clone(interpreter));
        }
        let interpreter = Arc::new(Interpreter::unpack(&self.cache, &self.program, &self.version, &self.packages)?);
        *unpacked = Some(Arc::clone(&interpreter));
        Ok(interpreter)
    }

    /// Whether a member is byte code that came with the package. Ours takes its place: it holds no time of a build.
    fn replaces(&self, path: &str) -> bool {
        path.ends_with(&format!(".cpython-{}.pyc", self.version.replace('.', "")))
            && path.contains("/__pycache__/")
            && self.import_path.iter().any(|dir| path.strip_prefix(dir.as_str()).is_some_and(|rest| rest.starts_with('/')))
    }
}

fn start(interpreter: &Interpreter) -> Result<Process> {
    let mut child = interpreter
        .command(HELPER)
        .spawn()
        .map_err(|error| Error::environment(format!("cannot start the image's interpreter: {error}"), "build on a machine of the image's own architecture"))?;
    match (child.stdin.take(), child.stdout.take()) {
        (Some(input), Some(output)) => Ok(Process { child, input: Some(BufWriter::new(input)), output: BufReader::new(output) }),
        _ => Err(Error::environment("the image's interpreter has no input or output", "report this as a defect")),
    }
}

/// A package with its byte code.
pub struct Compiled {
    inner: Box<dyn Package + Send + Sync>,
    compiler: Arc<Compiler>,
    keep: Arc<dyn Fn(&Entry) -> bool + Send + Sync>,
    key: String,
}

impl Compiled {
    /// Wraps a package. `keep` says which members go into the image; `rules` is what that depends on, as text.
    pub fn new(inner: Box<dyn Package + Send + Sync>, compiler: Arc<Compiler>, keep: Arc<dyn Fn(&Entry) -> bool + Send + Sync>, rules: &str) -> Self {
        let mut sum = Sha256::new();
        for part in [&inner.key(), &compiler.key, rules] {
            sum.update(part);
            sum.update("\n");
        }
        let key = hex(&sum.finalize());
        Self { inner, compiler, keep, key }
    }

    /// The byte code's file in the cache, whole; made now if it is not there.
    fn object(&self) -> Result<PathBuf> {
        if let Some(path) = self.compiler.cache.object(OBJECTS, &self.key) {
            if is_whole(&path).map_err(|error| Error::io("read", &path, &error))? {
                return Ok(path);
            }
            self.compiler.cache.remove(OBJECTS, &self.key)?;
        }
        let mut process: Option<Process> = None;
        let mut pending = Summed { inner: BufWriter::new(self.compiler.cache.create(OBJECTS, &self.key)?), sum: Sha256::new() };
        let write_failed = |error: io::Error| Error::environment(format!("cannot write byte code: {error}"), "free some space in the cache's place");
        self.inner.walk(&mut |entry, content| {
            if !(self.compiler.compiles(entry) && (self.keep)(entry)) {
                return Ok(());
            }
            interrupt::check()?;
            let mut source = Vec::new();
            content.read_to_end(&mut source).map_err(|error| Error::environment(format!("{}: {error}", entry.path), "fetch the package again"))?;
            let process = match &mut process {
                Some(process) => process,
                none => {
                    let interpreter = self.compiler.interpreter()?;
                    none.insert(start(&interpreter)?)
                }
            };
            let code = process.compile(&format!("/{}", entry.path), &source).map_err(|error| process.failed(&self.inner.label(), &error))?;
            if !code.is_empty() {
                let path = self.compiler.target(&entry.path);
                frame(&mut pending, path.as_bytes(), &code).map_err(write_failed)?;
            }
            Ok(())
        })?;
        if let Some(process) = process {
            process.end(&self.inner.label())?;
        }
        let Summed { mut inner, sum } = pending;
        inner.write_all(&sum.finalize()).map_err(write_failed)?;
        inner.into_inner().map_err(|error| write_failed(error.into_error()))?.commit()
    }
}

impl Package for Compiled {
    fn label(&self) -> String {
        self.inner.label()
    }

    fn key(&self) -> String {
        format!("compiled:{}", self.key)
    }

    fn prepare(&self) -> Result<()> {
        self.object().map(drop)
    }

    fn walk(&self, visit: &mut Visit<'_>) -> Result<()> {
        let path = self.object()?;
        self.inner.walk(&mut |entry, content| if self.compiler.replaces(&entry.path) { Ok(()) } else { visit(entry, content) })?;
        let failed = |error: io::Error| Error::io("read", &path, &error);
        let length = fs::metadata(&path).map_err(failed)?.len();
        let file = File::open(&path).map_err(failed)?;
        let mut frames = BufReader::new(file).take(length.saturating_sub(32));
        while let Some((path, size)) = next_frame(&mut frames).map_err(failed)? {
            let entry = Entry { path, mode: 0o644, uid: 0, gid: 0, kind: Kind::File { size } };
            visit(&entry, &mut (&mut frames).take(size))?;
        }
        Ok(())
    }
}

/// A running interpreter.
struct Process {
    child: Child,
    input: Option<BufWriter<ChildStdin>>,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn compile(&mut self, path: &str, source: &[u8]) -> io::Result<Vec<u8>> {
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        frame(input, path.as_bytes(), source)?;
        input.flush()?;
        let mut length = [0; 8];
        self.output.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        let mut code = Vec::new();
        if (&mut self.output).take(length).read_to_end(&mut code)? as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(code)
    }

    fn end(mut self, label: &str) -> Result<()> {
        self.input = None;
        match self.child.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(self.failed(label, &io::Error::other(status.to_string()))),
            Err(error) => Err(self.failed(label, &error)),
        }
    }

    /// The error, with what the interpreter said.
    fn failed(&mut self, label: &str, error: &io::Error) -> Error {
        self.input = None;
        let mut said = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            // What it said is a courtesy; the failure itself is told in any case.
            let _ = stderr.take(4096).read_to_string(&mut said);
        }
        Error::environment(
            format!("the image's interpreter failed on {label}: {error} {}", said.trim()),
            "build on a machine of the image's own architecture; if it is one, report this as a defect",
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After an orderly end there is nothing to kill; after an error the process must not stay behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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

fn frame(out: &mut impl Write, path: &[u8], content: &[u8]) -> io::Result<()> {
    out.write_all(&u32::try_from(path.len()).map_err(io::Error::other)?.to_le_bytes())?;
    out.write_all(path)?;
    out.write_all(&(content.len() as u64).to_le_bytes())?;
    out.write_all(content)
}

/// Path and length of the next frame; none at the end.
fn next_frame(frames: &mut impl Read) -> io::Result<Option<(String, u64)>> {
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

/// Whether a file ends in the sum of what comes before.
fn is_whole(path: &Path) -> io::Result<bool> {
    let length = fs::metadata(path)?.len();
    let Some(body) = length.checked_sub(32) else { return Ok(false) };
    let mut file = BufReader::with_capacity(1 << 17, File::open(path)?);
    let mut sum = Sha256::new();
    io::copy(&mut (&mut file).take(body), &mut sum)?;
    let mut expected = [0; 32];
    file.read_exact(&mut expected)?;
    Ok(sum.finalize()[..] == expected)
}
