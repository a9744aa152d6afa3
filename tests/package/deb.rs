//! Debian packages.

use std::process::Command;

use synapse_site::hash;
use synapse_site::package::deb::Deb;
use synapse_site::package::tarball::{self, Limits};
use synapse_site::package::{Kind, Package};
use tempfile::TempDir;

use crate::make::{CONTROL, END, ar, deb, deb_bytes, deb_of, gz, member, member_of, refusal, tar, walk, xz};

fn file(name: &[u8], content: &[u8]) -> Vec<u8> {
    member(name, b'0', b"", content)
}

#[test]
fn gives_entries_on_merged_usr_with_modes_and_owners() {
    let members = [
        member(b"./", b'5', b"", b""),
        member(b"./lib/", b'5', b"", b""),
        file(b"./lib/libx.so.1.2", b"library"),
        member(b"./lib/libx.so.1", b'2', b"libx.so.1.2", b""),
        member(b"./sbin/again", b'1', b"./lib/libx.so.1.2", b""),
        member(b"./lib64", b'2', b"usr/lib64", b""),
        member(b"./etc/x", b'2', b"/nowhere/../at/all", b""),
    ];
    for data in [("data.tar.xz", xz(&tar(&members))), ("data.tar.gz", gz(&tar(&members))), ("data.tar", tar(&members))] {
        let probe = deb_of(&deb_bytes(data.0, &data.1));
        let all = walk(&probe.package).unwrap();
        let seen: Vec<_> = all.iter().map(|(entry, bytes)| (entry.path.as_str(), entry.kind.clone(), bytes.as_slice())).collect();
        let link = |target: &str| Kind::Symlink { target: target.into() };
        assert_eq!(
            seen,
            [
                ("usr/lib", Kind::Directory, &b""[..]),
                ("usr/lib/libx.so.1.2", Kind::File { size: 7 }, b"library"),
                ("usr/lib/libx.so.1", link("libx.so.1.2"), b""),
                ("usr/sbin/again", Kind::Hardlink { target: "usr/lib/libx.so.1.2".into() }, b""),
                ("lib64", link("usr/lib64"), b""),
                ("etc/x", link("/nowhere/../at/all"), b""),
            ],
            "{}",
            data.0
        );
        assert!(all.iter().all(|(entry, _)| (entry.mode, entry.uid, entry.gid) == (0o755, 0, 0)));
        assert_eq!(probe.package.label(), "probe 1:2.0-3");
    }
}

#[test]
fn reads_what_dpkg_deb_builds() {
    let dir = TempDir::new().unwrap();
    let tree = dir.path().join("tree");
    let long = format!("usr/share/{}/{}", "d".repeat(90), "f".repeat(180));
    for name in ["DEBIAN/control", "usr/bin/tool", &long] {
        let path = tree.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(
            path,
            if name == "DEBIAN/control" {
                &b"Package: probe\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.com>\nDescription: x\n"[..]
            } else {
                b"content"
            },
        )
        .unwrap();
    }
    for kind in ["xz", "gzip"] {
        let path = dir.path().join("probe.deb");
        let built = Command::new("dpkg-deb").args(["--root-owner-group", &format!("-Z{kind}"), "--build"]).arg(&tree).arg(&path).output();
        let Ok(built) = built else { return eprintln!("there is no dpkg-deb here") };
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let sha256 = hash::sha256_file(&path).unwrap();
        let package = Deb { path, name: "probe".into(), version: "1".into(), sha256 };
        let paths: Vec<String> = walk(&package).unwrap().into_iter().map(|(entry, _)| entry.path).collect();
        assert!(paths.contains(&"usr/bin/tool".to_owned()) && paths.contains(&long), "{paths:?}");
        assert_eq!(package.control().unwrap().get("version"), Some("1"));
    }
}

