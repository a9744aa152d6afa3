//! A site whose images are small: a handful of the locked packages, so that a build of all of it takes a second. The cache
//! has entries of every kind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use synapse_site::definition::lock::{DebianLock, PythonLock};
use synapse_site::package::cache::Cache;

use super::support::{SITE, borrowed, built, expect, is_cached, tool, with_site};

/// The images, with the Debian packages and wheels of each.
const IMAGES: [(&str, &str, &[&str], &[&str]); 5] = [
    ("base", "[[layer]]\nname = \"base\"\ndebian = [\"libc6\", \"zlib1g\"]\n", &["libc6", "zlib1g"], &[]),
    (
        "synapse",
        r#"from = "base"
user = { name = "synapse", id = 10001 }
[python]
version = "3.13"
interpreter = "/usr/bin/python3.13"
site_packages = "usr/local/lib/python3.13/dist-packages"
requirements = ["six", "typing-extensions", "annotated-types"]
interpreter_packages = ["libc6", "libexpat1", "libpython3.13-minimal", "python3.13-minimal", "zlib1g"]
[[layer]]
name = "runtime"
debian = ["libexpat1", "python3.13-minimal"]
[[layer]]
name = "libraries"
wheels = ["*"]
[[layer]]
name = "application"
wheels = ["six"]
"#,
        &["libexpat1", "libpython3.13-minimal", "python3.13-minimal"],
        &["six", "typing-extensions", "annotated-types"],
    ),
    (
        "postgres",
        "from = \"base\"\nuser = { name = \"postgres\", id = 10002 }\n[[layer]]\nname = \"application\"\ndebian = [\"libkeyutils1\"]\n",
        &["libkeyutils1"],
        &[],
    ),
    ("redis", "from = \"base\"\nuser = { name = \"redis\", id = 10003 }\n[[layer]]\nname = \"application\"\ndebian = [\"libatomic1\"]\n", &["libatomic1"], &[]),
    (
        "gateway",
        "from = \"base\"\nuser = { name = \"gateway\", id = 10005 }\n[[layer]]\nname = \"application\"\ndebian = [\"libpcre2-8-0\"]\n",
        &["libpcre2-8-0"],
        &[],
    ),
];

/// An address where nobody listens: the discard port.
const NOBODY: &str = "http://127.0.0.1:9";

/// A directory with the description, the definitions in `images`, and a cache in `cache` that has the packages.
pub fn small() -> tempfile::TempDir {
    let dir = with_site(SITE);
    let cache = dir.path().join("cache");
    Cache::open(Some(cache.clone())).expect("a cache");
    let borrow = |sha256: &str| {
        let path = Path::new("packages").join(&sha256[..2]).join(sha256);
        if !is_cached(&path) {
            built();
        }
        borrowed(&path, &cache);
    };
    for (name, text, debs, wheels) in IMAGES {
        let (from, to) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("images").join(name), dir.path().join("images").join(name));
        fs::create_dir_all(&to).expect("made");
        fs::write(to.join("image.toml"), format!("description = \"A small {name}.\"\n{text}")).expect("written");
        let mut lock = DebianLock::load(&from.join("debian.lock")).expect("a lock");
        lock.packages.retain(|package| debs.contains(&package.name.as_str()));
        assert_eq!(lock.packages.len(), debs.len(), "{name}");
        lock.packages.iter().for_each(|package| borrow(&package.sha256));
        fs::write(to.join("debian.lock"), lock.to_text().expect("text")).expect("written");
        if !wheels.is_empty() {
            let mut lock = PythonLock::load(&from.join("python.lock")).expect("a lock");
            lock.wheels.retain(|wheel| wheels.contains(&wheel.name.as_str()));
            assert_eq!(lock.wheels.len(), wheels.len(), "{name}");
            lock.wheels.iter().for_each(|wheel| borrow(&wheel.sha256));
            fs::write(to.join("python.lock"), lock.to_text().expect("text")).expect("written");
        }
    }
    dir
}

/// A build in such a directory, with a cache and without a network.
pub fn build(dir: &Path, cache: &Path) -> Command {
    let mut command = offline(&["build", "site.yaml", "--images", "images", "--out", "out", "--cache"]);
    command.arg(cache).current_dir(dir);
    command
}

/// The program without a network.
pub fn offline(arguments: &[&str]) -> Command {
    let mut command = tool(arguments);
    command.env("PIP_NO_INDEX", "1").env_remove("PIP_FIND_LINKS");
    command.envs(["SYNAPSE_SITE_DEBIAN_MIRROR", "SYNAPSE_SITE_DEBIAN_SECURITY_MIRROR", "PIP_INDEX_URL"].map(|name| (name, NOBODY)));
    command
}

/// A build that must succeed; gives the archive's bytes and removes the output.
#[track_caller]
pub fn archive(dir: &Path, cache: &Path) -> Vec<u8> {
    expect(&mut build(dir, cache), 0, &[]);
    let out = dir.join("out");
    let bytes = fs::read(out.join("images.tar")).expect("an archive");
    fs::remove_dir_all(out).expect("removed");
    bytes
}

/// Makes `to` the same cache as `from`. Files have both names: they are replaced and never written into.
pub fn same_cache(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("readable") {
        let entry = entry.expect("an entry");
        let place = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            same_cache(&entry.path(), &place);
        } else {
            fs::hard_link(entry.path(), place).expect("linked");
        }
    }
}

/// The files below a directory, sorted.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("readable") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
