//! From locks to files in the cache. Takes lock files, lets apt and pip fetch what the cache lacks, and takes in only
//! files that have their locked hash. With a full cache no program runs and no network is needed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::cache::Cache;
use super::progress::Progress;
use super::resolve::apt::Apt;
use super::resolve::mirrors::Mirrors;
use super::resolve::pip;
use crate::command::Output;
use crate::definition::lock::{DebianLock, DebianPackage, PythonLock, WheelFile};
use crate::error::{Error, Result};
use crate::hash;

/// Where apt keeps the program that fetches single files.
const APT_HELPER: &str = "/usr/lib/apt/apt-helper";

/// Fetches what the cache lacks.
///
/// # Errors
/// An environment error: no network, a file with another hash, or packages that are gone, all of them named together with
/// the command that replaces them.
pub fn ensure(cache: &Cache, debian: &[&DebianLock], python: &[&PythonLock], progress: &dyn Progress) -> Result<()> {
    let gone = ensure_or_gone(cache, debian, python, progress)?;
    if gone.is_empty() {
        return Ok(());
    }
    Err(self::gone(&gone))
}

/// What to say about packages that are offered no more.
pub fn gone(packages: &[String]) -> Error {
    Error::environment(
        format!("these locked packages are no longer offered: {}", packages.join(", ")),
        "run `synapse-site lock`, which chooses the versions that replaced them, and build again",
    )
}

/// As [`ensure`], after a look at every file in the cache: a damaged one is removed and fetched again.
///
/// # Errors
/// As [`ensure`].
pub fn ensure_verified(cache: &Cache, debian: &[&DebianLock], python: &[&PythonLock], progress: &dyn Progress) -> Result<()> {
    let debs = debian.iter().flat_map(|lock| &lock.packages).map(|package| &package.sha256);
    let wheels = python.iter().flat_map(|lock| &lock.wheels).map(|wheel| &wheel.sha256);
    for sha256 in debs.chain(wheels) {
        cache.verified(sha256)?;
    }
    ensure(cache, debian, python, progress)
}

/// Fetches what the cache lacks and gives the packages (`name version`) that are offered no more; everything else is in
/// the cache then. For callers that refresh the lock themselves.
///
/// # Errors
/// An environment error for every other failure.
pub fn ensure_or_gone(cache: &Cache, debian: &[&DebianLock], python: &[&PythonLock], progress: &dyn Progress) -> Result<Vec<String>> {
    let lacks = |sha256: &str| cache.package(sha256).is_none();
    let debs: BTreeMap<&str, &DebianPackage> =
        debian.iter().flat_map(|lock| &lock.packages).filter(|package| lacks(&package.sha256)).map(|package| (package.sha256.as_str(), package)).collect();
    let mut wheels = BTreeMap::<&str, BTreeMap<&str, &WheelFile>>::new();
    for lock in python {
        for wheel in lock.wheels.iter().filter(|wheel| lacks(&wheel.sha256)) {
            wheels.entry(&lock.python).or_default().insert(&wheel.sha256, wheel);
        }
    }
    let count = debs.len() + wheels.values().map(BTreeMap::len).sum::<usize>();
    if count == 0 {
        return Ok(Vec::new());
    }
    let bytes =
        debs.values().map(|package| package.size).sum::<u64>() + wheels.values().flat_map(|group| group.values()).filter_map(|wheel| wheel.size).sum::<u64>();
    progress.fetch_started(count, bytes);
    let here = [AtomicU64::new(0), AtomicU64::new(0)];
    let report = |which: usize, bytes: u64| {
        here[which].store(bytes, Ordering::Relaxed);
        progress.fetch_advanced(here.iter().map(|part| part.load(Ordering::Relaxed)).sum());
    };
    // The two clients wait for different servers most of the time.
    let (first, second) = std::thread::scope(|scope| {
        let debs = scope.spawn(|| fetch_debs(cache, &debs, Mirrors::of_machine, &|bytes| report(0, bytes)));
        let wheels = fetch_wheels(cache, &wheels, &|bytes| report(1, bytes));
        let debs = debs.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (debs, wheels)
    });
    let mut gone = first?;
    gone.extend(second?);
    if gone.is_empty() {
        progress.fetch_finished();
    }
    Ok(gone)
}

