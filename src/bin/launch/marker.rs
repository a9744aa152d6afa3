//! What can never change on a site: its name, the pepper of its passwords, and, but for a planned rotation, its signing key.
//! At the first start Synapse's volume gets a marker with salted hashes of them; a later start that contradicts it is
//! refused before Synapse touches the data.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use synapse_site::deploy::secrets::{SigningKey, generate};
use synapse_site::error::{Error, Result};
use synapse_site::files::read as read_file;

use crate::files;
use crate::values::Value;

const FILE: &str = "deployment.json";
const FORMAT: u32 = 1;
/// A hundred times what a marker has.
const MAX_BYTES: u64 = 64 * 1024;

/// What the site says now.
pub struct Site<'a> {
    /// The site's name.
    pub server_name: &'a str,
    /// The content of the signing key file.
    pub signing_key: &'a Value,
    /// That file, for messages.
    pub signing_key_path: &'a Path,
    /// The pepper, when local passwords are in use.
    pub pepper: Option<&'a Value>,
    /// Identifiers of the keys that the site has retired.
    pub old_signing_keys: &'a [String],
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Marker {
    format: u32,
    server_name: String,
    salt: String,
    signing_key: KeyMarker,
    /// None until local passwords are first in use; kept when they no longer are, since their hashes stay.
    pepper_sha256: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyMarker {
    id: String,
    sha256: String,
}

impl Site<'_> {
    /// Compares the site with the marker in `state`, and writes the marker if there is none or it may move on.
    pub fn check(&self, state: &Path) -> Result<()> {
        let keys = SigningKey::parse_file(self.signing_key.expose()).map_err(|problem| {
            Error::refused(
                format!("{} is not a signing key file: {problem}", self.signing_key_path.display()),
                "put the site's own key file back from your copy; Synapse would otherwise make a new key, \
                 which other servers do not trust",
            )
        })?;
        let key = &keys[0];
        files::sweep(state)?;
        let path = state.join(FILE);
        let Some(marker) = read(&path)? else {
            let marker = self.first(key)?;
            return write(&path, &marker);
        };
        let next = self.compare(&marker, key, &path)?;
        if next == marker { Ok(()) } else { write(&path, &next) }
    }

    fn first(&self, key: &SigningKey) -> Result<Marker> {
        let salt = generate::hexadecimal()?;
        Ok(Marker {
            format: FORMAT,
            server_name: self.server_name.into(),
            signing_key: KeyMarker { id: key.id(), sha256: key_hash(&salt, key) },
            pepper_sha256: self.pepper.map(|pepper| pepper_hash(&salt, pepper)),
            salt,
        })
    }

    /// The marker that holds from now on, or everything that contradicts it.
    fn compare(&self, marker: &Marker, key: &SigningKey, path: &Path) -> Result<Marker> {
        let mut found = Vec::new();
        let mut remedies = Vec::new();
        let mut contradiction = |what: String, remedy: String| {
            found.push(what);
            remedies.push(remedy);
        };
        if marker.server_name != self.server_name {
            contradiction(
                format!(
                    "this volume belongs to the site {}, and the plan is for {}; a server's name is part of every user, \
                     room and event and cannot change",
                    marker.server_name, self.server_name
                ),
                format!("deploy the images of {} again, or give the new site volumes of its own", marker.server_name),
            );
        }

        let mut next = marker.clone();
        let (id, hash) = (key.id(), key_hash(&marker.salt, key));
        let old = &marker.signing_key;
        if old.id == id && old.sha256 != hash {
            contradiction(
                format!("the signing key {id} is not the key of that identifier which this site has used so far"),
                format!(
                    "put the earlier key file back; to rotate, make a key with another identifier and list {id} with its \
                     public key under `old_signing_keys`"
                ),
            );
        } else if old.id != id && !self.old_signing_keys.contains(&old.id) {
            contradiction(
                format!(
                    "the signing key is {id}, and this site has signed with {} so far; other servers would refuse what was \
                     signed before",
                    old.id
                ),
                format!(
                    "put the key file with {0} back; if the change is wanted, list {0} with its public key and the time of \
                     its last use under `old_signing_keys`",
                    old.id
                ),
            );
        } else if old.id != id {
            eprintln!("launch: the signing key moves on from {} to {id}", old.id);
            next.signing_key = KeyMarker { id, sha256: hash };
        }

        if let Some(pepper) = self.pepper {
            let hash = pepper_hash(&marker.salt, pepper);
            match &marker.pepper_sha256 {
                None => next.pepper_sha256 = Some(hash),
                Some(old) if *old == hash => {}
                Some(_) => contradiction(
                    "the password pepper is not the one that this site's passwords were hashed with; \
                     nobody could log in any more"
                        .into(),
                    "put the earlier pepper file back".into(),
                ),
            }
        }

        if found.is_empty() {
            return Ok(next);
        }
        remedies.push(format!("if the data is to be given up knowingly, remove {}", path.display()));
        Err(Error::refused(found.join("\n       "), remedies.join("\n              ")))
    }
}

