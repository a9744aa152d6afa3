//! PostgreSQL's volume before its start: initialises an empty one, refuses one of another major version, and lets the
//! role's password follow its secret. The cluster is made under another name and renamed when it is complete, so that a
//! start which is cut short leaves nothing that looks like a cluster.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use synapse_site::error::{Error, Result};
use synapse_site::files::{read, read_text};

use crate::lock::{self, Lock};
use crate::signals::Stop;
use crate::values::Value;
use crate::{files, program, scram};

/// What the plan says about the cluster.
pub struct Cluster<'a> {
    /// The volume; the cluster lives in `data`, and is made in `data.new`.
    pub volume: &'a Path,
    /// The image's major version.
    pub major: u32,
    /// The role that owns the database.
    pub user: &'a str,
    /// The database.
    pub database: &'a str,
}

/// A hundred times what a marker or PG_VERSION has.
const MAX_BYTES: u64 = 64 * 1024;
/// A FIFO in the place of the lock is not waited for, and no link leads to another file.
const NEVER_WAIT: OFlags = OFlags::NONBLOCK.union(OFlags::NOFOLLOW);

type Environment = BTreeMap<String, String>;

/// What was last set in the cluster; lies beside it on the volume. A verifier is no more secret than the cluster itself,
/// which holds the same one.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Marker {
    user: String,
    database: String,
    verifier: String,
}

