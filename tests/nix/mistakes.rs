//! Bad sites: each mistake is told with its option, its file and what to write, and without the evaluator's inner life.

use std::path::Path;
use std::process::Command;

use crate::support::{self, lib_or_skip};

const SERVER: &str = r#"server = { server_name = "example.com"; public_baseurl = "https://matrix.example.com/"; };"#;

/// What `check` says about a site, which has to be refused with code 1; run beside the file, as people do.
fn refusal(lib: &Path, text: &str, options: &[&str]) -> String {
    let dir = support::files(&[("site.nix", text), ("certificate.pem", "a certificate")]);
    let output = Command::new(env!("CARGO_BIN_EXE_synapse-site"))
        .args(["check", "site.nix"])
        .args(options)
        .current_dir(dir.path())
        .env("SYNAPSE_SITE_NIXPKGS_LIB", lib)
        .output()
        .expect("synapse-site");
    let words = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(!words.contains("/nix/store/") && !words.contains(&dir.path().display().to_string()), "a path that the user does not know: {words}");
    words
}

/// A module with a good server and this body.
fn module(body: &str) -> String {
    format!("{{ lib, config, ... }}: {{ {SERVER} {body} }}")
}

#[test]
fn each_mistake_names_option_file_and_remedy() {
    let lib = lib_or_skip!("each_mistake_names_option_file_and_remedy");
    let cases: &[(&str, &[&str])] = &[
        ("server.report_statz = true;", &["`server.report_statz' does not exist", "Did you mean `server.report_stats'", "In `site.nix'"]),
        ("email.smtp_pass = \"hunter2\";", &["`email.smtp_pass' does not exist", "In `site.nix'", "holds no secrets"]),
        ("ldap.bind_password = lib.mkForce { a = \"hunter2\"; };", &["`ldap.bind_password' does not exist", "holds no secrets"]),
        ("mediaa = { };", &["`mediaa' does not exist", "Did you mean `media'"]),
        ("turn.port = 70000;", &["`turn.port'", "integer between 1 and 65535", "70000"]),
        ("turn.source = \"bundeld\";", &["`turn.source'", "one of \"none\", \"bundled\", \"external\""]),
        ("server.report_stats = \"no\";", &["`server.report_stats'", "boolean", "In `site.nix': \"no\""]),
        ("imports = [ { turn.port = 3; } ]; turn.port = 4;", &["`turn.port' has conflicting definition values", "lib.mkForce"]),
        (
            "database.dbname = config.database.dbname + \"x\";",
            &["infinite recursion", "the option `database.dbname'", "definitions from `site.nix'", "mkDefault"],
        ),
        ("media.max_upload_size = lib.mkDefalt \"1M\";", &["attribute 'mkDefalt' missing", "at site.nix:1:", "Did you mean mkDefault?"]),
        ("turn = null;", &["`turn'", "leave it out to have its defaults"]),
        ("synapse.settings.recaptcha_private_key = ./certificate.pem;", &["`synapse.settings.recaptcha_private_key'", "_secret"]),
        ("synapse.settings.recaptcha_private_key._secret = ./certificate.pem;", &["`synapse.settings.recaptcha_private_key._secret'"]),
        ("synapse.settings.recaptcha_private_key = \"${./certificate.pem}\";", &["copy in the store", "_secret"]),
        ("synapse.settings.recaptcha_private_key = \"hunter2\";", &["S0402", "secrets/recaptcha_private_key"]),
        ("synapse.settings.recaptcha_private_key = 12345;", &["S0402", "secrets/recaptcha_private_key"]),
        ("synapse.settings.recaptcha_private_key._secret = 5;", &["S0403"]),
        (
            "assertions = [ { assertion = config.workers.generic != null; message = \"say how many workers\"; } ];",
            &["the site is refused", "say how many workers"],
        ),
        ("ldap.mode = \"simple\";", &["S0006", "ldap.uri: is missing", "ldap://ldap.example.com:389", "ldap.base: is missing", "ou=users,dc=example,dc=com"]),
        ("well_known.support.contacts = [ { matrix_id = \"@a:example.com\"; } ];", &["S0006", "contacts[0].role: is missing"]),
        ("imports = [ ./nowhere.nix ];", &["nowhere.nix'"]),
    ];
    for (body, expected) in cases {
        let words = refusal(&lib, &module(body), &[]);
        for part in *expected {
            assert!(words.contains(part), "{body}\nlacks {part:?}:\n{words}");
        }
        assert!(!words.contains("hunter2") && !words.contains("show-trace") && words.lines().count() < 30, "{body}:\n{words}");
    }
}

