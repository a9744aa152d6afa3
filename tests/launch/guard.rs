//! What can never change, against a real PostgreSQL: the marker in the database, what Synapse's own tables say, and both markers together.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::certificates::Certificates;
use crate::postgres::{PASSWORD, Server};
use crate::support::{Finished, Running};
use crate::tls;

/// The seed 00..1f, which signed the events below.
const KEY: &str = "ed25519 a_Test AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n";
const FORGOTTEN: &str = "ed25519 a_New AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\n";
/// Another key under the same identifier.
const IMPOSTOR: &str = "ed25519 a_Test AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\n";

/// An event of example.com in a room of version 10, signed by Synapse 1.163.2 with the key above.
const EVENT: &str = r#"{"room_id":"!r:example.com","sender":"@ada:example.com","type":"m.room.member","content":{"membership":"join","displayname":"Ada","join_authorised_via_users_server":"@bob:example.com"},"depth":7,"origin_server_ts":1795868320802,"auth_events":["$a"],"prev_events":["$p"],"state_key":"@ada:example.com","hashes":{"sha256":"L2nclmYH1mrdXOb8YAFxXY9ETlhDpdd9ldk0//sHRxM"},"signatures":{"example.com":{"ed25519:a_Test":"318zX1Cuknk3zPSZwZX56YwLQk8saY/1A9fPyxh90T1bncdJOIGGHtY3/J7AnSJivDEMrjt6lQ/dBFplMwX+BQ"}},"unsigned":{"age_ts":1795868320802}}"#;
/// The password `correct horse` with the pepper of `pepper()`.
const HASH: &str = "$2b$04$aCYTCiwOYaM0MNGVpsM6gOvZhFM3aKTp98l6pVW4M3oJg9NrNc0GC";

fn pepper() -> String {
    "0123456789abcdef".repeat(4) + "\n"
}

/// The tables of Synapse that are looked at, with their columns of Synapse 1.163.2 as far as they are used.
const TABLES: &str = "CREATE TABLE users (name text, password_hash text);
    CREATE TABLE rooms (room_id text, room_version text);
    CREATE TABLE events (event_id text, room_id text, sender text, stream_ordering bigint);
    CREATE TABLE event_json (event_id text, room_id text, json text);
    CREATE TABLE local_current_membership (room_id text, user_id text, event_id text, membership text);
    CREATE TABLE local_media_repository (media_id text)";

/// A running PostgreSQL, and a main process whose data it holds.
struct Site {
    server: Server,
    running: Option<Running>,
    bundled: bool,
    /// What differs in the plan from the bundled database.
    at: Value,
}

impl Site {
    fn new() -> Self {
        let server = Server::new();
        let running = server.start();
        Self::on(server, running, true, json!({}))
    }

    /// On one of two hosts, and nobody listens at the first.
    fn external() -> Self {
        let server = Server::new();
        let running = server.start();
        Self::on(server, running, false, json!({ "host": "127.0.0.2,127.0.0.1", "tls": { "mode": "prefer" } }))
    }

    /// The same, and no connection without TLS.
    fn external_over_tls() -> Self {
        let mut server = Server::new();
        let certificates = Certificates::new(&server.place);
        certificates.root("authority");
        certificates.signed("authority", "server", "server", &["rsa:2048"], "30", "subjectAltName=DNS:localhost\n");
        let settings = tls::with_tls(&server, "server");
        let running = tls::start(&mut server, "hostssl all all all scram-sha-256", &settings.each_ref().map(String::as_str));
        let tls = json!({ "mode": "verify-full", "roots": [server.place.text("authority.pem")] });
        Self::on(server, running, false, json!({ "host": "127.0.0.2,localhost", "tls": tls }))
    }

    fn on(server: Server, running: Running, bundled: bool, at: Value) -> Self {
        let place = &server.place;
        place.make_directory("state");
        place.secret("signing_key", KEY);
        place.secret("password_pepper", &pepper());
        let site = Self { server, running: Some(running), bundled, at };
        site.plan("example.com", &[]);
        site
    }

