//! `secrets init` when it is killed, and when something else lies where it looks. A kill comes before each system call in turn
//! (strace), so that every state that a kill can leave is seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::json;

use crate::support::{Finished, Place, is_root, program};

const NAMES: [&str; 3] = ["admin", "macaroon", "signing_key"];

fn site() -> Place {
    let place = Place::new();
    place.write_plan(json!({ "format": 1, "server_name": "example.com", "roles": {}, "secrets": [
        { "name": "admin", "purpose": "A first password.", "make": "password" },
        { "name": "macaroon", "purpose": "Signs access tokens.", "make": "random" },
        { "name": "signing_key", "purpose": "Signs events.", "make": "signing_key" },
    ] }));
    place
}

/// Every file below the directory, hidden ones too.
fn content(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let Ok(entries) = fs::read_dir(directory) else { return BTreeMap::new() };
    entries.map(|entry| entry.unwrap()).map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

/// Runs `launch secrets init DIRECTORY` under strace with these options.
fn traced(place: &Place, directory: &Path, options: &[&str]) -> Finished {
    let strace = program("strace", "strace");
    let command = place.command(&["secrets", "init", directory.to_str().unwrap()]);
    let mut traced = Command::new("timeout");
    // As root, `launch` comes after the arguments of setpriv, and strace before it: strace then runs as nobody, too.
    let launch = env!("CARGO_BIN_EXE_launch");
    let before: Vec<_> = command.get_args().take_while(|argument| *argument != launch).collect();
    let after: Vec<_> = command.get_args().skip_while(|argument| *argument != launch).skip(usize::from(is_root())).collect();
    traced.args(["--kill-after=5", "60"]);
    if is_root() {
        traced.arg(command.get_program()).args(before);
    }
    traced.arg(strace).args(["-f", "-qq"]).args(options).arg(launch).args(after);
    traced.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Finished::from(traced.current_dir(place.path("")).output().unwrap())
}

/// Kills `secrets init` before each of its system calls, each time in an empty place, and looks at what is left.
fn killed_everywhere(faults: &[&str], least: usize) {
    let place = site();
    let trace = place.text("trace");
    let whole = traced(&place, &place.path("whole"), &[faults, &["-o", &trace]].concat());
    assert_eq!(whole.code, Some(0), "{whole:?}");
    let mut calls: BTreeMap<String, usize> = BTreeMap::new();
    // strace counts per thread; the sum is at least as many, and what is beyond the last call changes nothing.
    for line in fs::read_to_string(&trace).unwrap().lines() {
        let call = line.split_once(' ').unwrap().1.trim_start();
        let name: String = call.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        if call[name.len()..].starts_with('(') && !["execve", "exit_group"].contains(&&*name) {
            *calls.entry(name).or_default() += 1;
        }
    }
    let mut killed = 0;
    for (name, count) in &calls {
        for nth in 1..=*count {
            let case = format!("killed at {name} {nth}");
            let directory = place.path(&format!("{name}-{nth}"));
            let fault = format!("inject={name}:signal=KILL:when={nth}");
            let same = faults.iter().any(|fault| fault.contains(&format!("inject={name}:")));
            if same {
                continue;
            }
            let finished = traced(&place, &directory, &[faults, &["-o", "/dev/null", "-e", &fault]].concat());
            killed += usize::from(finished.code != Some(0));
            let seen: BTreeMap<_, _> = content(&directory).into_iter().filter(|(name, _)| !name.starts_with('.')).collect();
            let again = place.launch(&["secrets", "init", directory.to_str().unwrap()]);
            assert_eq!(again.code, Some(0), "{case}: {again:?}");
            let now = content(&directory);
            assert_eq!(now.keys().map(String::as_str).collect::<Vec<_>>(), NAMES, "{case}: litter");
            for (name, value) in &seen {
                assert_eq!(now[name], *value, "{case}: two values of {name}");
            }
            assert!(now["macaroon"].len() == 65 && now["admin"].len() == 21 && now["signing_key"].starts_with(b"ed25519 a_"), "{case}: half a secret");
        }
    }
    assert!(killed >= least, "only {killed} kills");
}

#[test]
fn a_kill_at_each_system_call_leaves_nothing() {
    killed_everywhere(&[], 60);
}

/// On a file system without files that have no name, as over the network.
#[test]
fn nor_does_it_where_temporary_files_need_names() {
    killed_everywhere(&["-e", "inject=linkat:error=EOPNOTSUPP"], 60);
}

#[test]
fn leftovers_of_the_version_before_go_and_nothing_else() {
    let place = site();
    let directory = place.make_directory("made");
    let ours = [".macaroon.Ab3xYz.new", ".signing_key.aaaaa0.new", ".macaroon.synapse-site-aBcDeF012345.new"];
    let theirs = [".macaroon.backup.new", ".macaroon.Ab3xYz", "macaroon.Ab3xYz.new", ".smtp_password.Ab3xYz.new", ".macaroon.Ab3xYzz.new", ".env", "notes"];
    for name in ours.iter().chain(&theirs) {
        place.write(&format!("made/{name}"), "text");
        // Temporary files belong to the user that the program runs as.
        if is_root() {
            std::os::unix::fs::chown(directory.join(name), Some(65534), Some(65534)).unwrap();
        }
    }
    fs::create_dir(directory.join(".admin.Ab3xYz.new")).unwrap();
    symlink("notes", directory.join(".admin.Ab3xYy.new")).unwrap();
    let finished = place.launch(&["secrets", "init", directory.to_str().unwrap()]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let now: BTreeSet<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let expected: BTreeSet<String> = theirs.iter().chain(&NAMES).chain(&[".admin.Ab3xYz.new", ".admin.Ab3xYy.new"]).map(|name| (*name).to_owned()).collect();
    assert_eq!(now, expected);
    assert!(ours.iter().all(|name| finished.stdout.contains(name)), "{finished:?}");
}

/// What is no file of the expected kind or size.
const ODD: [&str; 5] = ["a FIFO", "a socket", "a device", "a directory", "bytes"];

fn make_odd(kind: &str, path: &Path) {
    match kind {
        "a FIFO" => mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o666), 0).unwrap(),
        "a socket" => drop(UnixListener::bind(path).unwrap()),
        "a device" => symlink("/dev/zero", path).unwrap(),
        "a directory" => fs::create_dir(path).unwrap(),
        _ => fs::File::create(path).unwrap().set_len(1 << 28).unwrap(),
    }
}

