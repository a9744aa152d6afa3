//! `images/<name>/image.toml`: what an image holds, as data. Read by this program and by the Nix flake alike.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The definition of one image.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ImageSpec {
    /// One sentence for people.
    pub description: String,
    /// The image whose layers come first; its files are in this image too.
    #[serde(default)]
    pub from: Option<String>,
    /// The user that the service runs as; absent in an image that is only a base.
    #[serde(default)]
    pub user: Option<User>,
    /// The directory that a volume is mounted on, if the service keeps data, and where the service starts.
    #[serde(default)]
    pub working_dir: Option<String>,
    /// TCP and UDP ports that the service listens on: `8008/tcp`. Documentation for people and for `docker inspect`.
    #[serde(default)]
    pub ports: Vec<String>,
    /// Environment of the service, `PATH` among them.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The layers, lowest first.
    #[serde(rename = "layer", default)]
    pub layers: Vec<LayerSpec>,
    /// Python, if the image runs any.
    #[serde(default)]
    pub python: Option<Python>,
    /// What takes the place of the Debian packages and wheels where the image is made of a Nix closure.
    #[serde(default)]
    pub nix: Nix,
}

/// The same image made of nixpkgs. Directories, files, accounts, users and ports are those of the image; its packages, rules, links,
/// certificates and `PATH` are not. In values and targets `${NAME}` stands for the store path of the package of that name.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Nix {
    /// The values of options, by their paths with dots, that a site has when it has this image; none for one that every site has. nix/definitions.nix
    /// reads it, so that the packages of a service that is off are neither fetched nor built.
    #[serde(default)]
    pub when: BTreeMap<String, String>,
    /// The packages, by a name that is also how their store paths are called.
    #[serde(rename = "package", default)]
    pub packages: BTreeMap<String, NixPackage>,
    /// Those whose `bin` makes up `PATH`.
    #[serde(default)]
    pub path: Vec<String>,
    /// Variables in place of, or beside, those in `env`.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Symbolic links to make.
    #[serde(rename = "link", default)]
    pub links: Vec<Link>,
}

/// A package of nixpkgs.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct NixPackage {
    /// Its attribute in nixpkgs, dots between the parts.
    pub attribute: String,
    /// What is added to the arguments of its `override`, which are lists.
    #[serde(rename = "override", default)]
    pub arguments: BTreeMap<String, Vec<String>>,
    /// The same for lists of Python packages, each by its name among those of the interpreter that the package runs on, Synapse's plug-ins and
    /// this project's own.
    #[serde(rename = "override-python", default)]
    pub python_arguments: BTreeMap<String, Vec<String>>,
}

/// A user and its group of the same name, fixed numbers.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Name in `/etc/passwd` and `/etc/group`.
    pub name: String,
    /// Numeric user and group, the same number.
    pub id: u32,
}

/// One layer: packages and what the tool makes in place of their maintainer scripts.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct LayerSpec {
    /// `base`, `runtime`, `libraries`, `application`.
    pub name: String,
    /// Debian packages by name; exactly these, no closure. Their versions and hashes are in `debian.lock`.
    #[serde(default)]
    pub debian: Vec<String>,
    /// Python distributions by normalised name, or `["*"]` for all of `python.lock` that no other layer names.
    #[serde(default)]
    pub wheels: Vec<String>,
    /// Members to leave out: patterns on the path, where `*` matches within a component and `**` across components.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Exceptions from `exclude` and from the tool's own list (manual pages, locales, … ).
    #[serde(default)]
    pub include: Vec<String>,
    /// Directories to make.
    #[serde(rename = "directory", default)]
    pub directories: Vec<Directory>,
    /// Symbolic links to make.
    #[serde(rename = "link", default)]
    pub links: Vec<Link>,
    /// Small text files to make.
    #[serde(rename = "file", default)]
    pub files: Vec<TextFile>,
    /// Users (and groups) whose lines go into `/etc/passwd` and `/etc/group`, root and nobody besides.
    #[serde(rename = "account", default)]
    pub accounts: Vec<User>,
    /// The one certificate file to make of all `usr/share/ca-certificates/**/*.crt` in this layer, sorted by path.
    #[serde(default)]
    pub ca_bundle: Option<String>,
}

/// A directory to make.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// Absolute path.
    pub path: String,
    /// Octal permission bits: `"1777"`.
    #[serde(default)]
    pub mode: Option<String>,
    /// Numeric owner and group; 0 when absent.
    #[serde(default)]
    pub owner: u32,
}

/// A symbolic link to make.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Absolute path of the link.
    pub path: String,
    /// Its target.
    pub target: String,
}

/// A small text file to make.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct TextFile {
    /// Absolute path.
    pub path: String,
    /// The text.
    pub content: String,
    /// Octal permission bits; `"0644"` when absent.
    #[serde(default)]
    pub mode: Option<String>,
}

/// How Python packages are installed and compiled.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Python {
    /// The version of the language, `3.13`: decides wheel tags and byte code names.
    pub version: String,
    /// The interpreter's path inside the image.
    pub interpreter: String,
    /// Where wheels go inside the image.
    pub site_packages: String,
    /// What `synapse-site lock` asks pip for.
    pub requirements: Vec<String>,
    /// Requirements that a Debian package fulfils, so that pip's answer must not hold them: `psycopg2 = "python3-psycopg2"`.
    #[serde(default)]
    pub provided: BTreeMap<String, String>,
    /// The Debian packages needed to run the interpreter when it compiles byte code.
    pub interpreter_packages: Vec<String>,
}
