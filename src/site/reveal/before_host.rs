//! A password that stands before a host without a scheme, `user:password@mail.example.org`. Whoever writes that at an option writes it at
//! any: at every one, what is between the colon and the `@` is the password. A Matrix ID and an e-mail address have not that form.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// The passwords before hosts in a value. Anything but a space may be in one.
pub fn passwords(value: &str) -> impl Iterator<Item = &str> {
    static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"([^\s:]*):(\S+)@(\S*)").expect("an expression"));
    WORD.captures_iter(value).filter(is_password).filter_map(|found| found.get(2)).map(|password| password.as_str())
}

/// Whether a value has a password before a host.
pub fn has_password_before_host(value: &str) -> bool {
    passwords(value).next().is_some()
}

/// A message without passwords before hosts. It quotes values, so that a quotation mark ends a word.
pub fn without_passwords(message: &str) -> Cow<'_, str> {
    static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"([^\s"'`:]*):([^\s"'`]+)@([^\s"'`]*)"#).expect("an expression"));
    WORD.replace_all(message, |found: &Captures<'_>| if is_password(found) { format!("{}:…@{}", &found[1], &found[3]) } else { found[0].to_owned() })
}

/// Whether what stands between a colon and an `@` is a password: not in an address with a scheme, in which others look for it, nor in a
/// list of Matrix IDs, nor if it is the tag of an image.
fn is_password(found: &Captures<'_>) -> bool {
    let (before, within, after) = (&found[1], &found[2], &found[3]);
    let scheme = before.trim_start_matches(|c: char| !c.is_alphanumeric());
    let is_address = within.starts_with("//") || scheme.eq_ignore_ascii_case("mailto") && !within.contains(':');
    let is_id = before.rsplit_once('@').is_some_and(|(head, _)| !head.ends_with(char::is_alphanumeric));
    let is_list = is_id && within.ends_with([',', ';', '|', '/', '(', '[', '{', '"', '\'']);
    let digest = after.strip_prefix("sha256:").and_then(|digest| digest.get(..64));
    let is_tag = digest.is_some_and(|digest| digest.bytes().all(|byte| byte.is_ascii_hexdigit())) && !within.contains('@');
    !(is_address || is_list || is_tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_a_colon_and_a_host_is_hidden() {
        for (text, shown) in [
            ("user:hunter2@mail.example.org", "user:…@mail.example.org"),
            ("found \"user:S0mmer!23@h\", say", "found \"user:…@h\", say"),
            ("a@example.org:p@ss:w@h:587", "a@example.org:…@h:587"),
            (":hunter2@redis", ":…@redis"),
            ("mailto:user:hunter2@h", "mailto:…@h"),
            ("@user:hunter2@h", "@user:…@h"),
        ] {
            assert_eq!(without_passwords(text), shown);
            assert!(has_password_before_host(text), "{text}");
        }
        assert_eq!(passwords("user:a'b\"c@h").collect::<Vec<_>>(), ["a'b\"c"]);
    }

    #[test]
    fn matrix_ids_and_addresses_stay() {
        let digest = format!("registry.example.org:5000/a:v1@sha256:{}", "0a".repeat(32));
        for text in [
            "@user:example.com",
            "a@example.com",
            "mail.example.com:587",
            "a@example.com:587",
            "mailto:a@example.com",
            "@a:example.com,@b:example.com",
            "(@a:x|@b:y)",
            "A: <a@example.com>",
            "https://example.com:8448/@a",
            "https://matrix.to/#/@user:server",
            &digest,
        ] {
            assert_eq!(without_passwords(text), text);
            assert!(!has_password_before_host(text), "{text}");
        }
    }
}