#[test]
fn reads_the_control_file() {
    let probe = deb(&[]);
    let control = probe.package.control().unwrap();
    assert_eq!((control.get("Package"), control.get("VERSION")), (Some("probe"), Some("1:2.0-3")));
    assert_eq!(control.get("description"), Some("a probe\nof two lines"));
    assert_eq!(control.dependencies(), ["libc6", "libssl3t64", "python3", "python3-minimal"]);
    assert!(!CONTROL.is_empty());
}

#[test]
fn long_names_and_pax_records_count() {
    let long = format!("./usr/share/{}", "x".repeat(300));
    let mut gnu = long.clone().into_bytes();
    gnu.push(0);
    let pax = |key: &str, value: &str| {
        let body = format!(" {key}={value}\n");
        let length = (body.len()..).find(|length| length.to_string().len() + body.len() == *length).unwrap();
        format!("{length}{body}").into_bytes()
    };
    let records = [pax("path", "./opt/päx"), pax("uid", "70000"), pax("mtime", "1.5")].concat();
    let probe = deb(&[
        member(b"././@LongLink", b'L', b"", &gnu),
        file(b"./usr/share/short", b"1"),
        member(b"././@LongLink", b'K', b"", b"/a/long/target\0"),
        member(b"./link", b'2', b"short", b""),
        member(b"pax", b'x', b"", &records),
        file(b"./other", b"2"),
        file(b"./last", b"3"),
    ]);
    let all = walk(&probe.package).unwrap();
    assert_eq!(all[0].0.path, long[2..]);
    assert_eq!(all[1].0.kind, Kind::Symlink { target: "/a/long/target".into() });
    assert_eq!((all[2].0.path.as_str(), all[2].0.uid), ("opt/päx", 70000));
    assert_eq!((all[3].0.path.as_str(), all[3].0.uid), ("last", 0));
}

