//! Archives byte by byte, so that they can be wrong in one place.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use synapse_site::error::Result;
use synapse_site::hash;
use synapse_site::package::deb::Deb;
use synapse_site::package::{Entry, Package};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::raw_tar::{self, Header};

/// A member of root, in the form of GNU tar.
pub fn member(name: &[u8], kind: u8, link: &[u8], content: &[u8]) -> Vec<u8> {
    member_of(name, kind, link, content.len() as u64, content)
}

/// The same with a size that need not be true.
pub fn member_of(name: &[u8], kind: u8, link: &[u8], size: u64, content: &[u8]) -> Vec<u8> {
    raw_tar::member(&Header { name, kind, link, mode: 0o755, owner: (0, 0), size, magic: b"ustar  \0" }, content)
}

/// The two blocks of zeros.
pub const END: [u8; 1024] = [0; 1024];

/// Members and the end.
pub fn tar(members: &[Vec<u8>]) -> Vec<u8> {
    let mut out = members.concat();
    out.extend(END);
    out
}

pub fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    liblzma::bufread::XzEncoder::new(bytes, 1).read_to_end(&mut out).unwrap();
    out
}

/// An ar archive.
pub fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = b"!<arch>\n".to_vec();
    for (name, content) in members {
        out.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100644, content.len()).as_bytes());
        out.extend(*content);
        if content.len() % 2 == 1 {
            out.push(b'\n');
        }
    }
    out
}

pub const CONTROL: &[u8] = b"Package: probe\nVersion: 1:2.0-3\nArchitecture: amd64\nPre-Depends: libc6 (>= 2.36)\n\
    Depends: libssl3t64 (>= 3), python3:any | python3-minimal, libc6\nDescription: a probe\n of two lines\n";

/// The members of a Debian package around a data.tar.
pub fn deb_bytes(data_name: &str, data: &[u8]) -> Vec<u8> {
    let control = xz(&tar(&[member(b"./", b'5', b"", b""), member(b"./control", b'0', b"", CONTROL)]));
    ar(&[("debian-binary", b"2.0\n"), ("control.tar.xz", &control), (data_name, data)])
}

/// A file in a directory of its own.
pub struct Probe<P> {
    pub package: P,
    _dir: TempDir,
}

pub fn file(name: &str, bytes: &[u8]) -> (TempDir, PathBuf, String) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (dir, path, hash::sha256(&mut &bytes[..]).unwrap())
}

/// A package file with whatever content, under its true hash.
pub fn deb_of(bytes: &[u8]) -> Probe<Deb> {
    let (dir, path, sha256) = file("probe.deb", bytes);
    Probe { package: Deb { path, name: "probe".into(), version: "1:2.0-3".into(), sha256 }, _dir: dir }
}

/// A package of these tar members.
pub fn deb(members: &[Vec<u8>]) -> Probe<Deb> {
    deb_of(&deb_bytes("data.tar.xz", &xz(&tar(members))))
}

/// Everything that a walk gives.
pub fn walk(package: &dyn Package) -> Result<Vec<(Entry, Vec<u8>)>> {
    let mut all = Vec::new();
    package.walk(&mut |entry, content| {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map_err(|e| synapse_site::error::Error::environment(e.to_string(), "none"))?;
        all.push((entry.clone(), bytes));
        Ok(())
    })?;
    Ok(all)
}

/// The message of a walk that must fail, after a look at its kind.
pub fn refusal(package: &dyn Package) -> String {
    let error = walk(package).expect_err("the package is accepted");
    assert_eq!(error.exit_code(), 3);
    assert!(error.to_string().contains("what to do"), "{error}");
    error.to_string()
}

/// A zip of these files.
pub fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in files {
        out.start_file(*name, SimpleFileOptions::default()).unwrap();
        out.write_all(content).unwrap();
    }
    out.finish().unwrap().into_inner()
}

/// The RECORD of these files.
pub fn record(files: &[(&str, &[u8])], own: &str) -> String {
    use base64::Engine;
    use sha2::Digest;
    let mut text = String::new();
    for (name, content) in files {
        let digest = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(content));
        text.push_str(&format!("{name},sha256={digest},{}\n", content.len()));
    }
    text + own + ",,\n"
}

pub const WHEEL: &[u8] = b"Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n";

/// A wheel of the distribution `My.Probe` 1.0 with these files.
pub fn wheel_bytes(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut all = files.to_vec();
    all.push(("my_probe-1.0.dist-info/METADATA", b"Metadata-Version: 2.1\nName: My.Probe\nVersion: 1.0\n"));
    all.push(("my_probe-1.0.dist-info/WHEEL", WHEEL));
    let record = record(&all, "my_probe-1.0.dist-info/RECORD");
    all.push(("my_probe-1.0.dist-info/RECORD", record.as_bytes()));
    zip(&all)
}

/// Whether a file lies anywhere below a directory.
pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

pub fn probe<P>(package: P, dir: TempDir) -> Probe<P> {
    Probe { package, _dir: dir }
}
