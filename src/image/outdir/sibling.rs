//! The hidden directory beside an output directory in which a build works: `.out.synapse-site.RANDOM`. Only its owner can list
//! it, so nobody else can hold its lock. It holds `content`, which is the new directory before the exchange and the old one
//! after it, and `outputs.json`, the names that the build writes at the top; other names in `content` are the user's.
//!
//! The version before had one sibling of a fixed name, `.out.synapse-site`, that was itself the content.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;

use super::{disk, exists, names, names_if_there, parent};
use crate::error::{Error, Result};
use crate::files;

/// What every sibling's name has after the directory's.
const SUFFIX: &str = ".synapse-site";
const CONTENT: &str = "content";
const RECORD: &str = "outputs.json";
/// Letters and digits at the end of a name, which nobody can guess.
const RANDOM: usize = 10;
/// How often a place is claimed before it counts as taken: builds that begin at the same moment see each other.
const ATTEMPTS: u32 = 10;

/// A sibling whose lock is held as long as the value lives.
#[derive(Debug)]
pub struct Sibling {
    target: PathBuf,
    path: PathBuf,
    content: PathBuf,
    /// Names at the top that belong to the tool; everything else belongs to the user.
    outputs: Vec<String>,
    lock: File,
}

/// Makes a sibling that no other build has, and takes over those whose owners are dead.
///
/// Each build makes and locks its own first and looks for others then; so of two builds at least one sees the other and
/// withdraws.
pub fn claim(target: &Path, outputs: &[&str]) -> Result<(Sibling, Vec<Sibling>)> {
    for _ in 0..ATTEMPTS {
        if let Some(own) = Sibling::make(target, outputs)? {
            match own.dead()? {
                Some(dead) => return Ok((own, dead)),
                None => own.withdraw(),
            }
        }
        let wait = getrandom::u32().unwrap_or(0) % 20_000;
        std::thread::sleep(Duration::from_micros(wait.into()));
    }
    Err(busy(target))
}

impl Sibling {
    fn make(target: &Path, outputs: &[&str]) -> Result<Option<Self>> {
        let parent = parent(target);
        let mut prefix = fixed_name(target);
        prefix.push(".");
        let made = tempfile::Builder::new().prefix(&prefix).rand_bytes(RANDOM).permissions(Permissions::from_mode(0o700)).tempdir_in(&parent);
        let made = made.map_err(|error| Error::io("create a directory in", &parent, &error))?;
        let Locked::Free(lock) = try_lock(made.path(), FlockOperation::NonBlockingLockExclusive)? else { return Ok(None) };
        let path = made.keep();
        let outputs = outputs.iter().map(|&name| name.to_owned()).collect();
        Ok(Some(Self { target: target.to_owned(), content: path.join(CONTENT), path, outputs, lock }))
    }

    /// Takes the others for the same target that are this user's, or nothing if one of them is in use.
    fn dead(&self) -> Result<Option<Vec<Self>>> {
        let owner = self.owner()?;
        let mut dead = Vec::new();
        for candidate in candidates(&self.target, owner)? {
            if candidate == self.path {
                continue;
            }
            match try_lock(&candidate, FlockOperation::NonBlockingLockExclusive)? {
                Locked::Gone => {}
                Locked::Taken => return Ok(None),
                Locked::Free(lock) => dead.push(Self::found(&self.target, candidate, &self.outputs, lock)?),
            }
        }
        Ok(Some(dead))
    }

    fn found(target: &Path, path: PathBuf, outputs: &[String], lock: File) -> Result<Self> {
        let (content, outputs) = if is_random(&path) {
            let content = path.join(CONTENT);
            let outputs = if exists(&content)? { recorded(&path)? } else { Vec::new() };
            (content, outputs)
        } else {
            (path.clone(), outputs.to_owned())
        };
        Ok(Self { target: target.to_owned(), path, content, outputs, lock })
    }

    /// Removes what was made and not used.
    fn withdraw(self) {
        drop(fs::remove_dir(&self.path));
    }

