//! Programs of the machine that are run to their end: apt and pip, its ordinary package clients, and Nix. Takes a command and
//! gives its output; a signal to us ends the program, too, and so does our own end ([`child`]).

use std::io::{self, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::child::{self, Child, Limits};
use crate::error::{Error, Result};
use crate::interrupt;

/// How often a running program is looked at.
const TICK: Duration = Duration::from_millis(25);

/// No file that is fetched is longer, in bytes, whatever a lock or a server says of its length.
pub const LONGEST: u64 = 2 << 30;

/// What a program may print, in bytes; the largest answer of those that we run is a few of MiB.
const MOST_SAID: u64 = 64 << 20;

/// What a program left.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to its standard output.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
    /// Whether it wrote more than is read, 64 MiB to one of both: then neither is whole.
    pub says_too_much: bool,
}

impl Output {
    /// The last lines of the messages, for an error: those that look like one, else the last few.
    pub fn complaint(&self) -> String {
        let all: Vec<&str> = self.stderr.lines().chain(self.stdout.lines()).map(str::trim).collect();
        let said = |line: &&&str| ["E:", "ERROR:", "error:"].iter().any(|mark| line.starts_with(mark));
        let errors: Vec<&str> = all.iter().filter(said).copied().collect();
        let lines = if errors.is_empty() { &all[all.len().saturating_sub(3)..] } else { &errors[..] };
        hide_credentials(&lines[..lines.len().min(5)].join("; "))
    }

    /// What to do when the messages say that a disk is full.
    pub fn disk_full(&self) -> Option<&'static str> {
        // The words for ENOSPC and EDQUOT in the locale that programs are run in.
        let full = ["No space left on device", "Disk quota exceeded"];
        full.iter().any(|words| self.stderr.contains(words)).then_some("free some space where the cache is, or choose another place for it: --cache DIR")
    }

    /// Whether the messages say that a file got longer than it may.
    pub fn too_long(&self) -> bool {
        self.stderr.contains("File too large")
    }
}

/// Runs a program to its end, with messages in English, without a terminal to ask on. `tick` is called while it runs.
///
/// # Errors
/// [`Error::Interrupted`] when we were asked to stop, an environment error when the program cannot be run; `missing` says
/// what to install.
pub fn run(command: &mut Command, missing: &str, tick: &mut dyn FnMut()) -> Result<Output> {
    run_within(command, &Limits::default(), missing, tick)
}

/// The same within limits.
///
/// # Errors
/// As [`run`].
pub fn run_within(command: &mut Command, limits: &Limits, missing: &str, tick: &mut dyn FnMut()) -> Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = run_whatever_it_says(command, limits, missing, tick)?;
    if output.says_too_much {
        return Err(Error::environment(format!("{name} prints more than {} MiB", MOST_SAID >> 20), "run it by hand and look at what it prints"));
    }
    Ok(output)
}

/// The same, also when it prints more than is read, which the output then says.
///
/// # Errors
/// As [`run`].
pub fn run_whatever_it_says(command: &mut Command, limits: &Limits, missing: &str, tick: &mut dyn FnMut()) -> Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    let cannot = |e: io::Error| match e.kind() {
        io::ErrorKind::NotFound => Error::environment(format!("the program {name} is not here"), missing),
        _ => Error::environment(format!("cannot run {name}: {e}"), child::remedy(&e).unwrap_or(missing)),
    };
    command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    interrupt::check()?;
    let mut child = child::spawn(command, limits, None).map_err(cannot)?;
    let (stdout, stderr) = (child.stdout(), child.stderr());
    let (status, stdout, stderr) = std::thread::scope(|scope| {
        let stdout = scope.spawn(|| read(stdout));
        let stderr = scope.spawn(|| read(stderr));
        let status = wait(&mut child, tick);
        (status, stdout.join(), stderr.join())
    });
    let text = |joined: std::thread::Result<io::Result<Vec<u8>>>| joined.unwrap_or_else(|_| Err(io::Error::other("its reader failed"))).map_err(cannot);
    let status = status.map_err(cannot)??;
    let (stdout, stderr) = (text(stdout)?, text(stderr)?);
    let says_too_much = [&stdout, &stderr].iter().any(|said| said.len() as u64 > MOST_SAID);
    let whole = |said: Vec<u8>| String::from_utf8_lossy(&said).into_owned();
    let output = Output { status, stdout: whole(stdout), stderr: whole(stderr), says_too_much };
    // A program that a signal ended, or that says so: the signal was meant for us as well.
    use std::os::unix::process::ExitStatusExt;
    if matches!(status.signal(), Some(libc::SIGHUP | libc::SIGINT | libc::SIGTERM)) || status.code() == Some(130) {
        return Err(Error::Interrupted);
    }
    interrupt::check()?;
    Ok(output)
}

fn wait(child: &mut Child, tick: &mut dyn FnMut()) -> io::Result<Result<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Ok(status));
        }
        if let Err(interrupted) = interrupt::check() {
            child.end()?;
            return Ok(Err(interrupted));
        }
        tick();
        std::thread::sleep(TICK);
    }
}

/// All that comes, and one byte more than is taken at most; a program that says too much gets no further, because nobody reads on.
fn read(pipe: Option<impl Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(MOST_SAID + 1).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Takes user names and passwords out of the URLs in a text.
pub fn hide_credentials(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, after) = rest.split_at(start + 3);
        out.push_str(before);
        let authority = after.find(['/', ' ', '\'', '"', '\n']).unwrap_or(after.len());
        rest = match after[..authority].rfind('@') {
            Some(at) => &after[at + 1..],
            None => after,
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_mirrors_are_not_shown() {
        assert_eq!(hide_credentials("a 'http://me:pw@host/x' and https://h/p@q ftp://u@h"), "a 'http://host/x' and https://h/p@q ftp://h");
    }

    #[test]
    fn a_missing_program_is_named_with_what_to_install() {
        let error = run(&mut Command::new("no-such-program-here"), "install it", &mut || {}).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        assert!(error.to_string().contains("no-such-program-here") && error.to_string().contains("install it"));
    }

    #[test]
    fn a_program_that_prints_for_ever_is_ended() {
        let error = run(Command::new("sh").args(["-c", "yes & wait"]), "", &mut || {}).unwrap_err();
        assert!(error.to_string().contains("more than 64 MiB"), "{error}");
    }

    #[test]
    fn what_a_program_leaves_running_ends_with_it() {
        let output = run(Command::new("sh").args(["-c", "sleep 1000 & echo $!"]), "", &mut || {}).unwrap();
        assert!(!std::path::Path::new("/proc").join(output.stdout.trim()).join("exe").exists());
    }

    #[test]
    fn a_file_that_grows_too_long_is_an_error_of_its_write() {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits { file_size: Some(1000), ..Limits::default() };
        let output = run_within(Command::new("sh").args(["-c", "yes > x"]).current_dir(dir.path()), &limits, "", &mut || {}).unwrap();
        assert!(output.stderr.contains("File too large"), "{output:?}");
        assert_eq!(dir.path().join("x").metadata().unwrap().len(), 1000);
    }

    #[test]
    fn output_and_status_come_back() {
        let output = run(Command::new("sh").args(["-c", "echo out; echo E: no >&2; exit 7"]), "", &mut || {}).unwrap();
        assert_eq!((output.status.code(), output.stdout.as_str()), (Some(7), "out\n"));
        assert_eq!(output.complaint(), "E: no");
    }
}
