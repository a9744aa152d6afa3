//! The machine's own Python as an image's interpreter: real files of Debian's packages, taken from where they are installed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use synapse_site::definition::Python;
use synapse_site::package::cache::Cache;
use synapse_site::package::deb::Deb;
use synapse_site::package::interpreter::Interpreter;
use tempfile::TempDir;

use crate::make::{Probe, deb_bytes, deb_of, member, tar};

/// An interpreter, and the package that it is from.
pub struct Machine {
    pub package: Probe<Deb>,
    pub python: Python,
}

impl Machine {
    /// Packs `/usr/bin/python3` with its libraries and the modules that it starts with.
    pub fn new() -> Self {
        let program = std::fs::canonicalize("/usr/bin/python3").expect("Debian's Python");
        let version = program.to_string_lossy().trim_start_matches("/usr/bin/python").to_owned();
        let home = PathBuf::from(format!("/usr/lib/python{version}"));
        let mut members = vec![file(&program)];
        for dir in [home.clone(), home.join("encodings")] {
            members
                .extend(std::fs::read_dir(dir).expect("its modules").map(|entry| entry.unwrap().path()).filter(|path| is_module(path)).map(|path| file(&path)));
        }
        let libraries = Command::new("ldd").arg(&program).output().expect("ldd");
        for line in String::from_utf8(libraries.stdout).unwrap().lines() {
            let Some(path) = line.split_whitespace().find(|word| word.starts_with('/')).map(Path::new) else { continue };
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let content = std::fs::read(path).expect("a library");
            members.push(member(format!("./usr/lib/{}-linux-gnu/{name}", std::env::consts::ARCH).as_bytes(), b'0', b"", &content));
        }
        let python = Python {
            interpreter: program.to_string_lossy().into_owned(),
            site_packages: format!("usr/local/lib/python{version}/dist-packages"),
            version,
            requirements: Vec::new(),
            provided: Default::default(),
            interpreter_packages: Vec::new(),
        };
        Self { package: deb_of(&deb_bytes("data.tar", &tar(&members))), python }
    }

    /// The interpreter, unpacked in a cache of its own.
    pub fn unpacked(&self) -> (TempDir, Interpreter) {
        let dir = TempDir::new().unwrap();
        let cache = Cache::open(Some(dir.path().join("cache"))).unwrap();
        let program = self.python.interpreter.trim_start_matches('/');
        let interpreter = Interpreter::unpack(&cache, program, &self.python.version, std::slice::from_ref(&self.package.package)).unwrap();
        (dir, interpreter)
    }
}

fn is_module(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "py")
}

fn file(path: &Path) -> Vec<u8> {
    member(format!(".{}", path.display()).as_bytes(), b'0', b"", &std::fs::read(path).expect("a file"))
}

/// What was told.
#[derive(Default)]
pub struct Told(std::sync::Mutex<Vec<String>>);

impl Told {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    pub fn all(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }
}

impl synapse_site::package::progress::Progress for Told {
    fn step(&self, what: &str) {
        self.0.lock().unwrap().push(what.to_owned());
    }
}
