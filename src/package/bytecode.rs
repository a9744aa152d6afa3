//! Byte code for the Python modules of a package. Takes a package and the image's interpreter and gives the package again
//! with `__pycache__` files added (PEP 3147, PEP 552), so that a read-only container starts in a second instead of a
//! minute. One process compiles one package: the bytes depend on the package, the interpreter and the selection alone.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};

use super::cache::{Cache, Pending};
use super::deb::Deb;
use super::hash::{self, Hashing};
use super::interpreter::Interpreter;
use super::tarball::{self, LIMITS};
use super::{Entry, Kind, Package, Visit};
use crate::error::{Error, Result};
use crate::image::spec::Python;
use crate::interrupt;

/// Raised whenever the same package, interpreter and selection would give other files.
const FORMAT: u32 = 1;

/// The program that the interpreter runs.
const PROGRAM: &str = include_str!("compile.py");

/// The kind of object in the cache: a tar stream followed by its SHA-256.
const KIND: &str = "bytecode";

/// Longer sources are left to Python. The longest module on the index that anyone imports has 10 MB.
const LONGEST: u64 = 64 << 20;

const DIGEST: u64 = 32;

/// Which modules to compile.
pub struct Selection<'a> {
    /// Directories that modules are imported from, and everything below them; paths from the image's root.
    pub import_path: Vec<String>,
    /// Whether a member gets into the image; what does not is not compiled.
    pub keeps: &'a (dyn Fn(&Entry) -> bool + Sync),
    /// What `keeps` is a pure function of, such as the patterns of the layer.
    pub key: String,
}

impl<'a> Selection<'a> {
    /// The directories that Debian's Python imports from: the standard library, Debian's modules, the image's wheels.
    pub fn of(
        python: &Python,
        keeps: &'a (dyn Fn(&Entry) -> bool + Sync),
        key: impl Into<String>,
    ) -> Self {
        let import_path = vec![
            format!("usr/lib/python{}", python.version),
            "usr/lib/python3/dist-packages".to_owned(),
            python.site_packages.trim_matches('/').to_owned(),
        ];
        Self {
            import_path,
            keeps,
            key: key.into(),
        }
    }

    fn takes(&self, entry: &Entry) -> bool {
        let below = |dir: &String| {
            entry
                .path
                .strip_prefix(dir.as_str())
                .is_some_and(|rest| rest.starts_with('/'))
        };
        entry.path.ends_with(".py")
            && matches!(entry.kind, Kind::File { size } if size <= LONGEST)
            && self.import_path.iter().any(below)
            && (self.keeps)(entry)
    }
}

/// Compiles with one interpreter, which is unpacked when the first package is not in the cache.
pub struct Compiler<'a> {
    cache: &'a Cache,
    program: String,
    version: String,
    packages: Vec<Deb>,
    interpreter: OnceLock<Interpreter>,
    unpacking: Mutex<()>,
}

impl<'a> Compiler<'a> {
    /// A compiler for the image whose `python.interpreter_packages` these are.
    pub fn new(cache: &'a Cache, python: &Python, packages: Vec<Deb>) -> Self {
        Self {
            cache,
            program: python.interpreter.clone(),
            version: python.version.clone(),
            packages,
            interpreter: OnceLock::new(),
            unpacking: Mutex::new(()),
        }
    }

    /// What the byte code of a package is a pure function of, and its name in the cache.
    pub fn object_name(&self, package: &dyn Package, selection: &Selection<'_>) -> String {
        let mut text = format!("{FORMAT}\n{PROGRAM}\n{}\n{}\n", self.program, self.version);
        for deb in &self.packages {
            text.push_str(&format!("{}\n", deb.key()));
        }
        text.push_str(&format!(
            "{}\n{:?}\n{}",
            package.key(),
            selection.import_path,
            selection.key
        ));
        hash::sha256_text(&text)
    }

    /// The package with its byte code, compiled now if the cache has none or a damaged one.
    ///
    /// # Errors
    /// An environment error when the package cannot be read or the interpreter does not run.
    pub fn compile<P: Package>(
        &self,
        package: P,
        selection: &Selection<'_>,
    ) -> Result<Compiled<P>> {
        let name = self.object_name(&package, selection);
        let tag = format!("cpython-{}", self.version.replace('.', ""));
        let path = match self.cache.object(KIND, &name) {
            Some(path) if is_whole(&path).map_err(|e| Error::io("read", &path, &e))? => path,
            _ => self.make(&package, selection, &name, &tag)?,
        };
        Ok(Compiled {
            package,
            path,
            name,
            tag,
            import_path: selection.import_path.clone(),
        })
    }

