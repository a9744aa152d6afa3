//! Descriptions that are wrong: what is said about them, and that nothing is written.

use std::fs;

use super::support::{SITE, expect, names, tool, with_site};

/// Checks and builds a wrong description; nothing may appear beside it.
#[track_caller]
fn wrong(text: &str, words: &[&str]) {
    let dir = with_site(text);
    expect(tool(&["check", "site.yaml"]).current_dir(dir.path()), 1, words);
    expect(tool(&["build", "site.yaml", "--out", "out"]).current_dir(dir.path()).env("SYNAPSE_SITE_CACHE", dir.path().join("cache")), 1, words);
    assert_eq!(names(dir.path()), ["site.yaml"]);
}

#[test]
fn mistakes_name_place_option_and_remedy() {
    wrong(&format!("{SITE}workers: {{generic: many}}\n"), &["S0002", "workers.generic", "\"many\"", "a whole number", "site.yaml:4:"]);
    wrong(&format!("{SITE}gatway: {{}}\n"), &["S0001", "gatway", "did you mean \"gateway\"", "site.yaml:4:1"]);
    wrong(&SITE.replace("example.com\n", "exam_ple.com\n"), &["S0005", "server.server_name", "underscore", "such as \"example.com\"", "site.yaml:2:3"]);
    wrong(&format!("{SITE}gateway: {{http_port: 65536}}\n"), &["S0004", "gateway.http_port", "65536", "1 to 65535"]);
    wrong("workers: {generic: 1}\n", &["S0006", "server", "is missing", "site.yaml:1:1", "server_name: \"example.com\""]);
    wrong("server: 5\nmedia: []\n", &["server: found a number, expected a set of options", "media: found a list", "2 errors"]);
}

#[test]
fn what_cannot_be_read_as_yaml_is_told() {
    wrong("", &["S0008", "site.yaml: is empty", "synapse-site new"]);
    wrong("server: [\n", &["S0008", "site.yaml:"]);
    // Spaces that are none for YAML, as they come out of a web page.
    wrong("\u{a0}: [x: \u{2009}", &["S0008", "has a [ that is not closed"]);
    wrong("\u{2009} \"x\": 5\nserver: 5\n", &["S000"]);
    wrong("a: &a [*a]\n", &["S0008"]);
    wrong(&"[".repeat(1_000_000), &["S0008", "brackets"]);
    wrong(&"- ".repeat(100_000), &["S0008", "nested too deeply"]);
    wrong(&format!("a: &a {}\nb: [{}]\n", "y".repeat(1 << 20), "*a, ".repeat(5000)), &["S0008", "200,000 values or 16 MiB"]);
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned();
    (1..12).for_each(|n| bomb += &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 8].join(", ")));
    wrong(&bomb, &["S0008", "repeats itself"]);
    let many: String = (0..3000).map(|n| format!("k{n}: 1\n")).collect();
    wrong(&many, &["k1: there is no such option", "… and 2800 more with the code S0001", "3001 errors"]);
}

#[test]
fn what_yaml_has_and_no_option_can_be_is_told() {
    let with = |text: &str, words: &[&str]| wrong(&format!("{SITE}{text}\n"), words);
    with("database: { cp_min: .inf }", &["S0002", "database.cp_min: found .inf", "expected a whole number from 1 to 1000"]);
    with("synapse: { settings: { x: [ 1, -.INF, .nan ] } }", &["synapse.settings.x[1]: found -.INF", "synapse.settings.x[2]: found .nan"]);
    with("turn: &turn { port: 1 }\nrtc: { <<: *turn }", &["S0001", "rtc.\"<<\"", "no merge key"]);
    with("database: { dbname: !mine x }\nworkers: { generic: !!omap 1 }", &["S0002", "the tag !mine means nothing here", "the tag !!omap"]);
}

#[test]
fn files_that_are_no_description() {
    let dir = with_site(SITE);
    let at = |arguments: &[&str], code: i32, words: &[&str]| drop(expect(tool(arguments).current_dir(dir.path()), code, words));
    at(&["check", "nowhere.yaml"], 3, &["nowhere.yaml", "spelling"]);
    at(&["check", "."], 0, &["nothing is wrong"]);
    fs::write(dir.path().join("site.json"), "{}").expect("written");
    at(&["check", "."], 2, &["site.yaml", "site.json", "name one of them"]);
    fs::write(dir.path().join("binary.yaml"), [0xff, 0xfe, 0, 1]).expect("written");
    at(&["check", "binary.yaml"], 1, &["binary.yaml", "UTF-8"]);
    fs::write(dir.path().join("site.toml"), "").expect("written");
    at(&["check", "site.toml"], 2, &["site.toml", ".nix", ".yaml", ".json"]);
    fs::create_dir(dir.path().join("empty")).expect("made");
    at(&["check", "empty"], 3, &["no site.nix", "synapse-site new"]);
    std::os::unix::fs::symlink("loop.yaml", dir.path().join("loop.yaml")).expect("linked");
    at(&["check", "loop.yaml"], 3, &["loop.yaml", "circle"]);
    std::os::unix::fs::symlink("/dev/zero", dir.path().join("zero.yaml")).expect("linked");
    at(&["check", "zero.yaml"], 3, &["zero.yaml", "a device"]);
    let huge = fs::File::create(dir.path().join("huge.nix")).expect("made");
    huge.set_len(1 << 32).expect("sparse");
    at(&["check", "huge.nix"], 3, &["huge.nix", "4294967296 bytes", "at most"]);
}

#[test]
fn nix_is_named_when_it_is_absent_and_when_it_complains() {
    let dir = tempfile::tempdir().expect("a directory");
    let check = |text: &str, code: i32, words: &[&str]| {
        fs::write(dir.path().join("site.nix"), text).expect("written");
        expect(tool(&["check", "site.nix"]).current_dir(dir.path()), code, words);
    };
    check("{ server = throw \"ouch\"; }", 1, &["site.nix", "ouch"]);
    check("{ name, ... }: { }", 1, &["site.nix", "'name'", "without arguments"]);
    check("let x = x; in x", 1, &["infinite recursion"]);
    check("{ ldap.tls_cacert = ./site.nix; }", 1, &["write \"./file\""]);
    check("{ administrators = [ (x: x) ]; }", 1, &["function"]);
    check("let f = n: if n == 0 then 1 else { a = f (n - 1); }; in f 500", 1, &["site.nix", "recursion limit"]);
    check("{ }", 1, &["S0006", "site.nix", "server"]);
    expect(tool(&["check", "site.nix"]).current_dir(dir.path()).env("PATH", dir.path()), 3, &["nix", "install Nix 2.8", "YAML"]);
}
