//! Directories before and after a build.

use super::*;

const OUTPUTS: &[&str] = &[MARKER, "images.tar", "sbom"];

fn marker(text: &str) -> String {
    format!("{{\"kind\": \"build\", \"text\": \"{text}\"}}")
}

fn build(target: &Path, text: &str) -> Result<PathBuf> {
    let out = OutDir::create(target, OUTPUTS)?;
    fs::write(out.path().join(MARKER), marker(text)).unwrap();
    fs::create_dir(out.path().join("sbom")).unwrap();
    fs::write(out.path().join("sbom/a.json"), text).unwrap();
    out.commit()
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
    assert_eq!(fs::read_to_string(target.join(MARKER)).unwrap(), marker("two"));
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
    let first = OutDir::create(&target, OUTPUTS).unwrap();
    let error = OutDir::create(&parent.path().join(".").join("out"), OUTPUTS).unwrap_err().to_string();
    assert!(error.contains("another build is writing"), "{error}");
    let other = OutDir::create(&parent.path().join("out2"), OUTPUTS).unwrap();
    drop(first);
    drop(other);
    assert_eq!(entries(parent.path()), [""; 0]);
    OutDir::create(&target, OUTPUTS).unwrap();
}

#[test]
fn a_failed_build_changes_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("out");
    build(&target, "one").unwrap();
    let out = OutDir::create(&target, OUTPUTS).unwrap();
    fs::write(out.path().join("images.tar"), "half").unwrap();
    assert!(out.commit().unwrap_err().to_string().contains("no site.json"));
    assert_eq!(fs::read_to_string(target.join(MARKER)).unwrap(), marker("one"));
    assert_eq!(entries(parent.path()), ["out"]);
}

#[test]
fn what_dead_builds_left_is_put_in_order() {
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("out");
    build(&target, "one").unwrap();
    // As if a build had died after the exchange, before the user's files were moved.
    let work = parent.path().join(sibling(OsStr::new("out")));
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
    let error = OutDir::create(&parent.path().join("a/b"), OUTPUTS).unwrap_err();
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
    fs::write(&description, marker("x")).unwrap();
    assert!(check_kind(parent.path(), "build").is_ok());
    assert!(check_kind(parent.path(), "render").unwrap_err().to_string().contains("written by `synapse-site build`"));
    assert!(check_kind(&parent.path().join("new"), "render").is_ok());
}