    /// Makes the directory to write into. The names are on the disk before it: where it is, they are.
    pub fn prepare(&self) -> Result<()> {
        let record = self.record();
        fs::write(&record, serde_json::json!(self.outputs).to_string()).map_err(|error| Error::io("write", &record, &error))?;
        disk::sync(&record)?;
        disk::sync(&self.path)?;
        fs::create_dir(&self.content).map_err(|error| Error::io("create", &self.content, &error))
    }

    /// Puts a link to each entry into the new directory, which leads to where the entry lies after the exchange.
    pub fn link(&self, entries: &[OsString]) -> Result<()> {
        for name in entries {
            let link = self.content.join(name);
            symlink(self.link_to(name), &link).map_err(|error| Error::io("create the link", &link, &error))?;
        }
        // Other users follow the links, too; without the right to read it they still cannot hold its lock.
        fs::set_permissions(&self.path, Permissions::from_mode(0o711)).map_err(|error| Error::io("set the mode of", &self.path, &error))?;
        disk::sync(&self.content)?;
        disk::sync(&self.path)
    }

    /// What the link to an entry reads.
    fn link_to(&self, name: &OsStr) -> PathBuf {
        Path::new("..").join(self.path.file_name().unwrap_or_default()).join(CONTENT).join(name)
    }

    /// Whether the entry of that name in a directory is the link to it that this sibling's build made.
    pub fn is_link(&self, directory: &Path, name: &OsStr) -> bool {
        fs::read_link(directory.join(name)).is_ok_and(|text| text == self.link_to(name))
    }

    /// Whether builds write this name.
    pub fn is_output(&self, name: &OsStr) -> bool {
        self.outputs.iter().any(|output| OsStr::new(output) == name)
    }

    /// The entries in it that are the user's, by name.
    pub fn users(&self) -> Result<Vec<OsString>> {
        let names = names_if_there(&self.content)?.unwrap_or_default();
        Ok(names.into_iter().filter(|name| !self.is_output(name) && !self.is_link(&self.content, name)).collect())
    }

    /// The directory that it is for.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Its own path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The new directory before the exchange, the old one after it.
    pub fn content(&self) -> &Path {
        &self.content
    }

    /// The file with the names of the outputs.
    pub fn record(&self) -> PathBuf {
        self.path.join(RECORD)
    }

    /// The user to whom the file system gave it.
    pub fn owner(&self) -> Result<u32> {
        self.lock.metadata().map(|found| found.uid()).map_err(|error| Error::io("look at", &self.path, &error))
    }
}

/// Whether a path is the content of a sibling.
pub fn is_inside(path: &Path) -> bool {
    path.file_name() == Some(OsStr::new(CONTENT)) && path.parent().is_some_and(is_random)
}

/// The links in a directory that builds made which have not ended.
pub fn links(target: &Path) -> Result<Vec<PathBuf>> {
    let is_link = |name: &OsStr| {
        let text = fs::read_link(target.join(name)).ok()?;
        let content = text.parent()?;
        let sibling = content.parent()?;
        let found = text.file_name() == Some(name) && is_inside(content) && sibling.parent() == Some(Path::new(".."));
        found.then_some(())
    };
    let names = names_if_there(target)?.unwrap_or_default();
    Ok(names.into_iter().filter(|name| is_link(name).is_some()).map(|name| target.join(name)).collect())
}

