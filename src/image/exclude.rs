//! Which members of packages stay out of an image. Patterns on paths, where `*` matches within a component and `**` across
//! components; a pattern that matches a directory speaks for everything below it. Exceptions win over exclusions.

use regex::RegexSet;

use crate::error::{Error, Result};
use crate::package::{Entry, Kind};

/// What no image needs: read by people, by desktops, by package managers, or by an init system, none of which is there.
/// `usr/share/locale` holds translations of messages only; the C.UTF-8 locale is part of libc itself.
pub const EXCLUDE: &[&str] = &[
    "etc/cron*",
    "etc/default",
    "etc/init.d",
    "etc/logrotate.d",
    "etc/systemd",
    "lib/systemd",
    "usr/lib/systemd",
    "usr/lib/sysusers.d",
    "usr/lib/tmpfiles.d",
    "usr/share/applications",
    "usr/share/apport",
    "usr/share/bash-completion",
    "usr/share/bug",
    "usr/share/doc",
    "usr/share/doc-base",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/menu",
    "usr/share/pixmaps",
    "usr/share/zsh",
];

/// Licences travel with what they license.
pub const INCLUDE: &[&str] = &["usr/share/doc/*/copyright"];

/// Exclusions and exceptions of one layer, the tool's own among them.
pub struct Rules {
    exclude: RegexSet,
    include: RegexSet,
}

impl Rules {
    /// Reads a layer's patterns.
    ///
    /// # Errors
    /// An environment failure for a pattern that is absolute, empty or holds `.` or `..` components.
    pub fn new(exclude: &[String], include: &[String]) -> Result<Self> {
        let set = |own: &[&str], more: &[String]| {
            let patterns = own.iter().copied().chain(more.iter().map(String::as_str)).map(expression).collect::<Result<Vec<_>>>()?;
            RegexSet::new(patterns).map_err(|error| Error::environment(format!("the patterns of a layer cannot be compiled: {error}"), "use fewer patterns"))
        };
        Ok(Self { exclude: set(EXCLUDE, exclude)?, include: set(INCLUDE, include)? })
    }

    /// Whether a member goes into the layer.
    pub fn keeps(&self, entry: &Entry) -> bool {
        if !self.exclude.is_match(&entry.path) || self.include.is_match(&entry.path) {
            return true;
        }
        // Packages built from one source share one documentation directory: the link says where the licence is.
        matches!(entry.kind, Kind::Symlink { .. }) && entry.path.strip_prefix("usr/share/doc/").is_some_and(|name| !name.contains('/'))
    }
}

/// A pattern as a regular expression on the whole path.
fn expression(pattern: &str) -> Result<String> {
    if pattern.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(Error::environment(
            format!("`{pattern}` is no pattern for a member of a package"),
            "write it like a path without a leading slash: usr/share/doc/**/*.gz",
        ));
    }
    let mut expression = String::from("^");
    let mut rest = pattern;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("**/") {
            expression.push_str("(?:.*/)?");
            rest = after;
        } else if let Some(after) = rest.strip_prefix("**") {
            expression.push_str(".*");
            rest = after;
        } else if let Some(after) = rest.strip_prefix('*') {
            expression.push_str("[^/]*");
            rest = after;
        } else {
            let literal = rest.find('*').unwrap_or(rest.len());
            expression.push_str(&regex::escape(&rest[..literal]));
            rest = &rest[literal..];
        }
    }
    expression.push_str("(?:/.*)?$");
    // A path may hold any byte but a slash, a line feed among them.
    Ok(format!("(?s){expression}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeps(rules: &Rules, path: &str) -> bool {
        rules.keeps(&Entry { path: path.into(), mode: 0o644, uid: 0, gid: 0, kind: Kind::File { size: 0 } })
    }

    #[test]
    fn own_list() {
        let rules = Rules::new(&[], &[]).unwrap();
        for path in ["usr/share/man", "usr/share/man/man1/ls.1.gz", "usr/share/doc/libc6/changelog.gz", "etc/cron.daily/x", "etc/init.d/redis"] {
            assert!(!keeps(&rules, path), "{path}");
        }
        for path in ["usr/share/doc/libc6/copyright", "usr/share/manual", "etc/ssl/openssl.cnf", "usr/lib/python3.13/os.py"] {
            assert!(keeps(&rules, path), "{path}");
        }
        let link = Entry { path: "usr/share/doc/libstdc++6".into(), mode: 0o777, uid: 0, gid: 0, kind: Kind::Symlink { target: "gcc-14-base".into() } };
        assert!(rules.keeps(&link));
    }

    #[test]
    fn stars() {
        let rules = Rules::new(&["a/*/c".into(), "d/**/*.bc".into(), "e/**".into(), "f.g".into()], &["a/keep/c/x".into(), "**/LICENSE".into()]).unwrap();
        for path in ["a/b/c", "a/b/c/d", "d/x.bc", "d/e/f/x.bc", "e/x", "f.g", "a/keep/c/y"] {
            assert!(!keeps(&rules, path), "{path}");
        }
        for path in ["a/b/b/c", "a/c", "d/x.bcd", "e", "fxg", "a/keep/c/x", "e/x/LICENSE"] {
            assert!(keeps(&rules, path), "{path}");
        }
    }

    #[test]
    fn bad_patterns() {
        for pattern in ["/usr", "", "a//b", "a/../b", "a/"] {
            assert!(Rules::new(&[pattern.into()], &[]).is_err(), "{pattern}");
        }
    }
}
