//! The pinned Synapse itself, and what it is locked with: wheels from the cache.
#![allow(dead_code, reason = "every test program takes what it needs of this")]

use std::io::Read as _;
use std::path::Path;

use synapse_site::definition::lock::{PythonLock, WheelFile};
use synapse_site::package::cache::Cache;
use synapse_site::package::fetch;
use synapse_site::package::progress::Silent;

/// The lock's Python, and what it says of a package.
fn locked(package: &str) -> (String, WheelFile) {
    let lock = PythonLock::load(Path::new("images/synapse/python.lock")).expect("a lock");
    let wheel = lock.get(package).unwrap_or_else(|| panic!("{package} is locked")).clone();
    (lock.python, wheel)
}

/// The version that is locked.
pub fn version() -> String {
    locked("matrix-synapse").1.version
}

/// Puts Synapse's locked wheel into a directory, under its own name.
pub fn put_into(place: &Path) -> std::path::PathBuf {
    let (python, wheel) = locked("matrix-synapse");
    let (sha256, file) = (wheel.sha256.clone(), place.join(&wheel.filename));
    let cache = Cache::open(None).expect("a cache");
    fetch::ensure(&cache, &[], &[&PythonLock::new(&python, vec![wheel])], &Silent).expect("the wheel");
    std::fs::copy(cache.package(&sha256).expect("in the cache"), &file).expect("copies");
    file
}

/// The files of Synapse's locked wheel below a directory, by name: those with that ending.
pub fn files(below: &str, ending: &str) -> Vec<(String, String)> {
    files_of("matrix-synapse", below, ending)
}

/// The files of a package's locked wheel below a directory, by name: those with that ending.
pub fn files_of(package: &str, below: &str, ending: &str) -> Vec<(String, String)> {
    let (python, wheel) = locked(package);
    let sha256 = wheel.sha256.clone();
    let cache = Cache::open(None).expect("a cache");
    fetch::ensure(&cache, &[], &[&PythonLock::new(&python, vec![wheel])], &Silent).expect("the wheel");
    let file = std::fs::File::open(cache.package(&sha256).expect("in the cache")).expect("opens");
    let mut archive = zip::ZipArchive::new(file).expect("a wheel");
    let names: Vec<String> = archive
        .file_names()
        .map(|name| name.expect("a name").into_owned())
        .filter(|name| name.starts_with(below) && name.ends_with(ending) && !name.ends_with('/'))
        .collect();
    names
        .into_iter()
        .map(|name| {
            let mut text = String::new();
            archive.by_name(&name).expect("there").read_to_string(&mut text).expect("text");
            (name[below.len()..].to_owned(), text)
        })
        .collect()
}
