//! Byte code, with the machine's Python as the image's: whatever a package holds, its layer has the same bytes, or an error says
//! what to do.

use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use synapse_site::definition::Python;
use synapse_site::error::Result;
use synapse_site::package::bytecode::{Compiled, Compiler};
use synapse_site::package::cache::Cache;
use synapse_site::package::deb::Deb;
use synapse_site::package::progress::Silent;
use synapse_site::package::{Entry, Package};
use tempfile::TempDir;

use crate::machine::{Machine, Told};
use crate::make::{Probe, deb, files_below, member, walk};

fn python() -> Python {
    Python {
        version: "3.13".into(),
        interpreter: "/usr/bin/python3.13".into(),
        site_packages: "usr/local/lib/python3.13/dist-packages".into(),
        requirements: Vec::new(),
        provided: Default::default(),
        interpreter_packages: Vec::new(),
    }
}

/// A package of modules.
pub fn modules(sources: &[(&str, &[u8])]) -> Probe<Deb> {
    let name = |name: &str| format!("./usr/lib/python3/dist-packages/{name}.py").into_bytes();
    deb(&sources.iter().map(|(module, source)| member(&name(module), b'0', b"", source)).collect::<Vec<_>>())
}

/// A cache and the machine's interpreter.
pub struct Place {
    dir: PathBuf,
    _own: Option<TempDir>,
    machine: Machine,
    told: Arc<Told>,
}

impl Place {
    fn new() -> Self {
        let own = TempDir::new().unwrap();
        let place = Self::at(own.path());
        Self { _own: Some(own), ..place }
    }

    /// With a cache in a directory that is there.
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), _own: None, machine: Machine::new(), told: Told::new() }
    }

    pub fn compiled(&self, package: &Probe<Deb>, patience: Option<Duration>) -> Compiled {
        let cache = Cache::open(Some(self.dir.join("cache"))).unwrap();
        let mut compiler = Compiler::new(cache, &self.machine.python, vec![self.machine.package.package.clone()], self.told.clone());
        if let Some(patience) = patience {
            compiler = compiler.patience(patience);
        }
        Compiled::new(Box::new(package.package.clone()), Arc::new(compiler), Arc::new(|_: &Entry| true), "")
    }

    fn walk(&self, package: &Probe<Deb>) -> Result<Vec<(Entry, Vec<u8>)>> {
        walk(&self.compiled(package, None))
    }

    fn objects(&self) -> Vec<PathBuf> {
        let dir = self.dir.join("cache/bytecode");
        if dir.exists() { files_below(&dir) } else { Vec::new() }
    }
}

/// The paths of the byte code.
fn code(entries: &[(Entry, Vec<u8>)]) -> Vec<&str> {
    entries.iter().map(|(entry, _)| entry.path.as_str()).filter(|path| path.ends_with(".pyc")).collect()
}

/// A source whose byte code doubles with each of so many blocks: each `finally` is compiled twice.
pub fn nested(blocks: usize) -> String {
    let mut source = String::new();
    for depth in 0..blocks {
        let indent = " ".repeat(depth);
        source += &format!("{indent}try: pass\n{indent}finally:\n");
    }
    source + &" ".repeat(blocks) + "pass\n"
}

#[test]
fn a_package_without_modules_needs_no_interpreter() {
    let dir = TempDir::new().unwrap();
    let cache = Cache::open(Some(dir.path().to_owned())).unwrap();
    let compiler = Arc::new(Compiler::new(cache, &python(), Vec::new(), Arc::new(Silent)));
    let probe = deb(&[member(b"./usr/share/x.py", b'0', b"", b"1"), member(b"./usr/bin/x", b'0', b"", b"2")]);
    let compiled = Compiled::new(Box::new(probe.package.clone()), compiler, Arc::new(|_: &Entry| true), "");
    assert_eq!(walk(&compiled).unwrap(), walk(&probe.package).unwrap());
    assert_ne!(compiled.key(), probe.package.key());
}

#[test]
fn an_interpreter_that_is_not_in_its_packages_is_told() {
    let dir = TempDir::new().unwrap();
    let cache = Cache::open(Some(dir.path().to_owned())).unwrap();
    let probe = deb(&[member(b"./usr/lib/python3/dist-packages/x.py", b'0', b"", b"x = 1\n")]);
    let compiler = Arc::new(Compiler::new(cache, &python(), vec![probe.package.clone()], Arc::new(Silent)));
    let compiled = Compiled::new(Box::new(probe.package.clone()), compiler, Arc::new(|_: &Entry| true), "");
    let error = walk(&compiled).unwrap_err();
    assert!(error.to_string().contains("usr/bin/python3.13") && error.to_string().contains("interpreter_packages"), "{error}");
}

