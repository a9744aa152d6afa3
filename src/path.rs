//! Names inside packages. Takes the raw name or link target of an archive member and gives the form of
//! [`Entry::path`](super::Entry::path), or the reason why such a name has no place in an image. Everything here is text:
//! no file system is asked, so a link in a package is never followed.

/// The longest path a package may name, in bytes: Linux' `PATH_MAX`.
pub const LONGEST: usize = 4096;

/// The most components that a path may have. The deepest of Debian and of wheels have about 20; each one that nobody brings
/// becomes a directory of the layer.
pub const DEEPEST: usize = 128;

/// How a name starts that removes something from lower layers instead of being a file (OCI image specification, "Whiteouts").
/// Engines treat all names that start so as their own.
pub const WHITEOUT: &str = ".wh.";

/// Top-level directories that are links into `usr` since Debian 12 (the `usrmerge` transition); base-files of Debian 13
/// ships exactly these aliases.
const ALIASES: [&str; 7] = ["bin", "sbin", "lib", "lib32", "lib64", "libo32", "libx32"];

/// The normal form of a member's name: no leading `./`, no doubled or trailing slash. The archive's own root gives the
/// empty string.
///
/// # Errors
/// The reason, to be put after the member's name: not UTF-8, absolute, `..`, a control character, too long, too deep, a whiteout.
pub fn member(raw: &[u8]) -> Result<String, String> {
    let name = readable(raw)?;
    if name.starts_with('/') {
        return Err("its name is absolute".into());
    }
    let mut path = String::with_capacity(name.len());
    for component in name.split('/') {
        match component {
            "" | "." => {}
            ".." => return Err("its name climbs with `..`".into()),
            component => {
                if !path.is_empty() {
                    path.push('/');
                }
                path.push_str(component);
            }
        }
    }
    inside(&path)?;
    Ok(path)
}

/// Whether a path in the form of [`Entry::path`](super::Entry::path) can be a file of an image. This is the one place that
/// says so, for what packages bring and for what is made.
///
/// # Errors
/// The reason, to be put after the path: empty components, `.`, `..`, a NUL, too long, too deep, a whiteout.
pub fn inside(path: &str) -> Result<(), String> {
    if path.is_empty() {
        return Ok(());
    }
    if path.len() > LONGEST {
        return Err(format!("a name of {} bytes is too long (at most {LONGEST})", path.len()));
    }
    if path.split('/').nth(DEEPEST).is_some() {
        return Err(format!("it lies too deep (at most {DEEPEST} directories)"));
    }
    for part in path.split('/') {
        if matches!(part, "" | "." | "..") || part.contains('\0') {
            return Err("it is no path inside an image".into());
        }
        if part.starts_with(WHITEOUT) {
            return Err(format!("`{part}` is a whiteout: it would hide files of lower layers instead of being a file"));
        }
    }
    Ok(())
}

/// The target of a symbolic link, kept as it is.
///
/// # Errors
/// The reason: unreadable, empty, or relative and climbing above the root from where the link lies. An absolute target
/// is fine, since inside a container it starts at the image's root.
pub fn symlink_target(path: &str, raw: &[u8]) -> Result<String, String> {
    let target = readable(raw)?;
    if target.is_empty() {
        return Err("it links to nothing".into());
    }
    if target.starts_with('/') {
        return Ok(target.to_owned());
    }
    let mut depth = path.split('/').count() - 1;
    for component in target.split('/') {
        match component {
            "" | "." => {}
            ".." => {
                depth = depth.checked_sub(1).ok_or_else(|| format!("it links to {target}, above the root"))?;
            }
            _ => depth += 1,
        }
    }
    Ok(target.to_owned())
}

/// Where a path lies on a system whose `/bin`, `/sbin` and `/lib*` are links into `/usr`: `lib/x` is `usr/lib/x`.
pub fn merged_usr(path: String) -> String {
    let first = path.split('/').next().unwrap_or_default();
    if ALIASES.contains(&first) { format!("usr/{path}") } else { path }
}

/// Whether a path is one of the aliases themselves, such as `lib64`.
pub fn is_alias(path: &str) -> bool {
    ALIASES.contains(&path)
}

/// A name as text that can be shown, stored in JSON and written into a tar header.
fn readable(raw: &[u8]) -> Result<&str, String> {
    if raw.len() > LONGEST {
        return Err(format!("a name of {} bytes is too long (at most {LONGEST})", raw.len()));
    }
    let name = std::str::from_utf8(raw).map_err(|_| "a name is not UTF-8".to_owned())?;
    if name.chars().any(char::is_control) {
        return Err("a name holds a control character".into());
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_get_their_normal_form() {
        assert_eq!(member(b"./usr/bin/").unwrap(), "usr/bin");
        assert_eq!(member(b"usr//lib/./x").unwrap(), "usr/lib/x");
        assert_eq!(member(b"./").unwrap(), "");
        assert_eq!(member("usr/share/ca/Főtanúsítvány.crt".as_bytes()).unwrap(), "usr/share/ca/Főtanúsítvány.crt");
    }

    #[test]
    fn names_that_escape_or_hide_are_refused() {
        for name in [&b"/etc/passwd"[..], b"../x", b"a/../../x", b"a/..", b"\xff", b"a\nb", b"a\0b"] {
            assert!(member(name).is_err(), "{name:?}");
        }
        assert!(member("x".repeat(LONGEST + 1).as_bytes()).is_err());
        assert!(member("x".repeat(LONGEST).as_bytes()).is_ok());
    }

    #[test]
    fn whiteouts_and_depths_are_refused() {
        for name in ["etc/.wh.passwd", ".wh..wh..opq", "./usr/.wh..wh..opq", ".wh.etc/x", ".wh.", ".wh..wh.plnk/1.2"] {
            assert!(member(name.as_bytes()).unwrap_err().contains("whiteout"), "{name}");
        }
        for name in ["etc/wh.passwd", "etc/.whx", "etc/x.wh.y", ".w/h.", ".WH.x"] {
            assert_eq!(member(name.as_bytes()).unwrap(), name);
        }
        let deep = |components: usize| vec!["d"; components].join("/");
        assert_eq!(inside(&deep(DEEPEST)), Ok(()));
        assert!(member(deep(DEEPEST + 1).as_bytes()).unwrap_err().contains("too deep"));
        for path in ["/x", "a//b", "a/", "a/..", "./a", "a\0"] {
            assert!(inside(path).is_err(), "{path}");
        }
    }

    #[test]
    fn relative_targets_stay_below_the_root() {
        assert_eq!(symlink_target("usr/lib/x", b"../../etc/x").unwrap(), "../../etc/x");
        assert_eq!(symlink_target("x", b"/../etc").unwrap(), "/../etc");
        assert!(symlink_target("usr/lib/x", b"../../../etc/x").is_err());
        assert!(symlink_target("x", b"a/../../b").is_err());
        assert!(symlink_target("x", b"").is_err());
    }

    #[test]
    fn the_merged_usr_rule_touches_only_first_components() {
        assert_eq!(merged_usr("lib64/ld.so".into()), "usr/lib64/ld.so");
        assert_eq!(merged_usr("sbin".into()), "usr/sbin");
        assert_eq!(merged_usr("libexec/x".into()), "libexec/x");
        assert_eq!(merged_usr("usr/lib/x".into()), "usr/lib/x");
    }
}
