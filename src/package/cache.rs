//! What has been fetched or made before. A directory of packages by SHA-256 and of named objects (layers, byte code), into
//! which a file only ever gets whole, by a rename; any number of processes may share it, and any of them may be killed.
//! It can be deleted at any time and is filled again.

mod claim;

use std::fs;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, openat};
use tempfile::NamedTempFile;

use crate::error::{Error, Result};
use crate::scratch::{self, Scratch};
use crate::{hash, plain};

/// The environment variable that names the cache directory.
pub const VARIABLE: &str = "SYNAPSE_SITE_CACHE";

/// Where files are until they are whole.
const TMP: &str = "tmp";

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
    /// An environment error when there is no such place, it is not a cache of this program and holds something, or the disk
    /// refuses. Nothing in a directory that is not a cache is made, changed or removed.
    pub fn open(dir: Option<PathBuf>) -> Result<Self> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let root = dir
            .or_else(|| std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from))
            .or_else(|| absolute("XDG_CACHE_HOME").map(|path| path.join("synapse-site")))
            .or_else(|| absolute("HOME").map(|path| path.join(".cache/synapse-site")))
            .ok_or_else(|| Error::environment("there is no place for the cache: HOME is not set", format!("set {VARIABLE} to a directory")))?;
        let (root, dir) = claim::claim(&root)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let tmp = openat(&dir, TMP, flags, Mode::empty()).map_err(|errno| Error::io("open", &root.join(TMP), &errno.into()))?;
        scratch::sweep(tmp.as_fd(), scratch::Names::FormerToo);
        Ok(Self { root })
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The package with that SHA-256, if it is here. Its content is not looked at: who reads it, does.
    pub fn package(&self, sha256: &str) -> Option<PathBuf> {
        let path = self.package_path(sha256)?;
        plain::is_here(&path).then_some(path)
    }

    /// The package with that SHA-256, if it is here and has it; a file with another content is removed.
    ///
    /// # Errors
    /// An environment error when the file cannot be read or removed.
    pub fn verified(&self, sha256: &str) -> Result<Option<PathBuf>> {
        let Some(path) = self.package_path(sha256) else {
            return Ok(None);
        };
        let unreadable = |e: io::Error| Error::io("read", &path, &e);
        let Some(mut file) = plain::open(&path).map_err(unreadable)? else {
            return Ok(None);
        };
        if hash::sha256(&mut file).map_err(unreadable)? == sha256 {
            return Ok(Some(path));
        }
        plain::remove(&path).map_err(|e| Error::io("remove", &path, &e))?;
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
        self.make_parent(&path)?;
        plain::make_room(&path).map_err(|e| Error::io("remove", &path, &e))?;
        fs::set_permissions(file, fs::Permissions::from_mode(0o644)).map_err(|e| Error::io("open up", file, &e))?;
        fs::rename(file, &path).map_err(|e| Error::io("move a package to", &path, &e))?;
        Ok(path)
    }

    /// The object of that kind and name, if it is here.
    pub fn object(&self, kind: &str, name: &str) -> Option<PathBuf> {
        let path = self.object_path(kind, name).ok()?;
        plain::is_here(&path).then_some(path)
    }

    /// Begins an object; it appears under its name when [`Pending::commit`] is called, and not before.
    ///
    /// # Errors
    /// An environment error when the name is no plain file name or the disk refuses.
    pub fn create(&self, kind: &str, name: &str) -> Result<Pending> {
        let target = self.object_path(kind, name)?;
        self.make_parent(&target)?;
        let file = scratch::file(&self.root.join(TMP))?;
        Ok(Pending { file, target })
    }

    /// Removes an object, for whoever finds it damaged.
    ///
    /// # Errors
    /// An environment error when the disk refuses.
    pub fn remove(&self, kind: &str, name: &str) -> Result<()> {
        let path = self.object_path(kind, name)?;
        plain::remove(&path).map_err(|e| Error::io("remove", &path, &e))
    }

    /// A temporary directory in the cache, so that what is made there can be moved into it. It goes with the value, or
    /// with a later run's sweep.
    ///
    /// # Errors
    /// An environment error when the disk refuses.
    pub fn scratch(&self) -> Result<Scratch> {
        Scratch::new_in(&self.root.join(TMP))
    }

    /// Makes the directories between the cache's own and a file of it.
    fn make_parent(&self, path: &Path) -> Result<()> {
        let between: Vec<&Path> = path.ancestors().skip(1).take_while(|dir| *dir != self.root).collect();
        between.into_iter().rev().try_for_each(|dir| plain::directory(dir).map_err(|e| Error::io("make the cache directory", dir, &e)))
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
        plain::make_room(&target).map_err(|e| Error::io("remove", &target, &e))?;
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