#[test]
fn an_object_that_is_not_of_this_package_is_made_again() {
    let place = Place::new();
    let (one, two, none) = (modules(&[("a", b"x = 1\n")]), modules(&[("b", b"y = 2\n")]), deb(&[member(b"./x", b'0', b"", b"1")]));
    let good = place.walk(&one).unwrap();
    let object = place.objects().remove(0);
    for other in [&two, &none] {
        place.walk(other).unwrap();
    }
    let sound = std::fs::read(&object).unwrap();
    let others: Vec<Vec<u8>> = place.objects().iter().filter(|path| **path != object).map(|path| std::fs::read(path).unwrap()).collect();
    assert_eq!(others.len(), 2);
    // As the version before wrote them: frames and a sum, without a key. This one has no frames.
    let old = {
        use sha2::Digest as _;
        sha2::Sha256::digest(b"").to_vec()
    };
    let flipped = {
        let mut flipped = sound.clone();
        flipped[100] ^= 1;
        flipped
    };
    for wrong in others.into_iter().chain([old, flipped, Vec::new(), sound[..sound.len() - 1].to_vec()]) {
        std::fs::write(&object, &wrong).unwrap();
        assert!(place.walk(&one).unwrap() == good, "{} bytes gave another package", wrong.len());
        assert!(std::fs::read(&object).unwrap() == sound);
    }
}

#[test]
fn what_the_interpreter_refuses_is_shipped_without_byte_code() {
    let place = Place::new();
    let large = "x = 1\n".repeat((31 << 20) / 6);
    let deep = format!("a = 0{}\n", " + 1".repeat(100_000));
    let package = modules(&[("bad", b"x = \n"), ("deep", deep.as_bytes()), ("good", b"x = 1\n"), ("large", large.as_bytes()), ("zero", b"\0")]);
    let entries = place.walk(&package).unwrap();
    assert_eq!(code(&entries).len(), 1, "{:?}", code(&entries));
    assert!(code(&entries)[0].contains("good"));
    assert_eq!(entries.len(), 6);
    let told = place.told.all();
    assert!(told.contains("large.py") && told.contains("deep.py") && !told.contains("good.py"), "{told}");
    assert!(place.walk(&package).unwrap() == entries, "from the cache");
}

#[test]
fn a_source_that_needs_more_memory_than_there_is_for_it_is_named() {
    let place = Place::new();
    let error = place.walk(&modules(&[("explodes", nested(20).as_bytes())])).unwrap_err().to_string();
    assert!(error.contains("explodes.py") && error.contains("1536 MiB") && error.contains("`exclude`"), "{error}");
    assert_eq!(place.objects(), Vec::<PathBuf>::new());
}

#[test]
fn a_source_that_takes_for_ever_is_named() {
    let place = Place::new();
    let error = walk(&place.compiled(&modules(&[("slow", nested(18).as_bytes())]), Some(Duration::from_millis(200)))).unwrap_err().to_string();
    assert!(error.contains("slow.py") && error.contains("`exclude`"), "{error}");
}

#[test]
fn a_kernel_that_cannot_confine_gives_the_same_bytes_and_is_named_once() {
    let packages = [modules(&[("a", b"x = 1\n")]), modules(&[("b", b"y = 2\n")])];
    let walk_all = |place: &Place| packages.iter().map(|package| place.walk(package).unwrap()).collect::<Vec<_>>();
    let confined = Place::new();
    let expected = walk_all(&confined);
    assert_eq!(confined.told.all(), "");
    // From here on this thread has an older kernel, or a stricter container around it.
    let refused = [libc::SYS_landlock_create_ruleset, libc::SYS_landlock_restrict_self, libc::SYS_seccomp];
    let rules = refused.into_iter().map(|call| (call, Vec::new())).collect();
    let (allow, refuse) = (SeccompAction::Allow, SeccompAction::Errno(libc::EPERM as u32));
    let filter = SeccompFilter::new(rules, allow, refuse, std::env::consts::ARCH.try_into().unwrap()).unwrap();
    seccompiler::apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
    let place = Place::new();
    assert!(walk_all(&place) == expected);
    let told = place.told.all();
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("Landlock") && told.contains("seccomp"), "{told}");
}

#[test]
fn too_few_open_files_are_told_as_that() {
    let place = Place::new();
    let package = modules(&[("a", b"x = 1\n")]);
    let mut failed = 0;
    let before = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    for more in 0..12 {
        let compiled = place.compiled(&package, None);
        // Whoever started this test may have left it open files, too: what counts is how many more it may open.
        let lowest = rustix::io::dup(std::io::stderr()).unwrap().as_raw_fd();
        let limit = rustix::process::Rlimit { current: Some(u64::try_from(lowest).unwrap() + more), ..before };
        rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
        let result = walk(&compiled);
        rustix::process::setrlimit(rustix::process::Resource::Nofile, before).unwrap();
        for object in place.objects() {
            std::fs::remove_file(object).unwrap();
        }
        if let Err(error) = result {
            let error = error.to_string();
            assert!(error.contains("`ulimit -n`"), "{error}");
            failed += 1;
        }
    }
    assert!(failed >= 3, "{failed}");
}
