//! What killed processes leave in the cache's `tmp`: a run removes it at once, and nothing else.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{chown, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use synapse_site::package::cache::Cache;
use synapse_site::scratch::Scratch;
use tempfile::TempDir;

/// Where the child finds its cache.
const CASE: &str = "SYNAPSE_SITE_TEST_LEFTOVERS";

/// The child: takes a scratch directory and begins an object, says so, and waits to be killed.
#[test]
#[ignore = "the other tests run it in a process of its own"]
fn child() {
    let cache = Cache::open(std::env::var_os(CASE).map(Into::into)).unwrap();
    let scratch = cache.scratch().unwrap();
    fs::create_dir_all(scratch.path().join("a/b")).unwrap();
    fs::write(scratch.path().join("a/b/part"), "x").unwrap();
    let _system = Scratch::of_the_system().unwrap();
    let mut pending = cache.create("layers", "x").unwrap();
    pending.write_all(b"half").unwrap();
    eprintln!("READY");
    std::thread::sleep(Duration::from_secs(600));
}

/// A child that has begun.
fn start(root: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "cache_leftovers::child", "--ignored", "--nocapture"]).env(CASE, root).env("TMPDIR", root.parent().unwrap());
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut said, mut byte) = (Vec::new(), [0]);
    while !said.ends_with(b"READY\n") {
        child.stderr.as_mut().unwrap().read_exact(&mut byte).unwrap();
        said.push(byte[0]);
    }
    child
}

fn count(dir: &Path) -> usize {
    fs::read_dir(dir).unwrap().count()
}

#[test]
fn a_run_removes_what_killed_ones_left_and_not_what_running_ones_use() {
    let top = TempDir::new().unwrap();
    let root = top.path().join("cache");
    let (mut killed, mut running) = (start(&root), start(&root));
    let tmp = root.join("tmp");
    assert_eq!(count(&tmp), 6);
    Cache::open(Some(root.clone())).unwrap();
    assert_eq!(count(&tmp), 6, "both are running");
    killed.kill().unwrap();
    killed.wait().unwrap();
    Cache::open(Some(root.clone())).unwrap();
    assert_eq!(count(&tmp), 3, "one is running");
    // The same outside the cache, where the modules of a description in Nix are.
    assert_eq!(count(top.path()), 5);
    let mut another = start(&root);
    another.kill().unwrap();
    another.wait().unwrap();
    assert_eq!(count(top.path()), 5);
    running.kill().unwrap();
    running.wait().unwrap();
    Cache::open(Some(root.clone())).unwrap();
    let left: Vec<_> = fs::read_dir(&tmp).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn only_names_that_this_program_makes_are_swept_and_no_link_is_followed() {
    let (dir, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let open = || Cache::open(Some(dir.path().to_owned())).unwrap();
    let cache = open();
    let tmp = cache.root().join("tmp");
    fs::write(elsewhere.path().join("thesis.odt"), "x").unwrap();
    let file = |name: &str| fs::write(tmp.join(name), "x").unwrap();
    let directory = |name: &str| {
        fs::create_dir(tmp.join(name)).unwrap();
        fs::write(tmp.join(name).join("part"), "x").unwrap();
        symlink(elsewhere.path(), tmp.join(name).join("link")).unwrap();
    };
    // Left by earlier versions: a file, a directory with its lock, one without.
    for name in [".tmpAbCd01", ".tmpyoung1"] {
        file(name);
    }
    directory(".tmpAbCd02");
    fs::write(tmp.join(".tmpAbCd02/.lock"), "").unwrap();
    directory(".tmpAbCd03");
    // Left by this one: a file, a directory with its lock, one without, a lock alone.
    file("synapse-site-AAAAAAAAA1.new");
    file("synapse-site-AAAAAAAAA2.lock");
    directory("synapse-site-AAAAAAAAA2.dir");
    directory("synapse-site-AAAAAAAAA3.dir");
    file("synapse-site-AAAAAAAAA4.lock");
    // Of somebody else.
    let others = ["thesis.odt", ".tmpAbC", ".tmpAbCd0123", "synapse-site-AAAAAAAAA5", "synapse-site-notes.dir", "xsynapse-site-AAAAAAAAA6.new"];
    others.iter().for_each(|name| file(name));
    symlink(elsewhere.path(), tmp.join("synapse-site-AAAAAAAAA7.dir")).unwrap();
    symlink(elsewhere.path().join("thesis.odt"), tmp.join("synapse-site-AAAAAAAAA8.new")).unwrap();
    symlink(elsewhere.path(), tmp.join(".tmpAbCd04")).unwrap();
    mknodat(CWD, tmp.join("synapse-site-AAAAAAAAA9.new"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    mknodat(CWD, tmp.join("synapse-site-AAAAAAAAB1.lock"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    mknodat(CWD, tmp.join(".tmpAbCd05"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(7200);
    for entry in fs::read_dir(&tmp).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        if !path.ends_with(".tmpyoung1") && (meta.is_file() || meta.is_dir()) {
            fs::File::open(path).unwrap().set_modified(long_ago).unwrap();
        }
    }
    open();
    let mut left: Vec<String> = fs::read_dir(&tmp).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    for name in others.iter().chain(&[".tmpyoung1"]) {
        assert!(left.iter().any(|left| left == name), "{name} is gone: {left:?}");
    }
    for name in [".tmpAbCd01", ".tmpAbCd02", ".tmpAbCd03", "synapse-site-AAAAAAAAA1.new", "synapse-site-AAAAAAAAA2.lock"] {
        assert!(!left.iter().any(|left| left == name), "{name} is left: {left:?}");
    }
    for name in ["synapse-site-AAAAAAAAA2.dir", "synapse-site-AAAAAAAAA3.dir", "synapse-site-AAAAAAAAA4.lock"] {
        assert!(!left.iter().any(|left| left == name), "{name} is left: {left:?}");
    }
    assert_eq!(fs::read(elsewhere.path().join("thesis.odt")).unwrap(), b"x");
}

#[test]
fn scratch_of_another_user_is_nobodys_business() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let dir = TempDir::new().unwrap();
    let cache = Cache::open(Some(dir.path().to_owned())).unwrap();
    let tmp = cache.root().join("tmp");
    for name in ["synapse-site-AAAAAAAAA1.new", "synapse-site-AAAAAAAAA2.lock", ".tmpAbCd01"] {
        fs::write(tmp.join(name), "x").unwrap();
        chown(tmp.join(name), Some(12345), None).unwrap();
    }
    fs::create_dir(tmp.join("synapse-site-AAAAAAAAA2.dir")).unwrap();
    chown(tmp.join("synapse-site-AAAAAAAAA2.dir"), Some(12345), None).unwrap();
    let held = fs::File::open(tmp.join("synapse-site-AAAAAAAAA2.lock")).unwrap();
    held.lock().unwrap();
    Cache::open(Some(dir.path().to_owned())).unwrap();
    assert_eq!(count(&tmp), 4);
}
