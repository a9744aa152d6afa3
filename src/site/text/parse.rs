//! The parsers of [`super`]: each takes a text and says what is wrong with it, without what would be right, which its type says.

use std::net::{IpAddr, Ipv6Addr};

type Parsed = Result<(), String>;

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

// Synapse 1.163, config/_base.py: Config.size and Config.duration.
pub(super) fn size(text: &str) -> Result<u64, String> {
    scaled(text, &[('K', 1 << 10), ('M', 1 << 20), ('G', 1 << 30), ('T', 1 << 40)])
}

pub(super) fn duration(text: &str) -> Result<u64, String> {
    const SECOND: u64 = 1000;
    const DAY: u64 = 24 * 3600 * SECOND;
    scaled(text, &[('s', SECOND), ('m', 60 * SECOND), ('h', 3600 * SECOND), ('d', DAY), ('w', 7 * DAY), ('y', 365 * DAY)])
}

/// As `shared_buffers` is written, in blocks of 8 KiB; the least and the most are those of `pg_settings`.
pub(super) fn postgres_memory(text: &str) -> Parsed {
    const BLOCKS: std::ops::RangeInclusive<f64> = 16.0..=1_073_741_823.0;
    let blocks = super::amount::read(text, super::amount::Unit::named("8kB")).map_err(|(why, _)| why)?;
    if BLOCKS.contains(&blocks.round()) { Ok(()) } else { Err(format!("{text:?} is less than 128kB or more than 8TB")) }
}

pub(super) fn service_host(text: &str) -> Parsed {
    host_name(&text.replace('_', "x")).map_err(|_| host_name(text).err().unwrap_or_default())
}

pub(super) fn host_name(text: &str) -> Parsed {
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

fn port_number(text: &str) -> Parsed {
    match text.parse::<u16>() {
        Ok(port) if port > 0 && !text.starts_with('+') => Ok(()),
        _ => Err(format!("{text:?} is no port from 1 to 65535")),
    }
}

pub(super) fn host_port(text: &str) -> Parsed {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or_else(|| format!("{text:?} lacks the closing bracket of its IPv6 address"))?;
        address.parse::<Ipv6Addr>().map_err(|_| format!("{address:?} is no IPv6 address"))?;
        return match port.strip_prefix(':') {
            Some(port) => port_number(port),
            None if port.is_empty() => Ok(()),
            None => Err(format!("{text:?} has something after the closing bracket that is not a port")),
        };
    }
    match text.split_once(':') {
        Some((host, port)) => host_name(host).and_then(|()| port_number(port)),
        None => host_name(text),
    }
}

pub(super) fn server_name(text: &str) -> Parsed {
    if let Some((scheme, _)) = text.split_once("://") {
        return Err(format!("{text:?} begins with {scheme}://, a server name has no scheme"));
    }
    if text.contains('/') {
        return Err(format!("{text:?} has a path, a server name has none"));
    }
    if text.len() > 230 {
        return Err(format!("{text:?} has more than 230 characters"));
    }
    host_port(text)
}

fn after_scheme<'a>(text: &'a str, schemes: &[&str]) -> Result<&'a str, String> {
    schemes.iter().find_map(|scheme| text.strip_prefix(scheme)).ok_or_else(|| format!("{text:?} does not begin with {}", schemes.join(" or ")))
}

