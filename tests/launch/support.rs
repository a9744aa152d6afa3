//! A place for one test: a plan, secrets and a run directory, and ways to start `launch` in it. PostgreSQL refuses to run as
//! root, so `launch` is started as the user nobody when the tests run as root.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

const NOBODY: u32 = 65534;

/// Whether the tests run as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A directory of one test, with everything that `launch` looks for.
pub struct Place {
    directory: TempDir,
    path: String,
}

impl Place {
    pub fn new() -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap(), path: std::env::var("PATH").unwrap() };
        place.own(place.directory.path());
        for name in ["secrets", "run", "volume"] {
            place.make_directory(name);
        }
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The path as text, for plans.
    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub fn make_directory(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        self.own(&path);
        path
    }

    fn own(&self, path: &Path) {
        if is_root() {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }

    pub fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Gives a file to the user that `launch` runs as, and to nobody else.
    pub fn private(&self, name: &str) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
        self.own(&self.path(name));
    }

    pub fn secret(&self, name: &str, content: &str) {
        self.write(&format!("secrets/{name}"), content);
    }

    /// Adds a directory in front of `PATH`.
    pub fn prefer_programs_in(&mut self, directory: &Path) {
        self.path = format!("{}:{}", directory.display(), self.path);
    }

    /// Writes a plan with one role, `it`.
    pub fn plan(&self, role: Value) {
        self.write_plan(json!({ "format": 1, "server_name": "example.com", "roles": { "it": role } }));
    }

    pub fn write_plan(&self, plan: Value) {
        self.write("plan.json", &plan.to_string());
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let launch = env!("CARGO_BIN_EXE_launch");
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args([&format!("--reuid={NOBODY}"), &format!("--regid={NOBODY}"), "--clear-groups", launch]);
            command
        } else {
            Command::new(launch)
        };
        command
            .args(arguments)
            .env("PATH", &self.path)
            .env("SYNAPSE_SITE_PLAN", self.path("plan.json"))
            .env("SYNAPSE_SITE_SECRETS", self.path("secrets"))
            .env("SYNAPSE_SITE_RUN", self.path("run"))
            .current_dir(self.directory.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs `launch` to its end, which has to come: a service that it starts by mistake would run for ever.
    pub fn launch(&self, arguments: &[&str]) -> Finished {
        let command = self.command(arguments);
        let mut limited = Command::new("timeout");
        limited.args(["--signal=INT", "--kill-after=5", "60"]).arg(command.get_program()).args(command.get_args());
        limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Finished::from(limited.current_dir(self.directory.path()).stdin(Stdio::null()).output().unwrap())
    }

    /// Starts `launch run it` with its output in `log`.
    pub fn start(&self) -> Running {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        let child = self.command(&["run", "it"]).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        Running(child)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Asks for the health of `it` until it is well.
    pub fn until_healthy(&self) {
        let begun = Instant::now();
        loop {
            let health = self.launch(&["health", "it"]);
            if health.code == Some(0) {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "never well: {}\n{}", health.stderr, self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// What a run of `launch` gave.
#[derive(Debug)]
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Finished {
    fn from(output: Output) -> Self {
        Self { code: output.status.code(), stdout: String::from_utf8(output.stdout).unwrap(), stderr: String::from_utf8(output.stderr).unwrap() }
    }
}

impl Finished {
    /// Asserts the exit code and that standard error holds each of these.
    pub fn failed(&self, code: i32, expected: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for text in expected {
            assert!(self.stderr.contains(text), "{text:?} is not in:\n{}", self.stderr);
        }
    }
}

/// A started process that does not outlive its test.
pub struct Running(pub Child);

impl Running {
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.0.id().cast_signed()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for the end, which has to come soon.
    pub fn end(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "the process does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn stderr(&mut self) -> String {
        let mut text = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already ended is as good.
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// A port of 127.0.0.1 that nothing listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The path of a program, or a failure that names the package to install. Debian's own places come first: programs in
/// somebody's home directory cannot be run by the user nobody.
pub fn program(name: &str, package: &str) -> PathBuf {
    let path = format!("/usr/bin:/usr/sbin:{}", std::env::var("PATH").unwrap());
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("there is no {name}: install the Debian package {package}"))
}

/// Waits until a condition holds.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what} does not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}
