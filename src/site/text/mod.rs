//! Strings that cannot hold a bad value. Each type has one parser, which also checks the description before it is
//! deserialised: the JSON Schema carries the type's name as `format`, and [`check_format`] finds the parser by that name.

pub mod amount;
mod parse;
mod scale;
mod suggest;

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

pub(crate) use parse::split_port;
pub use scale::Scale;
pub use suggest::{meant, port};

/// The schema of a text. Every line is a line: what is meant by one, its option shows.
fn text_schema(format: &str, example: &str) -> Schema {
    let mut schema = json_schema!({ "type": "string", "format": format });
    if format != "line" {
        schema.insert("examples".to_owned(), serde_json::json!([example]));
    }
    schema
}

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
                    text_schema($format, $example)
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
                "size" => parse::size(text).map(drop).map_err(|why| format!("{why}; expected bytes, or a whole number with K, M, G or T, such as \"50M\"")),
                "duration" => parse::duration(text).map(drop).map_err(|why| format!("{why}; expected milliseconds, or a whole number with s, m, h, d, w or y, such as \"7d\"")),
                _ => Ok(()),
            }
        }

        /// What a format that a schema names expects, as the end of a sentence.
        pub fn expected(format: &str) -> Option<&'static str> {
            match format {
                $($format => Some($expected),)*
                "size" => Some("bytes, or a whole number with K, M, G or T"),
                "duration" => Some("milliseconds, or a whole number with s, m, h, d, w or y"),
                _ => None,
            }
        }
    };
}

