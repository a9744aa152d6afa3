//! S0411 and S0412: what somebody may have meant by a name that Synapse does not know.

use super::list;
use crate::check::rules::typed;
use crate::check::said::{self, Said};
use crate::site::schema::nearest;
use crate::synapse::{self, Entry, Running};

/// What to do about an option that Synapse does not read.
pub(super) fn option(name: &str, running: &Running) -> String {
    if let Some(path) = synapse::elsewhere(name, running.release) {
        return there(name, &path);
    }
    if let Some(number) = proposal(name) {
        return feature(name, number, name, running);
    }
    match nearest(name, synapse::options_of(running.release).names()) {
        Some(near) => match elsewhere(near) {
            Some(instead) => format!("did you mean {near:?}? Then {instead}"),
            None => format!("did you mean {near:?}?"),
        },
        None => or_let_through(name),
    }
}

/// What to do about a member that Synapse does not read in an option that it does.
pub(super) fn member(holder: &Entry, name: &str, outer: &str, running: &Running) -> String {
    // Words such as `enabled` are in many places.
    let exact = synapse::elsewhere(name, running.release);
    if let Some(path) = exact.as_ref().filter(|_| name.contains('_')) {
        return there(name, path);
    }
    if let Some(number) = proposal(name) {
        return feature(name, number, &format!("{outer}.{name}"), running);
    }
    if let Some(near) = nearest(name, holder.names()) {
        return format!("did you mean {near:?}?");
    }
    if let Some(path) = exact {
        return there(name, &path);
    }
    let known: Vec<String> = holder.names().map(str::to_owned).collect();
    // Of very many names a list helps nobody.
    if known.len() > 20 { or_let_through(&format!("{outer}.{name}")) } else { format!("its members are {}", list(known)) }
}

/// The number in the name of a feature that a Matrix proposal (MSC) describes: `msc4140` of `msc4140_enabled`.
fn proposal(name: &str) -> Option<&str> {
    let digits = name.strip_prefix("msc")?;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    (end > 0).then(|| &name[..name.len() - digits.len() + end])
}

/// What to write for an unknown feature. Names with other numbers look alike and are about other things.
fn feature(name: &str, number: &str, place: &str, running: &Running) -> String {
    // config/server.py: delayed events are on when they have a longest delay.
    if number == "msc4140" {
        return "remove it: delayed events (MSC4140) are switched on by rtc.max_event_delay_duration".to_owned();
    }
    let features = synapse::options_of(running.release).member("experimental_features");
    let same = || features.into_iter().flat_map(Entry::names).filter(|known| proposal(known) == Some(number));
    match nearest(name, same()).or_else(|| same().next()) {
        Some(near) => format!("did you mean {near:?}, under experimental_features?"),
        None => format!("Synapse {} reads no such feature: {}", running.version, or_let_through(place)),
    }
}

/// What to do about an option that is not said under `synapse.settings`.
fn elsewhere(path: &str) -> Option<String> {
    let top = path.split('.').next().unwrap_or_default();
    match said::of(path) {
        Some(Said::Settings) => None,
        Some(said) => Some(said.sentence(top)),
        None => typed::moved(path).map(|(_, instead)| instead.to_owned()),
    }
}

/// Where an option stands that was written somewhere else.
fn there(name: &str, path: &str) -> String {
    let (top, rest) = path.split_once('.').unwrap_or((path, ""));
    match elsewhere(path) {
        Some(instead) if rest.is_empty() => format!("{name} is an option of its own: {instead}"),
        Some(instead) => format!("{name} is a member of {top}: {instead}"),
        None if rest.is_empty() => format!("{name} is an option of its own: write it under synapse.settings itself"),
        None => {
            let written =
                rest.rsplit('.').fold("…".to_owned(), |inner, step| if inner == "…" { format!("{step}: …") } else { format!("{step}: {{ {inner} }}") });
            format!("{name} is a member of {top}: write {top}: {{ {written} }}")
        }
    }
}

fn or_let_through(name: &str) -> String {
    format!("remove it; or, if your images hold a Synapse that reads it, write synapse.unchecked: [{name}]")
}
