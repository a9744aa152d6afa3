//! The flake: with its library in an otherwise empty store and without a network, a site evaluates and is checked.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{self, lib_or_skip};

/// A store of its own, a copy of what the flake consists of, and commands that reach nothing else.
struct Alone {
    dir: tempfile::TempDir,
}

impl Alone {
    fn new(lib: &Path) -> Self {
        let alone = Self { dir: tempfile::tempdir().expect("a directory") };
        for part in ["flake.nix", "flake.lock", "default.nix", "Cargo.toml", "Cargo.lock", "modules", "nix", "images", "examples", "templates"] {
            support::run(Command::new("cp").arg("-r").arg(part).arg(alone.flake(part)));
        }
        // Not `nix store copy`: a tree with the right hash, from wherever, has to do.
        let tree = alone.dir.path().join("lib");
        support::run(Command::new("cp").arg("-r").arg(lib).arg(&tree));
        support::run(Command::new("chmod").args(["-R", "u+w"]).arg(&tree));
        support::run(alone.settle(&mut support::nix()).args(["store", "add-path", "--name", "source"]).arg(&tree));
        alone
    }

    fn flake(&self, part: &str) -> PathBuf {
        let flake = self.dir.path().join("flake");
        std::fs::create_dir_all(&flake).expect("a directory");
        flake.join(part)
    }

    fn settle<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("NIX_REMOTE", self.dir.path().join("store")).env("XDG_CACHE_HOME", self.dir.path().join("cache")).env("HOME", self.dir.path())
    }

    /// Nix without a network.
    fn nix(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("unshare");
        // A user needs a user namespace to leave the network; root keeps the right to change groups, which builds want.
        let namespaces: &[&str] = if rustix::process::geteuid().is_root() { &["--net"] } else { &["--map-current-user", "--net"] };
        command.args(namespaces).arg("nix").args(arguments).current_dir(self.dir.path());
        for (name, value) in support::nix().get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        support::run(self.settle(&mut command))
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        // Store paths are read-only, and a directory that cannot be written to cannot be emptied.
        let _status = Command::new("chmod").args(["-R", "u+w"]).arg(self.dir.path()).status();
    }
}

#[test]
fn the_flake_evaluates_without_a_network_and_without_nixpkgs() {
    let lib = lib_or_skip!("the_flake_evaluates_without_a_network_and_without_nixpkgs");
    let alone = Alone::new(&lib);
    let metadata: Value = serde_json::from_str(&alone.nix(&["flake", "metadata", "--json", "path:./flake"])).expect("JSON");
    assert_eq!(metadata["locks"]["nodes"]["root"]["inputs"], serde_json::json!({ "nixpkgs": "nixpkgs", "nixpkgs-lib": "nixpkgs-lib" }));

    let description: Value = serde_json::from_str(&alone.nix(&["eval", "--json", "path:./flake#lib.examples.example.description"])).expect("JSON");
    let plain: Value =
        serde_json::from_str(&support::run(support::nix().args(["eval", "--store", "dummy://", "--impure", "--json", "-f", "examples/example.com/site.nix"])))
            .expect("JSON");
    assert_eq!(description, plain);

    let reference = alone.nix(&["eval", "--raw", "path:./flake#lib.examples.example.reference"]);
    for part in ["## server.server_name", "## synapse.settings", "- Default: `\"50M\"`", "such as \"example.com\""] {
        assert!(reference.contains(part), "the reference lacks {part:?}");
    }
    let of_modules: BTreeSet<&str> = reference.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let of_types: Vec<String> = synapse_site::reference::options::all(&synapse_site::site::schema::schema()).iter().map(ToString::to_string).collect();
    assert_eq!(of_modules, of_types.iter().map(String::as_str).collect(), "left: options of the modules, right: of docs/options.md");
}