fn fetch_debs(
    cache: &Cache,
    debs: &BTreeMap<&str, &DebianPackage>,
    mirrors: impl FnOnce() -> Result<Mirrors>,
    report: &(dyn Fn(u64) + Sync),
) -> Result<Vec<String>> {
    if debs.is_empty() {
        return Ok(Vec::new());
    }
    let apt = Apt::new(cache, mirrors()?)?;
    let scratch = cache.scratch()?;
    let mut command = apt.command(APT_HELPER);
    command.args(["-q", "download-file"]);
    for (sha256, package) in debs {
        command.arg(address(apt.mirrors().root(package.archive), &package.filename));
        // The hash is ours to compare. With the size alone apt stops at it, and leaves a file that has it as it is.
        command.arg(scratch.from_beside(sha256)).arg(format!("Checksum-FileSize:{}", package.size));
    }
    // One more byte, so that a file that was stopped here does not have its locked length.
    let longest = debs.values().map(|package| package.size.saturating_add(1)).max().unwrap_or_default();
    let output = apt.run(&mut command, longest, &mut || report(size_of(scratch.path())))?;
    let (mut lacking, mut replaced, mut cut) = (Vec::new(), None, None);
    for (sha256, package) in debs {
        // apt renames what has another size, and leaves what it could not get to its end.
        let file = scratch.path().join(sha256);
        match file.metadata() {
            Ok(meta) if meta.len() == package.size => match cache.insert(&file, sha256) {
                // The file is called by its hash there, which tells nobody which package it is.
                Err(Error::Environment { what, remedy }) => {
                    replaced = replaced.or(Some(Error::environment(format!("{} {}: {what}", package.name, package.version), remedy)));
                }
                other => drop(other?),
            },
            other => {
                lacking.push(*package);
                let came = other.map_or(0, |meta| meta.len());
                if (1..package.size).contains(&came) {
                    cut = cut.or(Some(format!("the connection ended after {came} of the {} bytes of {}; ", package.size, package.name)));
                }
            }
        }
    }
    if let Some(error) = replaced {
        return Err(error);
    }
    if lacking.is_empty() {
        return Ok(Vec::new());
    }
    let missing = not_found(&output.stderr);
    let is_gone = |package: &&DebianPackage| missing.iter().any(|name| package.filename.ends_with(&format!("/{name}")));
    let (gone, failed): (Vec<_>, Vec<_>) = lacking.into_iter().partition(is_gone);
    if failed.is_empty() {
        return Ok(gone.iter().map(|package| format!("{} {}", package.name, package.version)).collect());
    }
    let names: Vec<&str> = failed.iter().map(|package| package.name.as_str()).collect();
    Err(not_fetched("apt", &names, &output, cut.as_deref(), "the network, the proxy and the mirror"))
}

/// A package's address. For a mirror on a disk apt makes a link by `file:` and a file by `copy:`.
fn address(root: &str, filename: &str) -> String {
    match root.strip_prefix("file:") {
        Some(path) => format!("copy:{path}/{filename}"),
        None => format!("{root}/{filename}"),
    }
}

/// The file names that a server answered 404 for (`E: Failed to fetch URI  404  Not Found`), or a mirror on a disk has not.
fn not_found(stderr: &str) -> Vec<String> {
    let mut names = Vec::new();
    for line in stderr.lines() {
        let Some((uri, reason)) = line.strip_prefix("E: Failed to fetch ").and_then(|rest| rest.split_once("  ")) else {
            continue;
        };
        let reason = reason.trim_start();
        if ["404", "410", "File not found", "Failed to stat"].iter().any(|start| reason.starts_with(start)) {
            names.extend(uri.rsplit('/').next().and_then(super::resolve::apt::decode));
        }
    }
    names
}

