//! `media`: the media store and URL previews. Synapse documentation, "Media Store".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Cidr, Duration, Size};

/// Networks that no server should be talked into fetching from: loopback, private, link-local, documentation, benchmark
/// and multicast ranges of both protocols. Synapse's default for `ip_range_blacklist` (config/server.py), which it does not
/// apply to URL previews by itself.
pub const PRIVATE_NETWORKS: [&str; 19] = [
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "192.0.0.0/24",
    "169.254.0.0/16",
    "192.88.99.0/24",
    "198.18.0.0/15",
    "192.0.2.0/24",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "::1/128",
    "fe80::/10",
    "fc00::/7",
    "2001:db8::/32",
    "ff00::/8",
    "fec0::/10",
];

/// The media store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Media {
    /// Whether media can only be downloaded by those who are logged in.
    pub enable_authenticated_media: bool,
    /// The largest file that can be uploaded. The gateway's limit follows.
    pub max_upload_size: Size,
    /// Whether the server fetches linked pages to show a preview.
    pub url_preview_enabled: bool,
    /// Networks that previews are never fetched from. The default holds all private ranges; a shorter list of your own
    /// replaces it.
    pub url_preview_ip_range_blacklist: Vec<Cidr>,
    /// Networks that previews may be fetched from although the list above holds them.
    pub url_preview_ip_range_whitelist: Vec<Cidr>,
    /// How long media of other servers are kept after they were last looked at; for ever when absent.
    pub remote_media_lifetime: Option<Duration>,
    /// How long media of this server are kept after they were last looked at; for ever when absent.
    pub local_media_lifetime: Option<Duration>,
}

impl Default for Media {
    fn default() -> Self {
        Self {
            enable_authenticated_media: true,
            max_upload_size: Size::new("50M").expect("a constant size"),
            url_preview_enabled: false,
            url_preview_ip_range_blacklist: PRIVATE_NETWORKS.iter().map(|text| Cidr::try_from((*text).to_owned()).expect("a constant network")).collect(),
            url_preview_ip_range_whitelist: Vec::new(),
            remote_media_lifetime: None,
            local_media_lifetime: None,
        }
    }
}
