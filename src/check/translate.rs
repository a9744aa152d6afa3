//! A block of Synapse's configuration as a description says it: members that have an option are shown in their place, secrets by the name
//! of their file, and what is not offered with the reason. Only values that may be repeated are shown, and only those that the schema takes.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::said::{self, Said};
use crate::site::reveal;
use crate::site::schema::{self, OptionPath, Step};
use crate::site::synapse::has_password;

/// A block as it is written here.
#[derive(Debug, Default)]
struct Translation {
    /// What is said with options of the description.
    written: Value,
    /// The secrets that hold a part of it.
    secrets: Vec<String>,
    /// What else there is to say, of one member each.
    told: Vec<String>,
}

/// What to do with a block of Synapse (`redis`, `oidc_providers`, `database.args`) and what is in it; none when it has no members that could be
/// looked at one by one.
pub fn block(path: &str, value: &Value) -> Option<String> {
    if let Some(written) = said::switch(path, value) {
        return Some(format!("write {}", sections(&written)));
    }
    let members = |value: &Value| value.as_object().is_some_and(|members| !members.is_empty());
    let has_members = members(value) || value.as_array().is_some_and(|elements| elements.iter().any(members));
    let is_list_of_ours = path == "listeners" && value.is_array();
    if !has_members && !is_list_of_ours {
        return None;
    }
    let mut translation = Translation::default();
    match path {
        "database" | "databases" => translation.database(path, value),
        "database.args" => translation.database("database", &json!({ "args": value })),
        "modules" | "password_providers" | "ldap_config" => translation.directory(value)?,
        "listeners" => translation.listeners(value),
        "oidc_config" => translation.providers(&json!([value])),
        "oidc_providers" => translation.providers(value),
        // Passwords, and none of Synapse's own: which others there are is said of the latter.
        "password_config" if value["localdb_enabled"] == false => {
            let rest = value.as_object().into_iter().flatten().filter(|(key, _)| *key != "enabled");
            let rest = rest.map(|(key, member)| (key.clone(), member.clone())).collect();
            translation.member(path, path, &Value::Object(rest), &OptionPath::default());
        }
        _ => translation.member(path, path, value, &OptionPath::default()),
    }
    match path {
        "redis" => translation.is_external("redis", &["localhost", "127.0.0.1", "::1"]),
        "database" | "database.args" => translation.is_external("database", &["localhost", "127.0.0.1", "::1"]),
        _ => {}
    }
    Some(translation.sentence())
}

impl Translation {
    /// A member of a block, by its path as in the table and as it is written, with the numbers of elements.
    fn member(&mut self, path: &str, name: &str, value: &Value, indexes: &OptionPath) {
        let said = said::of(path);
        let is_whole = said::has_lines_below(path);
        match (&said, value) {
            (Some(Said::With(options)), value) if options.len() == 1 && !is_whole && self.put(&options[0], value, indexes) => {}
            (_, Value::Object(members)) if !members.is_empty() && !matches!(said, Some(Said::Nowhere { .. } | Said::Secret(_))) => {
                for (key, member) in members {
                    self.member(&format!("{path}.{key}"), key, member, indexes);
                }
            }
            (_, Value::Array(elements)) if elements.iter().any(Value::is_object) && !matches!(said, Some(Said::Nowhere { .. } | Said::Secret(_))) => {
                for (at, element) in elements.iter().enumerate() {
                    self.member(&format!("{path}.[]"), name, element, &indexes.index(at));
                }
            }
            (Some(Said::Secret(secret)), value) => {
                // A password that is empty is none.
                if value.as_str().is_none_or(|text| !text.is_empty()) {
                    self.secret(secret);
                }
            }
            (Some(Said::With(_)), _) if said::switch(path, value).is_some() => {
                merge(&mut self.written, said::switch(path, value).unwrap_or_default());
            }
            (Some(Said::With(options)), _) => self.told.push(format!("{name} is said with {}", options.join(" and "))),
            (Some(Said::Nowhere { why, instead }), _) => self.tell(name, why, instead),
            (Some(Said::Settings), _) => self.told.push(format!("{name} is said with synapse.settings.{path}")),
            (None, _) => self.told.push(match around(path) {
                Some(option) => format!("{option} takes no {} of this form", shown(name)),
                None => format!("leave {} out, since Synapse reads no such option there", shown(name)),
            }),
        }
    }

