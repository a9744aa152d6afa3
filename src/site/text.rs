//! Strings that cannot hold a bad value. Each type has one parser, which also checks the description before it is
//! deserialised: the JSON Schema carries the type's name as `format`, and [`check_format`] finds the parser by that name.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

type Parsed = Result<(), String>;

macro_rules! text_types {
    ($($(#[$doc:meta])* $name:ident, $format:literal, $parse:path, $example:literal, $expected:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
            #[serde(try_from = "String", into = "String")]
            pub struct $name(String);

            impl $name {
                /// The text.
                pub fn as_str(&self) -> &str {
                    &self.0
                }
            }

            impl TryFrom<String> for $name {
                type Error = String;
                fn try_from(text: String) -> Result<Self, String> {
                    $parse(&text)?;
                    Ok(Self(text))
                }
            }

            impl From<$name> for String {
                fn from(value: $name) -> String {
                    value.0
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&self.0)
                }
            }

            impl JsonSchema for $name {
                fn inline_schema() -> bool {
                    true
                }
                fn schema_name() -> Cow<'static, str> {
                    stringify!($name).into()
                }
                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!({ "type": "string", "format": $format, "examples": [$example] })
                }
            }
        )*

        /// Checks a text against the parser of a format that a schema names.
        ///
        /// # Errors
        /// A sentence that says what is wrong, what is expected and gives an example.
        pub fn check_format(format: &str, text: &str) -> Result<(), String> {
            match format {
                $($format => $parse(text).map_err(|why| format!("{why}; expected {}, such as {:?}", $expected, $example)),)*
                "size" => parse_size(text).map(drop).map_err(|why| format!("{why}; expected bytes, or a whole number with K, M, G or T, such as \"50M\"")),
                "duration" => parse_duration(text).map(drop).map_err(|why| format!("{why}; expected milliseconds, or a whole number with s, m, h, d, w or y, such as \"7d\"")),
                _ => Ok(()),
            }
        }
    };
}

text_types! {
    /// A Matrix server name: a host name or IP literal with an optional port, in lower case.
    /// Grammar: Matrix specification, appendices, "Server Name"; Synapse refuses `_` and schemes and accepts upper case,
    /// which then matches nothing that other servers send.
    ServerName, "server-name", parse_server_name, "example.com", "a server name in lower case without scheme or path";
    /// A DNS host name or an IP address, without a port.
    HostName, "host-name", parse_host_name, "matrix.example.com", "a DNS host name or an IP address";
    /// The `http` or `https` address at which clients find the server; no query, no fragment, no user.
    BaseUrl, "base-url", parse_base_url, "https://matrix.example.com/", "an http or https address without query and fragment";
    /// An `ldap` or `ldaps` address: scheme, host, optional port.
    LdapUri, "ldap-uri", parse_ldap_uri, "ldap://ldap.example.com:389", "an ldap:// or ldaps:// address";
    /// A network in CIDR notation, or a single address.
    Cidr, "cidr", parse_cidr, "192.168.0.0/16", "an IP network in CIDR notation";
    /// An IPv4 or IPv6 address.
    Address, "ip-address", parse_address, "203.0.113.10", "an IPv4 or IPv6 address";
    /// The localpart of a Matrix ID: `a-z 0-9 . _ = - / +` (Matrix specification, appendices, "User Identifiers").
    Localpart, "localpart", parse_localpart, "alice", "a localpart of the letters a-z, digits and ._=-/+";
    /// A file beside the description, or an absolute path; read when the description is loaded.
    FilePath, "file", parse_file_path, "certificates/ldap-ca.pem", "the path of a file";
    /// A directory on the target, absolute.
    AbsolutePath, "absolute-path", parse_absolute_path, "/run/postgresql", "an absolute path";
    /// The repository part of an image name, `localhost/synapse-site`: lower case, slashes, no tag.
    Repository, "repository", parse_repository, "localhost/synapse-site", "the repository part of an image name, without a tag";
    /// A TURN address for clients: `turn:` or `turns:`, host, optional port and transport (RFC 7065).
    TurnUri, "turn-uri", parse_turn_uri, "turn:turn.example.com?transport=udp", "a turn: or turns: address";
    /// Text without control characters, on one line.
    Line, "line", parse_line, "uid", "one line of text";
}

/// A number of bytes as Synapse writes it: an integer, or an integer with `K`, `M`, `G` or `T` (binary).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Size(String);

