//! What has been fetched or made before. A directory of packages by SHA-256 and of named objects (layers, byte code), into
//! which a file only ever gets whole, by a rename; any number of processes may share it, and any of them may be killed.
//! It can be deleted at any time and is filled again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::{NamedTempFile, TempDir};

use super::hash;
use crate::error::{Error, Result};

/// The environment variable that names the cache directory.
pub const VARIABLE: &str = "SYNAPSE_SITE_CACHE";

/// How old an abandoned temporary file must be before it is swept away. Its owner's lock protects it, too; the age is for
/// the moment between making and locking it.
const ABANDONED: Duration = Duration::from_secs(600);

/// The name of the file whose lock says that a temporary directory is in use.
const LOCK: &str = ".lock";

/// See <https://bford.info/cachedir/>: backup programs skip a directory with this file.
const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n# Files that synapse-site fetched or made; it makes them anew when they are gone.\n";

/// A cache directory.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// Opens a cache, making it if need be: the given directory, or `$SYNAPSE_SITE_CACHE`, or
    /// `$XDG_CACHE_HOME/synapse-site`, or `~/.cache/synapse-site`.
    ///
    /// # Errors
    /// An environment error when there is no such place or it cannot be written to.
    pub fn open(dir: Option<PathBuf>) -> Result<Self> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let root = dir
            .or_else(|| std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from))
            .or_else(|| absolute("XDG_CACHE_HOME").map(|path| path.join("synapse-site")))
            .or_else(|| absolute("HOME").map(|path| path.join(".cache/synapse-site")))
            .ok_or_else(|| Error::environment("there is no place for the cache: HOME is not set", format!("set {VARIABLE} to a directory")))?;
        for part in ["packages", "tmp"] {
            let path = root.join(part);
            fs::create_dir_all(&path).map_err(|e| Error::io("make the cache directory", &path, &e))?;
        }
        // Programs that are started with a path in the cache run in other working directories.
        let root = fs::canonicalize(&root).map_err(|e| Error::io("open the cache", &root, &e))?;
        let tag = root.join("CACHEDIR.TAG");
        if !tag.exists() {
            fs::write(&tag, TAG).map_err(|e| Error::io("write", &tag, &e))?;
        }
        let cache = Self { root };
        cache.sweep()?;
        Ok(cache)
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The package with that SHA-256, if it is here. Its content is not looked at: who reads it, does.
    pub fn package(&self, sha256: &str) -> Option<PathBuf> {
        let path = self.package_path(sha256)?;
        path.is_file().then_some(path)
    }

    /// The package with that SHA-256, if it is here and has it; a file with another content is removed.
    ///
    /// # Errors
    /// An environment error when the file cannot be read or removed.
    pub fn verified(&self, sha256: &str) -> Result<Option<PathBuf>> {
        let Some(path) = self.package(sha256) else {
            return Ok(None);
        };
        let found = match hash::sha256_file(&path) {
            Ok(found) => found,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io("read", &path, &e)),
        };
        if found == sha256 {
            return Ok(Some(path));
        }
        remove(&path)?;
        Ok(None)
    }

    /// Moves a file of this cache's temporary directory to where [`Cache::package`] finds it, if it has that SHA-256.
    ///
    /// # Errors
    /// An environment error when it has not, or cannot be moved.
    pub fn insert(&self, file: &Path, sha256: &str) -> Result<PathBuf> {
        let meta = fs::symlink_metadata(file).map_err(|e| Error::io("look at", file, &e))?;
        if !meta.is_file() {
            return Err(Error::environment(format!("{} is not a plain file", file.display()), "report this as a defect of synapse-site"));
        }
        let found = hash::sha256_file(file).map_err(|e| Error::io("read", file, &e))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let Some(path) = self.package_path(sha256).filter(|_| found == sha256) else {
            return Err(Error::environment(
                format!("{name} was fetched and is not the locked file: its SHA-256 is {found}, the lock has {sha256}"),
                "try again, and if it stays so, ask who runs the mirror: somebody replaced a published file",
            ));
        };
        make_parent(&path)?;
        fs::set_permissions(file, fs::Permissions::from_mode(0o644)).map_err(|e| Error::io("open up", file, &e))?;
        fs::rename(file, &path).map_err(|e| Error::io("move a package to", &path, &e))?;
        Ok(path)
    }

    /// The object of that kind and name, if it is here.
    pub fn object(&self, kind: &str, name: &str) -> Option<PathBuf> {
        let path = self.object_path(kind, name).ok()?;
        path.is_file().then_some(path)
    }

    /// Begins an object; it appears under its name when [`Pending::commit`] is called, and not before.
    ///
    /// # Errors
    /// An environment error when the name is no plain file name or the disk refuses.
    pub fn create(&self, kind: &str, name: &str) -> Result<Pending> {
        let target = self.object_path(kind, name)?;
        make_parent(&target)?;
        let tmp = self.root.join("tmp");
        let file =
            tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o644)).tempfile_in(&tmp).map_err(|e| Error::io("make a file in", &tmp, &e))?;
        file.as_file().lock().map_err(|e| Error::io("lock", file.path(), &e))?;
        Ok(Pending { file, target })
    }

    /// Removes an object, for whoever finds it damaged.
    ///
    /// # Errors
    /// An environment error when the disk refuses.
    pub fn remove(&self, kind: &str, name: &str) -> Result<()> {
        remove(&self.object_path(kind, name)?)
    }

    /// A temporary directory in the cache, so that what is made there can be moved into it. It goes with the value, or
    /// with a later run's sweep.
    ///
    /// # Errors
    /// An environment error when the disk refuses.
    pub fn scratch(&self) -> Result<Scratch> {
        let tmp = self.root.join("tmp");
        let dir = TempDir::new_in(&tmp).map_err(|e| Error::io("make a directory in", &tmp, &e))?;
        let path = dir.path().join(LOCK);
        let lock = File::create(&path).map_err(|e| Error::io("make", &path, &e))?;
        lock.lock().map_err(|e| Error::io("lock", &path, &e))?;
        Ok(Scratch { dir, _lock: lock })
    }

    /// Waits for its turn among all processes with something that only one may do at a time. The lock goes with the value.
    ///
    /// # Errors
    /// An environment error when the disk refuses.
    pub fn turn(&self, name: &str) -> Result<File> {
        let path = self.object_path("locks", name)?;
        make_parent(&path)?;
        let file = File::create(&path).map_err(|e| Error::io("make", &path, &e))?;
        file.lock().map_err(|e| Error::io("lock", &path, &e))?;
        Ok(file)
    }

    /// Removes what killed processes left behind.
    fn sweep(&self) -> Result<()> {
        let tmp = self.root.join("tmp");
        let entries = fs::read_dir(&tmp).map_err(|e| Error::io("read", &tmp, &e))?;
        for entry in entries {
            let path = entry.map_err(|e| Error::io("read", &tmp, &e))?.path();
            match abandoned(&path) {
                // Somebody else's sweep was faster, or its owner finished.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(Error::io("look at", &path, &e)),
                Ok(false) => {}
                Ok(true) if path.is_dir() => match fs::remove_dir_all(&path) {
                    Err(e) if e.kind() != io::ErrorKind::NotFound => {
                        return Err(Error::io("remove", &path, &e));
                    }
                    _ => {}
                },
                Ok(true) => remove(&path)?,
            }
        }
        Ok(())
    }

    fn package_path(&self, sha256: &str) -> Option<PathBuf> {
        hash::is_sha256(sha256).then(|| self.root.join("packages").join(&sha256[..2]).join(sha256))
    }

    fn object_path(&self, kind: &str, name: &str) -> Result<PathBuf> {
        for part in [kind, name] {
            let plain = part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b));
            if !plain || part.is_empty() || part.starts_with('.') || part.len() > 200 {
                return Err(Error::environment(format!("`{part}` cannot be the name of something in the cache"), "report this as a defect of synapse-site"));
            }
        }
        Ok(self.root.join(kind).join(name))
    }
}