    fn tell(&mut self, name: &str, why: &str, instead: &str) {
        let told = if instead == "remove it" { format!("leave {name} out, since {why}") } else { format!("{name} is not offered: {why}; {instead}") };
        if !self.told.contains(&told) {
            self.told.push(told);
        }
    }

    fn secret(&mut self, secret: &str) {
        if !self.secrets.iter().any(|known| known == secret) {
            self.secrets.push(secret.to_owned());
        }
    }

    /// Puts a value at an option, if it takes it. Indexes stand for the stars of its path, the first for the first.
    fn put(&mut self, option: &str, value: &Value, indexes: &OptionPath) -> bool {
        let mut indexes = indexes.0.iter();
        let mut path = OptionPath::default();
        for step in option.split('.') {
            path = match step {
                "*" => match indexes.next() {
                    Some(step) => OptionPath([path.0.as_slice(), std::slice::from_ref(step)].concat()),
                    None => path.index(0),
                },
                name => path.key(name),
            };
        }
        let Some(schema) = schema::at(option) else { return false };
        // A directory is one beside the description here.
        if schema["format"] == "directory" || schema["anyOf"][0]["format"] == "directory" {
            return false;
        }
        if !schema::check(schema, value).findings.is_empty() {
            return false;
        }
        insert(&mut self.written, &path.0, hidden(&path, value));
        true
    }

    fn database(&mut self, path: &str, value: &Value) {
        let Some(members) = value.as_object() else { return };
        if path == "databases" {
            if let Some(Said::Nowhere { why, instead }) = said::of(path) {
                self.tell(path, why, instead);
            }
            return;
        }
        for (key, member) in members {
            match (key.as_str(), member) {
                ("args", Value::Object(arguments)) if is_file(arguments) => {
                    self.tell("SQLite", "PostgreSQL is the only database", "remove it, and move its data with Synapse's own synapse_port_db")
                }
                ("name", Value::String(name)) if name == "sqlite3" => {}
                // The one that there is.
                ("name", Value::String(name)) if name == "psycopg2" => {}
                ("args", Value::Object(arguments)) => {
                    for (key, member) in arguments {
                        // libpq's parameters of keeping a connection are written anyway.
                        if !key.starts_with("keepalives") {
                            self.member(&format!("database.args.{key}"), key, member, &OptionPath::default());
                        }
                    }
                }
                _ => self.member(&format!("database.{key}"), key, member, &OptionPath::default()),
            }
        }
    }

    /// Synapse's own examples have the service on the same machine, which here is one of the site's own.
    fn is_external(&mut self, section: &str, own: &[&str]) {
        let Some(members) = self.written.get_mut(section).and_then(Value::as_object_mut) else { return };
        match members.get("host").and_then(Value::as_str).map(str::to_owned) {
            Some(host) if own.contains(&host.as_str()) => {
                members.remove("host");
                members.remove("port");
                self.told.push(format!(
                    "without host it is the {section} of this site, in a container of its own; one on the target itself has the host host.docker.internal"
                ));
            }
            Some(_) => {
                members.insert("source".to_owned(), json!("external"));
            }
            None => {
                members.remove("port");
            }
        }
        if members.is_empty() {
            self.written = Value::Null;
        }
    }

    fn listeners(&mut self, value: &Value) {
        let mut names: Vec<&str> = Vec::new();
        for listener in value.as_array().into_iter().flatten() {
            for resource in listener["resources"].as_array().into_iter().flatten() {
                names.extend(resource["names"].as_array().into_iter().flatten().filter_map(Value::as_str));
                if resource["compress"] == true {
                    insert(&mut self.written, &OptionPath::dotted("listeners.compress").0, json!(true));
                }
            }
            if listener["type"] == "metrics" || listener["resources"].to_string().contains("\"metrics\"") {
                insert(&mut self.written, &OptionPath::dotted("listeners.metrics").0, json!(true));
            }
        }
        if !names.is_empty() {
            insert(&mut self.written, &OptionPath::dotted("listeners.federation").0, json!(names.contains(&"federation")));
        }
        let any = |name: &str| value.as_array().is_some_and(|listeners| listeners.iter().any(|listener| listener[name] == true));
        self.told.push(
            "listeners of Synapse are not offered: each process has its own, made of server.public_baseurl, workers.generic and listeners.metrics; from outside it is reached through the gateway, with gateway.bind_address, gateway.http_port and gateway.https_port".to_owned(),
        );
        if any("tls") {
            self.told.push("TLS is said with gateway.tls".to_owned());
        }
        if any("x_forwarded") {
            self.told.push("a proxy before the gateway is named in gateway.trusted_proxies".to_owned());
        }
    }