/// A time as Synapse writes it: an integer of milliseconds, or an integer with `s`, `m`, `h`, `d`, `w` or `y`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Duration(String);

impl Size {
    /// A size from its written form.
    ///
    /// # Errors
    /// When it is not written as Synapse reads it.
    pub fn new(text: &str) -> Result<Self, String> {
        parse_size(text).map(|_| Self(text.to_owned()))
    }

    /// The number of bytes.
    pub fn bytes(&self) -> u64 {
        parse_size(&self.0).unwrap_or(u64::MAX)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Duration {
    /// A duration from its written form.
    ///
    /// # Errors
    /// When it is not written as Synapse reads it.
    pub fn new(text: &str) -> Result<Self, String> {
        parse_duration(text).map(|_| Self(text.to_owned()))
    }

    /// Milliseconds.
    pub fn milliseconds(&self) -> u64 {
        parse_duration(&self.0).unwrap_or(u64::MAX)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! number_or_text {
    ($name:ident, $format:literal, $example:literal) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[derive(Deserialize)]
                #[serde(untagged)]
                enum Written {
                    Number(u64),
                    Text(String),
                }
                let text = match Written::deserialize(deserializer)? {
                    Written::Number(number) => number.to_string(),
                    Written::Text(text) => text,
                };
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": ["string", "integer"], "format": $format, "minimum": 0, "examples": [$example] })
            }
        }
    };
}
number_or_text!(Size, "size", "50M");
number_or_text!(Duration, "duration", "7d");

fn scaled(text: &str, units: &[(char, u64)]) -> Result<u64, String> {
    let (digits, factor) = match text.chars().last().and_then(|last| units.iter().find(|unit| unit.0 == last)) {
        Some(unit) => (&text[..text.len() - 1], unit.1),
        None => (text, 1),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("{text:?} is not a number with one of the known units"));
    }
    digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(|| format!("{text:?} is too large"))
}

// Synapse 1.163, config/_base.py: Config.parse_size and Config.parse_duration.
fn parse_size(text: &str) -> Result<u64, String> {
    scaled(text, &[('K', 1 << 10), ('M', 1 << 20), ('G', 1 << 30), ('T', 1 << 40)])
}

fn parse_duration(text: &str) -> Result<u64, String> {
    const SECOND: u64 = 1000;
    const DAY: u64 = 24 * 3600 * SECOND;
    scaled(text, &[('s', SECOND), ('m', 60 * SECOND), ('h', 3600 * SECOND), ('d', DAY), ('w', 7 * DAY), ('y', 365 * DAY)])
}

fn parse_host_name(text: &str) -> Parsed {
    if text.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    if text.is_empty() || text.len() > 253 {
        return Err(format!("{text:?} has {} characters, a host name has 1 to 253", text.len()));
    }
    for label in text.split('.') {
        let bytes = label.as_bytes();
        if bytes.is_empty() || bytes.len() > 63 {
            return Err(format!("{text:?} has an empty label or one of more than 63 characters"));
        }
        if let Some(bad) = label.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')) {
            return Err(match bad {
                'A'..='Z' => format!("{text:?} has upper-case letters, host names are written in lower case here"),
                '_' => format!("{text:?} has an underscore, which no host name may have"),
                _ => format!("{text:?} has the character {bad:?}, which no host name may have"),
            });
        }
        if bytes[0] == b'-' || bytes[bytes.len() - 1] == b'-' {
            return Err(format!("{text:?} has a label that begins or ends with a hyphen"));
        }
    }
    Ok(())
}

fn parse_port(text: &str) -> Parsed {
    match text.parse::<u16>() {
        Ok(port) if port > 0 && !text.starts_with('+') => Ok(()),
        _ => Err(format!("{text:?} is no port from 1 to 65535")),
    }
}

fn parse_host_port(text: &str) -> Parsed {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or_else(|| format!("{text:?} lacks the closing bracket of its IPv6 address"))?;
        address.parse::<Ipv6Addr>().map_err(|_| format!("{address:?} is no IPv6 address"))?;
        return match port.strip_prefix(':') {
            Some(port) => parse_port(port),
            None if port.is_empty() => Ok(()),
            None => Err(format!("{text:?} has something after the closing bracket that is not a port")),
        };
    }
    match text.split_once(':') {
        Some((host, port)) => parse_host_name(host).and_then(|()| parse_port(port)),
        None => parse_host_name(text),
    }
}

