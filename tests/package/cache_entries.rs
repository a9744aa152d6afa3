//! Entries of the cache in whose place something else lies: a directory, a link, a FIFO, a socket. They are as if they were not
//! there, nothing waits for them, and what belongs there replaces them.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use synapse_site::hash;
use synapse_site::package::cache::Cache;
use tempfile::TempDir;

type Put = fn(&Path);

const OTHERS: [(&str, Put); 5] = [
    ("a directory", |path| fs::create_dir_all(path.join("with/more")).unwrap()),
    ("a link to a file", |path| {
        fs::write(path.with_extension("target"), "content").unwrap();
        symlink(path.with_extension("target"), path).unwrap();
    }),
    ("a link to nothing", |path| symlink("nothing", path).unwrap()),
    ("a FIFO", |path| mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap()),
    // The name of a socket is short: it is made elsewhere and moved.
    ("a socket", |path| {
        let dir = TempDir::new_in("/tmp").unwrap();
        let _socket = UnixListener::bind(dir.path().join("s")).unwrap();
        fs::rename(dir.path().join("s"), path).unwrap();
    }),
];

fn new() -> (TempDir, Cache) {
    // Beside the sockets, as these are moved.
    let dir = TempDir::new_in("/tmp").unwrap();
    let cache = Cache::open(Some(dir.path().to_owned())).unwrap();
    (dir, cache)
}

fn insert(cache: &Cache, sha256: &str) {
    let scratch = cache.scratch().unwrap();
    let file = scratch.path().join("x");
    fs::write(&file, "content").unwrap();
    let path = cache.insert(&file, sha256).unwrap();
    assert_eq!(cache.verified(sha256).unwrap(), Some(path.clone()));
    assert!(fs::symlink_metadata(path).unwrap().is_file());
}

#[test]
fn a_package_takes_the_place_of_what_is_not_one() {
    for (what, put) in OTHERS {
        let (dir, cache) = new();
        let sha256 = hash::sha256_text("content");
        let place = dir.path().join("packages").join(&sha256[..2]);
        fs::create_dir(&place).unwrap();
        put(&place.join(&sha256));
        assert_eq!(cache.package(&sha256), None, "{what}");
        assert_eq!(cache.verified(&sha256).unwrap(), None, "{what}");
        insert(&cache, &sha256);
    }
}

#[test]
fn the_directory_of_packages_takes_the_place_of_what_is_not_one() {
    for (what, put) in &OTHERS[1..] {
        let (dir, cache) = new();
        let sha256 = hash::sha256_text("content");
        put(&dir.path().join("packages").join(&sha256[..2]));
        assert_eq!(cache.verified(&sha256).unwrap(), None, "{what}");
        insert(&cache, &sha256);
    }
}

#[test]
fn an_object_takes_the_place_of_what_is_not_one() {
    for (what, put) in OTHERS {
        let (dir, cache) = new();
        fs::create_dir(dir.path().join("layers")).unwrap();
        let place = dir.path().join("layers/x");
        put(&place);
        assert_eq!(cache.object("layers", "x"), None, "{what}");
        let mut pending = cache.create("layers", "x").unwrap();
        pending.write_all(b"whole").unwrap();
        pending.commit().unwrap();
        assert!(fs::symlink_metadata(&place).unwrap().is_file(), "{what}");
        fs::remove_file(&place).unwrap();
        let _target = fs::remove_file(place.with_extension("target"));
        put(&place);
        cache.remove("layers", "x").unwrap();
        assert!(fs::symlink_metadata(&place).is_err(), "{what}");
    }
}
