//! What help says is true: an option that it sends to is in the schema and takes a value, what cannot be said is told "not offered", and no
//! help sends to a place whose help sends on. Every option that the pinned Synapse reads is put where people put it, and so is every one
//! that an earlier release read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};
use synapse_site::check::rules;
use synapse_site::error::Error;
use synapse_site::reference::options::{self, without_null};
use synapse_site::reference::values;
use synapse_site::site::{load, schema};
use synapse_site::synapse::{self, Kind, Release, facts};

/// Codes that say "not here".
const NOT_HERE: &[&str] = &["S0001", "S0401", "S0404", "S0407", "S0411", "S0412", "S0416", "S0417"];

struct Found {
    code: &'static str,
    option: String,
    remedy: String,
}

/// What is found in a description with these sections beside a sound `server`.
fn found(sections: &Value) -> Vec<Found> {
    let mut site = json!({ "server": { "server_name": "example.com", "public_baseurl": "https://matrix.example.com/" } });
    merge(&mut site, sections);
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("site.json");
    std::fs::write(&file, site.to_string()).expect("written");
    let list = match load::load(&file) {
        Ok(loaded) => rules::apply(&loaded).list,
        Err(Error::Site(findings)) => findings.list,
        Err(other) => panic!("{site}: {other}"),
    };
    list.into_iter().map(|finding| Found { code: finding.code, option: finding.option, remedy: finding.remedy.unwrap_or_default() }).collect()
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// Every option of the table, with a value of one of its kinds.
fn read_by_synapse() -> Vec<(String, Value)> {
    let rows = facts::Kind::Options.of(Release::newest()).into_iter();
    let value = |kinds: &str| match kinds.split(' ').find(|kind| *kind != "null").unwrap_or("null") {
        "bool" => json!(true),
        "int" | "number" => json!(7),
        "list" => json!([]),
        "map" => json!({}),
        "duration" => json!("7d"),
        "size" => json!("7M"),
        other => other.strip_prefix('=').map_or(json!("probe"), |just| serde_json::from_str(just).expect("JSON")),
    };
    rows.map(|(path, kinds)| (path.to_owned(), value(kinds))).collect()
}

/// A value at a path with dots: `redis.host`, `listeners.[].port`, `databases.*.name`.
fn at(path: &str, value: Value) -> Value {
    path.rsplit('.').fold(value, |inner, step| match step {
        "[]" => json!([inner]),
        "*" => json!({ "probe": inner }),
        name => json!({ name: inner }),
    })
}

fn sections() -> &'static Map<String, Value> {
    static SECTIONS: LazyLock<Map<String, Value>> = LazyLock::new(|| schema::root()["properties"].as_object().expect("sections").clone());
    &SECTIONS
}

/// The schema of an option; none when there is none. `*` stands for elements and for members of any name.
fn option(path: &str) -> Option<Value> {
    path.split('.').try_fold(schema::root().clone(), |schema, step| {
        let rules = without_null(&schema).0;
        let inner = match step {
            "*" => rules.get("items").or_else(|| rules.get("additionalProperties").filter(|inner| inner.is_object())),
            name => rules.get("properties").and_then(|members| members.get(name)),
        };
        inner.cloned()
    })
}

/// The options that a text names.
fn named(text: &str) -> BTreeSet<String> {
    static PATH: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[A-Za-z0-9_/-]+(?:\.(?:[a-z0-9_]+|\*))+").expect("an expression"));
    // Examples have names of hosts.
    let is_host = |path: &&str| [".com", ".net", ".org"].iter().any(|end| path.ends_with(end));
    let paths = PATH.find_iter(text).map(|found| found.as_str()).filter(|path| !is_host(path));
    let is_ours = |path: &&str| path.split('.').next().is_some_and(|section| sections().contains_key(section));
    paths.filter(is_ours).map(str::to_owned).collect()
}

