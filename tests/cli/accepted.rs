//! Warnings that a description accepts.

use serde_json::Value;

use super::support::{SITE, expect, tool, with_site};

const WARNED: &str = "server:\n  server_name: example.com\n  public_baseurl: http://matrix.example.com/\n";

fn with(accept: &str) -> String {
    format!("{WARNED}checks: {{ accept: [ {accept} ] }}\n")
}

#[test]
fn an_accepted_warning_is_told_in_one_line_and_as_data() {
    let dir = with_site(&with("{ code: S0301, option: server.public_baseurl, reason: a test }"));
    let ran = expect(tool(&["check", "site.yaml"]).current_dir(dir.path()), 0, &["nothing is wrong; accepted: S0301"]);
    assert!(!ran.err.contains("warning["), "{}", ran.err);
    let found = expect(tool(&["check", "--json", "site.yaml"]).current_dir(dir.path()), 0, &[]).out;
    let found: Value = serde_json::from_str(&found).expect("JSON");
    assert_eq!((&found[0]["code"], &found[0]["accepted"]), (&"S0301".into(), &"a test".into()));
}

#[test]
fn what_cannot_be_accepted_is_told() {
    let wrong = |text: &str, code: i32, words: &[&str]| {
        let dir = with_site(text);
        expect(tool(&["check", "site.yaml"]).current_dir(dir.path()), code, words);
    };
    wrong(&with("{ code: S0301, option: gateway.http_port, reason: a test }"), 0, &["warning[S0301]", "warning[S0602]", "at gateway.http_port"]);
    wrong(&with("{ code: S0301, reason: '' }"), 1, &["S0005", "checks.accept[0].reason", "is empty"]);
    wrong(&with("{ code: S0331, reason: a test }"), 1, &["S0601", "which no finding has"]);
    wrong(&with("{ code: S0301 }"), 1, &["S0006", "reason"]);
    // An error stays one.
    let both = format!("{SITE}registration: {{ enable_registration: true }}\nchecks: {{ accept: [ {{ code: S0107, reason: a test }} ] }}\n");
    wrong(&both, 1, &["error[S0107]", "error[S0601]"]);
}
