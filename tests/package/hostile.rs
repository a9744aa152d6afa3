//! Names from elsewhere with what a terminal obeys in them, each way that they come into the program: whatever the program prints of
//! them, as text or as data, is harmless. Whole runs, so that no way to print is forgotten.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use synapse_site::hash;
use synapse_site::image::digest::Digest;
use synapse_site::package::cache::Cache;

use crate::make::{deb_bytes, member, tar, wheel_bytes, xz};

/// Clears the screen, goes back, rings, begins a sequence with one byte, turns the order of letters around.
const HOSTILE: &str = "evil\u{1b}[2J\r\u{7}\u{8}\u{7f}\u{9b}31m\u{202e}\u{2066}end";

/// As TOML and JSON write it.
const ESCAPED: &str = r"evil\u001b[2J\r\u0007\u0008\u007f\u009b31m\u202e\u2066end";

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-site"));
    command.args(arguments).env("SYNAPSE_SITE_LAUNCH", env!("CARGO_BIN_EXE_launch")).env_remove("SYNAPSE_SITE_IMAGES");
    // The discard port, where nobody listens.
    for mirror in ["SYNAPSE_SITE_DEBIAN_MIRROR", "SYNAPSE_SITE_DEBIAN_SECURITY_MIRROR", "PIP_INDEX_URL"] {
        command.env(mirror, "http://127.0.0.1:9");
    }
    command
}

/// Runs the program; nothing of what it says is obeyed by a terminal, and some of the hostile name is in it.
#[track_caller]
fn is_harmless(command: &mut Command, code: i32) -> Output {
    let output = run(command, code);
    assert!(says_it(&output), "{command:?} does not say the name: {output:?}");
    output
}

fn says_it(output: &Output) -> bool {
    let said = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&said).contains("evil")
}

/// As [`is_harmless`], where the name may be left out.
#[track_caller]
fn run(command: &mut Command, code: i32) -> Output {
    let output = command.output().expect("the program runs");
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8(bytes.clone()).expect("UTF-8"));
    assert_eq!(output.status.code(), Some(code), "{command:?}: {said:?}");
    for text in &said {
        let bad = |c: char| c.is_control() && !matches!(c, '\n' | '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        assert!(!text.contains(bad), "{command:?}: {text:?}");
    }
    output
}

/// An archive as `docker save` writes it, in which everything that can have a name has this one.
fn archive(layer: &[u8]) -> Vec<u8> {
    let config = json!({
        "architecture": HOSTILE, "os": "linux",
        "config": {
            "Env": [format!("A={HOSTILE}")], "Cmd": [HOSTILE], "Entrypoint": [HOSTILE], "User": HOSTILE, "WorkingDir": HOSTILE,
            "Labels": { HOSTILE: HOSTILE }, "ExposedPorts": { HOSTILE: {} },
        },
        "rootfs": { "type": "layers", "diff_ids": [Digest::of(layer).to_string()] }, "history": [{ "created_by": HOSTILE }],
    });
    let manifest = json!([{ "Config": "config.json", "RepoTags": [HOSTILE], "Layers": ["0/layer.tar"] }]);
    let document = |name: &str, bytes: &[u8]| member(name.as_bytes(), b'0', b"", bytes);
    tar(&[document("0/layer.tar", layer), document("config.json", config.to_string().as_bytes()), document("manifest.json", manifest.to_string().as_bytes())])
}

#[test]
fn archives() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("saved.tar");
    let path = path.to_str().expect("UTF-8");
    // A device and a link that leads out, which are told.
    let odd = tar(&[
        member(HOSTILE.as_bytes(), b'0', b"", b""),
        member(b"odd", b'2', HOSTILE.as_bytes(), b""),
        member(format!("dev/{HOSTILE}").as_bytes(), b'3', b"", b""),
    ]);
    fs::write(path, archive(&odd)).expect("written");
    is_harmless(&mut program(&["inspect", path]), 0);
    let output = is_harmless(&mut program(&["inspect", "--json", path]), 0);
    let data: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(data["images"][0]["names"][0], HOSTILE, "data stay what they are");
    // What is refused.
    for name in [format!("../{HOSTILE}"), format!("{HOSTILE}/../../x")] {
        fs::write(path, archive(&tar(&[member(name.as_bytes(), b'0', b"", b"")]))).expect("written");
        let ran = program(&["inspect", path]).output().expect("the program runs");
        is_harmless(&mut program(&["inspect", path]), ran.status.code().expect("a code"));
    }
    let broken = tar(&[member(b"manifest.json", b'0', b"", json!([{ "Config": HOSTILE, "RepoTags": [], "Layers": [HOSTILE] }]).to_string().as_bytes())]);
    fs::write(path, broken).expect("written");
    is_harmless(&mut program(&["inspect", path]), 3);
    is_harmless(&mut program(&["inspect", "--json", path]), 3);
}

