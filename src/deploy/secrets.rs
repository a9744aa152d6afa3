//! The secrets of a target: one file each in a directory that only its owner can enter. Takes the list of secrets that a
//! site needs, makes those that a program can make and that are not there yet, and reports what an administrator still has
//! to bring. It never writes over a file and never shows a value.

use std::fmt;
use std::fs::{File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::files::{self, Unread};
use crate::launch::{Make, Secret};
use crate::mounts;

mod directory;
pub mod generate;
mod signing_key;

use directory::{Directory, FILE_MODE, changed};

pub use signing_key::SigningKey;

/// More bytes than any key or password has; a bigger file was put in its place by mistake.
pub const MAX_BYTES: u64 = 64 * 1024;

/// What `secrets init` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Where the secrets are; in JSON, what of it is not UTF-8 is the character U+FFFD.
    #[serde(serialize_with = "as_text")]
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

fn as_text<S: serde::Serializer>(path: &Path, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
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

impl Report {
    /// Whether the site can start.
    ///
    /// # Errors
    /// [`Error::ToBring`] with the secrets that an administrator still has to bring.
    pub fn outcome(&self) -> Result<()> {
        if self.bring.is_empty() { Ok(()) } else { Err(Error::ToBring(self.bring.iter().map(|secret| secret.name.clone()).collect())) }
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
    let directory = Directory::open(dir, &mut report.warnings)?;
    directory.sweep(secrets, &mut report.warnings)?;

    // All that is there is looked at first, so that an error leaves everything as it was.
    let mut problems = Vec::new();
    let mut missing = Vec::new();
    let mut closed = Vec::new();
    for secret in secrets {
        match inspect(&directory, secret) {
            Ok(Found::Nothing) => missing.push(secret),
            Ok(Found::Sound) => report.kept.push(secret.into()),
            Ok(Found::Closed(file, mode)) => {
                report.kept.push(secret.into());
                closed.push((directory.shown(&secret.name), file, mode));
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        for (path, file, mode) in closed {
            match file.set_permissions(Permissions::from_mode(FILE_MODE)) {
                Ok(()) => report.warnings.push(changed(&path, mode, FILE_MODE)),
                Err(error) => problems.push(format!("{} has the permissions {mode:04o}, which cannot be changed to {FILE_MODE:04o}: {error}", path.display())),
            }
        }
    }
    if !problems.is_empty() {
        // What was put right is told all the same.
        problems.append(&mut report.warnings);
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
        if directory.write_new(&secret.name, value.as_bytes())? {
            report.made.push(secret.into());
        } else {
            // Somebody else was faster: theirs counts.
            report.kept.push(secret.into());
        }
    }
    // Always: a run that was killed may have made what is kept now.
    directory.sync()?;
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

/// What lies at a secret's place.
enum Found {
    Nothing,
    Sound,
    /// Sound but for its permissions, which are these.
    Closed(File, u32),
}

/// Looks at a secret's place; `Err` is one line for the person who has to mend it.
fn inspect(directory: &Directory, secret: &Secret) -> std::result::Result<Found, String> {
    let path = directory.shown(&secret.name);
    let shown = path.display();
    let file = match directory.file(&secret.name) {
        Ok(file) => file,
        Err(problem) if problem.is_missing() => return Ok(Found::Nothing),
        Err(Unread::Kind(files::DIRECTORY)) => {
            return Err(format!("{shown} is a directory (Docker makes one in the place of a file that is missing): remove it with rmdir"));
        }
        Err(Unread::Kind(files::LINK)) => return Err(format!("{shown} is a symbolic link, and a secret is a file of its own: copy what it leads to")),
        Err(Unread::Kind(kind)) => return Err(format!("{shown} is {kind} and not a regular file")),
        Err(problem) => return Err(format!("{shown} cannot be read: {problem}")),
    };
    let content = match files::read_opened(&file, MAX_BYTES) {
        Ok(content) => content,
        Err(Unread::TooLarge(limit)) => return Err(format!("{shown} has more than {limit} bytes, too many for a secret")),
        Err(problem) => return Err(format!("{shown} cannot be read: {problem}")),
    };
    let Ok(text) = std::str::from_utf8(&content) else {
        return Err(format!("{shown} is not UTF-8 text"));
    };
    if text.trim().is_empty() {
        return Err(format!("{shown} is empty"));
    }
    if secret.make == Make::SigningKey {
        SigningKey::parse_file(text).map_err(|problem| format!("{shown} is not a signing key file: {problem}"))?;
    }
    permissions(file, &path)
}

/// Whether a secret's permissions are right, or may be changed. What lies elsewhere, too, keeps its own: opening it here would
/// open it there.
fn permissions(file: File, path: &Path) -> std::result::Result<Found, String> {
    let shown = path.display();
    let found = file.metadata().map_err(|error| format!("{shown} cannot be looked at: {error}"))?;
    let mode = found.mode() & 0o7777;
    let own = rustix::process::geteuid().as_raw();
    if ![0, own].contains(&found.uid()) {
        // Who put it there while the directory was open knows the value, and may change it.
        let owner = found.uid();
        return Err(format!("{shown} belongs to user {owner} and not to you (user {own}): if the value is yours, `chown {own} {}`", quoted(path)));
    }
    let is_mounted = mounts::is_mounted(&file);
    if mode == FILE_MODE || (found.nlink() > 1 || is_mounted) && mode & FILE_MODE == FILE_MODE {
        return Ok(Found::Sound);
    }
    if is_mounted {
        return Err(format!(
            "{shown} is mounted from elsewhere with the permissions {mode:04o}, and containers cannot read it: unmount it, and put a copy there"
        ));
    }
    if found.nlink() > 1 {
        let (from, copy) = (quoted(path), quoted(&path.with_added_extension("copy")));
        return Err(format!(
            "{shown} has another name elsewhere (a hard link) and the permissions {mode:04o}: containers cannot read it, and opening it here \
             would open it there; make it a file of its own: `cp {from} {copy} && mv -f {copy} {from}`"
        ));
    }
    Ok(Found::Closed(file, mode))
}

/// A path as one word of a shell's command line.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | '@' | ':' | ',');
    if text.chars().all(is_plain) { text.into_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests;
