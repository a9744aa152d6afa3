//! The definitions under `images/`: each parses, and what holds between them holds. Reads the files of the repository; needs
//! neither network nor Docker.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::common;
use synapse_site::definition::{ImageSpec, LayerSpec};

type Images = BTreeMap<String, ImageSpec>;

/// All definitions, by the name of their directory.
fn load() -> Images {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("images");
    let mut images = Images::new();
    for entry in std::fs::read_dir(&root).unwrap() {
        let dir = entry.unwrap().path();
        let file = dir.join("image.toml");
        let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let spec = toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        images.insert(dir.file_name().unwrap().to_str().unwrap().to_owned(), spec);
    }
    images
}

/// An image and what it is built on, lowest first. Fails on an unknown `from` and on a circle.
fn chain<'a>(images: &'a Images, name: &str) -> Vec<&'a ImageSpec> {
    let mut chain = Vec::new();
    let mut next = Some(name.to_owned());
    while let Some(current) = next {
        let spec = images.get(&current).unwrap_or_else(|| panic!("{name}: there is no image `{current}` to build on"));
        assert!(chain.len() < images.len(), "{name}: `from` goes round in a circle");
        chain.push(spec);
        next = spec.from.clone();
    }
    chain.reverse();
    chain
}

fn layers<'a>(images: &'a Images, name: &str) -> Vec<&'a LayerSpec> {
    chain(images, name).into_iter().flat_map(|spec| &spec.layers).collect()
}

fn packages(images: &Images, name: &str) -> BTreeSet<String> {
    layers(images, name).into_iter().flat_map(|layer| layer.debian.iter().cloned()).collect()
}

/// Absolute, normal, and not the root itself.
fn is_absolute(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(is_relative)
}

