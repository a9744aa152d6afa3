//! Good sites: as modules they are the same sites, and what module systems are liked for works.

use std::path::{Path, PathBuf};

use super::common;
use serde_json::{Value, json};
use synapse_site::check::rules;
use synapse_site::site::load::Loaded;

use crate::support::{self, lib_or_skip};

const SERVER: &str = r#"server = { server_name = "example.com"; public_baseurl = "https://matrix.example.com/"; };"#;

/// Loads a module of that body together with files beside it.
fn site(lib: &Path, body: &str, beside: &[(&str, &str)]) -> Loaded {
    let dir = support::files(&[("site.nix", &format!("{{ lib, config, presets, ... }}: {{ {SERVER} {body} }}"))]);
    for (name, text) in beside {
        std::fs::write(dir.path().join(name), text).expect("written");
    }
    support::load(&dir.path().join("site.nix"), lib).unwrap_or_else(|error| panic!("{error}"))
}

fn sites() -> Vec<PathBuf> {
    let examples = std::fs::read_dir("examples").expect("examples").map(|entry| entry.expect("an entry").path());
    let mut found: Vec<PathBuf> = examples.chain([PathBuf::from("src/cli/new")]).filter(|dir| dir.join("site.nix").is_file()).collect();
    found.sort();
    found
}

#[test]
fn every_example_means_the_same_as_a_module() {
    let lib = lib_or_skip!("every_example_means_the_same_as_a_module");
    for example in sites() {
        let plain = support::load(&example.join("site.nix"), &lib).unwrap_or_else(|error| panic!("{error}"));
        // A copy, with whatever stands beside the example: paths are relative to the site that is loaded.
        let dir = support::files(&[("site.nix", "{ imports = [ ./example.nix ]; }")]);
        for entry in std::fs::read_dir(&example).expect("an example") {
            let entry = entry.expect("an entry");
            let name = if entry.file_name() == "site.nix" { "example.nix".into() } else { entry.file_name() };
            support::run(std::process::Command::new("cp").arg("-r").arg(entry.path()).arg(dir.path().join(name)));
        }
        let module = support::load(&dir.path().join("site.nix"), &lib).unwrap_or_else(|error| panic!("{error}"));
        let text = |loaded: &Loaded, base: &Path| {
            let base = format!("{}/", base.canonicalize().expect("there").display());
            serde_json::to_string_pretty(&loaded.site).expect("plain data").replace(&base, "")
        };
        assert_eq!(text(&plain, &example), text(&module, dir.path()), "{}", example.display());
        assert_eq!(common::deployment(&plain).images, common::deployment(&module).images, "{}", example.display());
    }
}

#[test]
fn definitions_merge_by_priority_and_condition() {
    let lib = lib_or_skip!("definitions_merge_by_priority_and_condition");
    let body = r#"
        imports = [ ./more.nix { workers = lib.mkDefault { generic = 7; federation_senders = 7; }; } ];
        workers.generic = 2;
        turn.port = 4000;
        administrators = [ "alice" ];
        media.max_upload_size = lib.mkIf (config.workers.generic == 2) "70M";
        media.url_preview_enabled = lib.mkIf (config.workers.generic == 7) true;
        logging.levels."synapse.storage.SQL" = "WARNING";
        synapse.settings.presence.enabled = false;
        synapse.settings.limit = null;
    "#;
    let more = r#"{ lib, ... }: {
        turn.port = lib.mkForce 4001;
        administrators = lib.mkAfter [ "bob" ];
        logging.levels."synapse.http" = "ERROR";
        synapse.settings.presence.include_offline_users_on_sync = false;
        synapse.settings.recaptcha_private_key = { _secret = "smtp_password"; };
    }"#;
    let merged = serde_json::to_value(&site(&lib, body, &[("more.nix", more)]).site).expect("a value");
    assert_eq!(merged["workers"], json!({ "generic": 2, "federation_senders": 7 }));
    assert_eq!(merged["turn"]["port"], 4001);
    assert_eq!(merged["administrators"], json!(["alice", "bob"]));
    assert_eq!(merged["media"]["max_upload_size"], "70M");
    assert_eq!(merged["media"]["url_preview_enabled"], false);
    assert_eq!(merged["logging"]["levels"], json!({ "synapse.storage.SQL": "WARNING", "synapse.http": "ERROR" }));
    let settings = &merged["synapse"]["settings"];
    assert_eq!(settings["presence"], json!({ "enabled": false, "include_offline_users_on_sync": false }));
    assert_eq!(settings["recaptcha_private_key"], json!({ "_secret": "smtp_password" }));
    assert_eq!(settings.get("limit"), Some(&Value::Null), "a null of a Synapse option is a value");
}