fn parse_server_name(text: &str) -> Parsed {
    if let Some((scheme, _)) = text.split_once("://") {
        return Err(format!("{text:?} begins with {scheme}://, a server name has no scheme"));
    }
    if text.contains('/') {
        return Err(format!("{text:?} has a path, a server name has none"));
    }
    if text.len() > 230 {
        return Err(format!("{text:?} has more than 230 characters"));
    }
    parse_host_port(text)
}

fn after_scheme<'a>(text: &'a str, schemes: &[&str]) -> Result<&'a str, String> {
    schemes.iter().find_map(|scheme| text.strip_prefix(scheme)).ok_or_else(|| format!("{text:?} does not begin with {}", schemes.join(" or ")))
}

fn parse_base_url(text: &str) -> Parsed {
    let rest = after_scheme(text, &["https://", "http://"])?;
    if let Some(bad) = rest.chars().find(|c| matches!(c, '?' | '#' | '@' | '\\' | '"' | '\'' | ';' | '{' | '}' | '$') || c.is_whitespace() || c.is_control()) {
        return Err(format!("{text:?} has the character {bad:?}"));
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if !path.is_empty() {
        return Err(format!("{text:?} has a path; the gateway serves Matrix at the root of its host name"));
    }
    parse_host_port(authority)
}

fn parse_ldap_uri(text: &str) -> Parsed {
    let rest = after_scheme(text, &["ldaps://", "ldap://"])?;
    parse_host_port(rest.strip_suffix('/').unwrap_or(rest))
}

fn parse_address(text: &str) -> Parsed {
    text.parse::<IpAddr>().map(drop).map_err(|_| format!("{text:?} is no IP address"))
}

fn parse_cidr(text: &str) -> Parsed {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| format!("{text:?} is no IP network"))?;
    let Some(prefix) = prefix else { return Ok(()) };
    let most = if address.is_ipv4() { 32 } else { 128 };
    let length: u32 =
        prefix.parse().ok().filter(|length| *length <= most).ok_or_else(|| format!("{text:?} has a prefix length that is not from 0 to {most}"))?;
    // Python's ipaddress, which Synapse uses through netaddr, and nginx both dislike host bits; a network with them is a typing error.
    let bits = match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)) << 96,
        IpAddr::V6(v6) => u128::from(v6),
    };
    if length < 128 && bits << length != 0 {
        return Err(format!("{text:?} has bits set beyond its prefix"));
    }
    Ok(())
}

fn parse_localpart(text: &str) -> Parsed {
    if text.is_empty() || text.len() > 200 {
        return Err(format!("{text:?} has {} characters, a localpart has 1 to 200", text.len()));
    }
    if text.starts_with('@') || text.contains(':') {
        return Err(format!("{text:?} looks like a whole Matrix ID; write only the part between @ and the colon"));
    }
    if text.starts_with('_') {
        return Err(format!("{text:?} begins with an underscore, which Synapse keeps for application services"));
    }
    match text.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || "._=-/+".contains(*c))) {
        Some(bad) => Err(format!("{text:?} has the character {bad:?}")),
        None => Ok(()),
    }
}

fn parse_line(text: &str) -> Parsed {
    if text.is_empty() {
        return Err("the text is empty".to_owned());
    }
    match text.chars().find(|c| c.is_control()) {
        Some(bad) => Err(format!("{text:?} has the control character {bad:?}")),
        None => Ok(()),
    }
}

fn parse_file_path(text: &str) -> Parsed {
    parse_line(text)
}

fn parse_absolute_path(text: &str) -> Parsed {
    parse_line(text)?;
    if !text.starts_with('/') {
        return Err(format!("{text:?} does not begin with a slash"));
    }
    if text.split('/').any(|part| part == "..") || text.contains(':') {
        return Err(format!("{text:?} has a part that a mount cannot have (`..` or a colon)"));
    }
    Ok(())
}

fn parse_repository(text: &str) -> Parsed {
    let mut parts = text.split('/');
    let registry = parts.next().unwrap_or_default();
    parse_host_port(registry)?;
    let rest: Vec<&str> = parts.collect();
    if rest.is_empty() {
        return Err(format!("{text:?} has no path after its registry"));
    }
    for part in rest {
        let good = part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte));
        if part.is_empty() || !good || !part.starts_with(|c: char| c.is_ascii_alphanumeric()) || !part.ends_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(format!("{text:?} has the component {part:?}, which is not made of a-z, 0-9 and ._- between letters or digits"));
        }
    }
    Ok(())
}

