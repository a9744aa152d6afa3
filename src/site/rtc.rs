//! `rtc`: calls of any number of people (MatrixRTC, Element Call). Clients meet at a LiveKit server; a small service beside it, the
//! MatrixRTC authorisation service, lets them in for their Matrix account. LiveKit's `config-sample.yaml` and `pkg/config`; the
//! service's README; Element Call's "Self-Hosting"; Synapse 1.163, config/matrixrtc.py, experimental.py and server.py.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Duration, HostName, HttpUrl, ImageReference, Line, RelayAddress, ServerName};

/// Calls of any number of people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rtc {
    /// Who runs LiveKit and the authorisation service.
    pub source: RtcSource,
    /// External only: the address of the authorisation service, as clients reach it.
    pub livekit_service_url: Option<HttpUrl>,
    /// Bundled only: LiveKit's image, with a tag or a digest. It is not among the images that are built: the target pulls it, or
    /// gets it as an archive.
    #[schemars(example = "docker.io/livekit/livekit-server:v1.13.0")]
    pub livekit_image: Option<ImageReference>,
    /// Bundled only: the authorisation service's image, with a tag or a digest.
    #[schemars(example = "ghcr.io/element-hq/lk-jwt-service:0.4.4")]
    pub authorisation_image: Option<ImageReference>,
    /// Bundled only: the host name under which clients reach both, at `/livekit/sfu` and `/livekit/jwt`. Absent: that of
    /// `server.public_baseurl`.
    pub host: Option<HostName>,
    /// Bundled only: the address that the rest of the world sees this target under; media go there. Absent: `turn.external_ip`.
    pub external_ip: Option<RelayAddress>,
    /// Bundled only: the UDP port of all media.
    #[schemars(range(min = 1, max = 65535))]
    pub udp_port: u16,
    /// Bundled only: the TCP port of media for networks without UDP.
    #[schemars(range(min = 1, max = 65535))]
    pub tcp_port: u16,
    /// Bundled only: the relay for people whose networks let them reach neither port.
    pub relay: Relay,
    /// With a relay of LiveKit's own: its UDP port. Not 3478, which is coturn's.
    #[schemars(range(min = 1, max = 65535))]
    pub relay_port: u16,
    /// With a relay of LiveKit's own: the first UDP port that it relays from.
    #[schemars(range(min = 1024, max = 65535))]
    pub relay_min_port: u16,
    /// With a relay of LiveKit's own: the last UDP port that it relays from.
    #[schemars(range(min = 1024, max = 65535))]
    pub relay_max_port: u16,
    /// Bundled only: STUN servers that clients ask for their own address, `host:port`. Empty: the bundled coturn if there is one,
    /// otherwise the relay; without one, what LiveKit has built in, which are servers of Google.
    pub stun_servers: Vec<Line>,
    /// Bundled only: servers whose people may begin calls here. Empty: this server alone. People of others can join.
    pub full_access_homeservers: Vec<ServerName>,
    /// How far ahead a client may have something sent: its own leaving, in case that it vanishes.
    pub max_event_delay_duration: Duration,
}

/// Who runs LiveKit and the authorisation service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RtcSource {
    /// Nobody: there are calls of two only.
    None,
    /// This site, with images that others publish.
    Bundled,
    /// Somebody else.
    External,
}

/// Who relays media between LiveKit and people behind strict networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Relay {
    /// Nobody.
    None,
    /// The TURN server of the section `turn`: one relay for both kinds of calls.
    Turn,
    /// LiveKit's own.
    Livekit,
}

impl Default for Rtc {
    fn default() -> Self {
        Self {
            source: RtcSource::None,
            livekit_service_url: None,
            livekit_image: None,
            authorisation_image: None,
            host: None,
            external_ip: None,
            udp_port: 7882,
            tcp_port: 7881,
            relay: Relay::None,
            relay_port: 3479,
            relay_min_port: 30000,
            relay_max_port: 30019,
            stun_servers: Vec::new(),
            full_access_homeservers: Vec::new(),
            max_event_delay_duration: Duration::new("24h").expect("a constant duration"),
        }
    }
}

impl super::Site {
    /// The host under which the bundled LiveKit is reached; none without one.
    pub fn rtc_host(&self) -> Option<&str> {
        let own = || self.server.public_baseurl.host();
        (self.rtc.source == RtcSource::Bundled).then(|| self.rtc.host.as_ref().map_or_else(own, HostName::as_str))
    }

    /// The address of the authorisation service as clients are told it; none without calls of many.
    pub fn livekit_service_url(&self) -> Option<String> {
        match self.rtc.source {
            RtcSource::None => None,
            RtcSource::External => self.rtc.livekit_service_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned()),
            RtcSource::Bundled => Some(format!("{}/livekit/jwt", self.rtc_origin("http"))),
        }
    }

    /// Scheme, host and port of the bundled LiveKit; `scheme` is `http` or `ws`, and gets its `s` from `public_baseurl`.
    pub fn rtc_origin(&self, scheme: &str) -> String {
        let base = &self.server.public_baseurl;
        let secure = if base.is_https() { "s" } else { "" };
        let host = self.rtc_host().unwrap_or_default();
        let usual = if base.is_https() { 443 } else { 80 };
        let port = if base.port() == usual { String::new() } else { format!(":{}", base.port()) };
        format!("{scheme}{secure}://{host}{port}")
    }
}
