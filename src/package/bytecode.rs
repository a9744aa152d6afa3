//! Byte code of Python packages, made by the image's own interpreter. Takes a package and an interpreter's Debian packages, gives
//! the package with a `.pyc` (PEP 552, unchecked hash) beside each module. The interpreter runs through its own dynamic
//! loader, without root and without a change of root; one process a package, so that the bytes depend on both alone.

mod object;
mod process;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use self::object::{Failed, Reader, Writer};
use self::process::{Answer, Process};
use super::cache::Cache;
use super::deb::Deb;
use super::interpreter::Interpreter;
use super::progress::Progress;
use super::{Entry, Kind, Package, Visit};
use crate::definition::Python;
use crate::error::{Error, Result};
use crate::hash::hex;
use crate::interrupt;

/// Raised whenever the same package and interpreter would give other bytes.
const FORMAT: u32 = 1;
/// The kind of cached object.
const OBJECTS: &str = "bytecode";
const HELPER: &str = include_str!("bytecode.py");
/// Larger sources stay without byte code. The largest of the locked packages has 904 KiB (phonenumbers), and 2 MiB of dense
/// code take 1.2 GiB to compile: see [`MEMORY`](super::interpreter::MEMORY).
const LARGEST_SOURCE: u64 = 2 << 20;

/// The image's interpreter.
pub struct Compiler {
    cache: Cache,
    packages: Vec<Deb>,
    program: String,
    version: String,
    /// Directories of the import path, without slashes around them.
    import_path: Vec<String>,
    key: String,
    progress: Arc<dyn Progress + Send + Sync>,
    patience: Duration,
    /// See [`Interpreter::unconfined`].
    unconfined: bool,
    /// The interpreter's files, once they are needed.
    unpacked: Mutex<Option<Arc<Interpreter>>>,
}

impl Compiler {
    /// An interpreter made of Debian packages that the cache holds. `progress` is told what stays without byte code.
    pub fn new(cache: Cache, python: &Python, packages: Vec<Deb>, progress: Arc<dyn Progress + Send + Sync>) -> Self {
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
        Self {
            cache,
            packages,
            program: python.interpreter.trim_start_matches('/').to_owned(),
            version,
            import_path,
            key,
            progress,
            patience: process::PATIENCE,
            unconfined: false,
            unpacked: Mutex::new(None),
        }
    }

    /// The same, with another time for one module.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The same without confinement, see [`Interpreter::unconfined`].
    #[doc(hidden)]
    pub fn unconfined(mut self) -> Self {
        self.unconfined = true;
        self
    }

    fn compiles(&self, entry: &Entry) -> bool {
        matches!(entry.kind, Kind::File { .. })
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
        let mut interpreter = Interpreter::unpack(&self.cache, &self.program, &self.version, &self.packages)?;
        if self.unconfined {
            interpreter = interpreter.unconfined();
        }
        let interpreter = Arc::new(interpreter);
        *unpacked = Some(Arc::clone(&interpreter));
        Ok(interpreter)
    }

    /// A running interpreter. What the kernel lacks to confine it is told once, as it is so for all of them.
    fn start(&self) -> Result<Process> {
        static TOLD: Once = Once::new();
        let interpreter = self.interpreter()?;
        let process = Process::start(&interpreter, HELPER, self.patience)?;
        let lacking = interpreter.lacking();
        if !lacking.is_empty() {
            TOLD.call_once(|| {
                self.progress.step(&format!(
                    "note: this kernel does not let {} confine the image's interpreter, which is one of the locked packages{}",
                    lacking.join(" and "),
                    if lacking.len() > 1 { "; it runs with the rights of this program" } else { "; the other half of its confinement holds" }
                ));
            });
        }
        Ok(process)
    }

    fn note_without(&self, entry: &Entry, label: &str, why: &str) {
        self.progress.step(&format!("note: /{} of {label} {why}; it is shipped without byte code", entry.path));
    }

    /// Whether a member is byte code that came with the package. Ours takes its place: it holds no time of a build.
    fn replaces(&self, path: &str) -> bool {
        path.ends_with(&format!(".cpython-{}.pyc", self.version.replace('.', "")))
            && path.contains("/__pycache__/")
            && self.import_path.iter().any(|dir| path.strip_prefix(dir.as_str()).is_some_and(|rest| rest.starts_with('/')))
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

    /// The byte code in the cache; made now if it is not there or not sound.
    fn object(&self) -> Result<Reader> {
        let cache = &self.compiler.cache;
        if let Some(path) = cache.object(OBJECTS, &self.key) {
            if let Some(object) = self.open(&path)? {
                return Ok(object);
            }
            cache.remove(OBJECTS, &self.key)?;
        }
        let write_failed = |error: io::Error| Error::io("write byte code into", cache.root(), &error);
        let mut object = Writer::new(cache.create(OBJECTS, &self.key)?, &self.key).map_err(write_failed)?;
        self.compile_into(&mut object, &write_failed)?;
        let path = object.finish().map_err(write_failed)?.commit()?;
        let vanished = || Error::environment(format!("{} was changed while it was read", path.display()), "give the cache a place that nothing else writes to");
        self.open(&path)?.ok_or_else(vanished)
    }

    fn open(&self, path: &Path) -> Result<Option<Reader>> {
        Reader::open(path, &self.key).map_err(|error| Error::io("read", path, &error))
    }

    fn compile_into(&self, object: &mut Writer, write_failed: &dyn Fn(io::Error) -> Error) -> Result<()> {
        let label = self.inner.label();
        let mut process: Option<Process> = None;
        self.inner.walk(&mut |entry, content| {
            if !(self.compiler.compiles(entry) && (self.keep)(entry)) {
                return Ok(());
            }
            interrupt::check()?;
            if matches!(entry.kind, Kind::File { size } if size > LARGEST_SOURCE) {
                self.compiler.note_without(entry, &label, &format!("is larger than {} KiB", LARGEST_SOURCE >> 10));
                return Ok(());
            }
            let mut source = Vec::new();
            content.read_to_end(&mut source).map_err(|error| Error::environment(format!("{}: {error}", entry.path), "fetch the package again"))?;
            let process = match &mut process {
                Some(process) => process,
                none => none.insert(self.compiler.start()?),
            };
            match process.compile(&label, &format!("/{}", entry.path), &source)? {
                Answer::Refused => Ok(()),
                Answer::TooComplex => {
                    self.compiler.note_without(entry, &label, "is too deeply nested for the interpreter");
                    Ok(())
                }
                Answer::Code(length) => object.add(&self.compiler.target(&entry.path), length, process.code()).map_err(|failed| match failed {
                    Failed::Code(error) => process.failed(&label, &entry.path, &error),
                    Failed::Disk(error) => write_failed(error),
                }),
            }
        })?;
        process.map_or(Ok(()), |process| process.finish(&label))
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
        let mut object = self.object()?;
        self.inner.walk(&mut |entry, content| if self.compiler.replaces(&entry.path) { Ok(()) } else { visit(entry, content) })?;
        let path = object.path().to_owned();
        while let Some((path, size)) = object.next().map_err(|error| Error::io("read", &path, &error))? {
            let entry = Entry { path, mode: 0o644, uid: 0, gid: 0, kind: Kind::File { size } };
            visit(&entry, &mut object.content(size))?;
        }
        Ok(())
    }
}
