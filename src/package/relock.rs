//! The work of `synapse-site lock`. Takes the definitions of all images, lets apt and pip choose, fetches what was chosen,
//! and writes every image's lock files, all of them or none. The report says what moved, and which libraries the lists of
//! packages lack.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::cache::Cache;
use super::deb::Deb;
use super::elf::{self, Missing, Part};
use super::progress::Progress;
use super::resolve::mirrors::Mirrors;
use super::resolve::{apt, pip};
use super::wheel::{Scheme, Wheel};
use super::{Entry, Package, fetch};
use crate::definition::lock::normalised;
use crate::definition::lock::{self, DebianLock, DebianPackage, PythonLock};
use crate::definition::{ImageSpec, LayerSpec, chain};
use crate::error::{Error, Result};
use crate::files;

/// Whether a member of a package gets into a layer.
pub type Filter = Box<dyn Fn(&Entry) -> bool>;

/// Makes a layer's [`Filter`] of its patterns.
pub type Filters<'a> = dyn Fn(&LayerSpec) -> Result<Filter> + 'a;

/// What a run of `lock` did.
#[derive(Debug, Clone, Default, Serialize, PartialEq, Eq)]
pub struct LockReport {
    /// By image, what is not as it was before.
    pub moved: BTreeMap<String, Vec<Move>>,
    /// By image, libraries that nothing in it provides.
    pub missing: BTreeMap<String, Vec<Missing>>,
}

/// A package whose version is another one now.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Move {
    /// The package.
    pub name: String,
    /// Its version before; none when it was not locked.
    pub from: Option<String>,
    /// Its version now; none when it is locked no more.
    pub to: Option<String>,
}

impl fmt::Display for LockReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.moved.is_empty() {
            writeln!(f, "every lock file is as it was")?;
        }
        for (image, moves) in &self.moved {
            writeln!(f, "{image}:")?;
            for Move { name, from, to } in moves {
                match (from, to) {
                    (Some(from), Some(to)) if from == to => writeln!(f, "  {name} {to}: the same version, another file")?,
                    (Some(from), Some(to)) => writeln!(f, "  {name} {from} → {to}")?,
                    (None, Some(to)) => writeln!(f, "  {name} {to}: new")?,
                    (from, None) => writeln!(f, "  {name} {}: gone", from.as_deref().unwrap_or_default())?,
                }
            }
        }
        for (image, missing) in &self.missing {
            for Missing { library, package, file, candidates } in missing {
                write!(f, "warning: image {image} lacks {library}, which {file} of {package} asks for")?;
                match &candidates[..] {
                    [] => writeln!(f)?,
                    names => writeln!(f, "; look into {}", names.join(", "))?,
                }
            }
        }
        Ok(())
    }
}

/// Chooses packages for all images and writes `dir/<image>/debian.lock` and, where an image has Python, `python.lock`.
///
/// # Errors
/// An environment error: definitions that contradict each other, packages that do not exist, no network, a full disk. Lock
/// files are as before then.
pub fn lock(images: &BTreeMap<String, ImageSpec>, dir: &Path, cache: &Cache, filters: &Filters<'_>, progress: &dyn Progress) -> Result<LockReport> {
    let mut own = BTreeMap::new();
    for name in images.keys() {
        own.insert(name.as_str(), debian_of(images, name)?);
    }
    let all: BTreeSet<String> = own.values().flatten().cloned().collect();
    progress.step(&format!("asking apt for {} packages", all.len()));
    let chosen = apt::resolve(cache, Mirrors::of_machine()?, &all)?;
    let mut locks = BTreeMap::new();
    for (name, image) in images {
        let packages = own[name.as_str()].iter().map(|package| chosen[package].clone()).collect();
        let debian = DebianLock::new(apt::RELEASE, apt::ARCHITECTURE, &apt::suites(), packages);
        let python = match &image.python {
            Some(_) => {
                progress.step(&format!("asking pip for the wheels of {name}"));
                Some(wheels(cache, name, image, &chosen)?)
            }
            None => None,
        };
        locks.insert(name.clone(), Locks { debian, python });
    }
    let (debian, python): (Vec<_>, Vec<_>) = locks.values().map(|locks| (&locks.debian, locks.python.as_ref())).unzip();
    let python: Vec<&PythonLock> = python.into_iter().flatten().collect();
    fetch::ensure_verified(cache, &debian, &python, progress)?;
    let mut report = LockReport::default();
    for locks in locks.values_mut() {
        for wheel in locks.python.iter_mut().flat_map(|lock| &mut lock.wheels) {
            let path = cache.package(&wheel.sha256).ok_or_else(vanished)?;
            wheel.size = Some(fs::metadata(&path).map_err(|e| Error::io("read", &path, &e))?.len());
        }
    }
    for name in images.keys() {
        progress.step(&format!("looking for the libraries of {name}"));
        let missing = missing(images, name, &locks, cache, filters)?;
        if !missing.is_empty() {
            report.missing.insert(name.clone(), missing);
        }
        let moves = moves(&dir.join(name), &locks[name]);
        if !moves.is_empty() {
            report.moved.insert(name.clone(), moves);
        }
    }
    write(dir, &locks)?;
    Ok(report)
}