#[test]
fn a_missing_section_is_told_with_an_example() {
    let lib = lib_or_skip!("a_missing_section_is_told_with_an_example");
    let words = refusal(&lib, "{ lib, ... }: { turn.port = 3478; server.server_name = \"example.com\"; }", &[]);
    assert!(words.contains("server.public_baseurl: is missing") && words.contains("https://matrix.example.com/"), "{words}");
}

#[test]
fn an_unknown_argument_is_named() {
    let lib = lib_or_skip!("an_unknown_argument_is_named");
    let words = refusal(&lib, &format!("{{ lib, foo, ... }}: {{ {SERVER} administrators = [ foo ]; }}"), &[]);
    assert!(words.contains("argument `foo' in \"site.nix\""), "{words}");
    let words = refusal(&lib, &format!("{{ pkgs, ... }}: {{ {SERVER} administrators = [ pkgs.hello.name ]; }}"), &[]);
    assert!(words.contains("a description needs none"), "{words}");
    let words = refusal(&lib, "{ lib }: { }", &[]);
    assert!(words.contains("end with three dots"), "{words}");
}

#[test]
fn the_trace_is_there_for_those_who_ask() {
    let lib = lib_or_skip!("the_trace_is_there_for_those_who_ask");
    let site = module("database.dbname = config.database.dbname + \"x\";");
    let (short, long) = (refusal(&lib, &site, &[]), refusal(&lib, &site, &["--show-trace"]));
    assert!(long.lines().count() > 3 * short.lines().count() && long.contains("<nixpkgs/lib>/modules.nix"), "{long}");
}

#[test]
fn a_missing_library_is_told_with_what_to_do() {
    let dir = support::files(&[("site.nix", &module("")), ("empty/file", "")]);
    let check = |lib: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_synapse-site")).args(["check", "site.nix", "--nixpkgs-lib", lib]).current_dir(dir.path()).output();
        let output = output.expect("synapse-site");
        (output.status.code(), String::from_utf8(output.stderr).expect("text"))
    };
    let (code, words) = check("empty");
    assert_eq!(code, Some(3), "{words}");
    assert!(words.contains("empty is not the lib of nixpkgs") && words.contains("SYNAPSE_SITE_NIXPKGS_LIB"), "{words}");
}

#[test]
fn a_flake_is_told_apart_from_a_site() {
    let dir = support::files(&[("flake.nix", "{ outputs = { self, synapse-site }: { }; }")]);
    let output = Command::new(env!("CARGO_BIN_EXE_synapse-site")).args(["build", "flake.nix", "--out", "out"]).current_dir(dir.path()).output();
    let output = output.expect("synapse-site");
    let words = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("flake.nix: is a flake") && words.contains("nix build path:.") && words.contains("site.nix"), "{words}");
    assert!(!dir.path().join("out").exists());
}

/// Nix 2.3 has the programs and not the commands; these are its words.
#[test]
fn a_nix_that_is_too_old_is_told_with_what_to_do() {
    use std::os::unix::fs::PermissionsExt;
    let said = "#!/bin/sh\necho \"error: unrecognised flag '--extra-experimental-features'\" >&2\nexit 1\n";
    let dir = support::files(&[("site.nix", &module("")), ("bin/nix", said)]);
    let nix = dir.path().join("bin/nix");
    std::fs::set_permissions(&nix, std::fs::Permissions::from_mode(0o755)).expect("executable");
    let output =
        Command::new(env!("CARGO_BIN_EXE_synapse-site")).args(["check", "site.nix"]).current_dir(dir.path()).env("PATH", dir.path().join("bin")).output();
    let output = output.expect("synapse-site");
    let words = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(3), "{words}");
    assert!(words.contains("this Nix is too old to evaluate site.nix") && words.contains("install Nix 2.8 or later"), "{words}");
}