/// An object that is being written. Dropped without [`Pending::commit`], it leaves nothing behind.
#[derive(Debug)]
pub struct Pending {
    file: NamedTempFile,
    target: PathBuf,
}

impl Pending {
    /// Puts the object under its name. A reader sees all of it or none of it, also after a power failure.
    ///
    /// # Errors
    /// An environment error when the disk refuses.
    pub fn commit(self) -> Result<PathBuf> {
        let Self { file, target } = self;
        file.as_file().sync_data().map_err(|e| Error::io("write", &target, &e))?;
        file.persist(&target).map_err(|e| Error::io("write", &target, &e.error))?;
        Ok(target)
    }
}

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A temporary directory; see [`Cache::scratch`].
#[derive(Debug)]
pub struct Scratch {
    dir: TempDir,
    _lock: File,
}

impl Scratch {
    /// The directory. It holds one hidden file, its lock.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Whether a temporary file or directory is old and its lock is free.
fn abandoned(path: &Path) -> io::Result<bool> {
    let meta = fs::symlink_metadata(path)?;
    let age = SystemTime::now().duration_since(meta.modified()?).unwrap_or_default();
    if age < ABANDONED {
        return Ok(false);
    }
    let lock = if meta.is_dir() { path.join(LOCK) } else { path.to_owned() };
    let file = match File::open(&lock) {
        // Killed between making the directory and its lock.
        Err(e) if e.kind() == io::ErrorKind::NotFound && meta.is_dir() => return Ok(true),
        other => other?,
    };
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(fs::TryLockError::WouldBlock) => Ok(false),
        Err(fs::TryLockError::Error(e)) => Err(e),
    }
}

fn make_parent(path: &Path) -> Result<()> {
    match path.parent() {
        Some(parent) => fs::create_dir_all(parent).map_err(|e| Error::io("make the cache directory", parent, &e)),
        None => Ok(()),
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path, &e)),
        _ => Ok(()),
    }
}
