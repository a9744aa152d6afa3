//! Power failures. The outputs are written to a file system in a file; at several moments that file is copied, which has what
//! the file system gave to its disk until then and nothing more; the copy is mounted (its journal is replayed) and looked at.
//! Before the second copy of each moment another program syncs a file of its own: names then reach the disk before contents that
//! nobody synced, as they also do by themselves within seconds.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::dice::Dice;
use super::small::small;
use super::support::{expect, skip};
use super::whole::{CALLS, Whole, can_trace, killed_at, traced};

/// A file system that is mounted as long as the value lives.
struct Mounted(PathBuf);

impl Mounted {
    fn new(image: &Path, place: &Path, options: &str) -> Result<Self, String> {
        fs::create_dir_all(place).expect("made");
        run(Command::new("mount").args(["-t", "ext4", "-o", options]).arg(image).arg(place))?;
        Ok(Self(place.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let ended = run(Command::new("umount").arg(&self.0));
        assert!(std::thread::panicking() || ended.is_ok(), "{ended:?}");
    }
}

fn run(command: &mut Command) -> Result<String, String> {
    let ran = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let words = String::from_utf8_lossy(&ran.stderr).trim().to_owned();
    if ran.status.success() { Ok(String::from_utf8_lossy(&ran.stdout).trim().to_owned()) } else { Err(format!("{command:?}: {words}")) }
}

/// A disk, and what its file system has been asked to keep.
struct Disk {
    dir: tempfile::TempDir,
    options: String,
    mounted: Mounted,
    statistics: PathBuf,
}

impl Disk {
    fn new(options: &str, megabytes: u64) -> Result<Self, String> {
        let dir = tempfile::tempdir().expect("a directory");
        let image = dir.path().join("disk");
        File::create(&image).and_then(|file| file.set_len(megabytes << 20)).expect("a file");
        run(Command::new("mkfs.ext4").args(["-q", "-J", "size=4", "-E", "lazy_itable_init=0,lazy_journal_init=0"]).arg(&image))?;
        let options = format!("loop,{options}");
        let mounted = Mounted::new(&image, &dir.path().join("live"), &options)?;
        let device = run(Command::new("losetup").args(["--noheadings", "--output", "NAME", "--associated"]).arg(&image))?;
        let statistics = Path::new("/sys/block").join(Path::new(&device).file_name().expect("a name")).join("stat");
        Ok(Self { dir, options, mounted, statistics })
    }

    fn live(&self) -> &Path {
        &self.mounted.0
    }

    /// Requests that the disk has done and those that it is doing.
    fn statistics(&self) -> (String, bool) {
        let text = fs::read_to_string(&self.statistics).expect("statistics");
        let busy = text.split_whitespace().nth(8) != Some("0");
        (text.split_whitespace().skip(4).take(3).collect(), busy)
    }

    /// What the disk has when the power fails now.
    fn cut(&self) -> (Mounted, tempfile::TempDir) {
        let place = tempfile::tempdir_in(self.dir.path()).expect("a directory");
        let copy = place.path().join("disk");
        loop {
            let before = self.statistics();
            run(Command::new("cp").args(["--sparse=always"]).arg(self.dir.path().join("disk")).arg(&copy)).expect("a copy");
            // Else something was written while it was copied: no disk was ever like that.
            if !before.1 && self.statistics() == before {
                break;
            }
        }
        let mounted = Mounted::new(&copy, &place.path().join("after"), &self.options).expect("a file system that can be mounted");
        (mounted, place)
    }

    /// Another program syncs a file.
    fn sync_other(&self) {
        let mut file = File::create(self.live().join("other")).expect("made");
        file.write_all(b"x").and_then(|()| file.sync_all()).expect("synced");
    }

    fn check(&self, whole: &Whole, when: &str) {
        let look = |when: String| {
            let (mounted, _place) = self.cut();
            whole.check(&mounted.0, &when);
        };
        look(format!("{}, power failure {when}", self.options));
        self.sync_other();
        look(format!("{}, power failure {when}, after another program's sync", self.options));
    }
}

/// How often each system call is made by a command.
fn counts(command: &Command, log: &Path) -> Vec<(&'static str, usize)> {
    let calls: Vec<String> = CALLS.iter().map(|call| format!("?{call}")).collect();
    run(&mut traced(command, &["-e", &format!("trace={}", calls.join(",")), "-o", log.to_str().expect("UTF-8")])).expect("traced");
    let log = fs::read_to_string(log).expect("a log");
    let count = |call: &str| log.lines().filter(|line| line.split_whitespace().nth(1).is_some_and(|word| word.starts_with(&format!("{call}(")))).count();
    CALLS.iter().map(|&call| (call, count(call))).filter(|(_, count)| *count > 0).collect()
}

/// Writes two sites by turns, and cuts the power: after the end, at every exchange, and at moments that the seed chooses.
fn survives(disk: &Disk, whole: &Whole, moments: usize, dice: &mut Dice) {
    run(&mut Command::new("sync")).expect("synced");
    let mut site = 1;
    expect(&mut whole.command(site), 0, &[]);
    disk.check(whole, "after the end");
    site = 1 - site;
    let counts = counts(&whole.command(site), &disk.dir.path().join("log"));
    disk.check(whole, "after the end");
    let exchanges = counts.iter().find(|(call, _)| *call == "renameat2").expect("an exchange").1;
    let mut chosen: Vec<(&str, usize)> = (1..=exchanges).map(|number| ("renameat2", number)).collect();
    for _ in 0..moments {
        let (call, count) = counts[dice.below(counts.len())];
        chosen.push((call, 1 + dice.below(count)));
    }
    for (call, number) in chosen {
        site = 1 - site;
        let when = format!("at {call} {number}");
        killed_at(&whole.command(site), call, number);
        disk.check(whole, &when);
        expect(&mut whole.command(site), 0, &[]);
        whole.check_done(site, &when);
    }
    disk.check(whole, "after the end");
}

/// The disk, or a note that the test was skipped.
fn disk(test: &str, options: &str, megabytes: u64) -> Option<Disk> {
    if !can_trace(test) {
        return None;
    }
    let disk = Disk::new(options, megabytes);
    disk.map_err(|reason| skip(test, &format!("a file system in a file cannot be mounted: {reason}"))).ok()
}

#[test]
fn a_power_failure_leaves_the_old_outputs_or_the_new_ones() {
    let mut dice = Dice::new();
    for options in ["data=ordered", "data=writeback"] {
        let Some(disk) = disk("a_power_failure_leaves_the_old_outputs_or_the_new_ones", options, 48) else { return };
        survives(&disk, &Whole::new(disk.live(), "render"), 12, &mut dice);
    }
}

#[test]
fn a_power_failure_leaves_the_old_build_or_the_new_one() {
    // With an archive, of small images; what is in the cache lies on another disk.
    let Some(disk) = disk("a_power_failure_leaves_the_old_build_or_the_new_one", "data=writeback", 128) else { return };
    let small = small();
    // With what a debugger wants the launcher is far larger than all the rest.
    run(Command::new("strip").arg("-o").arg(small.path().join("launch")).arg(env!("CARGO_BIN_EXE_launch"))).expect("stripped");
    let arguments = ["images", "cache", "launch"].map(|name| [format!("--{name}").into(), small.path().join(name).into_os_string()]).concat();
    survives(&disk, &Whole::with(disk.live(), "build", arguments), 8, &mut Dice::new());
}
