//! Wheels.

use synapse_site::definition::lock::normalised;
use synapse_site::package::wheel::{Scheme, Wheel};
use synapse_site::package::{Kind, Package};

use crate::make::{Probe, WHEEL, file, probe, record, refusal, walk, wheel_bytes, zip};

fn wheel_of(bytes: &[u8]) -> Probe<Wheel> {
    let (dir, path, sha256) = file("my_probe-1.0-py3-none-any.whl", bytes);
    let scheme = Scheme {
        site_packages: "usr/local/lib/python3.13/dist-packages".into(),
        prefix: "usr/local".into(),
        interpreter: "/usr/bin/python3.13".into(),
        scripts: true,
    };
    probe(Wheel { path, name: "my-probe".into(), version: "1.0".into(), sha256, scheme }, dir)
}

const SITE: &str = "usr/local/lib/python3.13/dist-packages";

#[test]
fn installs_what_pip_installs() {
    let bytes = wheel_bytes(&[
        ("my_probe/z.py", b"z = 1\n"),
        ("my_probe/a.py", b""),
        ("my_probe-1.0.data/purelib/pure.py", b"pure"),
        ("my_probe-1.0.data/platlib/my_probe/native.so", b"\x7fELF"),
        ("my_probe-1.0.data/scripts/old", b"#!python -x\nimport my_probe\n"),
        ("my_probe-1.0.data/scripts/shell", b"#!/bin/sh\nexit 0\n"),
        ("my_probe-1.0.data/data/share/probe.txt", b"data"),
        ("my_probe-1.0.data/headers/probe.h", b"header"),
        ("my_probe-1.0.dist-info/entry_points.txt", b"[console_scripts]\nprobe = my_probe.z:main\n"),
    ]);
    let probe = wheel_of(&bytes);
    let all = walk(&probe.package).unwrap();
    let paths: Vec<&str> = all.iter().map(|(entry, _)| entry.path.as_str()).collect();
    let expected = [
        "usr/local/bin/old",
        "usr/local/bin/probe",
        "usr/local/bin/shell",
        "usr/local/include/my-probe/probe.h",
        &format!("{SITE}/my_probe-1.0.dist-info/METADATA"),
        &format!("{SITE}/my_probe-1.0.dist-info/RECORD"),
        &format!("{SITE}/my_probe-1.0.dist-info/WHEEL"),
        &format!("{SITE}/my_probe-1.0.dist-info/entry_points.txt"),
        &format!("{SITE}/my_probe/a.py"),
        &format!("{SITE}/my_probe/native.so"),
        &format!("{SITE}/my_probe/z.py"),
        &format!("{SITE}/pure.py"),
        "usr/local/share/probe.txt",
    ];
    assert_eq!(paths, expected);
    for (entry, bytes) in &all {
        assert_eq!(entry.kind, Kind::File { size: bytes.len() as u64 }, "{}", entry.path);
        assert_eq!(entry.mode, if entry.path.contains("/bin/") { 0o755 } else { 0o644 }, "{}", entry.path);
        assert_eq!((entry.uid, entry.gid), (0, 0));
    }
    assert_eq!(all[0].1, b"#!/usr/bin/python3.13\nimport my_probe\n");
    assert!(all[1].1.starts_with(b"#!/usr/bin/python3.13\n") && all[1].1.ends_with(b"sys.exit(main())\n"));
    assert_eq!(all[2].1, b"#!/bin/sh\nexit 0\n");
    assert_eq!(all, walk(&wheel_of(&bytes).package).unwrap());
}

#[test]
fn the_key_tells_schemes_apart() {
    let probe = wheel_of(&wheel_bytes(&[]));
    let mut other = probe.package.clone();
    other.scheme.scripts = false;
    assert_ne!(probe.package.key(), other.key());
    other = probe.package.clone();
    other.scheme.site_packages = "opt/lib".into();
    assert_ne!(probe.package.key(), other.key());
}

#[test]
fn hostile_wheels_are_refused() {
    for (what, name) in [
        ("absolute", "/etc/passwd"),
        ("climbs", "../evil.py"),
        ("climbs", "my_probe/../../evil.py"),
        ("whiteout", "my_probe/.wh.evil.py"),
        ("whiteout", "my_probe-1.0.data/data/.wh..wh..opq"),
        ("backslash", "my_probe\\evil.py"),
        ("control", "my_probe/\u{7}.py"),
        ("category", "my_probe-1.0.data/elsewhere/x"),
        ("category", "my_probe-1.0.data/x"),
        ("my_probe-1.0.data", "other-1.0.data/scripts/x"),
    ] {
        let message = refusal(&wheel_of(&wheel_bytes(&[(name, b"")])).package);
        assert!(message.contains(what) && message.contains("my-probe 1.0"), "{name}: {message}");
    }
    let clash = wheel_bytes(&[("x.py", b"1"), ("my_probe-1.0.data/purelib/x.py", b"2")]);
    assert!(refusal(&wheel_of(&clash).package).contains("another member goes to"));
    let below = wheel_bytes(&[("a", b"1"), ("a/b.py", b"2")]);
    assert!(refusal(&wheel_of(&below).package).contains("lies below"));
    let script =
        wheel_bytes(&[("my_probe-1.0.data/scripts/probe", b"#!python\n"), ("my_probe-1.0.dist-info/entry_points.txt", b"[console_scripts]\nprobe = a:b\n")]);
    assert!(refusal(&wheel_of(&script).package).contains("in the wheel, too"));
}

