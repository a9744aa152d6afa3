//! What can never change on a site: its name, the pepper of its passwords, and, but for a planned rotation, its signing key. Before Synapse
//! touches anything, the plan and the secrets are compared with what is known of the site: the marker in its database, the one in its
//! volume, and, when data has moved in, Synapse's own tables. What contradicts is refused, what is sure is written into both markers, and
//! what is not known is said and not written.

mod database;
mod history;
mod open;
mod password;
mod signature;
mod verdict;
mod volume;

use std::path::{Path, PathBuf};

use ed25519_dalek::VerifyingKey;
use synapse_site::deploy::secrets::SigningKey;
use synapse_site::error::{Error, Result};

use crate::files;
use crate::session::Ask;
use crate::values::Value;
use history::History;
pub use open::find;
pub use password::check_password;
use verdict::Verdict;

/// What runs a verb of `launch` beside a container that restarts again and again.
const RUN: &str = "docker compose run --rm --no-deps synapse";

/// What the site says now.
pub struct Site<'a> {
    /// The site's name.
    pub server_name: &'a str,
    /// The content of the signing key file.
    pub signing_key: &'a Value,
    /// That file, for messages.
    pub signing_key_path: PathBuf,
    /// The secrets' names, for messages and for `accept`.
    pub signing_key_secret: &'a str,
    /// The secret of the pepper; none where the description says that there is no pepper.
    pub pepper_secret: Option<&'a str>,
    /// The pepper when local passwords are in use, empty where they have none.
    pub pepper: Option<&'a Value>,
    /// Identifiers of the keys that the site has retired.
    pub old_signing_keys: &'a [String],
}

/// The same with its key read.
pub struct Now<'a> {
    site: &'a Site<'a>,
    key: SigningKey,
    public: VerifyingKey,
}

/// Where the site's data lies.
pub struct Places<'a> {
    /// Synapse's volume.
    pub state: &'a Path,
    /// The database's name, for messages.
    pub database_name: &'a str,
    /// Synapse's database, or why it cannot be looked into.
    pub database: std::result::Result<Box<dyn Ask>, String>,
}

/// What one place says about the site.
struct Known {
    place: String,
    server_names: Vec<String>,
    key: Option<KnownKey>,
    /// Whether the pepper is the one of now, where the place knows.
    pepper: Option<bool>,
}

/// The signing key that a place knows.
struct KnownKey {
    id: String,
    /// Whether it is the key of now.
    same: bool,
}

/// What is sure, and goes into the markers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Settled {
    server_name: bool,
    key: bool,
    pepper: bool,
}

/// What `accept` can take for the site's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    ServerName,
    Key,
    Pepper,
}

/// Compares the site with what is known of it, and writes what is sure. An error means that Synapse must not start.
pub fn check(site: &Site, places: &mut Places) -> Result<()> {
    let now = Now::of(site)?;
    files::sweep(places.state)?;
    let mut seen = Seen::look(&now, places)?;
    if !seen.damaged.is_empty() {
        return Err(damaged(&now, &seen.damaged));
    }
    let verdict = seen.judge(&now, places);
    if let Some(refusal) = verdict.refusal() {
        return Err(refusal);
    }
    for note in &verdict.notes {
        eprintln!("launch: {note}");
    }
    seen.record(&now, verdict.settled, places)
}

