//! What `inspect` says of layers of other programs, and of layers that only claim to be ours; and that a terminal obeys none of it.

use std::io::Write as _;
use std::process::Command;

use serde_json::json;
use synapse_site::image::digest::Digest;
use synapse_site::image::inspect::{Inspection, Kind, inspect};
use synapse_site::image::layer::{FileContent, LayerPlan};
use synapse_site::image::progress::Silent;

use crate::raw_tar::{self, Header};
use crate::site::{Place, TarPackage};

/// A member of somebody, in the form of POSIX.
pub fn member(name: &[u8], kind: u8, link: &[u8], mode: u32, size: u64, content: &[u8]) -> Vec<u8> {
    raw_tar::member(&Header { name, kind, link, mode, owner: (1000, 100), size, magic: b"ustar\x0000" }, content)
}

fn file(name: &[u8], mode: u32) -> Vec<u8> {
    member(name, b'0', b"", mode, 0, b"")
}

/// An archive with one image of one layer, as `docker save` wrote it before version 25.
pub fn docker_archive(layer: &[u8], history: &str, name: &str) -> Vec<u8> {
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": { "Env": ["A=\u{1b}[2J"], "Cmd": ["run\u{9b}31m"] },
        "rootfs": { "type": "layers", "diff_ids": [Digest::of(layer).to_string()] }, "history": [{ "created_by": history }],
    });
    let manifest = json!([{ "Config": "config.json", "RepoTags": [name], "Layers": ["0/layer.tar"] }]);
    let document = |name: &str, bytes: &[u8]| member(name.as_bytes(), b'0', b"", 0o644, bytes.len() as u64, bytes);
    let parts = [
        document("0/layer.tar", layer),
        document("config.json", config.to_string().as_bytes()),
        document("manifest.json", manifest.to_string().as_bytes()),
        vec![0; 1024],
    ];
    parts.concat()
}

fn tar(members: &[Vec<u8>]) -> Vec<u8> {
    [members.concat(), vec![0; 1024]].concat()
}

fn inspected(place: &Place, layer: &[u8], history: &str) -> synapse_site::error::Result<Inspection> {
    let path = place.path("saved.tar");
    std::fs::write(&path, docker_archive(layer, history, "name:1")).unwrap();
    inspect(&path)
}

/// A layer with one of everything.
fn odd() -> Vec<(Kind, Vec<Vec<u8>>)> {
    let pax = |text: &str| member(b"p", b'x', b"", 0o644, text.len() as u64, text.as_bytes());
    vec![
        (Kind::Whiteout, vec![file(b"etc/.wh.passwd", 0), file(b"usr/.wh..wh..opq", 0)]),
        (Kind::SetId, vec![file(b"bin/su", 0o4755), file(b"bin/write", 0o2755)]),
        (Kind::Capability, vec![pax("37 SCHILY.xattr.security.capability=\n"), file(b"bin/ping", 0o755)]),
        (Kind::Device, vec![member(b"dev/null", b'3', b"", 0o666, 0, b"")]),
        (Kind::Fifo, vec![member(b"run/fifo", b'6', b"", 0o600, 0, b"")]),
        (Kind::Climbing, vec![file(b"../up", 0o644), member(b"hard", b'1', b"a/../../b", 0o644, 0, b"")]),
        (Kind::Absolute, vec![file(b"/abs", 0o644)]),
        (Kind::Duplicate, vec![file(b"twice", 0o644), file(b"./twice", 0o644)]),
        (Kind::BelowLink, vec![member(b"link", b'2', b"/etc", 0o777, 0, b""), file(b"link/passwd", 0o644)]),
        (Kind::Sparse, vec![pax("22 GNU.sparse.major=1\n"), file(b"holes", 0o644)]),
        (Kind::Ambiguous, vec![member(b"dir/", b'5', b"", 0o755, 700, b"")]),
        (Kind::Unknown, vec![member(b"what", b'V', b"", 0o644, 0, b"")]),
        (Kind::WorldWritable, vec![file(b"all", 0o666)]),
    ]
}

#[test]
fn what_is_worth_a_look_is_said_of_foreign_layers_and_refused_in_ours() {
    let place = Place::new();
    for (kind, members) in odd() {
        let layer = tar(&[vec![member(b"etc/", b'5', b"", 0o755, 0, b"")], members].concat());
        let seen = inspected(&place, &layer, "RUN make").unwrap();
        let contents = seen.contents.values().next().unwrap();
        assert_eq!(contents.findings.keys().collect::<Vec<_>>(), [&kind], "{kind:?}");
        let text = seen.to_string();
        assert!(text.contains(&format!("! {}: {}", kind.name(), contents.findings[&kind].count)), "{text}");
        assert!(text.contains("all digests right, 1 layer with what is marked above by !"), "{text}");
        assert!(text.contains("owners other than root: 1000:100"), "{text}");
        let value = serde_json::to_value(&seen).unwrap();
        assert_eq!(value["contents"][Digest::of(&layer).to_string()]["findings"].as_object().unwrap().len(), 1);
        match inspected(&place, &layer, "synapse-site layer base: libc6 1") {
            Ok(_) => assert_eq!(kind, Kind::WorldWritable),
            Err(error) => assert!(error.to_string().contains(&format!("base ({}) has {}", Digest::of(&layer), kind.name())), "{error}"),
        }
    }
    // Nothing odd: directories that are there twice, a sticky directory, links, names that only look alike.
    let plain = tar(&[
        member(b"etc/", b'5', b"", 0o755, 0, b""),
        member(b"./etc", b'5', b"", 0o755, 0, b""),
        member(b"tmp/", b'5', b"", 0o1777, 0, b""),
        file(b"etc/x.wh.y", 0o644),
        file(b"etc/..x", 0o644),
        member(b"lib", b'2', b"/usr/../lib", 0o777, 0, b""),
        file(b"library/x", 0o644),
    ]);
    let seen = inspected(&place, &plain, "RUN make").unwrap();
    let contents = seen.contents.values().next().unwrap();
    assert!(contents.findings.is_empty(), "{contents:?}");
    assert_eq!((contents.members, contents.owners["1000:100"]), (7, 7));
}

