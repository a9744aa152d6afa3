//! What of a description may be repeated in a message. A secret is written where people write it by mistake, and what is said goes into logs: of a
//! description only values of options that the tool knows, and that hold no secret, are shown. Everything that shows a value asks [`value`] or
//! [`may_show`]; everything that shows a line asks [`Hidden::line`], since nothing else can read the text that [`Hidden`] holds.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::schema::{self, OptionPath, Step};
use super::synapse::{SECRET_MEMBERS, SECRET_OPTIONS, has_password, names_secret};
use crate::synapse::{self, Entry};

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
    SECRET_MEMBERS.iter().chain(SECRET_OPTIONS).chain(super::helpers::DRAUPNIR_SECRETS).any(|known| {
        let known: String = known.chars().filter(|c| *c != '_').collect();
        slip(&joined, &known)
    })
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

/// Whether the tool knows an option, all the way from the top of the description. What is in sets of somebody's own is not known.
pub fn is_known(path: &OptionPath) -> bool {
    let mut at = Known::Schema(schema::root());
    path.0.iter().all(|step| match at.step(step) {
        Some(next) => {
            at = next;
            true
        }
        None => false,
    })
}

#[derive(Clone, Copy)]
enum Known {
    Schema(&'static Value),
    Synapse(&'static Entry),
}

impl Known {
    fn step(self, step: &Step) -> Option<Self> {
        match (self, step) {
            (Self::Schema(schema), _) if std::ptr::eq(schema, settings()) => match step {
                Step::Key(name) => synapse::options().named(name).map(Self::Synapse),
                Step::Index(_) => None,
            },
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

/// Whether a text that stands at an option may be repeated.
pub fn may_show(path: &OptionPath, text: &str) -> bool {
    is_known(path) && (!holds_secret(path) || is_switch(text)) && is_harmless(text)
}

/// Whether the option itself is one that may hold a secret; an element of a list is of its list.
fn holds_secret(path: &OptionPath) -> bool {
    let name = path.0.iter().rev().find_map(|step| if let Step::Key(name) = step { Some(name) } else { None });
    name.is_some_and(|name| sounds_secret(name))
}

/// The words that YAML 1.1 and 1.2 have for true, false and nothing.
fn is_switch(text: &str) -> bool {
    ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "~"].contains(&text.to_lowercase().as_str())
}

/// Whether a text holds no address with a password and nothing that looks like an option of its own, as when a line is indented too far.
fn is_harmless(text: &str) -> bool {
    static OPTION: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\s=|\s[\w-]+[=:]|[\n\r]|^\s*[\w-]{4,}(?::\s|=)").expect("an expression"));
    let parts = || text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')));
    let several = parts().filter(|part| !part.is_empty()).nth(1).is_some();
    let option = text.contains([' ', '=', ':', '\t']) && several && !text.contains("://");
    !(has_password(text) || OPTION.is_match(text) || option && parts().any(|part| part.len() > 2 && sounds_secret(part)))
}

/// What was found at an option, short enough for a message.
pub fn value(path: &OptionPath, found: &Value) -> String {
    match found {
        Value::Null => "nothing (null)".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a set of options".to_owned(),
        Value::Bool(flag) => format!("{flag}"),
        Value::String(text) if has_password(text) => "an address with a password".to_owned(),
        Value::String(text) if !may_show(path, text) => "a text".to_owned(),
        Value::String(text) if text.chars().count() > 60 => format!("the text {:?}…", text.chars().take(60).collect::<String>()),
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

/// How the path of an option is written in a message. What stands in an option that holds a secret may be the secret itself.
pub fn path(path: &OptionPath) -> String {
    let inside = (1..path.0.len()).find(|length| {
        let outer = OptionPath(path.0[..*length].to_vec());
        let named = matches!(&path.0[*length], Step::Key(name) if name == "_secret");
        !named && matches!(path.0[length - 1], Step::Key(_)) && holds_secret(&outer) && !is_known(&OptionPath(path.0[..=*length].to_vec()))
    });
    match inside {
        Some(length) => format!("{}.…", OptionPath(path.0[..length].to_vec())),
        None => path.to_string(),
    }
}

/// The words of another program without what it quotes from a description.
pub fn without_quotes(said: &str) -> String {
    static QUOTED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#""(?:[^"\\]|\\.)*"?|'[^']*'?|`[^`']*[`']?"#).expect("an expression"));
    QUOTED.replace_all(said, "…").into_owned()
}

/// Every name that an option of a description or of Synapse has.
pub fn is_name(name: &str) -> bool {
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
        names
    });
    NAMES.contains(name)
}

/// The text of a description, which only [`Hidden::line`] shows a part of.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden {
    text: String,
    /// Where each line begins, in bytes.
    lines: Vec<usize>,
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.text.len())
    }
}

/// What is shown of a line.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// The text.
    pub text: String,
    /// The bytes of the text that the message is about.
    pub span: Range<usize>,
    /// Whether the line is shown from its beginning, so that its columns are those of the file.
    pub from_start: bool,
}

impl Hidden {
    /// Takes the text of a description.
    pub fn new(text: String) -> Self {
        let lines = std::iter::once(0).chain(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1)).collect();
        Self { text, lines }
    }

    /// What may be shown of a line about an option that stands there at a column (from 1, in characters): its name, and its value if it is on
    /// the same line and may be shown. Without an option, as of a text that cannot be read, the name of an option that the tool knows.
    pub fn line(&self, line: usize, column: usize, option: Option<&OptionPath>) -> Option<Line> {
        let start = *self.lines.get(line.checked_sub(1)?)?;
        let end = self.lines.get(line).map_or(self.text.len(), |next| next - 1);
        let whole = &self.text[start..end.max(start)];
        match option {
            Some(option) => about(whole, column, option),
            None => broken(whole),
        }
    }
}

