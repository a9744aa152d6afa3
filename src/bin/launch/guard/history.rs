//! What Synapse's own tables say about a site that has no marker yet: whose accounts they hold, whether there are passwords, and which key
//! signed the newest events. Looks once, when data has moved in; a marker makes it needless.

use ed25519_dalek::VerifyingKey;
use serde_json::Value;

use super::{Known, KnownKey, Now, signature};
use crate::session::{Ask, Row, literal};

/// How many of the site's newest events are looked at.
const EVENTS: u32 = 20;
/// Among how many of everybody's newest events those are sought; beyond, the memberships of the site's people lead to them.
const NEWEST: u32 = 2000;

/// What was found.
#[derive(Debug, Default, PartialEq)]
pub struct History {
    /// The names after the colon of accounts; more than one only in a damaged database.
    pub server_names: Vec<String>,
    /// Whether there is any event.
    pub events: bool,
    /// Whether any account has a password.
    pub passwords: bool,
    /// Key identifiers of the site's newest events, newest first.
    pub key_ids: Vec<String>,
    /// Whether the signing key of now proves to have signed one of them, where that can be told.
    pub proven: Option<bool>,
}

impl History {
    /// Looks into the tables. A database without tables of Synapse is one without accounts and events.
    pub fn look(database: &mut dyn Ask, now: &Now) -> Result<Self, String> {
        let is_there = |database: &mut dyn Ask, table: &str| -> Result<bool, String> {
            Ok(!database.ask(&format!("SELECT 1 WHERE to_regclass('{table}') IS NOT NULL"))?.is_empty())
        };
        let mut history = Self::default();
        if is_there(database, "users")? {
            let names = database.ask("SELECT substr(name, strpos(name, ':') + 1), count(*) FROM users GROUP BY 1 ORDER BY 2 DESC LIMIT 3")?;
            history.server_names = names.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect();
            history.passwords = !database.ask("SELECT 1 FROM users WHERE password_hash <> '' LIMIT 1")?.is_empty();
        }
        if is_there(database, "events")? && is_there(database, "event_json")? {
            history.events = !database.ask("SELECT 1 FROM events LIMIT 1")?.is_empty();
            if history.events {
                let memberships = is_there(database, "local_current_membership")?;
                let rows = database.ask(&newest(now.site.server_name, memberships))?;
                history.read_signatures(&rows, now.site.server_name, &now.key.id(), &now.public);
            }
        }
        Ok(history)
    }

    /// Whether nobody has used this database yet.
    pub fn is_fresh(&self) -> bool {
        self.server_names.is_empty() && !self.events
    }

    /// What it says about the site as it is now.
    pub fn known(&self, now: &Now, database: &str) -> Known {
        let id = now.key.id();
        let key = self.key_ids.first().map(|newest| KnownKey {
            // An event with two signatures of the site is one of a time of change.
            id: newest.clone(),
            same: *newest == id && self.proven != Some(false),
        });
        Known { place: format!("the accounts and the newest events in the database {database}"), server_names: self.server_names.clone(), key, pepper: None }
    }

    fn read_signatures(&mut self, rows: &[Row], server_name: &str, id: &str, public: &VerifyingKey) {
        for row in rows {
            let [room_version, Some(json)] = row.as_slice() else { continue };
            let Ok(event) = serde_json::from_str::<Value>(json) else { continue };
            let mut ids = signature::key_ids(&event, server_name);
            // The key of now comes first among several of one event.
            ids.sort_by_key(|found| found != id);
            let mine = ids.first().is_some_and(|first| first == id);
            self.key_ids.extend(ids);
            let asked = mine.then(|| signature::is_of(&event, room_version.as_deref().unwrap_or_default(), server_name, id, public)).flatten();
            // One that is right is proof; another that is wrong was damaged in some other way.
            self.proven = if self.proven == Some(true) { self.proven } else { asked.or(self.proven) };
        }
    }
}

/// Room version and text of the site's newest events, newest first.
fn newest(server_name: &str, memberships: bool) -> String {
    let ours = |sender: &str| format!("right({sender}, length({0})) = {0}", literal(&format!(":{server_name}")));
    let joined = if memberships {
        format!(
            "UNION (SELECT e.event_id, e.room_id, e.stream_ordering FROM local_current_membership m JOIN events e ON e.event_id = m.event_id \
             WHERE {} ORDER BY e.stream_ordering DESC LIMIT {EVENTS})",
            ours("e.sender")
        )
    } else {
        String::new()
    };
    format!(
        "SELECT r.room_version, j.json FROM ( \
         (SELECT event_id, room_id, stream_ordering FROM (SELECT * FROM events ORDER BY stream_ordering DESC LIMIT {NEWEST}) AS newest \
         WHERE {} ORDER BY stream_ordering DESC LIMIT {EVENTS}) {joined}) AS own \
         JOIN event_json j ON j.event_id = own.event_id LEFT JOIN rooms r ON r.room_id = own.room_id \
         ORDER BY own.stream_ordering DESC LIMIT {EVENTS}",
        ours("sender")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(version: &str, ids: &[&str]) -> Row {
        let signatures: serde_json::Map<String, Value> = ids.iter().map(|id| ((*id).to_owned(), "AAAA".into())).collect();
        let event = serde_json::json!({ "type": "m.room.message", "signatures": { "example.com": signatures } });
        vec![Some(version.into()), Some(event.to_string())]
    }

    fn read(rows: &[Row]) -> History {
        let public = ed25519_dalek::SigningKey::from_bytes(&[1; 32]).verifying_key();
        let mut history = History::default();
        history.read_signatures(rows, "example.com", "ed25519:a_One", &public);
        history
    }

    #[test]
    fn the_newest_key_comes_first_and_the_one_of_now_before_others_of_its_event() {
        let history = read(&[row("10", &["ed25519:a_Old", "ed25519:a_One"]), row("10", &["ed25519:a_Older"])]);
        assert_eq!(history.key_ids, ["ed25519:a_One", "ed25519:a_Old", "ed25519:a_Older"]);
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let broken = vec![vec![], vec![None], vec![Some("10".into()), Some("{".into())], vec![None, Some("{}".into())], row("10", &["ed25519:a_One"])];
        assert_eq!(read(&broken).key_ids, ["ed25519:a_One"]);
    }
}
