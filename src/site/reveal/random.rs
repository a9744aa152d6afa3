//! What looks like a secret wherever it stands: a word that nobody made up by hand, and the parts
//! of an address that carry one.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::before_host::without_passwords;

/// The shortest word that is looked at, in letters and digits. What is shorter may be a version or
/// a size.
const SHORTEST: usize = 8;

/// The shortest number that is no amount but a password, or as long as one.
const LONGEST_NUMBER: usize = 11;

/// Whether a word, of letters, digits, hyphens and underscores, looks as if a machine had made it:
/// it changes between letters and digits, or between small letters and capitals, as no name does.
pub fn is_random(word: &str) -> bool {
    let length = word.bytes().filter(u8::is_ascii_alphanumeric).count();
    if length < SHORTEST || is_amount(word) {
        return false;
    }
    let parts = || word.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    let changes: usize = parts().map(changes).sum();
    let has = |of: fn(&u8) -> bool| word.bytes().any(|byte| of(&byte));
    let is_mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit);
    changes >= 3 && changes * 8 >= length
        || changes >= 1 && is_mixed
        || parts().any(|part| part.len() >= 16 && self::changes(part) >= 2)
        || parts().any(|part| part.len() > LONGEST_NUMBER && part.bytes().all(|byte| byte.is_ascii_digit()))
        || parts().any(|part| part.len() >= SHORTEST && longest_without_vowel(part) >= 6)
}

/// How often a word changes as no name does. A name may be written with capitals in it (`smtpHost`,
/// `baseURL`) and end with a number.
fn changes(part: &str) -> usize {
    let bytes = part.as_bytes();
    let all = |from: usize, of: fn(&u8) -> bool| bytes[from..].iter().all(of);
    let is_change = |at: usize| {
        let (before, here) = (bytes[at - 1], bytes[at]);
        if before.is_ascii_digit() != here.is_ascii_digit() {
            return !(here.is_ascii_digit() && at >= 4 && all(at, u8::is_ascii_digit));
        }
        let begins_word = bytes.get(at + 1..at + 3).is_some_and(|next| next.iter().all(u8::is_ascii_lowercase));
        before.is_ascii_lowercase() && here.is_ascii_uppercase() && !begins_word && !all(at, u8::is_ascii_uppercase)
    };
    let capital_at_end = bytes.len() > 1 && bytes[bytes.len() - 1].is_ascii_uppercase() && bytes[bytes.len() - 2].is_ascii_lowercase();
    (1..bytes.len()).filter(|at| is_change(*at)).count() + usize::from(capital_at_end)
}

fn longest_without_vowel(part: &str) -> usize {
    let is_vowel = |byte: u8| !byte.is_ascii_alphabetic() || b"aeiouyAEIOUY".contains(&byte);
    part.as_bytes().split(|byte| is_vowel(*byte)).map(<[u8]>::len).max().unwrap_or_default()
}

/// `1h30m`, `1024MB`: numbers with units.
fn is_amount(word: &str) -> bool {
    static AMOUNT: LazyLock<Regex> = LazyLock::new(|| Regex::new("^(?:[0-9]{1,11}(?:ms|[smhdwy]|[KkMGT]i?B?|B)){1,4}$").expect("an expression"));
    word.len() <= LONGEST_NUMBER + 4 && AMOUNT.is_match(word)
}

/// The words of a text that look random.
pub fn random_words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !is_of_word(c)).filter(|word| is_random(word))
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

/// The parts of addresses in a text that say who asks, and for what: user and password, query, and
/// what follows a number sign.
pub fn carriers(text: &str) -> impl Iterator<Item = &str> {
    ADDRESS.captures_iter(text).flat_map(|found| [1, 2, 3].map(|part| found.get(part))).flatten().map(|part| part.as_str()).filter(|part| part.len() > 1)
}

