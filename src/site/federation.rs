//! `federation`: whom the server talks to, and how patiently. Synapse documentation, "Federation" and "Server". Whether there is
//! federation at all is `listeners.federation`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Cidr, Duration, FilePath, Line, ServerName};

/// Whom the server talks to, and how patiently.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Federation {
    /// The only servers that this one talks to; all when absent, none when empty.
    pub federation_domain_whitelist: Option<Vec<ServerName>>,
    /// Whether those who are logged in can read that list.
    pub federation_whitelist_endpoint_enabled: bool,
    /// Servers whose delays are measured, when there are metrics.
    pub federation_metrics_domains: Vec<ServerName>,
    /// Whether other servers can read the names that people gave their devices.
    pub allow_device_name_lookup_over_federation: bool,
    /// Networks that the server does not reach out to, for other servers, push gateways or identity servers, beyond the private
    /// networks, which always belong to the list.
    pub ip_range_blacklist: Vec<Cidr>,
    /// Networks that the server reaches out to although the list above or the private networks hold them: other servers or push
    /// gateways of an organisation's own network.
    pub ip_range_whitelist: Vec<Cidr>,
    /// Servers whose certificates are not verified; `*` stands for any text. They have no protection at all.
    pub federation_certificate_verification_whitelist: Vec<Line>,
    /// The oldest version of TLS that is spoken to other servers. Synapse's own default is 1.
    pub federation_client_minimum_tls_version: TlsVersion,
    /// Certificate authorities that other servers are verified with instead of those that the world knows: PEM files with one
    /// certificate each.
    pub federation_custom_ca_list: Vec<FilePath>,
    /// How long an answer may take.
    pub client_timeout: Duration,
    /// The longest wait before a request in the background is tried again.
    pub max_long_retry_delay: Duration,
    /// The longest wait before a request that somebody waits for is tried again.
    pub max_short_retry_delay: Duration,
    /// How often a request in the background is tried again.
    #[schemars(range(min = 0, max = 1000))]
    pub max_long_retries: u16,
    /// How often a request that somebody waits for is tried again.
    #[schemars(range(min = 0, max = 1000))]
    pub max_short_retries: u16,
    /// How long a server that does not answer is left alone at first.
    pub destination_min_retry_interval: Duration,
    /// How much longer each time.
    #[schemars(range(min = 1, max = 1000))]
    pub destination_retry_multiplier: u16,
    /// How long at most. Synapse's own default is 7 days.
    pub destination_max_retry_interval: Duration,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TlsVersion {
    /// What all current servers speak.
    #[serde(rename = "1.2")]
    V1_2,
    /// The newest.
    #[serde(rename = "1.3")]
    V1_3,
}

impl Default for Federation {
    fn default() -> Self {
        let time = |text| Duration::new(text).expect("a constant duration");
        Self {
            federation_domain_whitelist: None,
            federation_whitelist_endpoint_enabled: false,
            federation_metrics_domains: Vec::new(),
            allow_device_name_lookup_over_federation: false,
            ip_range_blacklist: Vec::new(),
            ip_range_whitelist: Vec::new(),
            federation_certificate_verification_whitelist: Vec::new(),
            federation_client_minimum_tls_version: TlsVersion::V1_2,
            federation_custom_ca_list: Vec::new(),
            client_timeout: time("60s"),
            max_long_retry_delay: time("60s"),
            max_short_retry_delay: time("2s"),
            max_long_retries: 10,
            max_short_retries: 3,
            destination_min_retry_interval: time("10m"),
            destination_retry_multiplier: 2,
            destination_max_retry_interval: time("7d"),
        }
    }
}
