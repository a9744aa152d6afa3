//! `launch`, the entry point of every image: makes a container ready, becomes its service, and asks whether it is well.
//! Parses arguments, calls a verb, prints errors; the plan that `synapse-site` rendered into the image says everything else.

use std::path::PathBuf;
use std::process::ExitCode;

use synapse_site::deploy::secrets;
use synapse_site::error::{Error, Result};

mod admin;
mod certificate;
mod connection;
mod files;
mod guard;
mod health;
mod lock;
mod place;
mod postgres;
mod probe;
mod program;
mod scram;
mod session;
mod signals;
mod start;
mod stun;
mod synapse_api;
mod template;
mod tls;
mod trust;
mod values;
mod wait;

use place::Paths;
use signals::Stop;

const HELP: &str = "\
The entry point of synapse-site's images.

Usage:
  launch run ROLE             make the container ready and become the service of that role
  launch health ROLE          ask the service of that role whether it is well: exit code 0 or 1
  launch admin                make the site's administrators in the running Synapse
  launch check-password NAME  ask for the password of a login name, and say whether the pepper fits
  launch accept SECRET        take the signing key or the pepper of now for the site's own (`server_name`: the name), for
                              when the earlier one is lost for good
  launch secrets init [DIR]   make missing secrets in DIR (/secrets) and say which ones to bring; --json for programs

Example: make the secrets of a site with nothing but its image
  mkdir -m 0700 secrets
  docker run --rm --user $(id -u):$(id -g) -v $PWD/secrets:/secrets IMAGE secrets init

Exit codes: 0 done, 1 start refused (what lies on the volume contradicts the site), 2 usage,
3 something is missing (a secret, a volume, a service that does not answer), 128 + N stopped by signal N.
";

/// Where `secrets init` writes inside a container.
const SECRETS_MOUNT: &str = "/secrets";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("launch: {error}");
            // Container engines know 0 and 1 of a health check, nothing else.
            ExitCode::from(if arguments.first() == Some(&"health") { 1 } else { error.exit_code() })
        }
    }
}

fn dispatch(arguments: &[&str]) -> Result<()> {
    let place = Paths::from_environment();
    match arguments {
        [.., "--help" | "-h"] | ["help"] => {
            print!("{HELP}");
            Ok(())
        }
        ["--version"] => {
            println!("launch {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        ["run", role] => {
            let stop = Stop::install()?;
            start::run(&place, &place.load()?, role, &stop)
        }
        ["health", role] => health::check(&place, &place.load()?, role),
        ["admin"] => {
            let stop = Stop::install()?;
            admin::run(&place, &place.load()?, &stop)
        }
        ["check-password", name] => {
            let _stop = Stop::install()?;
            with_the_guard(&place, |site, places| guard::check_password(site, places, name))
        }
        ["accept", what] => {
            let _stop = Stop::install()?;
            with_the_guard(&place, |site, places| guard::accept(site, places, what))
        }
        ["secrets", "init", rest @ ..] => {
            // As process 1 of a container it would otherwise ignore signals. A kill at any moment leaves nothing half done.
            let _stop = Stop::install()?;
            init_secrets(&place, rest)
        }
        [] => Err(usage("a verb is missing")),
        ["run" | "health"] => Err(usage("a role is missing")),
        ["check-password"] => Err(usage("a login name is missing")),
        ["accept"] => Err(usage("the name of a secret is missing")),
        [verb @ ("run" | "health" | "admin" | "check-password" | "accept"), ..] => Err(usage(&format!("too many arguments for {verb}"))),
        ["secrets", ..] => Err(usage("`secrets` knows `init` only")),
        [verb, ..] => Err(usage(&format!("there is no verb {verb:?}"))),
    }
}

fn usage(problem: &str) -> Error {
    Error::Usage(format!("{problem}\n\n{HELP}"))
}

/// For what is done beside a main process that does not start.
fn with_the_guard(place: &Paths, work: impl FnOnce(&guard::Site, &mut guard::Places) -> Result<()>) -> Result<()> {
    let plan = place.load()?;
    let (guarded, values) = guard::find(&plan, &place.secrets)?;
    work(&guard::Site::of(&plan, guarded, &values)?, &mut guard::Places::open(guarded, &values)?)
}

fn init_secrets(place: &Paths, arguments: &[&str]) -> Result<()> {
    let (options, directories): (Vec<&str>, Vec<&str>) = arguments.iter().partition(|text| text.starts_with('-'));
    if let Some(unknown) = options.iter().find(|option| **option != "--json") {
        return Err(usage(&format!("`secrets init` has no option {unknown}")));
    }
    let directory = match directories[..] {
        [] => PathBuf::from(SECRETS_MOUNT),
        [directory] => PathBuf::from(directory),
        _ => return Err(usage("`secrets init` takes one directory")),
    };
    let report = secrets::init(&directory, &place.load()?.secrets)?;
    if options.is_empty() {
        print!("{report}");
    } else {
        let json = serde_json::to_string_pretty(&report);
        let json = json.map_err(|error| Error::environment(error.to_string(), "run this without --json"))?;
        println!("{json}");
    }
    report.outcome()
}
