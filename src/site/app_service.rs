//! The registration file of an application service, as a bridge's own program writes it, without its tokens. Takes the file's
//! bytes, gives what the site has to know, or everything that Synapse would stumble over when it starts (Synapse 1.163,
//! config/appservice.py; application service API, "Registration").

use serde_json::{Map, Value};

use super::schema::shown;
use crate::render::secrets;

/// What a registration may say at its top (names with a dot are experiments and taken as they are).
const NAMES: &[&str] =
    &["as_token", "hs_token", "id", "ip_range_whitelist", "namespaces", "protocols", "rate_limited", "receive_ephemeral", "sender_localpart", "url"];
const KINDS: [&str; 3] = ["users", "aliases", "rooms"];

/// A registration that Synapse can read once its tokens are in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    /// The service's identifier, which no other service of the site has.
    pub id: String,
    /// Where Synapse sends events; none for a service that only asks.
    pub url: Option<String>,
    /// The localpart of the service's own account.
    pub sender_localpart: String,
    /// Regular expressions on the Matrix IDs that are the service's alone.
    pub exclusive_users: Vec<String>,
    /// The secrets `as_token` and `hs_token`, and whether another program made them.
    pub tokens: [Token; 2],
    content: Map<String, Value>,
}

/// A token's secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its name in the registration.
    pub member: &'static str,
    /// The secret's name.
    pub secret: String,
    /// Whether it is brought, because the file names it; otherwise it is made.
    pub brought: bool,
}

impl Registration {
    /// The content for Synapse, with placeholders for the tokens.
    pub fn rendered(&self) -> Value {
        let mut content = self.content.clone();
        for token in &self.tokens {
            content.insert(token.member.to_owned(), Value::String(secrets::placeholder(&token.secret)));
        }
        Value::Object(content)
    }

    /// The service's name in names of files and secrets.
    pub fn name(&self) -> String {
        file_name(&self.id)
    }
}

/// Reads a registration.
///
/// # Errors
/// Everything that is wrong with it: what, and what to write instead.
pub fn parse(bytes: &[u8]) -> Result<Registration, Vec<(String, String)>> {
    let mut wrong = Vec::new();
    let mut say = |what: String, remedy: &str| wrong.push((what, remedy.to_owned()));
    let value: Value = match std::str::from_utf8(bytes).map_err(|error| error.to_string()).and_then(|text| {
        // A file of one word is YAML, too.
        serde_yaml::from_str::<Value>(text).map_err(|error| error.to_string())
    }) {
        Ok(value) => value,
        Err(why) => return Err(vec![(format!("is no YAML that can be read: {why}"), "take the file that the service's own program writes".to_owned())]),
    };
    let Value::Object(mut content) = value else {
        return Err(vec![("is no registration: it holds no options".to_owned(), "take the file that the service's own program writes".to_owned())]);
    };
    for name in content.keys().filter(|name| !NAMES.contains(&name.as_str()) && !name.contains('.')) {
        let near = super::schema::nearest(name, NAMES.iter().copied()).map_or(String::new(), |near| format!("; did you mean {near:?}?"));
        say(format!("has {name:?}, which no registration has"), &format!("known are {}{near}", NAMES.join(", ")));
    }

    let id = text(&content, "id", "the service's identifier, such as id: irc", &mut say);
    let sender_localpart = text(&content, "sender_localpart", "the localpart of the service's own account, such as sender_localpart: ircbot", &mut say);
    if let Some(bad) = sender_localpart.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || "._=-/".contains(*c))) {
        say(format!("has the sender_localpart {sender_localpart:?} with the character {bad:?}"), "write it with a-z, 0-9 and ._=-/");
    }
    let url = match content.get("url") {
        Some(Value::Null) => None,
        Some(Value::String(url)) => {
            if let Err(why) = super::text::check_format("http-url", url) {
                say(
                    format!("has a url that is none: {why}"),
                    "write for example url: http://bridge.example.com:9993, or url: null for a service that gets no events",
                );
            }
            Some(url.clone())
        }
        _ => {
            say("has no url".to_owned(), "write for example url: http://bridge.example.com:9993, or url: null for a service that gets no events");
            None
        }
    };
    let exclusive_users = namespaces(content.get("namespaces"), &mut say);
    if let Some(limited) = content.get("rate_limited").filter(|limited| !limited.is_boolean()) {
        say(format!("has a rate_limited that is {}, not true or false", shown(limited)), &format!("write rate_limited: {}", switch(limited)));
    }
    for (name, right, what) in [
        ("protocols", strings(content.get("protocols")), "a list of texts"),
        ("ip_range_whitelist", strings(content.get("ip_range_whitelist")), "a list of networks"),
    ] {
        if !right {
            say(format!("has a {name} that is not {what}"), &format!("write {what}"));
        }
    }
    let mut tokens = ["as_token", "hs_token"].map(|member| Token { member, secret: format!("app_service_{}_{member}", file_name(&id)), brought: false });
    for token in &mut tokens {
        let member = token.member;
        match content.remove(member) {
            None | Some(Value::Null) => {}
            Some(value) => match secrets::reference(&value) {
                Some(Ok(name)) => {
                    token.secret = name.to_owned();
                    token.brought = true;
                }
                // Never the value itself: it is a secret.
                _ => say(
                    format!("holds its {member}, and everything in an image can be read by whoever has the image"),
                    &format!("remove the line, and put the token into secrets/{} on the target", token.secret),
                ),
            },
        }
    }
    if wrong.is_empty() { Ok(Registration { id, url, sender_localpart, exclusive_users, tokens, content }) } else { Err(wrong) }
}

