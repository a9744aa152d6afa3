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
use super::whole::{can_trace, traced};

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
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
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
        ends(&mut command, [Signal::INT, Signal::TERM, Signal::HUP][at % 3], stands);
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
    for (verb, signal) in
        [(&["build", "site.yaml", "--out", "out"][..], Signal::INT), (&["build", "site.yaml", "--out", "out"], Signal::HUP), (&["lock"], Signal::HUP)]
    {
        let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", silent.local_addr().expect("an address"));
        let mut command = tool(verb);
        command.arg("--images").arg(&images).current_dir(dir.path()).env("SYNAPSE_SITE_CACHE", dir.path().join("cache"));
        command.envs(["SYNAPSE_SITE_DEBIAN_MIRROR", "SYNAPSE_SITE_DEBIAN_SECURITY_MIRROR", "PIP_INDEX_URL"].map(|name| (name, &address)));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        ends(&mut command, signal, |_| drop(silent.accept().expect("somebody asks")));
        assert!(around(dir.path()).is_empty(), "{verb:?} left {:?}", around(dir.path()));
        assert_eq!(names(dir.path()), ["cache", "site.yaml"], "{verb:?}");
    }
}

#[test]
fn a_hangup_that_was_ignored_from_the_start_stays_so() {
    // As `nohup` starts it.
    let (_reader, writer) = full();
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" schema", env!("CARGO_BIN_EXE_synapse-site")]).stdout(writer).stderr(Stdio::null());
    ends(&mut command, Signal::TERM, |pid| {
        stands(pid);
        kill_process(Pid::from_raw(pid.try_into().expect("a number")).expect("a process"), Signal::HUP).expect("signalled");
        stands(pid);
    });
}

#[test]
fn while_the_handlers_are_installed() {
    if !can_trace("while_the_handlers_are_installed") {
        return;
    }
    let dir = with_site(SITE);
    let mut command = tool(&["check", "site.yaml"]);
    command.current_dir(dir.path());
    let log = dir.path().join("log");
    let ran = traced(&command, &["-e", "trace=rt_sigaction", "-o", log.to_str().expect("UTF-8")]).output().expect("strace runs");
    assert!(ran.status.success(), "{ran:?}");
    let log = fs::read_to_string(log).expect("a log");
    let is_ours = |line: &&str| ["SIGINT", "SIGTERM", "SIGHUP"].iter().any(|name| line.contains(&format!("rt_sigaction({name}, ")));
    let calls: Vec<&str> = log.lines().filter(|line| line.contains("rt_sigaction(")).collect();
    let first = calls.iter().position(is_ours).expect("a handler");
    let last = calls.iter().rposition(is_ours).expect("a handler");
    assert!(last >= first + 2, "{calls:?}");
    for number in first + 1..=last + 1 {
        for signal in ["INT", "TERM", "HUP"] {
            let inject = format!("inject=rt_sigaction:signal={signal}:when={number}");
            let ran = traced(&command, &["-e", "trace=rt_sigaction", "-o", "/dev/null", "-e", &inject]).output().expect("strace runs");
            assert_eq!(ran.status.code(), Some(130), "SIG{signal} at {number}, {}: {ran:?}", calls[number - 1]);
        }
    }
}
