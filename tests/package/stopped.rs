//! A signal while byte code is made, and a sudden end. Each case is this test program again, as a child with handlers for signals
//! as the tool has them.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use synapse_site::interrupt;

use crate::bytecode::{Place, modules, nested};
use crate::make::walk;
use crate::processes::{around, runs, until};

/// Where the child finds its directory.
const CASE: &str = "SYNAPSE_SITE_TEST_STOPPED";

/// The interpreter's own linker starts it.
const INTERPRETER: &str = "--library-path";

/// The child.
#[test]
#[ignore = "the other tests run it in a process of its own"]
fn child() {
    let dir = std::env::var_os(CASE).unwrap();
    interrupt::install().unwrap();
    let _orderly = interrupt::orderly().unwrap();
    let source = nested(17);
    let package = modules(&["a", "b", "c", "d", "e", "f", "g", "h"].map(|name| (name, source.as_bytes())));
    let result = walk(&Place::at(Path::new(&dir)).compiled(&package, None));
    if let Err(error) = result {
        println!("{error}");
        std::process::exit(error.exit_code().into());
    }
}

/// Starts the child as a shell does, in a process group of its own, and waits until its interpreter runs.
fn compiling(dir: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "stopped::child", "--ignored", "--nocapture"]).env(CASE, dir).process_group(0);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    until(dir, &|found| runs(found, INTERPRETER));
    child
}

/// Signals the interpreter, and then the one who started it.
fn to_all(child: &Child, dir: &Path, signal: Signal) {
    for (pid, _) in around(dir).into_iter().filter(|(_, arguments)| arguments.contains(INTERPRETER)) {
        // It may have ended by itself in this moment.
        let _ended = kill_process(pid, signal);
    }
    std::thread::sleep(std::time::Duration::from_millis(20));
    // Its interpreter's end may have been enough for it.
    let _ended = kill_process(Pid::from_child(child), signal);
}

#[test]
fn a_signal_while_byte_code_is_made_is_an_interruption() {
    for round in 0..9 {
        let dir = tempfile::tempdir().unwrap();
        let child = compiling(dir.path());
        std::thread::sleep(std::time::Duration::from_millis(20 * round));
        match round % 3 {
            // ^C on a terminal.
            0 => kill_process_group(Pid::from_child(&child), Signal::INT).unwrap(),
            // A service manager ends all processes of a service.
            1 => to_all(&child, dir.path(), Signal::TERM),
            _ => to_all(&child, dir.path(), Signal::HUP),
        }
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(130), "round {round}: {text}");
        assert!(text.contains("interrupted") && !text.contains("the image's interpreter"), "round {round}: {text}");
        assert_eq!(around(dir.path()), [], "round {round}");
        assert_eq!(std::fs::read_dir(dir.path().join("cache/tmp")).unwrap().count(), 0, "round {round}");
    }
}

#[test]
fn nothing_is_left_of_byte_code_when_the_program_is_killed() {
    for round in 0..5 {
        let dir = tempfile::tempdir().unwrap();
        let mut child = compiling(dir.path());
        std::thread::sleep(std::time::Duration::from_millis(30 * round));
        kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
        child.wait().unwrap();
        until(dir.path(), &|found| found.is_empty());
    }
}