#[test]
fn hostile_members_are_refused_by_name() {
    let too_long = vec![b'a'; 5000];
    let cases: Vec<(&str, &str, Vec<Vec<u8>>)> = vec![
        ("an absolute name", "/etc/passwd", vec![file(b"/etc/passwd", b"")]),
        ("a climbing name", "../evil", vec![file(b"./../evil", b"")]),
        ("a climbing name inside", "a/../../evil", vec![file(b"a/../../evil", b"")]),
        ("a name that is not UTF-8", "UTF-8", vec![file(b"./\xff", b"")]),
        ("a whiteout", "whiteout", vec![file(b"./etc/.wh.passwd", b"")]),
        ("an opaque directory", "whiteout", vec![member(b"./etc/", b'5', b"", b""), file(b"./etc/.wh..wh..opq", b"")]),
        ("a file below a whiteout", "whiteout", vec![file(b"./.wh.etc/x", b"")]),
        ("a whiteout in a long name", "whiteout", vec![member(b"L", b'L', b"", b"etc/.wh.shadow\0"), file(b"x", b"")]),
        ("a whiteout in pax", "whiteout", vec![member(b"p", b'x', b"", b"23 path=etc/.wh.shadow\n"), file(b"x", b"")]),
        ("a path too deep", "too deep", vec![member(b"L", b'L', b"", &b"d/".repeat(200)), file(b"x", b"")]),
        ("a control character", "control character", vec![file(b"./a\x1bb", b"")]),
        ("a link above the root", "above the root", vec![member(b"./usr/x", b'2', b"../../etc", b"")]),
        ("a link to nothing", "links to nothing", vec![member(b"./x", b'2', b"", b"")]),
        ("a hard link out", "climbs", vec![member(b"./x", b'1', b"../etc/shadow", b"")]),
        ("an absolute hard link", "absolute", vec![member(b"./x", b'1', b"/etc/shadow", b"")]),
        ("a hard link to nothing", "no earlier member", vec![member(b"./x", b'1', b"./y", b"")]),
        ("a hard link to a link", "no file", vec![member(b"./y", b'2', b"z", b""), member(b"./x", b'1', b"./y", b"")]),
        ("a character device", "device", vec![member(b"./null", b'3', b"", b"")]),
        ("a block device", "device", vec![member(b"./sda", b'4', b"", b"")]),
        ("a FIFO", "FIFO", vec![member(b"./fifo", b'6', b"", b"")]),
        ("a sparse file", "sparse", vec![member(b"./s", b'S', b"", b"")]),
        ("an unknown kind", "kind", vec![member(b"./v", b'V', b"", b"")]),
        ("a file below a link", "lies below d", vec![member(b"./d", b'2', b"/etc", b""), file(b"./d/passwd", b"")]),
        ("a file below a file", "lies below d", vec![file(b"./d", b""), file(b"./d/x", b"")]),
        ("a name twice", "twice", vec![file(b"./x", b"1"), file(b"x", b"2")]),
        ("a link in place of a directory", "twice", vec![member(b"./d/", b'5', b"", b""), member(b"./d", b'2', b"/etc", b"")]),
        ("a name twice after the /usr merge", "twice", vec![file(b"./bin/x", b"1"), file(b"./usr/bin/x", b"2")]),
        ("a directory with content", "content", vec![member(b"./d/", b'5', b"", b"x")]),
        ("a root that is a file", "root", vec![file(b"./", b"x")]),
        ("a long name", "too long", vec![member(b"L", b'L', b"", &too_long), file(b"x", b"")]),
        ("a size beyond all", "too many", vec![member_of(b"./big", b'0', b"", 3 << 30, b"")]),
        ("a member longer than the archive", "early", vec![member_of(b"./big", b'0', b"", 1 << 20, b"x")]),
        ("a name record longer than the archive", "too long", vec![member_of(b"L", b'L', b"", 1 << 30, b"x")]),
        ("a long name for nobody", "no member", vec![member(b"L", b'L', b"", b"x\0")]),
        ("two long names", "two long names", vec![member(b"L", b'L', b"", b"x\0"), member(b"L", b'L', b"", b"y\0"), file(b"x", b"")]),
        ("a size in two places", "size", vec![member(b"p", b'x', b"", b"11 size=99\n"), file(b"./x", b"")]),
        ("a sparse file in pax", "sparse", vec![member(b"p", b'x', b"", b"22 GNU.sparse.major=1\n"), file(b"./x", b"")]),
        ("a global pax header", "global", vec![member(b"p", b'g', b"", b"10 path=x\n"), file(b"./x", b"")]),
        (
            "a wrong checksum",
            "checksum",
            vec![{
                let mut member = file(b"./x", b"");
                member[0] = b'-';
                member
            }],
        ),
    ];
    for (what, expected, members) in cases {
        let message = refusal(&deb(&members).package);
        assert!(message.contains(expected), "{what}: {message}");
        assert!(message.contains("probe 1:2.0-3"), "{what}: {message}");
    }
}

#[test]
fn an_end_that_is_early_or_late_is_refused() {
    let honest = tar(&[file(b"./x", &[b'x'; 2000])]);
    let bytes = deb_bytes("data.tar.xz", &xz(&honest));
    assert!(walk(&deb_of(&bytes).package).is_ok());
    for cut in [0, 7, 30, 100, bytes.len() / 2, bytes.len() - 10, bytes.len() - 2] {
        refusal(&deb_of(&bytes[..cut]).package);
    }
    // The tar itself: no end at all, one block of it, in the middle of a member, at the end of one.
    for cut in [honest.len() - 1024, honest.len() - 512, 600, 512, 100] {
        let message = refusal(&deb_of(&deb_bytes("data.tar.gz", &gz(&honest[..cut]))).package);
        assert!(message.contains("early") || message.contains("EOF") || message.contains("entire block"), "{cut}: {message}");
    }
    let late = [honest.clone(), file(b"./y", b"hidden")].concat();
    assert!(refusal(&deb_of(&deb_bytes("data.tar.xz", &xz(&late))).package).contains("trailing garbage"));
    for data in [[xz(&honest), b"garbage".to_vec()].concat(), [gz(&honest), b"garbage".to_vec()].concat()] {
        let name = if data[0] == 0xfd { "data.tar.xz" } else { "data.tar.gz" };
        refusal(&deb_of(&deb_bytes(name, &data)).package);
    }
    assert!(refusal(&deb_of(&[bytes.clone(), b"garbage".to_vec()].concat()).package).contains("trailing garbage"));
    let mut flipped = bytes.clone();
    let middle = bytes.len() - 40;
    flipped[middle] ^= 1;
    refusal(&deb_of(&flipped).package);
}

