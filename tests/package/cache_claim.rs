//! Which directories become caches, and that others stay as they are.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use synapse_site::hash;
use synapse_site::package::cache::{Cache, VARIABLE};
use tempfile::TempDir;

/// The mark as earlier versions wrote it.
const FORMER: &str = "Signature: 8a477f597d28d172789f06886806bc55\n# Files that synapse-site fetched or made; it makes them anew when they are gone.\n";

/// All names below a directory with inode, size, mode and time of the last change of content.
fn everything(dir: &Path) -> BTreeMap<PathBuf, (u64, u64, u32, i64, i64)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        if meta.is_dir() {
            found.extend(everything(&path));
        }
        found.insert(path, (meta.ino(), meta.size(), meta.mode(), meta.mtime(), meta.mtime_nsec()));
    }
    found
}

/// Writes a file, and makes it and its directory older than any age that ever counted.
fn old(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "of a person").unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(7200);
    fs::File::open(path).unwrap().set_modified(long_ago).unwrap();
    fs::File::open(path.parent().unwrap()).unwrap().set_modified(long_ago).unwrap();
}

fn refusal(dir: &Path, words: &[&str]) {
    let error = Cache::open(Some(dir.to_owned())).unwrap_err();
    assert_eq!(error.exit_code(), 3);
    for word in words.iter().chain(&["what to do", "--cache", VARIABLE]) {
        assert!(error.to_string().contains(word), "no {word:?} in: {error}");
    }
}

#[test]
fn what_is_not_a_cache_is_refused_and_stays_as_it_was() {
    type Prepare = fn(&Path);
    let empty = "it has no CACHEDIR.TAG and holds";
    let cases: [(Prepare, &str); 14] = [
        (|dir| old(&dir.join("tmp/thesis.odt")), "\"tmp\""),
        (|dir| old(&dir.join("thesis.odt")), "\"thesis.odt\""),
        (|dir| old(&dir.join("tmp/.tmpAbCdEf")), empty),
        (|dir| old(&dir.join("packages/mine.deb")), empty),
        (|dir| old(&dir.join("layers/mine")), empty),
        (|dir| symlink(dir.with_extension("elsewhere"), dir.join("tmp")).unwrap(), "\"tmp\""),
        (|dir| fs::write(dir.join("\u{1b}[31m"), "").unwrap(), "\\u{1b}[31m"),
        (|dir| fs::create_dir(dir.join("CACHEDIR.TAG")).unwrap(), "not a plain file"),
        (|dir| symlink("elsewhere", dir.join("CACHEDIR.TAG")).unwrap(), "not a plain file"),
        (|dir| mknodat(CWD, dir.join("CACHEDIR.TAG"), FileType::Fifo, Mode::RUSR, 0).unwrap(), "not a plain file"),
        (|dir| fs::write(dir.join("CACHEDIR.TAG"), "Signature: 8a477f597d28d172789f06886806bc55\n# Created by cargo.\n").unwrap(), "# Created by cargo."),
        (|dir| fs::write(dir.join("CACHEDIR.TAG"), "").and_then(|()| fs::write(dir.join("notes"), "")).unwrap(), "of another program"),
        (|dir| fs::write(dir.join("CACHEDIR.TAG"), [0xff; 9000]).unwrap(), "of another program"),
        (|dir| fs::write(dir.join("CACHEDIR.TAG"), format!("{FORMER}# Format 2\n")).unwrap(), "format 2"),
    ];
    for (at, (prepare, word)) in cases.into_iter().enumerate() {
        let top = TempDir::new().unwrap();
        let dir = top.path().join("dir");
        fs::create_dir(&dir).unwrap();
        old(&dir.with_extension("elsewhere").join("tax.ods"));
        prepare(&dir);
        let before = everything(top.path());
        refusal(&dir, &[word]);
        assert_eq!(everything(top.path()), before, "case {at}");
    }
}