pub(super) fn base_url(text: &str) -> Parsed {
    let rest = after_scheme(text, &["https://", "http://"])?;
    if let Some(bad) = rest.chars().find(|c| matches!(c, '?' | '#' | '@' | '\\' | '"' | '\'' | ';' | '{' | '}' | '$') || c.is_whitespace() || c.is_control()) {
        return Err(format!("{text:?} has the character {bad:?}"));
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if !path.is_empty() {
        return Err(format!("{text:?} has a path; the gateway serves Matrix at the root of its host name"));
    }
    host_port(authority)
}

pub(super) fn provider_id(text: &str) -> Parsed {
    if text.is_empty() || text.len() > 250 {
        return Err(format!("{text:?} has {} characters", text.len()));
    }
    match text.chars().find(|c| !(c.is_ascii_alphanumeric() || "._~-".contains(*c))) {
        Some(bad) => Err(format!("{text:?} has the character {bad:?}")),
        None => Ok(()),
    }
}

pub(super) fn scope(text: &str) -> Parsed {
    // A list that is written as one text is none to Synapse: it does not find "openid" in it.
    if text.contains(' ') && !text.trim().is_empty() {
        return Err(format!("{text:?} has a blank; write [{}]", text.split_whitespace().collect::<Vec<_>>().join(", ")));
    }
    match text.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '"' | '\\')) {
        Some(bad) => Err(format!("{text:?} has the character {bad:?}")),
        None if text.is_empty() => Err("is empty".to_owned()),
        None => Ok(()),
    }
}

pub(super) fn ldap_uri(text: &str) -> Parsed {
    let rest = after_scheme(text, &["ldaps://", "ldap://"])?;
    host_port(rest.strip_suffix('/').unwrap_or(rest))
}

pub(super) fn address(text: &str) -> Parsed {
    text.parse::<IpAddr>().map(drop).map_err(|_| format!("{text:?} is no IP address"))
}

pub(super) fn ipv4_address(text: &str) -> Parsed {
    match text.parse() {
        Ok(IpAddr::V4(_)) => Ok(()),
        Ok(IpAddr::V6(_)) => Err(format!("{text:?} is an IPv6 address, which no container of the relay has")),
        Err(_) => Err(format!("{text:?} is no IP address")),
    }
}

pub(super) fn cidr(text: &str) -> Parsed {
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

/// Whether a network is of IPv4, its bits from the left, and how many of them count.
pub(super) fn network(text: &str) -> Option<(bool, u128, u32)> {
    let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let (v4, bits, most) = match address.parse().ok()? {
        IpAddr::V4(v4) => (true, u128::from(u32::from(v4)) << 96, 32),
        IpAddr::V6(v6) => (false, u128::from(v6), 128),
    };
    let length = prefix.map_or(Some(most), |prefix| prefix.parse().ok()).filter(|length| *length <= most)?;
    Some((v4, bits, length))
}

pub(super) fn localpart(text: &str) -> Parsed {
    if text.is_empty() || text.len() > 200 {
        return Err(format!("{text:?} has {} characters, a localpart has 1 to 200", text.len()));
    }
    if text.starts_with('@') || text.contains(':') {
        // Behind the colon of a text that does not begin as a Matrix ID may be a password.
        let user = text.split_once(':').filter(|_| !text.starts_with('@')).map(|(user, _)| format!("{user}:…"));
        let shown = user.as_deref().unwrap_or(text);
        return Err(format!("{shown:?} looks like a whole Matrix ID; write only the part between @ and the colon"));
    }
    if text.starts_with('_') {
        return Err(format!("{text:?} begins with an underscore, which Synapse keeps for application services"));
    }
    match text.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || "._=-/+".contains(*c))) {
        Some(bad) => Err(format!("{text:?} has the character {bad:?}")),
        None => Ok(()),
    }
}

pub(super) fn room_id(text: &str) -> Parsed {
    let opaque = text.strip_prefix('!').ok_or_else(|| format!("{text:?} does not begin with !"))?;
    if opaque.is_empty() {
        return Err(format!("{text:?} has nothing after its !"));
    }
    match opaque.chars().find(|c| c.is_whitespace() || c.is_control()) {
        Some(bad) => Err(format!("{text:?} has the character {bad:?}")),
        None => Ok(()),
    }
}

pub(super) fn line(text: &str) -> Parsed {
    if text.is_empty() {
        return Err("the text is empty".to_owned());
    }
    match text.chars().find(|c| c.is_control()) {
        Some(bad) => Err(format!("{text:?} has the control character {bad:?}")),
        None => Ok(()),
    }
}

pub(super) fn text(text: &str) -> Parsed {
    if text.trim().is_empty() {
        return Err("the text is empty".to_owned());
    }
    match text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        Some(bad) => Err(format!("the text has the control character {bad:?}")),
        None => Ok(()),
    }
}

