//! Which requests a generic worker can answer, and which process has to answer them. Source: Synapse documentation,
//! "Scaling synapse via workers", for the version in [`COVERS`]; the sliding sync route is not listed there, but served since
//! 1.114. Requests of stream writers, of single sign-on and of the media store stay with the main process, as does everything
//! that is not listed.

/// The Synapse versions that this table was read for: from, and up to but not including.
pub const COVERS: (&str, &str) = ("1.157", "1.164");

/// Whether the table was read for a version; a text that is none is not covered.
pub fn covers(version: &str) -> bool {
    let parts = |text: &str| -> Option<(u32, u32)> {
        let mut parts = text.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    };
    let (from, to) = (parts(COVERS.0), parts(COVERS.1));
    parts(version).is_some_and(|version| from.is_some_and(|from| version >= from) && to.is_some_and(|to| version < to))
}

/// By what requests are spread over workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// By access token: a device's sync requests profit from what its worker remembers.
    Token,
    /// By the room in the path: one process per room keeps its state in memory once.
    Room,
    /// By the address of the asking server: its transactions have to be handled in order.
    Origin,
    /// Any worker.
    Any,
}

/// Requests that are treated alike.
pub struct Group {
    /// A name for people.
    pub name: &'static str,
    /// By what they are spread.
    pub balance: Balance,
    /// Whether only GET can be answered by a worker.
    pub get_only: bool,
    /// Whether they come from other servers.
    pub federation: bool,
    /// Regular expressions on the path, anchored at its beginning.
    pub paths: &'static [&'static str],
}

/// The table.
pub const GENERIC: &[Group] = &[
    Group {
        name: "sync",
        balance: Balance::Token,
        get_only: false,
        federation: false,
        paths: &[
            "/_matrix/client/(r0|v3)/sync$",
            "/_matrix/client/(api/v1|r0|v3)/events$",
            "/_matrix/client/(api/v1|r0|v3)/initialSync$",
            "/_matrix/client/(api/v1|r0|v3)/rooms/[^/]+/initialSync$",
            "/_matrix/client/unstable/org\\.matrix\\.simplified_msc3575/sync$",
        ],
    },
    Group {
        name: "federation reading",
        balance: Balance::Any,
        get_only: false,
        federation: true,
        paths: &[
            "/_matrix/federation/v1/(version$|event/|state/|state_ids/|backfill/|get_missing_events/|publicRooms|query/|make_join/|make_leave/|make_knock/|send_knock/|event_auth/|timestamp_to_event/|exchange_third_party_invite/|user/devices/|hierarchy/)",
            "/_matrix/federation/(v1|v2)/(send_join/|send_leave/|invite/)",
            "/_matrix/key/v2/query",
        ],
    },
    Group { name: "federation transactions", balance: Balance::Origin, get_only: false, federation: true, paths: &["/_matrix/federation/v1/send/"] },
    Group {
        name: "rooms: messages and sending",
        balance: Balance::Room,
        get_only: false,
        federation: false,
        paths: &[
            "/_matrix/client/(api/v1|r0|v3|unstable)/rooms/[^/]+/messages$",
            "/_matrix/client/(api/v1|r0|v3|unstable)/rooms/[^/]+/(redact|send|state/)",
            "/_matrix/client/(api/v1|r0|v3|unstable)/rooms/[^/]+/(join|invite|leave|ban|unban|kick)$",
            "/_matrix/client/(api/v1|r0|v3|unstable)/rooms/[^/]+/(joined_members$|context/|members$|state$|event/|aliases)",
            "/_matrix/client/v1/rooms/[^/]+/(hierarchy|threads|timestamp_to_event)$",
            "/_matrix/client/(v1|unstable)/rooms/[^/]+/relations/",
        ],
    },
    Group {
        name: "client reading and sending",
        balance: Balance::Any,
        get_only: false,
        federation: false,
        paths: &[
            "/_matrix/client/(api/v1|r0|v3|unstable)/(createRoom$|publicRooms$|joined_rooms$|search$|directory/room/|voip/turnServer$)",
            "/_matrix/client/(api/v1|r0|v3|unstable)/(join|knock|profile)/",
            "/_matrix/client/(r0|v3|unstable)/account/(3pid|whoami)$",
            "/_matrix/client/versions$",
            "/_matrix/client/v1/room_summary/",
            "/_matrix/client/unstable/im\\.nheko\\.summary/summary/",
            "/_matrix/client/(r0|v3|unstable)/user/[^/]+/filter(/|$)",
            "/_matrix/client/(r0|v3|unstable)/(capabilities|notifications)$",
            "/_matrix/client/(r0|v3|unstable)/user_directory/search$",
            "/_matrix/client/(r0|v3|unstable)/keys/(query|changes|claim)$",
            "/_matrix/client/(r0|v3|unstable)/room_keys/",
        ],
    },
    Group {
        name: "logging in",
        balance: Balance::Any,
        get_only: false,
        federation: false,
        paths: &[
            "/_matrix/client/(api/v1|r0|v3|unstable)/login$",
            "/_matrix/client/(r0|v3|unstable)/register$",
            "/_matrix/client/(r0|v3|unstable)/register/available$",
            "/_matrix/client/v1/register/m\\.login\\.registration_token/validity$",
            "/_matrix/client/(r0|v3|unstable)/password_policy$",
        ],
    },
    Group {
        name: "reading what stream writers write",
        balance: Balance::Any,
        get_only: true,
        federation: false,
        paths: &[
            "/_matrix/client/(api/v1|r0|v3|unstable)/pushrules/",
            "/_matrix/client/(r0|v3|unstable)/user/[^/]+/(rooms/[^/]+/)?(tags|account_data)",
            "/_matrix/client/(api/v1|r0|v3|unstable)/devices(/|$)",
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_the_table_was_read_for() {
        for (version, covered) in
            [("1.157.0", true), ("1.163.2", true), ("1.163.0rc1", true), ("1.164.0", false), ("1.99.0", false), ("2.0.0", false), ("", false), ("x", false)]
        {
            assert_eq!(covers(version), covered, "{version}");
        }
    }
}
