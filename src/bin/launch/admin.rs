//! `launch admin`: makes the site's administrators. A new account is registered with the shared secret. An account that
//! exists already cannot be changed that way, nor can limits be lifted for a program's, so a temporary administrator is
//! registered, does that, and is closed again, whatever happened in between.

use std::time::Duration;

use synapse_site::deploy::secrets::generate;
use synapse_site::error::{Error, Result};
use synapse_site::launch::{Admin, AdminUser, Plan, Probe, Wait};

use crate::place::Paths;
use crate::signals::Stop;
use crate::synapse_api::{BOT, Failure, Registration, Synapse};
use crate::values::{Secrets, Value};
use crate::wait;

/// How long Synapse may take to come up.
const DEADLINE: Duration = Duration::from_secs(120);
const IN_USE: &str = "M_USER_IN_USE";

/// Makes every administrator of the plan, prints a line for each, and fails with everything that did not work.
pub fn run(place: &Paths, plan: &Plan, stop: &Stop) -> Result<()> {
    let admin = plan.admin.as_ref().ok_or_else(|| {
        Error::environment("this image's plan names no administrators", "list them in the site's `administrators`, and run this in the Synapse image")
    })?;
    let names = admin.users.iter().filter_map(|user| user.password_secret.as_deref());
    let values = Secrets::require(&place.secrets, names.chain([admin.registration_secret.as_str()]))?;
    let probe = Probe::Http { host: admin.host.clone(), port: admin.port, path: "/health".into() };
    wait::for_all(&[Wait { name: "Synapse".into(), probe }], DEADLINE)?;

    let site = Work {
        admin,
        server_name: &plan.server_name,
        synapse: Synapse::new(&admin.host, admin.port),
        secret: values.get(&admin.registration_secret)?,
        values: &values,
    };
    let mut failures = Vec::new();
    let existing = site.register_all(&mut failures)?;
    if !existing.is_empty() || admin.users.iter().any(|user| user.bot) {
        // A signal now would leave a temporary administrator behind.
        let _unfinished = stop.finish_first();
        site.finish_all(&existing, stop, &mut failures)?;
    }
    stop.give_way();
    if failures.is_empty() {
        return Ok(());
    }
    Err(Error::environment(
        failures.join("\n       "),
        "mend what is named above and run this again, it changes only what is still missing \
         (`HMAC incorrect` means that Synapse runs with another registration secret: recreate its container)",
    ))
}

struct Work<'a> {
    admin: &'a Admin,
    server_name: &'a str,
    synapse: Synapse,
    secret: &'a Value,
    values: &'a Secrets,
}

impl Work<'_> {
    /// Registers every user; gives those that exist already.
    fn register_all(&self, failures: &mut Vec<String>) -> Result<Vec<&AdminUser>> {
        let mut existing = Vec::new();
        for user in &self.admin.users {
            let unknown;
            let password = match &user.password_secret {
                Some(name) => self.values.get(name)?,
                None => {
                    unknown = Value::new(generate::unknown_password()?);
                    &unknown
                }
            };
            let wanted = Registration { localpart: &user.localpart, password, user_type: user.bot.then_some(BOT), log_in: false };
            match self.synapse.register_administrator(self.secret, &wanted) {
                Ok(registered) => {
                    // Asked not to, Synapse opens no session; one that is open all the same is closed.
                    if let Some(Err(failure)) = registered.access_token.map(|token| self.synapse.log_out(&token)) {
                        failures.push(format!("a session of {} is left open: {}", registered.user_id, failure.message));
                    }
                    println!("{}: account made, an administrator. {}", registered.user_id, how_a_new_account_logs_in(user));
                }
                Err(Failure { code, .. }) if code == IN_USE => existing.push(user),
                Err(failure) => failures.push(format!("{}: {}", self.user_id(user), failure.message)),
            }
        }
        Ok(existing)
    }

    /// Does through a temporary administrator what the shared secret is not enough for: existing accounts get their rights, and
    /// programs their freedom.
    fn finish_all(&self, existing: &[&AdminUser], stop: &Stop, failures: &mut Vec<String>) -> Result<()> {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let localpart = format!("setup-{}", generate::characters(LETTERS, 12)?);
        let password = Value::new(generate::unknown_password()?);
        // A bot: no consent to ask for, and no person in the counts of users.
        let wanted = Registration { localpart: &localpart, password: &password, user_type: Some(BOT), log_in: true };
        let temporary = match self.synapse.register_administrator(self.secret, &wanted) {
            Ok(temporary) => temporary,
            Err(failure) => {
                failures.push(format!("the temporary administrator {localpart}: {}", failure.message));
                return Ok(());
            }
        };
        let Some(token) = &temporary.access_token else {
            failures.push(format!("Synapse gave no session to the temporary administrator {}: deactivate that account by hand", temporary.user_id));
            return Ok(());
        };
        for user in existing.iter().take_while(|_| !stop.is_requested()) {
            let user_id = self.user_id(user);
            match self.promote(token, &user_id) {
                Ok(what) => println!("{user_id}: {what}. {}", how_an_older_account_logs_in(user)),
                Err(failure) => failures.push(format!("{user_id}: {}", failure.message)),
            }
        }
        for bot in self.admin.users.iter().filter(|user| user.bot).take_while(|_| !stop.is_requested()) {
            let user_id = self.user_id(bot);
            match self.free(token, &user_id) {
                Ok(()) => println!("{user_id}: a program, without rate limits"),
                Err(failure) => failures.push(format!("{user_id}: {}", failure.message)),
            }
        }
        if let Err(failure) = self.synapse.deactivate(token, &temporary.user_id) {
            failures.push(format!("the temporary administrator {} is still there, deactivate it by hand: {}", temporary.user_id, failure.message));
        }
        Ok(())
    }

    fn promote(&self, token: &Value, user_id: &str) -> std::result::Result<&'static str, Failure> {
        let account = self.synapse.account(token, user_id)?;
        if account.deactivated {
            let message = "the account is deactivated; reactivate it, or name another administrator".to_owned();
            return Err(Failure { code: String::new(), message });
        }
        if account.admin {
            return Ok("already an administrator");
        }
        self.synapse.promote(token, user_id)?;
        Ok("the account was there, now an administrator")
    }

    /// A program is asked to agree to no policy, and answers many people at once.
    fn free(&self, token: &Value, user_id: &str) -> std::result::Result<(), Failure> {
        if self.synapse.account(token, user_id)?.user_type.as_deref() != Some(BOT) {
            self.synapse.make_bot(token, user_id)?;
        }
        self.synapse.lift_limits(token, user_id)
    }

    /// Synapse registers localparts in lower case.
    fn user_id(&self, user: &AdminUser) -> String {
        format!("@{}:{}", user.localpart.to_lowercase(), self.server_name)
    }
}

fn how_a_new_account_logs_in(user: &AdminUser) -> String {
    match &user.password_secret {
        Some(secret) => format!("Its first password is in the secret {secret}."),
        None => format!("Log in as {} the way everybody does here.", user.localpart),
    }
}

/// Whether this account has the password of the secret is not known: an earlier run may have made it, or a person.
fn how_an_older_account_logs_in(user: &AdminUser) -> String {
    match &user.password_secret {
        Some(secret) => format!(
            "Its password was not changed: the secret {secret} opens it only if this command made the account and nobody has changed the password since."
        ),
        None => format!("Log in as {} the way everybody does here.", user.localpart),
    }
}
