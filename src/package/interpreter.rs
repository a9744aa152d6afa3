//! The image's own Python, run on this machine without root and without a container. Takes the interpreter's Debian
//! packages, unpacks the few files that it needs to start into the cache's temporary directory, and gives a command that
//! runs it through its own dynamic linker with its own libraries: the host's Python and C library play no part.

use std::env::consts::OS;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::cache::Cache;
use super::confinement::Confinement;
use super::deb::Deb;
use super::{Entry, Kind, Package};
use crate::child::{self, Child, Confine, Limits};
use crate::error::{Error, Result};
use crate::scratch::Scratch;

/// The C library's dynamic linkers, of amd64 and arm64.
const LOADERS: [&str; 2] = ["ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"];

/// The address space that the interpreter may use, in bytes. The largest module of the locked packages takes 86 MiB; dense
/// code takes 620 bytes a byte of source, so this is enough for all that is compiled at all.
pub const MEMORY: u64 = 1536 << 20;
/// What else it may use. Files of the length 0: none can be written. A stack of always the same size, since how deeply a
/// source may be nested must not depend on the machine.
const LIMITS: Limits = Limits { file_size: Some(0), memory: Some(MEMORY), data: None, stack: Some(8 << 20), open_files: Some(64), core: Some(0) };

/// Refuses a machine on which the interpreter cannot run: it is a program for Linux, and so is what confines it. Where it is
/// refused, no image can be made of Debian packages and wheels; a verb that makes one asks this first. `system` is that of
/// this program, as [`OS`] has it.
///
/// # Errors
/// An environment error that says where such an image can be made.
pub fn check_system(system: &str) -> Result<()> {
    if system == "linux" {
        return Ok(());
    }
    let shown = if system == "macos" { "macOS" } else { system };
    Err(Error::environment(
        format!("images cannot be put together on {shown}: it takes programs for Linux, such as the image's interpreter"),
        "run this on Linux, or build the site with Nix, which hands the work to a Linux builder (docs/nix.md, \"From a Mac\"); `check` and `render` work here",
    ))
}

/// An unpacked interpreter; its files go with the value.
pub struct Interpreter {
    root: Scratch,
    loader: PathBuf,
    program: PathBuf,
    /// Whether it runs without, which only the measurement of the cost asks for.
    unconfined: bool,
    /// What of its confinement the kernel cannot enforce, known after the first start.
    lacking: OnceLock<Vec<&'static str>>,
}

impl Interpreter {
    /// Unpacks the interpreter whose path in the image is `program`.
    ///
    /// # Errors
    /// An environment error when a package is damaged, or the packages hold no such interpreter or no C library; that of
    /// [`check_system`].
    pub fn unpack(cache: &Cache, program: &str, version: &str, packages: &[Deb]) -> Result<Self> {
        check_system(OS)?;
        let root = cache.scratch()?;
        let home = format!("usr/lib/python{version}");
        let mut loader = None;
        for package in packages {
            package.walk(&mut |entry, content| {
                if !is_needed(entry, program, &home) {
                    return Ok(());
                }
                let path = root.path().join(&entry.path);
                write(&path, entry, content).map_err(|e| Error::io("unpack", &path, &e))?;
                if matches!(entry.kind, Kind::File { .. }) && LOADERS.iter().any(|name| path.ends_with(name)) {
                    loader = Some(path);
                }
                Ok(())
            })?;
        }
        // Python warns when this directory is not there.
        let extensions = root.path().join(&home).join("lib-dynload");
        fs::create_dir_all(&extensions).map_err(|e| Error::io("make the directory", &extensions, &e))?;
        let lacks = |what: &str| {
            let names: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
            Error::environment(format!("{what} is in none of {}", names.join(", ")), "complete python.interpreter_packages in image.toml")
        };
        let path = root.path().join(program);
        if !path.is_file() {
            return Err(lacks(program));
        }
        Ok(Self { loader: loader.ok_or_else(|| lacks("the dynamic linker"))?, program: path, root, unconfined: false, lacking: OnceLock::new() })
    }

    /// The same without confinement, within limits all the same: to measure what confinement costs. No verb asks for it.
    #[doc(hidden)]
    pub fn unconfined(mut self) -> Self {
        self.unconfined = true;
        self
    }

