//! Directories before and after a build.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use serde_json::json;

use super::*;

const OUTPUTS: &[&str] = &[MARKER, "images.tar", "sbom"];

fn create(target: &Path, files: &[&str]) -> Result<OutDir> {
    OutDir::create(target, OUTPUTS, files.iter().map(PathBuf::from).collect())
}

/// A build that writes these files, each with its own path and a text.
fn build_files(target: &Path, files: &[&str], text: &str) -> Result<PathBuf> {
    let out = create(target, &[&[MARKER], files].concat())?;
    for file in files {
        let path = out.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    mark(out.path(), json!({ "kind": "build", "text": text })).unwrap();
    out.commit()
}

fn build(target: &Path, text: &str) -> Result<PathBuf> {
    build_files(target, &["sbom/a.json"], text)
}

fn marked(target: &Path) -> String {
    let mark: serde_json::Value = serde_json::from_slice(&fs::read(target.join(MARKER)).unwrap()).unwrap();
    mark["text"].as_str().unwrap().to_owned()
}

fn entries(directory: &Path) -> Vec<String> {
    names(directory).unwrap().into_iter().map(|name| name.into_string().unwrap()).collect()
}

#[test]
fn new_empty_and_old_directories_are_written() {
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("out");
    for text in ["new", "old"] {
        assert_eq!(build(&target, text).unwrap(), fs::canonicalize(&target).unwrap());
        assert_eq!(fs::read_to_string(target.join("sbom/a.json")).unwrap(), text);
    }
    let empty = parent.path().join("empty");
    fs::create_dir(&empty).unwrap();
    build(&empty, "x").unwrap();
    assert_eq!(entries(parent.path()), ["empty", "out"], "no litter");
}

#[test]
fn the_users_files_stay() {
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("out");
    build(&target, "one").unwrap();
    fs::create_dir(target.join("secrets")).unwrap();
    fs::write(target.join("secrets/pepper"), "value").unwrap();
    build(&target, "two").unwrap();
    assert_eq!(fs::read_to_string(target.join("secrets/pepper")).unwrap(), "value");
    assert_eq!(marked(&target), "two");
    assert_eq!(entries(parent.path()), ["out"]);

    let foreign = parent.path().join("home");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("thesis"), "").unwrap();
    assert!(build(&foreign, "x").unwrap_err().to_string().contains("not written by a build"));
    fs::write(parent.path().join("file"), "").unwrap();
    assert!(build(&parent.path().join("file"), "x").unwrap_err().to_string().contains("is no directory"));
    assert_eq!(entries(&foreign), ["thesis"]);
    assert_eq!(entries(parent.path()), ["file", "home", "out"]);
}

#[test]
fn one_build_at_a_time() {
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("out");
    let first = create(&target, &[MARKER]).unwrap();
    let error = create(&parent.path().join(".").join("out"), &[MARKER]).unwrap_err().to_string();
    assert!(error.contains("another build is writing"), "{error}");
    let other = create(&parent.path().join("out2"), &[MARKER]).unwrap();
    drop(first);
    drop(other);
    assert_eq!(entries(parent.path()), [""; 0]);
    create(&target, &[MARKER]).unwrap();
}

