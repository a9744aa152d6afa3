//! The directory of the secrets, held open: what is looked at, written and removed afterwards lies in this one, whatever happens to
//! its path. A secret appears in it complete or not at all, and what a killed run left is removed by the next.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::is_valid_name;
use crate::error::{Error, Result};
use crate::files::{self, Links, Unread};
use crate::launch::{Make, Secret};

/// Only the owner may enter the directory, which keeps other users of the host away from the files in it.
const MODE: u32 = 0o700;
/// Containers run as numeric users that own nothing on the host, and read the files through bind mounts.
pub const FILE_MODE: u32 = 0o444;

/// Where a file system has no files without names, a secret has this name and a few random characters before it is complete.
const MARK: &str = "synapse-site-";
const END: &str = ".new";
const MARK_RANDOM: usize = 12;
/// Earlier versions had no mark, and this many random characters.
const EARLIER_RANDOM: usize = 6;
/// Another run may take a temporary file for a leftover; it does so once.
const ATTEMPTS: usize = 16;

/// The directory, which belongs to the running user and which nobody else may enter.
pub struct Directory {
    file: File,
    path: PathBuf,
}

impl Directory {
    /// Creates the directory, or makes sure that nobody else can have put it there or look into it.
    pub fn open(path: &Path, warnings: &mut Vec<String>) -> Result<Self> {
        // Without a slash at the end, which would lead through a link.
        let path: PathBuf = path.components().collect();
        match DirBuilder::new().mode(MODE).create(&path) {
            Ok(()) => sync_parent(&path)?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io("create the directory", &path, &error)),
        }
        let found = fs::symlink_metadata(&path).map_err(|error| Error::io("look at", &path, &error))?;
        let refuse = |what: String, remedy: &str| Err(Error::environment(format!("{}{what}", path.display()), remedy));
        if found.file_type().is_symlink() {
            return refuse(" is a symbolic link, and secrets are not written through one".into(), "name the directory itself, or remove the link");
        }
        if !found.is_dir() {
            return refuse(" is not a directory".into(), "name a directory, or remove the file");
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file: File = rustix::fs::open(&path, flags, Mode::empty()).map_err(|error| Error::io("open", &path, &error.into()))?.into();
        let found = file.metadata().map_err(|error| Error::io("look at", &path, &error))?;
        let own = rustix::process::geteuid().as_raw();
        if found.uid() != own {
            return refuse(
                format!(" belongs to user {} and not to you (user {own})", found.uid()),
                "run this as its owner (in a container: `--user $(id -u):$(id -g)`), or name another directory",
            );
        }
        let mode = found.mode() & 0o7777;
        if mode != MODE {
            // An empty one has given nothing away; the container engine makes such for `docker compose run`.
            let is_empty = fs::read_dir(&path).map_err(|error| Error::io("read", &path, &error))?.next().is_none();
            file.set_permissions(Permissions::from_mode(MODE)).map_err(|error| Error::io("change the permissions of", &path, &error))?;
            if !is_empty {
                warnings.push(changed(&path, mode, MODE));
            }
        }
        Ok(Self { file, path })
    }

    /// Where a file of that name lies, for messages.
    pub fn shown(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a file for reading, and no link.
    pub fn file(&self, name: &str) -> std::result::Result<File, Unread> {
        files::open_at(&self.file, Path::new(name), Links::Refuse)
    }

    /// Removes what a killed run left, and says so.
    pub fn sweep(&self, secrets: &[Secret], warnings: &mut Vec<String>) -> Result<()> {
        let swept = files::sweep(&self.file, |name| is_leftover(name, secrets)).map_err(|error| Error::io("remove leftovers in", &self.path, &error))?;
        warnings.extend(swept.iter().map(|name| format!("{}, left by a run that was killed, is removed", self.shown(name).display())));
        Ok(())
    }

    /// Puts a complete file in place unless there is one already; says whether it did.
    pub fn write_new(&self, name: &str, value: &[u8]) -> Result<bool> {
        let written = match self.write_unnamed(name, value) {
            Ok(None) => self.write_named(name, value),
            Ok(Some(done)) => Ok(done),
            Err(error) => Err(error),
        };
        written.map_err(|error| Error::io("write", &self.shown(name), &error))
    }

    /// Makes everything that was written survive a power failure.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(|error| Error::io("write", &self.path, &error))
    }

