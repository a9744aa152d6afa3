//! A running interpreter that compiles modules, one after the other, and what to say when it does not.

use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ChildStderr, ChildStdin, ChildStdout, ExitStatus};
use std::time::Duration;

use super::object;
use crate::child::Child;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::package::interpreter::{Interpreter, MEMORY};
use crate::package::patient::Patient;

/// How long the interpreter may take for one module. The largest of the locked packages takes 0.2 s.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// In place of a length; the helper says it.
const TOO_COMPLEX: u64 = u64::MAX - 1;
const TOO_LARGE: u64 = u64::MAX;
/// More byte code than this from one module is none: what the interpreter may use of memory holds no more.
const LONGEST: u64 = MEMORY;

const LEAVE_OUT: &str = "leave the module out with `exclude` in image.toml, or take another version of the package";

/// What became of a module.
pub enum Answer {
    /// So many bytes of byte code, which come next from [`Process::code`].
    Code(u64),
    /// It is not Python of this version.
    Refused,
    /// It is nested so deeply that no interpreter of this version imports it.
    TooComplex,
}

/// A running interpreter.
pub struct Process {
    child: Child,
    input: Option<Patient<ChildStdin>>,
    output: Patient<ChildStdout>,
    errors: Patient<ChildStderr>,
    patience: Duration,
}

impl Process {
    /// Starts the helper in an interpreter.
    pub fn start(interpreter: &Interpreter, helper: &str, patience: Duration) -> Result<Self> {
        let mut child = interpreter.start(helper)?;
        match (child.stdin(), child.stdout(), child.stderr()) {
            (Some(input), Some(output), Some(errors)) => {
                let failed = |error: io::Error| Error::environment(format!("cannot talk to the image's interpreter: {error}"), "report this as a defect");
                let input = Some(Patient::new(input, patience).map_err(failed)?);
                let output = Patient::new(output, patience).map_err(failed)?;
                let errors = Patient::new(errors, Duration::ZERO).map_err(failed)?;
                Ok(Self { child, input, output, errors, patience })
            }
            _ => Err(Error::environment("the image's interpreter has no input or output", "report this as a defect")),
        }
    }

    /// Compiles a module. `label` is its package's name, for errors.
    pub fn compile(&mut self, label: &str, path: &str, source: &[u8]) -> Result<Answer> {
        match self.ask(path, source) {
            Ok(0) => Ok(Answer::Refused),
            Ok(TOO_COMPLEX) => Ok(Answer::TooComplex),
            Ok(TOO_LARGE) => Err(too_large(label, path)),
            Ok(length) if length <= LONGEST => Ok(Answer::Code(length)),
            Ok(length) => Err(self.failed(label, path, &io::Error::other(format!("it answers with {length} bytes")))),
            Err(error) => Err(self.failed(label, path, &error)),
        }
    }

    /// The byte code of the last answer.
    pub fn code(&mut self) -> &mut impl Read {
        &mut self.output
    }

    fn ask(&mut self, path: &str, source: &[u8]) -> io::Result<u64> {
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        input.renew(self.patience);
        self.output.renew(self.patience);
        let mut head = Vec::with_capacity(path.len() + 12);
        object::frame(&mut head, path.as_bytes(), source.len() as u64)?;
        input.write_all(&head)?;
        input.write_all(source)?;
        let mut length = [0; 8];
        self.output.read_exact(&mut length)?;
        Ok(u64::from_le_bytes(length))
    }

    /// Waits for the orderly end.
    pub fn finish(mut self, label: &str) -> Result<()> {
        self.input = None;
        // Its output ends when it ends, or says something that nobody asked for.
        self.output.renew(self.patience);
        match self.output.read(&mut [0; 1]) {
            Ok(0) => {}
            Ok(_) => return Err(self.failed(label, "its last module", &io::Error::other("it says more than it was asked"))),
            Err(error) => return Err(self.failed(label, "its last module", &error)),
        }
        match self.child.wait_for(self.patience) {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(self.failed(label, "its last module", &io::Error::other(status.to_string()))),
            Err(error) => Err(self.failed(label, "its last module", &error)),
        }
    }

    /// What to say after an error; it ends the interpreter.
    pub fn failed(&mut self, label: &str, path: &str, error: &io::Error) -> Error {
        // What ended before we ended it has a reason of its own.
        let by_itself = self.child.try_wait().ok().flatten();
        let status = by_itself.or_else(|| self.child.end().ok());
        if let Err(interrupted) = interrupt::check() {
            return interrupted;
        }
        // A service manager's signals go to every process of ours.
        if status.is_some_and(was_asked_to_end) {
            return Error::Interrupted;
        }
        if error.kind() == io::ErrorKind::TimedOut {
            let seconds = self.patience.as_secs();
            return Error::environment(format!("the image's interpreter did not get {path} of {label} compiled in {seconds} s"), LEAVE_OUT);
        }
        let mut said = Vec::new();
        // What it said is a courtesy; the failure itself is told in any case.
        let _ended = (&mut self.errors).take(4096).read_to_end(&mut said);
        let said = String::from_utf8_lossy(&said);
        let reason = by_itself.filter(|status| !status.success()).map_or_else(|| error.to_string(), |status| status.to_string());
        let what = format!("the image's interpreter failed on {path} of {label}: {reason}; {}", last_lines(&said));
        Error::environment(what.trim_end_matches([' ', ';']).to_owned(), remedy(&said, by_itself.and_then(|status| status.signal())))
    }
}

fn too_large(label: &str, path: &str) -> Error {
    Error::environment(format!("{path} of {label} needs more than {} MiB of memory to be compiled", MEMORY >> 20), LEAVE_OUT)
}

fn was_asked_to_end(status: ExitStatus) -> bool {
    matches!(status.signal(), Some(libc::SIGINT | libc::SIGTERM | libc::SIGHUP)) || status.code() == Some(130)
}

fn last_lines(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(3)..].join("; ")
}

fn remedy(said: &str, signal: Option<i32>) -> &'static str {
    if said.contains("Too many open files") || said.contains("Error 24") {
        return "raise the limit on open files (`ulimit -n`)";
    }
    match signal {
        Some(libc::SIGSEGV | libc::SIGABRT | libc::SIGBUS) => LEAVE_OUT,
        // Nobody else kills it but the kernel when memory is short.
        Some(libc::SIGKILL) => "build on a machine with more free memory, or with fewer `--threads`",
        _ if said.contains("MemoryError") || said.contains("annot allocate memory") => "build with more free memory, or raise its limit (`ulimit -v`)",
        _ => "build on a machine of the image's own architecture; if it is one, report this as a defect",
    }
}
