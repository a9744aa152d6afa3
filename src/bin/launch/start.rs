//! `launch run ROLE`: checks that everything is there, completes files, waits, prepares, and becomes the service. Whatever
//! can be wrong with the surroundings is checked first and reported all at once.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::time::Duration;

use synapse_site::error::{Error, Result};
use synapse_site::launch::{Plan, Prepare, Role};

use crate::lock::{self, Lock};
use crate::place::Paths;
use crate::signals::Stop;
use crate::values::{self, Secrets};
use crate::{files, guard, place, postgres, program, template, trust, wait};

/// Starts a role. It returns only if the service could not be started.
pub fn run(place: &Paths, plan: &Plan, name: &str, stop: &Stop) -> Result<()> {
    let role = place::role(plan, name)?;
    let Some((program_name, arguments)) = role.exec.split_first() else {
        return Err(Error::environment(format!("the plan's role {name:?} starts nothing"), "build the images again"));
    };
    let program = program::find(program_name, &role.env)?;
    let values = check(place, role)?;

    // All files are completed before the first is written: a value that does not fit is found before anything happens.
    let completed = role.files.iter().map(|template| template::complete(template, &place.run, &values)).collect::<Result<Vec<_>>>()?;
    completed.iter().try_for_each(|file| file.write(&place.run))?;

    let mut environment = role.env.clone();
    if let Some(trust) = &role.trust {
        environment.insert("SSL_CERT_FILE".to_owned(), trust::gather(trust, &place.run)?);
    }

    wait::for_all(&role.wait, Duration::from_secs(role.deadline_seconds))?;
    match &role.prepare {
        None => {}
        Some(Prepare::Postgres { volume, major, user, database, password_secret }) => {
            let cluster = postgres::Cluster { volume: volume.as_ref(), major: *major, user, database };
            cluster.prepare(values.get(password_secret)?, &values.path(password_secret), &role.env, stop)?;
        }
        Some(Prepare::Synapse(guarded)) => {
            let site = guard::Site::of(plan, guarded, &values)?;
            alone(&site.signing_key_path)?;
            guard::check(&site, &mut guard::Places::open(guarded, &values)?)?;
        }
    }
    stop.give_way();
    let error = program::command(&program, program_name, &environment).args(arguments).exec();
    Err(Error::environment(format!("cannot execute {}: {error}", program.display()), "check that the image is built for this machine's architecture"))
}

/// Refuses a second main process with the same file of the signing key, such as that of another project in the same directory.
/// What cannot be locked (a directory on NFS) is not looked at: most second sites are on volumes of their own anyway.
fn alone(signing_key: &Path) -> Result<()> {
    match File::open(signing_key).and_then(lock::for_life) {
        Ok(Lock::Elsewhere) => Err(Error::refused(
            format!("another container on this machine runs Synapse with the signing key {}", signing_key.display()),
            "stop that container first (`docker ps` lists it): two servers of one name damage each other's rooms",
        )),
        Ok(Lock::Taken) | Err(_) => Ok(()),
    }
}

/// Looks at all secrets and all directories, and reports everything that is missing in one error.
fn check(place: &Paths, role: &Role) -> Result<Secrets> {
    let mut problems = Vec::new();
    let names: BTreeSet<&str> = role.secrets.iter().map(String::as_str).chain(secrets_to_prepare(role)).collect();
    let secrets = Secrets::read(&place.secrets, names, &mut problems);
    let without_secrets = problems.len();
    let run = (!role.files.is_empty() || role.trust.is_some()).then_some(place.run.as_path());
    let directories = role.writable.iter().map(std::path::Path::new).chain(run);
    let mut seen = Vec::new();
    for directory in directories {
        if !seen.contains(&directory) {
            problems.extend(files::unwritable(directory));
            seen.push(directory);
        }
    }
    if problems.is_empty() {
        return Ok(secrets);
    }
    let mounts = "mount the directories as the generated compose file does";
    let remedy = match (without_secrets, problems.len() - without_secrets) {
        (_, 0) => values::REMEDY.to_owned(),
        (0, _) => mounts.to_owned(),
        _ => format!("{}; and {mounts}", values::REMEDY),
    };
    Err(Error::environment(problems.join("\n       "), remedy))
}

/// The secrets that the preparation reads, whether the role lists them or not.
fn secrets_to_prepare(role: &Role) -> impl Iterator<Item = &str> {
    let names = match &role.prepare {
        None => [None, None, None],
        Some(Prepare::Postgres { password_secret, .. }) => [Some(password_secret), None, None],
        Some(Prepare::Synapse(guarded)) => {
            let password = guarded.database.as_ref().map(|database| &database.at.password_secret);
            [Some(&guarded.signing_key_secret), guarded.pepper_secret.as_ref(), password]
        }
    };
    names.into_iter().flatten().map(String::as_str)
}