pub(super) fn http_url(text: &str) -> Parsed {
    let rest = after_scheme(text, &["https://", "http://"])?;
    if let Some(bad) = rest.chars().find(|c| matches!(c, '\\' | '"' | '<' | '>' | '`' | '{' | '}') || c.is_whitespace() || c.is_control()) {
        return Err(format!("{text:?} has the character {bad:?}"));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(format!("{text:?} has a user before its host name"));
    }
    host_port(authority)
}

pub(super) fn client_url(text: &str) -> Parsed {
    line(text)?;
    if let Some(bad) = text.chars().find(|c| c.is_whitespace()) {
        return Err(format!("{text:?} has the character {bad:?}"));
    }
    match text.split_once(':') {
        Some((scheme, _)) if ["https", "http"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => http_url(text),
        // `app.example.com:8443` is a host and a port, though its form is that of a scheme.
        Some((scheme, rest)) if is_scheme(scheme) && !rest.starts_with(|c: char| c.is_ascii_digit()) => Ok(()),
        _ => Err(format!("{text:?} has no scheme")),
    }
}

/// RFC 3986, section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// An address is `local@domain`; quoted local parts and comments are left out, no mail server hands out such.
pub(super) fn mail_sender(text: &str) -> Parsed {
    line(text)?;
    let address = match text.strip_suffix('>') {
        Some(named) => named.rsplit_once('<').ok_or_else(|| format!("{text:?} has no < before its address"))?.1,
        None => text,
    };
    let (local, domain) = address.rsplit_once('@').ok_or_else(|| format!("{text:?} has no address with an @"))?;
    let good = |c: char| c.is_ascii_alphanumeric() || "!#$&'*+-/=?^_`{|}~.".contains(c);
    if local.is_empty() || !local.chars().all(good) || local.starts_with('.') || local.ends_with('.') || local.contains("..") {
        return Err(format!("{local:?} in {text:?} is no part of an e-mail address"));
    }
    host_name(&domain.to_ascii_lowercase())?;
    // Synapse fills the name in with Python's % operator when it sends, where every other mark ends in an exception.
    let name = text.replace("%(app)s", "");
    if name.contains('%') {
        return Err(format!("{text:?} has a % that is not part of %(app)s"));
    }
    Ok(())
}

pub(super) fn mxc_uri(text: &str) -> Parsed {
    let (server, media) = after_scheme(text, &["mxc://"])?.split_once('/').ok_or_else(|| format!("{text:?} has no media ID after its server"))?;
    server_name(server)?;
    if media.is_empty() || !media.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)) {
        return Err(format!("{media:?} in {text:?} is no media ID: letters, digits, _ and -"));
    }
    Ok(())
}

pub(super) fn policy_version(text: &str) -> Parsed {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if text.is_empty() || text.len() > 64 || !text.bytes().all(good) || text.starts_with(['.', '-']) {
        return Err(format!("{text:?} is no name of a version"));
    }
    if text == "success" {
        return Err("\"success\" is the name of the page that thanks for the consent".to_owned());
    }
    Ok(())
}

pub(super) fn sha256(text: &str) -> Parsed {
    let good = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if good { Ok(()) } else { Err(format!("{text:?} is no SHA-256 hash")) }
}

pub(super) fn language(text: &str) -> Parsed {
    let mut parts = text.split('-');
    let first = parts.next().is_some_and(|part| (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic()));
    if first && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
        return Ok(());
    }
    Err(format!("{text:?} is no language tag"))
}

pub(super) fn file_path(text: &str) -> Parsed {
    line(text)
}

pub(super) fn repository(text: &str) -> Parsed {
    let mut parts = text.split('/');
    let registry = parts.next().unwrap_or_default();
    host_port(registry)?;
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

pub(super) fn project_name(text: &str) -> Parsed {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    if text.len() > 40 {
        return Err(format!("{text:?} has {} characters", text.len()));
    }
    if !text.bytes().all(good) || !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(format!("{text:?} is no name of a Compose project"));
    }
    Ok(())
}

