//! The first signal ends every verb, with exit code 130, wherever it stands: while Nix waits, while nobody reads what is
//! printed, while a server does not answer. Nothing of it is left.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::processes::{around, runs, until};
use super::support::{SITE, names, tool, with_site};

/// Far longer than an end takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts it, sends one signal once it stands where it should, and expects the end.
#[track_caller]
fn ends(command: &mut Command, signal: Signal, stands: impl FnOnce(u32)) {
    let mut child = command.stdin(Stdio::null()).spawn().expect("runs");
    stands(child.id());
    assert_eq!(child.try_wait().expect("known"), None, "it ended by itself: {command:?}");
    kill_process(Pid::from_child(&child), signal).expect("signalled");
    let end = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().expect("known") {
            break status;
        }
        if Instant::now() > end {
            child.kill().expect("killed");
            child.wait().expect("ends");
            panic!("one {signal:?} did not end {command:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code(), Some(130), "{signal:?} to {command:?}");
}

#[test]
fn while_nix_waits_for_a_fifo() {
    for signal in [Signal::INT, Signal::TERM] {
        for verb in
            [&["check", "site.nix"][..], &["check", "--json", "site.nix"], &["render", "site.nix", "--out", "out"], &["build", "site.nix", "--out", "out"]]
        {
            let dir = tempfile::tempdir().expect("a directory");
            fs::write(dir.path().join("site.nix"), "import ./other.nix\n").expect("written");
            assert!(Command::new("mkfifo").arg(dir.path().join("other.nix")).status().expect("runs").success());
            let mut command = tool(verb);
            command.current_dir(dir.path()).env("SYNAPSE_SITE_CACHE", dir.path().join("cache")).stdout(Stdio::null()).stderr(Stdio::null());
            ends(&mut command, signal, |_| drop(until(dir.path(), &|found| runs(found, "nix-command"))));
            assert!(around(dir.path()).is_empty(), "{verb:?} left {:?}", around(dir.path()));
            assert_eq!(names(dir.path()), ["other.nix", "site.nix"], "{verb:?}");
        }
    }
}

/// A pipe that takes no more, for standard output or standard error.
fn full() -> (std::io::PipeReader, std::io::PipeWriter) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let flags = rustix::fs::fcntl_getfl(&writer).expect("flags");
    rustix::fs::fcntl_setfl(&writer, flags | rustix::fs::OFlags::NONBLOCK).expect("set");
    while rustix::io::write(&writer, &[b' '; 4096]).is_ok() {}
    while rustix::io::write(&writer, b" ").is_ok() {}
    rustix::fs::fcntl_setfl(&writer, flags).expect("set");
    (reader, writer)
}

/// Waits until a process sleeps more than it works.
fn stands(pid: u32) {
    let mut calm = 0;
    let until = Instant::now() + Duration::from_secs(60);
    while calm < 15 && Instant::now() < until {
        let state = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).unwrap_or_default();
        let sleeps = state.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('S'));
        calm += usize::from(sleeps);
        std::thread::sleep(Duration::from_millis(25));
    }
    assert!(calm == 15, "process {pid} does not wait: {:?}", fs::read_to_string(format!("/proc/{pid}/cmdline")));
}

#[test]
fn while_nobody_reads() {
    let dir = with_site(SITE);
    fs::write(dir.path().join("wrong.yaml"), "server: 5\n").expect("written");
    fs::create_dir(dir.path().join("made")).expect("made");
    fs::write(dir.path().join("made/site.json"), r#"{"kind": "build", "secrets": []}"#).expect("written");
    let verbs: &[&[&str]] = &[
        &["--help"],
        &["check", "site.yaml"],
        &["check", "--json", "site.yaml"],
        &["check", "wrong.yaml"],
        &["check", "--explain", "all"],
        &["schema"],
        &["schema", "--format", "markdown", "email.smtp_port"],
        &["render", "site.yaml", "--out", "rendered"],
        &["build", "wrong.yaml", "--out", "out"],
        &["inspect", "site.yaml"],
        &["secrets", "init", "made"],
        &["new", "example.org"],
        &["lock", "--images", "nowhere"],
    ];
    for (at, verb) in verbs.iter().enumerate() {
        let (mut reader, writer) = full();
        let mut command = tool(verb);
        command.current_dir(dir.path()).env("SYNAPSE_SITE_CACHE", dir.path().join("cache"));
        command.stdout(writer.try_clone().expect("a second")).stderr(writer);
        ends(&mut command, if at % 2 == 0 { Signal::INT } else { Signal::TERM }, stands);
        drop(command);
        let mut said = Vec::new();
        reader.read_to_end(&mut said).expect("read");
        assert!(said.iter().all(|byte| *byte == b' '), "{verb:?} said more than a full pipe takes");
    }
}

#[test]
fn while_a_server_does_not_answer() {
    let dir = with_site(SITE);
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("images");
    for verb in [&["build", "site.yaml", "--out", "out"][..], &["lock"]] {
        let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", silent.local_addr().expect("an address"));
        let mut command = tool(verb);
        command.arg("--images").arg(&images).current_dir(dir.path()).env("SYNAPSE_SITE_CACHE", dir.path().join("cache"));
        command.envs(["SYNAPSE_SITE_DEBIAN_MIRROR", "SYNAPSE_SITE_DEBIAN_SECURITY_MIRROR", "PIP_INDEX_URL"].map(|name| (name, &address)));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        ends(&mut command, Signal::INT, |_| drop(silent.accept().expect("somebody asks")));
        assert!(around(dir.path()).is_empty(), "{verb:?} left {:?}", around(dir.path()));
        assert_eq!(names(dir.path()), ["cache", "site.yaml"], "{verb:?}");
    }
}
