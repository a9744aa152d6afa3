//! Archives made to use up memory or time, and things that are no files at all: `inspect` ends by itself within its limits.

use std::fs::File;
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use synapse_site::image::digest::Digest;

use crate::layers::{docker_archive, member};
use crate::site::Place;

/// Bytes of address space.
const MEMORY: u64 = 512 << 20;

fn limited(path: &Path) -> Output {
    Command::new("prlimit")
        .args([&format!("--as={MEMORY}"), "--cpu=60", "--core=0", env!("CARGO_BIN_EXE_synapse-site"), "inspect"])
        .arg(path)
        .stdin(Stdio::null())
        .output()
        .expect("these tests need prlimit (util-linux)")
}

#[track_caller]
fn refused(path: &Path, expected: &str) {
    let output = limited(path);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{}: {said}", output.status);
    assert!(said.contains(expected), "{said}");
}

/// A header, a hole of so many bytes, and then the rest of the archive.
fn with_hole(path: &Path, name: &[u8], kind: u8, size: u64, rest: &[u8]) {
    let mut header = member(name, kind, b"", 0o644, 0, b"");
    header[124] = 0x80;
    header[125..136].copy_from_slice(&u128::from(size).to_be_bytes()[5..]);
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut out = File::create(path).unwrap();
    out.write_all(&header).unwrap();
    out.seek(SeekFrom::Current(i64::try_from(size).unwrap())).unwrap();
    out.write_all(rest).unwrap();
}

#[test]
fn names_and_documents_of_gigabytes() {
    let place = Place::new();
    let path = place.path("x.tar");
    let rest = [member(b"x", b'0', b"", 0o644, 0, b""), vec![0; 1024]].concat();
    for kind in [b'L', b'K', b'x', b'g'] {
        with_hole(&path, b"././@LongLink", kind, 6 << 30, &rest);
        refused(&path, "a name or pax header of 6442450944 bytes is too long");
    }
    with_hole(&path, b"index.json", b'0', 5 << 30, &rest);
    refused(&path, "index.json has 5368709120 bytes");
    with_hole(&path, b"sparse", b'S', 6 << 30, &rest);
    refused(&path, "sparse file");
}

#[test]
fn names_of_gigabytes_inside_a_layer() {
    let place = Place::new();
    let path = place.path("x.tar");
    // The layer is a long name without an end; it comes first in the archive.
    let inner = member(b"././@LongLink", b'L', b"", 0o644, 0o77_777_777_777, b"");
    std::fs::write(&path, docker_archive(&[inner, vec![b'a'; 1 << 20]].concat(), "", "x:1")).unwrap();
    refused(&path, "is too long");
}

#[test]
fn members_without_end() {
    let place = Place::new();
    let path = place.path("x.tar");
    let mut out = BufWriter::new(File::create(&path).unwrap());
    for n in 0..100_001 {
        out.write_all(&member(format!("{n}").as_bytes(), b'0', b"", 0o644, 0, b"")).unwrap();
    }
    out.into_inner().unwrap().write_all(&[0; 1024]).unwrap();
    refused(&path, "more than 100000 members");
    // Of long names, fewer.
    let mut out = BufWriter::new(File::create(&path).unwrap());
    for n in 0..40 {
        let name = format!("{n}{}", "n".repeat(500_000));
        out.write_all(&member(b"././@LongLink", b'L', b"", 0o644, name.len() as u64, name.as_bytes())).unwrap();
        out.write_all(&member(b"x", b'0', b"", 0o644, 0, b"")).unwrap();
    }
    out.into_inner().unwrap().write_all(&[0; 1024]).unwrap();
    refused(&path, "names of more than 16777216 bytes");
}

fn document(name: &str, bytes: &[u8]) -> Vec<u8> {
    member(name.as_bytes(), b'0', b"", 0o644, bytes.len() as u64, bytes)
}