    /// Through a file that has no name until it is complete, so that a kill leaves nothing. Nothing where the file system has no
    /// such files, or no way to name one.
    #[cfg(target_os = "linux")]
    fn write_unnamed(&self, name: &str, value: &[u8]) -> io::Result<Option<bool>> {
        use std::os::fd::AsRawFd as _;

        use rustix::fs::{AtFlags, CWD};
        use rustix::io::Errno;

        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let Ok(file) = rustix::fs::openat(&self.file, ".", flags, Mode::RUSR | Mode::WUSR) else { return Ok(None) };
        let file: File = file.into();
        complete(&file, value)?;
        // By /proc, since naming the descriptor itself asks for a capability (open(2), O_TMPFILE).
        let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
        match rustix::fs::linkat(CWD, unnamed, &self.file, name, AtFlags::SYMLINK_FOLLOW) {
            Ok(()) => Ok(Some(true)),
            Err(Errno::EXIST) => Ok(Some(false)),
            Err(_) => Ok(None),
        }
    }

    /// Only Linux has files without names.
    #[cfg(not(target_os = "linux"))]
    fn write_unnamed(&self, _name: &str, _value: &[u8]) -> io::Result<Option<bool>> {
        Ok(None)
    }

    fn write_named(&self, name: &str, value: &[u8]) -> io::Result<bool> {
        let prefix = format!(".{name}.{MARK}");
        let mut attempts = 0;
        loop {
            attempts += 1;
            let file = tempfile::Builder::new().prefix(&prefix).suffix(END).rand_bytes(MARK_RANDOM).tempfile_in(&self.path)?;
            complete(file.as_file(), value)?;
            match file.persist_noclobber(self.path.join(name)) {
                Ok(_) => return Ok(true),
                Err(error) if error.error.kind() == ErrorKind::AlreadyExists => return Ok(false),
                Err(error) if error.error.kind() == ErrorKind::NotFound && attempts < ATTEMPTS => {}
                Err(error) => return Err(error.error),
            }
        }
    }
}

/// What a warning says of permissions that were put right.
pub fn changed(path: &Path, wrong: u32, right: u32) -> String {
    format!("{} had the permissions {wrong:04o}; they are {right:04o} now", path.display())
}

fn complete(mut file: &File, value: &[u8]) -> io::Result<()> {
    file.write_all(value)?;
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    file.sync_all()
}

/// Makes a new directory survive a power failure.
fn sync_parent(path: &Path) -> Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match File::open(parent) {
        Ok(parent) => parent.sync_all(),
        // One may be allowed to write into a directory and not to read it; then this is left to the system.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
    .map_err(|error| Error::io("write", parent, &error))
}

/// Whether this or an earlier version gives a temporary file this name. An earlier one gave names that a person could choose, such as
/// `.macaroon.backup.new`, so only those count that look random and belong to a secret which the program makes.
fn is_leftover(name: &str, secrets: &[Secret]) -> bool {
    let Some((secret, random)) = name.strip_prefix('.').and_then(|name| name.strip_suffix(END)).and_then(|name| name.rsplit_once('.')) else { return false };
    let is_random = |text: &str, length: usize| text.len() == length && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if let Some(random) = random.strip_prefix(MARK) {
        return is_valid_name(secret) && is_random(random, MARK_RANDOM);
    }
    let is_made = secrets.iter().any(|known| known.name == secret && known.make != Make::Bring);
    is_made && is_random(random, EARLIER_RANDOM) && random.bytes().any(|byte| !byte.is_ascii_lowercase())
}