    fn plan(&self, server_name: &str, old_signing_keys: &[&str]) {
        let place = &self.server.place;
        place.write_plan(json!({ "format": 1, "server_name": server_name, "roles": { "main": {
            "exec": ["true"],
            "prepare": { "synapse": {
                "state": place.text("state"), "signing_key_secret": "signing_key", "pepper_secret": "password_pepper",
                "local_passwords": true, "old_signing_keys": old_signing_keys,
                "database": { "at": self.at(), "bundled": self.bundled },
            } },
        } } }));
    }

    fn at(&self) -> Value {
        let mut at = self.server.writer()["database"].clone();
        at.as_object_mut().unwrap().extend(self.at.as_object().unwrap().clone());
        at
    }

    fn sql(&self, sql: &str) -> String {
        let answer = self.server.query(PASSWORD, sql);
        assert_eq!(answer.code, Some(0), "{answer:?}");
        answer.stdout.trim().to_owned()
    }

    /// Accounts, and one event that the key has signed.
    fn move_in(&self) {
        self.sql(TABLES);
        self.sql(&format!(
            "INSERT INTO users VALUES ('@ada:example.com', '{HASH}'), ('@bot:example.com', NULL); INSERT INTO rooms VALUES ('!r:example.com', '10'); \
             INSERT INTO events VALUES ('$e', '!r:example.com', '@ada:example.com', 5), ('$f', '!r:example.com', '@eve:example.org', 6); \
             INSERT INTO event_json VALUES ('$e', '!r:example.com', $json${EVENT}$json$), ('$f', '!r:example.com', '{{}}'); \
             INSERT INTO local_current_membership VALUES ('!r:example.com', '@ada:example.com', '$e', 'join')"
        ));
    }

    fn start(&self) -> Finished {
        self.server.place.launch(&["run", "main"])
    }

    fn starts(&self) -> String {
        let finished = self.start();
        assert_eq!(finished.code, Some(0), "{finished:?}");
        self.holds_no_secret(&finished);
        finished.stderr
    }

    fn refuses(&self, expected: &[&str]) -> String {
        let finished = self.start();
        finished.failed(1, expected);
        self.holds_no_secret(&finished);
        finished.stderr
    }

    fn holds_no_secret(&self, finished: &Finished) {
        let all = format!("{}{}{}", finished.stderr, finished.stdout, self.marker().unwrap_or_default());
        for secret in ["hunter2", "AAECAwQF", "AQEBAQ", "0123456789abcdef"] {
            assert!(!all.contains(secret), "{all}");
        }
    }

    fn secret(&self, name: &str, value: &str) {
        self.server.place.secret(name, value);
    }

    /// The row of the table.
    fn marker(&self) -> Option<String> {
        let there = self.sql("SELECT to_regclass('synapse_site') IS NOT NULL") == "t";
        there.then(|| self.sql("SELECT marker FROM synapse_site"))
    }

    fn volume(&self) -> Option<Value> {
        fs::read(self.server.place.path("state/deployment.json")).ok().map(|bytes| serde_json::from_slice(&bytes).unwrap())
    }

    fn forget_the_volume(&self) {
        fs::remove_file(self.server.place.path("state/deployment.json")).unwrap();
    }

    fn check_password(&self, name: &str, password: &str) -> Finished {
        let mut command = self.server.place.command(&["check-password", name]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
        Finished::from(child.wait_with_output().unwrap())
    }

    fn accept(&self, what: &str) {
        let finished = self.server.place.launch(&["accept", what]);
        assert_eq!(finished.code, Some(0), "{finished:?}");
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.signal(rustix::process::Signal::INT);
            running.end();
        }
    }
}