    /// Starts the interpreter on a program text, with pipes, within limits, and confined as far as the kernel can: it reads
    /// its own directory and nothing else, writes no file, opens no socket and starts no program. Nothing of this process'
    /// environment reaches it.
    ///
    /// # Errors
    /// An environment error when it cannot be started.
    pub fn start(&self, text: &str) -> Result<Child> {
        if self.unconfined {
            return child::spawn(&mut self.command(text), &LIMITS, None).map_err(|error| cannot_start(&error));
        }
        let (confinement, lacking) = Confinement::new(self.root.path());
        match child::spawn(&mut self.command(text), &LIMITS, Some(Box::new(confinement) as Box<dyn Confine>)) {
            Ok(child) => {
                let _known = self.lacking.set(lacking);
                Ok(child)
            }
            // A kernel, or a filter around us, that knows the one and refuses to take it on.
            Err(error) if error.raw_os_error() == Some(child::NOT_CONFINED) => {
                let _known = self.lacking.set(vec!["Landlock", "seccomp"]);
                child::spawn(&mut self.command(text), &LIMITS, None).map_err(|error| cannot_start(&error))
            }
            Err(error) => Err(cannot_start(&error)),
        }
    }

    /// What of the confinement this kernel did not enforce at the first [`start`](Self::start): nothing, or names such as
    /// `Landlock`.
    pub fn lacking(&self) -> &[&'static str] {
        self.lacking.get().map_or(&[], Vec::as_slice)
    }

    fn command(&self, text: &str) -> Command {
        let mut command = Command::new(&self.loader);
        // Relative to the working directory: both programs split a list of paths, at `:`, and the loader replaces `$LIB`.
        let libraries = self.loader.parent().and_then(|dir| dir.strip_prefix(self.root.path()).ok()).unwrap_or(Path::new("."));
        command.arg("--library-path").arg(libraries).arg(&self.program);
        // Isolation by -I would ignore the two variables below, too; an empty environment isolates as well. No site, nothing
        // written, no warnings about other people's sources.
        command.args(["-S", "-s", "-P", "-B", "-X", "utf8", "-W", "ignore", "-c", text]);
        command.env_clear().env("PYTHONHOME", "usr").env("PYTHONHASHSEED", "0");
        command.current_dir(self.root.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

fn cannot_start(error: &io::Error) -> Error {
    let remedy = child::remedy(error).unwrap_or(match error.raw_os_error() {
        Some(libc::EACCES) => "choose a place for the cache whose file system may hold programs (mounted without `noexec`): --cache DIR",
        _ => "build on a machine of the image's own architecture",
    });
    Error::environment(format!("cannot start the image's interpreter: {error}"), remedy)
}

/// The program, the libraries of the C library's directory, and the modules that Python starts with.
fn is_needed(entry: &Entry, program: &str, home: &str) -> bool {
    let (dir, name) = entry.path.rsplit_once('/').unwrap_or(("", &entry.path));
    entry.path == program
        || (dir.starts_with("usr/lib/") && dir.ends_with("-linux-gnu") && dir.matches('/').count() == 2 && name.contains(".so"))
        || ((dir == home || dir.strip_prefix(home) == Some("/encodings")) && name.ends_with(".py"))
}

fn write(path: &Path, entry: &Entry, content: &mut dyn io::Read) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match &entry.kind {
        Kind::File { .. } => {
            io::copy(content, &mut fs::File::create(path)?)?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        }
        // Only between neighbours, libz.so.1 → libz.so.1.3.1: no link here leads out of the directory.
        Kind::Symlink { target } if !target.contains('/') && target != ".." => std::os::unix::fs::symlink(target, path),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_system_is_refused_with_the_way_out() {
        assert!(check_system(OS).is_ok());
        let said = check_system("macos").unwrap_err().to_string();
        for words in ["cannot be put together on macOS", "a Linux builder", "docs/nix.md", "`check` and `render` work here"] {
            assert!(said.contains(words), "no {words:?} in {said}");
        }
        assert!(std::fs::read_to_string("docs/nix.md").unwrap().contains("\n## From a Mac\n"));
    }
}
