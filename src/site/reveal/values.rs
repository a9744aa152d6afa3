//! Values of a description, and what other programs quote of them.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::before_host::has_password_before_host;
use super::names::{is_known, is_localpart, is_nameable, is_set, sounds_secret};
use super::random::without_secrets;
use crate::site::schema::{OptionPath, Step};
use crate::site::synapse::has_password;

/// Whether a text that stands at an option may be repeated.
pub fn may_show(path: &OptionPath, text: &str) -> bool {
    is_known(path) && (!holds_secret(path) && !is_set(path) || is_switch(text)) && is_harmless(text) && !(is_localpart(path) && is_pair(text))
}

/// Whether the option itself is one that may hold a secret; an element of a list is of its list.
fn holds_secret(path: &OptionPath) -> bool {
    let name = path.0.iter().rev().find_map(|step| if let Step::Key(name) = step { Some(name) } else { None });
    name.is_some_and(|name| sounds_secret(name))
}

/// Whether a text that should be the name of a user has a colon and is no Matrix ID: behind the colon may be a password.
fn is_pair(text: &str) -> bool {
    text.contains(':') && !text.starts_with('@')
}

/// The words that YAML 1.1 and 1.2 have for true, false and nothing.
fn is_switch(text: &str) -> bool {
    ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "~"].contains(&text.to_lowercase().as_str())
}

/// Whether a text holds nothing that looks like a secret, no address with a password and nothing
/// that looks like an option of its own, as when a line is indented too far.
fn is_harmless(text: &str) -> bool {
    static OPTION: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\s=|\s[\w-]+[=:]|[\n\r]|^\s*[\w-]{4,}(?::\s|=)").expect("an expression"));
    let parts = || text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')));
    let several = parts().filter(|part| !part.is_empty()).nth(1).is_some();
    let option = text.contains([' ', '=', ':', '\t']) && several && !text.contains("://");
    !(has_password(text)
        || has_password_before_host(text)
        || without_secrets(text) != text
        || OPTION.is_match(text)
        || option && parts().any(|part| part.len() > 2 && sounds_secret(part)))
}

/// What was found at an option. A message cuts what is long ([`crate::brief`]).
pub fn value(path: &OptionPath, found: &Value) -> String {
    match found {
        Value::Null => "nothing (null)".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a set of options".to_owned(),
        Value::Bool(flag) => format!("{flag}"),
        Value::String(text) if has_password(text) || has_password_before_host(text) => "an address with a password".to_owned(),
        Value::String(text) if !may_show(path, text) => "a text".to_owned(),
        Value::String(text) => format!("the text {text:?}"),
        Value::Number(number) if !may_show(path, &number.to_string()) => "a number".to_owned(),
        Value::Number(number) => format!("the number {number}"),
    }
}

/// What was found at a switch of a registration file, whose name the tool knows.
pub fn registered(name: &str, found: &Value) -> String {
    match found {
        Value::String(text) if sounds_secret(name) || !is_harmless(text) || text.chars().count() > 60 => "a text".to_owned(),
        Value::String(text) => format!("the text {text:?}"),
        Value::Number(number) => format!("the number {number}"),
        other => value(&OptionPath::default(), other),
    }
}

/// A number that was found at an option, as it is written.
pub fn number(path: &OptionPath, found: &Value) -> String {
    if may_show(path, &found.to_string()) { found.to_string() } else { "another number".to_owned() }
}

/// Whether a scalar may be repeated in a remedy.
pub fn may_repeat(path: &OptionPath, found: &Value) -> bool {
    match found {
        Value::String(text) => may_show(path, text),
        Value::Number(number) => may_show(path, &number.to_string()),
        _ => true,
    }
}

/// How the path of an option is written in a message. What stands in an option that holds a secret
/// may be the secret itself, and so may a key that does not look like a name.
pub fn path(path: &OptionPath) -> String {
    let inside = (1..path.0.len()).find(|length| {
        let outer = OptionPath(path.0[..*length].to_vec());
        let named = matches!(&path.0[*length], Step::Key(name) if name == "_secret");
        !named && matches!(path.0[length - 1], Step::Key(_)) && holds_secret(&outer) && !is_known(&OptionPath(path.0[..=*length].to_vec()))
    });
    match inside {
        Some(length) => format!("{}.…", with_names(&path.0[..length])),
        None => with_names(&path.0),
    }
}

fn with_names(steps: &[Step]) -> String {
    let shown = |step: &Step| match step {
        Step::Key(key) if !is_nameable(key) => Step::Key(NOT_SHOWN.to_owned()),
        other => other.clone(),
    };
    OptionPath(steps.iter().map(shown).collect()).to_string()
}

/// What stands in a path for a key that is not shown.
pub const NOT_SHOWN: &str = "…";

/// The words of another program without what it quotes from a description.
pub fn without_quotes(said: &str) -> String {
    static QUOTED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#""(?:[^"\\]|\\.)*"?|'[^']*'?|`[^`']*[`']?"#).expect("an expression"));
    QUOTED.replace_all(said, "…").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_known_options_stay_and_all_others_go() {
        for (path, text, shown) in [
            ("turn.source", "bundeld", true),
            ("media.max_upload_size", "50MB", true),
            ("synapse.settings.caches.global_factor", "two", true),
            ("authentication.pepper", "yes", true),
            ("authentication.pepper", "hunter2", false),
            ("email.smtp_pas", "hunter2", false),
            ("email.smtp_host", "m.example smtp_pas=hunter2", false),
            ("email.smtp_host", "m.example\nx", false),
            ("synapse.settings.no_such", "hunter2", false),
            ("mediaa", "x", false),
            ("email", "hunter2", false),
            ("rate_limits.rc_message", "hunter2", false),
            ("synapse.settings", "hunter2", false),
            ("synapse.settings.modules", "hunter2", false),
            ("synapse.settings.caches", "hunter2", false),
            ("oidc.oidc_providers", "hunter2", false),
            ("email.smtp_host", "Zq7Xv9KtWm3Rb8Lp", false),
            ("server.public_baseurl", "https://host.example.com/?token=a", false),
            ("federation.federation_domain_whitelist", "example.com", true),
            ("email", "yes", true),
        ] {
            assert_eq!(may_show(&OptionPath::dotted(path), text), shown, "{path}: {text}");
        }
    }
}
