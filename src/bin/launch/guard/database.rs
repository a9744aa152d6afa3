//! The marker in Synapse's database: the table `synapse_site` with one row. It lies beside what it is about, so it goes along with every
//! dump, and is there when somebody forgets the volume. It holds nothing secret: the public half of the signing key, and of the pepper
//! what bcrypt makes of it with a salt, as beside it of the passwords.

use base64::Engine as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use synapse_site::error::{Error, Result};

use super::signature::BASE64;
use super::{Known, KnownKey, Now, Settled};
use crate::session::{Ask, literal};
use crate::values::Value;

/// The table's name.
pub const TABLE: &str = "synapse_site";
const FORMAT: u32 = 1;
/// The cost of bcrypt: less than a tenth of a second for every start, and for each guess at a pepper that a person made up.
const COST: u32 = 10;

/// What the row holds, as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marker {
    format: u32,
    server_name: String,
    /// None until it is known that the key is the site's own.
    signing_key: Option<KeyMarker>,
    /// None until it is known which pepper the passwords were hashed with.
    pepper_bcrypt: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyMarker {
    id: String,
    /// Unpadded base64, as in `old_signing_keys`.
    public_key: String,
}

/// What was found in the place of the marker.
pub enum Found {
    /// No table, or no row.
    Nothing,
    /// A marker.
    Marker(Marker),
    /// Something else, and why.
    Damaged(String),
}

impl Marker {
    /// A marker that knows only whose database this is.
    pub fn new(now: &Now) -> Self {
        Self { format: FORMAT, server_name: now.site.server_name.into(), signing_key: None, pepper_bcrypt: None }
    }

    /// Whether it knows the signing key, and the pepper where the site has one.
    pub fn is_complete(&self, now: &Now) -> bool {
        self.signing_key.is_some() && (self.pepper_bcrypt.is_some() || now.site.pepper.is_none())
    }

    /// Whether the signing key is still to be seen.
    pub fn knows_no_key(&self) -> bool {
        self.signing_key.is_none()
    }

    /// What it says about the site as it is now.
    pub fn known(&self, now: &Now, database: &str) -> Known {
        let key = self.signing_key.as_ref().map(|key| KnownKey { id: key.id.clone(), same: key.id == now.key.id() && key.public_key == public_key(now) });
        let pepper = self.pepper_bcrypt.as_deref().zip(now.site.pepper).map(|(hash, pepper)| fits(hash, pepper));
        Known { place: format!("the marker in the database {database}"), server_names: vec![self.server_name.clone()], key, pepper }
    }

    /// The marker that holds from now on.
    pub fn with(mut self, now: &Now, settled: Settled) -> Result<Self> {
        if settled.server_name {
            self.server_name = now.site.server_name.into();
        }
        if settled.key {
            self.signing_key = Some(KeyMarker { id: now.key.id(), public_key: public_key(now) });
        }
        if let Some(pepper) = now.site.pepper.filter(|_| settled.pepper)
            && self.pepper_bcrypt.as_ref().is_none_or(|hash| !fits(hash, pepper))
        {
            self.pepper_bcrypt = Some(hash(pepper)?);
        }
        Ok(self)
    }

    /// Writes the row, and makes the table where there is none.
    pub fn write(&self, database: &mut dyn Ask) -> std::result::Result<(), String> {
        let text = serde_json::to_string(self).map_err(|error| error.to_string())?;
        let statements = format!(
            "CREATE TABLE IF NOT EXISTS {TABLE} (only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), marker text NOT NULL); \
             INSERT INTO {TABLE} (marker) VALUES ({}) ON CONFLICT (only_row) DO UPDATE SET marker = excluded.marker",
            literal(&text)
        );
        database.ask(&statements).map(drop)
    }
}

/// Reads the row.
pub fn read(database: &mut dyn Ask, name: &str) -> Result<Found> {
    let failed = |reason: String| {
        Error::environment(
            format!("the marker of the site in the database {name} cannot be read: {reason}"),
            format!("make Synapse's role the owner of the table {TABLE}, as of all other tables of that database"),
        )
    };
    let there = database.ask(&format!("SELECT 1 WHERE to_regclass('{TABLE}') IS NOT NULL")).map_err(failed)?;
    if there.is_empty() {
        return Ok(Found::Nothing);
    }
    let rows = database.ask(&format!("SELECT marker FROM {TABLE}")).map_err(failed)?;
    let Some(text) = rows.into_iter().flatten().flatten().next() else { return Ok(Found::Nothing) };
    let damaged = |problem: String| Found::Damaged(format!("the row of the table {TABLE} in the database {name} cannot be understood: {problem}"));
    Ok(match serde_json::from_str::<Marker>(&text) {
        Err(error) => damaged(error.to_string()),
        Ok(marker) if marker.format != FORMAT => damaged(format!("it has format {}, and this launch knows format {FORMAT}", marker.format)),
        Ok(marker) => Found::Marker(marker),
    })
}

fn public_key(now: &Now) -> String {
    BASE64.encode(now.public.as_bytes())
}

fn hash(pepper: &Value) -> Result<String> {
    let failed = |problem: String| Error::environment(format!("the pepper cannot be hashed: {problem}"), "allow the getrandom system call");
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| failed(error.to_string()))?;
    bcrypt::hash_with_salt(digest(pepper), COST, salt).map(|parts| parts.to_string()).map_err(|error| failed(error.to_string()))
}

fn fits(hash: &str, pepper: &Value) -> bool {
    // Another cost, up to one of days, is of another hand.
    hash.get(4..7) == Some(&format!("{COST}$")) && bcrypt::verify(digest(pepper), hash).unwrap_or(false)
}

/// bcrypt sees no more than 72 bytes, and a pepper may have more.
fn digest(pepper: &Value) -> String {
    BASE64.encode(Sha256::new().chain_update(b"pepper\0").chain_update(pepper.expose()).finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pepper_is_known_by_its_hash_to_the_last_byte() {
        let pepper = |last: &str| Value::new("x".repeat(100) + last);
        let made = hash(&pepper("a")).unwrap();
        assert!(fits(&made, &pepper("a")) && !fits(&made, &pepper("b")));
        assert_ne!(made, hash(&pepper("a")).unwrap());
        assert!(!fits("", &pepper("a")) && !fits(&made.replace("$10$", "$31$"), &pepper("a")));
    }
}