/// The option without a dot that a text sends to.
fn written_as(text: &str) -> Option<String> {
    let rest = text.split_once("write it as ")?.1;
    let name = rest.split(|c: char| !(c.is_ascii_lowercase() || c == '_' || c == '.')).next()?;
    (!name.contains('.')).then(|| name.to_owned())
}

/// The blocks that a text shows, as sections of a description: `write redis: { host: a } and email: { … }`.
fn shown(text: &str) -> Vec<Value> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("write ") {
        let mut rest = &text[at + "write ".len()..];
        let mut block = json!({});
        while let Some((name, length)) = section_shown(rest) {
            let value: Value = serde_yaml::from_str(&rest[..length]).unwrap_or_else(|error| panic!("{rest}: {error}"));
            merge(&mut block, &value);
            assert!(value.get(&name).is_some(), "{text}");
            rest = rest[length..].strip_prefix(" and ").unwrap_or_default();
        }
        if block != json!({}) {
            found.push(block);
        }
    }
    found
}

/// A section at the beginning of a text, and how long it is.
fn section_shown(text: &str) -> Option<(String, usize)> {
    let (name, rest) = text.split_once(": ")?;
    if !sections().contains_key(name) || !rest.starts_with(['{', '[']) {
        return None;
    }
    let (mut open, mut quoted, mut escaped) = (0, false, false);
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '{' | '[' if !quoted => open += 1,
            '}' | ']' if !quoted => open -= 1,
            _ => {}
        }
        if open == 0 && !quoted {
            return Some((name.to_owned(), name.len() + 2 + at + c.len_utf8()));
        }
    }
    None
}

/// What is wrong with the places and types of a description's sections.
fn mistakes(sections: &Value) -> Vec<String> {
    let hides = sections.to_string().contains('…');
    let types = ["S0002", "S0003", "S0004", "S0005"];
    let is_wrong = |found: &Found| NOT_HERE.contains(&found.code) || types.contains(&found.code) && !hides;
    found(sections).into_iter().filter(is_wrong).map(|found| format!("{} {}", found.code, found.option)).collect()
}

/// The sections that a text names.
fn sections_named(text: &str) -> Vec<String> {
    static SECTION: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\bsections? ([a-z_]+)").expect("an expression"));
    SECTION.captures_iter(text).map(|found| found[1].to_owned()).filter(|word| !["for", "has", "of", "alone", "here"].contains(&word.as_str())).collect()
}

/// Why a place that help names does not take what it names, if it does not.
fn refused(path: &str) -> Option<String> {
    static TRIED: LazyLock<std::sync::Mutex<BTreeMap<String, Option<String>>>> = LazyLock::new(Default::default);
    if let Some(known) = TRIED.lock().expect("no panic").get(path) {
        return known.clone();
    }
    let answer = try_it(path);
    TRIED.lock().expect("no panic").insert(path.to_owned(), answer.clone());
    answer
}

fn try_it(path: &str) -> Option<String> {
    let value = if let Some(setting) = path.strip_prefix("synapse.settings.") {
        let Some((_, value)) = read_by_synapse().into_iter().find(|(read, _)| read == setting) else { return Some(format!("Synapse does not read {path}")) };
        value
    } else {
        let Some(schema) = option(path) else { return Some(format!("there is no {path}")) };
        let rules = without_null(&schema).0;
        let mut files = BTreeMap::new();
        values::least(&rules).or_else(|| values::others(&rules, None, &mut files).into_iter().next())?
    };
    // What else an element of a list has to say is another matter, and so is what a file holds.
    let wrong = mistakes(&at(&path.replace(".*", ".[]"), value));
    (!wrong.is_empty()).then(|| format!("{path} is refused: {}", wrong.join(", ")))
}