fn parse_turn_uri(text: &str) -> Parsed {
    let rest = after_scheme(text, &["turns:", "turn:"])?;
    let (host, query) = match rest.split_once('?') {
        Some((host, query)) => (host, Some(query)),
        None => (rest, None),
    };
    match query {
        None | Some("transport=udp" | "transport=tcp") => parse_host_port(host),
        Some(other) => Err(format!("{text:?} ends in {other:?}, only transport=udp and transport=tcp are known")),
    }
}

impl BaseUrl {
    /// Whether the scheme is `https`.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Host and, if written, port: `matrix.example.com`.
    pub fn authority(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default()
    }

    /// The host without a port.
    pub fn host(&self) -> &str {
        split_port(self.authority()).0
    }

    /// The port, written or implied by the scheme.
    pub fn port(&self) -> u16 {
        split_port(self.authority()).1.unwrap_or(if self.is_https() { 443 } else { 80 })
    }

    /// With exactly one slash at the end, as Synapse completes it.
    pub fn with_slash(&self) -> String {
        format!("{}/", self.0.trim_end_matches('/'))
    }

    /// Without a slash at the end, as the client well-known document has it.
    pub fn without_slash(&self) -> &str {
        self.0.trim_end_matches('/')
    }
}

impl ServerName {
    /// The host without a port.
    pub fn host(&self) -> &str {
        split_port(&self.0).0
    }

    /// The port, if written.
    pub fn port(&self) -> Option<u16> {
        split_port(&self.0).1
    }
}

fn split_port(text: &str) -> (&str, Option<u16>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') && (!host.contains(':') || host.ends_with(']')) => (host, port.parse().ok()),
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(format: &str, text: &str) -> String {
        check_format(format, text).expect_err(text)
    }

    #[test]
    fn server_names() {
        for good in ["example.com", "example.com:8448", "[2001:db8::1]:8448", "192.0.2.1", "a.b-c.example"] {
            check_format("server-name", good).unwrap_or_else(|why| panic!("{good}: {why}"));
        }
        assert!(refused("server-name", "Example.com").contains("lower case"));
        assert!(refused("server-name", "https://example.com").contains("scheme"));
        assert!(refused("server-name", "exa_mple.com").contains("underscore"));
        assert!(refused("server-name", "example.com:99999").contains("65535"));
        assert!(refused("server-name", "example..com").contains("empty label"));
        assert!(refused("server-name", "-a.example").contains("hyphen"));
    }

    #[test]
    fn networks() {
        for good in ["10.0.0.0/8", "::1/128", "2001:db8::/32", "192.0.2.1", "0.0.0.0/0", "::/0", "192.0.2.1/32"] {
            check_format("cidr", good).unwrap_or_else(|why| panic!("{good}: {why}"));
        }
        assert!(refused("cidr", "").contains("no IP network"));
        assert!(refused("cidr", "10.0.0.0/33").contains("0 to 32"));
        assert!(refused("cidr", "10.0.0.1/8").contains("beyond its prefix"));
        assert!(refused("cidr", "2001:db8::1/32").contains("beyond its prefix"));
        assert!(refused("cidr", "10.0.0.0/0").contains("beyond its prefix"));
    }

    #[test]
    fn sizes_and_durations() {
        assert_eq!(Size::new("50M").expect("good").bytes(), 50 << 20);
        assert_eq!(Duration::new("1y").expect("good").milliseconds(), 365 * 86_400_000);
        for bad in ["50MB", "2MiB", "1.5M", "", "M", "-1", "99999999999999999999", "9999999999T"] {
            refused("size", bad);
        }
        for bad in ["1mo", "1.5h", "h", "1 d"] {
            refused("duration", bad);
        }
    }

    #[test]
    fn base_urls() {
        let url = BaseUrl::try_from("https://matrix.example.com:444/".to_owned()).expect("good");
        assert_eq!((url.host(), url.port(), url.without_slash()), ("matrix.example.com", 444, "https://matrix.example.com:444"));
        for bad in ["matrix.example.com", "https://matrix.example.com/?a", "https://u@h/", "https://h/path", "https://h{}/"] {
            refused("base-url", bad);
        }
    }
}
