//! Where this machine gets Debian packages from. Takes apt's own list of sources, or two environment variables, and gives
//! the roots of Debian's two archives, for a release that need not be the machine's own.

use std::collections::BTreeMap;
use std::process::Command;

use crate::command;
use crate::definition::lock::Archive;
use crate::error::{Error, Result};

/// Overrides the root of the Debian archive.
pub const DEBIAN_VARIABLE: &str = "SYNAPSE_SITE_DEBIAN_MIRROR";
/// Overrides the root of the security archive.
pub const SECURITY_VARIABLE: &str = "SYNAPSE_SITE_DEBIAN_SECURITY_MIRROR";

/// What to do on a machine without apt.
pub const APT_MISSING: &str = "install apt (any Debian or Ubuntu has it), or fill the cache on a machine that has";

/// The roots of Debian's archives, without a slash at the end and without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirrors {
    /// The archive with `dists/trixie`.
    pub debian: String,
    /// The archive with `dists/trixie-security`.
    pub security: String,
    /// Lines for apt's netrc file, when a root came with a user name and a password.
    pub(in crate::package) logins: Vec<String>,
}

impl Mirrors {
    /// The mirrors of this machine.
    ///
    /// # Errors
    /// An environment error that tells which archive apt does not know and which variable names it.
    pub fn of_machine() -> Result<Self> {
        let given = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let (debian, security) = (given(DEBIAN_VARIABLE), given(SECURITY_VARIABLE));
        let found = if debian.is_some() && security.is_some() { BTreeMap::new() } else { from_apt()? };
        Self::choose(debian, security, &found)
    }

    fn choose(debian: Option<String>, security: Option<String>, found: &BTreeMap<Archive, String>) -> Result<Self> {
        let mut logins = Vec::new();
        let mut pick = |given: Option<String>, archive: Archive, what: &str, variable: &str| {
            let root = given.or_else(|| found.get(&archive).cloned()).ok_or_else(|| {
                Error::environment(
                    format!("apt on this machine has no source for {what}"),
                    format!("add one to /etc/apt and run apt-get update, or set {variable} to the archive's URL"),
                )
            })?;
            let (root, login) = without_login(root.trim_end_matches('/'));
            let plain = root.bytes().all(|b| b.is_ascii_graphic() && !b"'\"\\[]".contains(&b));
            if !plain || !root.contains(":/") {
                return Err(Error::environment(format!("`{root}` is no URL of {what}"), format!("set {variable}")));
            }
            logins.extend(login);
            Ok(root)
        };
        let debian = pick(debian, Archive::Main, "the Debian archive", DEBIAN_VARIABLE)?;
        let security = pick(security, Archive::Security, "Debian's security archive", SECURITY_VARIABLE)?;
        Ok(Self { debian, security, logins })
    }

    /// The root of one archive.
    pub fn root(&self, archive: Archive) -> &str {
        match archive {
            Archive::Main => &self.debian,
            Archive::Security => &self.security,
        }
    }
}

/// What apt knows. `indextargets` tells origin and label from the signed Release files; on a machine where `apt-get update`
/// never ran it tells nothing, and the addresses that an update would ask are all there is.
fn from_apt() -> Result<BTreeMap<Archive, String>> {
    let fields = "$(REPO_URI)|$(ORIGIN)|$(LABEL)";
    let targets = command::run(Command::new("apt-get").args(["indextargets", "--format", fields]), APT_MISSING, &mut || {})?;
    let found = from_targets(&targets.stdout);
    if found.len() == 2 {
        return Ok(found);
    }
    let update = command::run(Command::new("apt-get").args(["update", "--print-uris"]), APT_MISSING, &mut || {})?;
    let mut all = from_update(&update.stdout);
    all.extend(found);
    Ok(all)
}

fn from_targets(text: &str) -> BTreeMap<Archive, String> {
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let archive = match line.split('|').collect::<Vec<_>>()[..] {
            [root, "Debian", "Debian"] => Some((Archive::Main, root)),
            [root, "Debian", "Debian-Security"] => Some((Archive::Security, root)),
            _ => None,
        };
        if let Some((archive, root)) = archive.filter(|(_, root)| !root.is_empty()) {
            found.entry(archive).or_insert_with(|| root.to_owned());
        }
    }
    found
}

fn from_update(text: &str) -> BTreeMap<Archive, String> {
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let Some(uri) = line.strip_prefix('\'').and_then(|line| line.split('\'').next()) else {
            continue;
        };
        let Some((root, suite)) = uri.split_once("/dists/") else {
            continue;
        };
        let archive = match root.rsplit('/').next() {
            Some("debian") => Archive::Main,
            Some("debian-security") if suite.contains("-security/") => Archive::Security,
            _ => continue,
        };
        // Third parties call their archives `debian`, too; Debian's own releases have a component `main`, and a name of Debian's.
        let suite = suite.split(['/', '-']).next().unwrap_or_default();
        let known = ["stable", "oldstable", "testing", "bullseye", "bookworm", "trixie", "forky", "duke", "sid", "unstable"];
        if known.contains(&suite) && uri.contains("/main/") {
            found.entry(archive).or_insert_with(|| root.to_owned());
        }
    }
    found
}

/// Splits `http://user:password@host/path` into the URL without them and a netrc line; programs' arguments are public.
fn without_login(root: &str) -> (String, Option<String>) {
    let Some((scheme, rest)) = root.split_once("://") else {
        return (root.to_owned(), None);
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let Some((login, host)) = authority.rsplit_once('@') else {
        return (root.to_owned(), None);
    };
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let line = format!("machine {scheme}://{host}{path} login {user} password {password}");
    (format!("{scheme}://{host}{path}"), Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_is_known_by_its_signed_origin() {
        let text = "http://m/docker/|Docker|Docker CE\nhttp://m/debian/|Debian|Debian\nhttp://m/sec/|Debian|Debian-Security\n";
        let mirrors = Mirrors::choose(None, None, &from_targets(text)).unwrap();
        assert_eq!((mirrors.debian.as_str(), mirrors.security.as_str()), ("http://m/debian", "http://m/sec"));
    }

    #[test]
    fn a_machine_that_never_updated_tells_its_sources() {
        let text = "'http://m/debian/dists/bookworm/InRelease' x 0 \n'http://m/debian/dists/bookworm/main/binary-amd64/Packages.xz' x 0 \n\
            'http://d/linux/debian/dists/weird/main/Packages.xz' x 0 \n'http://m/debian-security/dists/bookworm-security/main/x' y 0 \n";
        let found = from_update(text);
        assert_eq!(found[&Archive::Main], "http://m/debian");
        assert_eq!(found[&Archive::Security], "http://m/debian-security");
    }

    #[test]
    fn a_missing_archive_is_told_with_its_variable() {
        let error = Mirrors::choose(Some("http://m/debian".into()), None, &BTreeMap::new()).unwrap_err();
        assert!(error.to_string().contains(SECURITY_VARIABLE), "{error}");
        assert!(Mirrors::choose(Some("x y".into()), Some("http://s".into()), &BTreeMap::new()).is_err());
    }

    #[test]
    fn passwords_go_to_netrc_and_nowhere_else() {
        let mirrors = Mirrors::choose(Some("https://me:pw@m/debian/".into()), Some("http://s".into()), &BTreeMap::new()).unwrap();
        assert_eq!(mirrors.debian, "https://m/debian");
        assert_eq!(mirrors.logins, ["machine https://m/debian login me password pw"]);
    }
}