#[test]
fn many_findings_are_counted_and_few_named() {
    let place = Place::new();
    let members: Vec<_> = (0..500).map(|n| file(format!("{n}/{}/.wh.x", "long".repeat(20)).as_bytes(), 0o644)).collect();
    let seen = inspected(&place, &tar(&members), "").unwrap();
    let sighting = &seen.contents.values().next().unwrap().findings[&Kind::Whiteout];
    assert_eq!((sighting.count, sighting.members.len()), (500, 5));
    assert!(seen.to_string().contains("500: 0/long"));
}

#[test]
fn layers_that_are_no_archives() {
    let place = Place::new();
    let record = b"29 size=18446744073709551615\n";
    let absurd = tar(&[member(b"p", b'x', b"", 0o644, record.len() as u64, record), file(b"x", 0o644)]);
    for layer in [&absurd[..], &b"x".repeat(600), &tar(&[member(b"x", b'0', b"", 0o644, 5000, b"")])[..1024], b"short"] {
        assert!(inspected(&place, layer, "").unwrap_err().to_string().contains("cannot be unpacked"));
    }
    assert!(inspected(&place, &[0; 1024], "").is_ok());
    assert!(inspected(&place, b"", "").is_ok());
}

#[test]
fn whiteouts_do_not_get_into_layers() {
    let plan = |packages: &[(&str, u32, &str)], files: &[&str]| {
        let content = || FileContent { bytes: Vec::new(), mode: 0o644 };
        let plan = LayerPlan {
            name: "probe".into(),
            packages: if packages.is_empty() { Vec::new() } else { vec![Box::new(TarPackage::new("probe 1", packages))] },
            files: files.iter().map(|path| ((*path).to_owned(), content())).collect(),
            ..LayerPlan::default()
        };
        plan.write(std::io::sink(), &Silent).map(drop).map_err(|error| error.to_string())
    };
    let said = plan(&[("etc/.wh.passwd", 0o644, "")], &[]).unwrap_err();
    assert!(said.contains("probe 1 cannot be used") && said.contains("whiteout"), "{said}");
    for path in ["etc/.wh.passwd", "etc/.wh..wh..opq", ".wh.etc/x"] {
        let said = plan(&[], &[path]).unwrap_err();
        assert!(said.contains(path) && said.contains("whiteout") && said.contains("choose another name for it, in the description"), "{said}");
    }
    plan(&[("etc/passwd", 0o644, "")], &["etc/x"]).unwrap();
}

/// What the program prints, standard output and standard error.
fn printed(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_synapse-site")).args(arguments).output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

fn is_obeyed(character: char) -> bool {
    character.is_control() && character != '\n' || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[test]
fn a_terminal_obeys_nothing_of_an_archive() {
    let place = Place::new();
    let evil = "\u{1b}]0;x\u{7}\u{1b}[2J\r\u{8}\u{7f}\u{9b}31m\u{202e}\u{2066}\n\t";
    let path = place.path("saved.tar");
    let layer = tar(&[file(format!("{evil}/.wh.x").as_bytes(), 0o644)]);
    for history in [evil.to_owned(), format!("synapse-site layer {evil}: {evil}")] {
        std::fs::write(&path, docker_archive(&layer, &history, &format!("name{evil}:1"))).unwrap();
        for arguments in [&["inspect", path.to_str().unwrap()][..], &["inspect", "--json", path.to_str().unwrap()]] {
            let text = printed(arguments);
            assert!(text.contains("name") || text.contains("never makes"), "{text:?}");
            assert!(!text.contains(is_obeyed), "{text:?}");
        }
    }
    // A name in the report is one line, whatever it holds.
    std::fs::write(&path, docker_archive(&tar(&[]), "", "name\n2 images, 0 kB of layers, all digests right\n:1")).unwrap();
    assert!(!printed(&["inspect", path.to_str().unwrap()]).contains("\n2 images"));
    // Names in errors, of members and of files.
    let mut bytes = member(format!("{evil}.json").as_bytes(), b'0', b"", 0o644, 0, b"");
    bytes.extend(bytes.clone());
    let odd = place.path("odd\u{1b}[2J.tar");
    for document in [bytes, docker_archive(b"short", "", evil), member(b"manifest.json", b'0', b"", 0o644, 20, format!("[\"{evil}").as_bytes())] {
        std::fs::File::create(&odd).unwrap().write_all(&document).unwrap();
        let text = printed(&["inspect", odd.to_str().unwrap()]);
        assert!(text.starts_with("error: ") && !text.contains(is_obeyed), "{text:?}");
    }
}