/// How much of a line is looked at behind a place, in bytes.
const LONGEST: usize = 400;

fn about(whole: &str, column: usize, option: &OptionPath) -> Option<Line> {
    let start = byte(whole, column)?;
    let before = &whole[whole.floor_char_boundary(start.saturating_sub(LONGEST))..start];
    let rest = &whole[start..whole.floor_char_boundary((start + LONGEST).min(whole.len()))];
    let from_start = start <= LONGEST && before.chars().all(|c| matches!(c, ' ' | '-' | '\u{feff}'));
    let before = if from_start { before } else { "" };
    let name = option.0.last().and_then(|step| if let Step::Key(name) = step { Some(name) } else { None });
    let name = match name {
        Some(name) => quoted_or_plain(rest, name)?,
        // An element of a list, whose value stands here.
        None => "",
    };
    if !name.is_empty() && path(option).ends_with('…') {
        return None;
    }
    let (sign, after) = rest[name.len()..].strip_prefix(':').map_or(("", &rest[name.len()..]), |after| (":", after));
    let value = if name.is_empty() || !sign.is_empty() {
        scalar(after, whole.len() == start + rest.len()).filter(|(text, _)| text.is_empty() || may_show(option, text))
    } else {
        None
    };
    let shown = match value {
        Some((_, written)) => format!("{before}{name}{sign}{written}"),
        None => format!("{before}{name}{sign}{}…", if name.is_empty() { "" } else { " " }),
    };
    let shown = shown.trim_end().to_owned();
    let length = if name.is_empty() { shown.len().saturating_sub(before.len()) } else { name.len() };
    Some(Line { span: before.len()..(before.len() + length).min(shown.len()), text: shown, from_start })
}

/// The name as it is written here, with its quotation marks.
fn quoted_or_plain<'a>(rest: &'a str, name: &str) -> Option<&'a str> {
    ["", "\"", "'"].iter().find_map(|mark| {
        let length = name.len() + 2 * mark.len();
        (rest.get(..length)? == format!("{mark}{name}{mark}")).then(|| &rest[..length])
    })
}

/// A scalar that is all that a line, or a member of a set on one line, still holds: its text, and as it is written.
fn scalar(after: &str, is_whole: bool) -> Option<(&str, &str)> {
    static SCALAR: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"^[ \t]*(?:"([^"\\]*)"|'([^']*)'|([\p{L}\p{N}./~<_+-](?:[^,\[\]{}#:&*!'"\s]|:[^\s,\]}]| [^\s,\[\]{}#:&*!'"])*)?)[ \t]*(?:[,}\]]|#|\r?$)"#)
            .expect("an expression")
    });
    let found = SCALAR.captures(after)?;
    let text = found.get(1).or_else(|| found.get(2)).or_else(|| found.get(3))?;
    let ends = found.get(0)?.end() == after.len();
    if ends && !is_whole {
        return None;
    }
    let quoted = usize::from(found.get(3).is_none());
    Some((text.as_str(), &after[..text.end() + quoted]))
}

fn broken(whole: &str) -> Option<Line> {
    static OPTION: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"^[\s\[{-]*["']?([A-Za-z_][A-Za-z0-9_]{0,63})["']?\s*[:=]"#).expect("an expression"));
    let found = OPTION.captures(whole)?;
    let name = found.get(1).filter(|name| is_name(name.as_str()))?;
    let shown = found.get(0)?.as_str();
    let more = if whole.len() > found.get(0)?.end() { " …" } else { "" };
    Some(Line { text: format!("{shown}{more}"), span: name.range(), from_start: true })
}

/// The byte of a column.
fn byte(line: &str, column: usize) -> Option<usize> {
    let wanted = column.checked_sub(1)?;
    // Most lines are of one byte a character.
    if line.get(..wanted).is_some_and(str::is_ascii) {
        return Some(wanted);
    }
    Some(line.char_indices().nth(wanted).map_or(line.trim_end().len(), |(at, _)| at))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ] {
            assert_eq!(may_show(&OptionPath::dotted(path), text), shown, "{path}: {text}");
        }
    }

    #[test]
    fn of_a_line_the_option_is_shown() {
        let line = |text: &str, column, option: &str| Hidden::new(text.to_owned()).line(1, column, Some(&OptionPath::dotted(option))).map(|line| line.text);
        for (text, column, option, shown) in [
            ("  source: bundeld # x", 3, "turn.source", Some("  source: bundeld")),
            ("  smtp_pass: hunter2", 3, "email.smtp_pass", Some("  smtp_pass: …")),
            ("  smtp_host: [hunter2]", 3, "email.smtp_host", Some("  smtp_host: …")),
            ("email: {smtp_pass: hunter2, smtp_port: x}", 29, "email.smtp_port", Some("smtp_port: x")),
            ("  smtp_host: m # hunter2", 3, "email.smtp_host", Some("  smtp_host: m")),
            ("  - hunter2", 5, "mediaa.0", Some("  - …")),
            ("  smtp_host: !hunter2", 3, "email.smtp_host", Some("  smtp_host: …")),
        ] {
            assert_eq!(line(text, column, option).as_deref(), shown, "{text}");
        }
        let hidden = Hidden::new("  smtp_pass: hunter2\nhunter2: x\n".to_owned());
        assert_eq!(hidden.line(1, 1, None).map(|line| line.text).as_deref(), Some("  smtp_pass: …"));
        assert_eq!(hidden.line(2, 1, None), None);
        assert_eq!(format!("{hidden:?}"), "32 bytes");
    }
}