/// What is untrue in the help about something written at a wrong place.
fn untrue(written: &str, found: &[Found]) -> Vec<String> {
    let mut wrong = Vec::new();
    for Found { code, option, remedy } in found.iter().filter(|found| NOT_HERE.contains(&found.code)) {
        let mut bad = |why: String| wrong.push(format!("{written}: {code} {option}: {remedy:?}: {why}"));
        let mut options = named(remedy);
        options.extend(written_as(remedy));
        options.iter().filter_map(|path| refused(path)).for_each(&mut bad);
        for section in sections_named(remedy).into_iter().filter(|section| !sections().contains_key(section)) {
            bad(format!("there is no section {section}"));
        }
        for vague in ["say it there", "follows from", "for now", "say it in the section", "is described in the section", "see the section"] {
            if remedy.contains(vague) {
                bad(format!("{vague:?} names no option"));
            }
        }
        let blocks = shown(remedy);
        for block in &blocks {
            let wrong = mistakes(block);
            if !wrong.is_empty() {
                bad(format!("{block} is refused: {wrong:?}"));
            }
        }
        // Of sets whose names are free, a list of what is known is all there is to say.
        let any_name = written.contains("probe\":") && remedy.contains("known here are");
        let names_something = !sections_named(remedy).is_empty() || remedy.contains("secrets/") || !blocks.is_empty() || any_name;
        if !names_something && options.is_empty() && !["not offered", "remove it", "did you mean", "leave "].iter().any(|way| remedy.contains(way)) {
            bad("no way out".to_owned());
        }
    }
    wrong
}

#[test]
fn help_about_every_option_of_synapse_is_true() {
    let mut wrong = BTreeSet::new();
    let (mut tried, mut sent) = (0, 0);
    let gone = synapse::gone().keys().map(|path| ((*path).to_owned(), json!(true)));
    for (path, value) in read_by_synapse().into_iter().chain(gone) {
        let top = path.split('.').next().expect("a name");
        let mut places = vec![at(&path, value.clone()), json!({ "synapse": { "settings": at(&path, value.clone()) } })];
        // Under each section that takes one of the options of the same block, or has its name.
        let rest = path.split_once('.').map_or(path.as_str(), |(_, rest)| rest);
        for section in sections().keys().filter(|section| *section == top || section.as_str() == section_of(top)) {
            places.push(json!({ section: at(rest, value.clone()) }));
        }
        for place in places {
            tried += 1;
            let found = found(&place);
            sent += found.iter().filter(|found| NOT_HERE.contains(&found.code)).count();
            wrong.extend(untrue(&place.to_string(), &found));
        }
    }
    assert!(tried > 2000 && sent > 1000, "{tried} places, {sent} answers");
    assert!(wrong.is_empty(), "{} of {sent} answers are untrue:\n{}", wrong.len(), wrong.iter().take(60).cloned().collect::<Vec<_>>().join("\n"));
}

/// What help says about each of these, where people paste it.
fn told(pasted: &str) -> Vec<String> {
    let pasted: Value = serde_yaml::from_str(pasted).expect("YAML");
    found(&pasted).into_iter().filter(|found| NOT_HERE.contains(&found.code)).map(|found| found.remedy).collect()
}

