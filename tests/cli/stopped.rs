//! ^C, an end that a service manager asks for, and a closed terminal at several moments of a build: exit code 130, no output, no litter beside it or in the cache, and the next build is as ever.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::support::{Ran, SITE, borrow_cache, built, expect, names, tool, tree, with_site};

#[test]
fn an_interrupted_build_leaves_nothing() {
    let good = built();
    let dir = with_site(SITE);
    let cache = dir.path().join("cache");
    // Without layers, so that the build is busy making them, and with what it needs for that.
    borrow_cache(&cache, &["packages", "bytecode"]);
    let build = || {
        let mut command = tool(&["build", "site.yaml", "--out", "out"]);
        command.current_dir(dir.path()).env("SYNAPSE_SITE_CACHE", &cache);
        command
    };
    let mut stopped = 0;
    // The later half finds the layers in the cache and is stopped while it writes the archive.
    for (round, wait) in [30, 120, 250, 500, 1000, 2000, 60, 200, 400, 700, 1000, 1400].into_iter().enumerate() {
        if round == 6 {
            borrow_cache(&cache, &["layers"]);
        }
        let child = build().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
        std::thread::sleep(Duration::from_millis(wait));
        let signal = [Signal::INT, Signal::HUP, Signal::TERM][round % 3];
        kill_process(Pid::from_child(&child), signal).expect("signalled");
        let ran: Ran = child.wait_with_output().expect("ends").into();
        // Killed before its handler is there, or done before the signal: both are possible on a busy or a fast machine.
        if ran.code == Some(0) {
            assert!(round >= 6, "it cannot have made all layers in {wait} ms");
            std::fs::remove_dir_all(dir.path().join("out")).expect("removed");
        } else if ran.code.is_some() {
            assert_eq!(ran.code, Some(130), "{ran:?}");
            assert!(ran.err.contains("interrupted"), "{ran:?}");
            stopped += 1;
        }
        assert_eq!(names(dir.path()), ["cache", "site.yaml"], "after {wait} ms");
        assert!(!cache.join("tmp").exists() || names(&cache.join("tmp")).is_empty(), "after {wait} ms");
    }
    assert!(stopped >= 6, "only {stopped} builds were stopped");
    expect(&mut build(), 0, &[]);
    assert!(tree(&dir.path().join("out")) == good, "an interrupted build changed a later one");
}
