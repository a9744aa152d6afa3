//! The bytes of an archive, field by field.

use super::*;

fn archive(members: &[(Header<'_>, &[u8])]) -> Vec<u8> {
    let mut tarball = Tarball::new(Vec::new());
    for (header, content) in members {
        let mut content = *content;
        tarball.append(header, &mut content).unwrap();
    }
    tarball.finish().unwrap()
}

#[test]
fn every_field_of_a_header() {
    let bytes = archive(&[(Header { path: "etc/motd", mode: 0o640, uid: 7, gid: 8, member: Member::File(3) }, b"hi\n")]);
    assert_eq!(bytes.len(), 4 * BLOCK);
    let field = |from: usize, length: usize| &bytes[from..from + length];
    let mut name = [0; 100];
    name[..8].copy_from_slice(b"etc/motd");
    assert_eq!(field(0, 100), name);
    assert_eq!(field(100, 8), b"0000640\0");
    assert_eq!(field(108, 8), b"0000007\0");
    assert_eq!(field(116, 8), b"0000010\0");
    assert_eq!(field(124, 12), b"00000000003\0");
    assert_eq!(field(136, 12), format!("{MTIME:011o}\0").as_bytes());
    let sum: u32 = bytes[..BLOCK].iter().enumerate().map(|(i, b)| if (148..156).contains(&i) { 32 } else { u32::from(*b) }).sum();
    assert_eq!(field(155, 1), b"\0");
    let stored = std::str::from_utf8(field(148, 7)).unwrap();
    assert_eq!(u32::from_str_radix(stored, 8).unwrap(), sum);
    assert_eq!(field(156, 1), b"0");
    assert_eq!(field(157, 100), [0; 100]);
    assert_eq!(field(257, 8), b"ustar\x0000");
    assert_eq!(field(265, 64), [0; 64], "no names of users or groups");
    assert_eq!(field(329, 16), b"0000000\x000000000\0");
    assert_eq!(field(345, 167), [0; 167]);
    assert_eq!(&bytes[BLOCK..BLOCK + 4], b"hi\n\0");
    assert!(bytes[2 * BLOCK..].iter().all(|b| *b == 0));
}

#[test]
fn the_date_is_the_same_in_both_forms() {
    assert_eq!(MTIME, (10 * 365 + 2 + 1) * 86_400, "ten years with two leap days, and one day");
    assert!(MTIME_RFC3339.starts_with("1980-01-02T00:00:00"));
}

#[test]
fn what_does_not_fit_goes_into_pax_records() {
    let long = format!("{}/x", "d".repeat(120));
    let target = format!("../{}", "t".repeat(200));
    let bytes = archive(&[
        (Header { path: &long, mode: 0o755, uid: 3_000_000, gid: 4_000_000, member: Member::Directory }, b""),
        (Header { path: "ü", mode: 0o777, uid: 0, gid: 0, member: Member::Symlink(&target) }, b""),
        (Header { path: "hard", mode: 0o644, uid: 0, gid: 0, member: Member::Hardlink("ü") }, b""),
    ]);
    let mut archive = tar::Archive::new(&bytes[..]);
    let mut seen = Vec::new();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let link = entry.link_name().unwrap().map(|l| l.display().to_string());
        seen.push((entry.path().unwrap().display().to_string(), link, entry.header().entry_type()));
    }
    assert_eq!(
        seen,
        [(format!("{long}/"), None, EntryType::Directory), ("ü".into(), Some(target), EntryType::Symlink), ("hard".into(), Some("ü".into()), EntryType::Link),]
    );
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("15 gid=4000000\n") && text.contains("15 uid=3000000\n"), "length counts its own digits");
}

#[test]
fn lengths_around_a_power_of_ten() {
    for length in 80..110 {
        let mut bytes = Vec::new();
        record(&mut bytes, "path", &"p".repeat(length));
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.split(' ').next().unwrap().parse::<usize>().unwrap(), text.len());
    }
}

#[test]
fn content_of_another_length_is_refused() {
    let header = Header { path: "f", mode: 0o644, uid: 0, gid: 0, member: Member::File(3) };
    for content in [&b"12"[..], b"1234"] {
        let failure = Tarball::new(Vec::new()).append(&header, &mut &content[..]);
        assert!(matches!(failure, Err(Failure::Read(_))), "{failure:?}");
    }
    let link = Header { path: "l", mode: 0o777, uid: 0, gid: 0, member: Member::Symlink("f") };
    assert!(matches!(Tarball::new(Vec::new()).append(&link, &mut &b"x"[..]), Err(Failure::Read(_))));
}