static ADDRESS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"://([^\s/?#"'`]*@)?[^\s?#"'`]*(\?[^\s#"'`]*)?(#[^\s"'`]*)?"#).expect("an expression"));

/// A text without what looks like a secret in it. Hashes are none: what stands behind `sha256-` and
/// the like, and the names of store paths.
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    static WORD: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(/nix/store/[0-9a-z]{32}-|\bsha(?:1|256|512)[-:][0-9A-Za-z+/=]+)|[0-9A-Za-z_-]{8,}").expect("an expression"));
    let addresses = ADDRESS.replace_all(text, |found: &Captures<'_>| {
        let mut shown = found[0].to_owned();
        for (part, sign) in [(3, "#…"), (2, "?…"), (1, "…@")] {
            if let Some(part) = found.get(part).filter(|part| part.len() > 1) {
                let at = part.start() - found.get(0).map_or(0, |whole| whole.start());
                shown.replace_range(at..at + part.len(), sign);
            }
        }
        shown
    });
    let hidden = |found: &Captures<'_>| {
        let word = &found[0];
        if found.get(1).is_none() && is_random(word) { "…".to_owned() } else { word.to_owned() }
    };
    let addresses = match addresses {
        Cow::Borrowed(text) => without_passwords(text),
        Cow::Owned(text) => Cow::Owned(without_passwords(&text).into_owned()),
    };
    match addresses {
        Cow::Borrowed(text) => WORD.replace_all(text, hidden),
        Cow::Owned(text) => Cow::Owned(WORD.replace_all(&text, hidden).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_machine_made_looks_random() {
        for word in [
            "Zq7Xv9KtWm3Rb8Lp",
            "zq7xv9ktwm3rb8lp",
            "hunter2-Xk9",
            "hunter2-Xk9pQ7",
            "731946280572",
            "QwZkTpXvRbLp",
            "xkqjvbzwmfgh",
            "9f86d081884c7d65",
            "550e8400-e29b-41d4-a716-446655440000",
            "AKIAIOSFODNN7EXAMPLE",
            "syt_YWxpY2U_kQzXvbNmPqWe_1aB2c3",
        ] {
            assert!(is_random(word), "{word}");
        }
    }

    #[test]
    fn names_versions_and_amounts_do_not() {
        for word in [
            "max_upload_size",
            "rc_3pid_validation",
            "msc3861_enabled",
            "experimental_features",
            "LdapAuthProvider",
            "smtpHost",
            "baseURL",
            "HTTPServer",
            "matrix-synapse-ldap3",
            "ed25519",
            "x86_64-linux",
            "stateGroupCache",
            "get_users_in_room",
            "s3_storage_provider",
            "10737418240",
            "1h30m15s",
            "2026-09-28",
            "everything",
            "correspondents",
            "Sommer2024",
            "matrix-example-com",
            "my_module_v2",
            "opt179999",
        ] {
            assert!(!is_random(word), "{word}");
        }
    }

    #[test]
    fn of_a_text_the_rest_stays() {
        for (text, shown) in [
            ("found https://u:p@h.example/x?token=a#b, say", "found https://…@h.example/x?…#…"),
            ("https://h.example/", "https://h.example/"),
            ("the word Zq7Xv9KtWm3Rb8Lp is long", "the word … is long"),
            ("/nix/store/spjcdg6wiyqlnq0nv3ljxyw0c4g0zp2r-source/lib", "/nix/store/spjcdg6wiyqlnq0nv3ljxyw0c4g0zp2r-source/lib"),
            ("got: sha256-AbC1dEf2GhI3jKl4MnO5pQr6StU7vWx8Yz9=", "got: sha256-AbC1dEf2GhI3jKl4MnO5pQr6StU7vWx8Yz9="),
            ("say how many workers", "say how many workers"),
        ] {
            assert_eq!(without_secrets(text).trim_end_matches(", say").trim_end_matches(" say"), shown, "{text}");
        }
    }
}
