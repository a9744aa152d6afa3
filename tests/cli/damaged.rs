//! Packages that are not what the lock says, and networks that are not there.

use std::fs;
use std::path::{Path, PathBuf};

use synapse_site::definition::lock::{DebianLock, PythonLock};

use super::support::{SITE, borrow_cache, built, expect, names, tool, with_site};

fn images() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("images")
}

/// The file of a package in a cache.
fn cached(cache: &Path, sha256: &str) -> PathBuf {
    cache.join("packages").join(&sha256[..2]).join(sha256)
}

/// An address where nobody listens: the discard port.
const NOBODY: &str = "http://127.0.0.1:9";

#[test]
fn a_damaged_package_in_the_cache() {
    built();
    let deb = DebianLock::load(&images().join("base/debian.lock")).expect("a lock").packages[0].clone();
    let wheel = PythonLock::load(&images().join("synapse/python.lock")).expect("a lock").wheels[0].clone();
    for (name, sha256) in [(&deb.name, &deb.sha256), (&wheel.name, &wheel.sha256)] {
        for cut in [true, false] {
            let dir = with_site(SITE);
            let cache = dir.path().join("cache");
            borrow_cache(&cache, &["packages", "bytecode"]);
            if *name == wheel.name {
                // Every layer but those that hold the wheel is there.
                borrow_cache(&cache, &["layers"]);
                forget_layers_with(&cache, name);
            }
            let file = cached(&cache, sha256);
            let mut bytes = fs::read(&file).expect("the package");
            fs::remove_file(&file).expect("unlinked");
            let half = bytes.len() / 2;
            if cut {
                bytes.truncate(half);
            } else {
                bytes[half] ^= 0x10;
            }
            fs::write(&file, &bytes).expect("written");
            let offline = ["SYNAPSE_SITE_DEBIAN_MIRROR", "SYNAPSE_SITE_DEBIAN_SECURITY_MIRROR", "PIP_INDEX_URL"];
            let mut command = tool(&["build", "site.yaml", "--out", "out"]);
            command.current_dir(dir.path()).env("SYNAPSE_SITE_CACHE", &cache).envs(offline.map(|name| (name, NOBODY)));
            expect(&mut command, 3, &[name, "what to do"]);
            assert_eq!(names(dir.path()), ["cache", "site.yaml"]);
            assert!(names(&cache.join("tmp")).is_empty());
        }
    }
}

/// Removes the records of layers that hold a wheel, found by the output of a build with this cache.
fn forget_layers_with(cache: &Path, wheel: &str) {
    let dir = with_site(SITE);
    expect(tool(&["build", "site.yaml", "--out", "out"]).current_dir(dir.path()).env("SYNAPSE_SITE_CACHE", cache), 0, &[]);
    let read = |path: &Path| -> serde_json::Value { serde_json::from_slice(&fs::read(path).expect("readable")).expect("JSON") };
    let site = read(&dir.path().join("out/site.json"));
    let layers = site["images"].as_array().into_iter().flatten().flat_map(|image| image["layers"].as_array().into_iter().flatten());
    let holds = |layer: &&serde_json::Value| layer["packages"].to_string().contains(wheel);
    let digests: Vec<&str> = layers.filter(holds).filter_map(|layer| layer["digest"].as_str()).collect();
    assert!(!digests.is_empty(), "no layer holds {wheel}");
    for name in names(&cache.join("layers")).into_iter().filter(|name| name.ends_with(".json")) {
        let path = cache.join("layers").join(name);
        if digests.iter().any(|digest| read(&path)["record"]["digest"] == *digest) {
            fs::remove_file(&path).expect("removed");
        }
    }
}

#[test]
fn a_lock_with_a_wrong_hash() {
    built();
    let dir = with_site(SITE);
    let cache = dir.path().join("cache");
    borrow_cache(&cache, &["packages"]);
    copy(&images(), &dir.path().join("images"));
    let lock = dir.path().join("images/base/debian.lock");
    let text = fs::read_to_string(&lock).expect("a lock");
    let package = DebianLock::parse(&text, &lock).expect("a lock").packages[0].clone();
    // A mirror on the disk that has the package as it was published.
    let published = dir.path().join("mirror").join(&package.filename);
    fs::create_dir_all(published.parent().expect("a parent")).expect("made");
    fs::copy(cached(&cache, &package.sha256), &published).expect("copied");
    let mirror = format!("file:{}", dir.path().join("mirror").display());
    let build = || {
        let mut command = tool(&["build", "site.yaml", "--out", "out", "--images", "images"]);
        command.current_dir(dir.path()).env("SYNAPSE_SITE_CACHE", &cache);
        command.env("SYNAPSE_SITE_DEBIAN_MIRROR", &mirror).env("SYNAPSE_SITE_DEBIAN_SECURITY_MIRROR", &mirror);
        command
    };
    fs::write(&lock, text.replace(&package.sha256, &"0".repeat(64))).expect("written");
    expect(&mut build(), 3, &[&package.name, "what to do"]);
    assert!(!cached(&cache, &"0".repeat(64)).exists());
    fs::write(&lock, text.replace(&package.sha256, "beef")).expect("written");
    expect(&mut build(), 3, &["debian.lock", &package.name, "64 hexadecimal digits", "synapse-site lock"]);
    fs::write(&lock, &text[..text.len() / 2]).expect("written");
    expect(&mut build(), 3, &["debian.lock", "what to do"]);
    assert_eq!(names(dir.path()), ["cache", "images", "mirror", "site.yaml"]);
    assert!(names(&cache.join("tmp")).is_empty());
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("made");
    for entry in fs::read_dir(from).expect("readable") {
        let entry = entry.expect("an entry");
        let place = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), &place).expect("copied");
        }
    }
}

#[test]
fn no_network() {
    built();
    let dir = with_site(SITE);
    let cache = dir.path().join("cache");
    let mut command = tool(&["build", "site.yaml", "--out", "out"]);
    command.current_dir(dir.path()).env("SYNAPSE_SITE_CACHE", &cache).env("PIP_CONFIG_FILE", "/dev/null");
    for name in ["SYNAPSE_SITE_DEBIAN_MIRROR", "SYNAPSE_SITE_DEBIAN_SECURITY_MIRROR", "PIP_INDEX_URL"] {
        command.env(name, NOBODY);
    }
    expect(&mut command, 3, &["apt cannot fetch", "look at the network"]);
    assert_eq!(names(dir.path()), ["cache", "site.yaml"]);
    assert!(names(&cache.join("tmp")).is_empty() && names(&cache.join("packages")).is_empty());

    // Only a wheel is missing: that is not a wheel which the index has no more.
    borrow_cache(&cache, &["packages"]);
    let wheel = PythonLock::load(&images().join("synapse/python.lock")).expect("a lock").wheels[0].clone();
    fs::remove_file(cached(&cache, &wheel.sha256)).expect("unlinked");
    let ran = expect(&mut command, 3, &["pip cannot fetch", &wheel.name, "the index does not answer", "look at the network"]);
    assert!(!ran.err.contains("no longer offered"), "{}", ran.err);
}