#[test]
fn a_new_site_has_two_markers_of_which_either_is_enough() {
    let site = Site::new();
    assert!(site.marker().is_none());
    site.starts();
    let (database, volume) = (site.marker().unwrap(), site.volume().unwrap());
    assert!(database.contains("example.com") && database.contains("ed25519:a_Test") && database.contains("A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"));
    assert!(volume["pepper_sha256"].is_string(), "nobody has a password yet, so it is this one");
    site.move_in();
    assert_eq!(site.starts(), "", "nothing is to be said");
    assert_eq!((site.marker().unwrap(), site.volume().unwrap()), (database, volume));

    site.forget_the_volume();
    site.secret("password_pepper", "another pepper\n");
    site.secret("signing_key", FORGOTTEN);
    site.refuses(&["ed25519:a_Test so far, as the marker in the database synapse says", "the password pepper is not the one"]);
    assert!(site.volume().is_none());
    site.secret("password_pepper", &pepper());
    site.secret("signing_key", KEY);
    assert!(site.starts().contains("has no marker of the site"));
    assert!(site.volume().unwrap()["pepper_sha256"].is_string());

    site.sql("DROP TABLE synapse_site");
    site.secret("password_pepper", "another pepper\n");
    site.refuses(&["the password pepper is not the one", "as the marker in the volume"]);
    site.secret("password_pepper", &pepper());
    assert_eq!(site.starts(), "", "a site of the version before goes on without a word");
    assert!(site.marker().unwrap().contains("$2b$10$"));
}

#[test]
fn secrets_that_were_forgotten_are_refused_on_data_that_moves_in_and_the_right_ones_are_taken() {
    let site = Site::new();
    site.move_in();
    site.secret("signing_key", FORGOTTEN);
    site.secret("password_pepper", "made anew\n");
    let said = site.refuses(&["the signing key is ed25519:a_New, and this site has signed with ed25519:a_Test so far", "in the database synapse say"]);
    assert!(said.contains("docker compose run --rm --no-deps synapse accept signing_key"), "{said}");
    assert!(site.marker().is_none() && site.volume().is_none(), "nothing is written down before it is sure");
    site.secret("signing_key", IMPOSTOR);
    site.refuses(&["is not the key of that identifier"]);

    // The pepper is still wrong, and cannot be told from the right one without a password.
    site.secret("signing_key", KEY);
    assert!(site.starts().contains("synapse check-password NAME"));
    assert!(site.volume().unwrap()["pepper_sha256"].is_null() && !site.marker().unwrap().contains("$2b$10$"));
    site.check_password("ada", "correct horse\n").failed(1, &["do not give the hash", "homeserver.yaml"]);
    site.secret("password_pepper", &pepper());
    assert!(site.starts().contains("synapse check-password NAME"), "the right one is taken, too");
    site.check_password("ada", "wrong horse\n").failed(1, &["one of the two is wrong"]);
    site.check_password("eve", "correct horse\n").failed(3, &["no account @eve:example.com"]);
    site.check_password("bot", "correct horse\n").failed(3, &["has no password"]);
    for name in ["ada", "@ada:example.com"] {
        let fits = site.check_password(name, "correct horse\n");
        assert!(fits.code == Some(0) && fits.stdout.contains("the pepper fits"), "{fits:?}");
    }
    assert_eq!(site.starts(), "");
    site.secret("password_pepper", "another pepper\n");
    site.refuses(&["the password pepper is not the one", "the marker in the volume", "the marker in the database synapse say"]);
    site.accept("password_pepper");
    assert_eq!(site.starts(), "");
}

#[test]
fn a_password_without_a_pepper_is_told() {
    let site = Site::new();
    site.move_in();
    site.sql("UPDATE users SET password_hash = '$2b$04$uT0PGoHLk4y0Juo5lWiFEOQfv/PyO.doE5KaMMN2g3lYmpSXocgl.' WHERE name = '@ada:example.com'");
    site.check_password("ada", "only\n").failed(1, &["was hashed without a pepper", "pepper: false"]);
}

