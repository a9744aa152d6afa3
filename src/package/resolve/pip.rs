//! Python wheels by requirement. Takes what an image asks for and gives the wheels that pip chooses for the image's
//! Python, whatever Python the machine has: pip picks files for the target's tags, and since it evaluates environment
//! markers for the interpreter that runs it, its answer is checked and completed by [`markers`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::markers::{self, Answer};
use crate::child::Limits;
use crate::command::{self, LONGEST, Output};
use crate::definition::lock::WheelFile;
use crate::definition::lock::normalised;
use crate::error::{Error, Result};
use crate::files;
use crate::hash;
use crate::package::cache::Cache;
use crate::scratch::Scratch;

/// Overrides which pip is run: a path or a name.
pub const VARIABLE: &str = "SYNAPSE_SITE_PIP";

const MISSING: &str = "install pip 22.2 or newer (Debian's package is python3-pip), or set SYNAPSE_SITE_PIP to one";

/// What pip's own cache writes beside a wheel's bytes into a file.
const BESIDE: u64 = 64 << 10;

/// How often pip is asked again for what its interpreter's markers hid. Each round adds at least one distribution.
const ROUNDS: usize = 6;

/// glibc versions of the manylinux tags that a wheel may have; trixie's glibc is 2.41, so all that exist. pip matches tags
/// literally and does not know that a newer glibc runs older wheels.
const GLIBC: std::ops::RangeInclusive<u32> = 5..=41;

/// What to resolve.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The version of the language: `3.13`.
    pub python: &'a str,
    /// The interpreter's full version, for markers: `3.13.5`.
    pub full_version: &'a str,
    /// What the image asks for (PEP 508).
    pub requirements: &'a [String],
    /// Distributions that a Debian package provides, with the version it has; pip must accept them and not choose them.
    pub provided: BTreeMap<String, String>,
}

/// The most bytes of pip's report; that of the locked wheels has a hundredth of it.
const LARGEST_REPORT: u64 = 64 << 20;

/// Chooses the wheels.
///
/// # Errors
/// An environment error with pip's own words: no network, no such distribution, no binary wheel, a conflict.
pub fn resolve(cache: &Cache, request: &Request<'_>) -> Result<Vec<WheelFile>> {
    let scratch = cache.scratch()?;
    let environment = markers::environment(request.python, request.full_version)?;
    let provided: BTreeSet<String> = request.provided.keys().map(|name| normalised(name)).collect();
    let roots = markers::requirements(request.requirements)?;
    let mut asked: BTreeSet<String> = request.requirements.iter().cloned().collect();
    for _ in 0..ROUNDS {
        let installed = ask(&scratch, request, &asked)?;
        let answers = installed.iter().map(|item| (item.name(), item.answer())).collect();
        let closure = markers::close(&environment, &roots, &answers, &provided)?;
        if closure.missing.is_empty() {
            return installed.iter().filter(|item| closure.needed.contains(&item.name())).map(Item::wheel).collect();
        }
        asked.extend(closure.missing);
    }
    Err(Error::environment(
        format!("pip's answers do not come to an end for {}", request.requirements.join(", ")),
        "pin the versions of the requirements in image.toml",
    ))
}

/// Fetches locked wheels into a directory.
///
/// # Errors
/// As [`command::run`]; whether pip was content is in the output's status.
pub fn download(python: &str, wheels: &[&WheelFile], scratch: &Scratch, dir: &Path, tick: &mut dyn FnMut()) -> Result<Output> {
    let list: String = wheels.iter().map(|wheel| format!("{}=={} --hash=sha256:{}\n", wheel.name, wheel.version, wheel.sha256)).collect();
    let requirements = scratch.path().join("requirements.txt");
    fs::write(&requirements, list).map_err(|e| Error::io("write", &requirements, &e))?;
    let mut command = pip("download");
    target(&mut command, python);
    // A retry is what tells an index that does not answer from one that has not the wheel: both end in the same words.
    command.args(["--no-deps", "--require-hashes", "--retries", "2"]).arg("-r").arg(&requirements).arg("-d").arg(dir);
    let longest = wheels.iter().map(|wheel| wheel.size.map_or(LONGEST, |size| size.saturating_add(BESIDE))).max().unwrap_or_default();
    run(&mut command, scratch, longest, tick)
}

/// Runs pip; what it has for a moment lies in `scratch`, and no file gets longer than `longest` bytes.
fn run(command: &mut Command, scratch: &Scratch, longest: u64, tick: &mut dyn FnMut()) -> Result<Output> {
    command.env("TMPDIR", scratch.path());
    command::run_within(command, &Limits { file_size: Some(longest), ..Limits::default() }, MISSING, tick)
}