fn text(content: &Map<String, Value>, name: &str, example: &str, say: &mut impl FnMut(String, &str)) -> String {
    match content.get(name).and_then(Value::as_str) {
        Some(text) if !text.is_empty() => text.to_owned(),
        _ => {
            say(format!("has no {name} that is a text"), &format!("add {example}"));
            String::new()
        }
    }
}

/// What somebody meant who wrote one of the words that older YAML has for true and false.
fn switch(value: &Value) -> &'static str {
    match value.as_str().map(str::to_lowercase).as_deref() {
        Some("yes" | "on" | "y" | "true") => "true",
        Some("no" | "off" | "n" | "false") => "false",
        _ => "true, or false",
    }
}

fn strings(value: Option<&Value>) -> bool {
    value.is_none_or(|value| value.is_null() || value.as_array().is_some_and(|list| list.iter().all(Value::is_string)))
}

/// Checks the namespaces, and gives the expressions on users that are the service's alone.
fn namespaces(value: Option<&Value>, say: &mut impl FnMut(String, &str)) -> Vec<String> {
    let example = "write for example namespaces: { users: [{ exclusive: true, regex: '@irc_.*' }] }";
    let Some(kinds) = value.and_then(Value::as_object) else {
        say("has no namespaces".to_owned(), example);
        return Vec::new();
    };
    let mut exclusive = Vec::new();
    for (kind, entries) in kinds {
        if !KINDS.contains(&kind.as_str()) {
            say(format!("has the namespace {kind:?}"), "known are users, aliases and rooms");
        }
        let Some(entries) = entries.as_array() else {
            say(format!("has namespaces.{kind} that is no list"), example);
            continue;
        };
        for (at, entry) in entries.iter().enumerate() {
            match (entry["regex"].as_str(), &entry["exclusive"]) {
                (Some(regex), Value::Bool(alone)) => {
                    if let Some(why) = broken(regex) {
                        say(format!("has in namespaces.{kind}[{at}] a regex that is none: {why}"), "mend the expression");
                    }
                    if kind == "users" && *alone {
                        exclusive.push(regex.to_owned());
                    }
                }
                (None, _) => say(format!("has in namespaces.{kind}[{at}] no regex that is a text"), example),
                (_, Value::Null) => say(format!("has in namespaces.{kind}[{at}] no exclusive"), example),
                (_, other) => {
                    say(
                        format!("has in namespaces.{kind}[{at}] an exclusive that is {}, not true or false", shown(other)),
                        &format!("write exclusive: {}", switch(other)),
                    );
                }
            }
        }
    }
    exclusive
}

/// What is wrong with an expression. Python knows a few forms that this program does not; they pass.
fn broken(regex: &str) -> Option<String> {
    let error = regex::Regex::new(regex).err()?.to_string();
    let beyond = ["look-around", "backreference", "too big"].iter().any(|word| error.contains(word));
    (!beyond).then(|| error.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned())
}

/// An identifier as a part of the name of a file or a secret: whatever is not a small letter or a digit is written as its code.
fn file_name(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c.to_string() } else { format!("_{:02x}", u32::from(c)) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "id: irc\nurl: http://bridge.example.com:9993\nsender_localpart: ircbot\nnamespaces: {users: [{exclusive: true, regex: '@irc_.*'}]}\n";

    #[test]
    fn tokens_are_placeholders() {
        let read = parse(format!("{GOOD}hs_token: {{_secret: irc_hs}}\n").as_bytes()).expect("good");
        assert_eq!(read.tokens.each_ref().map(|token| (token.secret.as_str(), token.brought)), [("app_service_irc_as_token", false), ("irc_hs", true)]);
        let rendered = read.rendered();
        assert_eq!((&rendered["as_token"], &rendered["hs_token"]), (&"@@secret:app_service_irc_as_token@@".into(), &"@@secret:irc_hs@@".into()));
        assert_eq!(file_name("Irc-1.b"), "_49rc_2d1_2eb");
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_and_no_token_is_repeated() {
        let text = "id: 7\nurl: bridge\nsender_localpart: Ü\nas_token: hunter2\nnamespaces: {users: [{regex: '('}], user: []}\nrate_limited: 1\nprotocol: x\n";
        let wrong = parse(text.as_bytes()).expect_err("bad");
        assert_eq!(wrong.len(), 8, "{wrong:#?}");
        assert!(!format!("{wrong:?}").contains("hunter2"));
        for text in ["", "a", "[]", "a: [", "\u{0}"] {
            assert!(parse(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(parse(&[0xff]).is_err());
    }

    #[test]
    fn words_of_older_yaml_are_told_as_they_stand() {
        let wrong = parse(GOOD.replace("exclusive: true", "exclusive: no").as_bytes()).expect_err("bad");
        assert_eq!(
            wrong,
            [("has in namespaces.users[0] an exclusive that is the text \"no\", not true or false".to_owned(), "write exclusive: false".to_owned())]
        );
        let wrong = parse(format!("{GOOD}rate_limited: yes\n").as_bytes()).expect_err("bad");
        assert_eq!(wrong, [("has a rate_limited that is the text \"yes\", not true or false".to_owned(), "write rate_limited: true".to_owned())]);
    }

    #[test]
    fn expressions_that_only_python_knows_pass() {
        assert_eq!(broken("@(?!admin).*"), None);
        assert!(broken("@(irc_.*").is_some());
    }
}
