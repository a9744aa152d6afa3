//! Packages made to use up memory or time, each read by a process of its own whose address space or processor time is limited.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use synapse_site::error::Result;
use synapse_site::hash;
use synapse_site::image::layer::LayerPlan;
use synapse_site::image::layering::{self, Needs};
use synapse_site::image::progress::Silent;
use synapse_site::package::closure::{Closure, Graph};
use synapse_site::package::deb::Deb;
use synapse_site::package::wheel::{Scheme, Wheel};
use synapse_site::package::{Package, elf};
use tempfile::TempDir;

use crate::make::{deb_bytes, file, gz, member, record, tar, zip};

/// Bytes of address space: far above what honest packages take (`limits` below), far below what each of these took.
const MEMORY: u64 = 512 << 20;

/// What the other process does with its file, and says in the end.
#[test]
#[ignore = "the other tests run it in a process of its own"]
fn in_a_process_of_its_own() {
    let path = std::path::PathBuf::from(std::env::var_os("SUBJECT").unwrap());
    let sha256 = || hash::sha256_file(&path).unwrap();
    let outcome = match std::env::var("READER").unwrap().as_str() {
        "deb" => layer(Box::new(Deb { path: path.clone(), name: "probe".into(), version: "1".into(), sha256: sha256() })),
        "wheel" => layer(Box::new(Wheel { path: path.clone(), name: "my-probe".into(), version: "1.0".into(), sha256: sha256(), scheme: scheme() })),
        "elf" => Ok(format!("{:?}", elf::needed(&mut File::open(&path).unwrap()).map(|found| found.map(|found| found.needed.len())))),
        "closure" => layer(Box::new(closure(&path))),
        "graph" => divide(&serde_json::from_reader(File::open(&path).unwrap()).unwrap()),
        other => panic!("{other}"),
    };
    println!("OUTCOME {}", outcome.unwrap_or_else(|error| error.to_string()));
}

fn layer(package: Box<dyn Package + Send + Sync>) -> Result<String> {
    let plan = LayerPlan { name: "probe".into(), packages: vec![package], ..LayerPlan::default() };
    plan.write(std::io::sink(), &Silent).map(|(_, members)| format!("a layer of {members} members"))
}

fn scheme() -> Scheme {
    Scheme { site_packages: "lib".into(), prefix: "usr".into(), interpreter: "/python".into(), scripts: true }
}

const STORE_PATH: &str = "/nix/store/0000000000000000000000000000000a-a-1.0";
const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn closure(files: &Path) -> Closure {
    let graph = Graph::parse(&json!([{ "path": STORE_PATH, "narHash": EMPTY, "narSize": 1, "references": [] }])).unwrap();
    Closure { files: files.to_owned(), ..Closure::new(graph.get(STORE_PATH).unwrap()) }
}

fn divide(records: &Value) -> Result<String> {
    let graph = Graph::parse(records)?;
    let roots = records[0]["path"].as_str().into_iter().map(str::to_owned).collect();
    let images = [("one".to_owned(), Needs { roots, ..Needs::default() })].into();
    let stacks = layering::divide(&graph, &images, layering::MOST)?;
    Ok(format!("{} groups", stacks["one"].len()))
}

/// What a process says about a file, which must end by itself within these limits.
#[track_caller]
fn outcome(reader: &str, subject: &Path) -> String {
    let output = Command::new("prlimit")
        .args([&format!("--as={MEMORY}"), "--cpu=60", "--core=0"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "bounds::in_a_process_of_its_own", "--ignored", "--nocapture", "--test-threads=1"])
        .env("READER", reader)
        .env("SUBJECT", subject)
        .output()
        .expect("these tests need prlimit (util-linux)");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let said = text.split("OUTCOME ").nth(1).unwrap_or_else(|| panic!("{}: {text}", output.status));
    said.to_owned()
}

#[track_caller]
fn of_bytes(reader: &str, bytes: &[u8]) -> String {
    let (_dir, path, _) = file("my_probe-1.0-py3-none-any.whl", bytes);
    outcome(reader, &path)
}

/// A member with a name of any length.
fn long(name: &str, kind: u8) -> Vec<u8> {
    [member(b"././@LongLink", b'L', b"", &[name.as_bytes(), b"\0"].concat()), member(b"x", kind, b"", b"")].concat()
}