#[test]
fn a_path_that_cannot_be_a_cache_is_refused_before_anything_is_made() {
    let top = TempDir::new().unwrap();
    refusal(&top.path().join(OsStr::from_bytes(b"a/\xff/b")), &["not UTF-8"]);
    assert_eq!(fs::read_dir(top.path()).unwrap().count(), 0);
    fs::create_dir(top.path().join(OsStr::from_bytes(b"\xff"))).unwrap();
    symlink(OsStr::from_bytes(b"\xff"), top.path().join("link")).unwrap();
    refusal(&top.path().join("link"), &["not UTF-8"]);
    fs::write(top.path().join("file"), "").unwrap();
    refusal(&top.path().join("file"), &["not a directory"]);
    symlink("nowhere", top.path().join("dangling")).unwrap();
    refusal(&top.path().join("dangling"), &["not a directory"]);
    assert!(!top.path().join("nowhere").exists());
    assert_eq!(Cache::open(Some(top.path().join("file/below"))).unwrap_err().exit_code(), 3);
}

#[test]
fn caches_of_earlier_versions_are_taken_over_also_unfinished_ones() {
    let half = &FORMER[..FORMER.len() / 2];
    let now = format!("{FORMER}# Format 1\n");
    // Each mark with the directories that were there when its writer was killed, or the power was cut.
    let whole = ["packages", "tmp", "apt", "layers", "bytecode", "locks"];
    let cases: [(&[&str], Option<&str>); 9] = [
        (&[], None),
        (&["lost+found"], None),
        (&["packages"], None),
        (&["packages", "tmp"], None),
        (&["packages", "tmp"], Some("")),
        (&["packages", "tmp"], Some(half)),
        (&whole, Some("")),
        (&whole, Some(FORMER)),
        (&whole, Some(&now)),
    ];
    for (at, (directories, mark)) in cases.into_iter().enumerate() {
        let dir = TempDir::new().unwrap();
        for name in directories {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        if let Some(mark) = mark {
            fs::write(dir.path().join("CACHEDIR.TAG"), mark).unwrap();
        }
        let sha256 = hash::sha256_text("content");
        if directories == whole {
            old(&dir.path().join("tmp/thesis.odt"));
            let package = dir.path().join("packages").join(&sha256[..2]).join(&sha256);
            fs::create_dir(package.parent().unwrap()).unwrap();
            fs::write(package, "content").unwrap();
        }
        for _ in 0..2 {
            let cache = Cache::open(Some(dir.path().to_owned())).unwrap_or_else(|error| panic!("case {at}: {error}"));
            assert_eq!(cache.verified(&sha256).unwrap().is_some(), directories == whole, "case {at}");
            assert_eq!(dir.path().join("tmp/thesis.odt").exists(), directories == whole, "a name that this program does not make");
            let mark = fs::read_to_string(dir.path().join("CACHEDIR.TAG")).unwrap();
            assert!(mark == FORMER || mark == now, "case {at}: {mark}");
        }
    }
}

#[test]
fn many_open_one_new_cache_at_the_same_time() {
    for _ in 0..40 {
        let dir = TempDir::new().unwrap();
        let root = dir.path().join("new/cache");
        let start = Barrier::new(12);
        std::thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| {
                    start.wait();
                    let cache = Cache::open(Some(root.clone())).unwrap();
                    cache.scratch().unwrap();
                    cache.create("layers", "x").unwrap().commit().unwrap();
                });
            }
        });
    }
}

#[test]
fn a_part_of_the_cache_that_is_no_directory_is_told() {
    for part in ["packages", "tmp", "layers", "bytecode"] {
        for link in [true, false] {
            let (dir, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
            Cache::open(Some(dir.path().to_owned())).unwrap();
            old(&elsewhere.path().join("synapse-site-AAAAAAAAAA.new"));
            let path = dir.path().join(part);
            let _absent = fs::remove_dir(&path);
            if link {
                symlink(elsewhere.path(), &path).unwrap()
            } else {
                fs::write(&path, "").unwrap()
            }
            let error = Cache::open(Some(dir.path().to_owned())).unwrap_err().to_string();
            assert!(error.contains(&path.display().to_string()) && error.contains("remove it"), "{error}");
            assert!(error.contains(if link { "is a link" } else { "is not a directory" }), "{error}");
            assert!(elsewhere.path().join("synapse-site-AAAAAAAAAA.new").exists());
        }
    }
}
