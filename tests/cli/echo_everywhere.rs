//! A secret at every option of the schema and of Synapse, in every shape in which it can stand
//! there: as the value, as a key, in a list, twice, in an address. Nothing that the program says
//! repeats it.

use std::fs;

use serde_json::Value;
use synapse_site::site::nix::Evaluator;
use synapse_site::site::schema;
use synapse_site::synapse;

use super::dice::Dice;
use super::echo::{MARKERS, echoed, filled, said};
use super::generated::times;

/// What stands at an option, in a form that is YAML, JSON and, once it is translated, Nix. S is the
/// secret, N one of digits, and K the name of the option: a shape that has none stands behind it.
const SHAPES: [&str; 19] = [
    "\"S\"",
    "N",
    "[\"S\"]",
    "[N, [\"S\"]]",
    "{\"S\": 1}",
    "{\"S\": {\"S\": \"S\"}}",
    "{\"S\": null}",
    "[{\"S\": \"x\"}]",
    "\"https://host.example.com/?token=S\"",
    "\"https://host.example.com/#S\"",
    "\"https://S@host.example.com/\"",
    "\"https://u:S@host.example.com/x?a=S#S\"",
    "[\"http://host.example.com/?S\"]",
    "\"a S=S\"",
    "\"S.example.com\"",
    "\"K\": \"S\", \"K\": \"S\"",
    "\"K\": [\"S\"], \"K\": {\"S\": \"S\"}",
    "\"K\": null, \"S\": 1",
    "\"S\": \"S\", \"S\": \"S\"",
];

/// How a description is written.
#[derive(Clone, Copy)]
enum Form {
    Json,
    /// YAML that is JSON, too.
    Flow,
    /// YAML with a line for each section.
    Block,
    Nix,
    Module,
}

impl Form {
    fn file(self) -> &'static str {
        match self {
            Self::Json => "site.json",
            Self::Flow | Self::Block => "site.yaml",
            Self::Nix | Self::Module => "site.nix",
        }
    }
}

/// Every option: its steps, `[]` for an element and the secret for a member of any name.
fn options() -> Vec<Vec<String>> {
    let mut found = Vec::new();
    collect(schema::root(), &[], &mut found);
    let settings = |name: &str| ["synapse", "settings", name].map(str::to_owned).to_vec();
    found.extend(synapse::options().names().map(settings));
    found
}

fn collect(schema: &Value, path: &[String], found: &mut Vec<Vec<String>>) {
    let deeper = |step: &str| [path, &[step.to_owned()]].concat();
    for branch in schema["anyOf"].as_array().into_iter().flatten() {
        collect(branch, path, found);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        found.push(deeper(name));
        collect(property, &deeper(name), found);
    }
    if schema["items"].is_object() {
        collect(&schema["items"], &deeper("[]"), found);
    }
    if schema["additionalProperties"].is_object() {
        found.push(deeper(MARKERS[0]));
        collect(&schema["additionalProperties"], &deeper(MARKERS[0]), found);
    }
}

/// A description in which this stands at an option.
fn description(path: &[String], shape: &str, form: Form) -> String {
    let (name, around) = path.split_last().expect("an option");
    let member = if shape.contains("\"K\":") || shape.starts_with("\"S\":") { shape.to_owned() } else { format!("\"K\": {shape}") };
    let member = filled(&member, name);
    let server = |but: &str| {
        let all = [("server_name", "example.com"), ("public_baseurl", "https://matrix.example.com/")];
        all.iter().filter(|(other, _)| *other != but).map(|(name, value)| format!("\"{name}\": \"{value}\", ")).collect::<String>()
    };
    let is_server = path[0] == "server";
    let body = if is_server && around.len() == 1 { server(name) + &member } else { member };
    let own_server = if is_server { String::new() } else { format!("\"server\": {{{}}}, ", server("").trim_end_matches(", ")) };
    let flow = |steps: &[String], inner: String| {
        steps.iter().rev().fold((inner, true), |(inner, is_set), step| {
            let inner = if is_set { format!("{{{inner}}}") } else { inner };
            if step == "[]" { (format!("[{inner}]"), false) } else { (format!("\"{step}\": {inner}"), true) }
        })
    };
    match form {
        Form::Json | Form::Flow => format!("{{{own_server}{}}}\n", flow(around, body).0),
        Form::Block => {
            let depth = around.iter().position(|step| step == "[]").unwrap_or(around.len());
            let lines: String = around[..depth].iter().enumerate().map(|(at, step)| format!("{}\"{step}\":\n", "  ".repeat(at))).collect();
            let (inner, is_set) = flow(&around[depth..], body);
            let inner = if is_set && depth > 0 { format!("{{{inner}}}") } else { inner };
            let own_server = if is_server { String::new() } else { format!("server: {{{}}}\n", server("").trim_end_matches(", ")) };
            if depth == 0 { own_server + &inner.replace(", \"", "\n\"") + "\n" } else { format!("{own_server}{lines}{}{inner}\n", "  ".repeat(depth)) }
        }
        Form::Nix | Form::Module => {
            let head = if matches!(form, Form::Module) { "{ lib, ... }: " } else { "" };
            format!("{head}{}\n", in_nix(&format!("{{{own_server}{}}}", flow(around, body).0)))
        }
    }
}