#[test]
fn record_is_held_to_the_letter() {
    let files: [(&str, &[u8]); 2] = [("my_probe.py", b"good"), ("my_probe-1.0.dist-info/WHEEL", WHEEL)];
    let own = "my_probe-1.0.dist-info/RECORD";
    let with = |record: &str| wheel_of(&zip(&[files[0], files[1], (own, record.as_bytes())]));
    let honest = record(&files, own);
    walk(&with(&honest).package).unwrap();
    let evil = record(&[("my_probe.py", b"evil"), files[1]], own);
    assert!(refusal(&with(&evil).package).contains("RECORD gives it the hash"));
    assert!(refusal(&with(&record(&files[1..], own)).package).contains("does not name it"));
    assert!(refusal(&with(&(honest.clone() + "ghost.py,,\n")).package).contains("does not hold it"));
    assert!(refusal(&with(&honest.replace("sha256=", "md5=")).package).contains("no SHA-256"));
    let unhashed: String = honest.lines().map(|line| format!("{},,\n", line.split(',').next().unwrap())).collect();
    assert!(refusal(&with(&unhashed).package).contains("no SHA-256"));
    assert!(refusal(&wheel_of(&zip(&files)).package).contains("RECORD"));
}

#[test]
fn it_must_be_the_wheel_that_was_locked() {
    let mut probe = wheel_of(&wheel_bytes(&[]));
    probe.package.name = "another".into();
    assert!(refusal(&probe.package).contains("not of another"));
    let two = wheel_bytes(&[("other-1.dist-info/WHEEL", WHEEL)]);
    assert!(refusal(&wheel_of(&two).package).contains("exactly one"));
    let bytes = wheel_bytes(&[("x.py", b"some text that is long enough to be in the middle")]);
    for cut in [0, 10, bytes.len() / 2, bytes.len() - 1] {
        refusal(&wheel_of(&bytes[..cut]).package);
    }
    assert!(refusal(&wheel_of(&[b"MZ".to_vec(), bytes].concat()).package).contains("the wheel file"));
}

/// Changes fields in every header of one member: both places where a zip says something about it.
fn patched(bytes: &[u8], name: &str, change: impl Fn(&mut [u8], usize)) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let starts = |bytes: &[u8], magic: &[u8], offset: usize| -> Vec<usize> {
        (0..bytes.len().saturating_sub(offset + name.len()))
            .filter(|at| bytes[*at..].starts_with(magic) && bytes[at + offset..].starts_with(name.as_bytes()))
            .collect()
    };
    let local = starts(&bytes, b"PK\x03\x04", 30);
    let central = starts(&bytes, b"PK\x01\x02", 46);
    assert_eq!((local.len(), central.len()), (1, 1));
    // The central header has two more bytes (version made by) before the common fields.
    change(&mut bytes[local[0]..], 0);
    change(&mut bytes[central[0]..], 2);
    bytes
}

#[test]
fn lies_in_the_zip_directory_are_refused() {
    let text = [b'x'; 4096];
    let honest = wheel_bytes(&[("lie.py", &text)]);
    walk(&wheel_of(&honest).package).unwrap();
    let size = |bytes: &mut [u8], shift: usize, size: u32| bytes[22 + shift..26 + shift].copy_from_slice(&size.to_le_bytes());
    let short = patched(&honest, "lie.py", |bytes, shift| size(bytes, shift, 10));
    refusal(&wheel_of(&short).package);
    let long = patched(&honest, "lie.py", |bytes, shift| size(bytes, shift, 5000));
    refusal(&wheel_of(&long).package);
    let absurd = patched(&honest, "lie.py", |bytes, shift| size(bytes, shift, 0xf000_0000));
    assert!(refusal(&wheel_of(&absurd).package).contains("too many"));
    let encrypted = patched(&honest, "lie.py", |bytes, shift| bytes[6 + shift] |= 1);
    refusal(&wheel_of(&encrypted).package);
    let crc = patched(&honest, "lie.py", |bytes, shift| bytes[14 + shift] ^= 1);
    refusal(&wheel_of(&crc).package);
}

#[test]
fn symbolic_links_and_doubled_names_are_refused() {
    use std::io::Write;
    let mut out = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    out.add_symlink("link.py", "/etc/passwd", zip::write::SimpleFileOptions::default()).unwrap();
    out.flush().unwrap();
    let message = refusal(&wheel_of(&out.finish().unwrap().into_inner()).package);
    assert!(message.contains("symbolic link"), "{message}");
    // Two members of one length of name; then both get one name.
    let mut bytes = wheel_bytes(&[("aaa.py", b"1"), ("bbb.py", b"2")]);
    while let Some(at) = bytes.windows(6).position(|window| window == b"bbb.py") {
        bytes[at..at + 6].copy_from_slice(b"aaa.py");
    }
    refusal(&wheel_of(&bytes).package);
}

#[test]
fn names_are_compared_in_one_form() {
    for name in ["My.Probe", "my_probe", "MY--probe", "my-_.probe"] {
        assert_eq!(normalised(name), "my-probe");
    }
}