#[test]
fn other_compressions_and_parts_are_named() {
    let data = tar(&[]);
    assert!(refusal(&deb_of(&deb_bytes("data.tar.zst", &data)).package).contains(".zst"));
    assert!(refusal(&deb_of(&ar(&[("debian-binary", b"2.0\n")])).package).contains("data.tar"));
    assert!(refusal(&deb_of(&ar(&[("data.tar", &data)])).package).contains("debian-binary"));
    assert!(refusal(&deb_of(&ar(&[("debian-binary", b"3.0\n"), ("data.tar", &data)])).package).contains("version 2"));
    let twice = ar(&[("debian-binary", b"2.0\n"), ("data.tar", &data), ("data.tar", &data)]);
    assert!(refusal(&deb_of(&twice).package).contains("twice"));
    assert!(refusal(&deb_of(b"not a package at all").package).contains("ar archive"));
}

#[test]
fn another_hash_than_the_locked_one_is_refused_before_anything_is_read() {
    let mut probe = deb(&[file(b"./x", b"")]);
    probe.package.sha256 = "0".repeat(64);
    let mut visited = false;
    let error = probe.package.walk(&mut |_, _| {
        visited = true;
        Ok(())
    });
    assert!(error.unwrap_err().to_string().contains("SHA-256") && !visited);
}

#[test]
fn a_reader_that_stops_early_does_not_upset_the_walk() {
    let probe = deb(&[file(b"./a", &[7; 3000]), file(b"./b", b"second")]);
    let mut paths = Vec::new();
    let visit = &mut |entry: &synapse_site::package::Entry, _: &mut dyn std::io::Read| {
        paths.push(entry.path.clone());
        Ok(())
    };
    probe.package.walk(visit).unwrap();
    assert_eq!(paths, ["a", "b"]);
}

#[test]
fn limits_hold() {
    let archive = tar(&[file(b"./a", &[0; 4000]), file(b"./b", b"")]);
    let try_with = |limits: Limits| tarball::walk("probe", archive.as_slice(), limits, &mut |_, _| Ok(()));
    let enough = Limits { total: archive.len() as u64, member: 4000, members: 2, names: 2 };
    try_with(enough).unwrap();
    assert!(try_with(Limits { members: 1, ..enough }).unwrap_err().to_string().contains("more than 1 members"));
    assert!(try_with(Limits { names: 1, ..enough }).unwrap_err().to_string().contains("names of the package have more than 1 bytes"));
    assert!(try_with(Limits { member: 3999, ..enough }).unwrap_err().to_string().contains("too many"));
    assert!(try_with(Limits { total: 4000, ..enough }).is_err());
    // A bomb: 64 MiB of zeros in a few kilobytes.
    let bomb = xz(&tar(&[file(b"./zeros", &vec![0; 64 << 20])]));
    assert!(bomb.len() < 100_000 && END.len() == 1024);
    let stream = liblzma::bufread::XzDecoder::new(bomb.as_slice());
    let limits = Limits { total: 1 << 20, ..tarball::LIMITS };
    assert!(tarball::walk("probe", stream, limits, &mut |_, _| Ok(())).unwrap_err().to_string().contains("unpacks to more"));
}
