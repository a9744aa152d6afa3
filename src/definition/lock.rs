//! Lock files: which packages an image is made of, to the byte. `images/<name>/debian.lock` and `python.lock` are TOML,
//! sorted by name, and hold no address: where a package is fetched from is the machine's business, its hash is ours.

use std::path::Path;

use pep508_rs::PackageName;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::{files, hash, path as names};

/// The file beside `image.toml` that locks Debian packages.
pub const DEBIAN: &str = "debian.lock";
/// The file beside `image.toml` that locks Python wheels.
pub const PYTHON: &str = "python.lock";

/// The version of both formats.
const FORMAT: u32 = 1;

const HEADER: &str = "# Written by `synapse-site lock`, from image.toml. Do not edit: a change here is a package nobody chose.\n\n";

/// The form of a distribution's name that is compared (PyPA specification, "Names and normalization"); what is no name stays as it is.
pub fn normalised(name: &str) -> String {
    let name = name.trim();
    name.parse::<PackageName>().map_or_else(|_| name.to_owned(), |name| name.to_string())
}

/// The Debian packages of one image.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct DebianLock {
    /// The version of this format, 1.
    pub format: u32,
    /// The release: `trixie`.
    pub release: String,
    /// The architecture of the image: `amd64`.
    pub architecture: String,
    /// The suites that were asked.
    pub suites: Vec<String>,
    /// The packages, sorted by name.
    #[serde(rename = "package", default)]
    pub packages: Vec<DebianPackage>,
}

/// One Debian package.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct DebianPackage {
    /// Name.
    pub name: String,
    /// Version with epoch and revision.
    pub version: String,
    /// `amd64` or `all`.
    pub architecture: String,
    /// Path below the archive's root: `pool/main/z/zlib/zlib1g_1.3_amd64.deb`.
    pub filename: String,
    /// Which of Debian's archives has it.
    pub archive: Archive,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

/// One of Debian's two archives. A mirror has the first; the second has security updates.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Archive {
    /// `debian`: releases and stable updates.
    Main,
    /// `debian-security`.
    Security,
}

/// The Python wheels of one image.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct PythonLock {
    /// The version of this format, 1.
    pub format: u32,
    /// The version of the language: `3.13`.
    pub python: String,
    /// The wheels, sorted by name.
    #[serde(rename = "wheel", default)]
    pub wheels: Vec<WheelFile>,
}

/// One wheel.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct WheelFile {
    /// Normalised name (PEP 503).
    pub name: String,
    /// Version.
    pub version: String,
    /// File name on the index.
    pub filename: String,
    /// Compatibility tag (PEP 425): `cp310-abi3-manylinux_2_28_x86_64`.
    pub tag: String,
    /// Size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

impl DebianLock {
    /// A lock of these packages, in the order that the file has.
    pub fn new(release: &str, architecture: &str, suites: &[String], mut packages: Vec<DebianPackage>) -> Self {
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        Self { format: FORMAT, release: release.into(), architecture: architecture.into(), suites: suites.to_vec(), packages }
    }

    /// Reads and checks a lock file.
    ///
    /// # Errors
    /// An environment error that names the file and what is wrong with it.
    pub fn load(path: &Path) -> Result<Self> {
        Self::parse(&read(path)?, path)
    }

    /// Checks the text of a lock file; the path is for messages.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let lock: Self = parse(text, path)?;
        let mut names = Vec::new();
        check(path, lock.format)?;
        for package in &lock.packages {
            let wrong = |what: &str| damaged(path, &format!("package {}: {what}", package.name));
            let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.:~_".contains(&b));
            if !plain(&package.name) || !plain(&package.version) || !plain(&package.architecture) {
                return Err(wrong("its name, version or architecture is none"));
            }
            let normal = names::member(package.filename.as_bytes());
            if normal.as_ref() != Ok(&package.filename) || !package.filename.ends_with(".deb") || package.filename.contains(['%', '?', '#', ':', ' ']) {
                return Err(wrong("its filename is no path below an archive's root"));
            }
            if !hash::is_sha256(&package.sha256) {
                return Err(wrong("its sha256 is not 64 hexadecimal digits in lower case"));
            }
            names.push(package.name.as_str());
        }
        sorted(path, &names)?;
        Ok(lock)
    }

    /// The text of the lock file.
    ///
    /// # Errors
    /// An environment error when it cannot be written as TOML.
    pub fn to_text(&self) -> Result<String> {
        text(self)
    }

    /// The package of that name.
    pub fn get(&self, name: &str) -> Option<&DebianPackage> {
        self.packages.iter().find(|package| package.name == name)
    }
}

