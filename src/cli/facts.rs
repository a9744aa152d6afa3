//! `facts`: what the tables say about a release of Synapse, about all of them, or about what moved
//! between two.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::print;
use crate::check::names;
use crate::check::said::{self, Said};
use crate::error::{Error, Result};
use crate::synapse::facts::{Kind, Row};
use crate::synapse::{Moves, Release, Running, between};

/// Print what is known about releases of Synapse: options, routes, streams, duties, limits,
/// templates, versions of the database.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  synapse-site facts                                     every table: name, since, until, value
  synapse-site facts --version 1.155.0 --kind options    what that release reads
  synapse-site facts --since 1.155.0 --version 1.163.2   what moved between two releases
  synapse-site facts --json --kind routes | jq -r '.routes[] | select(.value | test(\" -\")) | .name'
docs/facts.md says what the columns mean.")]
pub struct Arguments {
    /// The release; absent means every one, each fact with the first and the last release that has
    /// it.
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Only what moved since this release; without --version up to the newest.
    #[arg(long, value_name = "VERSION")]
    since: Option<String>,
    /// Only this kind of fact; may be given several times.
    #[arg(long, value_enum)]
    kind: Vec<Kind>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let wanted = |kind: &Kind| arguments.kind.is_empty() || arguments.kind.contains(kind);
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(wanted).collect();
    let version = arguments.version.as_deref().map(|version| release("--version", version)).transpose()?;
    if let Some(since) = &arguments.since {
        let mut moves = between(release("--since", since)?, version.unwrap_or_else(Release::newest));
        moves.kinds.retain(|name, _| kinds.iter().any(|kind| kind.name() == *name));
        return if arguments.json { print::answer_json(&moves) } else { print::answer(&told(&moves)) };
    }
    match version {
        Some(release) if arguments.json => print::answer_json(&of_release(release, &kinds)),
        Some(release) => print::answer(
            &kinds.into_iter().map(|kind| page(kind, kind.of(release).into_iter().map(|(name, value)| format!("{name} {value}")))).collect::<String>(),
        ),
        None if arguments.json => print::answer_json(&of_all(&kinds)),
        None => print::answer(&kinds.into_iter().map(|kind| page(kind, kind.rows().map(line))).collect::<String>()),
    }
}

/// The release that a version has its facts of. One outside of the tables is told, with the
/// nearest.
fn release(option: &str, version: &str) -> Result<Release> {
    let running = Running::of(version)
        .ok_or_else(|| Error::Usage(format!("{option} {version:?} is no version of Synapse; write numbers with dots, as in {option} {}", Release::newest())))?;
    if !running.is_known() {
        print::print_status(&format!("warning: {}", running.unknown()));
    }
    Ok(running.release)
}

/// What moved between two releases, a line each; of an option also where a description says it.
pub(super) fn told(moves: &Moves) -> String {
    if moves.kinds.is_empty() {
        return format!("Synapse {} → {}: no option, route, stream, duty, limit, template or schema moved\n", moves.from, moves.to);
    }
    let mut text = format!("Synapse {} → {}:\n", moves.from, moves.to);
    for kind in Kind::ALL {
        let Some(moved) = moves.kinds.get(kind.name()) else { continue };
        let mut tell = |what: &str, name: &str, value: &str| {
            let place = if kind == Kind::Options { in_a_site(name) } else { String::new() };
            text.push_str(&format!("  {} {what}: {name} ({value}{place})\n", kind.name()));
        };
        moved.gone.iter().for_each(|(name, value)| tell("gone", name, value));
        moved.new.iter().for_each(|(name, value)| tell("new", name, value));
        moved.changed.iter().for_each(|(name, [before, now])| tell("changed", name, &format!("{before} → {now}")));
    }
    text
}

/// Where a description says an option, as the end of a sentence.
fn in_a_site(name: &str) -> String {
    match said::of(name) {
        Some(Said::With(options)) => format!("; in a site {}", options.join(" and ")),
        Some(Said::Secret(secret)) => format!("; in a site the secret {secret}"),
        Some(Said::Nowhere { .. }) => "; not offered in a site".to_owned(),
        Some(Said::Settings) | None => format!("; in a site {}", names::place(&name.replace(".[]", ""))),
    }
}

fn page(kind: Kind, lines: impl Iterator<Item = String>) -> String {
    lines.fold(format!("[{}]\n", kind.name()), |text, line| text + &line + "\n")
}

fn line(row: Row) -> String {
    format!("{} {} {} {}", row.name, since(&row).unwrap_or("-"), until(&row).unwrap_or("-"), row.value)
}

/// The first release with it; none for the oldest of the tables, which may not be the first.
fn since(row: &Row) -> Option<&'static str> {
    (row.since != Release::oldest()).then(|| row.since.name())
}

/// The last release with it; none for the newest of the tables.
fn until(row: &Row) -> Option<&'static str> {
    (row.until != Release::newest()).then(|| row.until.name())
}

fn of_release(release: Release, kinds: &[Kind]) -> BTreeMap<&'static str, Value> {
    let tables = kinds.iter().map(|kind| (kind.name(), json!(kind.of(release))));
    tables.chain([("version", json!(release.name()))]).collect()
}

fn of_all(kinds: &[Kind]) -> BTreeMap<&'static str, Value> {
    let row = |row: Row| json!({ "name": row.name, "since": since(&row), "until": until(&row), "value": row.value });
    let tables = kinds.iter().map(|kind| (kind.name(), kind.rows().map(row).collect()));
    tables.chain([("versions", Release::all().map(Release::name).collect())]).collect()
}
