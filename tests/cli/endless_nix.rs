//! Descriptions in Nix whose evaluation grows without end. Nix may take so much memory and no more,
//! and the error says what to do.

use std::process::Command;

use super::support::{Ran, run};

const SERVER: &str = r#"server = { server_name = "example.com"; public_baseurl = "https://matrix.example.com/"; };"#;

/// What `check` says of a site in which an option has this value.
fn check(value: &str, more: &[&str], environment: &[(&str, &str)]) -> Ran {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("site.nix"), format!("{{ {SERVER} workers.generic = {value}; }}\n")).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-site"));
    run(command.args(["check", "site.nix"]).args(more).envs(environment.iter().copied()).current_dir(dir.path()))
}

#[test]
fn an_evaluation_takes_so_much_memory_and_no_more() {
    let refused = |value: &str, more: &[&str], environment: &[(&str, &str)], most: &str| {
        let ran = check(value, more, environment);
        assert_eq!(ran.code, Some(1), "{value}: {ran:?}");
        for words in [&format!("the evaluation needs more than {most} of memory"), "--nix-memory 8G", "S0008"] {
            assert!(ran.err.contains(words), "{value}: {ran:?}");
        }
    };
    let endless = "builtins.length (builtins.genList (x: x) 1000000000)";
    refused(endless, &[], &[], "4 GiB");
    for value in [
        endless,
        "builtins.stringLength (builtins.foldl' (text: _: text + text) \"x\" (builtins.genList (x: x) 60))",
        "builtins.foldl' (list: _: list ++ list) [ 1 ] (builtins.genList (x: x) 60)",
    ] {
        refused(value, &["--nix-memory", "512M"], &[], "512 MiB");
        refused(value, &["--show-trace"], &[("SYNAPSE_SITE_NIX_MEMORY", "768M")], "768 MiB");
    }
}

#[test]
fn a_good_site_needs_little_and_may_be_given_more() {
    for most in ["256M", "64G"] {
        let ran = check("1", &["--nix-memory", most], &[]);
        assert_eq!(ran.code, Some(0), "{most}: {ran:?}");
    }
    let ran = check("1", &["--nix-memory", "much"], &[]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("--nix-memory") && ran.err.contains("K, M, G or T"), "{ran:?}");
}

#[test]
fn what_calls_itself_without_end_is_told() {
    for (value, words) in [
        ("let more = n: 1 + more (n + 1); in more 0", &["stack overflow", "without an end"][..]),
        ("let more = n: { inner = more (n + 1); }; in more 0", &["without an end"]),
        ("let set = rec { a = b; b = a; }; in set.a", &["infinite recursion"]),
    ] {
        let ran = check(value, &["--nix-memory", "1G"], &[]);
        assert_eq!(ran.code, Some(1), "{value}: {ran:?}");
        assert!(words.iter().all(|word| ran.err.contains(word)), "{value}: {}", ran.err.chars().take(3000).collect::<String>());
    }
}

#[test]
fn what_is_larger_than_any_description_is_told() {
    let ran = check("builtins.genList (x: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\") 2000000", &[], &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.err.contains("more than a description can be") && ran.err.contains("grows without an end"), "{}", ran.err);
    let ran = check("1", &["--nix-memory", "4K"], &[]);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert!(ran.err.contains("write 64 MiB or more"), "{}", ran.err);
}