impl Cluster<'_> {
    /// Makes the volume ready for the server. What lies there and cannot be used is a refusal that says how to go on.
    pub fn prepare(&self, password: &Value, password_path: &Path, env: &Environment, stop: &Stop) -> Result<()> {
        self.check_names()?;
        let password = password.expose();
        if !password.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(Error::environment(
                format!("the password of the role {} has characters other than printable ASCII", self.user),
                format!("write another password into {} (PostgreSQL would transform this one)", password_path.display()),
            ));
        }
        if rustix::process::geteuid().is_root() {
            return Err(Error::environment("PostgreSQL does not run as root", "start the container as the image's own user, without `--user 0`"));
        }
        self.lock()?;
        files::sweep(self.volume)?;
        match self.found()? {
            State::Empty => self.initialise(password, env, stop),
            State::Cluster => self.follow_secret(password, env, stop),
        }
    }

    fn data(&self) -> PathBuf {
        self.volume.join("data")
    }

    fn marker(&self) -> PathBuf {
        self.volume.join("launch.json")
    }

    fn check_names(&self) -> Result<()> {
        for (what, name) in [("role", self.user), ("database", self.database)] {
            let reserved = name == "postgres" || name.starts_with("template") || name.starts_with("pg_");
            if name.is_empty() || name.chars().any(char::is_control) || reserved {
                return Err(Error::environment(
                    format!("{name:?} cannot be the name of Synapse's {what}: PostgreSQL keeps it for itself"),
                    "choose another name in the site's `database` section, such as `synapse`",
                ));
            }
        }
        Ok(())
    }

    /// Keeps a second container away from the volume for as long as this process, and the server it becomes, lives.
    /// PostgreSQL's own lock file holds a process number, which says nothing in another container.
    fn lock(&self) -> Result<()> {
        let path = self.volume.join("launch.lock");
        let failed = |error: std::io::Error| Error::io("lock", &path, &error);
        if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
            return Err(Error::environment(format!("{} is not a regular file", path.display()), "remove it from the volume, and start again"));
        }
        let mut options = OpenOptions::new();
        options.create(true).append(true).mode(0o600).custom_flags(NEVER_WAIT.bits().cast_signed());
        let file = options.open(&path).map_err(failed)?;
        match lock::for_life(file).map_err(failed)? {
            Lock::Taken => Ok(()),
            Lock::Elsewhere => Err(Error::environment(
                format!("another container uses the volume {}", self.volume.display()),
                "stop that container first; two servers on one volume destroy the data",
            )),
        }
    }

    fn found(&self) -> Result<State> {
        let volume = self.volume.display();
        let data = self.data();
        if self.volume.join("PG_VERSION").exists() {
            return Err(Error::refused(
                format!("the volume {volume} holds a PostgreSQL cluster of another image at its top"),
                "mount an empty volume and restore a dump of that cluster into it (pg_dump, then pg_restore)",
            ));
        }
        let version = match read_text(&data.join("PG_VERSION"), MAX_BYTES) {
            Ok(version) => version,
            Err(problem) if problem.is_missing() => {
                return match fs::read_dir(&data).map(|mut entries| entries.next().is_none()) {
                    Ok(true) => Ok(State::Empty),
                    Err(error) if error.kind() == ErrorKind::NotFound => Ok(State::Empty),
                    Ok(false) => Err(Error::refused(
                        format!("{} holds files but no PostgreSQL cluster (there is no PG_VERSION)", data.display()),
                        "restore the volume from a backup, or mount an empty one",
                    )),
                    Err(error) => Err(Error::io("look into", &data, &error)),
                };
            }
            Err(problem) => return Err(problem.error("read PG_VERSION in", &data)),
        };
        let found = version.trim();
        if found == self.major.to_string() {
            return Ok(State::Cluster);
        }
        Err(Error::refused(
            format!(
                "the volume {volume} was made by PostgreSQL {found}, and this image brings PostgreSQL {}; \
                 nothing was changed",
                self.major
            ),
            format!(
                "go back to the images with PostgreSQL {found}, which work on as before; to move, dump there (stop Synapse, \
                 then `docker compose exec -T postgres pg_dump -U postgres --format=custom {db} > {db}.dump`), keep the \
                 old volume, start the new images on an empty one, and restore before Synapse starts \
                 (`docker compose exec -T postgres pg_restore -U postgres --no-owner --role={user} -d {db} < {db}.dump`)",
                db = self.database,
                user = self.user,
            ),
        ))
    }

    fn initialise(&self, password: &str, env: &Environment, stop: &Stop) -> Result<()> {
        let fresh = self.volume.join("data.new");
        if fresh.exists() {
            eprintln!("launch: removing {}, left by a start that was cut short", fresh.display());
            fs::remove_dir_all(&fresh).map_err(|error| Error::io("remove", &fresh, &error))?;
        }
        eprintln!("launch: initialising a PostgreSQL {} cluster in {}", self.major, self.data().display());
        let initdb = program::find("initdb", env)?;
        let mut command = program::command(&initdb, "initdb", env);
        command.env("LC_ALL", "C").arg("-D").arg(&fresh).args([
            "--encoding=UTF8",
            "--locale=C",
            "--auth-local=peer",
            "--auth-host=scram-sha-256",
            "--username=postgres",
            "--data-checksums",
            "--no-instructions",
        ]);
        succeeded("initdb", stop.run(&mut command, ""))?;
        let made = fs::read_to_string(fresh.join("PG_VERSION"));
        let made = made.map_err(|error| Error::io("read PG_VERSION in", &fresh, &error))?;
        if made.trim() != self.major.to_string() {
            return Err(Error::environment(
                format!("initdb of this image is version {}, and its plan says {}", made.trim(), self.major),
                "build the images again; this is a fault of synapse-site, please report it",
            ));
        }
        let marker = self.new_marker(password)?;
        let statements = [
            format!("CREATE ROLE {} LOGIN PASSWORD {}", identifier(self.user), literal(&marker.verifier)),
            format!(
                "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'",
                identifier(self.database),
                identifier(self.user)
            ),
        ];
        single_user(&fresh, &statements, env, stop)?;
        // `data` may exist as an empty directory; rename replaces it.
        fs::rename(&fresh, self.data()).map_err(|error| Error::io("rename into place", &fresh, &error))?;
        files::sync_directory(self.volume).map_err(|error| Error::io("write", self.volume, &error))?;
        self.write_marker(&marker)
    }

    /// Sets the role's password again when the secret is not the one of the last start.
    fn follow_secret(&self, password: &str, env: &Environment, stop: &Stop) -> Result<()> {
        let marker = self.read_marker()?;
        let current =
            marker.as_ref().is_some_and(|marker| marker.user == self.user && marker.database == self.database && scram::matches(&marker.verifier, password));
        if current {
            return Ok(());
        }
        eprintln!("launch: setting the password of the PostgreSQL role {} to the secret's", self.user);
        let renewed = self.new_marker(password)?;
        let statements = [
            format!("ALTER ROLE {} LOGIN PASSWORD {}", identifier(self.user), literal(&renewed.verifier)),
            // Fails when there is no such database, and changes nothing when there is.
            format!("ALTER DATABASE {} OWNER TO {}", identifier(self.database), identifier(self.user)),
        ];
        match (single_user(&self.data(), &statements, env, stop), marker) {
            (Ok(()), _) => self.write_marker(&renewed),
            (Err(Error::Environment { what, .. }), Some(old)) if (old.user.as_str(), old.database.as_str()) != (self.user, self.database) => {
                Err(Error::refused(
                    format!(
                        "the cluster was made for the role {} and the database {}, and the site names {} and {} now: {what}",
                        old.user, old.database, self.user, self.database
                    ),
                    "write the old names into the site's `database` section again, or rename first while the old site \
                     runs (ALTER ROLE … RENAME TO …, ALTER DATABASE … RENAME TO …)",
                ))
            }
            (Err(error), _) => Err(error),
        }
    }

    fn new_marker(&self, password: &str) -> Result<Marker> {
        let mut salt = [0; scram::SALT_BYTES];
        getrandom::fill(&mut salt)
            .map_err(|error| Error::environment(format!("the operating system gives no random numbers: {error}"), "allow the getrandom system call"))?;
        let verifier = scram::verifier(password, &salt, scram::ITERATIONS);
        Ok(Marker { user: self.user.into(), database: self.database.into(), verifier })
    }

    fn read_marker(&self) -> Result<Option<Marker>> {
        let path = self.marker();
        match read(&path, MAX_BYTES) {
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(marker) => Ok(Some(marker)),
                Err(error) => {
                    // Nothing is lost: setting the password again writes a new one.
                    eprintln!("launch: {} is damaged and will be written again: {error}", path.display());
                    Ok(None)
                }
            },
            Err(problem) if problem.is_missing() => Ok(None),
            Err(problem) => Err(problem.error("read", &path)),
        }
    }

    fn write_marker(&self, marker: &Marker) -> Result<()> {
        let path = self.marker();
        let text = serde_json::to_vec_pretty(marker).map_err(|error| Error::io("write", &path, &error.into()))?;
        files::replace(&path, &text, files::Durable::Yes)
    }
}

