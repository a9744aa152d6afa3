//! `init` on real directories: what it makes, what it keeps, what it refuses.

use std::fs;

use super::*;

fn secret(name: &str, make: Make) -> Secret {
    Secret { name: name.into(), purpose: format!("the purpose of {name}"), make }
}

fn all() -> Vec<Secret> {
    vec![secret("macaroon", Make::Random), secret("admin_password", Make::Password), secret("signing_key", Make::SigningKey), secret("ldap_bind", Make::Bring)]
}

fn names(list: &[Named]) -> Vec<&str> {
    list.iter().map(|named| named.name.as_str()).collect()
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn the_first_run_makes_what_a_program_can_make() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("secrets");
    let report = init(&dir, &all()).unwrap();
    assert_eq!(names(&report.made), ["macaroon", "admin_password", "signing_key"]);
    assert_eq!(names(&report.bring), ["ldap_bind"]);
    assert!(report.kept.is_empty() && report.warnings.is_empty());
    assert_eq!(mode(&dir), 0o700);
    for named in &report.made {
        assert_eq!(mode(&dir.join(&named.name)), 0o444, "{}", named.name);
    }
    let mut there: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    there.sort();
    assert_eq!(there, ["admin_password", "macaroon", "signing_key"], "no temporary file is left");
    let key = fs::read_to_string(dir.join("signing_key")).unwrap();
    assert!(SigningKey::parse_file(&key).is_ok() && key.ends_with('\n'));

    let shown = report.to_string() + &serde_json::to_string(&report).unwrap();
    for named in &report.made {
        let value = fs::read_to_string(dir.join(&named.name)).unwrap();
        assert!(!shown.contains(value.trim()), "the report shows {}", named.name);
    }
    assert!(shown.contains("to bring  ldap_bind: the purpose of ldap_bind"), "{shown}");
}

#[test]
fn a_second_run_keeps_every_byte() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("secrets");
    init(&dir, &all()).unwrap();
    let read = || ["macaroon", "admin_password", "signing_key"].map(|name| fs::read(dir.join(name)).unwrap());
    let before = read();
    fs::write(dir.join("ldap_bind"), "brought\n").unwrap();
    let report = init(&dir, &all()).unwrap();
    assert_eq!(before, read());
    assert_eq!(names(&report.kept), ["macaroon", "admin_password", "signing_key", "ldap_bind"]);
    assert!(report.made.is_empty() && report.bring.is_empty());
    assert!(report.to_string().contains("All secrets are in"));
}

#[test]
fn wrong_permissions_are_put_right_with_a_warning() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("secrets");
    init(&dir, &all()).unwrap();
    fs::set_permissions(&dir, Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(dir.join("macaroon"), Permissions::from_mode(0o600)).unwrap();
    let report = init(&dir, &all()).unwrap();
    assert_eq!((mode(&dir), mode(&dir.join("macaroon"))), (0o700, 0o444));
    assert_eq!(report.warnings.len(), 2, "{:?}", report.warnings);
    assert!(report.warnings[0].contains("0755") && report.warnings[1].contains("0600"));
}

#[test]
fn an_empty_directory_has_given_nothing_away() {
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
    let report = init(place.path(), &all()).unwrap();
    assert_eq!(mode(place.path()), 0o700);
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
}

#[test]
fn every_disorder_is_named_at_once_and_nothing_is_made() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    fs::set_permissions(dir, Permissions::from_mode(0o700)).unwrap();
    fs::write(dir.join("macaroon"), "\n").unwrap();
    fs::write(dir.join("signing_key"), "ed25519 a_Test c2hvcnQ\n").unwrap();
    fs::create_dir(dir.join("ldap_bind")).unwrap();
    let error = init(dir, &all()).unwrap_err();
    assert_eq!(error.exit_code(), 3);
    let shown = error.to_string();
    for expected in ["macaroon is empty", "signing_key is not a signing key file", "ldap_bind is a directory"] {
        assert!(shown.contains(expected), "{shown}");
    }
    assert!(!shown.contains("c2hvcnQ"), "{shown}");
    assert!(!dir.join("admin_password").exists());
}

#[test]
fn a_link_in_the_place_of_the_directory_or_of_a_secret_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let real = place.path().join("real");
    fs::create_dir(&real).unwrap();
    let link = place.path().join("link");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let shown = init(&link, &all()).unwrap_err().to_string();
    assert!(shown.contains("symbolic link"), "{shown}");
    assert_eq!(fs::read_dir(&real).unwrap().count(), 0);

    fs::set_permissions(&real, Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::symlink("/nonexistent", real.join("macaroon")).unwrap();
    let shown = init(&real, &all()).unwrap_err().to_string();
    assert!(shown.contains("macaroon is a symbolic link"), "{shown}");
}

#[test]
fn a_directory_of_somebody_else_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let own = rustix::process::geteuid().as_raw();
    // Root can give its directory away; anybody else finds a directory of root's.
    let dir = if own == 0 {
        std::os::unix::fs::chown(place.path(), Some(65534), None).unwrap();
        place.path()
    } else {
        Path::new("/usr")
    };
    let shown = init(dir, &all()).unwrap_err().to_string();
    assert!(shown.contains("belongs to user"), "{shown}");
}

#[test]
fn a_name_that_leaves_the_directory_is_refused() {
    let place = tempfile::tempdir().unwrap();
    for name in ["../macaroon", "a/b", ".hidden", "", "-rf", "a b"] {
        let error = init(&place.path().join("secrets"), &[secret(name, Make::Random)]).unwrap_err();
        assert!(error.to_string().contains("no name for a secret"), "{name:?}: {error}");
    }
    assert!(!place.path().join("secrets").exists());
}

#[test]
fn a_file_that_appears_meanwhile_is_not_written_over() {
    let place = tempfile::tempdir().unwrap();
    let directory = Directory::open(place.path(), &mut Vec::new()).unwrap();
    assert!(directory.write_new("macaroon", b"first\n").unwrap());
    assert!(!directory.write_new("macaroon", b"second\n").unwrap());
    assert_eq!(fs::read(place.path().join("macaroon")).unwrap(), b"first\n");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn a_missing_parent_is_an_error_that_names_the_path() {
    let place = tempfile::tempdir().unwrap();
    let error = init(&place.path().join("no/secrets"), &all()).unwrap_err().to_string();
    assert!(error.contains("no/secrets"), "{error}");
}
