//! Secrets in clear, written where people write them and misspelt as people misspell: nothing that the program says repeats one. A corpus is
//! made from the names of secrets, slips in them, places of a description and forms of mistakes; a marker stands for the secret.

use std::fs;
use std::path::Path;

use synapse_site::check::rules;
use synapse_site::error::Error;
use synapse_site::site::load;
use synapse_site::site::nix::Evaluator;
use synapse_site::site::synapse::{SECRET_MEMBERS, SECRET_OPTIONS, names_secret};
use synapse_site::synapse;

use super::dice::Dice;
use super::generated::times;
use super::support::{SITE, run, tool, with_site};

/// What stands for a secret: a password, one that could be the name of a file, and a number. No half of one is in anything else.
pub const MARKERS: [&str; 3] = ["Zq7Xv9KtWm3Rb8Lp", "zq7xv9ktwm3rb8lp", "731946280572"];

pub fn echoed(said: &str) -> bool {
    let said = said.to_lowercase();
    MARKERS.iter().any(|marker| {
        let (first, second) = marker.split_at(marker.len() / 2);
        said.contains(&first.to_lowercase()) || said.contains(&second.to_lowercase())
    })
}

/// Everything that the library says about a description: for people and as data.
pub fn said(file: &Path, evaluator: &Evaluator) -> String {
    let findings = match load::load_with(file, evaluator) {
        Ok(loaded) => rules::apply(&loaded),
        Err(Error::Site(findings)) => findings,
        Err(other) => return format!("{other}\n{other:?}"),
    };
    format!("{findings}\n{}\n{findings:?}", serde_json::to_string(&findings).expect("JSON"))
}

fn one_of<'a, T: ?Sized>(dice: &mut Dice, list: &[&'a T]) -> &'a T {
    list[dice.below(list.len())]
}

/// Names of secrets, and what people call them who guess.
fn names() -> Vec<String> {
    let guessed = [
        "smtp_password",
        "key_file_pass",
        "client_secret_jwt_key",
        "ldap_password",
        "ldap_bind_password",
        "postgres_password",
        "db_password",
        "redis_password",
        "tls_key_passphrase",
        "oidc_client_secret",
        "livekit_secret",
        "api_token",
        "authorization",
        "dsn",
        "private_key",
        "credentials",
        "pwd",
        "smtp_pwd",
        "pass",
        "passwort",
        "kennwort",
        "smtp_passwort",
        "geheimnis",
        "zugangstoken",
        "smtp_secert",
        "form_secret_path",
    ];
    let of_synapse = synapse::options().names().filter(|name| names_secret(name));
    let all = SECRET_MEMBERS.iter().chain(SECRET_OPTIONS).copied().chain(guessed).chain(of_synapse);
    all.map(str::to_owned).collect()
}

/// A name as somebody may write it.
fn slip(name: &str, dice: &mut Dice) -> String {
    let mut chars: Vec<char> = name.chars().collect();
    match dice.below(12) {
        0..3 => {}
        3 => return name.to_uppercase(),
        4 => return name.replace('_', "-"),
        5 => {
            let words = name.split('_').enumerate();
            return words.map(|(at, word)| if at == 0 { word.to_owned() } else { word[..1].to_uppercase() + &word[1..] }).collect();
        }
        6 => chars.push('s'),
        7 => return name.replace('_', ""),
        kind => {
            for _ in 0..1 + dice.below(2) {
                let at = dice.below(chars.len());
                match kind {
                    8 if chars.len() > 2 => drop(chars.remove(at)),
                    9 => chars.insert(at, chars[at]),
                    10 if at > 0 => chars.swap(at - 1, at),
                    _ => chars[at] = char::from(b'a' + u8::try_from(dice.below(26)).expect("a letter")),
                }
            }
        }
    }
    chars.into_iter().collect()
}