struct Locks {
    debian: DebianLock,
    python: Option<PythonLock>,
}

fn wrong(what: String, remedy: &str) -> Error {
    Error::environment(what, remedy)
}

fn vanished() -> Error {
    Error::environment("a package vanished from the cache", "run the command again; something else empties the cache")
}

/// The Debian packages that an image lists itself.
fn debian_of(images: &BTreeMap<String, ImageSpec>, name: &str) -> Result<BTreeSet<String>> {
    let chain: Vec<&str> = chain(images, name)?.into_iter().map(|(name, _)| name).collect();
    let listed = |image: &str| images[image].layers.iter().flat_map(|layer| layer.debian.clone()).collect::<Vec<_>>();
    let below: BTreeMap<String, &str> = chain[1..].iter().flat_map(|image| listed(image).into_iter().map(|package| (package, *image))).collect();
    let mut own = BTreeSet::new();
    for package in listed(name) {
        if let Some(image) = below.get(&package) {
            return Err(wrong(format!("image {name} lists {package}, which is in {image} below it"), "take it out of one of the two image.toml files"));
        }
        if !own.insert(package.clone()) {
            return Err(wrong(format!("image {name} lists {package} twice"), "take one out of image.toml"));
        }
    }
    if let Some(python) = &images[name].python {
        let needed = python.interpreter_packages.iter().chain(python.provided.values());
        let absent = |package: &&String| !own.contains(*package) && !below.contains_key(*package);
        if let Some(package) = needed.into_iter().find(absent) {
            return Err(wrong(format!("python in image {name} needs {package}, which no layer lists"), "add it to a layer in image.toml"));
        }
    }
    Ok(own)
}

/// Lets pip choose the wheels of an image, and compares them with what its layers take.
fn wheels(cache: &Cache, name: &str, image: &ImageSpec, debian: &BTreeMap<String, DebianPackage>) -> Result<PythonLock> {
    let Some(python) = &image.python else {
        return Ok(PythonLock::new("", Vec::new()));
    };
    let full_version =
        debian.get(&format!("python{}-minimal", python.version)).map_or_else(|| format!("{}.0", python.version), |package| upstream(&package.version));
    let provided = python.provided.iter().filter_map(|(wheel, package)| Some((normalised(wheel), upstream(&debian.get(package)?.version)))).collect();
    let request = pip::Request { python: &python.version, full_version: &full_version, requirements: &python.requirements, provided };
    let lock = PythonLock::new(&python.version, pip::resolve(cache, &request)?);
    let named: BTreeSet<String> = image.layers.iter().flat_map(|layer| &layer.wheels).filter(|wheel| *wheel != "*").map(|wheel| normalised(wheel)).collect();
    if let Some(wheel) = named.iter().find(|wheel| lock.get(wheel).is_none()) {
        return Err(wrong(
            format!("a layer of image {name} lists the wheel {wheel}, which pip did not choose"),
            "correct the layer or the requirements in image.toml",
        ));
    }
    let rest = image.layers.iter().any(|layer| layer.wheels.iter().any(|wheel| wheel == "*"));
    if let Some(wheel) = lock.wheels.iter().find(|wheel| !rest && !named.contains(&wheel.name)) {
        return Err(wrong(
            format!("no layer of image {name} takes the wheel {}", wheel.name),
            "add it to a layer in image.toml, or give one layer wheels = [\"*\"]",
        ));
    }
    Ok(lock)
}

/// The version that upstream gave what Debian calls `1:2.9.10+dfsg-1+b1`: digits and dots.
fn upstream(version: &str) -> String {
    let version = version.split_once(':').map_or(version, |(_, rest)| rest);
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    version[..end].trim_end_matches('.').to_owned()
}