enum State {
    Empty,
    Cluster,
}

/// Runs statements in single-user mode, where no network listens and no password is needed. They go through standard
/// input, one a line, and logging of statements is off whatever the cluster's configuration says.
fn single_user(data: &Path, statements: &[String], env: &Environment, stop: &Stop) -> Result<()> {
    let postgres = program::find("postgres", env)?;
    let mut command = program::command(&postgres, "postgres", env);
    command.env("LC_ALL", "C").arg("--single").arg("-D").arg(data);
    for setting in [
        "exit_on_error=on",
        "log_min_error_statement=panic",
        "log_statement=none",
        "log_min_duration_statement=-1",
        "log_duration=off",
        "log_destination=stderr",
        "logging_collector=off",
        "shared_preload_libraries=",
    ] {
        command.args(["-c", setting]);
    }
    command.arg("postgres");
    let input: String = statements.iter().map(|statement| format!("{statement}\n")).collect();
    succeeded("PostgreSQL in single-user mode", stop.run(&mut command, &input))
}

/// Turns a failed program into an error with the last lines that it wrote.
fn succeeded(name: &str, output: std::io::Result<Output>) -> Result<()> {
    let output = output.map_err(|error| Error::environment(format!("cannot run {name}: {error}"), "build the images again; this one lacks a program"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(10)..].join("\n         ");
    Err(Error::environment(
        format!("{name} failed ({}):\n         {last}", output.status),
        "mend what the lines above name (often: no space, or a volume that belongs to another user) and start again",
    ))
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_quoted() {
        assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("a'b"), "'a''b'");
    }

    #[test]
    fn reserved_and_unprintable_names_are_refused() {
        for name in ["postgres", "template1", "pg_x", "", "a\nb"] {
            let cluster = Cluster { volume: Path::new("/v"), major: 17, user: name, database: "synapse" };
            assert!(cluster.check_names().is_err(), "{name:?}");
        }
        let cluster = Cluster { volume: Path::new("/v"), major: 17, user: "synapse", database: "synapse" };
        assert!(cluster.check_names().is_ok());
    }
}
