//! What a module is evaluated with: the modules of this program, as files that Nix can import, and the `lib` of nixpkgs.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::command;
use crate::error::{Error, Result};
use crate::scratch::Scratch;

/// The files of modules/, as they were when this program was built. The schema is not among them: it is asked of the types.
const MODULES: &[(&str, &str)] = &[
    ("default.nix", include_str!("../../../modules/default.nix")),
    ("evaluate.nix", include_str!("../../../modules/evaluate.nix")),
    ("options.nix", include_str!("../../../modules/options.nix")),
    ("reference.nix", include_str!("../../../modules/reference.nix")),
    ("secrets.nix", include_str!("../../../modules/secrets.nix")),
    ("site.nix", include_str!("../../../modules/site.nix")),
    ("presets/default.nix", include_str!("../../../modules/presets/default.nix")),
    ("presets/air-gapped.nix", include_str!("../../../modules/presets/air-gapped.nix")),
    ("presets/behind-proxy.nix", include_str!("../../../modules/presets/behind-proxy.nix")),
    ("presets/large.nix", include_str!("../../../modules/presets/large.nix")),
    ("presets/ldap.nix", include_str!("../../../modules/presets/ldap.nix")),
    ("presets/small.nix", include_str!("../../../modules/presets/small.nix")),
];

/// The pins.
const LOCK: &str = include_str!("../../../flake.lock");

/// Which store an evaluation may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    /// None at all: nothing that a description mentions can get into it.
    None,
    /// Nix's own, because the library is in it and its files are not under their own names on this machine.
    Own,
}

/// A directory of modules, which may be one that goes away with this value.
pub(super) enum Modules {
    BuiltIn(Scratch),
    At(PathBuf),
}

impl Modules {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::BuiltIn(dir) => dir.path(),
            Self::At(path) => path,
        }
    }
}

/// The modules of a directory that the user names, or the built-in ones.
pub(super) fn modules(named: Option<&Path>) -> Result<Modules> {
    if let Some(dir) = named {
        if !dir.join("evaluate.nix").is_file() {
            return Err(Error::environment(format!("there are no modules in {}", dir.display()), "name the directory modules/ of synapse-site with --modules"));
        }
        return Ok(Modules::At(dir.canonicalize().map_err(|error| Error::io("read", dir, &error))?));
    }
    let dir = Scratch::of_the_system()?;
    let write = |name: &str, text: &str| -> Result<()> {
        let path = dir.path().join(name);
        let parent = path.parent().unwrap_or(dir.path());
        std::fs::create_dir_all(parent).map_err(|error| Error::io("make", parent, &error))?;
        std::fs::write(&path, text).map_err(|error| Error::io("write", &path, &error))
    };
    for (name, text) in MODULES {
        write(name, text)?;
    }
    write("schema.json", &crate::site::schema::schema().to_string())?;
    Ok(Modules::BuiltIn(dir))
}

/// The library, and the store that is needed to read it.
pub(super) struct Library {
    pub(super) path: PathBuf,
    pub(super) store: Store,
}

/// The library of a directory that the user names, or the pinned one, which is fetched if the store lacks it.
pub(super) fn nixpkgs_lib(named: Option<&Path>) -> Result<Library> {
    if let Some(dir) = named {
        let inner = dir.join("lib");
        let path = if inner.join("modules.nix").is_file() { inner } else { dir.to_owned() };
        if !path.join("modules.nix").is_file() {
            return Err(Error::environment(
                format!("{} is not the lib of nixpkgs", dir.display()),
                "SYNAPSE_SITE_NIXPKGS_LIB names a directory of nixpkgs, or the directory lib/ in it",
            ));
        }
        let path = path.canonicalize().map_err(|error| Error::io("read", dir, &error))?;
        return Ok(Library { path, store: Store::None });
    }
    let lock: Value = serde_json::from_str(LOCK).map_err(|error| Error::environment(format!("flake.lock cannot be read: {error}"), "correct the file"))?;
    let pin = &lock["nodes"]["nixpkgs-lib"]["locked"];
    // Not fetchTree: given a hash, fetchTarball looks into the store first, with every version of Nix.
    let hash = super::quoted(pin["narHash"].as_str().unwrap_or_default());
    let expression = format!("builtins.fetchTarball {{ url = {}; sha256 = {hash}; }}", super::quoted(&source(pin)));
    let mut command = super::nix();
    // A binary cache has no sources, and a machine without a network shall learn so before the user loses patience.
    command.args(["eval", "--impure", "--raw", "--option", "substitute", "false", "--option", "download-attempts", "2", "--expr", &expression]);
    let output = command::run(&mut command, "install Nix 2.8 or later (on Debian: apt-get install nix-bin)", &mut || {})?;
    if !output.status.success() {
        let last =
            output.stderr.lines().map(str::trim).rfind(|line| line.starts_with("error:")).unwrap_or("nix did not say why").trim_start_matches("error:").trim();
        return Err(Error::environment(
            format!("this site is a module, and the lib of nixpkgs that modules need is not here: {last}"),
            format!(
                "let this machine reach {} once, or name a directory of nixpkgs with SYNAPSE_SITE_NIXPKGS_LIB, or write the site as a plain attribute set",
                source(pin)
            ),
        ));
    }
    let path = PathBuf::from(output.stdout.trim()).join("lib");
    let store = if path.join("modules.nix").is_file() { Store::None } else { Store::Own };
    Ok(Library { path, store })
}

/// Where the pinned tree is downloaded from.
fn source(pin: &Value) -> String {
    let part = |name: &str| pin[name].as_str().unwrap_or_default();
    format!("https://github.com/{}/{}/archive/{}.tar.gz", part("owner"), part("repo"), part("rev"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_modules_is_built_in() {
        let mut there = Vec::new();
        for dir in ["", "presets/"] {
            for entry in std::fs::read_dir(Path::new("modules").join(dir)).expect("the directory") {
                let name = entry.expect("an entry").file_name().into_string().expect("a name");
                if name.ends_with(".nix") {
                    there.push(format!("{dir}{name}"));
                }
            }
        }
        there.sort();
        let mut built_in: Vec<&str> = MODULES.iter().map(|(name, _)| *name).collect();
        built_in.sort_unstable();
        assert_eq!(there, built_in);
    }

    #[test]
    fn a_directory_that_is_no_library_is_refused_by_name() {
        let dir = tempfile::tempdir().expect("a directory");
        let error = nixpkgs_lib(Some(dir.path())).err().expect("an error").to_string();
        assert!(error.contains("is not the lib of nixpkgs") && error.contains("SYNAPSE_SITE_NIXPKGS_LIB"), "{error}");
        let error = modules(Some(dir.path())).err().expect("an error").to_string();
        assert!(error.contains("--modules"), "{error}");
    }
}
