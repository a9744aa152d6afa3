//! New secret values from the operating system's random numbers: one function for each kind that a program can make.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::signing_key::{SEED_BYTES, SigningKey};
use crate::error::{Error, Result};

/// Letters and digits that people do not mistake for each other: no `0 O o`, no `1 I l`.
const PASSWORD_ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// 20 of 56 characters are 116 bits.
const PASSWORD_LENGTH: usize = 20;
/// signedjson gives its keys a version of `a_` and four letters.
const KEY_VERSION_ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// 32 random bytes as 64 hexadecimal digits.
pub fn hexadecimal() -> Result<String> {
    let mut bytes = [0; 32];
    fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A password for a person to type, with a small letter, a capital and a digit, so that a usual password policy accepts it.
pub fn password() -> Result<String> {
    loop {
        let candidate = characters(PASSWORD_ALPHABET, PASSWORD_LENGTH)?;
        let has = |class: fn(char) -> bool| candidate.chars().any(class);
        if has(|c| c.is_ascii_lowercase()) && has(|c| c.is_ascii_uppercase()) && has(|c| c.is_ascii_digit()) {
            return Ok(candidate);
        }
    }
}

/// A signing key of its own, with a version that tells it from earlier keys of the site.
pub fn signing_key() -> Result<SigningKey> {
    let mut seed = [0; SEED_BYTES];
    fill(&mut seed)?;
    Ok(SigningKey { version: format!("a_{}", characters(KEY_VERSION_ALPHABET, 4)?), seed })
}

/// Random bytes in base64, for a password that nobody is to know.
pub fn unknown_password() -> Result<String> {
    let mut bytes = [0; 48];
    fill(&mut bytes)?;
    Ok(STANDARD_NO_PAD.encode(bytes))
}

/// So many characters, each equally likely.
pub fn characters(alphabet: &[u8], length: usize) -> Result<String> {
    // Bytes from the largest multiple of the alphabet's length upwards are drawn again: a plain remainder would favour
    // the first characters.
    let limit = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut bytes = [0; 32];
        fill(&mut bytes)?;
        let usable = bytes.iter().map(|byte| usize::from(*byte)).filter(|value| *value < limit);
        text.extend(usable.take(length - text.len()).map(|value| char::from(alphabet[value % alphabet.len()])));
    }
    Ok(text)
}

fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|error| {
        Error::environment(format!("the operating system gives no random numbers: {error}"), "allow the getrandom system call or make /dev/urandom readable")
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn values_have_the_promised_form_and_differ() {
        let (a, b) = (hexadecimal().unwrap(), hexadecimal().unwrap());
        assert!(a.len() == 64 && a.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')), "{a}");
        assert_ne!(a, b);
        let (a, b) = (password().unwrap(), password().unwrap());
        assert!(a.len() == 20 && a.bytes().all(|c| PASSWORD_ALPHABET.contains(&c)), "{a}");
        assert_ne!(a, b);
        let key = signing_key().unwrap();
        assert_eq!(SigningKey::parse_file(&key.to_line()).unwrap(), vec![key]);
        assert_ne!(unknown_password().unwrap(), unknown_password().unwrap());
    }

    #[test]
    fn every_character_of_the_alphabet_is_equally_likely() {
        let mut counts: BTreeMap<char, u32> = BTreeMap::new();
        for c in characters(PASSWORD_ALPHABET, 56_000).unwrap().chars() {
            *counts.entry(c).or_default() += 1;
        }
        assert_eq!(counts.len(), PASSWORD_ALPHABET.len());
        // 1000 expected each, standard deviation 31. A remainder of 256 by 56 would give the first 32 characters 1094 and
        // the others 875, seven deviations off on their sum.
        let first: u32 = PASSWORD_ALPHABET[..32].iter().map(|c| counts[&char::from(*c)]).sum();
        assert!((31_000..33_000).contains(&first), "{first} of 56000 fall on the first 32 characters");
    }
}
