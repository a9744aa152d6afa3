//! SCRAM-SHA-256 verifiers as PostgreSQL stores them (RFC 5802 section 3, RFC 7677; `pg_authid.rolpassword`). A verifier
//! proves that somebody knows a password and does not contain it, so it may be sent to the server and kept on the volume.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

/// PostgreSQL's default, `SCRAM_SHA_256_DEFAULT_ITERATIONS`.
pub const ITERATIONS: u32 = 4096;
/// PostgreSQL's `SCRAM_DEFAULT_SALT_LEN`.
pub const SALT_BYTES: usize = 16;

/// The verifier of a password. PostgreSQL prepares passwords with SASLprep first; for printable ASCII that changes nothing,
/// and the caller admits nothing else.
pub fn verifier(password: &str, salt: &[u8], iterations: u32) -> String {
    let salted = salted_password(password.as_bytes(), salt, iterations);
    let stored_key = Sha256::digest(mac(&salted, &[b"Client Key"]));
    let server_key = mac(&salted, &[b"Server Key"]);
    let [salt, stored_key, server_key] = [salt, stored_key.as_slice(), &server_key].map(|bytes| STANDARD.encode(bytes));
    format!("SCRAM-SHA-256${iterations}:{salt}${stored_key}:{server_key}")
}

/// Whether a verifier was made from this password. One that cannot be read was not.
pub fn matches(verifier_text: &str, password: &str) -> bool {
    let parts = || {
        let rest = verifier_text.strip_prefix("SCRAM-SHA-256$")?;
        let (iterations, rest) = rest.split_once(':')?;
        let (salt, _) = rest.split_once('$')?;
        Some((iterations.parse().ok()?, STANDARD.decode(salt).ok()?))
    };
    // No timing to hide: whoever can start this program can read the password itself.
    parts().is_some_and(|(iterations, salt)| verifier(password, &salt, iterations) == verifier_text)
}

/// What a client sends to show that it knows the password, in base64: `ClientProof` of RFC 5802, section 3.
pub fn proof(password: &str, salt: &[u8], iterations: u32, auth_message: &str) -> String {
    let client_key = mac(&salted_password(password.as_bytes(), salt, iterations), &[b"Client Key"]);
    let signature = mac(&Sha256::digest(client_key), &[auth_message.as_bytes()]);
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
    STANDARD.encode(proof)
}

/// What a server shows in turn, in base64: `ServerSignature` of RFC 5802, section 3.
pub fn server_signature(password: &str, salt: &[u8], iterations: u32, auth_message: &str) -> String {
    let server_key = mac(&salted_password(password.as_bytes(), salt, iterations), &[b"Server Key"]);
    STANDARD.encode(mac(&server_key, &[auth_message.as_bytes()]))
}

/// `Hi` of RFC 5802, which is PBKDF2 with one block.
fn salted_password(password: &[u8], salt: &[u8], iterations: u32) -> [u8; 32] {
    let mut last = mac(password, &[salt, &1_u32.to_be_bytes()]);
    let mut sum = last;
    for _ in 1..iterations {
        last = mac(password, &[&last]);
        sum.iter_mut().zip(last).for_each(|(sum, byte)| *sum ^= byte);
    }
    sum
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as hmac::Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_example_of_rfc_7677() {
        // RFC 7677 section 3: password `pencil`, salt W22ZaJ0SNY7soEsUEjb6gQ==; the server's signature over the exchange's
        // AuthMessage comes from the ServerKey, the client's proof from the StoredKey.
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let text = verifier("pencil", &salt, 4096);
        let (_, keys) = text.rsplit_once('$').unwrap();
        let (stored, server) = keys.split_once(':').unwrap();
        let auth_message: &[u8] = b"n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
            s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let signature = mac(&STANDARD.decode(server).unwrap(), &[auth_message]);
        assert_eq!(STANDARD.encode(signature), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        let proof = STANDARD.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap();
        let client_signature = mac(&STANDARD.decode(stored).unwrap(), &[auth_message]);
        let client_key: Vec<u8> = proof.iter().zip(client_signature).map(|(a, b)| a ^ b).collect();
        assert_eq!(STANDARD.encode(Sha256::digest(client_key)), stored);
        let message = std::str::from_utf8(auth_message).unwrap();
        assert_eq!(super::proof("pencil", &salt, 4096, message), "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        assert_eq!(server_signature("pencil", &salt, 4096, message), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn only_the_right_password_matches() {
        let text = verifier("pencil", &[7; SALT_BYTES], ITERATIONS);
        assert!(matches(&text, "pencil"));
        assert!(!matches(&text, "pencil2") && !matches("", "pencil") && !matches("SCRAM-SHA-256$x:y$z", "pencil"));
        assert!(!text.contains("pencil"));
    }
}
