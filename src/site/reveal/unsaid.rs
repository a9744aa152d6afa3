//! What of a description no message repeats, whoever makes the message. Most of those who show a
//! value ask first whether they may; a text that is put into a sentence without asking is taken out
//! of it here.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, MatchKind};
use regex::Regex;
use serde_json::Value;

use super::names::{is_nameable, sounds_secret};
use super::random::{carriers, is_random, random_words};
use crate::check::Finding;

/// The shortest text that is taken out of messages for the place where it stands. A shorter one is
/// in the words of any message.
const SHORTEST: usize = 6;

/// Texts of a description that no message repeats.
#[derive(Debug, Clone, Default)]
pub struct Unsaid {
    texts: Texts,
    /// What finds all of them at once; none where there are more than can be found.
    finder: OnceLock<Option<AhoCorasick>>,
}

/// The texts, which are not shown when something is debugged, either.
#[derive(Clone, Default)]
struct Texts(Vec<String>);

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} texts", self.0.len())
    }
}

impl Unsaid {
    /// What a description holds of them, and what its anchors carry from where it may not be shown
    /// to an option that may.
    pub fn of(description: &Value, carried: Vec<String>) -> Self {
        let mut texts = Texts(carried);
        texts.collect(description, None);
        texts.0.sort_unstable();
        texts.0.dedup();
        Self { texts, finder: OnceLock::new() }
    }

    /// What a description in Nix holds of them as far as its text tells: texts that are written at
    /// the name of a secret.
    pub fn of_nix(text: &str) -> Self {
        let mut texts = Texts::default();
        let written = Regex::new(r#"([A-Za-z_][\w'-]*)"?\s*=\s*(?:lib\.\w+\s+)?(?:"((?:[^"\\]|\\.)*)"|''((?s:.*?))'')"#).expect("an expression");
        for found in written.captures_iter(text).filter(|found| sounds_secret(&found[1])) {
            let written = found.get(2).or_else(|| found.get(3)).map_or("", |text| text.as_str().trim());
            texts.of_secret(written);
        }
        Self { texts, finder: OnceLock::new() }
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
        if self.texts.0.is_empty() {
            return said.to_owned();
        }
        let build = || AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).ascii_case_insensitive(true).build(&self.texts.0).ok();
        let Some(finder) = self.finder.get_or_init(build) else { return "…".to_owned() };
        let mut out = String::with_capacity(said.len());
        finder.replace_all_with(said, &mut out, |_, _, out| {
            out.push('…');
            true
        });
        out
    }
}

impl Texts {
    fn collect(&mut self, value: &Value, name: Option<&str>) {
        match value {
            Value::Object(members) => {
                for (key, member) in members {
                    if !is_nameable(key) {
                        self.of_text(key);
                        self.of_secret(key);
                    }
                    // What _secret names is a file.
                    self.collect(member, Some(key).filter(|key| *key != "_secret").map(String::as_str));
                }
            }
            Value::Array(elements) => elements.iter().for_each(|element| self.collect(element, name)),
            Value::String(text) => {
                self.of_text(text);
                if is_uncommon(text) && name.is_some_and(sounds_secret) {
                    self.of_secret(text);
                }
            }
            Value::Number(number) => {
                let text = number.to_string();
                if is_random(&text) {
                    self.0.push(text);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn of_text(&mut self, text: &str) {
        self.0.extend(random_words(text).chain(carriers(text)).map(str::to_owned));
    }

    fn of_secret(&mut self, text: &str) {
        if is_uncommon(text) {
            self.0.push(text.to_owned());
        }
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
            "email": { "smtp_host": "mail.example.com", "smtp_pass": "Sommer-24" },
            "x": { "Winter, 25": 1, "y": ["https://h.example/?a=b", 731_946_280_572_u64] },
        });
        let unsaid = Unsaid::of(&description, Vec::new());
        let said = "mail.example.com, sommer-24, Winter, 25, https://h.example/?a=b and 731946280572";
        assert_eq!(unsaid.out_of_text(said), "mail.example.com, …, …, https://h.example/… and …");
        assert!(!format!("{unsaid:?}").contains("Sommer"));
        let unsaid = Unsaid::of_nix("{ email.smtp_pass = lib.mkForce \"Sommer-24\"; a.b = \"hunter-2\"; }");
        assert_eq!(unsaid.out_of_text("Sommer-24 hunter-2"), "… hunter-2");
    }

    #[test]
    fn what_an_anchor_carries_is_hidden_however_much_there_is() {
        let few = Unsaid::of(&Value::Null, vec!["hunter2".to_owned(), "hunter22".to_owned()]);
        assert_eq!(few.out_of_text("found hunter22, hunter2, bundled"), "found …, …, bundled");
        let many = Unsaid::of(&Value::Null, (0..30_000).map(|n| format!("vvvv{n}")).collect());
        let begun = std::time::Instant::now();
        for n in 0..30_000 {
            assert_eq!(many.out_of_text(&format!("no option kq{n} but vvvv{n}")), format!("no option kq{n} but …"));
        }
        // One text after the other took longer than a minute.
        assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
    }
}