/// One run of pip.
fn ask(scratch: &Scratch, request: &Request<'_>, asked: &BTreeSet<String>) -> Result<Vec<Item>> {
    let path = |name: &str| scratch.path().join(name);
    let stand_ins = path("provided");
    fs::create_dir_all(&stand_ins).map_err(|e| Error::io("make the directory", &stand_ins, &e))?;
    let mut constraints = String::new();
    for (name, version) in &request.provided {
        stand_in(&stand_ins, &normalised(name), version).map_err(|e| Error::io("write into", &stand_ins, &e))?;
        constraints.push_str(&format!("{name}=={version}\n"));
    }
    let list: String = asked.iter().map(|requirement| format!("{requirement}\n")).collect();
    for (name, text) in [("constraints.txt", &constraints), ("asked.txt", &list)] {
        fs::write(path(name), text).map_err(|e| Error::io("write", &path(name), &e))?;
    }
    let mut command = pip("install");
    target(&mut command, request.python);
    command.args(["--dry-run", "--ignore-installed", "--quiet"]);
    command.arg("--target").arg(path("target")).arg("--find-links").arg(&stand_ins);
    command.arg("--report").arg(path("report.json")).arg("-c").arg(path("constraints.txt")).arg("-r").arg(path("asked.txt"));
    let output = run(&mut command, scratch, LONGEST, &mut || {})?;
    if !output.status.success() {
        let network = "look at the network and at the requirements in image.toml; what has no wheel for this Python cannot be used";
        return Err(Error::environment(
            format!("pip cannot choose wheels for {}: {}", request.requirements.join(", "), output.complaint()),
            output.disk_full().unwrap_or(network),
        ));
    }
    let text = files::read_text(&path("report.json"), LARGEST_REPORT).map_err(|problem| problem.error("read pip's report", &path("report.json")))?;
    let report: Report = serde_json::from_str(&text).map_err(|e| strange(&e.to_string()))?;
    if report.version != "1" {
        return Err(strange(&format!("its version is {}", report.version)));
    }
    Ok(report.install)
}

/// pip with the machine's own settings (index, proxy, certificates), no questions.
fn pip(verb: &str) -> Command {
    let mut command = match std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        Some(program) => Command::new(program),
        None if has_module() => {
            let mut command = Command::new("python3");
            command.args(["-m", "pip"]);
            command
        }
        None => Command::new("pip3"),
    };
    command.arg(verb).args(["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]);
    command
}

/// Whether `python3 -m pip` works.
fn has_module() -> bool {
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "--version"]);
    command::run(&mut command, MISSING, &mut || {}).is_ok_and(|output| output.status.success())
}

/// The tags of the image's Python on x86-64 Linux with glibc.
fn target(command: &mut Command, python: &str) {
    let abi = format!("cp{}", python.replace('.', ""));
    command.args(["--only-binary", ":all:", "--implementation", "cp", "--python-version", python]);
    for abi in [abi.as_str(), "abi3", "none"] {
        command.args(["--abi", abi]);
    }
    for minor in GLIBC.rev() {
        command.args(["--platform", &format!("manylinux_2_{minor}_x86_64")]);
    }
    for name in ["manylinux2014", "manylinux2010", "manylinux1", "linux"] {
        command.args(["--platform", &format!("{name}_x86_64")]);
    }
}

/// A wheel with nothing but a name and a version, so that pip finds fulfilled what a Debian package fulfils.
fn stand_in(dir: &Path, name: &str, version: &str) -> std::io::Result<()> {
    let stem = format!("{}-{version}", name.replace('-', "_"));
    let mut zip = ZipWriter::new(File::create(dir.join(format!("{stem}-py3-none-any.whl")))?);
    let files = [
        ("METADATA", format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")),
        ("WHEEL", "Wheel-Version: 1.0\nGenerator: synapse-site\nRoot-Is-Purelib: true\nTag: py3-none-any\n".to_owned()),
        ("RECORD", String::new()),
    ];
    for (file, text) in files {
        zip.start_file(format!("{stem}.dist-info/{file}"), SimpleFileOptions::default())?;
        zip.write_all(text.as_bytes())?;
    }
    zip.finish()?.flush()
}

fn strange(what: &str) -> Error {
    Error::environment(format!("pip's report is not understood: {what}"), "use a pip between 22.2 and the newest, or report this as a defect of synapse-site")
}

/// pip's installation report, as far as it is used (pip documentation, "Installation Report").
#[derive(Debug, Deserialize)]
struct Report {
    version: String,
    install: Vec<Item>,
}

#[derive(Debug, Deserialize)]
struct Item {
    metadata: Metadata,
    download_info: DownloadInfo,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    name: String,
    version: String,
    #[serde(default)]
    requires_dist: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct DownloadInfo {
    url: String,
    #[serde(default)]
    archive_info: ArchiveInfo,
}

#[derive(Debug, Default, Deserialize)]
struct ArchiveInfo {
    /// Since pip 23; before, there is only `hash`.
    #[serde(default)]
    hashes: BTreeMap<String, String>,
    hash: Option<String>,
}

impl Item {
    fn name(&self) -> String {
        normalised(&self.metadata.name)
    }

    fn answer(&self) -> Answer {
        Answer { version: self.metadata.version.clone(), requires: self.metadata.requires_dist.clone() }
    }

    fn wheel(&self) -> Result<WheelFile> {
        let name = self.name();
        let url = self.download_info.url.split(['?', '#']).next().unwrap_or_default();
        let filename = url.rsplit('/').next().unwrap_or_default().replace("%2B", "+").replace("%2b", "+");
        let parts: Vec<&str> = filename.strip_suffix(".whl").unwrap_or_default().split('-').collect();
        let info = &self.download_info.archive_info;
        let sha256 = info
            .hashes
            .get("sha256")
            .map(String::as_str)
            .or_else(|| info.hash.as_deref()?.strip_prefix("sha256="))
            .filter(|hash| hash::is_sha256(hash))
            .ok_or_else(|| strange(&format!("it has no SHA-256 for {name}")))?;
        if parts.len() < 5 || normalised(parts[0]) != name {
            return Err(strange(&format!("{filename} is not the name of a wheel of {name}")));
        }
        Ok(WheelFile { tag: parts[parts.len() - 3..].join("-"), version: self.metadata.version.clone(), size: None, sha256: sha256.to_owned(), filename, name })
    }
}
