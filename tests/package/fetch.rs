//! Fetching, with the machine's own apt and pip and mirrors in a directory. The environment decides which mirrors there
//! are, so each case runs this test program again as a child with an environment of its own.

use std::path::Path;
use std::process::{Command, Output};

use synapse_site::package::cache::Cache;
use synapse_site::package::lock::{Archive, DebianLock, DebianPackage, PythonLock, WheelFile};
use synapse_site::package::progress::Silent;
use synapse_site::package::{fetch, hash};
use tempfile::TempDir;

use crate::make::{deb_bytes, files_below, member, tar, wheel_bytes, xz};

/// Where the child finds the case: a directory with `cache`, `debian.lock` and `python.lock`.
const CASE: &str = "SYNAPSE_SITE_TEST_FETCH";

struct Case {
    dir: TempDir,
    debs: Vec<DebianPackage>,
    wheels: Vec<WheelFile>,
}

impl Case {
    /// Two packages and one wheel in mirrors on the disk.
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let (mut debs, mut wheels) = (Vec::new(), Vec::new());
        for (name, archive, root) in [("one", Archive::Main, "debian"), ("two", Archive::Security, "security")] {
            let bytes = deb_bytes("data.tar.xz", &xz(&tar(&[member(b"./x", b'0', b"", name.as_bytes())])));
            let filename = format!("pool/main/{name}_1.0+b~1_all.deb");
            let path = dir.path().join(root).join(&filename);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &bytes).unwrap();
            let (sha256, size) = (hash::sha256_file(&path).unwrap(), bytes.len() as u64);
            debs.push(DebianPackage { name: name.into(), version: "1.0+b~1".into(), architecture: "all".into(), filename, archive, size, sha256 });
        }
        let filename = "my_probe-1.0-py3-none-any.whl".to_owned();
        let path = dir.path().join("index").join(&filename);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, wheel_bytes(&[("probe.py", b"")])).unwrap();
        let sha256 = hash::sha256_file(&path).unwrap();
        wheels.push(WheelFile { name: "my-probe".into(), version: "1.0".into(), filename, tag: "py3-none-any".into(), size: None, sha256 });
        Self { dir, debs, wheels }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    /// Runs `fetch::ensure` in a child; `environment` comes on top.
    fn ensure(&self, environment: &[(&str, &str)]) -> Output {
        let debian = DebianLock::new("trixie", "amd64", &[], self.debs.clone());
        std::fs::write(self.path("debian.lock"), debian.to_text().unwrap()).unwrap();
        std::fs::write(self.path("python.lock"), PythonLock::new("3.13", self.wheels.clone()).to_text().unwrap()).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "fetch::child", "--nocapture"]).env(CASE, self.dir.path());
        child.env("SYNAPSE_SITE_DEBIAN_MIRROR", format!("file:{}", self.path("debian").display()));
        child.env("SYNAPSE_SITE_DEBIAN_SECURITY_MIRROR", format!("file:{}", self.path("security").display()));
        child.env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", self.path("index"));
        child.envs(environment.iter().copied()).output().unwrap()
    }

    fn cached(&self) -> usize {
        let packages = self.path("cache/packages");
        if packages.exists() { files_below(&packages).len() } else { 0 }
    }
}

/// The child. Without a case there is nothing to do.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(CASE) else { return };
    let dir = Path::new(&dir);
    let result = (|| {
        let debian = DebianLock::load(&dir.join("debian.lock"))?;
        let python = PythonLock::load(&dir.join("python.lock"))?;
        let cache = Cache::open(Some(dir.join("cache")))?;
        fetch::ensure_verified(&cache, &[&debian], &[&python], &Silent)
    })();
    if let Err(error) = result {
        println!("{error}");
        std::process::exit(error.exit_code().into());
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_full_cache_needs_no_program_and_no_mirror() {
    let case = Case::new();
    let output = case.ensure(&[]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(case.cached(), 3);
    assert_eq!(files_below(&case.path("cache/tmp")), Vec::<std::path::PathBuf>::new());
    for root in ["debian", "security", "index"] {
        std::fs::remove_dir_all(case.path(root)).unwrap();
    }
    let output = case.ensure(&[("PATH", ""), ("SYNAPSE_SITE_DEBIAN_MIRROR", "not a mirror"), ("SYNAPSE_SITE_PIP", "/nonexistent")]);
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn a_damaged_file_in_the_cache_is_fetched_again() {
    let case = Case::new();
    assert!(case.ensure(&[]).status.success());
    let path = files_below(&case.path("cache/packages")).remove(0);
    let before = std::fs::read(&path).unwrap();
    std::fs::write(&path, "damaged").unwrap();
    assert!(case.ensure(&[]).status.success());
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn all_packages_that_are_gone_are_named_and_the_rest_is_kept() {
    let mut case = Case::new();
    for name in ["gone-a", "gone-b"] {
        let filename = format!("pool/main/{name}_2_all.deb");
        let sha256 = hash::sha256_text(name);
        case.debs.push(DebianPackage { name: name.into(), version: "2".into(), filename, sha256, ..case.debs[0].clone() });
    }
    for name in ["lost-a", "lost-b"] {
        let (filename, sha256) = (format!("{name}-3-py3-none-any.whl"), hash::sha256_text(name));
        case.wheels.push(WheelFile { name: name.into(), version: "3".into(), filename, sha256, ..case.wheels[0].clone() });
    }
    let output = case.ensure(&[]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    for part in ["gone-a 2", "gone-b 2", "lost-a 3", "lost-b 3", "synapse-site lock"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("my-probe"), "{text}");
    assert_eq!(case.cached(), 3);
}

#[test]
fn another_content_under_a_locked_name_never_gets_in() {
    for file in ["debian/pool/main/one_1.0+b~1_all.deb", "index/my_probe-1.0-py3-none-any.whl"] {
        let case = Case::new();
        std::fs::write(case.path(file), "replaced").unwrap();
        let output = case.ensure(&[]);
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        assert!(!said(&output).contains("no longer offered"), "{}", said(&output));
        assert_eq!(case.cached(), 2);
    }
}

#[test]
fn no_network_is_told_as_that() {
    let case = Case::new();
    let nobody = "http://127.0.0.1:9/debian";
    let output = case.ensure(&[("SYNAPSE_SITE_DEBIAN_MIRROR", nobody), ("http_proxy", "")]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("one") && text.contains("network") && !text.contains("no longer offered"), "{text}");
}

#[test]
fn a_missing_mirror_or_client_is_told_with_what_to_do() {
    let case = Case::new();
    let output = case.ensure(&[("SYNAPSE_SITE_DEBIAN_MIRROR", "no url"), ("SYNAPSE_SITE_DEBIAN_SECURITY_MIRROR", "no url")]);
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&output).contains("SYNAPSE_SITE_DEBIAN_MIRROR"), "{}", said(&output));
    let output = Case::new().ensure(&[("SYNAPSE_SITE_PIP", "/nonexistent/pip")]);
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&output).contains("python3-pip"), "{}", said(&output));
}