impl PythonLock {
    /// A lock of these wheels, in the order that the file has.
    pub fn new(python: &str, mut wheels: Vec<WheelFile>) -> Self {
        wheels.sort_by(|a, b| a.name.cmp(&b.name));
        Self { format: FORMAT, python: python.into(), wheels }
    }

    /// Reads and checks a lock file.
    ///
    /// # Errors
    /// An environment error that names the file and what is wrong with it.
    pub fn load(path: &Path) -> Result<Self> {
        Self::parse(&read(path)?, path)
    }

    /// Checks the text of a lock file; the path is for messages.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let lock: Self = parse(text, path)?;
        let mut names = Vec::new();
        check(path, lock.format)?;
        for wheel in &lock.wheels {
            let wrong = |what: &str| damaged(path, &format!("wheel {}: {what}", wheel.name));
            let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.!_".contains(&b));
            if !wheel.name.parse::<PackageName>().is_ok_and(|name| name.as_ref() == wheel.name) || !plain(&wheel.name) || wheel.name.starts_with('-') {
                return Err(wrong("its name is not in normalised form"));
            }
            if !plain(&wheel.version) || !plain(&wheel.filename) || !wheel.filename.ends_with(".whl") {
                return Err(wrong("its version or filename is none"));
            }
            if !hash::is_sha256(&wheel.sha256) {
                return Err(wrong("its sha256 is not 64 hexadecimal digits in lower case"));
            }
            names.push(wheel.name.as_str());
        }
        sorted(path, &names)?;
        Ok(lock)
    }

    /// The text of the lock file.
    ///
    /// # Errors
    /// An environment error when it cannot be written as TOML.
    pub fn to_text(&self) -> Result<String> {
        text(self)
    }

    /// The wheel of that normalised name.
    pub fn get(&self, name: &str) -> Option<&WheelFile> {
        self.wheels.iter().find(|wheel| wheel.name == name)
    }
}

fn parse<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T> {
    toml::from_str(text).map_err(|e| damaged(path, e.to_string().trim_end()))
}

fn read(path: &Path) -> Result<String> {
    files::read_text(path, files::LARGEST).map_err(|problem| {
        if problem.is_missing() {
            return Error::environment(
                format!("there is no lock file {}", path.display()),
                "run `synapse-site lock`, which chooses the packages and writes it",
            );
        }
        problem.error("read", path)
    })
}

fn text<T: Serialize>(lock: &T) -> Result<String> {
    let body = toml::to_string(lock).map_err(|e| Error::environment(format!("a lock cannot be written: {e}"), "report this as a defect of synapse-site"))?;
    Ok(format!("{HEADER}{body}"))
}

fn check(path: &Path, format: u32) -> Result<()> {
    if format == FORMAT {
        return Ok(());
    }
    Err(damaged(path, &format!("its format is {format}, and this program knows {FORMAT}")))
}

fn sorted(path: &Path, names: &[&str]) -> Result<()> {
    match names.windows(2).find(|pair| pair[0] >= pair[1]) {
        Some(pair) => Err(damaged(path, &format!("{} stands before {}: names are unique and sorted", pair[0], pair[1]))),
        None => Ok(()),
    }
}

fn damaged(path: &Path, what: &str) -> Error {
    Error::environment(
        format!("{} is no lock file of this program: {what}", path.display()),
        "run `synapse-site lock`, which writes it anew, or take it from version control",
    )
}