    /// As [`Compiler::compile`] for many packages, so many at a time; the result has their order.
    ///
    /// # Errors
    /// The first error of the first package that has one.
    pub fn compile_all<P: Package + Send>(
        &self,
        packages: Vec<P>,
        selection: &Selection<'_>,
        jobs: usize,
    ) -> Result<Vec<Compiled<P>>> {
        let slots: Vec<_> = packages
            .into_iter()
            .map(|package| Mutex::new((Some(package), None)))
            .collect();
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..jobs.clamp(1, slots.len().max(1)) {
                scope.spawn(|| {
                    while let Some(slot) = slots.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
                        let result = slot
                            .0
                            .take()
                            .map(|package| self.compile(package, selection));
                        let failed = matches!(result, Some(Err(_)));
                        slot.1 = result;
                        if failed {
                            next.store(slots.len(), Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let results = slots
            .into_iter()
            .map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner).1);
        let mut compiled = Vec::new();
        let mut skipped = false;
        for result in results {
            match result {
                Some(result) => compiled.push(result?),
                None => skipped = true,
            }
        }
        // Packages are taken in order, so that whatever was skipped stands behind the error that stopped the others.
        if skipped {
            Err(Error::Interrupted)
        } else {
            Ok(compiled)
        }
    }

    fn interpreter(&self) -> Result<&Interpreter> {
        let _only_one = self
            .unpacking
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(interpreter) = self.interpreter.get() {
            return Ok(interpreter);
        }
        let unpacked =
            Interpreter::unpack(self.cache, &self.program, &self.version, &self.packages)?;
        Ok(self.interpreter.get_or_init(|| unpacked))
    }

    fn make(
        &self,
        package: &dyn Package,
        selection: &Selection<'_>,
        name: &str,
        tag: &str,
    ) -> Result<PathBuf> {
        let label = package.label();
        let pending = self.cache.create(KIND, name)?;
        let mut tar = tar::Builder::new(Hashing::new(BufWriter::new(pending)));
        self.run(package, selection, tag, &mut tar)?;
        let finish = |e: io::Error| {
            Error::environment(
                format!("cannot write the byte code of {label}: {e}"),
                "free some space",
            )
        };
        let (digest, mut file) = tar.into_inner().map_err(finish)?.finish();
        file.write_all(&digest).map_err(finish)?;
        let pending = file.into_inner().map_err(|e| finish(e.into_error()))?;
        pending.commit()
    }

    /// Feeds the modules of a package to one process and writes what comes back.
    fn run(
        &self,
        package: &dyn Package,
        selection: &Selection<'_>,
        tag: &str,
        tar: &mut tar::Builder<Hashing<BufWriter<Pending>>>,
    ) -> Result<()> {
        let label = package.label();
        let interpreter = self.interpreter()?;
        let messages = tempfile::NamedTempFile::new_in(interpreter.scratch())
            .map_err(|e| Error::io("make a file in", interpreter.scratch(), &e))?;
        let stderr = messages
            .reopen()
            .map_err(|e| Error::io("open", messages.path(), &e))?;
        let failed = |what: String| {
            let said = fs::read_to_string(messages.path()).unwrap_or_default();
            Error::environment(
                format!(
                    "the image's Python cannot compile {label}: {what} {}",
                    said.trim()
                )
                .trim_end()
                .to_owned(),
                "byte code is made on x86-64 Linux only; on such a machine, report this as a defect of synapse-site",
            )
        };
        let mut child = interpreter
            .command(PROGRAM)
            .stderr(stderr)
            .spawn()
            .map_err(|e| failed(e.to_string()))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed("it has no pipes".into()));
        };
        let (paths, queue) = mpsc::channel::<String>();
        let (fed, received) = std::thread::scope(|scope| {
            let reader = scope.spawn(move || receive(BufReader::new(stdout), &queue, tag, tar));
            let fed = feed(package, selection, stdin, &paths);
            // The reader ends when there are no more paths, the interpreter when there is no more input.
            drop(paths);
            if fed.is_err() {
                // It may have ended by itself; then there is nothing left to end.
                let _ended = child.kill();
            }
            (
                fed,
                reader
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            )
        });
        let status = child.wait().map_err(|e| failed(e.to_string()))?;
        match fed {
            Err(Feed::Other(error)) => Err(error),
            Err(Feed::Pipe(error)) => Err(failed(format!("{error} ({status})"))),
            Ok(()) => {
                received.map_err(|e| failed(format!("{e} ({status})")))?;
                if status.success() {
                    Ok(())
                } else {
                    Err(failed(status.to_string()))
                }
            }
        }
    }
}

/// Why feeding ended.
enum Feed {
    Pipe(io::Error),
    Other(Error),
}

fn feed(
    package: &dyn Package,
    selection: &Selection<'_>,
    stdin: impl Write,
    paths: &mpsc::Sender<String>,
) -> std::result::Result<(), Feed> {
    let mut stdin = BufWriter::with_capacity(64 << 10, stdin);
    let mut broken = None;
    let walked = package.walk(&mut |entry, content| {
        interrupt::check()?;
        if !selection.takes(entry) {
            return Ok(());
        }
        let mut source = Vec::new();
        content
            .read_to_end(&mut source)
            .map_err(|e| tarball::refuse(&package.label(), &entry.path, &e.to_string()))?;
        // The path that a traceback in the container shows.
        let path = format!("/{}", entry.path);
        let mut request = Vec::with_capacity(8);
        request.extend((path.len() as u32).to_le_bytes());
        request.extend((source.len() as u32).to_le_bytes());
        let sent = [request.as_slice(), path.as_bytes(), &source]
            .into_iter()
            .try_for_each(|part| stdin.write_all(part));
        if paths.send(entry.path.clone()).is_err() || sent.is_err() {
            broken = Some(
                sent.err()
                    .unwrap_or_else(|| io::ErrorKind::BrokenPipe.into()),
            );
            return Err(Error::Interrupted);
        }
        Ok(())
    });
    if let Some(broken) = broken {
        return Err(Feed::Pipe(broken));
    }
    walked.map_err(Feed::Other)?;
    stdin.flush().map_err(Feed::Pipe)
}

fn receive(
    mut stdout: impl Read,
    paths: &mpsc::Receiver<String>,
    tag: &str,
    tar: &mut tar::Builder<Hashing<BufWriter<Pending>>>,
) -> io::Result<()> {
    for path in paths {
        let mut head = [0; 5];
        stdout.read_exact(&mut head)?;
        let [compiled, length @ ..] = head;
        if compiled == 0 {
            continue;
        }
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        let length = u64::from(u32::from_le_bytes(length));
        let mut pyc = Vec::new();
        if (&mut stdout).take(length).read_to_end(&mut pyc)? as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        header.set_size(length);
        tar.append_data(&mut header, pyc_path(&path, tag), pyc.as_slice())?;
    }
    Ok(())
}

/// `a/b.py` → `a/__pycache__/b.cpython-313.pyc`.
fn pyc_path(path: &str, tag: &str) -> String {
    let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
    format!(
        "{dir}/__pycache__/{}.{tag}.pyc",
        name.strip_suffix(".py").unwrap_or(name)
    )
}

/// Whether an object in the cache is what was written there.
fn is_whole(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let Some(length) = file.metadata()?.len().checked_sub(DIGEST) else {
        return Ok(false);
    };
    let found = hash::sha256(&mut (&mut file).take(length))?;
    let mut digest = [0; DIGEST as usize];
    file.read_exact(&mut digest)?;
    Ok(found == hash::hex(&digest))
}

/// A package with the byte code of its modules.
#[derive(Debug, Clone)]
pub struct Compiled<P> {
    package: P,
    path: PathBuf,
    name: String,
    tag: String,
    import_path: Vec<String>,
}

impl<P> Compiled<P> {
    /// The package alone.
    pub fn inner(&self) -> &P {
        &self.package
    }