fn clear(path: &Path) {
    if fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) { fs::remove_dir(path).unwrap() } else { fs::remove_file(path).unwrap() }
}

#[test]
fn whatever_lies_in_the_place_of_a_file_is_named_and_not_waited_for() {
    let place = site();
    place.secret("signing_key", "ed25519 a_One AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\n");
    place.secret("pepper", "one\n");
    place.write("x.in", "@@secret:pepper@@");
    place.write("bundle.pem", "bundle\n");
    let plan = json!({ "format": 1, "server_name": "example.com",
        "roles": {
            "it": {
                "exec": ["true"],
                "secrets": ["signing_key", "pepper"],
                "files": [{ "source": place.text("x.in"), "target": place.text("run/x"), "escape": "json" }],
                "trust": { "bundle": place.text("bundle.pem"), "certificates": [], "target": place.text("run/bundle.pem") },
                "prepare": { "synapse": {
                    "state": place.text("volume"), "signing_key_secret": "signing_key",
                    "pepper_secret": "pepper", "old_signing_keys": [],
                } },
            },
            "redis": { "exec": ["true"], "health": { "redis": { "port": 1, "password_secret": "pepper" } } },
        },
        "secrets": [{ "name": "macaroon", "purpose": "Signs access tokens.", "make": "random" }],
    });
    place.write_plan(plan);
    let made = place.make_directory("made");
    let made = made.to_str().unwrap();
    let run = ["run", "it"];
    let init = ["secrets", "init", made];
    let all = [
        ("plan.json", &run[..], 3),
        ("secrets/pepper", &run, 3),
        ("secrets/pepper", &["health", "redis"], 1),
        ("x.in", &run, 3),
        ("bundle.pem", &run, 3),
        ("volume/deployment.json", &run, 3),
        ("made/macaroon", &init, 3),
    ];
    assert_eq!(place.launch(&run).code, Some(0));
    for (name, arguments, code) in all {
        let path = place.path(name);
        let before = fs::read(&path).ok();
        for kind in ODD {
            if before.is_some() || path.exists() {
                clear(&path);
            }
            make_odd(kind, &path);
            let finished = place.launch(arguments);
            assert_eq!(finished.code, Some(code), "{kind} as {name}: {finished:?}");
            // Only a link leads to a device here, and where links are not followed, that is what is told.
            let told = kind == "a device" && finished.stderr.contains("a symbolic link") || finished.stderr.contains(kind);
            assert!(told && finished.stderr.contains(name.rsplit('/').next().unwrap()), "{kind} as {name}: {finished:?}");
            clear(&path);
            if let Some(before) = &before {
                fs::write(&path, before).unwrap();
            }
        }
    }
}

