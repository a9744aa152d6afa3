//! From a plan and its secrets to what is compared: the site, and the places where its data lies.

use std::path::Path;
use std::time::Duration;

use synapse_site::error::{Error, Result};
use synapse_site::launch::{Database, Guarded, Plan, Prepare};

use super::{Places, Site};
use crate::probe;
use crate::session::{Ask, Session};
use crate::values::{Secrets, Value};

/// Where the description says that passwords have no pepper.
static NO_PEPPER: Value = Value::empty();

/// Time to connect; that PostgreSQL answers is known by then.
const CONNECT: Duration = Duration::from_secs(10);
/// Time for one answer; PostgreSQL itself gives up a little earlier.
const ANSWER: Duration = Duration::from_secs(70);
const SETTINGS: &str = "SET statement_timeout = '60s'; SET client_encoding = 'UTF8'";

/// What the image's main process has that can never change, and the secrets that comparing needs.
pub fn find<'a>(plan: &'a Plan, secrets: &Path) -> Result<(&'a Guarded, Secrets)> {
    let found = plan.roles.values().find_map(|role| match &role.prepare {
        Some(Prepare::Synapse(guarded)) => Some(guarded),
        _ => None,
    });
    let guarded = found.ok_or_else(|| Error::environment("this image has no main process of Synapse", "run this in the Synapse image"))?;
    let password = guarded.database.as_ref().map(|database| database.at.password_secret.as_str());
    let names = [Some(guarded.signing_key_secret.as_str()), guarded.pepper_secret.as_deref(), password];
    Ok((guarded, Secrets::require(secrets, names.into_iter().flatten())?))
}

impl<'a> Site<'a> {
    /// The site that a plan and secrets describe.
    pub fn of(plan: &'a Plan, guarded: &'a Guarded, values: &'a Secrets) -> Result<Self> {
        let pepper = match &guarded.pepper_secret {
            Some(name) => Some(values.get(name)?),
            None => guarded.local_passwords.then_some(&NO_PEPPER),
        };
        Ok(Self {
            server_name: &plan.server_name,
            signing_key: values.get(&guarded.signing_key_secret)?,
            signing_key_path: values.path(&guarded.signing_key_secret),
            signing_key_secret: &guarded.signing_key_secret,
            pepper_secret: guarded.pepper_secret.as_deref(),
            pepper,
            old_signing_keys: &guarded.old_signing_keys,
        })
    }
}

impl<'a> Places<'a> {
    /// Opens the volume and the database. Not to get into the site's own database is an error, and a line in the log with another.
    pub fn open(guarded: &'a Guarded, values: &Secrets) -> Result<Self> {
        let state = guarded.state.as_ref();
        let Some(database) = &guarded.database else {
            return Ok(Self { state, database_name: "of this site", database: Err("the plan does not say where it is".to_owned()) });
        };
        let at = &database.at;
        let password = values.get(&at.password_secret)?;
        // A socket's directory is not parted.
        let hosts: Vec<&str> = at.host.split(',').collect();
        let mut reasons = Vec::new();
        for host in hosts {
            match log_in(at, host, password) {
                Ok(session) => return Ok(Self { state, database_name: &at.database, database: Ok(session) }),
                Err(reason) => reasons.push(format!("{}: {reason}", probe::authority(host, at.port))),
            }
        }
        let reasons = reasons.join("; ");
        if database.bundled {
            return Err(Error::environment(
                format!("launch cannot look into the database {} at {reasons}", at.database),
                "look at PostgreSQL's log (`docker compose logs postgres`); Synapse could not use it either",
            ));
        }
        Ok(Self { state, database_name: &at.database, database: Err(reasons) })
    }
}

fn log_in(at: &Database, host: &str, password: &Value) -> std::result::Result<Box<dyn Ask>, String> {
    let mut session = Session::open(at, host, password.expose(), CONNECT, ANSWER)?;
    session.ask(SETTINGS)?;
    // Of several hosts Synapse takes the one that takes writes.
    if at.host.contains(',') && !session.ask("SELECT 1 WHERE pg_is_in_recovery()")?.is_empty() {
        return Err("it takes no writes".to_owned());
    }
    Ok(Box::new(session))
}