/// JSON as Nix, also where a key stands twice.
fn in_nix(json: &str) -> String {
    let mut out = String::new();
    let mut open = Vec::new();
    let mut quoted = false;
    for c in json.chars() {
        match c {
            '"' => quoted = !quoted,
            '{' | '[' if !quoted => open.push(c),
            '}' if !quoted => {
                open.pop();
                out.push_str(if out.ends_with('{') { "" } else { ";" });
            }
            ']' if !quoted => drop(open.pop()),
            _ => {}
        }
        match c {
            ':' if !quoted => out.push_str(" ="),
            ',' if !quoted => out.push_str(if open.last() == Some(&'{') { ";" } else { "" }),
            c => out.push(c),
        }
    }
    out
}

/// Passwords that people make up: nothing of them looks as if a machine had made it.
const PLAIN: [&str; 4] = ["hunter2", "Sommer2024", "Geheim-99", "S0mmer!23"];

/// What stands at an option where somebody wrote a password, P, before the host. It has no scheme.
const BEFORE_HOST: [&str; 5] = [
    "\"user:P@mail.example.org\"",
    "[\"user:P@mail.example.org\"]",
    "\"user@example.org:P@mail.example.org:587\"",
    "\":P@mail.example.org\"",
    "{\"user:P@mail.example.org\": \"x:P@y\"}",
];

/// What stands at an option where the same text, P, is a password elsewhere.
const ELSEWHERE: [&str; 4] = ["\"P\"", "[\"P\"]", "\"P.example.org\"", "[{\"x\": \"P\"}]"];

/// Tries a password that somebody made up at every option, every so many of them; a text that is put before the description may tell that
/// it is one.
#[track_caller]
fn nowhere_plain(shapes: &[&str], forms: &[Form], step: usize, tell: fn(&str, &str) -> String) {
    let dir = tempfile::tempdir().expect("a directory");
    let all = options();
    let mut bad = Vec::new();
    let start = Dice::new().below(step);
    for count in (start..all.len() * shapes.len()).step_by(step) {
        let (path, shape) = (&all[count / shapes.len()], shapes[count % shapes.len()]);
        let password = PLAIN[(count / shapes.len() + count) % PLAIN.len()];
        let form = forms[(count / shapes.len() + count) % forms.len()];
        let text = tell(&description(path, &shape.replace('P', "_PLAIN_"), form), password).replace("_PLAIN_", password);
        let file = dir.path().join(form.file());
        fs::write(&file, &text).expect("written");
        let said = said(&file, &Evaluator::default());
        if said.to_lowercase().contains(&password.to_lowercase()) {
            bad.push(format!("{} {shape}:\n{text}\n--- is told so:\n{said}", path.join(".")));
        }
    }
    assert!(bad.is_empty(), "{} repeat a password; some of them:\n\n{}", bad.len(), bad.iter().take(12).cloned().collect::<Vec<_>>().join("\n=====\n"));
}

#[test]
fn no_password_before_a_host_is_repeated_wherever_it_stands() {
    nowhere_plain(&BEFORE_HOST, &[Form::Json, Form::Block, Form::Flow], 5_usize.div_ceil(times()), |text, _| text.to_owned());
}

#[test]
fn no_password_before_a_host_is_repeated_wherever_it_stands_in_nix() {
    nowhere_plain(&BEFORE_HOST, &[Form::Nix, Form::Module], 51_usize.div_ceil(times()), |text, _| text.to_owned());
}

#[test]
fn no_text_that_is_a_password_elsewhere_is_repeated_wherever_it_stands() {
    nowhere_plain(&ELSEWHERE, &[Form::Block, Form::Flow, Form::Json], 5_usize.div_ceil(times()), |text, password| {
        if let Some(rest) = text.strip_prefix('{') {
            format!("{{\"smtp_password\": \"{password}\", {rest}")
        } else {
            format!("smtp_password: {password}\n{text}")
        }
    });
}

