//! Whether the pepper fits: with one login name and its password, and the hash that the database has of it. Synapse 1.163,
//! `AuthHandler.validate_hash`: bcrypt of the password in the form NFKC and the pepper behind it, of 72 bytes at most.

use std::io::{BufRead as _, IsTerminal as _, Write as _, stdin};

use icu_normalizer::ComposingNormalizerBorrowed;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use synapse_site::error::{Error, Result};

use super::{Now, Places, Seen, Settled, Site};
use crate::session::literal;
use crate::values::Value;

/// bcrypt sees no more.
const LONGEST: usize = 72;
/// Fewer bytes of the pepper within bcrypt's sight say nothing.
const ENOUGH: usize = 8;

/// Asks for the password of a login name, and says whether the pepper fits; if it does, the markers know it from then on.
pub fn check_password(site: &Site, places: &mut Places, name: &str) -> Result<()> {
    let now = Now::of(site)?;
    let Some(pepper) = site.pepper else {
        return Err(Error::environment("this site has no passwords of its own", "only with `authentication.method: local` they are Synapse's"));
    };
    let user = if name.starts_with('@') { name.to_owned() } else { format!("@{name}:{}", site.server_name) };
    let database = match &mut places.database {
        Ok(database) => database,
        Err(reason) => {
            return Err(Error::environment(format!("the database {} cannot be looked into: {reason}", places.database_name), "start PostgreSQL first"));
        }
    };
    let rows = database
        .ask(&format!("SELECT password_hash FROM users WHERE name = {}", literal(&user)))
        .map_err(|reason| Error::environment(format!("the database {} cannot be asked: {reason}", places.database_name), "restore the database first"))?;
    let hash = match rows.into_iter().next().and_then(|row| row.into_iter().next()) {
        None => {
            return Err(Error::environment(
                format!("there is no account {user} in the database {}", places.database_name),
                "take the login name of somebody who has one",
            ));
        }
        Some(None) => return Err(Error::environment(format!("{user} has no password"), "take the login name of somebody who has one")),
        Some(Some(hash)) => hash,
    };
    let password = ask_password(&user)?;
    let password = normal(password.expose());
    if password.len() + ENOUGH > LONGEST && !pepper.expose().is_empty() {
        return Err(Error::environment("that password is so long that the pepper makes no difference", "take somebody with a shorter password"));
    }
    if !fits(&password, pepper.expose(), &hash) {
        let without = fits(&password, "", &hash);
        let remedy = if without {
            "write `authentication: { pepper: false }` into the description, and build again".to_owned()
        } else {
            format!(
                "type the password again; if it is right, bring the pepper of the earlier site (`password_config.pepper` of its homeserver.yaml) as secrets/{}, \
                 then ask again, and `docker compose up -d --force-recreate`",
                site.pepper_secret.unwrap_or("password_pepper")
            )
        };
        let what = if without {
            format!("the password of {user} was hashed without a pepper")
        } else {
            format!("the password of {user} and this pepper do not give the hash in the database: one of the two is wrong")
        };
        return Err(Error::refused(what, remedy));
    }
    let mut seen = Seen::look(&now, places)?;
    seen.record(&now, Settled { pepper: true, ..Settled::default() }, places)?;
    println!("launch: the pepper fits; a Synapse that was started with another one takes it with `docker compose up -d --force-recreate`");
    Ok(())
}

/// The password from the terminal, which does not show it, or one line of standard input.
fn ask_password(user: &str) -> Result<Value> {
    let input = stdin();
    let failed = |error: std::io::Error| Error::environment(format!("the password cannot be read: {error}"), "type it, or give it on standard input");
    let before = if input.is_terminal() {
        eprint!("Password of {user}: ");
        std::io::stderr().flush().map_err(failed)?;
        let before = tcgetattr(&input).map_err(|error| failed(error.into()))?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&input, OptionalActions::Flush, &silent).map_err(|error| failed(error.into()))?;
        Some(before)
    } else {
        None
    };
    let mut line = String::new();
    let read = input.lock().read_line(&mut line);
    if let Some(before) = before {
        eprintln!();
        tcsetattr(&input, OptionalActions::Flush, &before).map_err(|error| failed(error.into()))?;
    }
    read.map_err(failed)?;
    let line = line.trim_end_matches(['\n', '\r']);
    if line.is_empty() {
        return Err(Error::environment("no password was given", "type it, or give it on standard input"));
    }
    Ok(Value::new(line.to_owned()))
}

fn normal(password: &str) -> String {
    ComposingNormalizerBorrowed::new_nfkc().normalize(password).into_owned()
}

fn fits(password: &str, pepper: &str, hash: &str) -> bool {
    let mut bytes = [password.as_bytes(), pepper.as_bytes()].concat();
    bytes.truncate(LONGEST);
    bcrypt::verify(bytes, hash).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_of_synapse_are_understood() {
        // By the bcrypt of Synapse's image, with 4 rounds.
        let long = "0123456789abcdef".repeat(4);
        let hash = "$2b$04$aCYTCiwOYaM0MNGVpsM6gOvZhFM3aKTp98l6pVW4M3oJg9NrNc0GC";
        assert!(fits("correct horse", &long, hash));
        assert!(!fits("correct horse", "", hash) && !fits("wrong horse", &long, hash) && !fits("correct horse", &long, "nothing"));
        assert!(fits(&normal("\u{fb01}sch a\u{308}"), "pepper", "$2b$04$rFmabe6VnBlbiJidRmjCz.FmZYHMTgXvooAUVGVYQUGtwD7cp3xRO"));
        assert!(fits("only", "", "$2b$04$uT0PGoHLk4y0Juo5lWiFEOQfv/PyO.doE5KaMMN2g3lYmpSXocgl."));
    }

    #[test]
    fn passwords_are_brought_into_the_form_that_synapse_hashes() {
        assert_eq!(normal("\u{fb01}sch a\u{308}"), "fisch ä");
    }
}
