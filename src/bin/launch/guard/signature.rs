//! Whether a key signed an event (Matrix specification, "Signing Events", "Redactions" and "Canonical JSON"; room versions 1 to 12). Takes
//! an event as Synapse keeps it, gives yes, no, or nothing where the rules of its room are not known.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Map, Value};

/// Unpadded base64, as all of Matrix writes it.
pub const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// What a redaction leaves at the top of an event.
const KEPT: [&str; 12] =
    ["event_id", "type", "room_id", "sender", "state_key", "content", "hashes", "depth", "prev_events", "auth_events", "origin_server_ts", "signatures"];
/// The same, in rooms before version 11 only.
const KEPT_BEFORE_11: [&str; 3] = ["prev_state", "origin", "membership"];
/// Types of which a redaction leaves some content, in some version of rooms; `m.room.member` is the one that is known here.
const WITH_CONTENT: [&str; 6] =
    ["m.room.create", "m.room.join_rules", "m.room.power_levels", "m.room.aliases", "m.room.history_visibility", "m.room.redaction"];

/// The identifiers of a server's keys that an event is signed with.
pub fn key_ids(event: &Value, server: &str) -> Vec<String> {
    let signatures = event["signatures"][server].as_object();
    signatures.into_iter().flat_map(|signatures| signatures.keys().cloned()).collect()
}

/// Whether the signature under a key's identifier is of this key.
pub fn is_of(event: &Value, room_version: &str, server: &str, id: &str, key: &VerifyingKey) -> Option<bool> {
    let signed = signed_text(event, room_version)?;
    let signature = BASE64.decode(event["signatures"][server][id].as_str()?).ok()?;
    let signature = Signature::from_slice(&signature).ok()?;
    Some(key.verify_strict(signed.as_bytes(), &signature).is_ok())
}

/// What a server signs of an event: its redacted form without the signatures.
fn signed_text(event: &Value, room_version: &str) -> Option<String> {
    let version: u32 = room_version.parse().ok().filter(|version| (1..=12).contains(version))?;
    let kind = event["type"].as_str()?;
    if WITH_CONTENT.contains(&kind) {
        return None;
    }
    let mut kept = Map::new();
    for (name, value) in event.as_object()? {
        let name = name.as_str();
        if name != "signatures" && (KEPT.contains(&name) || (version < 11 && KEPT_BEFORE_11.contains(&name))) {
            kept.insert(name.to_owned(), value.clone());
        }
    }
    let content = if kind == "m.room.member" { member(&event["content"], version) } else { Map::new() };
    kept.insert("content".to_owned(), Value::Object(content));
    // Names are sorted by their code points, and nothing but quotes, backslashes and control characters is escaped: as in canonical JSON.
    serde_json::to_string(&kept).ok()
}

