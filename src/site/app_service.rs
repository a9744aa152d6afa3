//! The registration file of an application service, as a bridge's own program writes it, without its tokens. Takes the file's
//! bytes, gives what the site has to know, or everything that Synapse would stumble over when it starts (Synapse 1.163,
//! config/appservice.py; application service API, "Registration").

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::load::Loaded;
use super::secret::reference;
use super::text::ServerName;
use super::{python_regex, reveal};

/// What Synapse reads at a registration's top. Others it does not look at, and programs write some (`push_ephemeral`).
const NAMES: &[&str] =
    &["as_token", "hs_token", "id", "ip_range_whitelist", "namespaces", "protocols", "rate_limited", "receive_ephemeral", "sender_localpart", "url"];
const KINDS: &[&str] = &["users", "aliases", "rooms"];
/// What Synapse turns on and off, and whether it takes null for it; a word of older YAML, rendered as a text, would be on or end Synapse.
const SWITCHES: &[(&str, bool)] = &[
    ("rate_limited", true),
    ("receive_ephemeral", true),
    ("de.sorunome.msc2409.push_ephemeral", true),
    ("org.matrix.msc3202", false),
    ("io.element.msc4190", false),
];
const SCOPES: &str = "io.element.msc4502.scopes";
const PROXY_PREFIX: &str = "io.element.msc4512.proxy_prefix";
const PROXY_URL: &str = "io.element.msc4512.proxy_url";

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
    /// The content for Synapse, with what `of` gives for the secret of each token.
    pub fn content(&self, of: impl Fn(&str) -> String) -> Value {
        let mut content = self.content.clone();
        for token in &self.tokens {
            content.insert(token.member.to_owned(), Value::String(of(&token.secret)));
        }
        Value::Object(content)
    }

    /// Whether a name is one that only the service may use.
    pub fn claims(&self, localpart: &str, server: &ServerName) -> bool {
        self.exclusive_users.iter().any(|expression| matches(expression, localpart, server))
    }

    /// The service's name in names of files and secrets.
    pub fn name(&self) -> String {
        file_name(&self.id)
    }
}

/// Whether an expression is one on this person of the site. Those of Python that this program cannot read are on nobody.
pub fn matches(expression: &str, localpart: &str, server: &ServerName) -> bool {
    // Python's re.match begins at the beginning and ends anywhere; the end of the text has another letter there.
    let expression = expression.replace(r"\Z", r"\z");
    regex::Regex::new(&format!("^(?:{expression})")).is_ok_and(|regex| regex.is_match(&format!("@{localpart}:{server}")))
}

