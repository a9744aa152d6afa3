//! What Synapse takes and does sensibly, `check` takes, too: values of options as its documentation and its tests write them, found with
//! `tests/settings/examples.py` or like those, in sites of our own. Each entry of `tests/sound/values.yaml` is a site without its `server`.

use serde_json::{Value, json};
use synapse_site::check::Severity;
use synapse_site::check::rules;
use synapse_site::error::Error;
use synapse_site::site::load;

#[test]
fn no_sound_value_is_refused() {
    let values: Vec<Value> = serde_yaml::from_str(include_str!("../sound/values.yaml")).expect("YAML");
    assert!(values.len() > 60, "{}", values.len());
    let dir = tempfile::tempdir().expect("a directory");
    let mut refused = Vec::new();
    for value in values {
        let mut site = json!({ "server": { "server_name": "example.com", "public_baseurl": "https://matrix.example.com/" } });
        for (section, members) in value.as_object().expect("sections") {
            for (name, member) in members.as_object().expect("options") {
                site[section][name] = member.clone();
            }
        }
        let file = dir.path().join("site.json");
        std::fs::write(&file, site.to_string()).expect("written");
        let findings = match load::load(&file) {
            Ok(loaded) => rules::apply(&loaded).list,
            Err(Error::Site(findings)) => findings.list,
            Err(other) => panic!("{other}"),
        };
        let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
        refused.extend(errors.map(|finding| format!("{value}: {} {}: {}", finding.code, finding.option, finding.message)));
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

/// A number that is not whole is still none of these.
#[test]
fn unsound_values_next_to_them_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    for (section, option, value) in
        [("rate_limits", "rc_message", json!({ "burst_count": 5.5 })), ("rooms", "default_room_version", json!(13)), ("redis", "port", json!(6379.5))]
    {
        let mut site = json!({ "server": { "server_name": "example.com", "public_baseurl": "https://matrix.example.com/" } });
        site[section][option] = value;
        let file = dir.path().join("site.json");
        std::fs::write(&file, site.to_string()).expect("written");
        assert!(load::load(&file).is_err(), "{site}");
    }
}