    fn providers(&mut self, value: &Value) {
        let mut written = Vec::new();
        for (at, provider) in value.as_array().into_iter().flatten().enumerate() {
            let Some(members) = provider.as_object() else { continue };
            let mut whole = Map::new();
            let mut named = |key: &str, default: &str| {
                let value = members.get(key).cloned().unwrap_or_else(|| json!(default));
                whole.insert(key.to_owned(), value);
            };
            named("idp_id", "oidc");
            named("idp_name", "Single sign-on");
            let secret = said::oidc_secret(whole["idp_id"].as_str().unwrap_or_default(), members.contains_key("client_secret_jwt_key"));
            let is_public = members.get("client_auth_method").is_some_and(|method| method == "none");
            if !is_public {
                self.secret(&secret);
            }
            let list = OptionPath::default().index(at);
            for (key, member) in members.iter().filter(|(key, _)| !["idp_id", "idp_name", "client_secret", "client_secret_path"].contains(&key.as_str())) {
                match (key.as_str(), member) {
                    ("enabled", _) => {}
                    ("user_mapping_provider", Value::Object(mapping)) => {
                        let module = mapping.get("module").and_then(Value::as_str).filter(|module| !module.ends_with("JinjaOidcMappingProvider"));
                        if module.is_some() {
                            self.tell(
                                "user_mapping_provider.module",
                                "the image has Synapse's own mapping alone",
                                "write the templates in user_mapping_provider",
                            );
                        }
                        if let Some(config) = mapping.get("config").filter(|config| config.is_object()) {
                            self.put("oidc.oidc_providers.*.user_mapping_provider", config, &list);
                        }
                    }
                    ("client_secret_jwt_key", Value::Object(key)) => {
                        let rest: Map<String, Value> = key
                            .iter()
                            .filter(|(name, _)| !["key", "key_file"].contains(&name.as_str()))
                            .map(|(name, value)| (name.clone(), value.clone()))
                            .collect();
                        self.put("oidc.oidc_providers.*.client_secret_jwt_key", &Value::Object(rest), &list);
                    }
                    _ => self.member(&format!("oidc_providers.[].{key}"), key, member, &list),
                }
            }
            for (key, value) in whole {
                self.put(&format!("oidc.oidc_providers.*.{key}"), &value, &list);
            }
            written.push(at);
        }
    }

    /// matrix-synapse-ldap3's configuration, in one of Synapse's lists of modules or as Synapse's old block.
    fn directory(&mut self, value: &Value) -> Option<()> {
        let is_directory = |module: &Value| module["module"].as_str().is_some_and(|name| name.contains("ldap_auth_provider"));
        let config = match value {
            Value::Array(modules) => modules.iter().find(|module| is_directory(module))?.get("config")?,
            Value::Object(_) if is_directory(value) => value.get("config")?,
            config => config,
        };
        insert(&mut self.written, &OptionPath::dotted("authentication.method").0, json!("ldap"));
        for (key, member) in config.as_object()? {
            match (key.as_str(), member) {
                ("enabled", _) => {}
                ("uri", Value::Array(uris)) => {
                    let (first, further) = uris.split_first()?;
                    self.put_or_tell(key, "ldap.uri", first);
                    self.put_or_tell(key, "ldap.further_uris", &json!(further));
                }
                _ => {
                    let path = format!("ldap.{key}");
                    if schema::at(&path).is_some() {
                        self.put_or_tell(key, &path, member);
                        continue;
                    }
                    match said::in_section(&path).map(|(_, said)| said) {
                        Some(Said::Secret(secret)) => self.secret(secret),
                        Some(Said::Nowhere { why, instead }) => self.tell(key, why, instead),
                        Some(Said::With(options)) => self.told.push(format!("{key} is said with {}", options.join(" and "))),
                        _ => self.told.push(format!("{} has no option here: leave it out", shown(key))),
                    }
                }
            }
        }
        Some(())
    }