#[test]
fn packages_of_many_directories() {
    let deep = |depth: usize, n: usize| format!("{n:x}/{}x", "d/".repeat(depth));
    let bytes = |depth: usize, members: usize| deb_bytes("data.tar.gz", &gz(&tar(&(0..members).map(|n| long(&deep(depth, n), b'0')).collect::<Vec<_>>())));
    assert!(of_bytes("deb", &bytes(2000, 1000)).contains("too deep"));
    // As deep as may be, and each member with directories of its own.
    assert!(of_bytes("deb", &bytes(120, 20_000)).contains("the layer gets more than"));
    assert!(of_bytes("deb", &bytes(120, 100)).contains("a layer of 12200 members"));
}

#[test]
fn packages_of_long_names() {
    let members: Vec<_> = (0..40_000).map(|n| long(&format!("{n}{}", "n".repeat(4000)), b'0')).collect();
    assert!(of_bytes("deb", &deb_bytes("data.tar.gz", &gz(&tar(&members)))).contains("the names of the package have more than"));
    let links: Vec<_> =
        (0..40_000).map(|n| [member(b"K", b'K', b"", &b"t".repeat(4000)), member(format!("{n}").as_bytes(), b'2', b"", b"")].concat()).collect();
    assert!(of_bytes("deb", &deb_bytes("data.tar.gz", &gz(&tar(&links)))).contains("the names of the package have more than"));
}