/// Blocks of Synapse's own configuration, as its documentation writes them, come back as a description says them: no mistake is left but what
/// only the whole site can know, and no secret is shown.
#[test]
fn what_is_pasted_is_translated() {
    let provider = "{ idp_id: keycloak, idp_name: Keycloak, issuer: \"https://id.example.com/realms/x\", client_id: synapse, client_secret: S3kr3t, scopes: [openid, profile], user_mapping_provider: { config: { localpart_template: \"{{ user.preferred_username }}\", display_name_template: \"{{ user.name }}\" } } }";
    let shown_provider = "oidc: { oidc_providers: [{ client_id: synapse, idp_id: keycloak, idp_name: Keycloak, issuer: \"https://id.example.com/realms/x\", scopes: [openid, profile], user_mapping_provider: { display_name_template: \"{{ user.name }}\", localpart_template: \"{{ user.preferred_username }}\" } }] }";
    let secret = "secrets/oidc_client_secret_keycloak";
    let database = "{ name: psycopg2, txn_limit: 10000, args: { user: synapse_user, password: S3kr3t, dbname: matrix, host: db.example.net, port: 5433, cp_min: 5, cp_max: 10, keepalives_idle: 10 } }";
    let shown_database =
        "write database: { cp_max: 10, cp_min: 5, dbname: matrix, host: db.example.net, port: 5433, source: external, txn_limit: 10000, user: synapse_user }";
    let directory = "{ enabled: true, mode: search, uri: \"ldaps://dc1.corp.example.com\", base: \"dc=corp\", bind_dn: \"cn=matrix\", bind_password: S3kr3t, active_directory: true, attributes: { uid: cn, mail: mail, name: givenName } }";
    for (pasted, parts) in [
        (format!("{{ authentication: {{ oidc_providers: [{provider}] }} }}"), vec![shown_provider, secret]),
        (format!("{{ oidc_providers: [{provider}] }}"), vec![shown_provider, secret]),
        (format!("{{ synapse: {{ settings: {{ oidc_providers: [{provider}] }} }} }}"), vec![shown_provider, secret]),
        (format!("{{ synapse: {{ settings: {{ oidc_config: {provider} }} }} }}"), vec![shown_provider, secret]),
        (format!("{{ synapse: {{ settings: {{ database: {database} }} }} }}"), vec![shown_database, "secrets/postgres_password"]),
        ("{ database: { args: { dbname: matrix, password: S3kr3t } } }".to_owned(), vec!["database: { dbname: matrix }", "secrets/postgres_password"]),
        ("{ database: { args: { dbname: matrix, keepalives_idle: 10 } } }".to_owned(), vec!["write database: { dbname: matrix }"]),
        ("{ database: { name: sqlite3, args: { database: /var/lib/matrix-synapse/homeserver.db } } }".to_owned(), vec!["SQLite is not offered", "synapse_port_db"]),
        (
            "{ synapse: { settings: { redis: { enabled: true, host: cache.example.net, port: 6380, password: S3kr3t, use_tls: true } } } }".to_owned(),
            vec!["write redis: { host: cache.example.net, port: 6380, source: external }", "secrets/redis_password", "use_tls is not offered", "leave enabled out"],
        ),
        ("{ synapse: { settings: { redis: { enabled: true, host: localhost } } } }".to_owned(), vec!["it is the redis of this site"]),
        ("{ password_config: { enabled: false } }".to_owned(), vec!["write authentication: { method: none }"]),
        ("{ synapse: { settings: { presence: { enabled: untracked } } } }".to_owned(), vec!["write presence: { enabled: true, untracked: true }"]),
        ("{ turn: { enabled: false } }".to_owned(), vec!["write turn: { source: none }"]),
        ("{ synapse: { settings: { listeners: [] } } }".to_owned(), vec!["listeners of Synapse are not offered", "gateway.http_port", "workers.generic", "listeners.metrics"]),
        (
            "{ synapse: { settings: { email: { smtp_host: m.example.com, smtp_port: 587, smtp_pass: S3kr3t, notif_from: \"%(app)s <n@example.com>\", riot_base_url: \"https://app.example.com\", notif_template_html: mine.html } } } }".to_owned(),
            vec![
                "write email: { client_base_url: \"https://app.example.com\", notif_from: \"%(app)s <n@example.com>\", smtp_host: m.example.com, smtp_port: 587 }",
                "secrets/smtp_password",
                "notif_template_html is said with templates.custom_template_directory",
            ],
        ),
        (
            "{ synapse: { settings: { listeners: [{ port: 8008, type: http, resources: [{ names: [client, federation], compress: true }] }, { port: 9000, type: metrics }] } } }".to_owned(),
            vec!["write listeners: { compress: true, federation: true, metrics: true }", "gateway.http_port"],
        ),
        (
            format!("{{ synapse: {{ settings: {{ modules: [{{ module: ldap_auth_provider.LdapAuthProviderModule, config: {directory} }}] }} }} }}"),
            vec!["write authentication: { method: ldap } and ldap: {", "base: \"dc=corp\"", "secrets/ldap_bind_password", "active_directory is not offered"],
        ),
        (
            format!("{{ password_providers: [{{ module: ldap_auth_provider.LdapAuthProvider, config: {directory} }}] }}"),
            vec!["write authentication: { method: ldap } and ldap: {", "secrets/ldap_bind_password"],
        ),
        (
            "{ password_config: { enabled: true, localdb_enabled: false, pepper: S3kr3t, policy: { enabled: true, minimum_length: 15 } } }".to_owned(),
            vec!["write authentication: { policy: { enabled: true, minimum_length: 15 } }", "secrets/password_pepper", "authentication.method"],
        ),
        (
            "{ rc_login: { address: { per_second: 0.17, burst_count: 3 } } }".to_owned(),
            vec!["write rate_limits: { rc_login: { address: { burst_count: 3, per_second: 0.17 } } }"],
        ),
    ] {
        let told = told(&pasted).join("\n");
        for part in parts {
            assert!(told.contains(part), "{pasted}\nlacks {part:?}:\n{told}");
        }
        assert!(!told.contains("S3kr3t"), "{told}");
        for block in shown(&told) {
            assert_eq!(mistakes(&block), [""; 0], "{pasted}: {block}");
        }
    }
}

