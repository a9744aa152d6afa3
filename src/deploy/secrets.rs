//! The secrets of a target: one file each in a directory that only its owner can enter. Takes the list of secrets that a
//! site needs, makes those that a program can make and that are not there yet, and reports what an administrator still has
//! to bring. It never writes over a file and never shows a value.

use std::fmt;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::launch::{Make, Secret};

pub mod generate;
mod signing_key;

pub use signing_key::SigningKey;

/// Only the owner may enter the directory, which keeps other users of the host away from the files in it.
const DIRECTORY_MODE: u32 = 0o700;
/// Containers run as numeric users that own nothing on the host, and read the files through bind mounts.
const FILE_MODE: u32 = 0o444;
/// More bytes than any key or password has; a bigger file was put in its place by mistake.
pub const MAX_BYTES: u64 = 64 * 1024;

/// What `secrets init` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Where the secrets are.
    pub directory: PathBuf,
    /// Secrets that were made now.
    pub made: Vec<Named>,
    /// Secrets that were there already.
    pub kept: Vec<Named>,
    /// Secrets that an administrator has to bring before the site can start.
    pub bring: Vec<Named>,
    /// What was found in disorder and put right.
    pub warnings: Vec<String>,
}

/// A secret's name and purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The file's name in the directory.
    pub name: String,
    /// What it is for, in one sentence.
    pub purpose: String,
}

impl From<&Secret> for Named {
    fn from(secret: &Secret) -> Self {
        Self { name: secret.name.clone(), purpose: secret.purpose.clone() }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        for (title, list) in [("made", &self.made), ("kept", &self.kept), ("to bring", &self.bring)] {
            for Named { name, purpose } in list {
                writeln!(f, "{title:8}  {name}: {purpose}")?;
            }
        }
        let directory = self.directory.display();
        if !self.made.is_empty() {
            writeln!(f, "Keep a copy of {directory} in a safe place: a site cannot do without its signing key.")?;
        }
        if self.bring.is_empty() {
            writeln!(f, "All secrets are in {directory}.")
        } else {
            writeln!(
                f,
                "Before the site can start, write each secret to bring into a file of its name in {directory}, \
                 then run this again to check it."
            )
        }
    }
}

