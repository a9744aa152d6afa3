//! Places to write to: foreign, occupied, too small, taken.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::support::{SITE, built, expect, names, run, skip, tool, tree, with_site};

#[test]
fn foreign_places_stay_as_they_are() {
    let dir = with_site(SITE);
    let at = |arguments: &[&str], code: i32, words: &[&str]| drop(expect(tool(arguments).current_dir(dir.path()), code, words));
    at(&["render", "site.yaml", "--out", "."], 3, &["not written by a build", "new or an empty directory"]);
    at(&["render", "site.yaml", "--out", "site.yaml"], 3, &["no directory"]);
    at(&["render", "site.yaml", "--out", "site.yaml/x"], 3, &["site.yaml/x", "what to do"]);
    at(&["render", "site.yaml", "--out", "no/such"], 3, &["no", "what to do"]);
    at(&["render", "site.yaml", "--out", "/"], 3, &["what to do"]);
    at(&["render", "site.yaml", "--out", ""], 2, &["--out"]);
    assert_eq!(names(dir.path()), ["site.yaml"]);

    at(&["render", "site.yaml", "--out", "o \"u\" $t é"], 0, &[]);
    at(&["build", "site.yaml", "--out", "o \"u\" $t é"], 3, &["written by `synapse-site render`"]);
    at(&["render", "site.yaml", "--out", "o \"u\" $t é"], 0, &[]);
    assert_eq!(names(dir.path()), ["o \"u\" $t é", "site.yaml"]);
}

#[test]
fn a_description_in_json_is_not_taken_for_an_output() {
    let dir = tempfile::tempdir().expect("a directory");
    expect(tool(&["new", "example.com", "--format", "json"]).current_dir(dir.path()), 0, &[]);
    let before = tree(dir.path());
    for verb in ["render", "build"] {
        expect(tool(&[verb, "example.com", "--out", "example.com"]).current_dir(dir.path()), 3, &["site.json", "not written by a build"]);
    }
    assert_eq!(tree(dir.path()), before);
}

#[test]
fn a_place_or_cache_that_may_not_be_written_to() {
    let dir = with_site(SITE);
    for name in ["locked", "cache"] {
        fs::create_dir(dir.path().join(name)).expect("made");
        fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(0o555)).expect("closed");
    }
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("open");
    // Root may write everywhere, so the program runs as somebody else; that one must reach it.
    let program = dir.path().join("synapse-site");
    fs::copy(env!("CARGO_BIN_EXE_synapse-site"), &program).expect("copied");
    let command = |arguments: &[&str]| {
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]).arg(&program);
            command
        } else {
            Command::new(&program)
        };
        command.args(arguments).current_dir(dir.path()).env("SYNAPSE_SITE_CACHE", dir.path().join("cache"));
        command
    };
    expect(&mut command(&["render", "site.yaml", "--out", "locked/out"]), 3, &["locked", "Permission denied", "choose another place"]);
    expect(&mut command(&["build", "site.yaml", "--out", "out"]), 3, &["cache", "Permission denied", "choose another place"]);
    assert!(names(&dir.path().join("locked")).is_empty() && names(&dir.path().join("cache")).is_empty());
}

/// A small file system in memory, as long as the value lives.
struct Small(PathBuf);

impl Small {
    fn at(place: &Path) -> Self {
        fs::create_dir(place).expect("made");
        assert!(Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(place).status().expect("mount").success());
        Self(place.to_owned())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let status = Command::new("umount").arg(&self.0).status();
        assert!(std::thread::panicking() || status.is_ok_and(|status| status.success()), "{} stays mounted", self.0.display());
    }
}

#[test]
fn no_space() {
    built();
    let dir = with_site(SITE);
    let mut limited = Command::new("prlimit");
    limited.arg("--fsize=20000000").arg(env!("CARGO_BIN_EXE_synapse-site")).args(["build", "site.yaml", "--out", "out"]);
    expect(limited.current_dir(dir.path()).env("SYNAPSE_SITE_LAUNCH", env!("CARGO_BIN_EXE_launch")), 3, &["File too large", "ulimit -f"]);
    assert_eq!(names(dir.path()), ["site.yaml"]);
    // Only root can make a file system of a size.
    if rustix::process::geteuid().is_root() {
        let small = Small::at(&dir.path().join("small"));
        expect(tool(&["build", "site.yaml", "--out", "small/out"]).current_dir(dir.path()), 3, &["No space left", "free some space"]);
        assert!(names(&small.0).is_empty());
    }
}

