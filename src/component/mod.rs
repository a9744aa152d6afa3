//! What a site is made of: one file, or folder, for each component. From a checked site it makes its part of the deployment: its
//! services, its configuration files, its secrets. Pure: the same site gives the same values.

mod admin_ui;
mod authorities;
mod coturn;
pub mod draupnir;
pub mod gateway;
pub mod livekit;
pub(crate) mod postgres;
mod redis;
pub mod synapse;
mod well_known;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::checked::CheckedSite;
use crate::deployment::{Deployment, Facts, Part, Port, join};
use crate::error::{Error, Result};

/// What a component makes of a site, if the site has it.
type Resolve = fn(&CheckedSite<'_>, &Facts) -> Result<Option<Part>>;

/// Every component, in the order in which services start.
const ALL: &[Resolve] = &[
    |checked, _| Ok(postgres::resolve(checked)),
    |checked, _| Ok(redis::resolve(checked)),
    |checked, _| Ok(Some(synapse::resolve(checked))),
    |checked, _| Ok(coturn::resolve(checked)),
    |checked, _| Ok(livekit::resolve(checked)),
    |checked, _| Ok(draupnir::resolve(checked)),
    |checked, _| Ok(admin_ui::resolve(checked)),
    |checked, _| well_known::resolve(checked),
    |checked, facts| gateway::resolve(checked, facts).map(Some),
];

/// Everything that runs a checked site on such a target.
///
/// # Errors
/// [`Error::Environment`] where components contradict each other, which is a mistake of this program.
pub fn resolve(checked: &CheckedSite<'_>, facts: Facts) -> Result<Deployment> {
    let parts: Result<Vec<Option<Part>>> = ALL.iter().map(|component| component(checked, &facts)).collect();
    join(checked.site, facts, parts?.into_iter().flatten().collect())
}

/// Every port of the target that a site takes.
pub fn ports(checked: &CheckedSite<'_>) -> Vec<Port> {
    let parts = [coturn::resolve(checked), livekit::resolve(checked)].into_iter().flatten();
    let behind = parts.flat_map(|part| part.services).flat_map(|service| service.ports);
    gateway::ports(&checked.site.gateway).into_iter().chain(behind).collect()
}

/// What a volume should have left, in bytes: the bundled PostgreSQL writes its log in segments of 16 MiB, several at a time, and a full
/// disk ends it (its documentation, "WAL Configuration").
const LEAST_SPACE: u64 = 256 << 20;

/// The space that the health of a service with a volume looks for.
fn space(volume: &str) -> BTreeMap<String, u64> {
    BTreeMap::from([(volume.to_owned(), LEAST_SPACE)])
}

/// A JSON document of a component.
fn json_document(name: &str, content: &impl Serialize) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(content).map_err(|error| Error::mistake(format!("{name} cannot be written: {error}")))?;
    text.push(b'\n');
    Ok(text)
}
