//! Plain policy: sections whose options stand in Synapse's configuration under the same names. Only what differs from Synapse's own
//! default is written, so that a file shows what the site decided.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Fragment;
use crate::checked::CheckedSite;
use crate::deployment::Part;
use crate::site::Site;
use crate::site::media::PRIVATE_NETWORKS;
use crate::site::text::Cidr;

/// The files of the policy sections that say something.
pub(super) fn fragments(checked: &CheckedSite<'_>, part: &mut Part) -> Vec<Fragment> {
    let site = checked.site;
    [
        ("federation.yaml", "Whom the server talks to, and how patiently.", federation(checked, part)),
        ("limits.yaml", "What the server refuses and forgets as a whole.", non_default(&site.limits)),
        ("presence.yaml", "Who is shown as online.", presence(site)),
        ("profiles.yaml", "Who sees whose name and picture.", non_default(&site.profiles)),
        ("rate_limits.yaml", "How much of something one may do.", super::rtc::with_rates(site, non_default(&site.rate_limits))),
        ("rooms.yaml", "Rooms, their directory, and how long messages are kept.", non_default(&site.rooms)),
    ]
    .into_iter()
    .filter(|(_, _, options)| !options.is_empty())
    .map(|(name, about, options)| Fragment { name, about, options: Value::Object(options) })
    .collect()
}

/// The members of a section that differ from its default, which is Synapse's.
pub(super) fn non_default<T: Serialize + Default>(section: &T) -> Map<String, Value> {
    match differing(&json!(section), &json!(T::default())) {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

/// A value without what is equal in another one; nothing when all is.
fn differing(value: &Value, default: &Value) -> Option<Value> {
    match (value, default) {
        (value, default) if value == default => None,
        (Value::Object(members), Value::Object(defaults)) => {
            let rest: Map<String, Value> =
                members.iter().filter_map(|(name, member)| Some((name.clone(), differing(member, defaults.get(name).unwrap_or(&Value::Null))?))).collect();
            (!rest.is_empty()).then_some(Value::Object(rest))
        }
        (value, _) => Some(value.clone()),
    }
}

/// The private networks and those that the site adds to them.
pub(super) fn with_private_networks(more: &[Cidr]) -> Vec<&str> {
    let more = more.iter().map(Cidr::as_str).filter(|network| !PRIVATE_NETWORKS.contains(network));
    PRIVATE_NETWORKS.into_iter().chain(more).collect()
}

fn presence(site: &Site) -> Map<String, Value> {
    let mut block = non_default(&site.presence);
    let mut options = Map::new();
    if let Some(rooms) = block.remove("exclude_rooms_from_presence") {
        options.insert("exclude_rooms_from_presence".to_owned(), rooms);
    }
    if block.remove("untracked").is_some() {
        block.insert("enabled".to_owned(), json!("untracked"));
    }
    if !block.is_empty() {
        options.insert("presence".to_owned(), Value::Object(block));
    }
    options
}

/// Members that Synapse reads inside of its block `federation`; the others are top-level options.
const IN_FEDERATION: [&str; 8] = [
    "client_timeout",
    "destination_max_retry_interval",
    "destination_min_retry_interval",
    "destination_retry_multiplier",
    "max_long_retries",
    "max_long_retry_delay",
    "max_short_retries",
    "max_short_retry_delay",
];

fn federation(checked: &CheckedSite<'_>, part: &mut Part) -> Map<String, Value> {
    let federation = &checked.site.federation;
    let mut options = non_default(federation);
    let block: Map<String, Value> = IN_FEDERATION.iter().filter_map(|name| Some(((*name).to_owned(), options.remove(*name)?))).collect();
    if !block.is_empty() {
        options.insert("federation".to_owned(), Value::Object(block));
    }
    // Synapse's own default is a version that no server should speak any more.
    options.insert("federation_client_minimum_tls_version".to_owned(), json!(federation.federation_client_minimum_tls_version));
    if !federation.ip_range_blacklist.is_empty() {
        options.insert("ip_range_blacklist".to_owned(), json!(with_private_networks(&federation.ip_range_blacklist)));
    }
    if !checked.site.listeners.federation {
        // An island neither answers others nor asks them.
        options.insert("federation_domain_whitelist".to_owned(), json!([]));
    }
    if !checked.federation_authorities.is_empty() {
        let paths: Vec<String> = (1..=checked.federation_authorities.len()).map(|number| format!("{}/federation-ca-{number}.pem", super::CONFIG)).collect();
        for (path, content) in paths.iter().zip(&checked.federation_authorities) {
            part.add(super::IMAGE, path, *content);
        }
        options.insert("federation_custom_ca_list".to_owned(), json!(paths));
    }
    options
}