/// Takes the present value of something for the site's own, whatever was known before.
pub fn accept(site: &Site, places: &mut Places, what: &str) -> Result<()> {
    let now = Now::of(site)?;
    let subject = match what {
        "server_name" => Subject::ServerName,
        _ if what == site.signing_key_secret => Subject::Key,
        _ if Some(what) == site.pepper_secret || (what == "password_pepper" && site.pepper.is_some()) => Subject::Pepper,
        _ => {
            let known = ["server_name", site.signing_key_secret].into_iter().chain(site.pepper_secret);
            return Err(Error::Usage(format!("`accept` takes one of {} at this site, not {what:?}", known.collect::<Vec<_>>().join(", "))));
        }
    };
    files::sweep(places.state)?;
    let mut seen = Seen::look(&now, places)?;
    for note in &seen.notes {
        eprintln!("launch: {note}");
    }
    let verdict = seen.judge(&now, places);
    if subject != Subject::ServerName
        && let Some(refusal) = verdict.about_the_name()
    {
        return Err(refusal);
    }
    if let Some(other) = seen.history.as_ref().and_then(|history| history.server_names.iter().find(|name| *name != site.server_name)) {
        return Err(Error::refused(
            format!("the database {} has accounts of {other}; they cannot become those of {}", places.database_name, site.server_name),
            format!("deploy the images of {other} again, or give the new site a database of its own"),
        ));
    }
    if subject == Subject::Pepper && places.database.is_err() && seen.volume.is_none() {
        return Err(Error::environment(
            "there is no marker in the volume yet, and none in the database can be written",
            "start Synapse once, which writes the one in the volume",
        ));
    }
    let settled = match subject {
        Subject::ServerName => Settled { server_name: true, ..Settled::default() },
        Subject::Key => Settled { key: true, ..Settled::default() },
        Subject::Pepper => Settled { pepper: true, ..Settled::default() },
    };
    seen.record(&now, settled, places)?;
    let taken = match subject {
        Subject::ServerName => format!("the name {}", site.server_name),
        Subject::Key => format!("the signing key {}", now.key.id()),
        Subject::Pepper => "this pepper".to_owned(),
    };
    println!("launch: {taken} is the site's own from now on");
    Ok(())
}

impl<'a> Now<'a> {
    fn of(site: &'a Site<'a>) -> Result<Self> {
        let mut keys = SigningKey::parse_file(site.signing_key.expose()).map_err(|problem| {
            Error::refused(
                format!("{} is not a signing key file: {problem}", site.signing_key_path.display()),
                "put the site's own key file back from your copy; Synapse would otherwise make a new key, \
                 which other servers do not trust",
            )
        })?;
        let key = keys.swap_remove(0);
        let public = ed25519_dalek::SigningKey::from_bytes(&key.seed).verifying_key();
        Ok(Self { site, key, public })
    }
}

/// Everything that is known of the site.
struct Seen {
    volume: Option<volume::Marker>,
    database: Option<database::Marker>,
    /// Synapse's own tables; not looked at while the marker in the database says all.
    history: Option<History>,
    /// Markers that cannot be understood.
    damaged: Vec<String>,
    notes: Vec<String>,
}

impl Seen {
    fn look(now: &Now, places: &mut Places) -> Result<Self> {
        let mut seen = Self { volume: None, database: None, history: None, damaged: vec![], notes: vec![] };
        let name = places.database_name;
        if let Err(reason) = &places.database {
            seen.notes.push(format!("the database {name} is not looked into, so only the marker in the volume guards the site: {reason}"));
        }
        if let Ok(database) = &mut places.database {
            match database::read(&mut **database, name)? {
                database::Found::Nothing => {}
                database::Found::Marker(marker) => seen.database = Some(marker),
                database::Found::Damaged(problem) => seen.damaged.push(problem),
            }
            if seen.database.as_ref().is_none_or(|marker| !marker.is_complete(now)) {
                match History::look(&mut **database, now) {
                    Ok(history) => seen.history = Some(history),
                    Err(reason) => seen.notes.push(format!("what the database {name} says about the site cannot be read: {reason}")),
                }
            }
        }
        match volume::read(places.state)? {
            volume::Found::Nothing => {}
            volume::Found::Marker(marker) => seen.volume = Some(marker),
            volume::Found::Damaged(problem) if seen.database.as_ref().is_some_and(|marker| marker.is_complete(now)) => {
                seen.notes.push(format!("{problem}; it is written again from the marker in the database {name}"));
            }
            volume::Found::Damaged(problem) => seen.damaged.push(problem),
        }
        seen.look_at_the_volume(now, places);
        Ok(seen)
    }