/// A place with entries of the user that belong into `target`, left by a build that was killed.
///
/// # Errors
/// An environment failure when a build is writing now.
pub fn unfinished(target: &Path, outputs: &[&str]) -> Result<Option<PathBuf>> {
    if let Some(link) = links(target)?.into_iter().next() {
        let text = fs::read_link(&link).map_err(|error| Error::io("read", &link, &error))?;
        return Ok(Some(target.join(text)));
    }
    let outputs: Vec<String> = outputs.iter().map(|&name| name.to_owned()).collect();
    let owner = fs::metadata(target).map_err(|error| Error::io("look at", target, &error))?.uid();
    for candidate in candidates(target, owner)? {
        match try_lock(&candidate, FlockOperation::NonBlockingLockShared) {
            // Another user's, without links to it: nothing of the directory is there.
            Err(_) | Ok(Locked::Gone) => {}
            Ok(Locked::Taken) => return Err(busy(target)),
            Ok(Locked::Free(lock)) => {
                let found = Sibling::found(target, candidate, &outputs, lock)?;
                if let Some(name) = found.users()?.first() {
                    return Ok(Some(found.content.join(name)));
                }
            }
        }
    }
    Ok(None)
}

/// The sibling of the version before, and the beginning of every other's name.
fn fixed_name(target: &Path) -> OsString {
    let mut hidden = OsString::from(".");
    hidden.push(target.file_name().unwrap_or_default());
    hidden.push(SUFFIX);
    hidden
}

/// Whether a path ends as the siblings' names do.
fn is_random(path: &Path) -> bool {
    let Some(name) = path.file_name() else { return false };
    let bytes = name.as_bytes();
    let Some((start, random)) = bytes.split_at_checked(bytes.len().saturating_sub(RANDOM)) else { return false };
    let Some(start) = start.strip_suffix(b".") else { return false };
    start.starts_with(b".") && start.ends_with(SUFFIX.as_bytes()) && random.len() == RANDOM && random.iter().all(u8::is_ascii_alphanumeric)
}

/// The siblings of a directory that are this user's: directories and no links, of that owner, and closed to writing by others.
fn candidates(target: &Path, owner: u32) -> Result<Vec<PathBuf>> {
    let (parent, fixed) = (parent(target), fixed_name(target));
    let is_named = |name: &OsStr| {
        let rest = name.as_bytes().strip_prefix(fixed.as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || rest.len() == RANDOM + 1 && is_random(Path::new(name)))
    };
    let is_own = |path: &Path| {
        // Directories of the version before have whatever mode the umask gave.
        let closed = |mode: u32| mode & 0o022 == 0 || !is_random(path);
        fs::symlink_metadata(path).is_ok_and(|found| found.is_dir() && found.uid() == owner && closed(found.mode()))
    };
    let found = names(&parent)?.into_iter().filter(|name| is_named(name)).map(|name| parent.join(name));
    Ok(found.filter(|path| is_own(path)).collect())
}

fn recorded(path: &Path) -> Result<Vec<String>> {
    let record = path.join(RECORD);
    let text = files::read(&record, files::LARGEST).map_err(|problem| problem.error("read", &record))?;
    serde_json::from_slice(&text).map_err(|error| {
        Error::environment(
            format!("{} is not what a build writes: {error}", record.display()),
            "a killed build left this directory: take your files out of it, remove it, and build again",
        )
    })
}

enum Locked {
    Free(File),
    Taken,
    /// It is no longer there, or another directory has its name.
    Gone,
}

fn try_lock(path: &Path, how: FlockOperation) -> Result<Locked> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let lock: File = match open(path, flags, Mode::empty()) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(Locked::Gone),
        other => other.map_err(|error| Error::io("open", path, &error.into()))?.into(),
    };
    match flock(&lock, how) {
        Err(Errno::WOULDBLOCK) => return Ok(Locked::Taken),
        other => other.map_err(|error| Error::io("lock", path, &error.into()))?,
    }
    Ok(if same_file(&lock, path)? { Locked::Free(lock) } else { Locked::Gone })
}

fn same_file(open: &File, path: &Path) -> Result<bool> {
    let one = open.metadata().map_err(|error| Error::io("look at", path, &error))?;
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        other => {
            let other = other.map_err(|error| Error::io("look at", path, &error))?;
            Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
        }
    }
}

fn busy(target: &Path) -> Error {
    Error::environment(format!("another build is writing {}", target.display()), "wait until it is done, or build into another directory")
}