/// Where an option may stand: what is before it, and how far it is indented.
const PLACES: [(&str, usize); 16] = [
    ("", 0),
    ("email:\n  smtp_host: mail.example.com\n  notif_from: 'A <a@example.com>'\n", 2),
    ("email:\n", 2),
    ("redis:\n", 2),
    ("turn:\n  source: bundeld\n", 2),
    ("database:\n  cp_max: x\n", 2),
    ("authentication:\n", 2),
    ("ldap:\n  uri: ldaps://ldap.example.com\n", 2),
    ("registration:\n", 2),
    ("oidc:\n  oidc_providers:\n    - idp_id: k\n", 6),
    ("synapse:\n  settings:\n", 4),
    ("synapse:\n  settings:\n    email:\n", 6),
    ("synapse:\n  settings:\n    jwt_config:\n      enabled: yes\n", 6),
    ("synapse:\n  settings:\n    modules:\n      - module: a.B\n        config:\n", 10),
    ("draupnir:\n  settings:\n", 4),
    ("server:\n  old_signing_keys:\n    'ed25519:a':\n", 6),
];

/// Mistakes in YAML. K is the name, S the secret, and each line is indented as its place asks.
const YAML: [&str; 66] = [
    "K: S",
    "K: !S",
    "K: !S x",
    "K: !!S x",
    "K: !!int S",
    "K: !!float S",
    "K: !!binary S",
    "K: [S",
    "K: [S]",
    "K: [S]]",
    "K: ['S', \"S]",
    "K: {value: S}",
    "K: {value: S",
    "K: {S",
    "K: {S}",
    "K: {S: 1}",
    "K: {{ S }}",
    "K: \"S",
    "K: 'S",
    "K: 'S'S'",
    "K: \"S\" x",
    "K: \"\\S\"",
    "K = S",
    "K=S",
    "K = \"S\"",
    "K S",
    "K:S",
    "K : S",
    "K:\tS",
    "\tK: S",
    "K: S\n\tport: 1",
    "K: S\nK: S",
    "K: S\nK: x\nK: [S",
    "K:\nS",
    "K:\n S",
    "K:\n  S\n  S2: S",
    "K:\n- S",
    "K:\n  - S\n S: S",
    "K: S\n S",
    "  K: S",
    " K: S",
    "K: |\n  S\n S",
    "K: |S",
    "K: >\n  S\n   S: 5\nsmtp_port: x",
    "K: | S\n  S",
    "K: x # S",
    "K: x # S\n# S",
    "# K: S\nsmtp_port: x # S",
    "K:\n# S",
    "K: {_secret: T}",
    "K: {_secret: S}",
    "K: {_secret: T, a: S}",
    "K: {_secret: \"S",
    "K:\n  _secret: T\n  b: S",
    "K: &S x",
    "K: &a S\nsmtp_port: *a",
    "K: *S",
    "K: N",
    "K: [N, S]",
    "K: S: x",
    "K: @S",
    "K: %S",
    "K: `S`",
    "K: -S\n- S",
    "? K\n: S",
    "K: \"http://u:S@h\"\nurl: http://u:S@h/",
];

/// More of them, on lines that hold something else, too.
const BESIDE: [&str; 14] = [
    "a: {smtp_port: x, K: S}",
    "a: {K: S, smtp_port: x}",
    "a: {K: S, smtp_port: [}",
    "a: {smtp_port: x, K, S}",
    "smtp_port: x # K: S",
    "smtp_host: m.example\n  K = S",
    "smtp_host: m.example\n  K=S",
    "smtp_host: m.example\n  K S",
    "smtp_host: \"m.example\n  K: S\n  x\"",
    "port: 'K: S'",
    "port: \"K=S\"",
    "K: \"S\nport: x\"\nsmtp_port: \"",
    "K: S\nport: \"\u{1}\"",
    "cp_max: {K: S}\nport: *a",
];