    /// Whether a member is byte code that came with the package. Ours takes its place: it has no time of a build in it.
    fn is_replaced(&self, path: &str) -> bool {
        path.ends_with(&format!(".{}.pyc", self.tag))
            && path.contains("/__pycache__/")
            && self
                .import_path
                .iter()
                .any(|dir| path.starts_with(dir.as_str()))
    }
}

impl<P: Package> Package for Compiled<P> {
    fn label(&self) -> String {
        self.package.label()
    }

    fn key(&self) -> String {
        format!("{}+bytecode:{}", self.package.key(), self.name)
    }

    /// The package's own members, then the byte code in the order of its modules.
    fn walk(&self, visit: &mut Visit<'_>) -> Result<()> {
        self.package.walk(&mut |entry, content| {
            if self.is_replaced(&entry.path) {
                Ok(())
            } else {
                visit(entry, content)
            }
        })?;
        let file = File::open(&self.path).map_err(|e| Error::io("open", &self.path, &e))?;
        let length = file
            .metadata()
            .map_err(|e| Error::io("read", &self.path, &e))?
            .len();
        let stream = BufReader::new(file).take(length.saturating_sub(DIGEST));
        let mut made = BTreeSet::new();
        tarball::walk(
            &format!("{} (byte code)", self.label()),
            stream,
            LIMITS,
            &mut |entry, content| {
                let dir = entry.path.rsplit_once('/').map_or("", |(dir, _)| dir);
                if !made.contains(dir) {
                    made.insert(dir.to_owned());
                    let entry = Entry {
                        path: dir.to_owned(),
                        mode: 0o755,
                        uid: 0,
                        gid: 0,
                        kind: Kind::Directory,
                    };
                    visit(&entry, &mut io::empty())?;
                }
                visit(entry, content)
            },
        )
    }
}
