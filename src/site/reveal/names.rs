//! Names of options: which the tool knows, and which say that their option may hold a secret, also where they are misspelt.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use serde_json::Value;

use super::random::random_words;
use crate::check::postgres;
use crate::site::schema::{self, OptionPath, Step};
use crate::site::synapse::{SECRET_MEMBERS, SECRET_OPTIONS, names_secret};
use crate::synapse::{self, Entry, Kind};

/// Words that say that an option holds a secret, in the languages of people who write descriptions, however they are joined.
const WORDS: &[&str] = &[
    "pass",
    "passwd",
    "password",
    "passphrase",
    "passcode",
    "pwd",
    "pw",
    "secret",
    "pepper",
    "salt",
    "credential",
    "credentials",
    "kennwort",
    "passwort",
    "geheim",
    "geheimnis",
    "schluessel",
    "zugang",
    "private",
    "privkey",
    "apikey",
    "auth",
    "authorization",
    "dsn",
    "macaroon",
    "token",
    "key",
    "jwt",
];

/// Ends of names that say where a value is, not what it is: somebody writes the value itself there.
const HOLDERS: &[&str] = &["path", "file", "data", "value", "text", "txt"];

/// Whether an option of that name may hold a secret: it is one of those, is misspelt, or is made of such words.
pub fn sounds_secret(name: &str) -> bool {
    /// The most answers that are kept, and the most bytes of a name whose answer is. Every finding asks for the few names of its option.
    const KEPT: (usize, usize) = (10_000, 64);
    thread_local! {
        static ANSWERS: RefCell<HashMap<String, bool>> = RefCell::default();
    }
    if !name.chars().any(char::is_alphabetic) {
        return false;
    }
    ANSWERS.with_borrow_mut(|answers| {
        if let Some(answer) = answers.get(name) {
            return *answer;
        }
        let answer = may_name_secret(name);
        if answers.len() < KEPT.0 && name.len() <= KEPT.1 {
            answers.insert(name.to_owned(), answer);
        }
        answer
    })
}

fn may_name_secret(name: &str) -> bool {
    static JOINED: LazyLock<Vec<String>> = LazyLock::new(|| {
        let known = SECRET_MEMBERS.iter().chain(SECRET_OPTIONS).chain(crate::site::draupnir::DRAUPNIR_SECRETS);
        known.map(|known| known.chars().filter(|c| *c != '_').collect()).collect()
    });
    if names_secret(name) {
        return true;
    }
    let words = words(name);
    let last = words.iter().rev().find(|word| !HOLDERS.contains(&word.as_str()));
    let near = |word: &str| {
        let one = word.strip_suffix('s').unwrap_or(word);
        WORDS.iter().any(|known| *known == one || *known == word || known.len() > 4 && (word.contains(known) || slip(one, known)))
    };
    // A public key is told to everybody.
    let is_public = last.is_some_and(|last| last == "key") && words.iter().any(|word| word == "public");
    if !is_public && last.is_some_and(|last| near(last)) {
        return true;
    }
    let joined: String = words.concat();
    JOINED.iter().any(|known| slip(&joined, known))
}

/// Whether a word is another one with a slip or two in it.
fn slip(word: &str, known: &str) -> bool {
    let most = if known.len() < 6 { 1 } else { 2 };
    word.len().abs_diff(known.len()) <= most && strsim::osa_distance(word, known) <= most
}

