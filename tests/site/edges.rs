//! Which room of the program may know which: `tests/edges.txt` is the whole list, and the sources are read for what they do.
//! A room that is named further up is not known further down, so that no two rooms know each other, but for what [`UPWARD`] names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Edges that still point up: findings stand in `check`, and loading a description and every error hold some. A room of their own,
/// below both, is to take them in.
const UPWARD: [(&str, &str); 2] = [("site", "check"), ("error", "check")];

/// The rooms, uppermost first, each with those that it may know.
fn allowed() -> Vec<(String, BTreeSet<String>)> {
    let text = std::fs::read_to_string("tests/edges.txt").expect("the list");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let (room, known) = line.split_once(':').expect("a colon");
            (room.to_owned(), known.split_whitespace().map(str::to_owned).collect())
        })
        .collect()
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The rooms that a text names after `crate::`, also within braces.
fn named(text: &str) -> BTreeSet<String> {
    // A comment, and no address in a text.
    let comment = regex::Regex::new(r"(?m)(^|[^:])//.*$").expect("an expression");
    let code = comment.replace_all(text, "$1");
    let one = regex::Regex::new(r"\bcrate::([a-z_]+)").expect("an expression");
    let several = regex::Regex::new(r"\bcrate::\{([^;]*)\};").expect("an expression");
    let mut rooms: BTreeSet<String> = one.captures_iter(&code).map(|found| found[1].to_owned()).collect();
    for found in several.captures_iter(&code) {
        // Only the outermost names of the list are rooms.
        let mut depth = 0;
        for part in found[1].split_inclusive(['{', '}', ',']) {
            let name: String = part.trim().chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            if depth == 0 && !name.is_empty() {
                rooms.insert(name);
            }
            depth += i32::from(part.ends_with('{')) - i32::from(part.ends_with('}'));
        }
    }
    rooms
}

/// Each room with the rooms that its files name, and the files.
fn real() -> BTreeMap<String, BTreeMap<String, BTreeSet<PathBuf>>> {
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    let mut edges: BTreeMap<String, BTreeMap<String, BTreeSet<PathBuf>>> = BTreeMap::new();
    for file in files {
        let within = file.strip_prefix("src").expect("below src");
        let room = within.components().next().expect("a room").as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
        // The programs themselves know the library by its name.
        if ["bin", "main", "lib"].contains(&room.as_str()) {
            continue;
        }
        let known = edges.entry(room.clone()).or_default();
        for other in named(&std::fs::read_to_string(&file).expect("a source")) {
            if other != room {
                known.entry(other).or_default().insert(file.clone());
            }
        }
    }
    edges
}

#[test]
fn rooms_know_what_the_list_allows_and_all_of_it() {
    let (allowed, real) = (allowed(), real());
    let mut wrong = Vec::new();
    for (room, known) in &allowed {
        let Some(found) = real.get(room) else {
            wrong.push(format!("there is no room {room}"));
            continue;
        };
        wrong.extend(known.iter().filter(|other| !found.contains_key(*other)).map(|other| format!("{room} no longer knows {other}: take it off the list")));
        let new = found.iter().filter(|(other, _)| !known.contains(*other));
        wrong.extend(new.map(|(other, files)| format!("{room} may not know {other}: {files:?}")));
    }
    let listed: BTreeSet<&String> = allowed.iter().map(|(room, _)| room).collect();
    wrong.extend(real.keys().filter(|room| !listed.contains(room)).map(|room| format!("{room} is not on the list")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn edges_point_down() {
    let allowed = allowed();
    let level: BTreeMap<&String, usize> = allowed.iter().enumerate().map(|(at, (room, _))| (room, at)).collect();
    for (room, known) in &allowed {
        for other in known {
            let is_down = level.get(other) > level.get(room);
            let is_known = UPWARD.contains(&(room.as_str(), other.as_str()));
            assert!(is_down != is_known, "{room} knows {other}, which is above it; or it no longer is, and UPWARD names it");
        }
    }
}

#[test]
fn names_are_found_as_they_are_written() {
    let text = "use crate::site::Site; // crate::comment\nlet at = \"https://example.com\"; use crate::yaml;\nuse crate::{files, hash::{hex, sha256}, path as names};\nlet x = crate::error::Error::io();\n";
    assert_eq!(named(text), BTreeSet::from(["error", "files", "hash", "path", "site", "yaml"].map(str::to_owned)));
}