#[test]
fn one_build_at_a_time() {
    let good = built();
    let dir = with_site(SITE);
    let build = || {
        let mut command = tool(&["build", "site.yaml", "--out", "out"]);
        command.current_dir(dir.path());
        command
    };
    let mut first = build().stderr(std::process::Stdio::null()).spawn().expect("runs");
    let begun = Instant::now();
    while !names(dir.path()).iter().any(|name| name.starts_with(".out.synapse-site.")) {
        assert!(begun.elapsed() < Duration::from_secs(30) && first.try_wait().expect("a child").is_none(), "the first build never claimed its place");
        std::thread::sleep(Duration::from_millis(2));
    }
    expect(&mut build(), 3, &["another build is writing", "wait"]);
    assert!(first.wait().expect("ends").success());
    assert_eq!(tree(&dir.path().join("out")), good);
    assert_eq!(run(&mut build()).code, Some(0));
    assert_eq!(names(dir.path()), ["out", "site.yaml"]);
}

#[test]
fn a_mount_point_in_the_directory_is_found_before_anything_is_changed() {
    if !rustix::process::geteuid().is_root() {
        return skip("a_mount_point_in_the_directory_is_found_before_anything_is_changed", "only root can mount");
    }
    let dir = with_site(SITE);
    let render = || {
        let mut command = tool(&["render", "site.yaml", "--out", "out"]);
        command.current_dir(dir.path());
        command
    };
    expect(&mut render(), 0, &[]);
    fs::write(dir.path().join("out/notes"), "mine").expect("written");
    let mounted = Small::at(&dir.path().join("out/data"));
    fs::write(mounted.0.join("file"), "mine").expect("written");
    let before = tree(dir.path());
    expect(&mut render(), 3, &["out/data", "is a mount point", "unmount it"]);
    assert_eq!(tree(dir.path()), before);
    drop(mounted);
    expect(&mut render(), 0, &[]);
    assert_eq!(names(dir.path()), ["out", "site.yaml"]);
}

#[test]
fn an_entry_that_cannot_be_moved_undoes_the_build() {
    const TEST: &str = "an_entry_that_cannot_be_moved_undoes_the_build";
    let dir = with_site(SITE);
    let render = || {
        let mut command = tool(&["render", "site.yaml", "--out", "out"]);
        command.current_dir(dir.path());
        command
    };
    expect(&mut render(), 0, &[]);
    for name in ["a", "fixed", "z"] {
        fs::write(dir.path().join("out").join(name), name).expect("written");
    }
    let fixed = |how: &str| Command::new("chattr").arg(how).arg(dir.path().join("out/fixed")).output();
    if !fixed("+i").is_ok_and(|ran| ran.status.success()) {
        return skip(TEST, "`chattr +i` cannot be used here");
    }
    let other = SITE.replace("example.com", "example.org");
    fs::write(dir.path().join("site.yaml"), other).expect("written");
    let before = tree(dir.path());
    let ran = run(&mut render());
    let after = tree(dir.path());
    assert!(fixed("-i").is_ok_and(|ran| ran.status.success()), "chattr -i");
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.err.contains("fixed cannot be moved") && ran.err.contains("it is yours"), "{ran:?}");
    assert_eq!(after, before);
    expect(&mut render(), 0, &[]);
    assert_eq!(names(dir.path()), ["out", "site.yaml"]);
    assert_eq!(fs::read_to_string(dir.path().join("out/fixed")).expect("there"), "fixed");
}

#[test]
fn a_launcher_makes_no_key_behind_a_link() {
    let dir = tempfile::tempdir().expect("a directory");
    let plan =
        r#"{ "format": 1, "server_name": "example.com", "roles": {}, "secrets": [{ "name": "signing_key", "purpose": "it signs", "make": "signing_key" }] }"#;
    fs::write(dir.path().join("plan.json"), plan).expect("written");
    fs::create_dir(dir.path().join("real")).expect("made");
    for (link, to) in [("valid", "real"), ("dangling", "nothing")] {
        std::os::unix::fs::symlink(to, dir.path().join(link)).expect("linked");
        let mut launch = Command::new(env!("CARGO_BIN_EXE_launch"));
        launch.args(["secrets", "init", link]).current_dir(dir.path()).env("SYNAPSE_SITE_PLAN", "plan.json");
        expect(&mut launch, 3, &["symbolic link"]);
    }
    assert!(names(&dir.path().join("real")).is_empty());
    assert_eq!(names(dir.path()), ["dangling", "plan.json", "real", "valid"]);
}