fn member(content: &Value, version: u32) -> Map<String, Value> {
    let mut kept = Map::new();
    let mut keep = |name: &str, value: Option<&Value>| {
        if let Some(value) = value {
            kept.insert(name.to_owned(), value.clone());
        }
    };
    keep("membership", content.get("membership"));
    if version >= 9 {
        keep("join_authorised_via_users_server", content.get("join_authorised_via_users_server"));
    }
    if version >= 11
        && let Some(signed) = content.get("third_party_invite").and_then(|invite| invite.get("signed"))
    {
        keep("third_party_invite", Some(&serde_json::json!({ "signed": signed })));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events that Synapse 1.163.2 signed (`synapse.crypto.event_signing.add_hashes_and_signatures`) with the seed 00..1f, by room version.
    const EVENTS: [(&str, &str); 7] = [
        (
            "1",
            r##"{"room_id":"!r:example.com","sender":"@ada:example.com","type":"m.room.message","content":{"msgtype":"m.text","body":"Grüße \"\\\u0007 🌅"},"depth":7,"origin_server_ts":1795868320802,"auth_events":[["$a:example.com",{"sha256":"x"}]],"prev_events":[["$p:example.com",{"sha256":"x"}]],"event_id":"$1:example.com","origin":"example.com","hashes":{"sha256":"9uo2N1MniSt0HXwZ5IVt7g4zzmJo2sv0GIXdgeEEkdE"},"signatures":{"example.com":{"ed25519:a_Test":"N95I1FEghpYYgg9VpEAYuOyFN6jIMk/ccxn6thDqqCgDP8o3lcmnDDa2hZgRqgwnyqfypNVv3UHOWfEeJGAICg"}},"unsigned":{"age_ts":1795868320802}}"##,
        ),
        (
            "5",
            r##"{"room_id":"!r:example.com","sender":"@ada:example.com","type":"m.room.message","content":{"msgtype":"m.text","body":"Grüße \"\\\u0007 🌅"},"depth":7,"origin_server_ts":1795868320802,"auth_events":["$a"],"prev_events":["$p"],"origin":"example.com","hashes":{"sha256":"Cfu5T/3abu+iekMdHsGQfiqidHpnfDipXPs6nKHTb5o"},"signatures":{"example.com":{"ed25519:a_Test":"0UhGiv3EPJ1xfv3soKPPW5bzOPrHJVtIKWew7SUYCohVUHu9A88px91Oi6FeUpSYLpkrFRHM+lWea6bA03bhDQ"}},"unsigned":{"age_ts":1795868320802}}"##,
        ),
        (
            "8",
            r##"{"room_id":"!r:example.com","sender":"@ada:example.com","type":"m.room.member","content":{"membership":"join","displayname":"Ada","join_authorised_via_users_server":"@bob:example.com"},"depth":7,"origin_server_ts":1795868320802,"auth_events":["$a"],"prev_events":["$p"],"state_key":"@ada:example.com","hashes":{"sha256":"L2nclmYH1mrdXOb8YAFxXY9ETlhDpdd9ldk0//sHRxM"},"signatures":{"example.com":{"ed25519:a_Test":"pRf8Vl7XjVIClJBrDb3uKzRIp09A3tHHf+TmyHgmK7tRPRegTtWjvbbGBQvc8BTS8urYWNk0J81WwEpJDXd+Dw"}},"unsigned":{"age_ts":1795868320802}}"##,
        ),
        (
            "10",
            r##"{"room_id":"!r:example.com","sender":"@ada:example.com","type":"m.room.member","content":{"membership":"join","displayname":"Ada","join_authorised_via_users_server":"@bob:example.com"},"depth":7,"origin_server_ts":1795868320802,"auth_events":["$a"],"prev_events":["$p"],"state_key":"@ada:example.com","hashes":{"sha256":"L2nclmYH1mrdXOb8YAFxXY9ETlhDpdd9ldk0//sHRxM"},"signatures":{"example.com":{"ed25519:a_Test":"318zX1Cuknk3zPSZwZX56YwLQk8saY/1A9fPyxh90T1bncdJOIGGHtY3/J7AnSJivDEMrjt6lQ/dBFplMwX+BQ"}},"unsigned":{"age_ts":1795868320802}}"##,
        ),
        (
            "11",
            r##"{"room_id":"!r:example.com","sender":"@ada:example.com","type":"m.room.member","content":{"membership":"join","displayname":"Ada","join_authorised_via_users_server":"@bob:example.com"},"depth":7,"origin_server_ts":1795868320802,"auth_events":["$a"],"prev_events":["$p"],"origin":"example.com","state_key":"@ada:example.com","hashes":{"sha256":"L9omr68J4g6HCpEhkyEfT+kLNZS0cEFIz1k5doWyN2M"},"signatures":{"example.com":{"ed25519:a_Test":"5CksDqS21SdEFtnB9MinrUfSqXbNcW9xKR5Q9k3+0fZ9zEDlNloJVQjpHEpeWC1YvY2E759yik3qquLXdzjZDg"}},"unsigned":{"age_ts":1795868320802}}"##,
        ),
        (
            "12",
            r##"{"room_id":"!r:example.com","sender":"@ada:example.com","type":"m.room.member","content":{"membership":"invite","third_party_invite":{"display_name":"A","signed":{"mxid":"@ada:example.com","token":"t","signatures":{}}}},"depth":7,"origin_server_ts":1795868320802,"auth_events":["$a"],"prev_events":["$p"],"state_key":"@ada:example.com","hashes":{"sha256":"6CBSdJpOtUmIwIQCey2qeqt2/k9l7ydkVKZOgadpG8Y"},"signatures":{"example.com":{"ed25519:a_Test":"4KBziT6oxqI+68Ef80fCgQKo0snkzWQESxVcmtVADU2sfQxneC27H+VVdDJkfv2v9dkDbwCRB7Ohc4S4xwvEBQ"}},"unsigned":{"age_ts":1795868320802}}"##,
        ),
        (
            "9",
            r##"{"room_id":"!r:example.com","sender":"@ada:example.com","type":"m.room.member","content":{"membership":"invite","third_party_invite":{"display_name":"A","signed":{"mxid":"@ada:example.com","token":"t","signatures":{}}}},"depth":7,"origin_server_ts":1795868320802,"auth_events":["$a"],"prev_events":["$p"],"state_key":"@ada:example.com","hashes":{"sha256":"6CBSdJpOtUmIwIQCey2qeqt2/k9l7ydkVKZOgadpG8Y"},"signatures":{"example.com":{"ed25519:a_Test":"EYzHzRAqrxbO9unJZs5mFYDQfopAHX8/F4MKpzG4WNXxVB/l0Cj4OCSJhRyzodM6tciCFYD8AcU2kLBeMXDIAA"}},"unsigned":{"age_ts":1795868320802}}"##,
        ),
    ];
    const PUBLIC: &str = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg";

    fn key(public: &str) -> VerifyingKey {
        VerifyingKey::from_bytes(&BASE64.decode(public).unwrap().try_into().unwrap()).unwrap()
    }

    #[test]
    fn signatures_of_synapse_are_known_in_every_kind_of_room() {
        let other = ed25519_dalek::SigningKey::from_bytes(&[1; 32]).verifying_key();
        for (version, event) in EVENTS {
            let event: Value = serde_json::from_str(event).unwrap();
            assert_eq!(key_ids(&event, "example.com"), ["ed25519:a_Test"]);
            assert_eq!(key_ids(&event, "example.org"), [""; 0]);
            let asked = |event: &Value, key: &VerifyingKey| is_of(event, version, "example.com", "ed25519:a_Test", key);
            assert_eq!(asked(&event, &key(PUBLIC)), Some(true), "room version {version}");
            assert_eq!(asked(&event, &other), Some(false), "room version {version}");
            let mut changed = event.clone();
            changed["depth"] = 8.into();
            assert_eq!(asked(&changed, &key(PUBLIC)), Some(false), "room version {version}");
        }
    }

    #[test]
    fn what_is_not_known_is_neither_right_nor_wrong() {
        let mut event: Value = serde_json::from_str(EVENTS[0].1).unwrap();
        let asked = |event: &Value, version: &str| is_of(event, version, "example.com", "ed25519:a_Test", &key(PUBLIC));
        assert_eq!(asked(&event, "org.example.13"), None);
        assert_eq!(asked(&event, "13"), None);
        event["type"] = "m.room.create".into();
        assert_eq!(asked(&event, "1"), None);
        event["signatures"] = Value::Null;
        assert_eq!(asked(&event, "1"), None);
    }
}
