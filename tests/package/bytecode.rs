//! Byte code, as far as it goes without an interpreter's packages: `tests/stack` has them.

use std::sync::Arc;

use synapse_site::image::spec::Python;
use synapse_site::package::bytecode::{Compiled, Compiler};
use synapse_site::package::cache::Cache;
use synapse_site::package::{Entry, Package};
use tempfile::TempDir;

use crate::make::{deb, member, walk};

fn python() -> Python {
    Python {
        version: "3.13".into(),
        interpreter: "/usr/bin/python3.13".into(),
        site_packages: "usr/local/lib/python3.13/dist-packages".into(),
        requirements: Vec::new(),
        provided: Default::default(),
        interpreter_packages: Vec::new(),
    }
}

#[test]
fn a_package_without_modules_needs_no_interpreter() {
    let dir = TempDir::new().unwrap();
    let cache = Cache::open(Some(dir.path().to_owned())).unwrap();
    let compiler = Arc::new(Compiler::new(cache, &python(), Vec::new()));
    let probe = deb(&[member(b"./usr/share/x.py", b'0', b"", b"1"), member(b"./usr/bin/x", b'0', b"", b"2")]);
    let compiled = Compiled::new(Box::new(probe.package.clone()), compiler, Arc::new(|_: &Entry| true), "");
    assert_eq!(walk(&compiled).unwrap(), walk(&probe.package).unwrap());
    assert_ne!(compiled.key(), probe.package.key());
}

#[test]
fn an_interpreter_that_is_not_in_its_packages_is_told() {
    let dir = TempDir::new().unwrap();
    let cache = Cache::open(Some(dir.path().to_owned())).unwrap();
    let probe = deb(&[member(b"./usr/lib/python3/dist-packages/x.py", b'0', b"", b"x = 1\n")]);
    let compiler = Arc::new(Compiler::new(cache, &python(), vec![probe.package.clone()]));
    let compiled = Compiled::new(Box::new(probe.package.clone()), compiler, Arc::new(|_: &Entry| true), "");
    let error = walk(&compiled).unwrap_err();
    assert!(error.to_string().contains("usr/bin/python3.13") && error.to_string().contains("interpreter_packages"), "{error}");
}