    /// Shows a value at its option; one that the option does not take is told by the name of the option alone.
    fn put_or_tell(&mut self, name: &str, option: &str, value: &Value) {
        if !self.put(option, value, &OptionPath::default()) {
            let texts = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice).iter();
            let has_password = texts.filter_map(Value::as_str).any(has_password);
            self.told.push(format!("{name} is said with {option}{}", if has_password { ", without user and password" } else { "" }));
        }
    }

    fn sentence(self) -> String {
        let mut parts = Vec::new();
        if self.written.as_object().is_some_and(|members| !members.is_empty()) {
            parts.push(format!("write {}", sections(&self.written)));
        }
        match self.secrets.as_slice() {
            [] => {}
            [one] => parts.push(format!("the secret goes into secrets/{one} on the target")),
            several => parts
                .push(format!("the secrets go into {} on the target", several.iter().map(|name| format!("secrets/{name}")).collect::<Vec<_>>().join(" and "))),
        }
        let mut seen = BTreeSet::new();
        parts.extend(self.told.into_iter().filter(|told| seen.insert(told.clone())));
        if parts.is_empty() { "remove it: this is so without a word".to_owned() } else { parts.join("; ") }
    }
}

/// Whether the arguments of a database are those of SQLite, which name its file.
fn is_file(arguments: &Map<String, Value>) -> bool {
    let names = |text: &str| text.starts_with('/') || text.ends_with(".db") || text == ":memory:";
    arguments.get("database").and_then(Value::as_str).is_some_and(names)
}

/// The option that takes what is around a path.
fn around(path: &str) -> Option<String> {
    let outer = path.rsplit_once('.')?.0;
    match said::of(outer) {
        Some(Said::With(options)) if options.len() == 1 && options[0].contains('.') => options.into_iter().next(),
        _ => around(outer),
    }
}

/// Sections as they are written, one behind the other.
pub(crate) fn sections(written: &Value) -> String {
    let sections = written.as_object().into_iter().flatten().map(|(name, value)| format!("{name}: {}", flow(value)));
    sections.collect::<Vec<_>>().join(" and ")
}

fn merge(into: &mut Value, from: Value) {
    match from {
        Value::Object(members) => members.into_iter().for_each(|(key, member)| {
            if !into.is_object() {
                *into = json!({});
            }
            merge(&mut into[key], member);
        }),
        other => *into = other,
    }
}

pub(super) fn insert(into: &mut Value, path: &[Step], value: Value) {
    let Some((step, rest)) = path.split_first() else {
        *into = value;
        return;
    };
    match step {
        Step::Key(key) => {
            if !into.is_object() {
                *into = json!({});
            }
            if let Value::Object(members) = into {
                insert(members.entry(key.clone()).or_insert(Value::Null), rest, value);
            }
        }
        Step::Index(index) => {
            if !into.is_array() {
                *into = json!([]);
            }
            if let Value::Array(elements) = into {
                while elements.len() <= *index {
                    elements.push(Value::Null);
                }
                insert(&mut elements[*index], rest, value);
            }
        }
    }
}

/// The name of a member, if it is one of an option: a secret may stand where a name belongs.
fn shown(name: &str) -> &str {
    if reveal::is_name(name) { name } else { "…" }
}

/// A value without the names and texts in it that may not be repeated.
fn hidden(path: &OptionPath, value: &Value) -> Value {
    match value {
        Value::Object(members) => members.iter().map(|(key, member)| (shown(key).to_owned(), hidden(&path.key(key), member))).collect(),
        Value::Array(elements) => elements.iter().enumerate().map(|(at, element)| hidden(&path.index(at), element)).collect(),
        scalar if reveal::may_repeat(path, scalar) => scalar.clone(),
        _ => json!("…"),
    }
}

/// A value on one line, as YAML and people read it.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(members) => format!("{{ {} }}", members.iter().map(|(key, member)| format!("{key}: {}", flow(member))).collect::<Vec<_>>().join(", ")),
        Value::Array(elements) => format!("[{}]", elements.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(text) if is_plain(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether a text is one in YAML without quotation marks, too.
fn is_plain(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/'));
    let word = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"].contains(&text.to_lowercase().as_str());
    begins && plain && !word
}