/// The words of a name, in small letters: `smtp`, `pass` of `smtpPass`, `smtp-pass` and `SMTP_PASS`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for c in name.chars() {
        if !c.is_alphanumeric() || c.is_uppercase() && before.is_lowercase() {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Every name that an option of a description or of Synapse has.
pub fn is_name(name: &str) -> bool {
    all().contains(name)
}

/// Whether the key of a set may be told: somebody may have written the secret itself in its place.
/// It is the name of an option, or near to one, or has the form of one and does not look random.
pub fn is_nameable(key: &str) -> bool {
    is_name(key) || key == MERGE || key.len() <= LONGEST && (has_form(key) && random_words(key).next().is_none() || is_near_name(key) || is_secrets_name(key))
}

/// Words that name a secret (`Bot_Token`), of which none is a secret itself.
fn is_secrets_name(key: &str) -> bool {
    key.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_') && sounds_secret(key) && random_words(key).next().is_none()
}

/// The key with which YAML 1.1 merged.
const MERGE: &str = "<<";

/// The longest key that is told, in bytes.
const LONGEST: usize = 64;

/// Small letters, digits and what joins them, a letter first; capitals only within a word
/// (`smtpHost`). Also what people of Matrix call users and signing keys, and Synapse its caches:
/// `@alice:example.com`, `ed25519:a_RXGa`, `*stateGroupCache*`.
fn has_form(key: &str) -> bool {
    let key = key.trim_matches('*');
    if let Some(id) = key.strip_prefix("ed25519:") {
        return id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    }
    let mut before = '\0';
    key.trim_start_matches(['@', '_']).starts_with(|c: char| c.is_ascii_lowercase())
        && key.char_indices().all(|(at, c)| {
            let good = match c {
                'a'..='z' | '0'..='9' | '_' | '-' | '.' | ':' => true,
                'A'..='Z' => before.is_ascii_alphabetic() || before == '.',
                _ => at == 0 && c == '@',
            };
            before = c;
            good
        })
}

/// Whether a key is the name of an option with a slip or two, in capitals, or with other signs
/// between its words.
fn is_near_name(key: &str) -> bool {
    static BY_LENGTH: LazyLock<BTreeMap<usize, Vec<String>>> = LazyLock::new(|| {
        let mut names: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for name in all() {
            let name = words(name).concat();
            names.entry(name.len()).or_default().push(name);
        }
        names
    });
    let joined = words(key).concat();
    let around = joined.len().saturating_sub(2)..=joined.len() + 2;
    let is_of_words = key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' '));
    is_of_words && joined.len() > 4 && BY_LENGTH.range(around).flat_map(|(_, names)| names).any(|name| slip(&joined, name))
}

fn all() -> &'static BTreeSet<&'static str> {
    static NAMES: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
        let mut names: BTreeSet<&'static str> = SECRET_MEMBERS.iter().chain(SECRET_OPTIONS).copied().collect();
        let mut open = vec![schema::root()];
        while let Some(schema) = open.pop() {
            for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
                names.insert(name);
                open.push(inner);
            }
            open.extend(schema["anyOf"].as_array().into_iter().flatten());
            open.extend(schema.get("items").into_iter().chain(schema.get("additionalProperties")).filter(|inner| inner.is_object()));
        }
        names.extend(synapse::options().names());
        names.extend(postgres::settings().keys());
        names
    });
    &NAMES
}

/// Whether the tool knows an option, all the way from the top of the description. What is in sets of somebody's own is not known.
pub fn is_known(path: &OptionPath) -> bool {
    known(path).is_some()
}

/// Whether an option takes the name of a user.
pub fn is_localpart(path: &OptionPath) -> bool {
    matches!(known(path), Some(Known::Schema(schema)) if schema["format"] == "localpart")
}

/// Whether an option holds other options, or lists of such sets, and nothing else: a text in its
/// place is a mistake of which nobody knows what it is.
pub fn is_set(path: &OptionPath) -> bool {
    match known(path) {
        Some(Known::Schema(schema)) => takes(schema, "object") && !takes(schema, "string"),
        Some(Known::Synapse(entry)) => is_set_of_synapse(entry),
        Some(Known::Postgres) | None => false,
    }
}

fn is_set_of_synapse(entry: &Entry) -> bool {
    let is_each = |of: fn(&Entry, &Kind) -> bool| entry.kinds.iter().filter(|kind| !matches!(kind, Kind::Null)).all(|kind| of(entry, kind));
    !entry.kinds.is_empty() && is_each(|entry, kind| matches!(kind, Kind::Map) || matches!(kind, Kind::List) && entry.element().is_some_and(is_set_of_synapse))
}

