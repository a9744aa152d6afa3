//! What a person meant who wrote a text that a format does not take: the same text in its form, where only one can be meant.

use super::{Scale, check_format};

/// The text that was meant, in its right form; none when it cannot be guessed.
pub fn meant(format: &str, text: &str) -> Option<String> {
    if let Some(scale) = Scale::of_format(format) {
        return scale.meant(text);
    }
    let trimmed = text.trim();
    let lower = trimmed.to_lowercase();
    let host = host(&lower);
    let candidates: Vec<String> = match format {
        "server-name" | "host-name" | "service-host" => vec![lower.clone(), host.to_owned(), without_port(host).to_owned()],
        "client-url" if trimmed.contains("://") && !lower.starts_with("http") => vec![trimmed.to_owned()],
        "base-url" | "http-url" | "client-url" => {
            let scheme = if lower.starts_with("http://") { "http" } else { "https" };
            vec![trimmed.to_owned(), lower.clone(), format!("{scheme}://{host}/")]
        }
        "localpart" => vec![lower.clone(), lower.trim_start_matches('@').split(':').next().unwrap_or_default().to_owned()],
        "media-type" | "language" | "sha256" => vec![lower.clone()],
        "postgres-memory" => ["B", "kB", "MB", "GB", "TB"]
            .map(|unit| format!("{}{unit}", lower.trim_end_matches(|c: char| !c.is_ascii_digit())))
            .into_iter()
            .filter(|candidate| candidate.to_lowercase().trim_end_matches('b') == lower.replace(' ', "").trim_end_matches('b'))
            .collect(),
        // A text that is only text says nothing about what was meant.
        "line" | "text" | "file" | "directory" => Vec::new(),
        _ => vec![trimmed.to_owned()],
    };
    candidates.into_iter().find(|candidate| candidate != text && check_format(format, candidate).is_ok())
}

/// The port that somebody wrote behind a host.
pub fn port(text: &str) -> Option<u16> {
    host(text).split_once(':')?.1.parse().ok().filter(|port| *port > 0)
}

/// What stands between the scheme of an address and its path, without the user before it.
fn host(text: &str) -> &str {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    // Without a scheme, what is before an `@` may be a password with any sign in it.
    let rest = if rest == text && text.contains(':') { behind_user(text) } else { rest };
    behind_user(rest.split(['/', '?', '#']).next().unwrap_or_default())
}

fn behind_user(text: &str) -> &str {
    text.rsplit_once('@').map_or(text, |(_, behind)| behind)
}

fn without_port(host: &str) -> &str {
    host.split_once(':').map_or(host, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_can_be_meant_or_none() {
        for (format, text, expected) in [
            ("size", "50MB", "50M"),
            ("duration", "1.5h", "90m"),
            ("server-name", "https://Example.com/", "example.com"),
            ("host-name", "turn.example.com:3478", "turn.example.com"),
            ("host-name", "user:word@mail.example.org:587", "mail.example.org"),
            ("host-name", "user@mail.example.org", "mail.example.org"),
            ("host-name", "user:a/b@mail.example.org", "mail.example.org"),
            ("host-name", "https://example.com/@alice", "example.com"),
            ("base-url", "matrix.example.com", "https://matrix.example.com/"),
            ("base-url", "http://matrix.example.com/_matrix", "http://matrix.example.com/"),
            ("localpart", "@Alice:example.com", "alice"),
            ("cidr", " 10.0.0.0/8", "10.0.0.0/8"),
        ] {
            assert_eq!(meant(format, text).as_deref(), Some(expected), "{text}");
        }
        for (format, text) in [("size", "much"), ("server-name", "exa_mple.com"), ("localpart", "a b"), ("cidr", "10.0.0.1/8"), ("text", " ")] {
            assert_eq!(meant(format, text), None, "{text}");
        }
    }
}
