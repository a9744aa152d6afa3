//! The cache.

use std::fs;
use std::io::Write;

use synapse_site::hash;
use synapse_site::package::cache::Cache;
use tempfile::TempDir;

use crate::make::files_below;

fn open() -> (TempDir, Cache) {
    let dir = TempDir::new().unwrap();
    let cache = Cache::open(Some(dir.path().join("deep/cache"))).unwrap();
    (dir, cache)
}

#[test]
fn packages_come_in_by_their_hash_only() {
    let (_dir, cache) = open();
    let sha256 = hash::sha256_text("content");
    assert_eq!(cache.package(&sha256), None);
    let scratch = cache.scratch().unwrap();
    let file = scratch.path().join("x.deb");
    fs::write(&file, "content").unwrap();
    let error = cache.insert(&file, &hash::sha256_text("other")).unwrap_err();
    assert!(error.to_string().contains("x.deb") && error.exit_code() == 3, "{error}");
    assert_eq!(cache.package(&sha256), None);
    let path = cache.insert(&file, &sha256).unwrap();
    assert_eq!(cache.package(&sha256).as_ref(), Some(&path));
    assert_eq!(fs::read(&path).unwrap(), b"content");
    for odd in ["", "../../x", "ABC", &sha256.to_uppercase()] {
        assert_eq!(cache.package(odd), None);
    }
    let link = scratch.path().join("link.deb");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(cache.insert(&link, &sha256).is_err());
}

#[test]
fn a_damaged_package_is_removed_when_it_is_looked_at() {
    let (_dir, cache) = open();
    let sha256 = hash::sha256_text("content");
    let scratch = cache.scratch().unwrap();
    let file = scratch.path().join("x");
    fs::write(&file, "content").unwrap();
    let path = cache.insert(&file, &sha256).unwrap();
    assert_eq!(cache.verified(&sha256).unwrap(), Some(path.clone()));
    fs::write(&path, "damaged").unwrap();
    assert_eq!(cache.verified(&sha256).unwrap(), None);
    assert!(!path.exists());
}

#[test]
fn an_object_appears_whole_or_not_at_all() {
    let (_dir, cache) = open();
    let mut pending = cache.create("layers", "abc.tar.gz").unwrap();
    pending.write_all(b"half").unwrap();
    assert_eq!(cache.object("layers", "abc.tar.gz"), None);
    drop(pending);
    assert_eq!(cache.object("layers", "abc.tar.gz"), None);
    assert_eq!(files_below(&cache.root().join("tmp")), Vec::<std::path::PathBuf>::new());
    let mut pending = cache.create("layers", "abc.tar.gz").unwrap();
    pending.write_all(b"whole").unwrap();
    let path = pending.commit().unwrap();
    assert_eq!(fs::read(cache.object("layers", "abc.tar.gz").unwrap()).unwrap(), b"whole");
    cache.remove("layers", "abc.tar.gz").unwrap();
    assert!(!path.exists());
    for name in ["../x", "a/b", "", ".hidden", "ä"] {
        assert!(cache.create("layers", name).is_err(), "{name}");
        assert!(cache.create(name, "x").is_err(), "{name}");
    }
}

#[test]
fn two_writers_of_one_object_do_not_disturb_each_other() {
    let (_dir, cache) = open();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let cache = Cache::open(Some(cache.root().to_owned())).unwrap();
            std::thread::spawn(move || {
                for _ in 0..20 {
                    let mut pending = cache.create("layers", "same").unwrap();
                    pending.write_all(&[7; 10_000]).unwrap();
                    pending.commit().unwrap();
                    assert_eq!(fs::read(cache.object("layers", "same").unwrap()).unwrap(), [7; 10_000]);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_place_that_cannot_be_written_to_is_told() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(Cache::open(Some(file)).unwrap_err().exit_code(), 3);
}
