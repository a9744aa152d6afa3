//! Debian packages by name. Takes the names that all images ask for and gives version, pool path, size and SHA-256 of each
//! from one apt state of our own, so that the images agree with each other and the machine's own packages play no part.
//! apt verifies the archive's signatures with Debian's keyring; a signed index vouches for each hash.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::mirrors::{APT_MISSING, Mirrors};
use crate::child::Limits;
use crate::command::{self, LONGEST, Output};
use crate::definition::lock::{Archive, DebianPackage};
use crate::error::{Error, Result};
use crate::hash;
use crate::package::cache::Cache;
use crate::scratch::Scratch;

/// The Debian release that images are made of; images/base/image.toml says why.
pub const RELEASE: &str = "trixie";
/// The architecture of images.
pub const ARCHITECTURE: &str = "amd64";

/// The suites of [`RELEASE`] that packages may come from.
pub fn suites() -> Vec<String> {
    ["", "-updates", "-security"].iter().map(|suffix| format!("{RELEASE}{suffix}")).collect()
}

/// Debian's keyring, by the names it has had.
const KEYRINGS: [&str; 2] = ["/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp"];

/// An apt that knows this machine's mirrors and proxies and nothing else of it: no sources, no installed packages, no
/// preferences, no hooks.
pub struct Apt {
    mirrors: Mirrors,
    config: PathBuf,
    // Holds all that apt reads and writes, and `config`, which may hold a proxy's password.
    scratch: Scratch,
}

impl Apt {
    /// Writes the private configuration. Lists of packages are fetched by every run: apt takes what it finds of them as it is
    /// when the archive has nothing newer, so that lists in a cache would be trusted, whoever wrote them.
    ///
    /// # Errors
    /// An environment error when apt or a mirror is missing or the disk refuses.
    pub fn new(cache: &Cache, mirrors: Mirrors) -> Result<Self> {
        let scratch = cache.scratch()?;
        for dir in ["lists/partial", "cache/archives/partial", "tmp"] {
            let dir = scratch.path().join(dir);
            fs::create_dir_all(&dir).map_err(|e| Error::io("make the directory", &dir, &e))?;
        }
        private(&scratch.path().join("status"), "")?;
        private(&scratch.path().join("sources.list"), &sources(&mirrors)?)?;
        let mut text = machine_settings()?;
        let mut set = |name: &str, value: &str| text.push_str(&format!("{name} \"{value}\";\n"));
        // Relative to the working directory, since this language cannot write every path.
        for (name, path) in
            [("State", "./"), ("State::lists", "./lists"), ("State::status", "./status"), ("Cache", "./cache"), ("Etc::SourceList", "./sources.list")]
        {
            set(&format!("Dir::{name}"), path);
        }
        for name in ["SourceParts", "Preferences", "PreferencesParts", "Main", "Parts"] {
            set(&format!("Dir::Etc::{name}"), "/dev/null");
        }
        if !mirrors.logins.is_empty() {
            let netrc = scratch.path().join("netrc");
            private(&netrc, &(mirrors.logins.join("\n") + "\n"))?;
            set("Dir::Etc::netrc", "./netrc");
        }
        set("APT::Architecture", ARCHITECTURE);
        set("APT::Architectures", ARCHITECTURE);
        // Our directories need not be readable for apt's own user.
        set("APT::Sandbox::User", "");
        // An update that got some lists only would answer with versions of last time.
        set("APT::Update::Error-Mode", "any");
        set("Acquire::Languages", "none");
        let config = scratch.path().join("apt.conf");
        private(&config, &text)?;
        Ok(Self { mirrors, config, scratch })
    }

    /// The mirrors.
    pub fn mirrors(&self) -> &Mirrors {
        &self.mirrors
    }

    /// A command of apt's with the private configuration, in a directory of its own.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", &self.config).env("TMPDIR", self.scratch.path().join("tmp")).current_dir(self.scratch.path());
        command
    }

    /// Runs a command of apt's. No file that it writes gets longer than `longest` bytes.
    ///
    /// # Errors
    /// As [`command::run`].
    pub fn run(&self, command: &mut Command, longest: u64, tick: &mut dyn FnMut()) -> Result<Output> {
        let limits = Limits { file_size: Some(longest), ..Limits::default() };
        command::run_within(command, &limits, APT_MISSING, tick)
    }
}

/// Chooses the newest version of each package that the suites have.
///
/// # Errors
/// An environment error: no network, a bad signature, or packages that do not exist, all of them named.
pub fn resolve(cache: &Cache, mirrors: Mirrors, names: &BTreeSet<String>) -> Result<BTreeMap<String, DebianPackage>> {
    let odd: Vec<&str> = names.iter().filter(|name| !is_name(name)).map(String::as_str).collect();
    if !odd.is_empty() {
        return Err(unknown(&odd));
    }
    let apt = Apt::new(cache, mirrors)?;
    let update = apt.run(apt.command("apt-get").args(["update", "-q"]), LONGEST, &mut || {})?;
    if !update.status.success() {
        return Err(Error::environment(
            format!("apt cannot get the lists of Debian {RELEASE}: {}", update.complaint()),
            update.disk_full().unwrap_or("look at the network, the proxy and the mirror, and try again"),
        ));
    }
    let mut download = apt.command("apt-get");
    download.args(["download", "--print-uris", "-q"]).args(names);
    let output = apt.run(&mut download, LONGEST, &mut || {})?;
    let mut missing: Vec<&str> = output.stderr.lines().filter_map(missing_name).collect();
    missing.sort_unstable();
    missing.dedup();
    if !missing.is_empty() {
        return Err(unknown(&missing));
    }
    if !output.status.success() {
        return Err(Error::environment(format!("apt cannot choose packages: {}", output.complaint()), "look at its messages"));
    }
    let mut packages = BTreeMap::new();
    for line in output.stdout.lines().filter(|line| line.starts_with('\'')) {
        let package = read_line(line, apt.mirrors()).ok_or_else(|| {
            Error::environment(
                format!("apt answered with a line that is not understood: {}", command::hide_credentials(line)),
                "report this as a defect of synapse-site, with the version of apt",
            )
        })?;
        packages.insert(package.name.clone(), package);
    }
    let silent: Vec<&str> = names.iter().filter(|name| !packages.contains_key(*name)).map(String::as_str).collect();
    if silent.is_empty() && packages.len() == names.len() { Ok(packages) } else { Err(unknown(&silent)) }
}

