//! A small site for tests: two images on one base, from packages that are tar archives made here and read by the program's
//! own reader.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use synapse_site::definition::{ImageSpec, LayerSpec};
use synapse_site::error::Result;
use synapse_site::hash;
use synapse_site::image::layer::{FileContent, SharedPackage};
use synapse_site::image::oci::Arch;
use synapse_site::image::plan::{Content, ImagePlan, Site, plan};
use synapse_site::package::cache::Cache;
use synapse_site::package::{Package, Visit, tarball};

/// The program that all images start: the real one, built for these tests.
pub const LAUNCH: &str = env!("CARGO_BIN_EXE_launch");

/// A package whose archive is in memory.
pub struct TarPackage {
    label: String,
    bytes: Vec<u8>,
}

/// A member: path, mode, and a file's text, a link's target (`->`), a hard link's target (`=>`), or nothing for a directory.
pub type Line<'a> = (&'a str, u32, &'a str);

impl TarPackage {
    pub fn new(label: &str, lines: &[Line<'_>]) -> Self {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, mode, text) in lines {
            let mut header = tar::Header::new_gnu();
            header.set_mode(*mode);
            header.set_size(0);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(1_600_000_000);
            if path.ends_with('/') {
                header.set_entry_type(tar::EntryType::Directory);
                builder.append_data(&mut header, path, std::io::empty()).unwrap();
            } else if let Some(target) = text.strip_prefix("->") {
                header.set_entry_type(tar::EntryType::Symlink);
                builder.append_link(&mut header, path, target).unwrap();
            } else if let Some(target) = text.strip_prefix("=>") {
                header.set_entry_type(tar::EntryType::Link);
                builder.append_link(&mut header, path, target).unwrap();
            } else {
                header.set_size(text.len() as u64);
                builder.append_data(&mut header, path, text.as_bytes()).unwrap();
            }
        }
        Self { label: label.into(), bytes: builder.into_inner().unwrap() }
    }
}

impl Package for TarPackage {
    fn label(&self) -> String {
        self.label.clone()
    }

    fn key(&self) -> String {
        hash::sha256(&mut &self.bytes[..]).unwrap()
    }

    fn walk(&self, visit: &mut Visit<'_>) -> Result<()> {
        tarball::walk(&self.label, &self.bytes[..], tarball::LIMITS, visit)
    }
}