    /// A marker in the volume of another key, beside data without a marker that the key of now has signed, is about other data: that of a
    /// start with secrets that were forgotten, before the data moved in.
    fn look_at_the_volume(&mut self, now: &Now, places: &mut Places) {
        if let (Some(marker), Some(history), None) = (&self.volume, &self.history, &self.database) {
            let other = marker.key_id();
            let proven = history.proven == Some(true) && history.key_ids.first() == Some(&now.key.id());
            if marker.server_name() == now.site.server_name && proven && !history.key_ids.iter().any(|id| id == other) {
                self.notes.push(format!(
                    "the marker in the volume knows the signing key {other}, which has signed nothing in the database {}; {} has, \
                     so the marker is of a start before this data came, and is made anew",
                    places.database_name,
                    now.key.id()
                ));
                self.volume = None;
            }
        }
        if self.volume.is_none()
            && !places.state.join("media").exists()
            && let Ok(database) = &mut places.database
            && has_media(&mut **database)
        {
            self.notes.push(format!(
                "the database {} knows media, and the volume {} has none: if it was forgotten, restore it (docs/running.md), \
                 pictures and files are missing until then",
                places.database_name,
                places.state.display()
            ));
        }
    }

    fn judge(&self, now: &Now, places: &Places) -> Verdict {
        let name = places.database_name;
        let known: Vec<Known> = [
            self.volume.as_ref().map(|marker| marker.known(now, places.state)),
            self.database.as_ref().map(|marker| marker.known(now, name)),
            self.history.as_ref().filter(|_| self.database.as_ref().is_none_or(database::Marker::knows_no_key)).map(|history| history.known(now, name)),
        ]
        .into_iter()
        .flatten()
        .collect();
        // Where nobody can look into the database, the first start is believed.
        let fresh = self.history.as_ref().map_or(places.database.is_err() && self.volume.is_none(), History::is_fresh);
        let passwords = self.history.as_ref().map_or(places.database.is_ok(), |history| history.passwords);
        let mut verdict = Verdict::of(now, &known, fresh, passwords);
        verdict.notes.splice(0..0, self.notes.iter().cloned());
        if self.volume.is_none() && self.database.as_ref().is_some_and(|marker| !marker.knows_no_key()) {
            verdict.notes.push(format!("the volume {} has no marker of the site; it is written from the one in the database {name}", places.state.display()));
        }
        verdict
    }

    /// Writes both markers, as far as they change.
    fn record(&mut self, now: &Now, settled: Settled, places: &mut Places) -> Result<()> {
        if let Ok(database) = &mut places.database {
            let next = self.database.clone().unwrap_or_else(|| database::Marker::new(now)).with(now, settled)?;
            if self.database.as_ref() != Some(&next)
                && let Err(reason) = next.write(&mut **database)
            {
                eprintln!(
                    "launch: the marker of the site cannot be written into the database {}, so only the one in the volume guards it: {reason}",
                    places.database_name
                );
            }
        }
        let next = match (&self.volume, settled.key) {
            (Some(marker), _) => marker.clone(),
            (None, true) => volume::Marker::new(now)?,
            // It cannot be without a key.
            (None, false) => return Ok(()),
        };
        let next = next.with(now, settled);
        if self.volume.as_ref() == Some(&next) { Ok(()) } else { next.write(places.state) }
    }
}

/// Whether anybody has uploaded anything. What cannot be read is not missed.
fn has_media(database: &mut dyn Ask) -> bool {
    let asked = |database: &mut dyn Ask, statement: &str| database.ask(statement).is_ok_and(|rows| !rows.is_empty());
    asked(database, "SELECT 1 WHERE to_regclass('local_media_repository') IS NOT NULL") && asked(database, "SELECT 1 FROM local_media_repository LIMIT 1")
}

fn damaged(now: &Now, problems: &[String]) -> Error {
    let site = now.site;
    let accepts: Vec<String> = [Some(site.signing_key_secret), site.pepper_secret].into_iter().flatten().map(|name| format!("`{RUN} accept {name}`")).collect();
    Error::refused(
        problems.join("\n       "),
        format!(
            "restore it from a backup; or, after making sure that the signing key and the pepper are the site's own, write it anew: {}",
            accepts.join(" and ")
        ),
    )
}

#[cfg(test)]
mod tests;