text_types! {
    /// A Matrix server name: a host name or IP literal with an optional port, in lower case.
    /// Grammar: Matrix specification, appendices, "Server Name"; Synapse refuses `_` and schemes and accepts upper case,
    /// which then matches nothing that other servers send.
    ServerName, "server-name", parse::server_name, "example.com", "a server name in lower case without scheme or path";
    /// A DNS host name or an IP address, without a port.
    HostName, "host-name", parse::host_name, "matrix.example.com", "a DNS host name or an IP address";
    /// The host of a service that Synapse itself asks: a host name, an address, or a name that `/etc/hosts` or the engine of containers has, where
    /// an underscore is allowed (`mail_relay`).
    ServiceHost, "service-host", parse::service_host, "mail.example.com", "a host name or an IP address";
    /// The `http` or `https` address at which clients find the server; no query, no fragment, no user.
    BaseUrl, "base-url", parse::base_url, "https://matrix.example.com/", "an http or https address without query and fragment";
    /// A provider's name in Synapse's database: letters, digits and `._~-`, at most 250 (Synapse, config/oidc.py).
    ProviderId, "provider-id", parse::provider_id, "keycloak", "letters, digits and ._~-, 250 characters at most";
    /// What is asked of a provider, one scope (RFC 6749, section 3.3).
    Scope, "scope", parse::scope, "profile", "one scope without blanks";
    /// An `ldap` or `ldaps` address: scheme, host, optional port.
    LdapUri, "ldap-uri", parse::ldap_uri, "ldap://ldap.example.com:389", "an ldap:// or ldaps:// address";
    /// A network in CIDR notation, or a single address.
    Cidr, "cidr", parse::cidr, "192.168.0.0/16", "an IP network in CIDR notation";
    /// An IPv4 or IPv6 address.
    Address, "ip-address", parse::address, "203.0.113.10", "an IPv4 or IPv6 address";
    /// The public address of a relay: an IPv4 one, since the containers' networks have no other (Docker, "Enable IPv6 support").
    RelayAddress, "ipv4-address", parse::ipv4_address, "203.0.113.10", "an IPv4 address";
    /// The localpart of a Matrix ID: `a-z 0-9 . _ = - / +` (Matrix specification, appendices, "User Identifiers").
    Localpart, "localpart", parse::localpart, "alice", "a localpart of the letters a-z, digits and ._=-/+";
    /// A file beside the description, or an absolute path; read when the description is loaded.
    FilePath, "file", parse::file_path, "certificates/ldap-ca.pem", "the path of a file";
    /// The repository part of an image name, `localhost/synapse-site`: lower case, slashes, no tag.
    Repository, "repository", parse::repository, "localhost/synapse-site", "the repository part of an image name, without a tag";
    /// The name of a Compose project: small letters, digits, hyphens and underscores (Compose Specification, "Name top-level element"). Names of
    /// networks and containers begin with it, and a container's name is a DNS label of 63 characters at most: 40 leave room for the rest.
    ProjectName, "project-name", parse::project_name, "matrix-example-com", "small letters, digits, - and _, a letter or digit first, 40 characters at most";
    /// The full name of an image that somebody else publishes: registry, path, and a tag or a digest or both.
    ImageReference, "image-reference", parse::image_reference, "docker.io/livekit/livekit-server:v1.13.0", "an image's full name with registry, and tag or digest";
    /// A TURN address for clients: `turn:` or `turns:`, host, optional port and transport (RFC 7065).
    TurnUri, "turn-uri", parse::turn_uri, "turn:turn.example.com?transport=udp", "a turn: or turns: address";
    /// Where people turn to: an address with its scheme, `mailto:admin@example.com`. Clients show it as a link.
    ContactUri, "contact-uri", parse::contact_uri, "mailto:admin@example.com", "a mailto:, https:, http:, matrix: or tel: address";
    /// The alias of a room: `#`, a name, a colon, a server (Matrix specification, appendices, "Room Aliases").
    RoomAlias, "room-alias", parse::room_alias, "#welcome:example.com", "the alias of a room";
    /// The identifier of a room: `!` and what follows (Matrix specification, appendices, "Room IDs"); since version 12 of rooms without a server.
    RoomId, "room-id", parse::room_id, "!OGEhHVWSdvArJzumhm:example.com", "the identifier of a room, which begins with !";
    /// A media type without parameters: `image/png` (RFC 6838).
    MediaType, "media-type", parse::media_type, "image/png", "a media type";
    /// A file system directory beside the description, or an absolute path; the files in it are read when the description is loaded.
    DirectoryPath, "directory", parse::file_path, "templates", "the path of a directory";
    /// An `http` or `https` address with an optional path; no user, no blanks.
    HttpUrl, "http-url", parse::http_url, "https://chat.example.com/", "an http or https address";
    /// The beginning of addresses that people are sent back to after a login: of a page, or of an app with a scheme of its own. Synapse
    /// compares texts only (handlers/auth.py, `_whitelisted_sso_clients`).
    ClientUrl, "client-url", parse::client_url, "https://app.example.com/", "an address with its scheme";
    /// The address that mail comes from, with an optional name before it (RFC 5322, section 3.4). Synapse replaces `%(app)s` in the name.
    MailSender, "mail-sender", parse::mail_sender, "Example Matrix <matrix@example.com>", "an e-mail address, or a name and an address in angle brackets";
    /// The address of uploaded media: `mxc://server/id` (Matrix specification, "Matrix Content (mxc://) URIs").
    MxcUri, "mxc-uri", parse::mxc_uri, "mxc://example.com/SEsfnsuifSDFSSEF", "the mxc:// address of uploaded media";
    /// The name of a version of a policy; a part of a file's name and of links.
    PolicyVersion, "policy-version", parse::policy_version, "1.0", "a version of letters, digits and ._-";
    /// A SHA-256 hash in hexadecimal digits.
    Sha256Text, "sha256", parse::sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "64 hexadecimal digits in lower case";
    /// A language as HTML names it (RFC 5646).
    Language, "language", parse::language, "en", "a language tag";
    /// An amount of memory as PostgreSQL writes it (its documentation, "Parameter Names and Values").
    PostgresMemory, "postgres-memory", parse::postgres_memory, "128MB", "a number with B, kB, MB, GB or TB, from 128kB to 8TB";
    /// Text without control characters, on one line or several.
    Text, "text", parse::text, "Hello.\nThis is the second line.", "text";
    /// Text without control characters, on one line.
    Line, "line", parse::line, "some text", "one line of text";
}

