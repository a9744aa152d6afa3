//! The comparison with the marker in the volume, where nobody can look into the database.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::volume::FILE;
use super::*;

struct Then {
    name: &'static str,
    key: Value,
    pepper: Option<Value>,
    old: Vec<String>,
}

fn key(version: &str, seed: u8) -> Value {
    Value::new(SigningKey { version: version.into(), seed: [seed; 32] }.to_line())
}

fn now() -> Then {
    Then { name: "example.com", key: key("a_One", 1), pepper: Some(Value::new("salt and".into())), old: vec![] }
}

fn site(now: &Then) -> Site<'_> {
    Site {
        server_name: now.name,
        signing_key: &now.key,
        signing_key_path: "/run/secrets/signing_key".into(),
        signing_key_secret: "signing_key",
        pepper_secret: Some("password_pepper"),
        pepper: now.pepper.as_ref(),
        old_signing_keys: &now.old,
    }
}

/// A database on another host, which only Synapse reaches.
fn places(state: &Path) -> Places<'_> {
    Places { state, database_name: "elsewhere", database: Err("it is elsewhere".into()) }
}

fn check(now: &Then, state: &Path) -> Result<()> {
    super::check(&site(now), &mut places(state))
}

fn refusal(now: &Then, state: &Path) -> String {
    let before = fs::read(state.join(FILE)).unwrap();
    let error = check(now, state).unwrap_err();
    assert_eq!(error.exit_code(), 1);
    assert_eq!(fs::read(state.join(FILE)).unwrap(), before, "a refusal leaves the marker as it is");
    error.to_string()
}

#[test]
fn the_first_start_writes_hashes_and_the_same_site_starts_again() {
    let state = tempfile::tempdir().unwrap();
    check(&now(), state.path()).unwrap();
    let path = state.path().join(FILE);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("example.com") && text.contains("ed25519:a_One"), "{text}");
    assert!(!text.contains("salt and") && !text.contains("AQEBAQ"), "{text}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    check(&now(), state.path()).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn two_sites_with_one_pepper_have_different_markers() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    check(&now(), a.path()).unwrap();
    check(&now(), b.path()).unwrap();
    let hash = |state: &Path| fs::read_to_string(state.join(FILE)).unwrap().split("pepper_sha256").nth(1).unwrap().to_owned();
    assert_ne!(hash(a.path()), hash(b.path()));
}

#[test]
fn every_contradiction_is_refused_and_all_are_told_at_once() {
    let state = tempfile::tempdir().unwrap();
    check(&now(), state.path()).unwrap();
    let name = refusal(&Then { name: "example.org", ..now() }, state.path());
    assert!(name.contains("example.com") && name.contains("example.org"), "{name}");
    let pepper = refusal(&Then { pepper: Some(Value::new("hunter2".into())), ..now() }, state.path());
    assert!(pepper.contains("pepper") && !pepper.contains("hunter2"), "{pepper}");
    let key = refusal(&Then { key: key("a_Two", 2), ..now() }, state.path());
    assert!(key.contains("ed25519:a_One") && key.contains("old_signing_keys"), "{key}");
    let all = Then { name: "x.org", key: self::key("a_Two", 2), pepper: Some(Value::new("y".into())), old: vec![] };
    let all = refusal(&all, state.path());
    for expected in ["x.org", "a_Two", "pepper"] {
        assert!(all.contains(expected), "{all}");
    }
}

#[test]
fn a_listed_rotation_moves_the_marker_on_and_going_back_needs_listing_too() {
    let state = tempfile::tempdir().unwrap();
    check(&now(), state.path()).unwrap();
    let rotated = Then { key: key("a_Two", 2), old: vec!["ed25519:a_One".into()], ..now() };
    check(&rotated, state.path()).unwrap();
    check(&rotated, state.path()).unwrap();
    assert!(refusal(&now(), state.path()).contains("ed25519:a_Two"));
}

#[test]
fn another_key_under_the_same_identifier_is_refused_even_when_listed() {
    let state = tempfile::tempdir().unwrap();
    check(&now(), state.path()).unwrap();
    let listed = Then { key: key("a_One", 2), old: vec!["ed25519:a_One".into()], ..now() };
    assert!(refusal(&listed, state.path()).contains("another identifier"));
}

#[test]
fn a_pepper_may_come_later_and_is_remembered_when_it_goes() {
    let state = tempfile::tempdir().unwrap();
    check(&Then { pepper: None, ..now() }, state.path()).unwrap();
    check(&now(), state.path()).unwrap();
    check(&Then { pepper: None, ..now() }, state.path()).unwrap();
    assert!(refusal(&Then { pepper: Some(Value::new("other".into())), ..now() }, state.path()).contains("pepper"));
}

#[test]
fn damaged_keys_and_markers_are_refused() {
    let state = tempfile::tempdir().unwrap();
    let bad = Then { key: Value::new("ed25519 a_One hunter2".into()), ..now() };
    let error = check(&bad, state.path()).unwrap_err();
    assert!(error.exit_code() == 1 && !error.to_string().contains("hunter2"), "{error}");
    assert!(!state.path().join(FILE).exists());
    for content in ["", "{}", "{\"format\": 2}"] {
        fs::write(state.path().join(FILE), content).unwrap();
        assert!(refusal(&now(), state.path()).contains("cannot be understood"));
    }
}

#[test]
fn white_space_in_the_key_file_does_not_count() {
    let state = tempfile::tempdir().unwrap();
    check(&now(), state.path()).unwrap();
    let spaced = Value::new(format!("\n{}\n\n", now().key.expose().trim_end()));
    check(&Then { key: spaced, ..now() }, state.path()).unwrap();
}

#[test]
fn what_is_accepted_is_the_sites_own_and_nothing_else_is() {
    let state = tempfile::tempdir().unwrap();
    check(&now(), state.path()).unwrap();
    let other = Then { key: key("a_Two", 2), pepper: Some(Value::new("hunter2".into())), ..now() };
    let accept = |what: &str| accept(&site(&other), &mut places(state.path()), what);
    assert!(refusal(&other, state.path()).contains("synapse accept signing_key"));
    accept("signing_key").unwrap();
    let left = refusal(&other, state.path());
    assert!(!left.contains("a_One") && left.contains("synapse accept password_pepper"), "{left}");
    accept("password_pepper").unwrap();
    check(&other, state.path()).unwrap();
    assert_eq!(accept("macaroon").unwrap_err().exit_code(), 2);
    let renamed = Then { name: "example.org", ..other };
    let refused = super::accept(&site(&renamed), &mut places(state.path()), "signing_key").unwrap_err();
    assert!(refused.to_string().contains("example.com"), "{refused}");
}

#[test]
fn a_site_without_a_pepper_does_not_get_one_later() {
    let state = tempfile::tempdir().unwrap();
    let without = Then { pepper: Some(Value::empty()), ..now() };
    check(&without, state.path()).unwrap();
    check(&without, state.path()).unwrap();
    assert!(refusal(&now(), state.path()).contains("pepper"));
}