/// Every switch of Synapse that is said with an option of another kind is told with its value, not by the option's name alone.
#[test]
fn a_switch_is_told_with_its_value() {
    let switches = facts::Kind::Options.of(Release::newest()).into_iter().filter(|(_, kinds)| kinds.split(' ').any(|kind| kind == "bool"));
    let (mut tried, mut vague) = (0, Vec::new());
    for (path, on) in switches.flat_map(|(path, _)| [(path, true), (path, false)]).filter(|(path, _)| !path.contains(['[', '*'])) {
        tried += 1;
        for found in found(&json!({ "synapse": { "settings": at(path, json!(on)) } })) {
            if found.code == "S0401" && found.remedy.contains("is said with ") {
                vague.push(format!("{path} {on}: {}", found.remedy));
            }
        }
    }
    assert!(tried > 300, "{tried}");
    assert_eq!(vague, [""; 0]);
}

/// The help about something that stands in the place of a section, or of any other set of options.
fn in_place_of(path: &str, value: &Value) -> String {
    let found = found(&at(path, value.clone()));
    let [one] = found.iter().filter(|found| found.option == path).collect::<Vec<_>>()[..] else { panic!("{path}: {value}") };
    assert_eq!(one.code, "S0002", "{path}: {value}");
    one.remedy.clone()
}

/// Every section, and every other set of options that is in a section by its name.
fn sets() -> Vec<String> {
    fn collect(schema: &'static Value, path: &str, sets: &mut Vec<String>) {
        for branch in schema["anyOf"].as_array().into_iter().flatten().chain(std::iter::once(schema)) {
            for (name, inner) in branch["properties"].as_object().into_iter().flatten() {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let branches = inner["anyOf"].as_array().into_iter().flatten().chain(std::iter::once(inner));
                if branches.filter_map(|branch| branch["properties"].as_object()).any(|options| !options.is_empty()) {
                    sets.push(path.clone());
                }
                collect(inner, &path, sets);
            }
        }
    }
    let mut sets = Vec::new();
    collect(schema::root(), "", &mut sets);
    sets
}

