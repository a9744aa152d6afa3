//! `media`: the media store and URL previews. Synapse documentation, "Media Store".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Cidr, Duration, HttpUrl, Line, ServerName, Size};

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
    /// The largest picture that a smaller one is made of, in pixels; `32M` is 32 times 1024 times 1024.
    pub max_image_pixels: Size,
    /// Whether smaller pictures are made in any size that a client asks for, and not only in Synapse's own.
    pub dynamic_thumbnails: bool,
    /// How much somebody may upload in some time.
    pub media_upload_limits: Vec<UploadLimit>,
    /// How long a begun upload may take.
    pub unused_expiration_time: Duration,
    /// How many uploads somebody may have begun.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_pending_media_uploads: u32,
    /// Servers whose media are not fetched.
    pub prevent_media_downloads_from: Vec<ServerName>,
    /// Whether the server fetches linked pages to show a preview.
    pub url_preview_enabled: bool,
    /// Networks that previews are never fetched from, beyond the private networks, which always belong to the list.
    pub url_preview_ip_range_blacklist: Vec<Cidr>,
    /// Networks that previews may be fetched from although the list above or the private networks hold them.
    pub url_preview_ip_range_whitelist: Vec<Cidr>,
    /// Addresses that previews are never fetched from. An address is refused when all members of an entry match it.
    pub url_preview_url_blacklist: Vec<UrlPattern>,
    /// Languages that linked pages are asked for, the best first.
    pub url_preview_accept_language: Vec<Line>,
    /// The largest page that is looked at for a preview.
    pub max_spider_size: Size,
    /// How long media of other servers are kept after they were last looked at; for ever when absent.
    pub remote_media_lifetime: Option<Duration>,
    /// How long media of this server are kept after they were last looked at; for ever when absent.
    pub local_media_lifetime: Option<Duration>,
}

/// Which addresses: each member is a pattern for a part of the address, `*` for any text and `?` for any character, or a regular
/// expression of Python's when it begins with `^`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UrlPattern {
    /// `http` or `https`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<Line>,
    /// Host and port as they are written, with a user before them if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netloc: Option<Line>,
    /// The host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Line>,
    /// The port, if it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<Line>,
    /// The path, which begins with a slash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Line>,
    /// What comes after a question mark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<Line>,
    /// What comes after `#`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fragment: Option<Line>,
    /// The user before the host: `*` refuses every address that has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<Line>,
}

/// How much somebody may upload in some time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UploadLimit {
    /// In which time.
    pub time_period: Duration,
    /// How much.
    pub max_size: Size,
    /// A page that explains it; one of Synapse's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info_uri: Option<HttpUrl>,
    /// Whether clients are told that more can be had.
    #[serde(default)]
    pub can_upgrade: bool,
}

impl Default for Media {
    fn default() -> Self {
        Self {
            enable_authenticated_media: true,
            max_upload_size: Size::new("50M").expect("a constant size"),
            max_image_pixels: Size::new("32M").expect("a constant size"),
            dynamic_thumbnails: false,
            media_upload_limits: Vec::new(),
            unused_expiration_time: Duration::new("24h").expect("a constant duration"),
            max_pending_media_uploads: 5,
            prevent_media_downloads_from: Vec::new(),
            url_preview_enabled: false,
            url_preview_ip_range_blacklist: Vec::new(),
            url_preview_ip_range_whitelist: Vec::new(),
            url_preview_url_blacklist: Vec::new(),
            url_preview_accept_language: vec![Line::try_from("en".to_owned()).expect("a constant line")],
            max_spider_size: Size::new("10M").expect("a constant size"),
            remote_media_lifetime: None,
            local_media_lifetime: None,
        }
    }
}