macro_rules! number_or_text {
    ($(#[$doc:meta])* $name:ident, $format:literal, $example:literal, $parse:path, $(#[$value_doc:meta])* $value:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// From its written form.
            ///
            /// # Errors
            /// When it is not written as Synapse reads it.
            pub fn new(text: &str) -> Result<Self, String> {
                $parse(text).map(|_| Self(text.to_owned()))
            }

            $(#[$value_doc])*
            pub fn $value(&self) -> u64 {
                $parse(&self.0).unwrap_or(u64::MAX)
            }

            /// As it was written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

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
number_or_text!(
    /// A number of bytes as Synapse writes it: an integer, or an integer with `K`, `M`, `G` or `T` (binary).
    Size, "size", "50M", parse::size,
    /// The number of bytes.
    bytes
);
number_or_text!(
    /// A time as Synapse writes it: an integer of milliseconds, or an integer with `s`, `m`, `h`, `d`, `w` or `y`.
    Duration, "duration", "7d", parse::duration,
    /// Milliseconds.
    milliseconds
);

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
        parse::split_port(self.authority()).0
    }

    /// The port, written or implied by the scheme.
    pub fn port(&self) -> u16 {
        parse::split_port(self.authority()).1.unwrap_or(if self.is_https() { 443 } else { 80 })
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

impl HttpUrl {
    /// Whether the scheme is `https`.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Host and, if written, port.
    pub fn authority(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        rest.split(['/', '?']).next().unwrap_or_default()
    }

    /// The host without a port.
    pub fn host(&self) -> &str {
        parse::split_port(self.authority()).0
    }

    /// What follows host and port.
    pub fn path(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        rest.find(['/', '?']).map_or("", |at| &rest[at..])
    }
}

impl ClientUrl {
    /// Host and port of a page's address that ends with them, so that it may go on with anything.
    pub fn open_authority(&self) -> Option<&str> {
        let authority = ["https://", "http://"].iter().find_map(|scheme| self.0.strip_prefix(scheme))?;
        (!authority.contains(['/', '?', '#'])).then_some(authority)
    }
}

impl TurnUri {
    /// Whether it is `turns:`.
    pub fn is_tls(&self) -> bool {
        self.0.starts_with("turns:")
    }

    /// Whether it asks for TCP.
    pub fn is_tcp(&self) -> bool {
        self.0.ends_with("?transport=tcp")
    }

    /// The host without a port.
    pub fn host(&self) -> &str {
        parse::split_port(self.authority()).0
    }

    /// The port, written or implied by the scheme (RFC 7065).
    pub fn port(&self) -> u16 {
        parse::split_port(self.authority()).1.unwrap_or(if self.is_tls() { 5349 } else { 3478 })
    }

    fn authority(&self) -> &str {
        let rest = self.0.split_once(':').map_or("", |(_, rest)| rest);
        rest.split('?').next().unwrap_or_default()
    }
}

impl Cidr {
    /// Whether an address belongs to both networks.
    pub fn overlaps(&self, other: &str) -> bool {
        match (parse::network(&self.0), parse::network(other)) {
            (Some((v4, bits, length)), Some((other_v4, other_bits, other_length))) => {
                let shared = length.min(other_length);
                v4 == other_v4 && (shared == 0 || bits >> (128 - shared) == other_bits >> (128 - shared))
            }
            _ => false,
        }
    }
}

impl ServerName {
    /// The host without a port.
    pub fn host(&self) -> &str {
        parse::split_port(&self.0).0
    }

    /// The port, if written.
    pub fn port(&self) -> Option<u16> {
        parse::split_port(&self.0).1
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
    fn relays_have_addresses_of_ipv4() {
        check_format("ipv4-address", "203.0.113.10").expect("good");
        assert!(refused("ipv4-address", "2001:db8::10").contains("IPv6"));
        assert!(refused("ipv4-address", "203.0.113").contains("no IP address"));
    }

    #[test]
    fn networks_that_share_addresses() {
        let overlaps = |one: &str, other: &str| Cidr::try_from(one.to_owned()).expect("a network").overlaps(other);
        assert!(overlaps("0.0.0.0/0", "127.0.0.0/8") && overlaps("127.0.0.1", "127.0.0.0/8") && overlaps("::/0", "::1/128"));
        assert!(!overlaps("128.0.0.0/8", "127.0.0.0/8") && !overlaps("0.0.0.0/0", "::1/128") && !overlaps("fc00::/7", "fe80::/10"));
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
    fn memory_is_written_as_postgresql_writes_it() {
        for (text, meant_text) in [("2G", "2GB"), ("512m", "512MB"), ("128mb", "128MB"), ("64 KB", "64kB")] {
            refused("postgres-memory", text);
            let expected = check_format("postgres-memory", meant_text).is_ok().then_some(meant_text);
            assert_eq!(meant("postgres-memory", text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn contacts_pages_aliases_and_media_types() {
        for (format, good) in [
            ("contact-uri", "mailto:a@example.com"),
            ("contact-uri", "https://example.com/help?x=1"),
            ("contact-uri", "matrix:u/admin:example.com"),
            ("room-alias", "#a b:example.com"),
            ("media-type", "image/svg+xml"),
        ] {
            check_format(format, good).unwrap_or_else(|why| panic!("{good}: {why}"));
        }
        assert!(refused("contact-uri", "a@example.com").contains("write \"mailto:a@example.com\""));
        for bad in ["example.com", "mailto:a", "javascript:alert(1)", "mailto:a@b c", "https://"] {
            refused("contact-uri", bad);
        }
        assert!(
            refused("room-alias", "#a").contains("#a:example.com")
                && refused("room-alias", "a:example.com").contains('#')
                && !refused("room-alias", "#:x").is_empty()
        );
        for bad in ["image/*", "png", "image/PNG", "image/png; q=1"] {
            refused("media-type", bad);
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
