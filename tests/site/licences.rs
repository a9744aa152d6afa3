//! The images of the example, whole: every package's licence text is in the image, with whatever it refers to, and no link leads
//! nowhere. Builds them with the locked packages, which come from the cache.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;
use std::process::Command;

use regex::Regex;
use serde_json::Value;
use tar::EntryType;

/// Links that lead nowhere in an image, and why: image, path.
const DANGLING: &[(&str, &str)] = &[];

/// What lies at a path.
enum Node {
    Link(String),
    Text(Vec<u8>),
    Other,
}

/// The files of an image as a container sees them, without contents but for those of documentation and metadata.
type Tree = BTreeMap<String, Node>;

/// One build for all tests, unpacked: image and tree, with the packages that the image holds.
fn images() -> BTreeMap<String, (Tree, Vec<Value>)> {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let mut build = Command::new(env!("CARGO_BIN_EXE_synapse-site"));
    build.args(["build", "examples/example.com/site.yaml", "--images", "images", "--out"]).arg(&out).env("SYNAPSE_SITE_LAUNCH", env!("CARGO_BIN_EXE_launch"));
    let built = build.output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let layout = dir.path().join("layout");
    tar::Archive::new(File::open(out.join("images.tar")).unwrap()).unpack(&layout).unwrap();
    let json = |path: &Path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let manifest = json(&layout.join("manifest.json"));
    let mut images = BTreeMap::new();
    for image in manifest.as_array().unwrap() {
        let (_, name) = image["RepoTags"][0].as_str().unwrap().rsplit_once('/').unwrap();
        let (name, _) = name.split_once(':').unwrap();
        let mut tree = Tree::new();
        for layer in image["Layers"].as_array().unwrap() {
            add(&layout.join(layer.as_str().unwrap()), &mut tree);
        }
        let bill = json(&out.join(format!("sbom/{name}.cdx.json")));
        images.insert(name.to_owned(), (tree, bill["components"].as_array().unwrap().clone()));
    }
    assert_eq!(images.keys().collect::<Vec<_>>(), ["coturn", "gateway", "postgres", "redis", "synapse"]);
    images
}

fn add(layer: &Path, tree: &mut Tree) {
    let mut bytes = BufReader::new(File::open(layer).unwrap());
    let mut magic = [0; 2];
    bytes.read_exact(&mut magic).unwrap();
    let file = BufReader::new(File::open(layer).unwrap());
    let plain: Box<dyn Read> = if magic == [0x1f, 0x8b] { Box::new(flate2::bufread::MultiGzDecoder::new(file)) } else { Box::new(file) };
    for entry in tar::Archive::new(plain).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = format!("/{}", entry.path().unwrap().to_str().unwrap().trim_matches('/'));
        let node = match entry.header().entry_type() {
            EntryType::Symlink => Node::Link(entry.link_name().unwrap().unwrap().to_str().unwrap().to_owned()),
            EntryType::Regular if path.starts_with("/usr/share/doc/") || path.contains(".dist-info/") => {
                let mut text = Vec::new();
                entry.read_to_end(&mut text).unwrap();
                assert!(entry.header().mode().unwrap() & 0o444 == 0o444, "{path} cannot be read by everybody");
                Node::Text(text)
            }
            _ => Node::Other,
        };
        tree.insert(path, node);
    }
}

/// Where a path leads in the end, through every link on the way.
fn resolve(tree: &Tree, path: &str) -> Option<String> {
    let mut ahead: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
    let mut at = String::new();
    let mut links = 0;
    while let Some(part) = ahead.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." => at.truncate(at.rfind('/').unwrap_or(0)),
            part => {
                let next = format!("{at}/{part}");
                match tree.get(&next)? {
                    Node::Link(target) => {
                        links += 1;
                        if links > 40 {
                            return None;
                        }
                        if target.starts_with('/') {
                            at.clear();
                        }
                        ahead.extend(target.split('/').rev().map(str::to_owned));
                    }
                    _ => at = next,
                }
            }
        }
    }
    Some(at)
}