pub(super) fn image_reference(text: &str) -> Parsed {
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (text, None),
    };
    if let Some(digest) = digest {
        let hex = digest.strip_prefix("sha256:").unwrap_or_default();
        if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
            return Err(format!("{text:?} has a digest that is not sha256: and 64 hexadecimal digits"));
        }
    }
    let at = name.rfind('/').map_or(0, |slash| slash + 1);
    let (path, tag) = match name[at..].split_once(':') {
        Some((last, tag)) => (&name[..at + last.len()], Some(tag)),
        None => (name, None),
    };
    let good = |tag: &str| {
        !tag.is_empty() && tag.len() <= 128 && !tag.starts_with(['.', '-']) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    match tag {
        Some(tag) if !good(tag) => return Err(format!("{text:?} has the tag {tag:?}, which is not made of letters, digits and ._-")),
        None if digest.is_none() => return Err(format!("{text:?} has neither a tag nor a digest, so nobody knows what will run")),
        _ => {}
    }
    let registry = path.split('/').next().unwrap_or_default();
    if !registry.contains(['.', ':']) && registry != "localhost" {
        return Err(format!("{text:?} does not begin with a registry"));
    }
    repository(path)
}

pub(super) fn turn_uri(text: &str) -> Parsed {
    let rest = after_scheme(text, &["turns:", "turn:"])?;
    let (host, query) = match rest.split_once('?') {
        Some((host, query)) => (host, Some(query)),
        None => (rest, None),
    };
    match query {
        None | Some("transport=udp" | "transport=tcp") => host_port(host),
        Some(other) => Err(format!("{text:?} ends in {other:?}, only transport=udp and transport=tcp are known")),
    }
}

pub(super) fn contact_uri(text: &str) -> Parsed {
    line(text)?;
    if let Some(bad) = text.chars().find(|c| c.is_whitespace()) {
        return Err(format!("{text:?} has the character {bad:?}"));
    }
    match text.split_once(':') {
        Some(("mailto", address)) => mail_address(address),
        Some(("https" | "http", _)) => http_url(text),
        Some(("matrix" | "tel", rest)) if !rest.is_empty() => Ok(()),
        _ if text.contains('@') && mail_address(text).is_ok() => Err(format!("{text:?} is an address without a scheme: write \"mailto:{text}\"")),
        _ => Err(format!("{text:?} has no scheme that a client could open")),
    }
}

fn mail_address(text: &str) -> Parsed {
    match text.rsplit_once('@') {
        Some((name, host)) if !name.is_empty() && !name.contains(['@', ' ', ':']) => host_name(&host.to_ascii_lowercase()),
        _ => Err(format!("{text:?} is no e-mail address")),
    }
}

// Synapse 1.163, types/__init__.py: DomainSpecificString.is_valid.
pub(super) fn room_alias(text: &str) -> Parsed {
    line(text)?;
    let Some(rest) = text.strip_prefix('#') else { return Err(format!("{text:?} does not begin with #")) };
    match rest.split_once(':') {
        Some((name, server)) if !name.is_empty() && text.len() <= 255 => server_name(server),
        Some((_, _)) => Err(format!("{text:?} has no name, or more than 255 bytes")),
        None => Err(format!("{text:?} names no server; write \"{text}:example.com\" with your server's name")),
    }
}

pub(super) fn media_type(text: &str) -> Parsed {
    let good = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$&-^_.+".contains(&byte));
    match text.split_once('/') {
        Some((kind, subtype)) if good(kind) && good(subtype) => Ok(()),
        Some((_, "*")) => Err(format!("{text:?} has a star, and Synapse compares media types as they are")),
        _ => Err(format!("{text:?} is not two lower-case words with a slash between them")),
    }
}

pub(crate) fn split_port(text: &str) -> (&str, Option<u16>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') && (!host.contains(':') || host.ends_with(']')) => (host, port.parse().ok()),
        _ => (text, None),
    }
}
