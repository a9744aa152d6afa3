//! The marker in Synapse's volume, `deployment.json`: the name of the site, and salted hashes of its signing key and of the pepper of its
//! passwords. Its format is older than the marker in the database, and stays, so that one can go back to earlier images.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use synapse_site::deploy::secrets::{SigningKey, generate};
use synapse_site::error::{Error, Result};
use synapse_site::files::read as read_file;

use super::{Known, KnownKey, Now, Settled};
use crate::files;
use crate::values::Value;

/// Its name in the volume.
pub const FILE: &str = "deployment.json";
const FORMAT: u32 = 1;
/// A hundred times what a marker has.
const MAX_BYTES: u64 = 64 * 1024;

/// What the file holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marker {
    format: u32,
    server_name: String,
    salt: String,
    signing_key: KeyMarker,
    /// None until it is known which pepper the passwords were hashed with; kept when local passwords are in use no more, since their hashes stay.
    pepper_sha256: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyMarker {
    id: String,
    sha256: String,
}

/// What was found in the place of the marker.
pub enum Found {
    /// No file.
    Nothing,
    /// A marker.
    Marker(Marker),
    /// Something else, and why.
    Damaged(String),
}

impl Marker {
    /// The marker of a site that starts for the first time.
    pub fn new(now: &Now) -> Result<Self> {
        let salt = generate::hexadecimal()?;
        let key = KeyMarker { id: now.key.id(), sha256: key_hash(&salt, &now.key) };
        Ok(Self { format: FORMAT, server_name: now.site.server_name.into(), signing_key: key, pepper_sha256: None, salt })
    }

    /// The identifier of the signing key.
    pub fn key_id(&self) -> &str {
        &self.signing_key.id
    }

    /// The name of the site.
    pub fn server_name(&self) -> &str {
        &self.server_name
    }

    /// What it says about the site as it is now.
    pub fn known(&self, now: &Now, volume: &Path) -> Known {
        let key = &self.signing_key;
        let same = key.id == now.key.id() && key.sha256 == key_hash(&self.salt, &now.key);
        let pepper = self.pepper_sha256.as_deref().zip(now.site.pepper).map(|(hash, pepper)| hash == pepper_hash(&self.salt, pepper));
        Known {
            place: format!("the marker in the volume {}", volume.display()),
            server_names: vec![self.server_name.clone()],
            key: Some(KnownKey { id: key.id.clone(), same }),
            pepper,
        }
    }

    /// The marker that holds from now on.
    pub fn with(mut self, now: &Now, settled: Settled) -> Self {
        if settled.server_name {
            self.server_name = now.site.server_name.into();
        }
        if settled.key {
            self.signing_key = KeyMarker { id: now.key.id(), sha256: key_hash(&self.salt, &now.key) };
        }
        if let Some(pepper) = now.site.pepper.filter(|_| settled.pepper) {
            self.pepper_sha256 = Some(pepper_hash(&self.salt, pepper));
        }
        self
    }

    /// Writes the file.
    pub fn write(&self, volume: &Path) -> Result<()> {
        let path = volume.join(FILE);
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| Error::io("write", &path, &error.into()))?;
        text.push(b'\n');
        files::replace(&path, &text, files::Durable::Yes)
    }
}

/// Reads the file.
pub fn read(volume: &Path) -> Result<Found> {
    let path = volume.join(FILE);
    let bytes = match read_file(&path, MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(problem) if problem.is_missing() => return Ok(Found::Nothing),
        Err(problem) => return Err(problem.error("read", &path)),
    };
    Ok(match serde_json::from_slice::<Marker>(&bytes) {
        Err(error) => Found::Damaged(format!("{} cannot be understood: {error}", path.display())),
        Ok(marker) if marker.format != FORMAT => {
            Found::Damaged(format!("{} cannot be understood: it has format {}, and this launch knows format {FORMAT}", path.display(), marker.format))
        }
        Ok(marker) => Found::Marker(marker),
    })
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
