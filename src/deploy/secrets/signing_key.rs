//! Synapse's signing key file: one key a line, `ed25519 a_XXXX BASE64`, as the signedjson library writes and reads it.
//! Takes text and gives keys, and the other way round; the first key of a file is the one that Synapse signs with.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Bytes of an ed25519 seed (RFC 8032, 5.1.5).
pub const SEED_BYTES: usize = 32;

/// The unpadded base64 of the Matrix specification (appendices, "Unpadded Base64"); padding is accepted when reading,
/// since signedjson accepts it too.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// One ed25519 signing key.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// The part after `ed25519:` in the key's identifier, such as `a_AbCd`.
    pub version: String,
    /// The private seed.
    pub seed: [u8; SEED_BYTES],
}

/// The seed stays out of every message.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// The key's identifier, as it stands in `old_signing_keys` and in signatures: `ed25519:a_AbCd`.
    pub fn id(&self) -> String {
        format!("ed25519:{}", self.version)
    }

    /// The key as one line of a signing key file, with its line end.
    pub fn to_line(&self) -> String {
        format!("ed25519 {} {}\n", self.version, BASE64.encode(self.seed))
    }

    /// Reads a signing key file. The error says what is wrong and in which line, never what stands there.
    pub fn parse_file(text: &str) -> Result<Vec<Self>, String> {
        let mut keys = Vec::new();
        for (number, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            keys.push(Self::parse_line(line).map_err(|problem| format!("line {}: {problem}", number + 1))?);
        }
        if keys.is_empty() { Err("it holds no key".into()) } else { Ok(keys) }
    }

    fn parse_line(line: &str) -> Result<Self, String> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [algorithm, version, seed] = fields[..] else {
            return Err(format!("{} fields where three are needed (`ed25519`, the key's version, the key in base64)", fields.len()));
        };
        if algorithm != "ed25519" {
            return Err("the first field is not `ed25519`, the only algorithm that Synapse signs with".into());
        }
        if version.is_empty() || !version.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err("the key's version may hold letters, digits and `_` only".into());
        }
        let bytes = BASE64.decode(seed).map_err(|_| "the third field is not base64".to_owned())?;
        let found = bytes.len();
        let seed = bytes.try_into().map_err(|_| format!("the key has {found} bytes where {SEED_BYTES} are needed"))?;
        Ok(Self { version: version.to_owned(), seed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // signedjson 1.1.4 wrote this line: `write_signing_keys(f, [generate_signing_key("a_Test")])` with the seed 00..1f.
    const LINE: &str = "ed25519 a_Test AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n";

    #[test]
    fn reads_and_writes_what_signedjson_writes() {
        let keys = SigningKey::parse_file(LINE).unwrap();
        assert_eq!(keys.len(), 1);
        assert_eq!(keys[0].id(), "ed25519:a_Test");
        assert_eq!(keys[0].seed.to_vec(), (0..32).collect::<Vec<u8>>());
        assert_eq!(keys[0].to_line(), LINE);
    }

    #[test]
    fn the_first_key_of_several_comes_first() {
        let two = format!("{LINE}\n{}", LINE.replace("a_Test", "a_Old"));
        let ids: Vec<String> = SigningKey::parse_file(&two).unwrap().iter().map(SigningKey::id).collect();
        assert_eq!(ids, ["ed25519:a_Test", "ed25519:a_Old"]);
    }

    #[test]
    fn a_damaged_file_is_refused_without_showing_it() {
        for (text, expected) in [
            ("", "no key"),
            ("\n\n", "no key"),
            ("ed25519 a_Test", "2 fields"),
            ("rsa a_Test AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "first field"),
            ("ed25519 a:Test AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "version"),
            ("ed25519 a_Test AAECAwQFBgcICQoL", "12 bytes"),
            ("ed25519 a_Test AAEC!wQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "not base64"),
        ] {
            let problem = SigningKey::parse_file(text).unwrap_err();
            assert!(problem.contains(expected), "{text:?}: {problem}");
            assert!(!problem.contains("AAEC"), "the message shows the key: {problem}");
        }
    }

    #[test]
    fn debug_output_hides_the_seed() {
        let shown = format!("{:?}", SigningKey::parse_file(LINE).unwrap());
        assert!(shown.contains("ed25519:a_Test") && !shown.contains("AAEC") && !shown.contains("31"), "{shown}");
    }
}
