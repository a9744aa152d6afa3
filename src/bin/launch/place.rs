//! Where `launch` finds its plan and its secrets and where it may write: the contract's paths, or those that environment
//! variables name instead (for tests, and for trying an image's plan by hand). Reads the plan.

use std::env;
use std::path::PathBuf;

use serde::Deserialize;
use synapse_site::error::{Error, Result};
use synapse_site::files;
use synapse_site::launch::{PLAN_PATH, Plan, RUN_DIR, Role, SECRETS_DIR};

/// The format of the plan that this program understands.
const FORMAT: u32 = 1;

const PLAN_VARIABLE: &str = "SYNAPSE_SITE_PLAN";
const SECRETS_VARIABLE: &str = "SYNAPSE_SITE_SECRETS";
const RUN_VARIABLE: &str = "SYNAPSE_SITE_RUN";

/// The three variables, which the service does not inherit.
pub const VARIABLES: [&str; 3] = [PLAN_VARIABLE, SECRETS_VARIABLE, RUN_VARIABLE];

/// The paths in force.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The plan.
    pub plan: PathBuf,
    /// The directory of the secrets, one file each.
    pub secrets: PathBuf,
    /// The directory for completed files.
    pub run: PathBuf,
}

impl Paths {
    /// The contract's paths, unless the environment names others.
    pub fn from_environment() -> Self {
        let path = |variable, usual: &str| env::var_os(variable).map_or_else(|| PathBuf::from(usual), PathBuf::from);
        Self { plan: path(PLAN_VARIABLE, PLAN_PATH), secrets: path(SECRETS_VARIABLE, SECRETS_DIR), run: path(RUN_VARIABLE, RUN_DIR) }
    }

    /// Reads the plan and makes sure that it is of this program's format.
    pub fn load(&self) -> Result<Plan> {
        const REMEDY: &str = "build the images again with one version of synapse-site; `launch` and its plan belong together";
        let text = files::read_text(&self.plan, files::LARGEST).map_err(|error| {
            Error::environment(
                format!("cannot read the plan {}: {error}", self.plan.display()),
                "start an image that synapse-site built; only those have a plan",
            )
        })?;
        let broken = |error: serde_json::Error| Error::environment(format!("the plan {} cannot be understood: {error}", self.plan.display()), REMEDY);
        // The format comes first: a plan of another format may have fields that this program does not know.
        let Versioned { format } = serde_json::from_str(&text).map_err(broken)?;
        if format != FORMAT {
            let shown = self.plan.display();
            return Err(Error::environment(format!("the plan {shown} has format {format}, and this launch understands format {FORMAT}"), REMEDY));
        }
        serde_json::from_str(&text).map_err(broken)
    }
}

#[derive(Deserialize)]
struct Versioned {
    format: u32,
}

/// The role of that name; the error lists those that the image has.
pub fn role<'a>(plan: &'a Plan, name: &str) -> Result<&'a Role> {
    plan.roles.get(name).ok_or_else(|| {
        let known: Vec<&str> = plan.roles.keys().map(String::as_str).collect();
        Error::Usage(format!("this image has no role {name:?}; it has: {}", known.join(", ")))
    })
}