fn unknown(names: &[&str]) -> Error {
    Error::environment(
        format!("Debian {RELEASE} has no package {}", names.join(", ")),
        "correct the name in images/*/image.toml; packages.debian.org finds the package of a file",
    )
}

fn missing_name(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("E: Unable to locate package ").or_else(|| line.strip_prefix("E: Can't select candidate version from package "))?;
    rest.split(' ').next()
}

/// A package's name as Debian Policy 5.6.1 has it; nothing that apt reads as an option, a version or a pattern.
fn is_name(name: &str) -> bool {
    name.len() > 1
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b))
        // `name-` asks apt to leave a package out.
        && !name.ends_with('-')
}

/// `'URI' name_version_architecture.deb SIZE SHA256:HASH`.
fn read_line(line: &str, mirrors: &Mirrors) -> Option<DebianPackage> {
    let (uri, rest) = line.strip_prefix('\'')?.split_once("' ")?;
    let [file, size, hash] = rest.split_whitespace().collect::<Vec<_>>()[..] else {
        return None;
    };
    let decoded = decode(file)?;
    let [name, version, architecture] = decoded.strip_suffix(".deb")?.split('_').collect::<Vec<_>>()[..] else {
        return None;
    };
    let (archive, filename) = [Archive::Main, Archive::Security].into_iter().find_map(|archive| {
        let path = decode(uri)?.strip_prefix(&decode(mirrors.root(archive))?)?.strip_prefix('/')?.to_owned();
        Some((archive, path))
    })?;
    let sha256 = hash.strip_prefix("SHA256:").filter(|hash| hash::is_sha256(hash))?;
    Some(DebianPackage {
        name: name.into(),
        version: version.into(),
        architecture: architecture.into(),
        filename,
        archive,
        size: size.parse().ok()?,
        sha256: sha256.into(),
    })
}

/// Percent-decoding (RFC 3986).
pub fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

fn sources(mirrors: &Mirrors) -> Result<String> {
    let keyring = KEYRINGS
        .iter()
        .find(|path| Path::new(path).exists())
        .ok_or_else(|| Error::environment("Debian's signing keys are not on this machine", "install the package debian-archive-keyring; Ubuntu has it, too"))?;
    let line = |suite: &str| {
        let root = if suite.ends_with("-security") { &mirrors.security } else { &mirrors.debian };
        format!("deb [signed-by={keyring}] {root} {suite} main\n")
    };
    Ok(suites().iter().map(|suite| line(suite)).collect())
}

/// What the machine's own apt says about fetching: proxies, timeouts, certificates. Not its hooks, and nothing that
/// would accept an archive without a valid signature.
fn machine_settings() -> Result<String> {
    let dump = command::run(Command::new("apt-config").arg("dump"), APT_MISSING, &mut || {})?;
    if !dump.status.success() {
        let remedy = "mend the files under /etc/apt/apt.conf.d that it names";
        return Err(Error::environment(format!("apt's configuration cannot be read: {}", dump.complaint()), remedy));
    }
    let refused = ["Acquire::Allow", "Acquire::IndexTargets", "Acquire::Languages", "Acquire::Changelogs"];
    let wanted = |line: &&str| line.starts_with("Acquire::") && !refused.iter().any(|name| line.starts_with(name));
    Ok(dump.stdout.lines().filter(wanted).map(|line| format!("{line}\n")).collect())
}

/// Writes a file that others cannot read: it may hold a proxy's or a mirror's password.
fn private(path: &Path, text: &str) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path).and_then(|mut file| file.write_all(text.as_bytes())).map_err(|e| Error::io("write", path, &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirrors() -> Mirrors {
        Mirrors { debian: "http://m/debian".into(), security: "http://m/debian-security".into(), logins: Vec::new() }
    }

    #[test]
    fn reads_what_apt_prints() {
        let hash = "a".repeat(64);
        let line =
            format!("'http://m/debian-security/pool/updates/main/z/zlib/zlib1g_1.3%7eb%2bc-1_amd64.deb' zlib1g_1%3a1.3~b+c-1_amd64.deb 12 SHA256:{hash}");
        let package = read_line(&line, &mirrors()).unwrap();
        assert_eq!((package.name.as_str(), package.version.as_str()), ("zlib1g", "1:1.3~b+c-1"));
        assert_eq!(package.filename, "pool/updates/main/z/zlib/zlib1g_1.3~b+c-1_amd64.deb");
        assert_eq!((package.archive, package.size), (Archive::Security, 12));
        for bad in [line.replace("SHA256", "MD5Sum"), line.replace("m/", "other/"), line.replace("%3a", "%zz")] {
            assert_eq!(read_line(&bad, &mirrors()), None, "{bad}");
        }
    }

    #[test]
    fn names_cannot_be_options() {
        for name in ["libc6", "libstdc++6", "g++", "postgresql-17", "libevent-2.1-7t64"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["-o", "a", "a=1", "a/sid", "libc6:i386", "a*", "A b", "libc6-", ""] {
            assert!(!is_name(name), "{name}");
        }
    }
}