fn fetch_wheels(cache: &Cache, wheels: &BTreeMap<&str, BTreeMap<&str, &WheelFile>>, report: &(dyn Fn(u64) + Sync)) -> Result<Vec<String>> {
    let mut gone = Vec::new();
    for (python, group) in wheels {
        let mut wanted: Vec<&WheelFile> = group.values().copied().collect();
        // pip stops at the first distribution that it cannot get; the others must be known, too.
        while !wanted.is_empty() {
            let scratch = cache.scratch()?;
            let dir = scratch.path().join("wheels");
            fs::create_dir(&dir).map_err(|e| Error::io("make the directory", &dir, &e))?;
            let output = pip::download(python, &wanted, &scratch, &dir, &mut || report(size_of(&dir)))?;
            for wheel in &wanted {
                take_in(cache, &dir.join(&wheel.filename), wheel, output.status.success())?;
            }
            wanted.retain(|wheel| cache.package(&wheel.sha256).is_none());
            if output.status.success() && wanted.is_empty() {
                break;
            }
            let words = output.complaint();
            let unanswered = output.stderr.contains("Retrying (Retry(");
            let unavailable = |wheel: &WheelFile| !unanswered && words.contains(&format!("No matching distribution found for {}==", wheel.name));
            let Some(index) = wanted.iter().position(|wheel| unavailable(wheel)) else {
                let names: Vec<&str> = wanted.iter().map(|wheel| wheel.name.as_str()).collect();
                return Err(not_fetched("pip", &names, &output, None, "the network and the index"));
            };
            let wheel = wanted.remove(index);
            gone.push(format!("{} {}", wheel.name, wheel.version));
        }
    }
    Ok(gone)
}

/// Takes what pip left of a wheel into the cache. After a failure that may be its beginning only, which is nothing.
fn take_in(cache: &Cache, file: &Path, wheel: &WheelFile, whole: bool) -> Result<()> {
    let Ok(meta) = file.metadata() else { return Ok(()) };
    if !whole && hash::sha256_file(file).map_err(|error| Error::io("read", file, &error))? != wheel.sha256 {
        return Ok(());
    }
    if let Some(size) = wheel.size.filter(|size| *size != meta.len()) {
        return Err(Error::environment(
            format!("{} was fetched and has {} bytes; the lock has {size}", wheel.filename, meta.len()),
            "run `synapse-site lock`, which writes the lock anew, or take it from version control",
        ));
    }
    cache.insert(file, &wheel.sha256).map(drop)
}

/// What to say of files that did not get here whole, by the client's own words. `cut` is what is said of one of which a
/// beginning came.
fn not_fetched(client: &str, names: &[&str], output: &Output, cut: Option<&str>, places: &str) -> Error {
    let said = |words: &str| output.stderr.contains(words) || output.stdout.contains(words);
    let (also, remedy) = if let Some(remedy) = output.disk_full() {
        ("the disk is full; ", remedy.to_owned())
    } else if output.too_long() || said("File has unexpected size") || said("Hash Sum mismatch") {
        // apt speaks of hashes when a server tells no length.
        ("what is sent has not the locked size; ", format!("look at {places}: another program may answer there; then build again: what was fetched is kept"))
    } else if said("DO NOT MATCH THE HASHES") {
        (
            "what is sent was cut, or is not the locked file; ",
            "try again, and if it stays so, ask who runs the index: somebody replaced a published file".to_owned(),
        )
    } else {
        let also = if said("Retrying (Retry(") { "the index does not answer; " } else { cut.unwrap_or_default() };
        (also, format!("look at {places}, and build again: what was fetched is kept"))
    };
    Error::environment(format!("{client} cannot fetch {}: {also}{}", abbreviated(names), output.complaint()), remedy)
}

/// Bytes of the files in a directory; a file that is renamed in this moment counts next time.
fn size_of(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else {
        return 0;
    };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).filter(|meta| meta.is_file()).map(|meta| meta.len()).sum()
}

/// At most five names, and how many more.
fn abbreviated(names: &[&str]) -> String {
    match names.len() {
        0..=5 => names.join(", "),
        more => format!("{} and {} more", names[..5].join(", "), more - 5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_of_the_server_makes_a_package_gone() {
        let stderr = "E: Failed to fetch http://m/debian/pool/a/a_1%2bb_all.deb  404  Not Found [IP: 192.0.2.1 80]\n\
            E: Failed to fetch http://m/debian/pool/b/b_1_all.deb  Could not connect to m:80\nE: Download Failed\n";
        assert_eq!(not_found(stderr), ["a_1+b_all.deb"]);
    }
}
