//! From the arguments to the service: what is checked, what is written, what the service gets, how a wait ends.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Finished, Place, Running, eventually, free_port, is_root, program};

#[test]
fn wrong_arguments_are_answered_with_the_usage() {
    let place = Place::new();
    place.plan(json!({ "exec": ["true"] }));
    for arguments in [&[][..], &["run"], &["jump"], &["run", "it", "now"], &["secrets", "show"], &["run", "other"]] {
        let finished = place.launch(arguments);
        assert_eq!(finished.code, Some(2), "{arguments:?}: {finished:?}");
    }
    place.launch(&["run", "other"]).failed(2, &["no role \"other\"", "it has: it"]);
    let help = place.launch(&["--help"]);
    assert!(help.code == Some(0) && help.stdout.contains("launch health ROLE"), "{help:?}");
}

#[test]
fn a_plan_that_is_missing_broken_or_of_another_format_is_an_error() {
    let place = Place::new();
    place.launch(&["run", "it"]).failed(3, &["cannot read the plan", "what to do"]);
    place.write("plan.json", "{");
    place.launch(&["run", "it"]).failed(3, &["cannot be understood"]);
    place.write_plan(json!({ "format": 2, "something": "new" }));
    place.launch(&["run", "it"]).failed(3, &["has format 2"]);
}

#[test]
fn everything_that_is_missing_is_reported_at_once() {
    let place = Place::new();
    place.secret("empty", "\n");
    place.plan(json!({
        "exec": ["true"],
        "secrets": ["absent", "empty"],
        "writable": [place.text("no-volume"), "/proc"],
    }));
    place.launch(&["run", "it"]).failed(
        3,
        &[
            "the secret absent is missing",
            "the secret empty is empty",
            &place.text("no-volume"),
            "cannot write to the directory /proc",
            "synapse-site secrets init",
            "compose file",
        ],
    );
}

#[test]
fn a_directory_in_memory_that_is_full_is_found_before_the_service_finds_it() {
    if !is_root() {
        return;
    }
    let place = Place::new();
    place.plan(json!({ "exec": ["true"], "writable": [place.text("volume")] }));
    // Without space, files can still be made, but nothing written into them.
    let script = r#"mount -t tmpfs -o size=4k none volume && chmod 1777 volume && { head -c 9000 /dev/zero > volume/x || true; } && exec "$@""#;
    let launch = place.command(&["run", "it"]);
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(launch.get_program()).args(launch.get_args()).current_dir(place.path(""));
    command.envs(launch.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Finished::from(command.output().unwrap()).failed(3, &["volume is full", "free some space"]);
}

#[test]
fn a_service_that_is_not_in_the_image_is_found_out_before_anything_else() {
    let place = Place::new();
    place.plan(json!({ "exec": ["no-such-program"], "secrets": ["absent"] }));
    place.launch(&["run", "it"]).failed(3, &["no program \"no-such-program\""]);
}

#[test]
fn the_service_gets_completed_files_its_environment_and_nothing_secret_in_its_arguments() {
    let python = program("python3", "python3");
    let place = Place::new();
    // A tmpfs that was mounted open is closed.
    fs::set_permissions(place.path("run"), fs::Permissions::from_mode(0o755)).unwrap();
    place.secret("pepper", "p\"e\\p\tper: ä\n");
    place.secret("turn", "hunter2\n");
    place.write("yaml.in", "pepper: \"@@secret:pepper@@\"\nname: example.com\n");
    place.write("conf.in", "secret=@@secret:turn@@\n");
    let (yaml, conf) = (place.text("run/sub/x.yaml"), place.text("run/x.conf"));
    let code = "import os, sys, json; files = sys.argv[1:]; \
                print(json.dumps([open(f).read() for f in files] + [os.environ['GREETING'], os.environ.get('SYNAPSE_SITE_RUN'), \
                open('/proc/self/cmdline').read()])); sys.exit(7)";
    place.plan(json!({
        "exec": [python, "-c", code, yaml, conf],
        "env": { "GREETING": "hello" },
        "secrets": ["pepper", "turn"],
        "writable": [place.text("volume")],
        "files": [
            { "source": place.text("yaml.in"), "target": yaml, "escape": "json" },
            { "source": place.text("conf.in"), "target": conf, "escape": "plain" },
        ],
    }));
    let finished = place.launch(&["run", "it"]);
    assert_eq!(finished.code, Some(7), "the exit code is the service's own: {finished:?}");
    let said: Vec<Option<String>> = serde_json::from_str(&finished.stdout).unwrap();
    let completed: serde_json::Value = serde_yaml::from_str(said[0].as_deref().unwrap()).unwrap();
    assert_eq!(completed["pepper"], "p\"e\\p\tper: ä");
    assert_eq!(said[1].as_deref(), Some("secret=hunter2\n"));
    assert_eq!(said[2].as_deref(), Some("hello"));
    assert_eq!(said[3], None);
    assert!(!said[4].as_deref().unwrap().contains("hunter2"));
    assert!(!finished.stderr.contains("hunter2") && !finished.stderr.contains("per: ä"));
    for (path, mode) in [(&yaml, 0o600), (&conf, 0o600), (&place.text("run/sub"), 0o700), (&place.text("run"), 0o700)] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode, "{path}");
    }
}

