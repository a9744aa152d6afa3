//! What the program starts ends with it, also when it is killed.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::processes::{runs, until};
use super::support::{SITE, tool, with_site};

fn start(command: &mut Command, dir: &Path) -> Child {
    command.current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts")
}

/// Kills the program and waits until nothing is left.
fn kill(child: &mut Child, dir: &Path) {
    kill_process(Pid::from_child(child), Signal::KILL).expect("killed");
    child.wait().expect("ends");
    until(dir, &|found| found.is_empty());
}

#[test]
fn nothing_is_left_of_apt_and_pip_when_the_program_is_killed() {
    let dir = with_site(SITE);
    // Connections are made, and nobody ever says anything.
    let silence = TcpListener::bind("127.0.0.1:0").expect("a port");
    let root = format!("http://{}", silence.local_addr().expect("its address"));
    let mut command = tool(&["build", "site.yaml", "--out", "out"]);
    command.env("SYNAPSE_SITE_CACHE", dir.path().join("cache")).env("http_proxy", "").env("PIP_CONFIG_FILE", "/dev/null");
    command.env("PIP_INDEX_URL", format!("{root}/simple")).env("SYNAPSE_SITE_DEBIAN_MIRROR", format!("{root}/debian"));
    command.env("SYNAPSE_SITE_DEBIAN_SECURITY_MIRROR", format!("{root}/security"));
    let mut child = start(&mut command, dir.path());
    until(dir.path(), &|found| runs(found, "apt/methods/http") && runs(found, "pip download"));
    kill(&mut child, dir.path());
}

#[test]
fn nothing_is_left_of_nix_when_the_program_is_killed() {
    let dir = with_site(SITE);
    let endless = "builtins.genericClosure { startSet = [ { key = 0; } ]; operator = x: [ { key = x.key + 1; } ]; }";
    std::fs::write(dir.path().join("site.nix"), format!("{{ server.server_name = builtins.length ({endless}); }}")).expect("written");
    let mut child = start(&mut tool(&["check", "site.nix"]), dir.path());
    until(dir.path(), &|found| runs(found, "nix --extra-experimental-features"));
    kill(&mut child, dir.path());
}