/// Tries shapes at every option, every so many of them.
#[track_caller]
fn nowhere(forms: &[Form], step: usize) {
    let dir = tempfile::tempdir().expect("a directory");
    let all = options();
    assert!(all.len() > 300, "{}", all.len());
    let mut bad = Vec::new();
    let start = Dice::new().below(step);
    for count in (start..all.len() * SHAPES.len()).step_by(step) {
        let (path, shape) = (&all[count / SHAPES.len()], SHAPES[count % SHAPES.len()]);
        let form = forms[(count / SHAPES.len() + count) % forms.len()];
        let text = description(path, shape, form);
        let file = dir.path().join(form.file());
        fs::write(&file, &text).expect("written");
        let evaluator = Evaluator { show_trace: count % 4 == 0, ..Evaluator::default() };
        let said = said(&file, &evaluator);
        if echoed(&said) {
            bad.push(format!("{} {shape}:\n{text}\n--- is told so:\n{said}", path.join(".")));
        }
    }
    assert!(bad.is_empty(), "{} repeat a secret; some of them:\n\n{}", bad.len(), bad.iter().take(12).cloned().collect::<Vec<_>>().join("\n=====\n"));
}

#[test]
fn no_secret_is_repeated_wherever_it_stands_in_json() {
    nowhere(&[Form::Json], 11_usize.div_ceil(times()));
}

#[test]
fn no_secret_is_repeated_wherever_it_stands_in_yaml() {
    nowhere(&[Form::Block, Form::Flow], 11_usize.div_ceil(times()));
}

#[test]
fn no_secret_is_repeated_wherever_it_stands_in_nix() {
    nowhere(&[Form::Nix, Form::Module], 151_usize.div_ceil(times()));
}

/// What is written in Nix beside values: nothing of it is a value that could be looked at.
#[test]
fn no_message_of_nix_repeats_a_secret() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("site.nix");
    let server = "server = { server_name = \"example.com\"; public_baseurl = \"https://matrix.example.com/\"; };";
    let forms = [
        "throw \"S\"",
        "throw \"it is S, here\"",
        "abort \"S\"",
        "assert false; \"S\"",
        "assert builtins.throw \"S\"; 1",
        "builtins.getAttr \"S\" { }",
        "{ S = 1; }.\"T\"",
        "builtins.match \"S(\" \"S\"",
        "builtins.trace \"S\" nam",
        "builtins.trace \"a\\nS\\nb\" nam",
        "builtins.traceVerbose \"S\" nam",
        "(builtins.warn or builtins.trace) \"S\" nam",
        "builtins.seq (throw \"S\") 1",
        "builtins.addErrorContext \"S\" nam",
        "builtins.toPath \"S\"",
        "builtins.readFile \"/S/T\"",
        "builtins.fetchurl \"https://u:S@host.invalid/?token=S\"",
        "import \"/S\"",
        "builtins.fromTOML \"S\"",
        "builtins.elemAt [ \"S\" ] 5",
        "builtins.substring (-1) \"S\" 1",
        "(x: x.S) { }",
        "({ S }: S) { T = 1; }",
        "let S = 1; in T",
        "\"S\" + 1",
        "\"S\" { }",
        "builtins.hashString \"S\" \"T\"",
        "builtins.listToAttrs [ { name = \"S\"; } ]",
        "lib.mkMerge [ (lib.mkForce \"S\") (lib.mkForce \"T\") ]",
        "lib.mkIf \"S\" 1",
        "lib.warn \"S\" nam",
        "lib.throwIf true \"S\" 1",
        "lib.head \"S\"",
    ];
    for (at, form) in forms.into_iter().enumerate() {
        let head = if form.contains("lib.") || at % 3 == 0 { "{ lib, ... }: " } else { "" };
        let place = ["email.smtp_host", "synapse.settings.x"][at % 2];
        fs::write(&file, format!("{head}{{\n {server}\n {place} = {};\n}}\n", filled(form, ""))).expect("written");
        for show_trace in [false, true] {
            let said = said(&file, &Evaluator { show_trace, ..Evaluator::default() });
            assert!(!echoed(&said), "{head}{form}: {said}");
        }
    }
    let warns = format!("{{ lib, ... }}: {{ {server} warnings = [ \"say more than {}\" ]; }}", MARKERS[0]);
    fs::write(&file, warns).expect("written");
    let said = said(&file, &Evaluator::default());
    assert!(!echoed(&said) && (!said.contains("S0010") || said.contains("say more than …")), "{said}");
}