/// Whoever writes a word, a number, a switch or a list in the place of options sees how to write it, and what is shown is taken there.
#[test]
fn something_in_the_place_of_a_set_of_options_is_told_with_what_to_write() {
    let sets = sets();
    assert!(sets.len() > 50, "{sets:?}");
    for path in &sets {
        for value in [json!(true), json!(false), json!(3), json!(123_456), json!("hunter2"), json!("external"), json!([]), json!([{ "port": 8008 }])] {
            let told = in_place_of(path, &value);
            assert!(!told.contains("hunter2") && !told.contains("123456"), "{path}: {value}: {told}");
            if told.starts_with("leave ") || told.contains("not offered") {
                continue;
            }
            let written = told.split_once("write for example ").or_else(|| told.split_once("write ")).unwrap_or_else(|| panic!("{path}: {value}: {told:?}")).1;
            for written in written.split(" or ") {
                let written: Value = serde_yaml::from_str(written).unwrap_or_else(|error| panic!("{path}: {told}: {error}"));
                // A section is shown whole, what is in one by its own name.
                let outer = path.rsplit_once('.').map(|(outer, _)| outer);
                let whole = outer.map_or_else(|| written.clone(), |outer| at(outer, written.clone()));
                let wrong =
                    mistakes(&whole).into_iter().filter(|_| whole.as_object().is_some_and(|whole| sections().contains_key(whole.keys().next().expect("one"))));
                assert_eq!(wrong.collect::<Vec<_>>(), [""; 0], "{path}: {value}: {told}");
                assert_ne!(written, json!({}), "{path}: {value}: {told}");
            }
        }
    }
    for (path, value, told) in [
        ("federation", json!(false), "write listeners: { federation: false }"),
        ("presence", json!(false), "write presence: { enabled: false }"),
        ("turn", json!(true), "write turn: { source: bundled }"),
        ("turn", json!("external"), "write turn: { source: external }"),
        ("workers", json!(3), "write workers: { federation_senders: 3 } or workers: { generic: 3 }"),
        ("well_known", json!(false), "write well_known: { serve: false }"),
        ("registration", json!(true), "write registration: { enable_registration: true }"),
        ("authentication.policy", json!(true), "write policy: { enabled: true }"),
        ("email", json!(false), "leave email out: without the section there is none"),
        ("authentication", json!("ldap"), "write authentication: { method: ldap }"),
    ] {
        assert_eq!(in_place_of(path, &value), told, "{path}: {value}");
    }
    let listeners = in_place_of("listeners", &json!([{ "port": 8008, "x_forwarded": true, "resources": [{ "names": ["client"] }] }]));
    for part in
        ["write listeners: { federation: false }", "not offered", "gateway.http_port", "gateway.trusted_proxies", "workers.generic", "listeners.metrics"]
    {
        assert!(listeners.contains(part), "{listeners}");
    }
    for written in [json!(["S0610"]), json!("S0610"), json!([["S0610"]])] {
        let found = found(&json!({ "checks": { "accept": written } }));
        assert!(found[0].remedy.starts_with("write for example accept: [{ code: S0"), "{}", found[0].remedy);
    }
    assert!(found(&json!({ "checks": { "accept": ["S0610"] } }))[0].remedy.contains("code: S0610"));
}

