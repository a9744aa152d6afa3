//! `launch health ROLE`: asks the service in this container whether it is well, the way its plan says. The answer is an
//! exit code for the container engine, and one line for people when it is bad.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use synapse_site::error::{Error, Result};
use synapse_site::launch::{Health, Plan, Role};

use crate::place::{self, Paths};
use crate::probe::{self, Answer};
use crate::values::{Secrets, Value};
use crate::{session, stun};

/// Longer than this, no answer is a bad answer; container engines wait longer by default.
pub const LIMIT: Duration = Duration::from_secs(5);
/// Time for one network operation, so that its own message arrives before the overall limit.
const STEP: Duration = Duration::from_secs(4);
/// The same for what the service needs, which is asked first.
const SHORT_STEP: Duration = Duration::from_secs(2);

/// Asks the role's service.
pub fn check(place: &Paths, plan: &Plan, name: &str) -> Result<()> {
    let role = place::role(plan, name)?;
    let (role, health) = role
        .health
        .clone()
        .map(|health| (role.clone(), health))
        .ok_or_else(|| Error::environment(format!("the role {name:?} has no health check"), "leave the health check of its container out"))?;
    let secrets = place.secrets.clone();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        // Nobody listens any more when the limit has passed.
        let _late = sender.send(surroundings(&role, &secrets).and_then(|()| ask(&health, &secrets)));
    });
    let answer = receiver.recv_timeout(LIMIT).unwrap_or_else(|_| Err(format!("there was no answer within {} s", LIMIT.as_secs())));
    answer.map_err(|reason| Error::environment(format!("{name} is not well: {reason}"), "look at the service's log"))
}

/// What the service cannot do without: room on its disks, what it talks to, and a database that takes writes. A service that answers
/// while one of these is missing is not well.
fn surroundings(role: &Role, secrets: &Path) -> Answer {
    for (directory, least) in &role.space {
        space(Path::new(directory), *least)?;
    }
    for need in &role.needs {
        probe::ask(&need.probe, SHORT_STEP).map_err(|reason| format!("{} does not answer: {reason}", need.name))?;
    }
    let Some(database) = &role.database else { return Ok(()) };
    let name = database.password_secret.as_str();
    let values = Secrets::require(secrets, Some(name)).map_err(|error| error.to_string())?;
    let password = values.get(name).map_err(|error| error.to_string())?;
    session::write(database, password.expose(), SHORT_STEP).map_err(|reason| format!("PostgreSQL takes no writes: {reason}"))
}

/// Whether the file system of a directory has so many bytes left for this user.
fn space(directory: &Path, least: u64) -> Answer {
    let shown = directory.display();
    let found = rustix::fs::statvfs(directory).map_err(|error| format!("the space left in {shown} cannot be read: {error}"))?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    if free < least {
        return Err(format!("the disk is almost full: {} MiB are left in {shown}, and it should have {} MiB at least", free >> 20, least >> 20));
    }
    // File systems without a fixed number of files say 0.
    if found.f_files > 0 && found.f_favail == 0 {
        return Err(format!("the disk of {shown} has room, and no inode is left for another file"));
    }
    Ok(())
}

fn ask(health: &Health, secrets: &Path) -> Answer {
    const OWN: &str = "127.0.0.1";
    match health {
        Health::Http { port, path } => probe::http(OWN, *port, path, STEP),
        Health::Tcp { port } => probe::connect(OWN, *port, STEP).map(drop),
        Health::Postgres { socket, port } => probe::postgres(socket, *port, "postgres", "postgres", None, STEP),
        Health::Stun { host, port } => stun::ask(host, *port, STEP),
        Health::Redis { port, password_secret } => {
            let names = password_secret.as_deref();
            let values = Secrets::require(secrets, names).map_err(|error| error.to_string())?;
            let password = names.map(|name| values.get(name)).transpose().map_err(|error| error.to_string())?;
            redis(*port, password)
        }
    }
}

/// `AUTH` when there is a password, then `PING` (Redis serialization protocol 2).
fn redis(port: u16, password: Option<&Value>) -> Answer {
    let stream = probe::connect("127.0.0.1", port, STEP)?;
    let mut reader = BufReader::new(&stream);
    let mut say = |words: &[&str]| -> std::result::Result<String, String> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        let mut line = String::new();
        (&stream)
            .write_all(request.as_bytes())
            .and_then(|()| std::io::Read::take(&mut reader, 1024).read_line(&mut line))
            .map_err(|error| error.to_string())?;
        Ok(line.trim_end().to_owned())
    };
    if let Some(password) = password {
        let reply = say(&["AUTH", password.expose()])?;
        if reply != "+OK" {
            return Err(format!("the password of its secret is not accepted: {reply}"));
        }
    }
    match say(&["PING"])?.as_str() {
        "+PONG" => Ok(()),
        "" => Err("it closed the connection without an answer".into()),
        reply => Err(format!("it answered {reply}")),
    }
}
