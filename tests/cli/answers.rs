//! Verbs whose answer is text: help, schema, inspect, lock, and readers who stop listening.

use std::fs::{self, File};
use std::process::Stdio;

use super::support::{SITE, expect, names, run, tool};

#[test]
fn every_verb_helps_with_an_example() {
    for verb in [&["new"][..], &["check"], &["render"], &["build"], &["lock"], &["secrets"], &["secrets", "init"], &["schema"], &["inspect"]] {
        let ran = expect(tool(verb).arg("--help"), 0, &[]);
        assert!(ran.out.contains("Example"), "{verb:?} shows no example");
    }
    expect(&mut tool(&[]), 2, &["Examples"]);
    expect(&mut tool(&["biuld"]), 2, &["biuld"]);
    expect(&mut tool(&["build", "site.yaml"]), 2, &["--out"]);
    let empty = tempfile::tempdir().expect("a directory");
    expect(tool(&["lock"]).current_dir(&empty).env_remove("SYNAPSE_SITE_IMAGES"), 3, &["images", "what to do"]);
}

#[test]
fn the_schema_that_is_committed_is_the_schema() {
    let ran = expect(&mut tool(&["schema"]), 0, &[]);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/modules/schema.json");
    let committed = fs::read_to_string(path).expect("modules/schema.json");
    assert!(committed == ran.out, "write it anew: synapse-site schema > modules/schema.json");
}

#[test]
fn one_option_is_described_and_an_unknown_one_is_not_guessed() {
    let ran = expect(&mut tool(&["schema", "--format", "markdown", "workers.generic"]), 0, &[]);
    for part in ["### `workers.generic`", "0 to 64", "PostgreSQL: `max_connections`"] {
        assert!(ran.out.contains(part), "{part:?} is not in {}", ran.out);
    }
    expect(&mut tool(&["schema", "--format", "markdown", "emial"]), 2, &["Did you mean email"]);
    expect(&mut tool(&["schema", "--format", "markdown", "max_upload_size"]), 2, &["Did you mean media.max_upload_size?"]);
    expect(&mut tool(&["schema", "--format", "markdown", "experimental_features"]), 2, &["synapse.settings.experimental_features"]);
    expect(&mut tool(&["schema", "email"]), 2, &["--format markdown email"]);
}

#[test]
fn a_reader_that_stops_is_no_failure_and_a_full_disk_is_one() {
    for (verb, code) in [(&["schema"][..], 0), (&["check", "no-such-site.yaml"], 3)] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let status = tool(verb).stdout(writer.try_clone().expect("a pipe")).stderr(writer).stdin(Stdio::null()).status().expect("runs");
        assert_eq!(status.code(), Some(code), "{verb:?}");
    }
    let full = File::options().write(true).open("/dev/full").expect("/dev/full");
    expect(tool(&["schema"]).stdout(full), 3, &["standard output", "what to do"]);
}

#[test]
fn a_description_on_one_line_is_not_told_again_for_each_finding() {
    let dir = tempfile::tempdir().expect("a directory");
    let names: Vec<String> = (0..2000).map(|number| format!("\"A{number}\"")).collect();
    let server = r#""server": {"server_name": "example.com", "public_baseurl": "https://matrix.example.com/"}"#;
    fs::write(dir.path().join("site.json"), format!("{{{server}, \"administrators\": [{}]}}", names.join(", "))).expect("written");
    let ran = expect(tool(&["check", "site.json"]).current_dir(&dir), 1, &["2000 errors", "site.json:1:"]);
    assert!(ran.err.len() < 2000 * 3000, "{} bytes", ran.err.len());
}

#[test]
fn what_is_no_archive_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = |name: &str, bytes: &[u8]| {
        fs::write(dir.path().join(name), bytes).expect("written");
        dir.path().join(name).display().to_string()
    };
    expect(&mut tool(&["inspect", &file("text", b"no archive")]), 3, &["text is no archive of images", "what to do"]);
    expect(&mut tool(&["inspect", &file("empty", b"")]), 3, &["index.json", "what to do"]);
    expect(&mut tool(&["inspect", "no-such-file"]), 3, &["no-such-file", "spelling"]);
    expect(&mut tool(&["inspect", "/dev/null"]), 3, &["a device"]);
    expect(&mut tool(&["secrets", "init", &dir.path().display().to_string()]), 3, &["no site.json", "synapse-site build"]);
    expect(&mut tool(&["secrets", "init", &file("plain", b"")]), 3, &["plain is no directory", "synapse-site build"]);
    let rendered = dir.path().join("rendered").display().to_string();
    expect(&mut tool(&["render", &file("site.yaml", SITE.as_bytes()), "--out", &rendered]), 0, &[]);
    expect(&mut tool(&["secrets", "init", &rendered]), 3, &["`synapse-site render`", "the directory that `synapse-site build` wrote"]);
}

#[test]
fn starters_are_written_once_and_are_good() {
    let dir = tempfile::tempdir().expect("a directory");
    for (number, name) in ["example.com", "chat.example.com", "matrix.example.com:8448", "192.0.2.7", "[2001:db8::1]:8448"].into_iter().enumerate() {
        for format in ["yaml", "nix", "json"] {
            let place = format!("{number} \"{format}\" $x ${{y}} é");
            expect(tool(&["new", name, "--format", format, "--dir", &place]).current_dir(dir.path()), 0, &["next:"]);
            expect(tool(&["check", &place]).current_dir(dir.path()), 0, &[name, "nothing is wrong"]);
        }
    }
    let before = names(dir.path());
    expect(tool(&["new", "example.com", "--dir", &before[0]]).current_dir(dir.path()), 2, &["already there"]);
    for name in ["Example.com", "a b", "", "https://x.y", "a/../b", "x:99999"] {
        expect(tool(&["new", name]).current_dir(dir.path()), 2, &["expected a server name"]);
    }
    assert_eq!(names(dir.path()), before);
    assert_eq!(run(tool(&["new", "--", "-x"]).current_dir(dir.path())).code, Some(2));
}
