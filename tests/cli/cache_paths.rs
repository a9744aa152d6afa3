//! Caches whose paths have what some program takes for a separator, a quotation mark or a variable. The image's interpreter, its
//! dynamic loader, apt and pip all work there.

use std::fs;
use std::path::{Path, PathBuf};

use super::small::{archive, build, files, small};
use super::support::{expect, names};

const PATHS: [&str; 6] = ["a:b", "a;b $LIB $ORIGIN", "a\"b'c\\d", "a\nb\tc", "a %41%s#[e]{f}*?~", "-ä…"];

#[test]
fn a_cache_works_at_every_path() {
    let dir = small();
    let dir = dir.path();
    let warm = dir.join("cache");
    let good = archive(dir, &warm);
    fs::remove_dir_all(warm.join("layers")).expect("removed");
    for name in PATHS {
        let odd = dir.join("odd").join(name);
        fs::create_dir_all(odd.parent().expect("a parent")).expect("made");
        fs::rename(&warm, &odd).expect("renamed");
        let made = files(&odd.join("bytecode"));
        fs::remove_dir_all(odd.join("bytecode")).expect("removed");
        assert!(archive(dir, &odd) == good, "{name:?}");
        assert_eq!(files(&odd.join("bytecode")), made, "{name:?}");
        fs::remove_dir_all(odd.join("layers")).expect("removed");
        fs::rename(&odd, &warm).expect("renamed");
    }
}

#[test]
fn apt_and_pip_fetch_into_a_cache_at_every_path() {
    let dir = small();
    let dir = dir.path();
    // Mirrors on the disk with what was locked.
    let packages = dir.join("cache/packages");
    let cached = |sha256: &str| packages.join(&sha256[..2]).join(sha256);
    let publish = |sha256: &str, to: PathBuf| {
        fs::create_dir_all(to.parent().expect("a parent")).expect("made");
        fs::copy(cached(sha256), to).expect("copied");
    };
    for image in names(&dir.join("images")) {
        let image = dir.join("images").join(image);
        for package in synapse_site::definition::lock::DebianLock::load(&image.join("debian.lock")).expect("a lock").packages {
            publish(&package.sha256, dir.join("mirror").join(&package.filename));
        }
        if image.join("python.lock").exists() {
            for wheel in synapse_site::definition::lock::PythonLock::load(&image.join("python.lock")).expect("a lock").wheels {
                publish(&wheel.sha256, dir.join("index").join(&wheel.filename));
            }
        }
    }
    let mirror = format!("file:{}", dir.join("mirror").display());
    for name in PATHS {
        let mut command = build(dir, &dir.join("odd").join(name));
        command.env("SYNAPSE_SITE_DEBIAN_MIRROR", &mirror).env("SYNAPSE_SITE_DEBIAN_SECURITY_MIRROR", &mirror);
        command.env("PIP_FIND_LINKS", dir.join("index"));
        expect(&mut command, 0, &[]);
        assert_eq!(names(&dir.join("odd").join(name).join("tmp")), [""; 0], "{name:?}");
        for path in ["out", "odd"] {
            fs::remove_dir_all(dir.join(path)).expect("removed");
        }
    }
}

#[test]
fn a_build_with_somebody_elses_directory_as_cache_leaves_it_alone() {
    let dir = small();
    let dir = dir.path();
    let thesis = dir.join("tmp/thesis.odt");
    fs::create_dir(dir.join("tmp")).expect("made");
    fs::write(&thesis, "mine").expect("written");
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7200);
    fs::File::open(&thesis).and_then(|file| file.set_modified(long_ago)).expect("touched");
    expect(&mut build(dir, Path::new(".")), 3, &["is not a cache of synapse-site", "what to do", "--cache"]);
    assert_eq!(fs::read(thesis).expect("still there"), b"mine");
    assert_eq!(names(dir), ["cache", "images", "site.yaml", "tmp"]);
}