/// What people write who know Synapse, Compose or another program, and whose first answer once led to a second mistake.
#[test]
fn no_answer_leads_in_a_circle() {
    let answers = |written: &str| {
        let written: Value = serde_yaml::from_str(written).expect("YAML");
        found(&written).into_iter().map(|found| format!("{}: {}", found.option, found.remedy)).collect::<Vec<_>>().join("\n")
    };
    let address = "without user and password";
    for (written, right, wrong) in [
        ("recaptcha_private_key: S3kr3t", "write it as synapse.settings.recaptcha_private_key: { _secret: recaptcha_private_key }", "remove it"),
        (
            "modules: [{ module: ldap_auth_provider.LdapAuthProviderModule, config: { uri: 'ldap://u:S3kr3t@h', base: 'dc=x' } }]",
            "uri is said with ldap.uri, without user and password",
            "has no option here",
        ),
        (
            "modules: [{ module: ldap_auth_provider.LdapAuthProviderModule, config: { uri: ['ldap://u:S3kr3t@h'], base: 'dc=x' } }]",
            "uri is said with ldap.uri, without user and password",
            "has no option here",
        ),
        (
            "modules: [{ module: ldap_auth_provider.LdapAuthProviderModule, config: { uri: 'nowhere', base: 'dc=x' } }]",
            "uri is said with ldap.uri",
            "has no option here",
        ),
        ("ldap: { uri: 'ldap://u:S3kr3t@h', base: 'dc=x' }", address, "remove it"),
        ("redis: { source: external, host: 'redis://:S3kr3t@h:6379/0' }", address, "remove it"),
        ("email: { smtp_host: m.example.com, client_base_url: 'https://u:S3kr3t@h' }", address, "remove it"),
        ("rtc: { source: external, livekit_service_url: 'https://u:S3kr3t@h' }", address, "remove it"),
        ("well_known: { support: { contacts: [{ role: m.role.admin, email: a@b.example }] } }", "did you mean \"email_address\"?", "section email"),
        ("version: '3'", "remove it", "consent"),
        ("services: { synapse: { image: x } }", "remove it", "did you mean"),
        ("instance_map: { main: { host: localhost, port: 9093 } }", "remove it", "host is said"),
        ("listeners: { port: 8008, tls: false }", "not offered", "either"),
        ("presence: 'off'", "write presence: { enabled: false }", "true"),
        ("registration: closed", "write registration: { enable_registration: false }", "true"),
        ("turn: none", "write turn: { source: none }", "bundled"),
        ("gateway: { tls: true }", "write \"files\"", "\"off\""),
        ("gateway: { tls: false }", "write \"off\"", "files"),
        ("turn: { source: false }", "write \"none\"", "bundled"),
    ] {
        let told = answers(written);
        assert!(told.contains(right), "{written}: lacks {right:?}:\n{told}");
        assert!(!told.contains(wrong) && !told.contains("S3kr3t"), "{written}: says {wrong:?}:\n{told}");
    }
}

/// Where people look for a block of Synapse that has another name here.
fn section_of(block: &str) -> &'static str {
    match block {
        "password_config" | "ui_auth" | "login_via_existing_session" => "authentication",
        "oidc_config" | "oidc_providers" | "sso" => "oidc",
        "user_consent" => "consent",
        "instance_map" | "worker_listeners" | "stream_writers" => "workers",
        "retention" | "user_directory" => "rooms",
        "media_retention" => "media",
        "matrix_rtc" => "rtc",
        "ldap_config" => "ldap",
        name if name.starts_with("turn_") => "turn",
        name if name.starts_with("rc_") => "rate_limits",
        name if name.starts_with("worker_") => "workers",
        _ => "",
    }
}

/// Every text of the program's rules that sends somebody somewhere names options that there are.
#[test]
fn what_explanations_and_sites_of_rules_name_is_there() {
    let mut wrong = BTreeSet::new();
    for directory in std::fs::read_dir("tests/rules").expect("the directory").map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir()) {
        for site in std::fs::read_dir(&directory).expect("a directory").map(|entry| entry.expect("an entry").path()) {
            let is_bad = site.file_stem().is_some_and(|stem| stem.to_string_lossy().starts_with("bad"));
            if !is_bad || site.extension().is_none_or(|ending| ending != "yaml") {
                continue;
            }
            for (place, remedy) in remedies(&site) {
                for path in named(&remedy).into_iter().filter(|path| !exists(path)) {
                    wrong.insert(format!("{}: {place}: {remedy:?} names {path}", site.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn exists(path: &str) -> bool {
    match path.strip_prefix("synapse.settings.") {
        Some(setting) => setting.split('.').try_fold(synapse::options(), |entry, step| entry.member(step)).is_some_and(|entry| entry.kinds != [Kind::Null]),
        None => path == "synapse.settings" || option(path).is_some() || options::all(schema::root()).iter().any(|option| option.watched_as() == path),
    }
}

fn remedies(site: &Path) -> Vec<(String, String)> {
    let list = match load::load(site) {
        Ok(loaded) => rules::apply(&loaded).list,
        Err(Error::Site(findings)) => findings.list,
        Err(other) => panic!("{}: {other}", site.display()),
    };
    list.into_iter().map(|finding| (finding.option, finding.remedy.unwrap_or_default())).collect()
}