#[test]
fn what_nobody_sets_has_the_default_of_the_types() {
    let lib = lib_or_skip!("what_nobody_sets_has_the_default_of_the_types");
    let dir = support::files(&[("site.nix", &format!("{{ {SERVER} }}"))]);
    let plain = support::load(&dir.path().join("site.nix"), &lib).expect("loads");
    assert_eq!(site(&lib, "", &[]).site, plain.site);
    assert_eq!(site(&lib, "turn.host = null; ldap = null;", &[]).site, plain.site, "null is an option that is not set");
}

#[test]
fn every_preset_makes_a_site_without_findings_and_gives_way() {
    let lib = lib_or_skip!("every_preset_makes_a_site_without_findings_and_gives_way");
    let directory = r#"ldap = { uri = "ldap://ldap.example.com"; base = "dc=example,dc=com"; bind_dn = "cn=matrix,dc=example,dc=com"; };"#;
    for (preset, besides) in [("small", ""), ("large", ""), ("ldap", directory), ("air-gapped", ""), ("behind-proxy", "")] {
        let loaded = site(&lib, &format!("imports = [ presets.{preset} ]; {besides}"), &[]);
        let found = rules::apply(&loaded);
        assert!(found.list.is_empty(), "{preset}: {found}");
    }
    let all = "imports = [ presets.large presets.ldap presets.air-gapped presets.behind-proxy ]; workers.generic = 9;";
    let loaded = site(&lib, &format!("{all} {directory}"), &[]);
    let value = serde_json::to_value(&loaded.site).expect("a value");
    assert_eq!((&value["workers"]["generic"], &value["ldap"]["start_tls"], &value["listeners"]["federation"]), (&json!(9), &json!(true), &json!(false)));
}

#[test]
fn a_file_may_be_a_path() {
    let lib = lib_or_skip!("a_file_may_be_a_path");
    let ldap =
        |file: &str| format!(r#"imports = [ presets.ldap ]; ldap = {{ uri = "ldap://l.example"; base = "dc=x"; mode = "simple"; ca_certificate = {file}; }};"#);
    for written in ["./ca.pem", "\"ca.pem\""] {
        let loaded = site(&lib, &ldap(written), &[("ca.pem", "a certificate")]);
        assert_eq!(loaded.files.values().collect::<Vec<_>>(), [b"a certificate"], "{written}");
    }
}

#[test]
fn numbers_are_the_same_in_every_language_and_with_every_nix() {
    let lib = lib_or_skip!("numbers_are_the_same_in_every_language_and_with_every_nix");
    let settings = "caches.global_factor = 1.0; rc_message.per_second = 0.25; rc_message.burst_count = 1.5e3;";
    let module = site(&lib, &format!("synapse.settings = {{ {settings} }};"), &[]);
    let dir = support::files(&[
        ("plain.nix", &format!("{{ {SERVER} synapse.settings = {{ {settings} }}; }}")),
        (
            "site.yaml",
            "server: {server_name: example.com, public_baseurl: 'https://matrix.example.com/'}\nsynapse: {settings: {caches: {global_factor: 1.0}, rc_message: {per_second: 0.25, burst_count: 1500.0}}}\n",
        ),
    ]);
    for file in ["plain.nix", "site.yaml"] {
        let other = support::load(&dir.path().join(file), &lib).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(common::deployment(&module).images, common::deployment(&other).images, "{file}");
    }
}

#[test]
fn warnings_of_a_module_are_findings() {
    let lib = lib_or_skip!("warnings_of_a_module_are_findings");
    let found = rules::apply(&site(&lib, r#"warnings = [ "the old directory goes away in May" ];"#, &[]));
    assert!(!found.has_errors());
    assert_eq!(
        found.list.iter().map(|finding| (finding.code, finding.message.as_str())).collect::<Vec<_>>(),
        [("S0010", "the old directory goes away in May")]
    );
}

#[test]
fn the_sites_of_codes_that_only_nix_has_are_bad_and_good() {
    let lib = lib_or_skip!("the_sites_of_codes_that_only_nix_has_are_bad_and_good");
    let codes = |file: &str| -> Vec<&str> {
        let loaded = support::load(&Path::new("tests/rules/S0010").join(file), &lib).unwrap_or_else(|error| panic!("{error}"));
        rules::apply(&loaded).list.iter().map(|finding| finding.code).collect()
    };
    assert_eq!(codes("bad.nix"), ["S0010"]);
    assert!(codes("good.nix").is_empty());
}