/// Makes what is missing in `dir`, which is created if its parent exists. Existing files are kept as they are; those with
/// a fixed form are checked. Errors name every secret that is in disorder, all at once, and never a value.
pub fn init(dir: &Path, secrets: &[Secret]) -> Result<Report> {
    check_names(secrets)?;
    let mut report = Report { directory: dir.to_owned(), made: vec![], kept: vec![], bring: vec![], warnings: vec![] };
    open_directory(dir, &mut report.warnings)?;

    // All that is there is looked at first, so that an error leaves everything as it was.
    let mut problems = Vec::new();
    let mut missing = Vec::new();
    for secret in secrets {
        match inspect(&dir.join(&secret.name), secret.make) {
            Ok(Found::Nothing) => missing.push(secret),
            Ok(Found::Sound { mode }) => {
                report.kept.push(secret.into());
                if mode != FILE_MODE {
                    repair(&dir.join(&secret.name), FILE_MODE, mode, &mut report.warnings)?;
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        let remedy = "mend or remove these files and run this again; nothing was made";
        return Err(Error::environment(problems.join("\n       "), remedy));
    }
    for secret in missing {
        let value = match secret.make {
            Make::Random => generate::hexadecimal()? + "\n",
            Make::Password => generate::password()? + "\n",
            Make::SigningKey => generate::signing_key()?.to_line(),
            Make::Bring => {
                report.bring.push(secret.into());
                continue;
            }
        };
        if write_new(dir, &secret.name, value.as_bytes())? {
            report.made.push(secret.into());
        } else {
            // Somebody else was faster: theirs counts.
            report.kept.push(secret.into());
        }
    }
    Ok(report)
}

/// Whether a secret's name is a plain file name that every tool on the way leaves as it is.
pub fn is_valid_name(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')) && !name.is_empty() && !name.starts_with(['.', '-'])
}

fn check_names(secrets: &[Secret]) -> Result<()> {
    match secrets.iter().find(|secret| !is_valid_name(&secret.name)) {
        None => Ok(()),
        Some(bad) => Err(Error::environment(
            format!("{:?} is no name for a secret", bad.name),
            "use letters, digits, `_`, `-` and `.` only, and neither `.` nor `-` at the start",
        )),
    }
}

/// Creates the directory, or makes sure that nobody else can have put it there or look into it.
fn open_directory(dir: &Path, warnings: &mut Vec<String>) -> Result<()> {
    match DirBuilder::new().mode(DIRECTORY_MODE).create(dir) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(Error::io("create the directory", dir, &error)),
    }
    let found = fs::symlink_metadata(dir).map_err(|error| Error::io("look at", dir, &error))?;
    let refuse = |what: String, remedy: &str| Err(Error::environment(format!("{}{what}", dir.display()), remedy));
    if found.file_type().is_symlink() {
        return refuse(" is a symbolic link, and secrets are not written through one".into(), "name the directory itself, or remove the link");
    }
    if !found.is_dir() {
        return refuse(" is not a directory".into(), "name a directory, or remove the file");
    }
    let own = rustix::process::geteuid().as_raw();
    if found.uid() != own {
        return refuse(
            format!(" belongs to user {} and not to you (user {own})", found.uid()),
            "run this as its owner (in a container: `--user $(id -u):$(id -g)`), or name another directory",
        );
    }
    let mode = found.mode() & 0o7777;
    if mode != DIRECTORY_MODE {
        // An empty one has given nothing away; the container engine makes such for `docker compose run`.
        let is_empty = fs::read_dir(dir).map_err(|error| Error::io("read", dir, &error))?.next().is_none();
        let mut unsaid = Vec::new();
        repair(dir, DIRECTORY_MODE, mode, if is_empty { &mut unsaid } else { warnings })?;
    }
    Ok(())
}

fn repair(path: &Path, right: u32, wrong: u32, warnings: &mut Vec<String>) -> Result<()> {
    fs::set_permissions(path, Permissions::from_mode(right)).map_err(|error| Error::io("change the permissions of", path, &error))?;
    warnings.push(format!("{} had the permissions {wrong:04o}; they are {right:04o} now", path.display()));
    Ok(())
}

enum Found {
    Nothing,
    Sound { mode: u32 },
}

/// What lies at a secret's place; `Err` is one line for the person who has to mend it.
fn inspect(path: &Path, make: Make) -> std::result::Result<Found, String> {
    let shown = path.display();
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(format!("{shown} cannot be looked at: {error}")),
    };
    if metadata.is_dir() {
        return Err(format!("{shown} is a directory (Docker makes one in the place of a file that is missing): remove it with rmdir"));
    }
    if !metadata.is_file() {
        return Err(format!("{shown} is not a regular file"));
    }
    if metadata.len() > MAX_BYTES {
        return Err(format!("{shown} has {} bytes, too many for a secret", metadata.len()));
    }
    let content = fs::read(path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    let Ok(text) = std::str::from_utf8(&content) else {
        return Err(format!("{shown} is not UTF-8 text"));
    };
    if text.trim().is_empty() {
        return Err(format!("{shown} is empty"));
    }
    if make == Make::SigningKey {
        SigningKey::parse_file(text).map_err(|problem| format!("{shown} is not a signing key file: {problem}"))?;
    }
    Ok(Found::Sound { mode: metadata.mode() & 0o7777 })
}

/// Puts a complete file in place unless there is one already; says whether it did.
fn write_new(dir: &Path, name: &str, value: &[u8]) -> Result<bool> {
    let path = dir.join(name);
    let doing = |error: &std::io::Error| Error::io("write", &path, error);
    let mut file = tempfile::Builder::new().prefix(&format!(".{name}.")).suffix(".new").tempfile_in(dir).map_err(|error| doing(&error))?;
    file.write_all(value).map_err(|error| doing(&error))?;
    file.as_file().set_permissions(Permissions::from_mode(FILE_MODE)).map_err(|error| doing(&error))?;
    file.as_file().sync_all().map_err(|error| doing(&error))?;
    match file.persist_noclobber(&path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(doing(&error.error)),
    }
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| doing(&error))?;
    Ok(true)
}

#[cfg(test)]
mod tests;
