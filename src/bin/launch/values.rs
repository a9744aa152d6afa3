//! The secrets' values: read from one file each, checked, and kept away from every message. Everything else in this
//! program gets a value only through [`Secrets::get`] and names it in errors by its file.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use synapse_site::deploy::secrets::MAX_BYTES;
use synapse_site::error::{Error, Result};
use synapse_site::files::{self, Unread};

/// What to do about a missing or damaged secret.
pub const REMEDY: &str = "run `synapse-site secrets init` beside the compose file, bring what it lists, \
                          and start again with `docker compose up -d --force-recreate`";

/// A secret's value, without the line end of its file.
#[derive(Clone, PartialEq, Eq)]
pub struct Value(String);

impl Value {
    /// The value itself; not for messages.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A value that does not come from a file, such as a password made up for one moment.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value of a secret that a site does without.
    pub const fn empty() -> Self {
        Self(String::new())
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// The secrets of one role.
#[derive(Debug)]
pub struct Secrets {
    directory: PathBuf,
    values: BTreeMap<String, Value>,
}

impl Secrets {
    /// Reads each named secret; what is wrong goes to `problems`, one line each.
    pub fn read<'a>(directory: &Path, names: impl IntoIterator<Item = &'a str>, problems: &mut Vec<String>) -> Self {
        let mut values = BTreeMap::new();
        for name in names {
            match read(&directory.join(name)) {
                Ok(value) => {
                    values.insert(name.to_owned(), value);
                }
                Err(problem) => problems.push(format!("the secret {name} {problem}")),
            }
        }
        Self { directory: directory.to_owned(), values }
    }

    /// Reads each named secret, or fails with everything that is wrong.
    pub fn require<'a>(directory: &Path, names: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut problems = Vec::new();
        let values = Self::read(directory, names, &mut problems);
        if problems.is_empty() { Ok(values) } else { Err(Error::environment(problems.join("\n       "), REMEDY)) }
    }

    /// The value of a secret that the role lists.
    pub fn get(&self, name: &str) -> Result<&Value> {
        self.values.get(name).ok_or_else(|| {
            Error::environment(
                format!("the plan uses the secret {name} in a role that does not list it"),
                "build the images again; this is a fault of synapse-site, please report it",
            )
        })
    }

    /// The file that holds a secret, for messages.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// Reads one secret file. The error ends a sentence that begins with the secret's name.
fn read(path: &Path) -> std::result::Result<Value, String> {
    let shown = path.display();
    // Links are followed: some engines mount a secret through one.
    let bytes = files::read(path, MAX_BYTES).map_err(|problem| match problem {
        Unread::Io(error) => match error.kind() {
            ErrorKind::NotFound => format!("is missing: there is no file {shown}"),
            ErrorKind::PermissionDenied => {
                let user = rustix::process::geteuid().as_raw();
                format!("cannot be read by user {user}: {shown} must have the permissions 0444")
            }
            _ => format!("cannot be read: {shown}: {error}"),
        },
        Unread::Kind(files::DIRECTORY) => {
            format!("is a directory: Docker made {shown} because the file was missing on the host; remove that directory there")
        }
        Unread::Kind(kind) => format!("is {kind} and not a regular file: {shown}"),
        Unread::TooLarge(limit) => format!("is too large: {shown} has more than {limit} bytes"),
    })?;
    let mut text = String::from_utf8(bytes).map_err(|_| format!("is not UTF-8 text: {shown}"))?;
    if text.ends_with('\n') {
        text.pop();
    }
    if text.trim().is_empty() {
        return Err(format!("is empty: {shown}"));
    }
    if text.ends_with('\r') {
        return Err(format!("has a Windows line end: write {shown} again with a Unix line end"));
    }
    if text.contains('\0') {
        return Err(format!("holds a NUL character: {shown}"));
    }
    Ok(Value(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_stripped_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("s");
        for (content, expected) in [("a b", "a b"), ("a\n", "a"), ("a\n\n", "a\n"), (" a \n", " a "), ("ä\n", "ä")] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(read(&path).unwrap().expose(), expected, "{content:?}");
        }
    }

    #[test]
    fn every_problem_is_reported_without_values() {
        let place = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8]| std::fs::write(place.path().join(name), content).unwrap();
        write("empty", b"\n");
        write("blank", b"  \n");
        write("binary", b"\xff\xfehunter2");
        write("windows", b"hunter2\r\n");
        write("nul", b"hunter2\0x");
        write("large", &vec![b'x'; 70_000]);
        std::fs::create_dir(place.path().join("directory")).unwrap();
        let names = ["absent", "empty", "blank", "binary", "windows", "nul", "large", "directory"];
        let error = Secrets::require(place.path(), names).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        let shown = error.to_string();
        for name in names {
            assert!(shown.contains(&format!("the secret {name} ")), "{name} is not in:\n{shown}");
        }
        assert!(shown.contains("secrets init") && !shown.contains("hunter2"), "{shown}");
        assert_eq!(format!("{:?}", Value::new("hunter2".into())), "(secret)");
    }
}
