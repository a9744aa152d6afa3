//! SIGKILL at each system call that changes something: never outputs of two builds, never a file of the user's missing.

use super::dice::Dice;
use super::support::{built, expect, tool};
use super::whole::{CALLS, Whole, can_trace, killed_at, quick};

use synapse_site::image::outdir;

/// What `render` may be refused for afterwards, and what it may not: secrets are made only where nothing is missing.
fn ready(whole: &Whole) -> bool {
    outdir::check_finished(&whole.out(), &["site.json"]).is_ok()
}

#[test]
fn at_each_system_call_of_render() {
    if !can_trace("killed_at_each_system_call_of_render") {
        return;
    }
    let dir = quick();
    let whole = Whole::new(dir.path(), "render");
    let (mut site, mut kills, mut unfinished) = (1, 0, 0);
    let mut points = Vec::new();
    for call in CALLS {
        for number in 1.. {
            let killed = killed_at(&whole.command(site), call, number);
            let when = format!("killed at {call} {number}");
            whole.check(dir.path(), &when);
            if !ready(&whole) {
                unfinished += 1;
            } else {
                assert!(whole.out().join("secrets").symlink_metadata().is_ok_and(|found| found.is_dir()), "{when}");
            }
            if !killed {
                whole.check_done(site, &when);
                break;
            }
            points.push((call, number));
            kills += 1;
            expect(&mut whole.command(site), 0, &[]);
            whole.check_done(site, &when);
            site = 1 - site;
        }
    }
    assert!(kills > 100 && unfinished > 5, "{kills} kills, {unfinished} between exchange and end");

    // A build that completes another one is killed, too.
    let mut dice = Dice::new();
    for _ in 0..40 {
        let from = points.iter().filter(|(call, _)| ["renameat2", "unlinkat", "fsync"].contains(call)).collect::<Vec<_>>();
        let mut when = String::new();
        for _ in 0..3 {
            let (call, number) = from[dice.below(from.len())];
            killed_at(&whole.command(site), call, *number);
            when += &format!("{call} {number}, ");
            whole.check(dir.path(), &when);
        }
        expect(&mut whole.command(site), 0, &[]);
        whole.check_done(site, &when);
        site = 1 - site;
    }
}

#[test]
fn in_the_end_of_a_build() {
    if !can_trace("killed_in_the_end_of_a_build") {
        return;
    }
    built();
    let dir = tempfile::tempdir().expect("a directory");
    let whole = Whole::new(dir.path(), "build");
    let mut site = 1;
    let mut refused = 0;
    // Each completes what the one before left, or is killed while it does; so these are at, before and after exchanges.
    for (call, number) in [("renameat2", 1), ("renameat2", 2), ("renameat2", 3), ("renameat2", 4), ("renameat2", 5), ("unlinkat", 2), ("rmdir", 1)] {
        killed_at(&whole.command(site), call, number);
        let when = format!("killed at {call} {number}");
        whole.check(dir.path(), &when);
        let ran = super::support::run(tool(&["secrets", "init", "out"]).current_dir(dir.path()));
        match ran.code {
            Some(0) => assert!(ran.out.contains("kept      signing_key"), "{when}: {ran:?}"),
            code => {
                assert!(code == Some(3) && ran.err.contains("synapse-site build SITE --out") && ran.err.contains("was killed"), "{when}: {ran:?}");
                refused += 1;
            }
        }
        site = 1 - site;
    }
    assert!(refused >= 2, "{refused}");
    expect(&mut whole.command(site), 0, &[]);
    whole.check_done(site, "after the last");
    let ran = expect(tool(&["secrets", "init", "out"]).current_dir(dir.path()), 0, &[]);
    assert!(ran.out.contains("kept      signing_key"), "{ran:?}");
}