fn text<'a>(tree: &'a Tree, path: &str) -> Option<&'a [u8]> {
    match tree.get(&resolve(tree, path)?)? {
        Node::Text(text) => Some(text),
        Node::Link(_) | Node::Other => None,
    }
}

/// What Python's packaging takes two names of a package for the same by (PEP 503).
fn normalised(name: &str) -> String {
    Regex::new("[-_.]+").unwrap().replace_all(name, "-").to_lowercase()
}

#[test]
fn every_link_leads_somewhere_and_every_licence_is_there() {
    let mut wrong = Vec::new();
    let mut dangling = BTreeSet::new();
    for (name, (tree, packages)) in &images() {
        for (path, _) in tree.iter().filter(|(_, node)| matches!(node, Node::Link(_))) {
            if resolve(tree, path).is_none() {
                dangling.insert((name.clone(), path.clone()));
            }
        }
        assert!(packages.len() > 10, "{name}: only {} packages", packages.len());
        for package in packages {
            let (package, purl) = (package["name"].as_str().unwrap(), package["purl"].as_str().unwrap());
            let problem = if purl.starts_with("pkg:deb/") { debian(tree, package) } else { wheel(tree, package) };
            wrong.extend(problem.map(|problem| format!("{name}: {package}: {problem}")));
        }
    }
    let known: BTreeSet<_> = DANGLING.iter().map(|(image, path)| ((*image).to_owned(), (*path).to_owned())).collect();
    assert_eq!(dangling, known, "links that lead nowhere");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Debian keeps each package's licence in one file, which names the common ones by their path (Debian Policy, 12.5).
fn debian(tree: &Tree, package: &str) -> Option<String> {
    let Some(copyright) = text(tree, &format!("/usr/share/doc/{package}/copyright")).filter(|text| !text.is_empty()) else {
        return Some("no copyright file".to_owned());
    };
    let copyright = String::from_utf8_lossy(copyright);
    let common = Regex::new("/usr/share/common-licenses/([A-Za-z0-9.+-]*[A-Za-z0-9])").unwrap();
    let lost: BTreeSet<&str> = common.find_iter(&copyright).map(|found| found.as_str()).filter(|path| resolve(tree, path).is_none()).collect();
    (!lost.is_empty()).then(|| format!("its licence refers to {lost:?}"))
}

/// A wheel brings licences in its metadata, those that it names (PEP 639) or others; what brings none has a file as Debian's
/// packages have.
fn wheel(tree: &Tree, package: &str) -> Option<String> {
    let is_its = |path: &&String| {
        let directory = path.rsplit('/').nth(1).and_then(|name| name.strip_suffix(".dist-info")).and_then(|name| name.rsplit_once('-'));
        path.ends_with(".dist-info/METADATA") && directory.is_some_and(|(name, _)| normalised(name) == normalised(package))
    };
    let Some(metadata) = tree.keys().find(is_its) else { return Some("no metadata".to_owned()) };
    let directory = metadata.strip_suffix("METADATA").unwrap();
    let header = String::from_utf8_lossy(text(tree, metadata).unwrap()).into_owned();
    let named = header.lines().filter_map(|line| line.strip_prefix("License-File: "));
    let lost: Vec<&str> = named.filter(|file| ["", "licenses/"].iter().all(|below| text(tree, &format!("{directory}{below}{file}")).is_none())).collect();
    if !lost.is_empty() {
        return Some(format!("its metadata refer to {lost:?}"));
    }
    let licence = Regex::new("(?i)licen[sc]e|copying|notice").unwrap();
    let own = tree
        .keys()
        .any(|path| path.strip_prefix(directory).is_some_and(|rest| licence.is_match(rest)) && text(tree, path).is_some_and(|text| !text.is_empty()));
    let beside = || text(tree, &format!("/usr/share/doc/{package}/copyright")).is_some_and(|text| !text.is_empty());
    (!own && !beside()).then(|| "no licence".to_owned())
}