#[test]
fn certificate_authorities_are_added_to_those_of_the_image() {
    let python = program("python3", "python3");
    let place = Place::new();
    // No line end at the end of the first: the next one's first line has to stay a line.
    place.write("bundle.pem", "the world's");
    place.write("ours.pem", "ours\n");
    let target = place.text("run/authorities.pem");
    let code = "import os; path = os.environ['SSL_CERT_FILE']; print(path, repr(open(path).read()))";
    let trust = |target: &str| json!({ "bundle": place.text("bundle.pem"), "certificates": [place.text("ours.pem")], "target": target });
    place.plan(json!({ "exec": [python, "-c", code], "trust": trust(&target) }));
    assert_eq!(place.launch(&["run", "it"]).stdout, format!("{target} \"the world's\\nours\\n\"\n"));
    place.plan(json!({ "exec": ["true"], "trust": trust(&place.text("elsewhere.pem")) }));
    place.launch(&["run", "it"]).failed(3, &["elsewhere.pem outside of"]);
    place.plan(json!({ "exec": ["true"], "trust": { "bundle": place.text("none.pem"), "certificates": [], "target": target } }));
    place.launch(&["run", "it"]).failed(3, &["none.pem"]);
}

#[test]
fn a_value_that_a_file_cannot_hold_writes_no_file_at_all() {
    let place = Place::new();
    place.secret("good", "fine\n");
    place.secret("bad", "hunter2 hunter3\n");
    place.write("a.in", "@@secret:good@@");
    place.write("b.in", "@@secret:bad@@");
    place.plan(json!({
        "exec": ["true"],
        "secrets": ["good", "bad"],
        "files": [
            { "source": place.text("a.in"), "target": place.text("run/a"), "escape": "plain" },
            { "source": place.text("b.in"), "target": place.text("run/b"), "escape": "plain" },
        ],
    }));
    let finished = place.launch(&["run", "it"]);
    finished.failed(3, &["the secret bad cannot be written", "secrets/bad"]);
    assert!(!finished.stderr.contains("hunter"), "{}", finished.stderr);
    assert_eq!(fs::read_dir(place.path("run")).unwrap().count(), 0);
}

#[test]
fn a_deadline_ends_the_wait_with_what_was_tried() {
    let place = Place::new();
    let port = free_port();
    place.plan(json!({
        "exec": ["true"],
        "wait": [{ "name": "PostgreSQL", "probe": { "postgres": { "host": "127.0.0.1", "port": port } } }],
        "deadline_seconds": 1,
    }));
    let finished = place.launch(&["run", "it"]);
    finished.failed(3, &["PostgreSQL did not answer within 1 s", &format!("127.0.0.1:{port}"), "refused"]);
    assert_eq!(finished.stderr.matches("waiting for").count(), 1, "one line for one wait: {}", finished.stderr);
}

#[test]
fn sigterm_ends_a_wait_at_once() {
    let place = Place::new();
    place.plan(json!({
        "exec": ["true"],
        "wait": [{ "name": "Redis", "probe": { "tcp": { "host": "127.0.0.1", "port": free_port() } } }],
        "deadline_seconds": 300,
    }));
    let mut running = Running(place.command(&["run", "it"]).stderr(Stdio::piped()).spawn().unwrap());
    std::thread::sleep(Duration::from_millis(700));
    let asked = Instant::now();
    running.signal(Signal::TERM);
    assert_eq!(running.end().code(), Some(128 + 15));
    assert!(asked.elapsed() < Duration::from_secs(1));
    assert!(running.stderr().contains("stopped by SIGTERM"));
}