/// The libraries that an image lacks, files of the images below it counted.
fn missing(images: &BTreeMap<String, ImageSpec>, name: &str, locks: &BTreeMap<String, Locks>, cache: &Cache, filters: &Filters<'_>) -> Result<Vec<Missing>> {
    let mut packages: Vec<(Box<dyn Package>, Vec<String>, usize)> = Vec::new();
    let mut kept = Vec::new();
    let mut present = BTreeSet::new();
    for (image, spec) in chain(images, name)? {
        let Locks { debian, python } = &locks[image];
        let named: BTreeSet<&String> = spec.layers.iter().flat_map(|layer| &layer.wheels).collect();
        for layer in &spec.layers {
            kept.push(filters(layer)?);
            for package in layer.debian.iter().filter_map(|package| debian.get(package)) {
                let path = cache.package(&package.sha256).ok_or_else(vanished)?;
                let deb = Deb { path, name: package.name.clone(), version: package.version.clone(), sha256: package.sha256.clone() };
                present.insert(package.name.clone());
                let dependencies = deb.control()?.dependencies();
                packages.push((Box::new(deb), dependencies, kept.len() - 1));
            }
            let (Some(python), Some(lock)) = (&spec.python, python) else {
                continue;
            };
            let takes = |wheel: &str| layer.wheels.iter().any(|name| name == wheel || name == "*" && !named.contains(&wheel.to_owned()));
            for wheel in lock.wheels.iter().filter(|wheel| takes(&wheel.name)) {
                let path = cache.package(&wheel.sha256).ok_or_else(vanished)?;
                let (name, version, sha256) = (wheel.name.clone(), wheel.version.clone(), wheel.sha256.clone());
                let wheel = Wheel { path, name, version, sha256, scheme: Scheme::of(python) };
                packages.push((Box::new(wheel), Vec::new(), kept.len() - 1));
            }
        }
    }
    let parts: Vec<Part<'_>> =
        packages.iter().map(|(package, dependencies, layer)| Part { package: &**package, keeps: &*kept[*layer], dependencies: dependencies.clone() }).collect();
    elf::missing(&parts, &present)
}

/// What moved since the lock files in a directory. One that cannot be read counts as empty: this run replaces it.
fn moves(dir: &Path, locks: &Locks) -> Vec<Move> {
    type Files = BTreeMap<String, (String, String)>;
    let debs = |lock: &DebianLock| -> Files { lock.packages.iter().map(|p| (p.name.clone(), (p.version.clone(), p.sha256.clone()))).collect() };
    let wheels = |lock: &PythonLock| -> Files { lock.wheels.iter().map(|w| (w.name.clone(), (w.version.clone(), w.sha256.clone()))).collect() };
    let pairs = [
        (DebianLock::load(&dir.join(lock::DEBIAN)).map(|lock| debs(&lock)).unwrap_or_default(), debs(&locks.debian)),
        (PythonLock::load(&dir.join(lock::PYTHON)).map(|lock| wheels(&lock)).unwrap_or_default(), locks.python.as_ref().map(wheels).unwrap_or_default()),
    ];
    let mut moves = Vec::new();
    for (old, new) in &pairs {
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names.into_iter().filter(|name| old.get(*name) != new.get(*name)) {
            let version = |files: &Files| files.get(name).map(|(version, _)| version.clone());
            moves.push(Move { name: name.clone(), from: version(old), to: version(new) });
        }
    }
    moves
}

/// Writes all lock files beside their targets first, then puts them in place; what a failing rename left is put back.
fn write(dir: &Path, locks: &BTreeMap<String, Locks>) -> Result<()> {
    let mut ready = Vec::new();
    for (name, locks) in locks {
        let dir = dir.join(name);
        let mut texts = vec![(lock::DEBIAN, locks.debian.to_text()?)];
        if let Some(python) = &locks.python {
            texts.push((lock::PYTHON, python.to_text()?));
        }
        for (file, text) in texts {
            let target = dir.join(file);
            let before = match files::read(&target, files::LARGEST) {
                Ok(bytes) => Some(bytes),
                Err(problem) if problem.is_missing() => None,
                Err(problem) => return Err(problem.error("read", &target)),
            };
            if before.as_deref() != Some(text.as_bytes()) {
                ready.push((beside(&target, text.as_bytes())?, target, before));
            }
        }
    }
    let mut done: Vec<(PathBuf, Option<Vec<u8>>)> = Vec::new();
    for (file, target, before) in ready {
        if let Err(e) = file.persist(&target) {
            let error = Error::io("write", &target, &e.error);
            for (target, before) in done {
                match before {
                    Some(bytes) => {
                        beside(&target, &bytes)?.persist(&target).map_err(|e| Error::io("put back", &target, &e.error))?;
                    }
                    None => fs::remove_file(&target).map_err(|e| Error::io("remove", &target, &e))?,
                }
            }
            return Err(error);
        }
        done.push((target, before));
    }
    Ok(())
}