#[test]
fn a_dictionary_beyond_all() {
    // A stream of xz whose one block wants a dictionary of 1.5 GiB: the decoder would take it before the first byte.
    let mut options = liblzma::stream::LzmaOptions::new_preset(0).unwrap();
    options.dict_size(1 << 20);
    let mut filters = liblzma::stream::Filters::new();
    filters.lzma2(&options);
    let stream = liblzma::stream::Stream::new_stream_encoder(&filters, liblzma::stream::Check::Crc32).unwrap();
    let mut packed = Vec::new();
    std::io::Read::read_to_end(&mut liblzma::bufread::XzEncoder::new_stream(&tar(&[])[..], stream), &mut packed).unwrap();
    // Block header: size, flags, filter 0x21, one byte of properties: the size of the dictionary; then padding and a CRC-32.
    assert_eq!(packed[14..16], [0x21, 1]);
    packed[16] = 37;
    let sum = crc32(&packed[12..20]);
    packed[20..24].copy_from_slice(&sum.to_le_bytes());
    let said = of_bytes("deb", &deb_bytes("data.tar.xz", &packed));
    assert!(said.contains("cannot be used") && said.contains("memory"), "{said}");
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[test]
fn directories_of_wheels_that_lie() {
    let honest = || {
        let files = [("my_probe/a.py", &b""[..]), ("my_probe-1.0.dist-info/WHEEL", crate::make::WHEEL)];
        let record = record(&files, "my_probe-1.0.dist-info/RECORD");
        zip(&[&files[..], &[("my_probe-1.0.dist-info/RECORD", record.as_bytes())]].concat())
    };
    assert!(of_bytes("wheel", &honest()).contains("a layer of"));
    // A ZIP64 end that speaks of 4,000,000 members, in a file with a hole that is long enough for their directory.
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("my_probe-1.0-py3-none-any.whl");
    let mut out = File::create(&path).unwrap();
    let (members, start, size) = (4_000_000_u64, 8_u64 << 20, 192_u64 << 20);
    out.seek(SeekFrom::Start(start + size)).unwrap();
    let mut end = Vec::new();
    end.extend(b"PK\x06\x06");
    end.extend(44_u64.to_le_bytes());
    end.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for number in [members, members, size, start] {
        end.extend(number.to_le_bytes());
    }
    end.extend(b"PK\x06\x07\0\0\0\0");
    end.extend((start + size).to_le_bytes());
    end.extend(1_u32.to_le_bytes());
    end.extend(b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0");
    out.write_all(&end).unwrap();
    drop(out);
    let said = outcome("wheel", &path);
    assert!(said.contains("cannot be used"), "{said}");
}

#[test]
fn metadata_of_wheels() {
    // Files that RECORD names and the wheel has not; a line of nothing but commas; scripts without end.
    let record: String = (0..3_600_000).map(|n| format!("{n:x},,\n")).collect();
    let commas = ",".repeat(32 << 20);
    let scripts: String = "[console_scripts]\n".to_owned() + &(0..2_000_000).map(|n| format!("a{n}=a:b\n")).collect::<String>();
    let info = |name: &str| format!("my_probe-1.0.dist-info/{name}");
    for (text, expected) in [(&record, "more files than the wheel has"), (&commas, "three fields")] {
        let bytes = zip(&[(&info("WHEEL"), crate::make::WHEEL), (&info("RECORD"), text.as_bytes())]);
        let said = of_bytes("wheel", &bytes);
        assert!(said.contains(expected), "{said}");
    }
    let said = of_bytes("wheel", &crate::make::wheel_bytes(&[(&info("entry_points.txt"), scripts.as_bytes())]));
    assert!(said.contains("too many for metadata"), "{said}");
}

/// A program of 64 bits with a dynamic section and nothing else: a header, two program headers, the entries, the strings.
fn program(entries: &[(u64, u64)], strings: &[u8]) -> Vec<u8> {
    let (section, text) = (64 + 2 * 56_u64, 64 + 2 * 56 + 16 * (entries.len() as u64 + 3));
    let mut out = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    for number in [3_u16, 62] {
        out.extend(number.to_le_bytes());
    }
    out.extend(1_u32.to_le_bytes());
    for number in [0_u64, 64, 0] {
        out.extend(number.to_le_bytes());
    }
    out.extend(0_u32.to_le_bytes());
    for number in [64_u16, 56, 2, 64, 0, 0] {
        out.extend(number.to_le_bytes());
    }
    let length = text + strings.len() as u64;
    for (kind, offset, size) in [(1_u32, 0, length), (2, section, text - section)] {
        out.extend(kind.to_le_bytes());
        out.extend(4_u32.to_le_bytes());
        for number in [offset, offset, offset, size, size, 8] {
            out.extend(number.to_le_bytes());
        }
    }
    for (tag, value) in [&[(5, text), (10, strings.len() as u64)], entries, &[(0, 0)]].concat() {
        out.extend(tag.to_le_bytes());
        out.extend(value.to_le_bytes());
    }
    assert_eq!(out.len() as u64, text);
    out.extend(strings);
    out
}

#[test]
fn programs_that_lie() {
    assert!(of_bytes("elf", &program(&[(1, 1), (1, 5)], b"\0one\0two\0")).contains("Ok(Some(2))"));
    // Strings without end, each of which used to be noted; one long name that 50,000 entries share.
    assert!(of_bytes("elf", &program(&[(1, 1)], &[&b"\0x\0"[..], &vec![0; 100 << 20]].concat())).contains("Ok(Some(1))"));
    let long = [b"\0".to_vec(), b"n".repeat(1 << 20), b"\0".to_vec()].concat();
    assert!(of_bytes("elf", &program(&vec![(1, 1); 50_000], &long)).contains("more than 4096 libraries"));
    assert!(of_bytes("elf", &program(&vec![(1, 1); 4000], &long)).contains("is no name"));
    assert!(of_bytes("elf", &program(&vec![(1, 1); 70_000], b"\0x\0")).contains("is too long"));
}

#[test]
fn a_pipe_in_place_of_a_package() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("probe.deb");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let sha256 = "0".repeat(64);
    let deb = Deb { path: path.clone(), name: "probe".into(), version: "1".into(), sha256: sha256.clone() };
    let wheel = Wheel { path, name: "my-probe".into(), version: "1.0".into(), sha256, scheme: scheme() };
    for package in [&deb as &dyn Package, &wheel] {
        assert!(crate::make::refusal(package).contains("a FIFO and not a regular file"));
    }
}

#[test]
fn directories_without_end_in_a_store_path() {
    let dir = TempDir::new().unwrap();
    let mut deepest = dir.path().join("a");
    for _ in 0..200 {
        deepest.push("d");
    }
    std::fs::create_dir_all(&deepest).unwrap();
    assert!(outcome("closure", &dir.path().join("a")).contains("too deep"));
}

/// A chain of store paths, each of which refers to the next.
fn chain(length: usize) -> Vec<Value> {
    let path = |n: usize| format!("/nix/store/{n:032}-p{n}-1");
    (0..length)
        .map(|n| json!({ "path": path(n), "narHash": EMPTY, "narSize": 1 << 20, "references": if n + 1 < length { vec![path(n + 1)] } else { vec![] } }))
        .collect()
}

#[test]
fn a_chain_of_twenty_thousand_store_paths() {
    let (_dir, path, _) = file("graph.json", json!(chain(20_000)).to_string().as_bytes());
    let said = outcome("graph", &path);
    assert!(said.contains(" groups"), "{said}");
}
