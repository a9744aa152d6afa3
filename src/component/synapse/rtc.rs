//! What calls of many need of Synapse: where clients meet, and events that are sent later, with which a client that vanishes leaves a
//! call. Names: Synapse 1.163, config/matrixrtc.py, experimental.py and ratelimiting.py; values: Element Call, "Self-Hosting".

use serde_json::{Map, Value, json};

use crate::site::Site;
use crate::site::rtc::RtcSource;

/// Members of `experimental_features` that calls need: where clients meet (MSC4143), and the state after a sync (MSC4222).
pub const FEATURES: [&str; 2] = ["msc4143_enabled", "msc4222_enabled"];

/// Rates that calls need: keys are sent to everybody in a call, and a client puts its leaving off every few seconds.
const RATES: [(&str, f64, u32); 2] = [("rc_message", 0.5, 30), ("rc_delayed_event_mgmt", 1.0, 20)];

pub(super) fn options(site: &Site) -> Option<Value> {
    let url = site.livekit_service_url()?;
    let mut options = Map::new();
    options.insert("matrix_rtc".to_owned(), json!({ "transports": [{ "type": "livekit", "livekit_service_url": url }] }));
    options.insert("max_event_delay_duration".to_owned(), json!(site.rtc.max_event_delay_duration));
    let said = super::policy::non_default(&site.rate_limits);
    for (name, per_second, burst_count) in RATES {
        if !said.contains_key(name) {
            options.insert(name.to_owned(), json!({ "per_second": per_second, "burst_count": burst_count }));
        }
    }
    Some(Value::Object(options))
}

/// Limits of the site, each with the half that it leaves out as calls need it.
pub(super) fn with_rates(site: &Site, mut limits: Map<String, Value>) -> Map<String, Value> {
    if site.livekit_service_url().is_some() {
        for (name, per_second, burst_count) in RATES {
            if let Some(Value::Object(limit)) = limits.get_mut(name) {
                limit.entry("per_second").or_insert(json!(per_second));
                limit.entry("burst_count").or_insert(json!(burst_count));
            }
        }
    }
    limits
}

/// Adds what calls need to the site's own `experimental_features`: one top-level option stands in one file.
pub(super) fn add_features(site: &Site, settings: &mut std::collections::BTreeMap<String, Value>) {
    if site.rtc.source == RtcSource::None {
        return;
    }
    let features = settings.entry("experimental_features".to_owned()).or_insert_with(|| json!({}));
    if let Some(features) = features.as_object_mut() {
        for name in FEATURES {
            features.entry(name).or_insert(json!(true));
        }
    }
}
