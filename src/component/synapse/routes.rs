//! Which requests a generic worker can answer, and which process has to answer them. Source: Synapse documentation,
//! "Scaling synapse via workers", compared with what each release really answers (src/synapse/facts/routes.txt); the sliding sync route is not listed there, but served since
//! 1.114. Requests of stream writers, of single sign-on and of the media store stay with the main process, as does everything
//! that is not listed.

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
    use std::collections::BTreeSet;
    use std::sync::LazyLock;

    use regex::Regex;

    use super::*;
    use crate::synapse::facts::Kind;

    /// Paths that a path of the tables means: `/rooms/{room_id}/(join|leave)` has two.
    fn meant(path: &str) -> Vec<String> {
        static INNERMOST: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\(([^()]*)\)(\?)?").expect("a pattern"));
        static NAME: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{[^}]*\}").expect("a pattern"));
        let Some(choice) = INNERMOST.captures(path) else {
            return vec![NAME.replace_all(path.trim_end_matches('*'), "x").replace("/?", "")];
        };
        let (whole, optional) = (choice.get(0).expect("the whole"), choice.get(2).map(|_| ""));
        let words = choice[1].split('|').chain(optional);
        words.flat_map(|word| meant(&format!("{}{word}{}", &path[..whole.start()], &path[whole.end()..]))).collect()
    }

    /// Whatever the gateway sends to workers, they answer: in every release of the tables, with every method that anything has there.
    #[test]
    fn workers_answer_what_they_are_sent_in_every_release() {
        let groups: Vec<(&Group, Vec<Regex>)> =
            GENERIC.iter().map(|group| (group, group.paths.iter().map(|path| Regex::new(&format!("^{path}")).expect("a pattern")).collect())).collect();
        let (mut sent, mut strays) = (0, Vec::new());
        for row in Kind::Routes.rows() {
            let mut words = row.value.split(' ').map(|methods| methods.split(',').collect::<BTreeSet<_>>());
            let (all, workers) = (words.next().expect("methods"), words.next().expect("of workers"));
            for path in meant(row.name) {
                for (group, _) in groups.iter().filter(|(_, patterns)| patterns.iter().any(|pattern| pattern.is_match(&path))) {
                    sent += 1;
                    let wanted: BTreeSet<&str> = all.iter().copied().filter(|method| !group.get_only || *method == "GET").collect();
                    if !wanted.is_subset(&workers) {
                        strays.push((group.name, row.name, row.value, row.since.name(), row.until.name()));
                    }
                }
            }
        }
        assert!(sent > 250, "only {sent} paths are sent to workers");
        assert!(strays.is_empty(), "{strays:#?}");
    }

    #[test]
    fn every_route_leads_somewhere_in_the_newest_release() {
        let paths: Vec<String> = Kind::Routes.of(crate::synapse::Release::newest()).into_keys().flat_map(meant).collect();
        for path in GENERIC.iter().flat_map(|group| group.paths) {
            let pattern = Regex::new(&format!("^{path}")).expect("a pattern");
            assert!(paths.iter().any(|path| pattern.is_match(path)), "{path}");
        }
    }
}