fn boxed(label: &str, lines: &[Line<'_>]) -> SharedPackage {
    Box::new(TarPackage::new(label, lines))
}

/// The definitions, as they stand in `images/*/image.toml`.
pub fn specs() -> BTreeMap<String, ImageSpec> {
    let base = r#"
        description = "What all share."
        env = { PATH = "/usr/bin", LANG = "C.UTF-8" }
        [[layer]]
        name = "base"
        debian = ["libc6", "ca-certificates"]
        ca_bundle = "/etc/ssl/certs/ca-certificates.crt"
        exclude = ["usr/lib/**/*.a"]
        directory = [{ path = "/tmp", mode = "1777" }, { path = "/var/lib/app", mode = "0700", owner = 991 }]
        link = [{ path = "/bin", target = "usr/bin" }, { path = "/lib", target = "usr/lib" }]
        file = [{ path = "/etc/nsswitch.conf", content = "hosts: files dns\n" }]
        account = [{ name = "app", id = 991 }]
    "#;
    let app = r#"
        description = "The application."
        from = "base"
        user = { name = "app", id = 991 }
        working_dir = "/var/lib/app"
        ports = ["8008/tcp", "3478/udp"]
        env = { PATH = "/usr/local/bin:/usr/bin" }
        [[layer]]
        name = "application"
        debian = ["app"]
        include = ["usr/share/man/man1/app.1"]
    "#;
    let other = r#"
        description = "Another service."
        from = "base"
        user = { name = "other", id = 992 }
        [[layer]]
        name = "application"
        debian = ["other"]
    "#;
    [("base", base), ("app", app), ("other", other)].into_iter().map(|(name, text)| (name.to_owned(), toml::from_str(text).unwrap())).collect()
}

/// The packages of a layer.
pub fn packages(spec: &LayerSpec, reversed: bool) -> Vec<SharedPackage> {
    // Enough for several blocks of the compressor, and not all alike.
    let big: String = (0u64..150_000).map(|n| format!("{:x}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let long = format!("usr/lib/{}/deep", "long-directory-name/".repeat(8));
    let mut all: Vec<SharedPackage> = spec
        .debian
        .iter()
        .map(|name| match name.as_str() {
            "libc6" => boxed(
                "libc6 2.41-12",
                &[
                    ("usr/", 0o755, ""),
                    ("usr/bin/", 0o755, ""),
                    ("usr/lib/", 0o755, ""),
                    ("usr/lib/libc.so.6", 0o755, &big),
                    ("usr/lib/libc.so", 0o777, "->libc.so.6"),
                    ("usr/lib/libc-2.41.so", 0o755, "=>usr/lib/libc.so.6"),
                    ("usr/lib/x/libc.a", 0o644, "archive"),
                    ("usr/bin/su", 0o4755, "set-uid"),
                    (&long, 0o644, "long path"),
                    ("usr/share/doc/libc6/copyright", 0o644, "LGPL"),
                    ("usr/share/doc/libc6/changelog", 0o644, "long"),
                    ("usr/share/man/man1/ls.1", 0o644, "manual"),
                ],
            ),
            "ca-certificates" => boxed(
                "ca-certificates 20250419",
                &[
                    ("usr/share/ca-certificates/mozilla/B.crt", 0o644, "BBB"),
                    ("usr/share/ca-certificates/mozilla/A.crt", 0o644, "AAA\n"),
                    ("usr/share/ca-certificates/mozilla/README", 0o644, "no certificate"),
                ],
            ),
            "app" => boxed(
                "app 1.0",
                &[
                    ("usr/bin/app", 0o755, "program"),
                    ("var/lib/app/seed", 0o644, "seed"),
                    ("usr/share/man/man1/app.1", 0o644, "kept"),
                    ("usr/share/man/man1/other.1", 0o644, "left out"),
                ],
            ),
            name => boxed(&format!("{name} 2.0"), &[("usr/bin/other", 0o755, name)]),
        })
        .collect();
    if reversed {
        all.reverse();
    }
    all
}

/// What is rendered for the images.
pub fn contents(option: &str) -> BTreeMap<String, Content> {
    let file = |text: &str| FileContent { bytes: text.as_bytes().to_vec(), mode: 0o644 };
    let content = |name: &str| Content {
        files: BTreeMap::from([("/etc/synapse-site/launch.json".to_owned(), file("{}")), (format!("/etc/{name}/{name}.yaml"), file(option))]),
        cmd: vec!["run".into(), name.into()],
        labels: BTreeMap::from([("org.opencontainers.image.version".into(), "1.0".into())]),
    };
    ["app", "other"].into_iter().map(|name| (name.to_owned(), content(name))).collect()
}

/// The machine of these tests.
pub fn architecture() -> Arch {
    if cfg!(target_arch = "x86_64") { Arch::Amd64 } else { Arch::ARM64 }
}

/// The plans of the site, with one rendered option.
pub fn plans(option: &str, reversed: bool) -> Vec<ImagePlan> {
    let (specs, contents) = (specs(), contents(option));
    let site = Site {
        server_name: "example.com",
        repository: "localhost/synapse-site",
        specs: &specs,
        contents: &contents,
        launch: Path::new(LAUNCH),
        architecture: architecture(),
    };
    plan(&site, &mut |_, layer| Ok(packages(layer, reversed))).unwrap()
}

/// A directory for a test with a cache in it.
pub struct Place {
    pub directory: tempfile::TempDir,
    pub cache: Cache,
}

impl Place {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(directory.path().join("cache"))).unwrap();
        Self { directory, cache }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}