#[test]
fn the_service_is_the_same_process_with_default_signals() {
    let place = Place::new();
    // The service says so once it runs; from then on a signal is its own business.
    let python = program("python3", "python3");
    let code = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_DFL); \
                print([int(line.split()[1], 16) for line in open('/proc/self/status') if line.startswith('SigBlk')], \
                flush=True); time.sleep(60)";
    place.plan(json!({ "exec": [python, "-c", code] }));
    let mut running = place.start();
    eventually("the service's first line", || place.log().contains('\n'));
    assert!(place.log().contains("[0]"), "no signal is blocked: {}", place.log());
    running.signal(Signal::TERM);
    assert_eq!(running.end().signal(), Some(15), "the service ended by the signal itself");
}

#[test]
fn synapses_marker_refuses_another_site_with_exit_code_1() {
    let place = Place::new();
    place.secret("signing_key", "ed25519 a_One AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\n");
    place.secret("pepper", "one\n");
    let role = json!({
        "exec": ["true"],
        "secrets": ["signing_key", "pepper"],
        "prepare": { "synapse": {
            "state": place.text("volume"), "signing_key_secret": "signing_key",
            "pepper_secret": "pepper", "old_signing_keys": [],
        } },
    });
    place.plan(role.clone());
    assert_eq!(place.launch(&["run", "it"]).code, Some(0));
    assert_eq!(place.launch(&["run", "it"]).code, Some(0));
    place.write_plan(json!({ "format": 1, "server_name": "example.org", "roles": { "it": role } }));
    place.launch(&["run", "it"]).failed(1, &["belongs to the site example.com", "what to do"]);
}

/// Another project in the same directory has other volumes and the same secrets.
#[test]
fn a_second_main_process_with_the_same_signing_key_is_refused_while_the_first_lives() {
    let python = program("python3", "python3");
    let place = Place::new();
    place.make_directory("second");
    place.secret("signing_key", "ed25519 a_One AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\n");
    let role = |state: &str| {
        json!({
            "exec": [python, "-c", "print('up', flush=True); import time; time.sleep(60)"],
            "secrets": ["signing_key"],
            "prepare": { "synapse": { "state": place.text(state), "signing_key_secret": "signing_key", "pepper_secret": null, "old_signing_keys": [] } },
        })
    };
    place.plan(role("volume"));
    let mut first = place.start();
    eventually("the first one", || place.log().contains("up"));
    place.plan(role("second"));
    place.launch(&["run", "it"]).failed(1, &["another container on this machine runs Synapse with the signing key", "what to do"]);
    assert!(fs::read_dir(place.path("second")).unwrap().next().is_none(), "nothing was written for the second site");
    first.signal(Signal::KILL);
    first.end();
    let mut second = place.start();
    eventually("the second one", || place.log().matches("up").count() == 2);
    second.signal(Signal::KILL);
    second.end();
}

#[test]
fn what_a_killed_start_left_on_the_volume_goes_with_the_next() {
    let place = Place::new();
    place.secret("signing_key", "ed25519 a_One AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\n");
    place.plan(json!({
        "exec": ["true"],
        "prepare": { "synapse": { "state": place.text("volume"), "signing_key_secret": "signing_key", "pepper_secret": null, "old_signing_keys": [] } },
    }));
    for name in [".launch-AbC123", ".launch-notes.txt", "media"] {
        place.write(&format!("volume/{name}"), "half");
        if is_root() {
            std::os::unix::fs::chown(place.path("volume").join(name), Some(65534), Some(65534)).unwrap();
        }
    }
    assert_eq!(place.launch(&["run", "it"]).code, Some(0));
    let mut left: Vec<_> = fs::read_dir(place.path("volume")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, [".launch-notes.txt", "deployment.json", "media"]);
}

#[test]
fn secrets_are_made_from_the_plan() {
    let place = Place::new();
    place.write_plan(json!({ "format": 1, "server_name": "example.com", "roles": {}, "secrets": [
        { "name": "macaroon", "purpose": "Signs access tokens.", "make": "random" },
        { "name": "ldap_bind", "purpose": "Opens the directory.", "make": "bring" },
    ] }));
    let target = place.text("made");
    let finished = place.launch(&["secrets", "init", &target, "--json"]);
    // What is still to bring has an exit code of its own.
    assert_eq!(finished.code, Some(4), "{finished:?}");
    assert!(finished.stderr.contains("still to bring: ldap_bind"), "{finished:?}");
    let report: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(report["made"][0]["name"], "macaroon");
    assert_eq!(report["bring"][0]["name"], "ldap_bind");
    assert_eq!(fs::read_to_string(place.path("made/macaroon")).unwrap().len(), 65);
    let again = place.launch(&["secrets", "init", &target]);
    assert_eq!(again.code, Some(4), "{again:?}");
    assert!(again.stdout.contains("kept      macaroon") && again.stdout.contains("to bring  ldap_bind"), "{again:?}");
}
