//! What the tests of this directory share.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use synapse_site::error::Error;
use synapse_site::site::load::{self, Loaded};
use synapse_site::site::nix::{Evaluator, MEMORY};

/// Nix as these tests call it: without a file of settings, and as root without a group of builders.
pub fn nix() -> Command {
    let mut command = Command::new("nix");
    command.env("NIX_CONFIG", "experimental-features = nix-command flakes\nbuild-users-group =\nsubstitute = false\ndownload-attempts = 1");
    command
}

/// Runs a command that has to succeed, and gives its output.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The pinned tree of nixpkgs' lib in the store of this machine, or nothing after a line that says SKIPPED and why.
pub fn nixpkgs_lib(test: &str) -> Option<PathBuf> {
    let lock: serde_json::Value = serde_json::from_str(include_str!("../../flake.lock")).expect("a lock");
    let pin = &lock["nodes"]["nixpkgs-lib"]["locked"];
    let part = |name: &str| pin[name].as_str().expect("a text");
    let url = format!("https://github.com/{}/{}/archive/{}.tar.gz", part("owner"), part("repo"), part("rev"));
    let expression = format!("builtins.fetchTarball {{ url = \"{url}\"; sha256 = \"{}\"; }}", part("narHash"));
    let output: Output = nix().args(["eval", "--impure", "--raw", "--expr", &expression]).output().expect("nix");
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if output.status.success() && path.join("lib/modules.nix").is_file() {
        return Some(path);
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let reason = format!("nixpkgs' lib is neither in the store nor to be fetched: {}", words.lines().last().unwrap_or_default().trim());
    println!("SKIPPED {test}: {reason}");
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped");
    std::fs::create_dir_all(&place).expect("a directory");
    std::fs::write(place.join(test), reason + "\n").expect("a note");
    None
}

/// A directory with files in it.
pub fn files(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, text).expect("written");
    }
    dir
}

/// Loads a site with the library that was found, and with a sixteenth of the memory that there is
/// unless somebody says otherwise.
pub fn load(site: &Path, lib: &Path) -> Result<Loaded, Error> {
    load::load_with(site, &Evaluator { nixpkgs_lib: Some(lib.to_owned()), memory: MEMORY / 16, ..Evaluator::default() })
}

/// Skips the rest of a test where the library is missing.
macro_rules! lib_or_skip {
    ($test:literal) => {
        match crate::support::nixpkgs_lib($test) {
            Some(lib) => lib,
            None => return,
        }
    };
}
pub(crate) use lib_or_skip;