fn beside(target: &Path, bytes: &[u8]) -> Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    let dir = target.parent().unwrap_or(Path::new("."));
    let cannot = |e: std::io::Error| Error::io("write", target, &e);
    let mut file = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o644)).tempfile_in(dir).map_err(cannot)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_data()).map_err(cannot)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(text: &str) -> BTreeMap<String, ImageSpec> {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_package_of_the_base_is_not_listed_again() {
        let mut all = images(
            "[base]\ndescription=''\n[[base.layer]]\nname='b'\ndebian=['libc6']\n\
             [app]\ndescription=''\nfrom='base'\n[[app.layer]]\nname='a'\ndebian=['redis-server']\n",
        );
        assert_eq!(debian_of(&all, "app").unwrap().into_iter().collect::<Vec<_>>(), ["redis-server"]);
        all.get_mut("app").unwrap().layers[0].debian.push("libc6".into());
        assert!(debian_of(&all, "app").unwrap_err().to_string().contains("libc6, which is in base"));
        all.get_mut("app").unwrap().layers[0].debian = vec!["a1".into(), "a1".into()];
        assert!(debian_of(&all, "app").unwrap_err().to_string().contains("twice"));
        all.get_mut("base").unwrap().from = Some("app".into());
        assert!(debian_of(&all, "app").is_err());
    }

    fn locks(version: &str) -> Locks {
        let package = DebianPackage {
            name: "a1".into(),
            version: version.into(),
            architecture: "all".into(),
            filename: "pool/a1.deb".into(),
            archive: lock::Archive::Main,
            size: 1,
            sha256: "a".repeat(64),
        };
        Locks { debian: DebianLock::new("trixie", "amd64", &[], vec![package]), python: Some(PythonLock::new("3.13", Vec::new())) }
    }

    #[test]
    fn all_lock_files_are_written_or_none() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["app", "base"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let of = |version: &str| ["app", "base", "last"].map(|name| (name.to_owned(), locks(version))).into();
        let text = |name: &str| fs::read_to_string(dir.path().join(name).join(lock::DEBIAN));
        // The third image's directory is not there.
        assert!(write(dir.path(), &of("1")).is_err());
        assert!(text("app").is_err() && text("base").is_err());
        fs::create_dir(dir.path().join("last")).unwrap();
        write(dir.path(), &of("1")).unwrap();
        // A directory in the place of the last lock file.
        fs::remove_file(dir.path().join("last").join(lock::PYTHON)).unwrap();
        fs::create_dir_all(dir.path().join("last").join(lock::PYTHON).join("x")).unwrap();
        assert!(write(dir.path(), &of("2")).is_err());
        assert!(text("app").unwrap().contains("version = \"1\""));
        assert_eq!(fs::read_dir(dir.path().join("app")).unwrap().count(), 2);
    }

    #[test]
    fn what_moved_is_told_by_name() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("app")).unwrap();
        let now = locks("2");
        assert_eq!(moves(&dir.path().join("app"), &now)[0].from, None);
        write(dir.path(), &[("app".to_owned(), locks("1"))].into()).unwrap();
        let moved = moves(&dir.path().join("app"), &now);
        let report = LockReport { moved: [("app".to_owned(), moved)].into(), missing: BTreeMap::new() };
        assert_eq!(report.to_string(), "app:\n  a1 1 → 2\n");
        assert!(moves(&dir.path().join("app"), &locks("1")).is_empty());
        assert_eq!(LockReport::default().to_string(), "every lock file is as it was\n");
    }

    #[test]
    fn debian_versions_lead_to_upstream_versions() {
        for (debian, version) in [("2.9.10-1+b1", "2.9.10"), ("1:1.3.dfsg+really1.3.1-1", "1.3"), ("3.13.5-2+deb13u5", "3.13.5")] {
            assert_eq!(upstream(debian), version);
        }
    }
}