#[test]
fn the_marker_of_a_start_before_the_data_came_does_not_hold_against_the_data() {
    let site = Site::new();
    site.secret("signing_key", FORGOTTEN);
    site.secret("password_pepper", "made anew\n");
    site.starts();
    // Another database in its place: that of the site that moves in.
    site.sql("DROP TABLE synapse_site");
    site.move_in();
    site.refuses(&["ed25519:a_New, and this site has signed with ed25519:a_Test so far"]);
    site.secret("signing_key", KEY);
    site.secret("password_pepper", &pepper());
    let said = site.starts();
    assert!(said.contains("which has signed nothing in the database") && said.contains("check-password"), "{said}");
    assert_eq!(site.volume().unwrap()["signing_key"]["id"], "ed25519:a_Test");
}

#[test]
fn a_planned_rotation_moves_both_markers_on_whichever_is_older() {
    let site = Site::new();
    site.move_in();
    site.starts();
    let before = site.marker().unwrap();
    site.secret("signing_key", FORGOTTEN);
    site.refuses(&["ed25519:a_New, and this site has signed with ed25519:a_Test so far"]);
    site.plan("example.com", &["ed25519:a_Test"]);
    assert!(site.starts().contains("the signing key moves on from ed25519:a_Test to ed25519:a_New"));
    assert!(site.marker().unwrap().contains("ed25519:a_New"));
    assert_eq!(site.volume().unwrap()["signing_key"]["id"], "ed25519:a_New");
    // A backup of the database from before.
    site.sql(&format!("UPDATE synapse_site SET marker = '{before}'"));
    assert!(site.starts().contains("moves on"));
    site.secret("signing_key", KEY);
    site.plan("example.com", &[]);
    site.refuses(&["ed25519:a_Test, and this site has signed with ed25519:a_New so far", "volume", "database"]);
}

#[test]
fn markers_that_contradict_each_other_are_both_named() {
    let site = Site::new();
    site.starts();
    site.move_in();
    site.sql("UPDATE synapse_site SET marker = replace(marker, 'a_Test', 'a_Else')");
    let said =
        site.refuses(&["the signing key is ed25519:a_Test, and this site has signed with ed25519:a_Else so far, as the marker in the database synapse says"]);
    assert!(said.contains("accept signing_key"), "{said}");
    site.accept("signing_key");
    assert_eq!(site.starts(), "");
}

#[test]
fn another_name_is_refused_from_the_accounts_alone() {
    let site = Site::new();
    site.move_in();
    site.plan("example.org", &[]);
    site.refuses(&["the plan is for the site example.org, and the data belongs to the site example.com", "accounts"]);
    site.server.place.launch(&["accept", "server_name"]).failed(1, &["has accounts of example.com"]);
    site.server.place.launch(&["accept", "signing_key"]).failed(1, &["belongs to the site example.com"]);
    site.plan("example.com", &[]);
    site.starts();
    site.plan("example.org", &[]);
    site.refuses(&["marker in the volume", "marker in the database"]);
}

#[test]
fn a_database_without_any_event_says_nothing_about_the_key_until_it_has_one() {
    let site = Site::new();
    site.sql(TABLES);
    site.sql("INSERT INTO users VALUES ('@ada:example.com', NULL)");
    site.secret("signing_key", FORGOTTEN);
    assert!(site.starts().contains("which signing key this site has used"));
    assert!(!site.marker().unwrap().contains("a_New") && site.volume().is_none());
    site.secret("signing_key", KEY);
    site.sql("DROP TABLE users, rooms, events, event_json, local_current_membership, local_media_repository");
    site.move_in();
    site.starts();
    assert!(site.marker().unwrap().contains("a_Test") && site.volume().is_some());
}

#[test]
fn a_role_that_may_not_make_tables_starts_with_the_marker_in_the_volume() {
    let site = Site::new();
    site.move_in();
    site.sql("ALTER ROLE synapse SET default_transaction_read_only = on");
    assert!(site.starts().contains("only the one in the volume guards it"));
    assert!(site.volume().is_some());
}