const JSON: [&str; 22] = [
    r#""K": "S""#,
    r#""K": S"#,
    r#""K": "S"#,
    r#""K": ["S""#,
    r#""K": {"value": "S"}"#,
    r#""K": {"S": 1}"#,
    r#""K": {"S"}"#,
    r#""K": {S}"#,
    r#""K" = "S""#,
    r#""K": 'S'"#,
    r#"K: "S""#,
    r#""K": "S", "K": "S""#,
    r#""K": "S" "port": 1"#,
    r#""K": "S\q""#,
    r#""K": N"#,
    r#""K": -S"#,
    r#""K": "S", // S"#,
    r#""K": "S",, "port": 5"#,
    r#""port": "x", "K": "S""#,
    r#""K": {"_secret": "T"}, "port": "x""#,
    "\"K\":\n\"S\n\"",
    r#""K": "S"}}, "S": "S""#,
];

const JSON_PLACES: [(&str, &str); 7] = [
    ("", ""),
    (r#""email": {"smtp_host": "m.example", "#, "}"),
    (r#""redis": {"#, "}"),
    (r#""turn": {"source": "bundeld", "#, "}"),
    (r#""synapse": {"settings": {"#, "}}"),
    (r#""synapse": {"settings": {"modules": [{"module": "a.B", "config": {"#, "}}]}}"),
    (r#""oidc": {"oidc_providers": [{"idp_id": "k", "#, "}]}"),
];

const NIX: [&str; 26] = [
    "K = \"S\";",
    "K = S;",
    "K = \"S\"",
    "K = \"S;",
    "K = [ \"S\"; ];",
    "K: \"S\";",
    "K = { value = \"S\"; };",
    "K = { _secret = \"T\"; x = \"S\"; };",
    "K = ./S;",
    "K = /S;",
    "K = \"S\" + 1;",
    "K = 1 + \"S\";",
    "K = \"S\" \"x\";",
    "K = \"S\"; K = \"S\";",
    "K = \"S\"; # S\n port = ;",
    "K =\n \"S\"\n port = 1;",
    "K = ''S;",
    "K = ''\nS\n'';\n port = nam;",
    "K = builtins.S;",
    "K = builtins.trace \"S\" nam;",
    "K = { }.S;",
    "K = builtins.fromJSON \"S\";",
    "K = \"${S}\";",
    "K = N; port = x: x;",
    "K = lib.mkDefalt \"S\";",
    "K = <S>;",
];

pub fn filled(form: &str, name: &str) -> String {
    // The name holds no capital S or K alone, but another one may: they are filled in at once.
    form.split_inclusive(['K', 'S', 'T', 'N'])
        .map(|part| {
            let (rest, sign) = part.split_at(part.len() - part.chars().last().map_or(0, char::len_utf8));
            let alone = !rest.ends_with(|c: char| c.is_alphanumeric());
            match sign {
                "K" if alone => format!("{rest}{name}"),
                "S" if alone => format!("{rest}{}", MARKERS[0]),
                "T" if alone => format!("{rest}{}", MARKERS[1]),
                "N" if alone => format!("{rest}{}", MARKERS[2]),
                _ => part.to_owned(),
            }
        })
        .collect()
}

/// One description of the corpus in YAML.
fn yaml(names: &[String], dice: &mut Dice) -> String {
    let at = dice.below(names.len());
    let name = slip(&names[at], dice);
    let (before, indent) = PLACES[dice.below(PLACES.len())];
    let form = if dice.below(4) == 0 { BESIDE[dice.below(BESIDE.len())] } else { YAML[dice.below(YAML.len())] };
    let lines: Vec<String> = filled(form, &name).lines().map(|line| format!("{}{line}", " ".repeat(indent))).collect();
    let after = one_of(dice, &["", "gateway: {http_port: x}\n", "mediaa: {}\n", "listeners: [\n"]);
    let before = if before.starts_with("server") { before.replace("server:\n", SITE) } else { format!("{SITE}{before}") };
    format!("{before}{}\n{after}", lines.join("\n"))
}

fn json(names: &[String], dice: &mut Dice) -> String {
    let at = dice.below(names.len());
    let name = slip(&names[at], dice);
    let (before, after) = JSON_PLACES[dice.below(JSON_PLACES.len())];
    let server = r#""server": {"server_name": "example.com", "public_baseurl": "https://matrix.example.com/"}"#;
    let text = format!("{{{server}, {before}{}{after}}}", filled(JSON[dice.below(JSON.len())], &name));
    if dice.below(2) == 0 { text.replace(", ", ",\n") } else { text }
}

fn nix(names: &[String], dice: &mut Dice) -> String {
    let at = dice.below(names.len());
    let name = slip(&names[at], dice);
    let body = filled(NIX[dice.below(NIX.len())], &name);
    let body = match dice.below(4) {
        0 => body,
        1 => format!("synapse.settings = {{ {body} }};"),
        _ => format!("email = {{\n  smtp_host = \"m.example\";\n  {body}\n}};"),
    };
    let head = one_of(dice, &["", "{ lib, ... }: ", "{ lib, config, ... }: "]);
    format!("{head}{{\n server = {{ server_name = \"example.com\"; public_baseurl = \"https://matrix.example.com/\"; }};\n {body}\n}}\n")
}

/// Tries many descriptions and tells how many of them had their secret repeated.
#[track_caller]
fn none_of(name: &str, count: usize, mut make: impl FnMut(&mut Dice) -> String) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join(name);
    let mut dice = Dice::new();
    let mut bad = Vec::new();
    for round in 0..count {
        let text = make(&mut dice);
        fs::write(&file, &text).expect("written");
        let evaluator = Evaluator { show_trace: round % 3 == 0, ..Evaluator::default() };
        let said = said(&file, &evaluator);
        if echoed(&said) {
            bad.push(format!("{text}\n--- is told so:\n{said}"));
        }
    }
    assert!(
        bad.is_empty(),
        "{} of {count} repeat a secret; some of them:\n\n{}",
        bad.len(),
        bad.iter().take(12).cloned().collect::<Vec<_>>().join("\n=====\n")
    );
}

#[test]
fn no_secret_of_a_description_in_yaml_is_repeated() {
    let names = names();
    none_of("site.yaml", 4000 * times(), |dice| yaml(&names, dice));
}

#[test]
fn no_secret_of_a_description_in_json_is_repeated() {
    let names = names();
    none_of("site.json", 2000 * times(), |dice| json(&names, dice));
}

#[test]
fn no_secret_of_a_description_in_nix_is_repeated() {
    let names = names();
    none_of("site.nix", 60 * times(), |dice| nix(&names, dice));
}

/// What rules say of options that Synapse has and that take a path or an address: the secret itself may stand there.
#[test]
fn no_rule_repeats_a_secret_in_the_place_of_a_path_or_an_address() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("site.yaml");
    for form in [
        "recaptcha_private_key_path: S",
        "manhole_settings: { ssh_priv_key_path: S }",
        "https_proxy: socks5://user:S@proxy.example.com:1080",
        "http_proxy: \"http://user:S@\"",
        "modules: [{ module: a.B, config: { key_file: /S, url: \"http://u:S@localhost/\" } }]",
        "password_providers: [{ module: a.B, config: { secret_path: /x/S } }]",
    ] {
        fs::write(&file, format!("{SITE}synapse:\n  settings:\n    {}\n", filled(form, ""))).expect("written");
        let said = said(&file, &Evaluator::default());
        assert!(said.contains("S0431") || said.contains("S044"), "{form}: {said}");
        assert!(!echoed(&said), "{form}: {said}");
    }
}

/// Every form once, with the verbs themselves.
#[test]
fn no_verb_repeats_a_secret() {
    let mut dice = Dice::new();
    let names = names();
    for form in YAML.iter().chain(&BESIDE) {
        let name = &names[dice.below(names.len())];
        let lines: Vec<String> = filled(form, name).lines().map(|line| format!("  {line}")).collect();
        let dir = with_site(&format!("{SITE}email:\n{}\n", lines.join("\n")));
        for verb in [&["check", "site.yaml"][..], &["check", "--json", "site.yaml"], &["render", "site.yaml", "--out", "out"]] {
            let ran = run(tool(verb).current_dir(dir.path()));
            assert!(!echoed(&ran.err) && !echoed(&ran.out), "{verb:?} of {form:?}: {ran:?}");
            assert!(!ran.err.contains("panicked"), "{form:?}: {ran:?}");
        }
    }
}
