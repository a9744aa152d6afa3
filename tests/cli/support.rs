//! Running the program, a small site, and caches that a test may damage.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sha2::{Digest as _, Sha256};
use synapse_site::package::cache::Cache;

pub const SITE: &str = "server:\n  server_name: example.com\n  public_baseurl: https://matrix.example.com/\n";

/// The program, with the launcher that was built beside it and no other word from the environment.
pub fn tool(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-site"));
    command.args(arguments).env("SYNAPSE_SITE_LAUNCH", env!("CARGO_BIN_EXE_launch")).env_remove("SYNAPSE_SITE_IMAGES").env("NO_COLOR", "1");
    command
}

/// A run that has ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

pub fn run(command: &mut Command) -> Ran {
    command.output().expect("the program runs").into()
}

/// A run that must end with this code and say all of this.
#[track_caller]
pub fn expect(command: &mut Command, code: i32, words: &[&str]) -> Ran {
    let ran = run(command);
    assert_eq!(ran.code, Some(code), "{ran:?}");
    for word in words {
        assert!(ran.err.contains(word), "no {word:?} in:\n{}", ran.err);
    }
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    ran
}

/// Notes that a test could not be run here, and why; `make unit` shows it.
pub fn skip(test: &str, reason: &str) {
    println!("SKIPPED {test}: {reason}");
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped");
    fs::create_dir_all(&place).expect("a directory");
    fs::write(place.join(test), format!("{reason}\n")).expect("a note");
}

/// A directory with a description in it.
pub fn with_site(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("site.yaml"), text).expect("written");
    dir
}

/// Names in a directory, hidden ones too.
pub fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).expect("readable").map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Every file below a directory: path, mode, SHA-256, or where a link leads.
pub fn tree(dir: &Path) -> BTreeMap<PathBuf, (u32, String)> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).expect("readable") {
            let path = entry.expect("an entry").path();
            let meta = path.symlink_metadata().expect("metadata");
            let sum = if meta.is_dir() {
                open.push(path.clone());
                String::new()
            } else if meta.is_symlink() {
                format!("-> {}", fs::read_link(&path).expect("a link").display())
            } else {
                let mut sum = Sha256::new();
                std::io::copy(&mut File::open(&path).expect("opens"), &mut sum).expect("read");
                sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
            };
            found.insert(path.strip_prefix(dir).expect("below").to_owned(), (meta.permissions().mode(), sum));
        }
    }
    found
}

/// Builds [`SITE`] once with the machine's cache, which holds every layer afterwards, and gives what a build gives. One test at a
/// time, so that an empty cache is filled once.
pub fn built() -> BTreeMap<PathBuf, (u32, String)> {
    let turn = File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli.lock")).expect("a lock");
    turn.lock().expect("a turn");
    let dir = with_site(SITE);
    expect(tool(&["build", "site.yaml", "--out", "out"]).current_dir(dir.path()), 0, &[]);
    tree(&dir.path().join("out"))
}

/// The machine's cache.
fn cache() -> PathBuf {
    let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    of("SYNAPSE_SITE_CACHE")
        .or_else(|| of("XDG_CACHE_HOME").map(|dir| dir.join("synapse-site")))
        .or_else(|| of("HOME").map(|dir| dir.join(".cache/synapse-site")))
        .expect("a place for the cache")
}

/// Whether the machine's cache has a file.
pub fn is_cached(path: &Path) -> bool {
    cache().join(path).is_file()
}

/// Puts one file of the machine's cache into another cache.
pub fn borrowed(path: &Path, private: &Path) {
    let to = private.join(path);
    fs::create_dir_all(to.parent().expect("a parent")).expect("made");
    link(&cache().join(path), &to);
}

/// Gives a file a second name, or copies it where that is not possible.
fn link(from: &Path, to: &Path) {
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop)).expect("linked or copied");
}

/// Makes `private` a cache with what the machine's cache has in `parts`; what is there already stays. Files may be the machine's
/// own under a second name: a test replaces them and never writes into one.
pub fn borrow_cache(private: &Path, parts: &[&str]) {
    Cache::open(Some(private.to_owned())).expect("a cache");
    for part in parts {
        let from = cache().join(part);
        let mut open = vec![from.clone()];
        while let Some(next) = open.pop() {
            let to = private.join(part).join(next.strip_prefix(&from).expect("below"));
            fs::create_dir_all(&to).expect("made");
            for entry in fs::read_dir(&next).expect("readable") {
                let entry = entry.expect("an entry");
                if entry.file_type().expect("a type").is_dir() {
                    open.push(entry.path());
                } else if !to.join(entry.file_name()).exists() {
                    link(&entry.path(), &to.join(entry.file_name()));
                }
            }
        }
    }
}
