//! What of a description no message repeats, whoever makes the message. Most of those who show a
//! value ask first whether they may; a text that is put into a sentence without asking is taken out
//! of it here.

use std::sync::Arc;

use regex::Regex;
use serde_json::Value;

use super::before_host::{passwords, without_passwords};
use super::names::{is_nameable, sounds_secret};
use super::random::{carriers, is_random, random_words};
use super::tree::TextTree;
use crate::brief::bounded;
use crate::check::Finding;

/// The shortest text that is taken out of messages for the place where it stands. A shorter one is
/// in the words of any message.
const SHORTEST: usize = 6;

/// Texts of a description that no message repeats.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unsaid {
    texts: Arc<TextTree>,
}

impl Unsaid {
    /// What a description holds of them, and what its anchors carry from where it may not be shown
    /// to an option that may.
    pub fn of(description: &Value, carried: &[String]) -> Self {
        let mut texts = TextTree::default();
        carried.iter().for_each(|text| texts.add(text));
        collect(description, None, &mut texts);
        Self { texts: Arc::new(texts) }
    }

    /// What a description in Nix holds of them as far as its text tells: texts that are written at
    /// the name of a secret.
    pub fn of_nix(text: &str) -> Self {
        let mut texts = TextTree::default();
        let written = Regex::new(r#"([A-Za-z_][\w'-]*)"?\s*=\s*(?:lib\.\w+\s+)?(?:"((?:[^"\\]|\\.)*)"|''((?s:.*?))'')"#).expect("an expression");
        for found in written.captures_iter(text).filter(|found| sounds_secret(&found[1])) {
            let written = found.get(2).or_else(|| found.get(3)).map_or("", |text| text.as_str().trim());
            of_secret(written, &mut texts);
        }
        Self { texts: Arc::new(texts) }
    }

    /// A finding without them.
    pub fn out_of(&self, mut finding: Finding) -> Finding {
        finding.option = self.out_of_text(&finding.option);
        finding.message = self.out_of_text(&finding.message);
        finding.remedy = finding.remedy.map(|remedy| self.out_of_text(&remedy));
        finding
    }

    /// A text without them. Takes time by the length of the text, however many there are.
    pub fn out_of_text(&self, said: &str) -> String {
        let said = bounded(said);
        let said = without_passwords(&said);
        if self.texts.is_empty() { said.into_owned() } else { self.texts.hide(&said) }
    }

    /// Whether a text holds one of them.
    pub fn is_in(&self, text: &str) -> bool {
        self.texts.hide(text) != text
    }
}

fn collect(value: &Value, name: Option<&str>, texts: &mut TextTree) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                if !is_nameable(key) {
                    of_text(key, texts);
                    of_secret(key, texts);
                }
                // What _secret names is a file. What is deeper in a secret's place is of the secret.
                let within = name.filter(|name| sounds_secret(name)).or(Some(key));
                collect(member, within.filter(|_| key != "_secret"), texts);
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| collect(element, name, texts)),
        Value::String(text) => {
            of_text(text, texts);
            if is_uncommon(text) && name.is_some_and(sounds_secret) {
                of_secret(text, texts);
            }
        }
        Value::Number(number) => {
            let text = number.to_string();
            if is_random(&text) || text.len() >= SHORTEST && name.is_some_and(sounds_secret) {
                texts.add(&text);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn of_text(text: &str, texts: &mut TextTree) {
    random_words(text).chain(carriers(text)).for_each(|word| texts.add(word));
    for password in passwords(text) {
        // Also one that is as short as a word of a message, where it stands.
        texts.add(&format!(":{password}@"));
        of_secret(password, texts);
    }
}

fn of_secret(text: &str, texts: &mut TextTree) {
    if is_uncommon(text) {
        texts.add(text);
    }
}

/// Whether a text is long enough, and none that may be a word of a message.
fn is_uncommon(text: &str) -> bool {
    text.chars().count() >= SHORTEST && !text.chars().all(|c| c.is_lowercase() || c == '_')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_said_is_found_in_any_message() {
        let description = json!({
            "email": { "smtp_host": "mail.example.com", "smtp_pass": { "value": "Sommer-24" } },
            "x": { "Winter, 25": 1, "y": ["https://h.example/?a=b", 731_946_280_572_u64], "turn_password": 84_217_369 },
        });
        let unsaid = Unsaid::of(&description, &[]);
        let said = "mail.example.com, sommer-24, Winter, 25, https://h.example/?a=b and 731946280572, 84217369";
        assert_eq!(unsaid.out_of_text(said), "mail.example.com, …, …, https://h.example/… and …, …");
        assert!(!format!("{unsaid:?}").contains("Sommer"));
        let unsaid = Unsaid::of_nix("{ email.smtp_pass = lib.mkForce \"Sommer-24\"; a.b = \"hunter-2\"; }");
        assert_eq!(unsaid.out_of_text("Sommer-24 hunter-2"), "… hunter-2");
    }

    #[test]
    fn what_an_anchor_carries_is_hidden() {
        let few = Unsaid::of(&Value::Null, &["hunter2".to_owned(), "hunter22".to_owned()]);
        assert_eq!(few.out_of_text("found hunter22, hunter2, bundled"), "found …, …, bundled");
    }
}