fn read(path: &Path) -> Result<Option<Marker>> {
    let bytes = match read_file(path, MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(problem) if problem.is_missing() => return Ok(None),
        Err(problem) => return Err(problem.error("read", path)),
    };
    let damaged = |problem: String| {
        Error::refused(
            format!("the deployment marker {} cannot be understood: {problem}", path.display()),
            "restore it from a backup of the volume; or, after making sure that the signing key and the pepper are the \
             site's own, remove it",
        )
    };
    let marker: Marker = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if marker.format != FORMAT {
        return Err(damaged(format!("it has format {}, and this launch knows format {FORMAT}", marker.format)));
    }
    Ok(Some(marker))
}

fn write(path: &Path, marker: &Marker) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(marker).map_err(|error| Error::io("write", path, &error.into()))?;
    text.push(b'\n');
    files::replace(path, &text, files::Durable::Yes)
}

/// Of the seed and not of the file's text, so that white space and further keys do not count.
fn key_hash(salt: &str, key: &SigningKey) -> String {
    hash(salt, b"signing key", &key.seed)
}

fn pepper_hash(salt: &str, pepper: &Value) -> String {
    hash(salt, b"pepper", pepper.expose().as_bytes())
}

fn hash(salt: &str, label: &[u8], value: &[u8]) -> String {
    let digest = Sha256::new().chain_update(salt).chain_update(b"\0").chain_update(label).chain_update(b"\0");
    digest.chain_update(value).finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    struct Now {
        name: &'static str,
        key: Value,
        pepper: Option<Value>,
        old: Vec<String>,
    }

    fn key(version: &str, seed: u8) -> Value {
        Value::new(SigningKey { version: version.into(), seed: [seed; 32] }.to_line())
    }

    fn now() -> Now {
        Now { name: "example.com", key: key("a_One", 1), pepper: Some(Value::new("salt and".into())), old: vec![] }
    }

    fn check(now: &Now, state: &Path) -> Result<()> {
        Site {
            server_name: now.name,
            signing_key: &now.key,
            signing_key_path: Path::new("/run/secrets/signing_key"),
            pepper: now.pepper.as_ref(),
            old_signing_keys: &now.old,
        }
        .check(state)
    }

    fn refusal(now: &Now, state: &Path) -> String {
        let before = fs::read(state.join(FILE)).unwrap();
        let error = check(now, state).unwrap_err();
        assert_eq!(error.exit_code(), 1);
        assert_eq!(fs::read(state.join(FILE)).unwrap(), before, "a refusal leaves the marker as it is");
        error.to_string()
    }

    #[test]
    fn the_first_start_writes_hashes_and_the_same_site_starts_again() {
        let state = tempfile::tempdir().unwrap();
        check(&now(), state.path()).unwrap();
        let path = state.path().join(FILE);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("example.com") && text.contains("ed25519:a_One"), "{text}");
        assert!(!text.contains("salt and") && !text.contains("AQEBAQ"), "{text}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        check(&now(), state.path()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn two_sites_with_one_pepper_have_different_markers() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        check(&now(), a.path()).unwrap();
        check(&now(), b.path()).unwrap();
        let hash = |state: &Path| read(&state.join(FILE)).unwrap().unwrap().pepper_sha256;
        assert_ne!(hash(a.path()), hash(b.path()));
    }

    #[test]
    fn every_contradiction_is_refused_and_all_are_told_at_once() {
        let state = tempfile::tempdir().unwrap();
        check(&now(), state.path()).unwrap();
        let name = refusal(&Now { name: "example.org", ..now() }, state.path());
        assert!(name.contains("example.com") && name.contains("example.org"), "{name}");
        let pepper = refusal(&Now { pepper: Some(Value::new("hunter2".into())), ..now() }, state.path());
        assert!(pepper.contains("pepper") && !pepper.contains("hunter2"), "{pepper}");
        let key = refusal(&Now { key: key("a_Two", 2), ..now() }, state.path());
        assert!(key.contains("ed25519:a_One") && key.contains("old_signing_keys"), "{key}");
        let all = Now { name: "x.org", key: self::key("a_Two", 2), pepper: Some(Value::new("y".into())), old: vec![] };
        let all = refusal(&all, state.path());
        for expected in ["x.org", "a_Two", "pepper"] {
            assert!(all.contains(expected), "{all}");
        }
    }

    #[test]
    fn a_listed_rotation_moves_the_marker_on_and_going_back_needs_listing_too() {
        let state = tempfile::tempdir().unwrap();
        check(&now(), state.path()).unwrap();
        let rotated = Now { key: key("a_Two", 2), old: vec!["ed25519:a_One".into()], ..now() };
        check(&rotated, state.path()).unwrap();
        check(&rotated, state.path()).unwrap();
        assert!(refusal(&now(), state.path()).contains("ed25519:a_Two"));
    }

    #[test]
    fn another_key_under_the_same_identifier_is_refused_even_when_listed() {
        let state = tempfile::tempdir().unwrap();
        check(&now(), state.path()).unwrap();
        let listed = Now { key: key("a_One", 2), old: vec!["ed25519:a_One".into()], ..now() };
        assert!(refusal(&listed, state.path()).contains("another identifier"));
    }

    #[test]
    fn a_pepper_may_come_later_and_is_remembered_when_it_goes() {
        let state = tempfile::tempdir().unwrap();
        check(&Now { pepper: None, ..now() }, state.path()).unwrap();
        check(&now(), state.path()).unwrap();
        check(&Now { pepper: None, ..now() }, state.path()).unwrap();
        assert!(refusal(&Now { pepper: Some(Value::new("other".into())), ..now() }, state.path()).contains("pepper"));
    }

    #[test]
    fn damaged_keys_and_markers_are_refused() {
        let state = tempfile::tempdir().unwrap();
        let bad = Now { key: Value::new("ed25519 a_One hunter2".into()), ..now() };
        let error = check(&bad, state.path()).unwrap_err();
        assert!(error.exit_code() == 1 && !error.to_string().contains("hunter2"), "{error}");
        assert!(!state.path().join(FILE).exists());
        for content in ["", "{}", "{\"format\": 2}"] {
            fs::write(state.path().join(FILE), content).unwrap();
            assert!(refusal(&now(), state.path()).contains("cannot be understood"));
        }
    }

    #[test]
    fn white_space_in_the_key_file_does_not_count() {
        let state = tempfile::tempdir().unwrap();
        check(&now(), state.path()).unwrap();
        let spaced = Value::new(format!("\n{}\n\n", now().key.expose().trim_end()));
        check(&Now { key: spaced, ..now() }, state.path()).unwrap();
    }
}