fn is_relative(path: &str) -> bool {
    path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

#[test]
fn every_service_has_its_definition() {
    let images = load();
    let names: Vec<&str> = images.keys().map(String::as_str).collect();
    assert_eq!(names, ["base", "coturn", "gateway", "postgres", "redis", "synapse"]);
    for (name, spec) in &images {
        assert_eq!(spec.user.is_none(), name == "base", "{name}: a service has a user, a base has none");
        assert_eq!(spec.from.is_none(), name == "base", "{name}: a service is built on the base");
    }
}

#[test]
fn nothing_comes_twice_along_a_chain() {
    let images = load();
    for name in images.keys() {
        let mut seen = BTreeSet::new();
        for layer in layers(&images, name) {
            assert!(seen.insert(("layer", layer.name.as_str())), "{name}: two layers `{}`", layer.name);
            for (kind, list) in [("debian", &layer.debian), ("wheel", &layer.wheels)] {
                assert!(list.is_sorted(), "{name}: {}: sort the {kind} list", layer.name);
                for package in list {
                    assert!(seen.insert((kind, package)), "{name}: {kind} package {package} twice");
                }
            }
            let made = (layer.directories.iter().map(|d| &d.path))
                .chain(layer.links.iter().map(|l| &l.path))
                .chain(layer.files.iter().map(|f| &f.path))
                .chain(&layer.ca_bundle);
            for path in made {
                assert!(seen.insert(("path", path)), "{name}: {path} made twice");
            }
        }
    }
}

/// A layer is shared only when its definition is the same to the letter.
#[test]
fn the_shared_layer_is_the_same_everywhere() {
    let images = load();
    let shared: Vec<(&String, &LayerSpec)> =
        images.iter().flat_map(|(name, spec)| spec.layers.iter().map(move |layer| (name, layer))).filter(|(_, layer)| layer.name == "libpq").collect();
    assert_eq!(shared.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["coturn", "postgres", "synapse"]);
    for (name, layer) in &shared {
        assert_eq!(*layer, shared[0].1, "{name}");
        assert_eq!(images[*name].layers[0].name, "libpq", "{name}: the engine shares a layer only with all that is below it");
    }
}

#[test]
fn users_are_unique_not_root_and_known_to_every_image() {
    let images = load();
    let accounts: Vec<_> = layers(&images, "base").into_iter().flat_map(|layer| &layer.accounts).collect();
    let ids: BTreeSet<u32> = accounts.iter().map(|a| a.id).collect();
    let names: BTreeSet<&str> = accounts.iter().map(|a| a.name.as_str()).collect();
    assert_eq!((ids.len(), names.len()), (accounts.len(), accounts.len()), "an account's name or number comes twice");
    assert!(ids.iter().all(|id| (10_000..60_000).contains(id)), "{ids:?}");
    let mut used = BTreeSet::new();
    for (name, spec) in &images {
        let Some(user) = &spec.user else { continue };
        assert!(accounts.contains(&user), "{name}: {} {} is no account of the base", user.name, user.id);
        assert!(used.insert(user.id), "{name}: another service runs as {}", user.id);
        for directory in spec.layers.iter().flat_map(|layer| &layer.directories) {
            assert!([0, user.id].contains(&directory.owner), "{name}: {} belongs to a stranger", directory.path);
        }
    }
}

#[test]
fn paths_modes_and_patterns_are_well_formed() {
    let images = load();
    for (name, spec) in &images {
        assert!(spec.working_dir.iter().all(|path| is_absolute(path)), "{name}: working_dir");
        for layer in &spec.layers {
            let mut modes = Vec::new();
            for directory in &layer.directories {
                assert!(is_absolute(&directory.path), "{name}: {}", directory.path);
                modes.extend(&directory.mode);
            }
            for file in &layer.files {
                assert!(is_absolute(&file.path), "{name}: {}", file.path);
                modes.extend(&file.mode);
            }
            for mode in modes {
                let bits = u32::from_str_radix(mode, 8).unwrap_or_else(|_| panic!("{name}: mode {mode} is not octal"));
                assert_eq!(bits & !0o1777, 0, "{name}: mode {mode} has set-uid or set-gid bits");
            }
            for link in &layer.links {
                assert!(is_absolute(&link.path), "{name}: {}", link.path);
                let target = link.target.strip_prefix('/').unwrap_or(&link.target);
                assert!(is_relative(target), "{name}: {} -> {}", link.path, link.target);
            }
            assert!(layer.ca_bundle.iter().all(|path| is_absolute(path)), "{name}: ca_bundle");
            for pattern in layer.exclude.iter().chain(&layer.include) {
                assert!(is_relative(pattern), "{name}: the pattern {pattern} is not relative to the root");
            }
        }
    }
}

#[test]
fn services_can_start() {
    let images = load();
    for (name, spec) in images.iter().filter(|(_, spec)| spec.user.is_some()) {
        let path = spec.env.get("PATH").unwrap_or_else(|| panic!("{name}: no PATH"));
        assert!(path.split(':').all(is_absolute), "{name}: PATH {path}");
        let made: BTreeSet<&str> = layers(&images, name).into_iter().flat_map(|layer| &layer.directories).map(|d| d.path.as_str()).collect();
        let start = spec.working_dir.as_deref().unwrap_or_else(|| panic!("{name}: no working_dir"));
        assert!(made.contains(start), "{name}: nothing makes {start}");
        for port in &spec.ports {
            let (number, protocol) = port.split_once('/').unwrap_or_else(|| panic!("{name}: port {port}"));
            // A service without capabilities cannot open ports below 1024.
            assert!(number.parse::<u16>().is_ok_and(|n| n >= 1024), "{name}: port {port}");
            assert!(["tcp", "udp"].contains(&protocol), "{name}: port {port}");
        }
    }
}

#[test]
fn only_postgres_has_a_shell_and_none_a_package_manager() {
    let images = load();
    for name in images.keys() {
        let packages = packages(&images, name);
        assert_eq!(packages.contains("dash"), name == "postgres", "{name}");
        for unwanted in ["apt", "bash", "busybox", "coreutils", "dpkg", "login", "passwd", "perl-base", "util-linux"] {
            assert!(!packages.contains(unwanted), "{name}: {unwanted}");
        }
    }
}

#[test]
fn python_is_complete() {
    let images = load();
    for (name, spec) in &images {
        let wheels: Vec<&String> = spec.layers.iter().flat_map(|layer| &layer.wheels).collect();
        let Some(python) = &spec.python else {
            assert!(wheels.is_empty(), "{name}: wheels without [python]");
            continue;
        };
        assert!(is_absolute(&python.interpreter), "{name}: {}", python.interpreter);
        assert!(python.interpreter.ends_with(&format!("python{}", python.version)), "{name}: {}", python.interpreter);
        assert!(is_relative(&python.site_packages), "{name}: {}", python.site_packages);
        assert!(python.site_packages.contains(&format!("python{}/", python.version)), "{name}: {}", python.site_packages);
        assert!(wheels.iter().any(|wheel| *wheel == "*"), "{name}: most wheels are in no layer");
        let packages = packages(&images, name);
        for package in python.interpreter_packages.iter().chain(python.provided.values()) {
            assert!(packages.contains(package), "{name}: {package} is in no layer");
        }
        // What is asked for by name has an exact version: raising it is a change that a reviewer sees.
        let mut asked = BTreeSet::new();
        for requirement in &python.requirements {
            let (distribution, version) = requirement.split_once("==").unwrap_or_else(|| panic!("{name}: {requirement} has no exact version"));
            assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{name}: {requirement}");
            asked.insert(distribution.split('[').next().unwrap_or_default());
        }
        for wheel in wheels.into_iter().filter(|wheel| *wheel != "*") {
            assert!(asked.contains(wheel.as_str()), "{name}: no requirement asks for the wheel {wheel}");
        }
    }
}

/// What the images hold of nixpkgs says where each service's programs are, and names only packages that it has.
#[test]
fn nix_names_what_it_has() {
    let images = load();
    for (name, spec) in &images {
        assert_eq!(spec.nix.path.is_empty(), spec.user.is_none(), "{name}: the path of a service's programs, and none of a base");
        let packages: BTreeSet<&str> = chain(&images, name).iter().flat_map(|spec| spec.nix.packages.keys()).map(String::as_str).collect();
        let targets = spec.nix.links.iter().map(|link| &link.target).chain(spec.nix.env.values());
        let named = targets.flat_map(|text| text.split("${").skip(1)).map(|rest| rest.split('}').next().unwrap());
        for package in named.chain(spec.nix.path.iter().map(String::as_str)) {
            assert!(packages.contains(package), "{name}: [nix] names {package}");
        }
        for link in &spec.nix.links {
            assert!(is_absolute(&link.path), "{name}: {}", link.path);
        }
        assert!(!spec.nix.env.contains_key("PATH"), "{name}: PATH follows from `path`");
    }
}

/// What the examples render for an image is kept in snapshots. A service whose configuration names `/tmp` as the place of its own
/// files lists it as a directory that must be writable, so that `launch` says what is missing, and not the service in its own words.
#[test]
fn services_that_write_to_tmp_say_so() {
    let mut seen = BTreeSet::new();
    for example in directories(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots")) {
        for image in directories(&example) {
            let Ok(plan) = std::fs::read(image.join("etc/synapse-site/launch.json")) else { continue };
            let plan: synapse_site::launch::Plan = serde_json::from_slice(&plan).unwrap();
            let name = image.file_name().unwrap().to_str().unwrap().to_owned();
            // Python's tempfile is not configured.
            let writes = name == "synapse" || files(&image).iter().any(|file| String::from_utf8_lossy(&std::fs::read(file).unwrap()).contains("/tmp/"));
            for (role, does) in plan.roles {
                assert_eq!(does.writable.iter().any(|path| path == "/tmp"), writes, "{}: {role}", image.display());
            }
            seen.extend(writes.then_some(name));
        }
    }
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), ["coturn", "gateway", "synapse"]);
}