/// The tool on the target, which reads the list of secrets from what a build wrote.
#[test]
fn whatever_lies_in_the_place_of_the_builds_list_is_named_and_not_waited_for() {
    let place = site();
    let path = place.path("site.json");
    for kind in ODD {
        make_odd(kind, &path);
        let tool = env!("CARGO_BIN_EXE_synapse-site");
        let output = Command::new("timeout").args(["60", tool, "secrets", "init"]).arg(place.path("")).output().unwrap();
        Finished::from(output).failed(3, &["site.json", kind, "what to do"]);
        clear(&path);
    }
}

#[test]
fn whatever_lies_in_the_place_of_the_directory_is_named_and_not_waited_for() {
    let place = site();
    let path = place.path("made");
    for kind in ODD.into_iter().filter(|kind| *kind != "a directory") {
        make_odd(kind, &path);
        let finished = place.launch(&["secrets", "init", path.to_str().unwrap()]);
        finished.failed(3, &["made is"]);
        assert!(fs::symlink_metadata(&path).is_ok(), "{kind} is still there");
        clear(&path);
    }
}

#[test]
fn a_hard_link_from_elsewhere_keeps_its_mode() {
    let place = site();
    let directory = place.make_directory("made");
    let elsewhere = place.path("privkey.pem");
    place.write("privkey.pem", "hunter2\n");
    if is_root() {
        std::os::unix::fs::chown(&elsewhere, Some(65534), Some(65534)).unwrap();
    }
    let mode = |wanted: u32| fs::set_permissions(&elsewhere, fs::Permissions::from_mode(wanted)).unwrap();
    fs::hard_link(&elsewhere, directory.join("macaroon")).unwrap();
    place.write("made/admin", "\n");
    let arguments = ["secrets", "init", directory.to_str().unwrap()];
    for closed in [0o600, 0o640] {
        mode(closed);
        let finished = place.launch(&arguments);
        // Everything else is looked at, too, and nothing is made.
        finished.failed(3, &["macaroon", "name elsewhere", "mv ", "admin is empty"]);
        assert!(!directory.join("signing_key").exists() && !finished.stderr.contains("hunter2"), "{finished:?}");
        assert_eq!(fs::metadata(&elsewhere).unwrap().mode() & 0o7777, closed);
    }
    // What everybody may read already serves as it is.
    fs::remove_file(directory.join("admin")).unwrap();
    mode(0o644);
    assert_eq!(place.launch(&arguments).code, Some(0));
    assert_eq!(fs::metadata(&elsewhere).unwrap().mode() & 0o7777, 0o644);
    // The remedy, to the letter.
    mode(0o600);
    let said = place.launch(&arguments).stderr;
    let command = said.split('`').nth(1).unwrap();
    let done = Command::new("setpriv").args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", command]).status();
    if is_root() {
        assert!(done.unwrap().success(), "{command}");
        assert_eq!(place.launch(&arguments).code, Some(0));
        let modes = [&elsewhere, &directory.join("macaroon")].map(|path| fs::metadata(path).unwrap().mode() & 0o7777);
        assert_eq!(modes, [0o600, 0o444]);
    }
}

#[test]
fn a_file_that_is_mounted_from_elsewhere_keeps_its_mode() {
    if !is_root() {
        return;
    }
    let place = site();
    place.write("privkey.pem", "hunter2\n");
    fs::set_permissions(place.path("privkey.pem"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::create_dir(place.path("made")).unwrap();
    place.write("made/macaroon", "");
    let script = r#"mount --bind privkey.pem made/macaroon && exec "$0" secrets init made"#;
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_launch")])
        .current_dir(place.path(""))
        .env("SYNAPSE_SITE_PLAN", place.path("plan.json"))
        .output()
        .unwrap();
    Finished::from(output).failed(3, &["macaroon", "is mounted"]);
    assert_eq!(fs::metadata(place.path("privkey.pem")).unwrap().mode() & 0o7777, 0o600);
}

#[test]
fn a_file_of_another_user_is_no_secret() {
    if !is_root() {
        return;
    }
    let place = site();
    let directory = place.make_directory("made");
    place.write("made/macaroon", "hunter2\n");
    let macaroon = directory.join("macaroon");
    fs::set_permissions(&macaroon, fs::Permissions::from_mode(0o444)).unwrap();
    std::os::unix::fs::chown(&macaroon, Some(4711), None).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o1777)).unwrap();
    let arguments = ["secrets", "init", directory.to_str().unwrap()];
    place.launch(&arguments).failed(3, &["macaroon belongs to user 4711", "chown 65534 ", "1777"]);
    // The directory is closed now, and the file no better.
    place.launch(&arguments).failed(3, &["macaroon belongs to user 4711"]);
    std::os::unix::fs::chown(&macaroon, Some(0), None).unwrap();
    assert_eq!(place.launch(&arguments).code, Some(0), "root may do everything anyway");
}