#[test]
fn of_builds_that_begin_together_one_goes_on() {
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("out");
    for _ in 0..20 {
        let start = std::sync::Barrier::new(4);
        let ended = std::sync::Barrier::new(4);
        let got = std::thread::scope(|scope| {
            let one = || {
                start.wait();
                let got = create(&target, &[MARKER]);
                // Nobody lets go before all have tried.
                ended.wait();
                got.map(drop)
            };
            let all: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(got.iter().filter(|got| got.is_ok()).count(), 1, "{got:?}");
        assert!(got.iter().filter_map(|got| got.as_ref().err()).all(|error| error.to_string().contains("another build is writing")), "{got:?}");
        assert_eq!(entries(parent.path()), [""; 0]);
    }
}

#[test]
fn entries_keep_their_identity() {
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("out");
    build(&target, "one").unwrap();
    fs::create_dir(target.join("data")).unwrap();
    fs::set_permissions(target.join("data"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(target.join("notes"), "mine").unwrap();
    fs::hard_link(target.join("notes"), parent.path().join("other")).unwrap();
    symlink("data", target.join("link")).unwrap();
    symlink("/no/such", target.join("dangling")).unwrap();
    fs::write(target.join(std::ffi::OsStr::new("odd\n\\name")), "").unwrap();
    let look = || {
        let found = |name: &OsString| {
            let found = fs::symlink_metadata(target.join(name)).unwrap();
            (found.ino(), found.mode(), found.uid(), found.gid(), found.nlink(), fs::read_link(target.join(name)).ok())
        };
        names(&target).unwrap().into_iter().filter(|name| !OUTPUTS.contains(&name.to_str().unwrap())).map(|name| (found(&name), name)).collect::<Vec<_>>()
    };
    let before = look();
    assert_eq!(before.len(), 5);
    let mut open = fs::File::options().append(true).open(target.join("notes")).unwrap();
    build(&target, "two").unwrap();
    assert_eq!(look(), before);
    std::io::Write::write_all(&mut open, b", live").unwrap();
    assert_eq!(fs::read_to_string(target.join("notes")).unwrap(), "mine, live");
    assert_eq!(entries(parent.path()), ["other", "out"]);
}

#[test]
fn a_new_directory_is_closed_while_it_is_written() {
    let parent = tempfile::tempdir().unwrap();
    let out = create(&parent.path().join("out"), &[MARKER]).unwrap();
    let work = entries(parent.path());
    assert!(work.len() == 1 && work[0].starts_with(".out.synapse-site.") && work[0].len() == 28, "{work:?}");
    assert_eq!(fs::metadata(parent.path().join(&work[0])).unwrap().mode() & 0o777, 0o700);
    drop(out);
}

#[test]
fn an_entry_that_comes_or_goes_meanwhile() {
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("out");
    build(&target, "one").unwrap();
    fs::write(target.join("goes"), "").unwrap();
    let out = create(&target, &[MARKER]).unwrap();
    mark(out.path(), json!({ "kind": "build", "text": "two" })).unwrap();
    out.sibling.link(&["goes".into()]).unwrap();
    fs::remove_file(target.join("goes")).unwrap();
    fs::write(target.join("comes"), "mine").unwrap();
    out.exchange().unwrap();
    drop(out);
    assert_eq!(entries(&target), ["comes", MARKER]);
    assert_eq!(marked(&target), "two");
    assert_eq!(entries(parent.path()), ["out"]);
}

#[test]
fn secrets_are_not_made_beside_an_unfinished_build() {
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("out");
    build(&target, "one").unwrap();
    check_finished(&target, OUTPUTS).unwrap();
    fs::create_dir(target.join("secrets")).unwrap();
    check_finished(&target, OUTPUTS).unwrap();

    // A live build, and one that ended before the exchange.
    let out = create(&target, &[MARKER]).unwrap();
    let refused = || check_finished(&target, OUTPUTS).unwrap_err().to_string();
    assert!(refused().contains("another build is writing"));
    let mut left = out.path().parent().unwrap().to_owned();
    assert!(check_finished(out.path(), OUTPUTS).unwrap_err().to_string().contains("old directory of a build"));
    mark(out.path(), json!({ "kind": "build", "text": "two" })).unwrap();
    out.sibling.link(&["secrets".into()]).unwrap();
    // Dead without its own end: under another name its directory has no lock.
    let kill = |left: &Path| {
        let copy = left.with_file_name("copy");
        fs::create_dir(&copy).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o711)).unwrap();
        for name in names(left).unwrap() {
            fs::rename(left.join(&name), copy.join(&name)).unwrap();
        }
        fs::remove_dir(left).unwrap();
        fs::rename(&copy, left).unwrap();
    };
    kill(&left);
    check_finished(&target, OUTPUTS).unwrap();
    renameat_with(CWD, left.join("content"), CWD, &target, RenameFlags::EXCHANGE).unwrap();
    assert!(refused().contains(&format!("synapse-site build SITE --out {}", target.display())), "{}", refused());
    // Also without the sibling: carried to another machine.
    let elsewhere = parent.path().join("elsewhere");
    fs::rename(&left, &elsewhere).unwrap();
    assert!(refused().contains("was killed"), "{}", refused());
    fs::rename(&elsewhere, &left).unwrap();
    std::mem::forget(out);
    build(&target, "three").unwrap();
    check_finished(&target, OUTPUTS).unwrap();
    assert_eq!(entries(&target), ["sbom", "secrets", MARKER]);
    assert_eq!(entries(parent.path()), ["out"]);

    // The version before.
    left.set_file_name(".out.synapse-site");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("images.tar"), "half").unwrap();
    check_finished(&target, OUTPUTS).unwrap();
    fs::rename(target.join("secrets"), left.join("secrets")).unwrap();
    assert!(refused().contains("was killed"), "{}", refused());
    build(&target, "four").unwrap();
    check_finished(&target, OUTPUTS).unwrap();
}

#[test]
fn what_others_prepared_is_left_alone() {
    if !rustix::process::geteuid().is_root() {
        let reason = "it gives directories to somebody else, which takes root";
        println!("SKIPPED what_others_prepared_is_left_alone: {reason}");
        // Where `make unit` looks; unit tests are told of no directory, so it is found from the program's own.
        let program = std::env::current_exe().unwrap();
        let place = program.ancestors().nth(3).unwrap().join("tmp/skipped");
        fs::create_dir_all(&place).unwrap();
        return fs::write(place.join("what_others_prepared_is_left_alone"), format!("{reason}\n")).unwrap();
    }
    let parent = tempfile::tempdir().unwrap();
    fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    let target = parent.path().join("out");
    let others = |path: &Path| std::os::unix::fs::lchown(path, Some(65534), Some(65534)).unwrap();
    let theirs: Vec<PathBuf> =
        ["", ".0123456789", ".abcdefghij", ".ABCDEFGHIJ"].iter().map(|end| parent.path().join(format!(".out.synapse-site{end}"))).collect();
    for directory in &theirs[..2] {
        fs::create_dir_all(directory.join("content")).unwrap();
        fs::write(directory.join("content/images.tar"), "theirs").unwrap();
        fs::write(directory.join("outputs.json"), "[]").unwrap();
        others(directory);
    }
    symlink("/etc", &theirs[2]).unwrap();
    rustix::fs::mknodat(CWD, &theirs[3], rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let locks: Vec<fs::File> = theirs[..2].iter().map(|directory| fs::File::open(directory).unwrap()).collect();
    locks.iter().for_each(|lock| lock.lock().unwrap());
    for text in ["one", "two"] {
        build(&target, text).unwrap();
        check_finished(&target, OUTPUTS).unwrap();
        assert_eq!((fs::read_to_string(target.join("sbom/a.json")).unwrap().as_str(), entries(&target).len()), (text, 2));
        let found = fs::symlink_metadata(&target).unwrap();
        assert_eq!((found.uid(), found.mode() & 0o022), (0, 0));
    }
    for directory in &theirs[..2] {
        assert_eq!(entries(directory), ["content", "outputs.json"]);
    }
    // The output directory itself.
    others(&target);
    assert!(build(&target, "x").unwrap_err().to_string().contains("belongs to user 65534"));
    assert_eq!(fs::read_to_string(target.join("sbom/a.json")).unwrap(), "two");
    assert_eq!(entries(parent.path()).len(), 5);
}

#[test]
fn a_failed_build_changes_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("out");
    build(&target, "one").unwrap();
    let out = create(&target, &[MARKER, "images.tar"]).unwrap();
    fs::write(out.path().join("images.tar"), "half").unwrap();
    assert!(out.commit().unwrap_err().to_string().contains("no site.json"));
    assert_eq!(marked(&target), "one");
    assert_eq!(entries(parent.path()), ["out"]);
}

#[test]
fn what_builds_of_the_version_before_left_is_put_in_order() {
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("out");
    build(&target, "one").unwrap();
    // As if a build of the version before had died after the exchange, before the user's files were moved.
    let work = parent.path().join(".out.synapse-site");
    fs::create_dir_all(work.join("secrets")).unwrap();
    fs::write(work.join("secrets/key"), "value").unwrap();
    fs::write(work.join("images.tar"), "half").unwrap();
    build(&target, "two").unwrap();
    assert_eq!(fs::read_to_string(target.join("secrets/key")).unwrap(), "value");
    assert_eq!(entries(&target), ["sbom", "secrets", MARKER]);
    assert_eq!(entries(parent.path()), ["out"]);
}

#[test]
fn a_parent_that_is_missing() {
    let parent = tempfile::tempdir().unwrap();
    let error = create(&parent.path().join("a/b"), &[MARKER]).unwrap_err();
    assert_eq!(error.exit_code(), 3);
    assert_eq!(entries(parent.path()), [""; 0]);
}

#[test]
fn a_description_in_json_is_no_marker() {
    let parent = tempfile::tempdir().unwrap();
    let description = parent.path().join(MARKER);
    for text in ["{\"server\": {}}", "{\"kind\": \"other\"}", "[[[", ""] {
        fs::write(&description, text).unwrap();
        let error = build(parent.path(), "x").unwrap_err().to_string();
        assert!(error.contains("was not written by a build"), "{error}");
        assert_eq!(fs::read_to_string(&description).unwrap(), text);
    }
    fs::write(&description, r#"{"kind": "build"}"#).unwrap();
    assert!(check_kind(parent.path(), "build").is_ok());
    assert!(check_kind(parent.path(), "render").unwrap_err().to_string().contains("written by `synapse-site build`"));
    assert!(check_kind(&parent.path().join("new"), "render").is_ok());
}

/// The user's own files in directories that builds write: beside ours, in directories of their own, and links.
fn put_users_files(target: &Path) {
    fs::create_dir_all(target.join("sbom/own/deep")).unwrap();
    fs::set_permissions(target.join("sbom/own"), fs::Permissions::from_mode(0o700)).unwrap();
    for path in ["sbom/mine", "sbom/own/deep/file"] {
        fs::write(target.join(path), "mine").unwrap();
    }
    symlink("mine", target.join("sbom/link")).unwrap();
}

fn check_users_files(target: &Path) {
    for path in ["sbom/mine", "sbom/own/deep/file", "sbom/link"] {
        assert_eq!(fs::read_to_string(target.join(path)).unwrap(), "mine", "{path}");
    }
    assert_eq!(fs::symlink_metadata(target.join("sbom/own")).unwrap().mode() & 0o777, 0o700);
    assert!(target.join("sbom/link").is_symlink() && !target.join("sbom/mine").is_symlink());
}

#[test]
fn the_users_files_in_our_directories_stay() {
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("out");
    build(&target, "one").unwrap();
    put_users_files(&target);
    let inode = fs::metadata(target.join("sbom/mine")).unwrap().ino();
    build(&target, "two").unwrap();
    check_users_files(&target);
    // A build that writes nothing of its own there, and one that does again.
    build_files(&target, &["images.tar"], "three").unwrap();
    check_users_files(&target);
    assert_eq!(entries(&target.join("sbom")), ["link", "mine", "own"]);
    build_files(&target, &["sbom/own/ours", "sbom/own/deep/ours"], "four").unwrap();
    // The directory is now the build's, too, and has its mode.
    assert_eq!(fs::symlink_metadata(target.join("sbom/own")).unwrap().mode() & 0o777, 0o755);
    fs::set_permissions(target.join("sbom/own"), fs::Permissions::from_mode(0o700)).unwrap();
    check_users_files(&target);
    assert_eq!(entries(&target.join("sbom/own/deep")), ["file", "ours"]);
    assert_eq!(fs::metadata(target.join("sbom/mine")).unwrap().ino(), inode);
    build(&target, "five").unwrap();
    assert_eq!(entries(&target.join("sbom/own/deep")), ["file"]);
    assert_eq!(fs::read_to_string(target.join("sbom/a.json")).unwrap(), "five");
    assert_eq!(entries(parent.path()), ["out"]);
}

#[test]
fn of_an_output_without_a_list_only_what_builds_write_goes() {
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("out");
    build_files(&target, &["sbom/a.json", "sbom/old.cdx.json", "sbom/odd", "images.tar"], "one").unwrap();
    fs::write(target.join(MARKER), r#"{"kind": "build", "text": "one"}"#).unwrap();
    put_users_files(&target);
    build(&target, "two").unwrap();
    check_users_files(&target);
    assert_eq!(entries(&target.join("sbom")), ["a.json", "link", "mine", "odd", "own"]);
    assert_eq!(entries(&target), ["sbom", MARKER]);
    assert_eq!(fs::read_to_string(target.join("sbom/a.json")).unwrap(), "two");
}

#[test]
fn nothing_that_people_made_is_replaced() {
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("out");
    build_files(&target, &["sbom/a.json", "sbom/b.json", "images.tar"], "one").unwrap();
    fs::write(target.join("sbom/a.json"), "edited").unwrap();
    fs::remove_file(target.join("sbom/b.json")).unwrap();
    symlink("a.json", target.join("sbom/b.json")).unwrap();
    fs::write(target.join("sbom/new"), "mine").unwrap();
    fs::write(target.join("sbom/deep"), "mine").unwrap();
    let error = build_files(&target, &["sbom/a.json", "sbom/new", "sbom/deep/er"], "two").unwrap_err();
    let said = error.to_string();
    for path in ["sbom/a.json", "sbom/b.json", "sbom/new", "sbom/deep"] {
        assert!(said.contains(&target.join(path).display().to_string()), "no {path} in {said}");
    }
    assert!(said.contains("changed by hand") && said.contains("not written by this program") && error.exit_code() == 3, "{said}");
    assert_eq!(fs::read_to_string(target.join("sbom/a.json")).unwrap(), "edited");
    assert_eq!((marked(&target).as_str(), entries(parent.path())), ("one", vec!["out".to_owned()]));
    // Also what comes while a build is at work.
    for path in ["sbom/a.json", "sbom/b.json"] {
        fs::remove_file(target.join(path)).unwrap();
    }
    let out = create(&target, &[MARKER, "sbom/late"]).unwrap();
    fs::create_dir(out.path().join("sbom")).unwrap();
    fs::write(out.path().join("sbom/late"), "ours").unwrap();
    mark(out.path(), json!({ "kind": "build", "text": "two" })).unwrap();
    fs::write(target.join("sbom/late"), "mine").unwrap();
    assert!(out.commit().unwrap_err().to_string().contains("sbom/late"));
    assert_eq!(fs::read_to_string(target.join("sbom/late")).unwrap(), "mine");
    // With the files out of the way all is well. A removed file is nobody's loss.
    for path in ["sbom/new", "sbom/deep", "sbom/late"] {
        fs::rename(target.join(path), target.join(path).with_extension("mine")).unwrap();
    }
    build_files(&target, &["sbom/new", "sbom/deep/er"], "three").unwrap();
    assert_eq!(entries(&target.join("sbom")), ["deep", "deep.mine", "late.mine", "new", "new.mine"]);
}

#[test]
fn a_file_that_comes_while_the_directory_is_replaced_stays() {
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("out");
    build(&target, "one").unwrap();
    put_users_files(&target);
    let out = create(&target, &[MARKER]).unwrap();
    mark(out.path(), json!({ "kind": "build", "text": "two" })).unwrap();
    out.link_entries().unwrap();
    fs::remove_file(target.join("sbom/link")).unwrap();
    fs::write(target.join("sbom/late"), "mine").unwrap();
    out.exchange().unwrap();
    drop(out);
    assert_eq!(marked(&target), "two");
    assert_eq!(entries(&target.join("sbom")), ["late", "mine", "own"]);
    assert_eq!(entries(parent.path()), ["out"]);
}

#[test]
fn a_list_that_is_not_ours_counts_for_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("out");
    build(&target, "one").unwrap();
    let mark = target.join(MARKER);
    let sound = fs::read_to_string(&mark).unwrap();
    fs::create_dir(target.join("secrets")).unwrap();
    fs::write(target.join("secrets/key"), "mine").unwrap();
    for entry in ["\"x\": 5", "\"/etc/passwd\": \"x\"", "\"../x\": \"x\"", "\"\": \"x\"", "\"secrets/key\": \"x\""] {
        fs::write(&mark, sound.replacen("\"files\": {", &format!("\"files\": {{{entry},"), 1)).unwrap();
        let error = build(&target, "two").unwrap_err().to_string();
        assert!(error.contains("the list of files in"), "{entry}: {error}");
    }
    fs::write(&mark, sound).unwrap();
    build(&target, "two").unwrap();
    assert_eq!(fs::read_to_string(target.join("secrets/key")).unwrap(), "mine");
}

#[test]
fn a_link_in_place_of_the_archive_is_somebodys() {
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("out");
    build_files(&target, &["images.tar"], "one").unwrap();
    let elsewhere = parent.path().join("elsewhere");
    fs::rename(target.join("images.tar"), &elsewhere).unwrap();
    symlink(&elsewhere, target.join("images.tar")).unwrap();
    let error = build_files(&target, &["images.tar"], "two").unwrap_err().to_string();
    assert!(error.contains("images.tar") && error.contains("was not written by this program"), "{error}");
    assert!(target.join("images.tar").is_symlink());
}
