//! Finds programs as the shell would, so that a missing one is reported before anything is waited for or prepared.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::Access;
use synapse_site::error::{Error, Result};

use crate::place;

/// Where programs are sought when nothing says where: the usual places of the Filesystem Hierarchy Standard.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The file of a program: the name itself when it has a slash, otherwise the first executable file of that name on `PATH`,
/// where the role's own `PATH` comes before the image's.
pub fn find(name: &str, environment: &BTreeMap<String, String>) -> Result<PathBuf> {
    if name.contains('/') {
        let path = PathBuf::from(name);
        return if is_executable(&path) { Ok(path) } else { Err(missing(format!("{name} is not an executable file"))) };
    }
    let path = environment.get("PATH").map(OsString::from).or_else(|| env::var_os("PATH"));
    let path = path.unwrap_or_else(|| USUAL_PATH.into());
    env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|candidate| is_executable(candidate))
        .ok_or_else(|| missing(format!("there is no program {name:?} in {}", path.display())))
}

/// A command that runs a found program under the name it was asked for, with the role's environment.
pub fn command(path: &Path, name: &str, environment: &BTreeMap<String, String>) -> Command {
    let mut command = Command::new(path);
    command.arg0(name).envs(environment);
    for variable in place::VARIABLES {
        command.env_remove(variable);
    }
    command
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, Access::EXEC_OK).is_ok()
}

fn missing(what: String) -> Error {
    Error::environment(what, "build the images again; this one lacks the service that its plan starts")
}