/// The shell of this machine with the libraries that it is linked to, where the sandbox wants /bin/sh: most builds of Nix bring
/// a static one, Debian's does not.
fn shell() -> String {
    let linked = support::run(Command::new("ldd").arg("/bin/sh"));
    let libraries = linked.split_whitespace().filter(|word| word.starts_with('/'));
    // Later versions of Nix copy a symbolic link as it is: the file itself has to be named.
    let file = |path: &str| format!("{path}={}", std::fs::canonicalize(path).expect("a file").display());
    libraries.fold(file("/bin/sh"), |paths, library| format!("{paths} {}", file(library)))
}

#[test]
fn what_needs_no_packages_builds_without_them() {
    let lib = lib_or_skip!("what_needs_no_packages_builds_without_them");
    let alone = Alone::new(&lib);
    let system = format!("{}-linux", std::env::consts::ARCH);
    let shell = shell();
    let built = |check: &str| {
        alone.nix(&["build", "--option", "sandbox-paths", &shell, "--out-link", check, &format!("path:./flake#checks.{system}.{check}")]);
        let path = std::fs::read_link(alone.dir.path().join(check)).expect("a link into the store");
        std::fs::read_to_string(alone.dir.path().join("store").join(path.strip_prefix("/").expect("an absolute path"))).expect("a text")
    };
    let examples: Value = serde_json::from_str(&built("examples")).expect("JSON");
    assert_eq!(examples["example"]["server"]["server_name"], "example.com");
    let presets: Value = serde_json::from_str(&built("presets")).expect("JSON");
    assert_eq!(presets["air-gapped"]["listeners"]["federation"], false);
    assert_eq!(built("reference"), alone.nix(&["eval", "--raw", "path:./flake#lib.examples.example.reference"]));
}

#[test]
fn the_template_is_a_site_of_its_own() {
    let lib = lib_or_skip!("the_template_is_a_site_of_its_own");
    let alone = Alone::new(&lib);
    let site = alone.dir.path().join("site");
    std::fs::create_dir(&site).expect("a directory");
    support::run(Command::new("cp").args(["-r", "flake/templates/site/.", "site"]).current_dir(alone.dir.path()));
    let from = format!("path:{}", alone.dir.path().join("flake").display());
    let arguments = ["eval", "--json", "--no-write-lock-file", "--override-input", "synapse-site", &from, "path:./site#lib.description"];
    let description: Value = serde_json::from_str(&alone.nix(&arguments)).expect("JSON");
    assert_eq!(description["server"]["server_name"], "example.com");
    assert_eq!(description["workers"]["generic"], 0, "the presets that it imports are at work");

    let loaded = support::load(&site.join("site.nix"), &lib).unwrap_or_else(|error| panic!("{error}"));
    let found = synapse_site::check::rules::apply(&loaded);
    assert!(found.list.is_empty(), "{found}");
}

