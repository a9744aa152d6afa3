//! Shared libraries, on a program of the machine that runs the tests.

use std::collections::BTreeSet;

use synapse_site::package::Entry;
use synapse_site::package::elf::{self, Missing, Part};

use crate::make::{deb, member};

/// A program that is linked dynamically, as every Debian's shell is.
fn shell() -> Vec<u8> {
    std::fs::read("/bin/sh").unwrap()
}

fn missing(members: &[Vec<u8>], others: &[Vec<u8>], keeps: &dyn Fn(&Entry) -> bool) -> Vec<Missing> {
    let (first, second) = (deb(members), deb(others));
    let dependencies = ["libc6", "debconf", "libc-bin"].map(String::from).to_vec();
    let part = |package, dependencies| Part { package, keeps, dependencies };
    let parts = [part(&first.package as _, dependencies), part(&second.package as _, Vec::new())];
    elf::missing(&parts, &BTreeSet::from(["debconf".to_owned()])).unwrap()
}

fn file(path: &str, content: &[u8]) -> Vec<u8> {
    member(path.as_bytes(), b'0', b"", content)
}

#[test]
fn reads_what_a_program_asks_for() {
    let dynamic = elf::needed(&mut shell().as_slice()).unwrap().unwrap();
    assert!(dynamic.needed.contains(&"libc.so.6".to_owned()), "{dynamic:?}");
    assert_eq!(elf::needed(&mut &b"#!/bin/sh\n"[..]).unwrap(), None);
    assert_eq!(elf::needed(&mut &b""[..]).unwrap(), None);
    assert!(elf::needed(&mut &b"\x7fELF\x02\x01\x01 and then nothing"[..]).is_err());
}

#[test]
fn a_library_that_nobody_holds_is_named_with_where_to_look() {
    let lacking = |missing: &[Missing]| missing.iter().any(|missing| missing.library == "libc.so.6");
    let all = &|_: &Entry| true;
    let program = file("./usr/bin/sh", &shell());
    let found = missing(std::slice::from_ref(&program), &[], all);
    let libc = found.iter().find(|missing| missing.library == "libc.so.6").unwrap();
    assert_eq!((libc.package.as_str(), libc.file.as_str()), ("probe 1:2.0-3", "usr/bin/sh"));
    assert_eq!(libc.candidates, ["libc6", "libc-bin"]);
    // Another package's library counts where the dynamic linker looks, one's own anywhere, one left out never.
    let (public, private) = ("./usr/lib/x86_64-linux-gnu/libc.so.6", "./opt/libs/libc.so.6");
    let program = || vec![program.clone()];
    assert!(!lacking(&missing(&program(), &[file(public, b"")], all)));
    assert!(lacking(&missing(&program(), &[file(private, b"")], all)));
    assert!(!lacking(&missing(&[program(), vec![file(private, b"")]].concat(), &[], all)));
    assert!(!lacking(&missing(&program(), &[member(public.as_bytes(), b'2', b"libc-2.so", b"")], all)));
    assert!(lacking(&missing(&program(), &[file(public, b"")], &|entry| !entry.path.contains("x86_64"))));
    assert!(!lacking(&missing(&program(), &[], &|entry| entry.path != "usr/bin/sh")));
}
