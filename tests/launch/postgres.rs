//! The life of a PostgreSQL volume: made, used, its password rotated, refused by another version, cut short.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Finished, Place, Running, eventually, free_port};

pub struct Server {
    pub place: Place,
    pub programs: PathBuf,
    major: u32,
    pub port: u16,
    /// Settings of PostgreSQL, from the next start on.
    pub settings: Vec<String>,
}

impl Server {
    /// The newest PostgreSQL that Debian's packages have installed.
    pub fn new() -> Self {
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
        let majors = versions.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        let major = majors
            .filter(|major| PathBuf::from(format!("/usr/lib/postgresql/{major}/bin/initdb")).exists())
            .max()
            .expect("there is no initdb in /usr/lib/postgresql: install the Debian package postgresql");
        let programs = PathBuf::from(format!("/usr/lib/postgresql/{major}/bin"));
        let mut place = Place::new();
        place.prefer_programs_in(&programs);
        place.secret("database", "hunter2'\"\\ :x\n");
        let server = Self { place, programs, major, port: free_port(), settings: Vec::new() };
        server.plan(major, "synapse");
        server
    }

    /// The plan of the server itself.
    pub fn plan_again(&self) {
        self.plan(self.major, "synapse");
    }

    fn plan(&self, major: u32, user: &str) {
        let place = &self.place;
        let mut exec = vec!["postgres".to_owned(), "-D".to_owned(), place.text("volume/data"), "-p".to_owned(), self.port.to_string()];
        exec.extend(["-k".to_owned(), place.text("run")]);
        let settings = ["listen_addresses=127.0.0.1", "log_statement=all"].into_iter().chain(self.settings.iter().map(String::as_str));
        exec.extend(settings.flat_map(|setting| ["-c".to_owned(), setting.to_owned()]));
        place.plan(json!({
            "exec": exec,
            "secrets": ["database"],
            "writable": [place.text("volume"), place.text("run")],
            "prepare": { "postgres": {
                "volume": place.text("volume"), "major": major, "user": user, "database": "synapse",
                "password_secret": "database",
            } },
            "health": { "postgres": { "socket": place.text("run"), "port": self.port } },
        }));
    }

    /// The health of a service that writes in the database.
    pub fn writer(&self) -> serde_json::Value {
        json!({
            "exec": ["true"],
            "health": { "tcp": { "port": self.port } },
            "needs": [{ "name": "PostgreSQL", "probe": { "postgres": { "host": "127.0.0.1", "port": self.port } } }],
            "database": { "host": "127.0.0.1", "port": self.port, "user": "synapse", "database": "synapse", "password_secret": "database" },
        })
    }

    pub fn start(&self) -> Running {
        let running = self.place.start();
        self.place.until_healthy();
        running
    }

