//! FIFOs, sockets and devices in place of files, for every verb and every file that it reads: no wait, and words that name the
//! path and say what lies there. Paths that are not UTF-8: valid JSON all the same. What a description names has a limit.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::small::{offline, small};
use super::support::{Ran, SITE, expect, tool, with_site};

/// Far longer than any of these runs takes, and shorter than a wait for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run that must end by itself.
#[track_caller]
fn ends(command: &mut Command) -> Ran {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    let until = Instant::now() + PATIENCE;
    while child.try_wait().expect("known").is_none() {
        if Instant::now() > until {
            child.kill().expect("killed");
            panic!("{command:?} waits: {:?}", Ran::from(child.wait_with_output().expect("ends")));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().expect("ends").into()
}

/// Puts one kind after the other at a place, and runs what would read it.
#[track_caller]
fn all_kinds(place: &Path, run: impl Fn() -> Command) {
    fs::create_dir_all(place.parent().expect("a parent")).expect("made");
    for kind in ["a FIFO", "a socket", "a device"] {
        if place.symlink_metadata().is_ok() {
            fs::remove_file(place).expect("removed");
        }
        let _socket = match kind {
            "a FIFO" => Command::new("mkfifo").arg(place).status().map(|status| assert!(status.success())).map(|()| None),
            "a socket" => UnixListener::bind(place).map(Some),
            _ => std::os::unix::fs::symlink("/dev/zero", place).map(|()| None),
        }
        .expect("made");
        let ran = ends(&mut run());
        let name = place.file_name().expect("a name").to_string_lossy();
        assert!(matches!(ran.code, Some(1 | 3)), "{kind}: {ran:?}");
        assert!(ran.err.contains(kind) && ran.err.contains(&*name), "{kind} as {name}: {ran:?}");
    }
    fs::remove_file(place).expect("removed");
}

#[test]
fn no_verb_waits_for_what_is_no_file() {
    let dir = with_site(SITE);
    let at = |name: &str| dir.path().join(name);
    let run = |arguments: &[&str]| {
        let mut command = tool(arguments);
        command.current_dir(dir.path()).env("SYNAPSE_SITE_CACHE", at("cache"));
        command
    };
    for verb in [&["check"][..], &["render", "--out", "out"], &["build", "--out", "out"]] {
        for file in ["odd.yaml", "odd.json", "odd.nix"] {
            all_kinds(&at(file), || run(&[verb, &[file]].concat()));
        }
        all_kinds(&at("sites/site.yaml"), || run(&[verb, &["sites"]].concat()));
        let named = format!("{SITE}federation: {{federation_custom_ca_list: [./named.crt]}}\n");
        fs::write(at("names.yaml"), named).expect("written");
        all_kinds(&at("named.crt"), || run(&[verb, &["names.yaml"]].concat()));
        fs::write(at("names.yaml"), format!("{SITE}templates: {{custom_template_directory: ./texts}}\n")).expect("written");
        all_kinds(&at("texts/sso_error.html"), || run(&[verb, &["names.yaml"]].concat()));
    }
    for verb in [&["build", "site.yaml", "--out", "out"][..], &["lock"]] {
        all_kinds(&at("images/base/image.toml"), || run(&[verb, &["--images", "images"]].concat()));
    }
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("images");
    for name in ["base", "synapse", "postgres", "redis", "gateway"] {
        fs::create_dir_all(at("images").join(name)).expect("made");
        for file in ["image.toml", "debian.lock", "python.lock"] {
            if images.join(name).join(file).exists() {
                fs::copy(images.join(name).join(file), at("images").join(name).join(file)).expect("copied");
            }
        }
    }
    for lock in ["images/base/debian.lock", "images/synapse/python.lock"] {
        let kept = fs::read(at(lock)).expect("read");
        fs::remove_file(at(lock)).expect("removed");
        all_kinds(&at(lock), || run(&["build", "site.yaml", "--out", "out", "--images", "images"]));
        fs::write(at(lock), kept).expect("written");
    }
    all_kinds(&at("images.tar"), || run(&["inspect", "images.tar"]));
    all_kinds(&at("inspected/images.tar"), || run(&["inspect", "inspected"]));
    all_kinds(&at("made/site.json"), || run(&["secrets", "init", "made"]));
    all_kinds(&at("rendered/site.json"), || run(&["render", "site.yaml", "--out", "rendered"]));
    all_kinds(&at("rendered/site.json"), || run(&["build", "site.yaml", "--out", "rendered"]));
}

#[test]
fn the_files_of_a_description_have_a_limit_together() {
    let dir = with_site(&format!("{SITE}templates: {{custom_template_directory: ./texts}}\n"));
    fs::create_dir(dir.path().join("texts")).expect("made");
    for number in 0..9 {
        fs::File::create(dir.path().join(format!("texts/{number}.html"))).and_then(|file| file.set_len(15 << 20)).expect("sparse");
    }
    expect(tool(&["check", "site.yaml"]).current_dir(dir.path()), 1, &["S0009", "texts/", "more than 134217728 bytes", "in all"]);
}

#[test]
fn json_is_valid_whatever_a_path_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let odd = |name: &[u8]| dir.path().join(OsStr::from_bytes(name));
    let place = odd(b"not\xff\x1b[31mUTF-8");
    fs::create_dir(&place).expect("made");
    fs::write(place.join("site.yaml"), format!("{SITE}registration: {{enable_registration: true}}\n")).expect("written");
    fs::write(place.join("site.json"), r#"{"kind": "build", "secrets": [{"name": "one", "purpose": "to try", "make": "random"}]}"#).expect("written");
    fs::copy(place.join("site.yaml"), odd(b"\xfe.yaml")).expect("copied");
    fs::write(odd(b"wrong\xfe.yaml"), "server: 5\n").expect("written");
    let runs: [(&[&str], std::path::PathBuf, &[i32]); 5] = [
        (&["check", "--json"], odd(b"\xfe.yaml"), &[0, 1]),
        (&["check", "--json"], odd(b"wrong\xfe.yaml"), &[1]),
        (&["check", "--json"], place.join("site.yaml"), &[0, 1]),
        (&["secrets", "init", "--json"], place.clone(), &[0]),
        (&["inspect", "--json"], place.join("site.yaml"), &[3]),
    ];
    for (arguments, path, codes) in runs {
        let ran = ends(tool(arguments).arg(&path).current_dir(dir.path()));
        assert!(ran.code.is_some_and(|code| codes.contains(&code)), "{ran:?}");
        // Without an answer there is nothing at all, and the reason on standard error.
        let valid = serde_json::from_str::<serde_json::Value>(&ran.out).is_ok() || ran.out.is_empty() && ran.code == Some(3);
        assert!(valid && !ran.out.contains('\x1b') && !ran.err.contains('\x1b'), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn json_of_what_is_written_is_valid_whatever_a_path_is() {
    let dir = small();
    let odd = |name: &[u8]| dir.path().join(OsStr::from_bytes(name));
    let (images, out) = (odd(b"ima\xffges\x1b[31m"), odd(b"o\xffu\x1b[31mt"));
    fs::rename(dir.path().join("images"), &images).expect("renamed");
    let json = |verb: &[&str], code: i32| {
        let mut command = offline(verb);
        if verb[0] == "build" {
            command.arg("--out").arg(&out);
        }
        command.arg("--images").arg(&images).arg("--cache").arg(dir.path().join("cache")).arg("--json");
        let ran = expect(command.current_dir(dir.path()), code, &[]);
        assert!(!ran.out.contains('\x1b') && !ran.err.contains('\x1b'), "{ran:?}");
        ran.out
    };
    // The second one over the first, with a file of the user's beside ours.
    for _ in 0..2 {
        let answer: serde_json::Value = serde_json::from_str(&json(&["build", "site.yaml"], 0)).expect("JSON");
        let written: serde_json::Value = serde_json::from_slice(&fs::read(out.join("site.json")).expect("read")).expect("JSON");
        assert_eq!(answer, written);
        fs::write(out.join("sbom").join(OsStr::from_bytes(b"mi\xffne")), "mine").expect("written");
    }
    fs::write(out.join("compose.yaml"), "mine").expect("written");
    assert_eq!(json(&["build", "site.yaml"], 3), "");
    assert_eq!(fs::read_to_string(out.join("compose.yaml")).expect("there"), "mine");
    assert_eq!(fs::read_to_string(out.join("sbom").join(OsStr::from_bytes(b"mi\xffne"))).expect("there"), "mine");
    // Nobody answers, and then the definitions cannot be read. What a lock that succeeds answers has no path in it.
    assert_eq!(json(&["lock"], 3), "");
    fs::write(images.join("base/image.toml"), "layer = 5").expect("written");
    assert_eq!(json(&["lock"], 3), "");
}

#[test]
fn nothing_that_a_terminal_obeys_comes_through() {
    let dir = with_site("server:\n  \"x\\e[2J\\x9b\": \"\\e]0;title\\a\"\n");
    let bad = "a\u{1b}[31m\u{9b}\r\u{7}\u{202e}";
    fs::write(dir.path().join(format!("{bad}.yaml")), SITE).expect("written");
    fs::write(dir.path().join(format!("{bad}.toml")), "").expect("written");
    fs::create_dir(dir.path().join("empty")).expect("made");
    let file = format!("{bad}.yaml");
    let runs: &[&[&str]] = &[
        &[bad],
        &["--bad", bad],
        &[&format!("--{bad}")],
        &["check", bad],
        &["check", &file],
        &["check", &format!("{bad}.toml")],
        &["check", "site.yaml"],
        &["check", "--explain", bad],
        &["check", &file, bad],
        &["schema", "--format", bad],
        &["schema", "--format", "markdown", bad],
        &["schema", bad],
        &["new", bad],
        &["new", "example.org", "--dir", bad],
        &["new", "example.org", "--dir", bad],
        &["new", "example.org", "--format", bad],
        &["render", &file, "--out", &format!("{bad}out")],
        &["render", bad, "--out", "out"],
        &["build", &file, "--out", "out", "--threads", bad],
        &["build", &file, "--out", "out", "--images", bad],
        &["build", &file, "--out", "out", "--images", "empty"],
        &["build", &file, "--out", &format!("{bad}out"), "--cache", bad],
        &["lock", "--images", bad],
        &["lock", bad],
        &["inspect", bad],
        &["inspect", &file],
        &["secrets", "init", bad],
        &["secrets", bad],
        &["check", "--help"],
    ];
    for arguments in runs {
        let ran = ends(tool(arguments).current_dir(dir.path()).env("SYNAPSE_SITE_MODULES", bad).env("SYNAPSE_SITE_CACHE", dir.path().join("cache")));
        for text in [&ran.out, &ran.err] {
            let obeyed = |character: char| character.is_control() && !"\n\t".contains(character) || character == '\u{202e}';
            assert!(!text.contains(obeyed), "{arguments:?}: {ran:?}");
        }
        assert!(ran.code.is_some_and(|code| code <= 3), "{arguments:?}: {ran:?}");
    }
}