/// An OCI layout with an image of this configuration and one empty layer, its manifest named so many times.
fn named(config: &[u8], filling: usize, times: usize) -> Vec<u8> {
    let layer = [0; 1024];
    let descriptor = |kind: &str, bytes: &[u8]| json!({ "mediaType": kind, "digest": Digest::of(bytes).to_string(), "size": bytes.len() });
    let manifest = json!({
        "schemaVersion": 2,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)],
        "annotations": { "filling": "x".repeat(filling) },
    })
    .to_string();
    let one = descriptor("application/vnd.oci.image.manifest.v1+json", manifest.as_bytes());
    let index = json!({ "schemaVersion": 2, "manifests": vec![one; times] }).to_string();
    let blob = |bytes: &[u8]| document(&Digest::of(bytes).blob_path(), bytes);
    [document("index.json", index.as_bytes()), blob(manifest.as_bytes()), blob(config), blob(&layer), vec![0; 1024]].concat()
}

fn config(history: &str) -> Vec<u8> {
    let diff_id = Digest::of(&[0; 1024]);
    format!(r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{diff_id}"]}},"history":[{history}]}}"#).into_bytes()
}

#[test]
fn a_manifest_that_is_named_many_times_is_read_once() {
    let place = Place::new();
    let path = place.path("x.tar");
    // 20,000 times three megabytes would take minutes.
    std::fs::write(&path, named(&config("{}"), 3_000_000, 20_000)).unwrap();
    let output = limited(&path);
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    std::fs::write(&path, named(&config("{}"), 0, 80_000)).unwrap();
    refused(&path, "a document has at most 4194304");
    // The same of Docker's manifest.
    let config = [&config("{}")[..], &b" ".repeat(3_000_000)].concat();
    let entries = json!(vec![json!({ "Config": "c", "RepoTags": ["x:1"], "Layers": ["l"] }); 50_000]).to_string();
    let parts = [document("manifest.json", entries.as_bytes()), document("c", &config), document("l", &[0; 1024]), vec![0; 1024]];
    std::fs::write(&path, parts.concat()).unwrap();
    assert!(limited(&path).status.success());
}

#[test]
fn documents_of_many_small_values() {
    let place = Place::new();
    let path = place.path("x.tar");
    let empty = |value: &str, length: usize| vec![value; length / (value.len() + 1)].join(",");
    std::fs::write(&path, named(&config(&empty(r#"{"empty_layer":true}"#, 4_000_000)), 0, 1)).unwrap();
    assert!(limited(&path).status.success());
    std::fs::write(&path, named(&config(&empty("{}", 4_000_000)), 0, 1)).unwrap();
    assert!(limited(&path).status.success());
    let packages = format!(r#"{{"created_by":"synapse-site layer x: {}"}}"#, "a, ".repeat(1_300_000));
    std::fs::write(&path, named(&config(&packages), 0, 1)).unwrap();
    assert!(limited(&path).status.success());
    // Nothing is nested without end.
    std::fs::write(&path, [document("manifest.json", "[".repeat(4_000_000).as_bytes()), vec![0; 1024]].concat()).unwrap();
    refused(&path, "manifest.json");
}

#[test]
fn a_pipe_and_a_device_are_no_archives() {
    let place = Place::new();
    let pipe = place.path("images.tar");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    refused(&pipe, "it is a FIFO");
    refused(place.directory.path(), "it is a FIFO");
    refused(Path::new("/dev/zero"), "it is a device");
}

#[test]
fn the_first_signal_ends_it() {
    let place = Place::new();
    let path = place.path("x.tar");
    // A layer that takes long: a hole of 2 TiB.
    let digest = Digest::of(b"").to_string();
    let config = json!({ "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": [digest] } }).to_string();
    let entries = json!([{ "Config": "c", "RepoTags": ["x:1"], "Layers": ["l"] }]).to_string();
    let rest = [document("manifest.json", entries.as_bytes()), document("c", config.as_bytes()), vec![0; 1024]].concat();
    for first in [None, Some(member(b"big", b'0', b"", 0o644, 0o77_777_777_777, b""))] {
        with_hole(&path, b"l", b'0', 1 << 40, &rest);
        if let Some(header) = first {
            std::os::unix::fs::FileExt::write_all_at(&File::options().write(true).open(&path).unwrap(), &header, 512).unwrap();
        }
        let mut child = Command::new(env!("CARGO_BIN_EXE_synapse-site")).arg("inspect").arg(&path).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(700));
        assert!(child.try_wait().unwrap().is_none(), "it is still reading");
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        let status = child.wait().unwrap();
        assert_eq!((status.code(), status.signal()), (Some(130), None));
    }
}
