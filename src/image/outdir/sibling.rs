//! The hidden directory beside an output directory in which a build works: `.out.synapse-site.RANDOM`. Only its owner can list
//! it, so nobody else can hold its lock. It holds `content`, which is the new directory before the exchange and the old one
//! after it, and `outputs.json`, the names at the top that builds write; other names in `content` are the user's, and so is
//! what [`Entries`] finds below those names.
//!
//! The version before had one sibling of a fixed name, `.out.synapse-site`, that was itself the content.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;

use super::entries::Entries;
use super::{disk, exists, is_directory, names, names_if_there, parent};
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

    /// Counts these names at the top as the tool's, too.
    pub fn add_outputs<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        for name in names {
            if !self.is_output(Path::new(name)) {
                self.outputs.push(name.to_owned());
            }
        }
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
    pub fn link(&self, entries: &[PathBuf]) -> Result<()> {
        let mut changed = BTreeSet::from([self.content.clone()]);
        for entry in entries {
            let link = self.content.join(entry);
            changed.extend(disk::make_parents(&self.content, entry)?);
            symlink(self.link_to(entry), &link).map_err(|error| Error::io("create the link", &link, &error))?;
        }
        // Other users follow the links, too; without the right to read it they still cannot hold its lock.
        fs::set_permissions(&self.path, Permissions::from_mode(0o711)).map_err(|error| Error::io("set the mode of", &self.path, &error))?;
        changed.iter().try_for_each(|directory| disk::sync(directory))?;
        disk::sync(&self.path)
    }

    /// What the link to an entry reads, in the new directory and from the directory's own place.
    fn link_to(&self, entry: &Path) -> PathBuf {
        let up: PathBuf = entry.iter().map(|_| "..").collect();
        up.join(self.path.file_name().unwrap_or_default()).join(CONTENT).join(entry)
    }

    /// Whether what lies in a directory under an entry's path is the link to it that this sibling's build made.
    pub fn is_link(&self, directory: &Path, entry: &Path) -> bool {
        fs::read_link(directory.join(entry)).is_ok_and(|text| text == self.link_to(entry))
    }

    /// Whether builds write this name at the top.
    pub fn is_output(&self, name: &Path) -> bool {
        self.outputs.iter().any(|output| Path::new(output) == name)
    }

    /// What lies in it, where `content` has taken or will take the place of the target.
    pub fn entries(&self) -> Result<Entries> {
        Entries::of(self, &self.content, &self.target)
    }

    /// The links in the target that builds made, by path below it, whichever build it was.
    pub fn others_links(&self) -> Result<Vec<PathBuf>> {
        links(&self.target, &self.outputs)
    }

    /// The links in the target that this sibling's build made.
    pub fn links(&self) -> Result<Vec<PathBuf>> {
        Ok(self.others_links()?.into_iter().filter(|entry| self.is_link(&self.target, entry)).collect())
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

/// The links in a directory that builds made which have not ended, by path below it. They lie at the top and below the names
/// that builds write there.
fn links(target: &Path, outputs: &[String]) -> Result<Vec<PathBuf>> {
    let is_link = |entry: &Path| {
        let text = fs::read_link(target.join(entry)).ok()?;
        let up: PathBuf = entry.iter().map(|_| "..").collect();
        let mut rest = text.strip_prefix(up).ok()?.components();
        let sibling = rest.next()?;
        let found = is_random(sibling.as_ref()) && rest.next()?.as_os_str() == CONTENT && rest.as_path() == entry;
        found.then_some(())
    };
    let mut links = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(next) = open.pop() {
        let names = match fs::read_dir(target.join(&next)) {
            // The user's, and closed: no build made a link in there.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && next != Path::new("") => continue,
            _ => names_if_there(&target.join(&next))?.unwrap_or_default(),
        };
        for entry in names.into_iter().map(|name| next.join(name)) {
            let is_below_output = || entry.iter().next().is_some_and(|top| outputs.iter().any(|output| OsStr::new(output) == top));
            if is_link(&entry).is_some() {
                links.push(entry);
            } else if is_below_output() && is_directory(&target.join(&entry)) {
                open.push(entry);
            }
        }
    }
    links.sort();
    Ok(links)
}

/// A place with entries of the user that belong into `target`, left by a build that was killed.
///
/// # Errors
/// An environment failure when a build is writing now.
pub fn unfinished(target: &Path, outputs: &[&str]) -> Result<Option<PathBuf>> {
    let outputs: Vec<String> = outputs.iter().map(|&name| name.to_owned()).collect();
    if let Some(link) = links(target, &outputs)?.into_iter().next() {
        let link = target.join(link);
        let text = fs::read_link(&link).map_err(|error| Error::io("read", &link, &error))?;
        return Ok(Some(parent(&link).join(text)));
    }
    let owner = fs::metadata(target).map_err(|error| Error::io("look at", target, &error))?.uid();
    for candidate in candidates(target, owner)? {
        match try_lock(&candidate, FlockOperation::NonBlockingLockShared) {
            // Another user's, without links to it: nothing of the directory is there.
            Err(_) | Ok(Locked::Gone) => {}
            Ok(Locked::Taken) => return Err(busy(target)),
            Ok(Locked::Free(lock)) => {
                let found = Sibling::found(target, candidate, &outputs, lock)?;
                if let Some(entry) = found.entries()?.users.first() {
                    return Ok(Some(found.content.join(entry)));
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