#[test]
fn media_without_their_volume_are_told_and_damaged_markers_are_mended_from_the_other() {
    let site = Site::new();
    site.starts();
    site.move_in();
    site.sql("INSERT INTO local_media_repository VALUES ('m')");
    site.server.place.write("state/deployment.json", "{");
    assert!(site.starts().contains("cannot be understood"));
    assert_eq!(site.volume().unwrap()["server_name"], "example.com");
    site.forget_the_volume();
    assert!(site.starts().contains("knows media, and the volume"));
    site.server.place.make_directory("state/media");
    assert_eq!(site.starts(), "");
    site.sql("UPDATE synapse_site SET marker = '{\"format\": 2}'");
    site.refuses(&["the table synapse_site in the database synapse cannot be understood", "accept signing_key` and `docker compose run"]);
    site.accept("signing_key");
    site.accept("password_pepper");
    assert_eq!(site.starts(), "");
}

#[test]
fn a_database_that_refuses_the_password_is_told_with_exit_code_3() {
    let site = Site::new();
    site.secret("database", "wrong\n");
    site.start().failed(3, &["cannot look into the database synapse", "password authentication failed"]);
    assert!(site.volume().is_none());
}

#[test]
fn an_external_database_is_looked_into_where_it_can_be_and_else_that_is_said() {
    let site = Site::external();
    site.move_in();
    site.secret("signing_key", FORGOTTEN);
    site.refuses(&["this site has signed with ed25519:a_Test so far"]);
    site.secret("signing_key", KEY);
    site.starts();
    assert!(site.marker().is_some());
    site.secret("database", "wrong\n");
    let said = site.starts();
    assert!(said.contains("only the marker in the volume guards the site") && said.contains("password authentication failed"), "{said}");
    site.secret("signing_key", FORGOTTEN);
    site.refuses(&["as the marker in the volume"]);
}

/// Everything that the bundled database is guarded against, and the commands that the refusals show.
#[test]
fn an_external_database_over_tls_is_guarded_as_the_bundled_one_is() {
    let site = Site::external_over_tls();
    site.move_in();
    site.secret("signing_key", FORGOTTEN);
    let said = site.refuses(&["the signing key is ed25519:a_New, and this site has signed with ed25519:a_Test so far", "in the database synapse say"]);
    assert!(said.contains("docker compose run --rm --no-deps synapse accept signing_key"), "{said}");
    assert!(site.marker().is_none() && site.volume().is_none(), "nothing is written down before it is sure");
    site.plan("example.org", &[]);
    site.refuses(&["the plan is for the site example.org, and the data belongs to the site example.com", "accounts"]);
    site.server.place.launch(&["accept", "server_name"]).failed(1, &["has accounts of example.com"]);
    site.plan("example.com", &[]);

    site.secret("signing_key", KEY);
    site.starts();
    let fits = site.check_password("ada", "correct horse\n");
    assert!(fits.code == Some(0) && fits.stdout.contains("the pepper fits"), "{fits:?}");
    site.secret("password_pepper", "another pepper\n");
    site.forget_the_volume();
    site.refuses(&["the password pepper is not the one", "the marker in the database synapse says"]);
    site.accept("password_pepper");
    assert!(site.starts().contains("has no marker of the site"));

    // Another site with the same database, on a volume of its own.
    site.forget_the_volume();
    site.secret("signing_key", FORGOTTEN);
    site.plan("example.org", &[]);
    site.refuses(&["example.org", "the marker in the database synapse", "ed25519:a_Test so far"]);

    // A server that is not the one which the certificate authority vouches for gets no password.
    site.plan("example.com", &[]);
    site.secret("signing_key", KEY);
    site.server.place.write("authority.pem", "");
    let said = site.starts();
    assert!(said.contains("only the marker in the volume guards the site") && said.contains("there is no valid certificate in"), "{said}");
}