fn entries(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut all: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

fn directories(directory: &Path) -> Vec<std::path::PathBuf> {
    entries(directory).into_iter().filter(|path| path.is_dir()).collect()
}

/// The files below a directory, but for the plan itself.
fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let (directories, files): (Vec<_>, Vec<_>) = entries(directory).into_iter().partition(|path| path.is_dir());
    directories.iter().flat_map(|path| self::files(path)).chain(files).filter(|path| !path.ends_with("launch.json")).collect()
}

/// Every example, and the good site of every code.
fn sites() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let below = |dir: &str, file: &str| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(root.join(dir)).unwrap();
        entries.map(|entry| entry.unwrap().path().join(file)).filter(|site| site.is_file()).collect()
    };
    [below("examples", "site.yaml"), below("tests/rules", "good.yaml")].concat()
}

/// nix/definitions.nix asks for the packages of an image where these conditions hold: so they hold where the site has a service of it.
#[test]
fn a_site_has_an_image_when_its_definition_says() {
    let images = load();
    let mut off = BTreeSet::new();
    let sites = sites();
    assert!(sites.len() > 100, "only {} sites", sites.len());
    for file in sites {
        let loaded = synapse_site::site::load::load(&file).unwrap_or_else(|error| panic!("{error}"));
        let rendered = common::deployment(&loaded);
        let has: BTreeSet<&str> = rendered.services.iter().filter(|service| service.external.is_none()).map(|service| service.image).collect();
        let site = serde_json::to_value(&loaded.site).unwrap();
        let value = |path: &str| path.split('.').fold(&site, |at, name| &at[name]).as_str().unwrap_or_else(|| panic!("no text at {path}"));
        let said: BTreeSet<&str> = images
            .iter()
            .filter(|(_, spec)| spec.user.is_some() && spec.nix.when.iter().all(|(path, wanted)| value(path) == wanted))
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(has, said, "{}: left the images of its services, right those that `when` says", file.display());
        off.extend(images.iter().filter(|(name, spec)| spec.user.is_some() && !said.contains(name.as_str())).map(|(name, _)| name.clone()));
    }
    let conditional: BTreeSet<String> = images.iter().filter(|(_, spec)| !spec.nix.when.is_empty()).map(|(name, _)| name.clone()).collect();
    assert_eq!(off, conditional, "each condition is tried both ways");
}