    pub fn query(&self, password: &str, sql: &str) -> Finished {
        let mut command = Command::new(self.programs.join("psql"));
        command
            .args(["-X", "-A", "-t", "-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "synapse", "-d", "synapse"])
            .args(["-c", sql])
            .env("PGPASSWORD", password);
        Finished::from(command.output().expect("there is no psql: install the Debian package postgresql-client"))
    }

    pub fn stop(&self, mut running: Running) {
        // SIGINT is PostgreSQL's fast shutdown, which is also what its image asks of the engine.
        running.signal(Signal::INT);
        assert_eq!(running.end().code(), Some(0), "{}", self.place.log());
    }
}

pub const PASSWORD: &str = "hunter2'\"\\ :x";

#[test]
fn an_empty_volume_becomes_a_cluster_that_keeps_its_data_and_follows_its_secret() {
    let server = Server::new();
    let running = server.start();
    let sql = "SELECT encoding, datcollate, datctype, pg_get_userbyid(datdba), current_setting('data_checksums'), \
               (SELECT rolsuper FROM pg_roles WHERE rolname = 'synapse'), current_setting('password_encryption') \
               FROM pg_database WHERE datname = 'synapse'";
    let answer = server.query(PASSWORD, sql);
    assert_eq!(answer.stdout.trim(), "6|C|C|synapse|on|f|scram-sha-256", "{answer:?}\n{}", server.place.log());
    assert_eq!(server.query(PASSWORD, "CREATE TABLE kept AS SELECT 42 AS x").code, Some(0));
    assert_ne!(server.query("wrong", "SELECT 1").code, Some(0));
    let arguments = fs::read_to_string(format!("/proc/{}/cmdline", running.0.id())).unwrap();
    assert!(!arguments.contains("hunter2") && !arguments.contains("SCRAM"), "{arguments}");
    server.stop(running);
    assert!(!server.place.path("volume/data.new").exists());

    let single_user = "setting the password";
    let running = server.start();
    assert_eq!(server.query(PASSWORD, "SELECT x FROM kept").stdout.trim(), "42");
    server.stop(running);
    assert!(!server.place.log().contains(single_user), "nothing to do with an unchanged secret: {}", server.place.log());

    server.place.secret("database", "another\n");
    let running = server.start();
    assert_eq!(server.query("another", "SELECT x FROM kept").stdout.trim(), "42", "{}", server.place.log());
    assert_ne!(server.query(PASSWORD, "SELECT 1").code, Some(0));
    server.stop(running);
    let log = server.place.log();
    assert!(log.contains(single_user), "{log}");
    for secret in ["hunter2", "another", "SCRAM-SHA-256$"] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
    let marker = fs::read_to_string(server.place.path("volume/launch.json")).unwrap();
    assert!(!marker.contains("hunter2") && !marker.contains("another"), "{marker}");
}

#[test]
fn a_service_is_well_as_long_as_its_database_takes_writes() {
    let server = Server::new();
    let running = server.start();
    server.place.plan(server.writer());
    let well = || assert_eq!(server.place.launch(&["health", "it"]).code, Some(0), "{:?}", server.place.launch(&["health", "it"]));
    let unwell = |reason: &str| server.place.launch(&["health", "it"]).failed(1, &["it is not well", reason]);
    well();
    // What it writes to the disk of the data is not kept, and no table holds it.
    let tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    assert_eq!(server.query(PASSWORD, tables).stdout.trim(), "0");
    assert!(server.place.log().contains("pg_logical_emit_message"), "it wrote: {}", server.place.log());
    server.place.secret("database", "wrong\n");
    unwell("PostgreSQL takes no writes: password authentication failed");
    server.place.secret("database", &format!("{PASSWORD}\n"));
    well();
    server.stop(running);
    unwell("PostgreSQL does not answer");
}

/// What the type of `database.shared_buffers` takes is what PostgreSQL takes.
#[test]
fn amounts_of_memory_are_those_of_postgresql() {
    let server = Server::new();
    let directory = server.place.path("run");
    fs::write(directory.join("postgresql.conf"), "").unwrap();
    let takes = |text: &str| {
        let mut command = Command::new(server.programs.join("postgres"));
        command.arg("-C").arg("shared_buffers").arg("-D").arg(&directory).args(["-c", &format!("shared_buffers={text}")]);
        Finished::from(command.output().unwrap())
    };
    let numbers = ["0", "1", "15", "16", "120", "128", "1.5", "0.5", ".5", "1.", "9007199", "1073741823", "1073741824", "-1", "", "1e3", "x"];
    let units = ["", "B", "kB", "MB", "GB", "TB", " MB", "K", "M", "G", "T", "KB", "mb", "Mb", "gb", "PB", "MiB", "m", "s"];
    for number in numbers {
        for unit in units {
            let text = format!("{number}{unit}");
            let answer = takes(&text);
            let ours = synapse_site::site::text::check_format("postgres-memory", &text);
            // A few forms that nobody writes are PostgreSQL's alone: a number that begins or ends with its point, or has an exponent.
            if number.starts_with('.') || number.ends_with('.') || number.contains('e') {
                assert!(ours.is_err(), "{text}");
                continue;
            }
            assert_eq!(ours.is_ok(), answer.code == Some(0), "{text:?}: {ours:?}, {answer:?}");
        }
    }
}

/// What `check` takes for a value of `database.settings` is what PostgreSQL takes, type by type and unit by unit.
#[test]
fn values_of_settings_are_those_of_postgresql() {
    let server = Server::new();
    let directory = server.place.path("run");
    fs::write(directory.join("postgresql.conf"), "").unwrap();
    let settings = synapse_site::check::postgres::settings();
    let takes = |name: &str, text: &str| {
        let mut command = Command::new(server.programs.join("postgres"));
        command.arg("-C").arg(name).arg("-D").arg(&directory).args(["-c", &format!("{name}={text}")]);
        Finished::from(command.output().unwrap()).code == Some(0)
    };
    let units = ["", "kB", "MB", "GB", " MB", "K", "M", "KB", "us", "ms", "s", "min", "h", "d", "m", "sec"];
    let names = [
        "work_mem",
        "checkpoint_timeout",
        "bgwriter_delay",
        "log_rotation_age",
        "random_page_cost",
        "vacuum_cost_delay",
        "default_statistics_target",
        "max_wal_size",
        "tcp_user_timeout",
    ];
    let mut tried = 0;
    for name in names {
        for text in units.iter().flat_map(|unit| ["7", "64", "1.5", "-1", "0", "99999999999"].map(|number| format!("{number}{unit}"))).chain(["on".to_owned()])
        {
            let ours = settings[name].check(&serde_json::json!(text));
            assert_eq!(ours.is_ok(), takes(name, &text), "{name} = {text:?}: {ours:?}");
            tried += 1;
        }
    }
    for (name, texts) in [
        ("autovacuum", ["on", "OFF", "tr", "y", "no", "1", "0", "of", "o", "2", "enabled", ""]),
        ("synchronous_commit", ["on", "LOCAL", "remote_apply", "true", "no", "1", "off", "offf", "loc", "2", "maybe", "y"]),
        ("wal_sync_method", ["fsync", "FDATASYNC", "open_sync", "true", "no", "1", "off", "sync", "loc", "2", "none", "y"]),
    ] {
        for text in texts {
            let ours = settings[name].check(&serde_json::json!(text));
            assert_eq!(ours.is_ok(), takes(name, text), "{name} = {text:?}: {ours:?}");
            tried += 1;
        }
    }
    assert!(tried > 800, "{tried}");
}

#[test]
fn a_server_that_was_killed_comes_back_with_a_rotated_password() {
    let server = Server::new();
    let mut running = server.start();
    assert_eq!(server.query(PASSWORD, "CREATE TABLE kept AS SELECT 42 AS x").code, Some(0));
    running.signal(Signal::KILL);
    running.end();
    // Its children notice that it is gone; in a container they would have ended with it.
    eventually("the end of the server's children", || {
        rustix::fs::flock(fs::File::open(server.place.path("volume/launch.lock")).unwrap(), rustix::fs::FlockOperation::NonBlockingLockExclusive).is_ok()
    });
    assert!(server.place.path("volume/data/postmaster.pid").exists());
    server.place.secret("database", "another\n");
    let running = server.start();
    assert_eq!(server.query("another", "SELECT x FROM kept").stdout.trim(), "42", "{}", server.place.log());
    server.stop(running);
}

#[test]
fn another_major_version_is_refused_and_nothing_is_touched() {
    let server = Server::new();
    let data = server.place.make_directory("volume/data");
    fs::write(data.join("PG_VERSION"), "9\n").unwrap();
    let refused = server.place.launch(&["run", "it"]);
    let ours = format!("brings PostgreSQL {}", server.major);
    refused.failed(1, &["made by PostgreSQL 9", &ours, "pg_dump", "pg_restore", "go back"]);
    assert_eq!(fs::read_dir(&data).unwrap().count(), 1);
}

#[test]
fn files_that_are_no_cluster_are_refused() {
    let server = Server::new();
    let data = server.place.make_directory("volume/data");
    fs::write(data.join("photo.jpg"), "").unwrap();
    server.place.launch(&["run", "it"]).failed(1, &["no PostgreSQL cluster"]);
    fs::remove_dir_all(&data).unwrap();
    fs::write(server.place.path("volume/PG_VERSION"), "15\n").unwrap();
    server.place.launch(&["run", "it"]).failed(1, &["another image at its top"]);
}

#[test]
fn a_first_start_that_is_cut_short_is_begun_anew() {
    let server = Server::new();
    let mut running = server.place.start();
    eventually("initdb", || server.place.path("volume/data.new/global").exists());
    running.signal(Signal::TERM);
    assert_eq!(running.end().code(), Some(128 + 15), "{}", server.place.log());
    assert!(!server.place.path("volume/data").exists());
    // What a power failure leaves: a half-made cluster under the temporary name.
    if !server.place.path("volume/data.new").exists() {
        server.place.make_directory("volume/data.new");
    }
    fs::write(server.place.path("volume/data.new/PG_VERSION"), "").unwrap();
    let running = server.start();
    assert_eq!(server.query(PASSWORD, "SELECT 1").stdout.trim(), "1", "{}", server.place.log());
    assert!(server.place.log().contains("cut short"), "{}", server.place.log());
    server.stop(running);
}

#[test]
fn two_servers_on_one_volume_are_prevented_and_another_role_is_refused() {
    let server = Server::new();
    let running = server.start();
    server.place.launch(&["run", "it"]).failed(3, &["another container uses the volume"]);
    assert_eq!(server.query(PASSWORD, "SELECT 1").stdout.trim(), "1");
    server.stop(running);
    server.plan(server.major, "someone");
    server.place.launch(&["run", "it"]).failed(1, &["for the role synapse", "names someone", "RENAME"]);
    server.plan(server.major, "synapse");
    server.stop(server.start());
}

#[test]
fn a_password_that_postgresql_would_transform_is_refused_by_name() {
    let server = Server::new();
    server.place.secret("database", "hünter2\n");
    let refused = server.place.launch(&["run", "it"]);
    refused.failed(3, &["printable ASCII", "secrets/database"]);
    assert!(!refused.stderr.contains("nter2"), "{}", refused.stderr);
}

#[test]
fn whatever_lies_on_the_volume_in_the_place_of_a_file_is_not_waited_for() {
    let server = Server::new();
    let place = &server.place;
    fs::create_dir(place.path("volume/data")).unwrap();
    let fifo = |name: &str| {
        let mode = rustix::fs::Mode::from_raw_mode(0o666);
        rustix::fs::mknodat(rustix::fs::CWD, place.path(name), rustix::fs::FileType::Fifo, mode, 0).unwrap();
        fs::set_permissions(place.path(name), fs::Permissions::from_mode(0o666)).unwrap();
    };
    let refused = |name: &str, expected: &str| {
        fifo(name);
        place.launch(&["run", "it"]).failed(3, &[expected, "what to do"]);
        fs::remove_file(place.path(name)).unwrap();
    };
    refused("volume/data/PG_VERSION", "it is a FIFO and not a regular file");
    place.write("volume/data/PG_VERSION", &server.major.to_string());
    refused("volume/launch.json", "it is a FIFO and not a regular file");
    fs::remove_file(place.path("volume/launch.lock")).unwrap();
    refused("volume/launch.lock", "launch.lock is not a regular file");
}
