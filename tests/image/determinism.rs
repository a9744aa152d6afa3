//! Equal input, equal bytes, whatever the surroundings are.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use synapse_site::error::Error;
use synapse_site::image::build::build_archive;
use synapse_site::image::outdir::OutDir;
use synapse_site::image::progress::Silent;
use synapse_site::image::store::LayerStore;
use synapse_site::interrupt;

use crate::site::{Place, plans};

/// Set for a test that runs itself again under other surroundings: where to write.
const CHILD: &str = "SYNAPSE_SITE_TEST_ARCHIVE";

/// Runs a test of this file again in a process of its own.
fn child(test: &str, before: &str, archive: &Path) -> Command {
    let mut command = Command::new("sh");
    let own = std::env::current_exe().unwrap();
    command.args([OsStr::new("-c"), OsStr::new(&format!("{before}; exec \"$0\" \"$@\"")), own.as_os_str()]);
    command.args(["--exact", test, "--nocapture"]).env(CHILD, archive);
    command
}

#[test]
fn surroundings_do_not_matter() {
    if let Some(path) = std::env::var_os(CHILD) {
        let place = Place::new();
        let threads = std::env::var("THREADS").unwrap().parse().unwrap();
        let plans = plans("a: 1", std::env::var_os("REVERSED").is_some());
        build_archive(&plans, &LayerStore::new(&place.cache), threads, &Silent, Path::new(&path)).unwrap();
        return;
    }
    let place = Place::new();
    let build = |name: &str, before: &str, variables: &[(&str, &str)]| {
        let path = place.path(name);
        let status = child("determinism::surroundings_do_not_matter", before, &path).envs(variables.iter().copied()).status().unwrap();
        assert!(status.success());
        fs::read(path).unwrap()
    };
    let plain = build("plain", "umask 022", &[("THREADS", "1"), ("TZ", "UTC"), ("LC_ALL", "C")]);
    for (name, before, variables) in [
        ("umask", "umask 077", vec![("THREADS", "2")]),
        ("zone", "cd /", vec![("THREADS", "3"), ("TZ", "Pacific/Kiritimati"), ("LC_ALL", "tr_TR.UTF-8"), ("LANG", "de_DE")]),
        ("epoch", "true", vec![("THREADS", "1"), ("SOURCE_DATE_EPOCH", "1234567890"), ("HOSTNAME", "other"), ("USER", "x")]),
        ("order", "true", vec![("THREADS", "5"), ("REVERSED", "1")]),
    ] {
        assert!(build(name, before, &variables) == plain, "{name} decides about the bytes");
    }
}

#[test]
fn an_interrupted_build_leaves_nothing() {
    if let Some(parent) = std::env::var_os(CHILD) {
        interrupt::install().unwrap();
        let _orderly = interrupt::orderly().unwrap();
        let place = Place::new();
        let out = OutDir::create(&Path::new(&parent).join("out"), &[], ["images.tar".into()].into()).unwrap();
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::INT).unwrap();
        let result = build_archive(&plans("", false), &LayerStore::new(&place.cache), 2, &Silent, &out.path().join("images.tar"));
        assert!(matches!(result, Err(Error::Interrupted)));
        assert_eq!(fs::read_dir(place.cache.root().join("tmp")).unwrap().count(), 0);
        return;
    }
    let place = Place::new();
    let parent = place.path("parent");
    fs::create_dir(&parent).unwrap();
    assert!(child("determinism::an_interrupted_build_leaves_nothing", "true", &parent).status().unwrap().success());
    assert_eq!(fs::read_dir(&parent).unwrap().count(), 0);
}

#[test]
fn what_is_shared_and_what_changes() {
    let place = Place::new();
    let store = LayerStore::new(&place.cache);
    let build = |name: &str, option: &str| build_archive(&plans(option, false), &store, 2, &Silent, &place.path(name)).unwrap().0;
    let (one, two) = (build("one", "a: 1"), build("two", "a: 2"));
    let digests = |image: usize, images: &[synapse_site::image::oci::Image]| -> Vec<_> {
        images[image].layers.iter().map(|layer| (layer.name.clone(), layer.digest)).collect()
    };
    let names: Vec<_> = one[0].layers.iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(names, ["base", "application", "launcher", "configuration"]);
    let (app, other, changed) = (digests(0, &one), digests(1, &one), digests(0, &two));
    assert_eq!(app[0], other[0], "one base for both");
    assert_eq!(app[2], other[2], "one launcher for both");
    assert_eq!(app[..3], changed[..3], "a changed option leaves the packages alone");
    assert_ne!(app[3], changed[3]);
    assert_ne!(one[0].reference, two[0].reference, "another content, another name");
    assert!(one[0].reference.to_string().starts_with("localhost/synapse-site/example.com/app:"));
}