#[test]
fn secrets_and_foreign_paths_never_reach_a_derivation() {
    let lib = lib_or_skip!("secrets_and_foreign_paths_never_reach_a_derivation");
    let refused = |settings: &str| {
        let server = r#"server = { server_name = "example.com"; public_baseurl = "https://matrix.example.com/"; };"#;
        let expression = format!(
            "((import {}/modules {{ lib = import {}/lib; }}).evaluate {{ modules = [ {{ {server} {settings} }} ]; }}).description",
            std::env::current_dir().expect("a directory").display(),
            lib.display()
        );
        let output = support::nix().args(["eval", "--impure", "--json", "--expr", &expression]).output().expect("nix");
        assert!(!output.status.success(), "{settings} was accepted");
        String::from_utf8(output.stderr).expect("text")
    };
    let words = refused(r#"synapse.settings.recaptcha_private_key = "hunter2";"#);
    assert!(words.contains("synapse.settings.recaptcha_private_key is a secret") && !words.contains("hunter2"), "{words}");
    for name in ["form_secret", "macaroon_secret_key", "signing_key", "turn_password"] {
        let words = refused(&format!("synapse.settings.{name} = \"hunter2\";"));
        assert!(words.contains(&format!("synapse.settings.{name} is a secret")) && !words.contains("hunter2"), "{words}");
    }
    let words = refused(r#"oidc.oidc_providers = [ { idp_id = "keycloak"; } ]; synapse.settings.x = [ { client_secret = "hunter2"; } ];"#);
    assert!(words.contains(r#"oidc.oidc_providers[0].client_id is missing"#) && words.contains(r#"write for example client_id = "synapse";"#), "{words}");
    assert!(words.contains(r#"synapse.settings.x[0].client_secret is a secret"#) && !words.contains("hunter2"), "{words}");
    let words = refused("synapse.settings.jwt_config.secret = 12345;");
    assert!(words.contains("synapse.settings.jwt_config.secret is a secret") && !words.contains("12345"), "{words}");
    let module = |config: &str| format!("synapse.settings.modules = [ {{ module = \"my_mod.MyMod\"; config = {{ {config} }}; }} ];");
    for (name, option) in [
        ("matrix_token", "matrix_token"),
        ("accessToken", "accesstoken"),
        ("clientSecret", "clientsecret"),
        ("shared-secret", "shared_secret"),
        ("privateKey", "privatekey"),
        ("DB_PASSWORD", "db_password"),
    ] {
        let words = refused(&module(&format!("a.{name} = \"hunter2\";")));
        let expected = format!("synapse.settings.modules[0].config.a.{name} is a secret");
        assert!(words.contains(&expected) && words.contains(&format!("secrets/my_mod_a_{option}")) && !words.contains("hunter2"), "{words}");
    }
    // Older options load a module each, without a list around it.
    for (option, place) in [
        ("spam_checker = %", "spam_checker"),
        ("third_party_event_rules = %", "third_party_event_rules"),
        ("password_providers = [ % ]", "password_providers[0]"),
    ] {
        let loaded = option.replace('%', "{ module = \"my_mod.MyMod\"; config = { bot_token = \"hunter2\"; }; }");
        let words = refused(&format!("synapse.settings.{loaded};"));
        assert!(words.contains(&format!("synapse.settings.{place}.config.bot_token is a secret")) && !words.contains("hunter2"), "{words}");
        assert!(words.contains("secrets/my_mod_bot_token"), "{words}");
    }
    let words = refused(&module("urls = [ \"http://u:hunter2@proxy:3128\" ];"));
    assert!(words.contains("synapse.settings.modules[0].config.urls[0] holds a password") && !words.contains("hunter2"), "{words}");
    let words = refused("synapse.settings.x.y = \"see postgresql://u:hunter2@db/x\";");
    assert!(words.contains("synapse.settings.x.y holds a password") && !words.contains("hunter2"), "{words}");
    let draupnir =
        |settings: &str| refused(&format!("draupnir = {{ image = \"docker.io/a/b:1\"; management_room = \"#m:example.com\"; settings = {{ {settings} }}; }};"));
    for settings in ["web.synapseHTTPAntispam.authorization = \"hunter2\";", "pantalaimon.password = \"hunter2\";", "a.botToken = \"hunter2\";"] {
        let words = draupnir(settings);
        assert!(words.contains("is a secret") && words.contains("draupnir.settings.") && !words.contains("hunter2"), "{words}");
    }
    let words = refused("server.web_client_location = \"https://u:hunter2@chat.example.com/\";");
    assert!(words.contains("server.web_client_location holds a password") && !words.contains("hunter2"), "{words}");
    let words = refused(r#"synapse.settings.push.include_content = "${builtins.toFile "x" "y"}";"#);
    assert!(words.contains("synapse.settings.push.include_content refers to the store"), "{words}");
    let words = refused(r#"turn = { source = "bundled"; }; ldap = { };"#);
    assert!(words.contains("ldap.uri is missing") && words.contains("ldap.base is missing"), "{words}");
}

#[test]
fn what_only_sounds_like_a_secret_is_none() {
    let lib = lib_or_skip!("what_only_sounds_like_a_secret_is_none");
    let settings = r#"
        modules = [ {
          module = "my_mod.MyMod";
          config = {
            tokenLifetime = 5; token_uri = "https://a.example/token"; secret_path = "/x"; introspection_token_endpoint = "https://a.example:444/x@y";
            requires_token = "yes"; is_secret = true; password = ""; maxTokens = 3; url = "https://u@a.example/"; client_secret = { _secret = "a"; };
            long = lib.concatStrings (lib.genList (_: "https://a.example/ ") 20000);
          };
        } ];
        caches.per_cache_factors.get_user_by_access_token = 2.0;
    "#;
    let expression = format!(
        "let lib = import {lib}/lib; in ((import {here}/modules {{ inherit lib; }}).evaluate {{ modules = [ {{ server = {{ server_name = \"a.example\"; public_baseurl = \"https://a.example\"; }}; synapse.settings = {{ {settings} }}; draupnir = {bot}; }} ]; }}).description",
        bot = r##"{ image = "docker.io/a/b:1"; management_room = "#m:a.example"; settings.web.synapseHTTPAntispam.authorization = { _secret = "b"; }; }"##,
        here = std::env::current_dir().expect("a directory").display(),
        lib = lib.display()
    );
    let text = support::run(support::nix().args(["eval", "--impure", "--json", "--expr", &expression]));
    let description: Value = serde_json::from_str(&text).expect("JSON");
    let dir = support::files(&[("site.json", &text)]);
    let loaded = synapse_site::site::load::load(&dir.path().join("site.json")).unwrap_or_else(|error| panic!("{error}"));
    let found = synapse_site::check::rules::apply(&loaded);
    assert!(!found.list.iter().any(|finding| ["S0402", "S0261"].contains(&finding.code)), "{found}");
    assert_eq!(description["synapse"]["settings"]["modules"][0]["config"]["tokenLifetime"], 5);
}

#[test]
fn a_nix_that_is_too_old_is_told_before_it_fails_elsewhere() {
    // The version alone is another one: no early Nix can be had here.
    let expression = "(builtins.scopedImport { builtins = builtins // { nixVersion = \"2.3.16\"; }; } ./modules { lib = { }; }).module";
    let output = support::nix().args(["eval", "--store", "dummy://", "--impure", "--expr", expression]).output().expect("nix");
    let words = String::from_utf8(output.stderr).expect("text");
    assert!(!output.status.success() && words.contains("this is Nix 2.3.16") && words.contains("wants Nix 2.8 or later"), "{words}");
}

/// A release of Synapse that reads nearly all options that descriptions have, and the day of it (its CHANGES.md), in seconds since 1970: the
/// nixpkgs of the lock was made after it.
const READ_FROM: (&str, u64) = ("1.157.0", 1_784_592_000);

#[test]
fn the_pinned_nixpkgs_is_not_older_than_what_the_tables_were_read_for() {
    assert!(synapse_site::synapse::Release::named(READ_FROM.0).is_some(), "the tables have no Synapse {}", READ_FROM.0);
    let lock: Value = serde_json::from_str(include_str!("../../flake.lock")).expect("a lock");
    let pin = &lock["nodes"]["nixpkgs"];
    let modified = pin["locked"]["lastModified"].as_u64().expect("a time");
    assert!(modified >= READ_FROM.1, "flake.lock pins a nixpkgs of {modified}, before Synapse {} was released ({})", READ_FROM.0, READ_FROM.1);
    // The hash is what makes a fetch safe, and the branch is the one that the flake names.
    assert!(pin["locked"]["narHash"].as_str().is_some_and(|hash| hash.starts_with("sha256-") && hash.len() == 51), "{pin}");
    let branch = pin["original"]["ref"].as_str().expect("a branch");
    assert!(include_str!("../../flake.nix").contains(&format!("github:NixOS/nixpkgs/{branch}\"")), "{branch}");
}

#[test]
fn without_flakes_it_is_the_same_site() {
    let lib = lib_or_skip!("without_flakes_it_is_the_same_site");
    let expression = format!("(import ./default.nix {{ nixpkgs-lib = {}; }}).description", lib.display());
    let description: Value = serde_json::from_str(&support::run(support::nix().args(["eval", "--impure", "--json", "--expr", &expression]))).expect("JSON");
    assert_eq!(description["server"]["server_name"], "example.com");
}