/// Whether an option takes values of a kind, itself or in its list.
fn takes(schema: &Value, kind: &str) -> bool {
    let is_kind = |branch: &Value| branch["type"] == kind || branch["type"].as_array().is_some_and(|kinds| kinds.contains(&Value::from(kind)));
    let branches = || schema["anyOf"].as_array().into_iter().flatten().chain(std::iter::once(schema));
    branches().any(|branch| is_kind(branch) || branch.get("items").is_some_and(|items| takes(items, kind)))
}

fn known(path: &OptionPath) -> Option<Known> {
    path.0.iter().try_fold(Known::Schema(schema::root()), |at, step| at.step(step))
}

#[derive(Clone, Copy)]
enum Known {
    Schema(&'static Value),
    Synapse(&'static Entry),
    /// A setting of PostgreSQL, which has nothing in it.
    Postgres,
}

impl Known {
    fn step(self, step: &Step) -> Option<Self> {
        match (self, step) {
            (Self::Schema(schema), _) if std::ptr::eq(schema, settings()) => match step {
                Step::Key(name) => synapse::options().named(name).map(Self::Synapse),
                Step::Index(_) => None,
            },
            (Self::Schema(schema), Step::Key(name)) if std::ptr::eq(schema, postgres_settings()) => {
                postgres::settings().contains_key(name.as_str()).then_some(Self::Postgres)
            }
            (Self::Postgres, _) => None,
            (Self::Schema(schema), step) => {
                let branches = schema["anyOf"].as_array().into_iter().flatten().chain(std::iter::once(schema));
                let inner = |schema: &'static Value| match step {
                    Step::Key(name) => schema["properties"].get(name).or_else(|| schema.get("additionalProperties").filter(|inner| inner.is_object())),
                    Step::Index(_) => schema.get("items"),
                };
                branches.filter_map(inner).find(|inner| inner.as_object().is_some_and(|rules| !rules.is_empty())).map(Self::Schema)
            }
            (Self::Synapse(entry), Step::Key(name)) => entry.member(name).map(Self::Synapse),
            (Self::Synapse(entry), Step::Index(_)) => entry.element().map(Self::Synapse),
        }
    }
}

fn settings() -> &'static Value {
    &schema::root()["properties"]["synapse"]["properties"]["settings"]
}

fn postgres_settings() -> &'static Value {
    &schema::root()["properties"]["database"]["properties"]["settings"]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_that_look_like_names() {
        let told = [
            "server_name",
            "mediaa",
            "SMTP_PASS",
            "smtp-pas",
            "smtpHost",
            "@alice:example.com",
            "*stateGroupCache*",
            "m.room.power_levels",
            "synapse.storage.SQL",
            "matrix.example.com",
            "ed25519:a_RXGa",
            "my_module",
        ];
        assert_eq!(told.into_iter().filter(|key| !is_nameable(key)).collect::<Vec<_>>(), Vec::<&str>::new());
        let hidden = ["Zq7Xv9KtWm3Rb8Lp", "zq7xv9ktwm3rb8lp", "hunter2-Xk9", "Sommer2024", "correct horse", "731946280572", "pa$$word!", "https://h/?a=b", ""];
        assert_eq!(hidden.into_iter().filter(|key| is_nameable(key)).collect::<Vec<_>>(), Vec::<&str>::new());
    }

    #[test]
    fn names_of_secrets_are_known_with_slips_and_in_german() {
        let secret = [
            "smtp_pass",
            "smtp_pas",
            "smtp_pwd",
            "passwort",
            "smtp_secert",
            "key_file_pass",
            "clientSecret",
            "SMTP-PASS",
            "passwords",
            "kennwort",
            "form_secret_path",
            "recaptcha_privat_key",
            "tokne",
            "turn_shared_secrets",
            "authorization",
            "dsn",
        ];
        assert_eq!(secret.into_iter().filter(|name| !sounds_secret(name)).collect::<Vec<_>>(), Vec::<&str>::new());
        let harmless = [
            "smtp_host",
            "server_name",
            "token_endpoint",
            "max_upload_size",
            "port",
            "password_policy",
            "recaptcha_public_key",
            "base",
            "source",
            "generic",
            "user",
        ];
        assert_eq!(harmless.into_iter().filter(|name| sounds_secret(name)).collect::<Vec<_>>(), Vec::<&str>::new());
    }
}