/// Every registration of a site, or what is wrong with it, in the order of the description.
pub fn of_site(loaded: &Loaded) -> Vec<Result<Registration, Vec<(String, String)>>> {
    let content = |path: &str| loaded.files.get(path).map(Vec::as_slice).unwrap_or_default();
    loaded.site.app_services.iter().map(|path| parse(content(path.as_str()))).collect()
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
        super::yaml::read(text).map_err(|error| error.to_string())
    }) {
        Ok(value) => value,
        Err(why) => {
            return Err(vec![(
                format!("is no YAML that can be read: {}", reveal::without_quotes(&why)),
                "take the file that the service's own program writes".to_owned(),
            )]);
        }
    };
    let Value::Object(mut content) = value else {
        return Err(vec![("is no registration: it holds no options".to_owned(), "take the file that the service's own program writes".to_owned())]);
    };
    for name in content.keys() {
        if let Some(near) = misspelt(name, NAMES) {
            say(format!("has {name:?}, which no registration has"), &format!("did you mean {near:?}?"));
        }
    }

    let id = text(&content, "id", "the service's identifier, such as id: irc", &mut say);
    if id.contains('|') {
        say(format!("has the id {id:?} with a \"|\", which Synapse keeps for itself"), "write it without");
    }
    let sender_localpart = text(&content, "sender_localpart", "the localpart of the service's own account, such as sender_localpart: ircbot", &mut say);
    // What Python's urllib.parse.quote leaves as it is.
    if let Some(bad) = sender_localpart.chars().find(|c| !(c.is_ascii_alphanumeric() || "._~-/".contains(*c))) {
        say(format!("has the sender_localpart {sender_localpart:?} with the character {bad:?}"), "write it with A-Z, a-z, 0-9 and ._~-/");
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
    for (name, takes_null) in SWITCHES {
        if let Some(value) = content.get(*name).filter(|value| !(value.is_boolean() || *takes_null && value.is_null())) {
            say(format!("has a {name} that is {}, not true or false", reveal::registered(name, value)), &format!("write {name}: {}", switch(value)));
        }
    }
    experiments(&content, &mut say);
    for (name, right, what) in [
        ("protocols", strings(content.get("protocols")), "a list of texts"),
        ("ip_range_whitelist", networks(content.get("ip_range_whitelist")), "a list of networks, such as [192.0.2.0/24]"),
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
            Some(value) => match reference(&value) {
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

/// The one of `names` that somebody meant, if the difference is no more than a slip.
fn misspelt<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let plain = name.to_lowercase().replace('-', "_");
    let near = |known: &&str| known.len() > 3 && strsim::damerau_levenshtein(&plain, known) <= 2;
    if names.contains(&name) { None } else { names.iter().copied().find(near) }
}

/// Checks what Synapse takes for experiments (appservice/__init__.py).
fn experiments(content: &Map<String, Value>, say: &mut impl FnMut(String, &str)) {
    const KNOWN: &str = "urn:matrix:client:io.element.msc4502:rooms:is_joined";
    let scopes = content.get(SCOPES);
    if scopes.is_some_and(|scopes| scopes.as_array().is_none_or(|list| list.iter().any(|scope| scope != KNOWN))) {
        say(format!("has a {SCOPES} that is not a list of scopes that Synapse knows"), &format!("write {SCOPES}: [{KNOWN}], or leave it out"));
    }
    let [prefix, url] = [PROXY_PREFIX, PROXY_URL].map(|name| content.get(name).filter(|value| !value.is_null()));
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.trim_end_matches('/').is_empty());
    let right = match (prefix, url) {
        (None, None) => true,
        (Some(prefix), Some(url)) => is_text(url) && prefix.as_str().is_some_and(|prefix| prefix == "rtc/livekit" || prefix.starts_with("rtc/livekit/")),
        _ => false,
    };
    if !right {
        say(
            format!("has not both of {PROXY_PREFIX} and {PROXY_URL}, or one that Synapse does not take"),
            &format!("write {PROXY_PREFIX}: rtc/livekit, and the service's address as {PROXY_URL}; or leave both out"),
        );
    }
}

/// Networks in a list, as netaddr reads them: an address, or one with a prefix or a mask, whatever its other bits are.
fn networks(value: Option<&Value>) -> bool {
    let network = |text: &str| {
        let (address, prefix) = text.split_once('/').unwrap_or((text, "0"));
        let Ok(address) = address.parse::<IpAddr>() else { return false };
        prefix.parse::<IpAddr>().is_ok_and(|mask| mask.is_ipv4() == address.is_ipv4())
            || prefix.parse::<u8>().is_ok_and(|length| length <= if address.is_ipv4() { 32 } else { 128 })
    };
    let network = |value: &Value| value.as_str().is_some_and(network);
    value.is_none_or(|value| value.is_null() || value.as_array().is_some_and(|list| list.iter().all(network)))
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
            // Synapse walks the three that it knows.
            if let Some(near) = misspelt(kind, KINDS) {
                say(format!("has the namespace {kind:?}"), &format!("did you mean {near:?}?"));
            }
            continue;
        }
        let Some(entries) = entries.as_array() else {
            say(format!("has namespaces.{kind} that is no list"), example);
            continue;
        };
        for (at, entry) in entries.iter().enumerate() {
            match (entry["regex"].as_str(), &entry["exclusive"]) {
                (Some(regex), Value::Bool(alone)) => {
                    if let Some(why) = python_regex::broken(regex) {
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
                        format!("has in namespaces.{kind}[{at}] an exclusive that is {}, not true or false", reveal::registered("exclusive", other)),
                        &format!("write exclusive: {}", switch(other)),
                    );
                }
            }
        }
    }
    exclusive
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
        let rendered = read.content(|secret| format!("@@secret:{secret}@@"));
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

    /// What is said about a registration that is right but for these lines.
    fn wrong(lines: &str) -> Vec<(String, String)> {
        parse(format!("{GOOD}{lines}\n").as_bytes()).err().unwrap_or_default()
    }

    #[test]
    fn what_synapse_does_not_look_at_stays_as_it_is() {
        let read = parse(format!("{GOOD}push_ephemeral: true\nrate_limited: null\nour_own: {{a: [1]}}\n").as_bytes()).expect("good");
        let rendered = read.content(|secret| format!("@@secret:{secret}@@"));
        assert_eq!((&rendered["push_ephemeral"], &rendered["our_own"]["a"], &rendered["rate_limited"]), (&true.into(), &serde_json::json!([1]), &Value::Null));
        assert!(parse(GOOD.replace("{users:", "{groups: 1, users:").as_bytes()).is_ok());
        for slip in ["rate_limit: true", "namespace: {}", "rate-limited: true", "as-token: hunter2"] {
            assert_eq!(wrong(slip).len(), 1, "{slip}: {:?}", wrong(slip));
        }
    }

    #[test]
    fn the_own_account_has_the_characters_that_synapse_takes() {
        for name in ["kT3xQ9bLmZ0aYwVfRuEsHdGnCjPiOoXk", "a.b_c-d~e/f", "_irc"] {
            assert!(parse(GOOD.replace("ircbot", name).as_bytes()).is_ok(), "{name}");
        }
        for name in ["irc=bot", "irc bot", "\u{fc}", "a@b"] {
            assert!(parse(GOOD.replace("ircbot", name).as_bytes()).is_err(), "{name}");
        }
    }

    #[test]
    fn what_ends_synapse_when_it_starts_is_found() {
        assert!(parse(GOOD.replace("id: irc", "id: i|c").as_bytes()).is_err());
        for bad in [
            "org.matrix.msc3202: yes",
            "org.matrix.msc3202: null",
            "io.element.msc4190: 1",
            "receive_ephemeral: no",
            "de.sorunome.msc2409.push_ephemeral: on",
            "io.element.msc4502.scopes: all",
            "io.element.msc4502.scopes: [all]",
            "io.element.msc4512.proxy_prefix: rtc/livekit",
            "io.element.msc4512.proxy_url: http://a.example.com",
            "io.element.msc4512.proxy_prefix: other\nio.element.msc4512.proxy_url: http://a.example.com",
            "ip_range_whitelist: [everywhere]",
        ] {
            assert_eq!(wrong(bad).len(), 1, "{bad}: {:?}", wrong(bad));
        }
        for good in [
            "org.matrix.msc3202: true\nio.element.msc4190: false\nreceive_ephemeral: true",
            "io.element.msc4502.scopes: []",
            "io.element.msc4512.proxy_prefix: rtc/livekit/jwt\nio.element.msc4512.proxy_url: http://a.example.com",
            "ip_range_whitelist: [192.0.2.1, 192.0.2.0/24, 10.1.2.3/8, 10.0.0.0/255.0.0.0, '2001:db8::/32']",
            "ip_range_whitelist: []",
        ] {
            assert_eq!(wrong(good), [], "{good}");
        }
    }
}
