//! Lock files.

use synapse_site::definition::lock::{Archive, DebianLock, DebianPackage, PythonLock, WheelFile};
use tempfile::TempDir;

fn package(name: &str) -> DebianPackage {
    DebianPackage {
        name: name.into(),
        version: "1:1.3.dfsg+really1.3.1-1~deb13u1".into(),
        architecture: "amd64".into(),
        filename: format!("pool/main/p/{name}_1_amd64.deb"),
        archive: Archive::Security,
        size: 12,
        sha256: "a".repeat(64),
    }
}

fn wheel(name: &str) -> WheelFile {
    WheelFile {
        name: name.into(),
        version: "1.0".into(),
        filename: "x-1.0-py3-none-any.whl".into(),
        tag: "py3-none-any".into(),
        size: None,
        sha256: "b".repeat(64),
    }
}

#[test]
fn what_is_written_is_read_back_whatever_the_order() {
    let dir = TempDir::new().unwrap();
    let suites = ["trixie".to_owned()];
    let debian = DebianLock::new("trixie", "amd64", &suites, vec![package("zlib1g"), package("libc6")]);
    let same = DebianLock::new("trixie", "amd64", &suites, vec![package("libc6"), package("zlib1g")]);
    assert_eq!(debian.to_text().unwrap(), same.to_text().unwrap());
    let text = debian.to_text().unwrap();
    assert!(text.starts_with("# Written by `synapse-site lock`") && text.contains("archive = \"security\""), "{text}");
    let path = dir.path().join("debian.lock");
    std::fs::write(&path, &text).unwrap();
    assert_eq!(DebianLock::load(&path).unwrap(), debian);
    let python = PythonLock::new("3.13", vec![wheel("b"), wheel("a")]);
    let path = dir.path().join("python.lock");
    std::fs::write(&path, python.to_text().unwrap()).unwrap();
    assert_eq!(PythonLock::load(&path).unwrap(), python);
    assert_eq!(python.get("a").unwrap().name, "a");
}

#[test]
fn a_lock_that_was_tampered_with_is_refused_with_its_name() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("debian.lock");
    let lock = DebianLock::new("trixie", "amd64", &[], vec![package("a1"), package("b1")]);
    let text = lock.to_text().unwrap();
    let hash = "a".repeat(64);
    for (what, text) in [
        ("a short hash", text.replacen(&hash, "abc", 1)),
        ("an upper-case hash", text.replacen(&hash, &hash.to_uppercase(), 1)),
        ("an address", text.replacen("pool/", "http://example.com/", 1)),
        ("an escape", text.replacen("pool/", "../", 1)),
        ("an absolute path", text.replacen("pool/", "/", 1)),
        ("a query", text.replacen("pool/", "pool?", 1)),
        ("another suffix", text.replacen("amd64.deb", "amd64.sh", 1)),
        ("an option as a name", text.replacen("\"a1\"", "\"-o x\"", 1)),
        ("a doubled name", text.replacen("\"a1\"", "\"b1\"", 1)),
        ("another format", text.replacen("format = 1", "format = 2", 1)),
        ("an unknown field", text.replacen("size = 12", "size = 12\nurl = \"x\"", 1)),
        ("another archive", text.replacen("\"security\"", "\"elsewhere\"", 1)),
        ("no TOML", "{".to_owned()),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = DebianLock::load(&path).expect_err(what);
        assert!(error.to_string().contains("debian.lock") && error.to_string().contains("synapse-site lock"), "{what}: {error}");
        assert_eq!(error.exit_code(), 3);
    }
    assert!(DebianLock::load(&dir.path().join("none.lock")).unwrap_err().to_string().contains("no lock file"));
    let path = dir.path().join("python.lock");
    for bad in [
        WheelFile { name: "Not_Normal".into(), ..wheel("a") },
        WheelFile { filename: "../x.whl".into(), ..wheel("a") },
        WheelFile { version: "1.0 --index-url=x".into(), ..wheel("a") },
    ] {
        std::fs::write(&path, PythonLock::new("3.13", vec![bad]).to_text().unwrap()).unwrap();
        assert!(PythonLock::load(&path).is_err());
    }
}