#[test]
fn graphs_of_a_store() {
    let dir = tempfile::tempdir().expect("a directory");
    let good = format!("/nix/store/{}-a", "a".repeat(32));
    let hash = format!("sha256:{}", "0".repeat(52));
    let graphs = [
        json!([{ "path": format!("/nix/store/{HOSTILE}"), "narHash": hash, "narSize": 1, "references": [] }]),
        json!([{ "path": good, "narHash": HOSTILE, "narSize": 1, "references": [] }]),
        json!([{ "path": good, "narHash": hash, "narSize": 1, "references": [format!("{good}{HOSTILE}")] }]),
        json!([{ "path": good, "narHash": hash, "narSize": HOSTILE, "references": [] }]),
    ];
    for graph in graphs {
        let attributes = json!({
            "outputs": { "out": dir.path().join("out") }, "closure": graph,
            "request": { "format": 1, "part": "bundle", "system": "x86_64-linux", "description": {}, "files": {}, "definitions": "/none", "packages": {} },
        });
        fs::write(dir.path().join(".attrs.json"), attributes.to_string()).expect("written");
        is_harmless(program(&["nix-builder"]).env("NIX_BUILD_TOP", dir.path()), 3);
    }
}

/// A site, and definitions of images whose locks were changed.
struct Locked {
    dir: tempfile::TempDir,
}

impl Locked {
    fn new(change: impl Fn(&str, String) -> String) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("site.yaml"), "server: { server_name: example.com, public_baseurl: 'https://matrix.example.com/' }\n").expect("written");
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("images");
        for image in fs::read_dir(&from).expect("images").map(|entry| entry.expect("an entry").path()) {
            let to = dir.path().join("images").join(image.file_name().expect("a name"));
            fs::create_dir_all(&to).expect("made");
            for file in fs::read_dir(image).expect("files").map(|entry| entry.expect("an entry").path()) {
                let name = file.file_name().expect("a name").to_str().expect("UTF-8").to_owned();
                fs::write(to.join(&name), change(&name, fs::read_to_string(&file).expect("text"))).expect("written");
            }
        }
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn build(&self) -> Command {
        let mut command = program(&["build", "site.yaml", "--out", "out", "--images", "images"]);
        command.current_dir(self.dir.path()).env("SYNAPSE_SITE_CACHE", self.path("cache"));
        command
    }
}

#[test]
fn locks_and_definitions() {
    let mut said = 0;
    for (file, key) in [
        ("debian.lock", "name"),
        ("debian.lock", "version"),
        ("debian.lock", "filename"),
        ("debian.lock", "archive"),
        ("python.lock", "name"),
        ("python.lock", "filename"),
        ("image.toml", "name"),
    ] {
        let begins = format!("\n{key} = \"");
        let locked = Locked::new(|name, text| if name == file { text.replacen(&begins, &format!("{begins}{ESCAPED}"), 1) } else { text });
        said += usize::from(says_it(&run(&mut locked.build(), 3)));
    }
    assert!(said > 0, "no name is said, so that nothing was tried");
}

/// A text in which every package is one file.
fn all_of(text: &str, sha256: &str, size: usize) -> String {
    let line = |line: &str| match line.split(" = ").next() {
        Some("sha256") => format!("sha256 = \"{sha256}\"\n"),
        Some("size") => format!("size = {size}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn members_of_packages() {
    let data = |names: &[&str]| {
        let members: Vec<Vec<u8>> = names.iter().map(|name| member(name.as_bytes(), b'0', b"", b"")).collect();
        deb_bytes("data.tar.xz", &xz(&tar(&members)))
    };
    let out = format!("./../{HOSTILE}");
    // As a member that leads out, and as one that comes twice.
    for deb in [data(&[&out]), data(&[HOSTILE, HOSTILE])] {
        let sha256 = hash::sha256(&mut &deb[..]).expect("a hash");
        let locked = Locked::new(|name, text| if name == "debian.lock" { all_of(&text, &sha256, deb.len()) } else { text });
        let wheel = wheel_bytes(&[]);
        let of_wheel = hash::sha256(&mut &wheel[..]).expect("a hash");
        let python = locked.path("images/synapse/python.lock");
        fs::write(&python, all_of(&fs::read_to_string(&python).expect("text"), &of_wheel, wheel.len())).expect("written");
        let cache = Cache::open(Some(locked.path("cache"))).expect("a cache");
        for (bytes, sha256) in [(&deb, &sha256), (&wheel, &of_wheel)] {
            let file = locked.path("file");
            fs::write(&file, bytes).expect("written");
            cache.insert(&file, sha256).expect("kept");
        }
        is_harmless(&mut locked.build(), 3);
    }
}
