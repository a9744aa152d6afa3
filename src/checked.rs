//! A site that keeps to every rule, in a form that cannot say what the rules forbid: what is in a section only where another option
//! has a certain value is inside of a variant here, and every file that the description names is at hand. What runs a site is made
//! from this and from nothing else.

use crate::site::Site;
use crate::site::app_service::{self, Registration};
use crate::site::authentication::Method;
use crate::site::consent::Consent;
use crate::site::database::{Source, setting_text};
use crate::site::ldap::Ldap;
use crate::site::load::{Loaded, in_directory};
use crate::site::rtc::{self, RtcSource};
use crate::site::text::{HostName, ImageReference, Line, PolicyVersion, RelayAddress, ServiceHost, TurnUri};
use crate::site::turn::TurnSource;

/// A checked description. [`crate::check::validate`] gives it. [`crate::check::unchecked`] gives the same of a site that may be wrong:
/// for rules and pages about what would be rendered, for `render --in-spite-of-errors`, and for tests.
#[allow(clippy::manual_non_exhaustive, reason = "this crate must not make one elsewhere, either")]
#[derive(Debug)]
pub struct CheckedSite<'a> {
    /// The description, for options that stand by themselves.
    pub site: &'a Site,
    /// The relay for calls of two.
    pub turn: Turn<'a>,
    /// Calls of many.
    pub rtc: Rtc<'a>,
    /// Synapse's database.
    pub database: Database<'a>,
    /// The bus between Synapse's processes.
    pub redis: Redis<'a>,
    /// The directory that people log in with.
    pub directory: Option<Directory<'a>>,
    /// The application services, in the order of the description.
    pub registrations: Vec<Registration>,
    /// `server.ca_certificates`, PEM.
    pub authorities: Vec<&'a [u8]>,
    /// `federation.federation_custom_ca_list`, PEM.
    pub federation_authorities: Vec<&'a [u8]>,
    /// The policy that people agree to.
    pub policy: Option<Policy<'a>>,
    /// The site's own templates, if it has a directory of them: name and content.
    pub templates: Option<Vec<(&'a str, &'a [u8])>>,
    /// `database.settings` as `postgresql.conf` has them.
    pub postgres_settings: Vec<(&'a str, String)>,
    /// Nobody makes one by hand.
    _made_here: (),
}

/// The relay for calls of two.
#[derive(Debug, Clone, Copy)]
pub enum Turn<'a> {
    /// There is none.
    None,
    /// A coturn of this site.
    Bundled {
        /// The name by which clients find it.
        host: &'a HostName,
        /// The address by which peers reach it.
        external_ip: &'a RelayAddress,
    },
    /// Somebody else's.
    External {
        /// Where it is.
        uris: &'a [TurnUri],
        /// The one user that it has; none where users are made from a shared secret.
        user: Option<&'a Line>,
    },
}

/// Calls of many.
#[derive(Debug, Clone, Copy)]
pub enum Rtc<'a> {
    /// There are none.
    None,
    /// LiveKit and the authorisation service run elsewhere.
    External,
    /// They are of this site.
    Bundled {
        /// The image of LiveKit.
        livekit: &'a ImageReference,
        /// The image of the authorisation service.
        authorisation: &'a ImageReference,
        /// The name by which clients find both.
        host: &'a str,
        /// The address by which peers reach LiveKit, where it is known.
        address: Option<&'a RelayAddress>,
        /// The relay for clients that reach nobody directly.
        relay: Relay,
    },
}

/// The relay for calls of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relay {
    /// There is none.
    None,
    /// The one for calls of two, which there is: [`CheckedSite::turn`].
    Turn,
    /// LiveKit's own.
    Livekit,
}

/// Synapse's database.
#[derive(Debug, Clone, Copy)]
pub enum Database<'a> {
    /// A PostgreSQL of this site.
    Bundled,
    /// Somebody else's.
    External {
        /// A host name, several with commas between them, or the directory of a Unix socket.
        host: &'a Line,
    },
}

/// The bus between Synapse's processes.
#[derive(Debug, Clone, Copy)]
pub enum Redis<'a> {
    /// A Redis of this site.
    Bundled,
    /// Somebody else's.
    External {
        /// Its host.
        host: &'a ServiceHost,
    },
}

/// The directory that people log in with.
#[derive(Debug, Clone, Copy)]
pub struct Directory<'a> {
    /// The section.
    pub ldap: &'a Ldap,
    /// The certificate authority of its servers, PEM.
    pub authority: Option<&'a [u8]>,
}

/// The policy that people agree to.
#[derive(Debug)]
pub struct Policy<'a> {
    /// The section.
    pub consent: &'a Consent,
    /// Its versions: the number, the name of the file, and what is in it.
    pub documents: Vec<(&'a PolicyVersion, &'a str, &'a [u8])>,
}

/// Options that a value needs and does not have: what no rule may let through.
pub(crate) type Missing = Vec<&'static str>;

impl<'a> CheckedSite<'a> {
    /// The site, and what is missing in it. What is missing counts as not being there.
    pub(crate) fn of(loaded: &'a Loaded) -> (Self, Missing) {
        let site = &loaded.site;
        let mut missing = Missing::new();
        let turn = match site.turn.source {
            TurnSource::None => Turn::None,
            TurnSource::External => Turn::External { uris: &site.turn.turn_uris, user: site.turn.turn_username.as_ref() },
            TurnSource::Bundled => match (needed("turn.host", &site.turn.host, &mut missing), needed("turn.external_ip", &site.turn.external_ip, &mut missing))
            {
                (Some(host), Some(external_ip)) => Turn::Bundled { host, external_ip },
                _ => Turn::None,
            },
        };
        let rtc = match site.rtc.source {
            RtcSource::None => Rtc::None,
            RtcSource::External => Rtc::External,
            RtcSource::Bundled => {
                let livekit = needed("rtc.livekit_image", &site.rtc.livekit_image, &mut missing);
                let authorisation = needed("rtc.authorisation_image", &site.rtc.authorisation_image, &mut missing);
                let relay = match (site.rtc.relay, turn) {
                    (rtc::Relay::Turn, Turn::None) => {
                        missing.push("turn.source");
                        Relay::None
                    }
                    (rtc::Relay::Turn, _) => Relay::Turn,
                    (rtc::Relay::Livekit, _) => Relay::Livekit,
                    (rtc::Relay::None, _) => Relay::None,
                };
                match (livekit, authorisation) {
                    (Some(livekit), Some(authorisation)) => Rtc::Bundled {
                        livekit,
                        authorisation,
                        host: site.rtc.host.as_ref().map_or(site.server.public_baseurl.host(), HostName::as_str),
                        address: site.rtc.external_ip.as_ref().or(site.turn.external_ip.as_ref()),
                        relay,
                    },
                    _ => Rtc::None,
                }
            }
        };
        let database = match site.database.source {
            Source::Bundled => Database::Bundled,
            Source::External => needed("database.host", &site.database.host, &mut missing).map_or(Database::Bundled, |host| Database::External { host }),
        };
        let redis = match site.redis.source {
            Source::Bundled => Redis::Bundled,
            Source::External => needed("redis.host", &site.redis.host, &mut missing).map_or(Redis::Bundled, |host| Redis::External { host }),
        };
        let mut files = Files { loaded, missing: &mut missing };
        let directory = site
            .ldap
            .as_ref()
            .filter(|_| site.authentication.method == Method::Ldap)
            .map(|ldap| Directory { ldap, authority: ldap.ca_certificate.as_ref().and_then(|path| files.content("ldap.ca_certificate", path.as_str())) });
        let authorities = site.server.ca_certificates.iter().filter_map(|path| files.content("server.ca_certificates", path.as_str())).collect();
        let federation = &site.federation.federation_custom_ca_list;
        let federation_authorities = federation.iter().filter_map(|path| files.content("federation.federation_custom_ca_list", path.as_str())).collect();
        let policy = site.consent.as_ref().map(|consent| Policy {
            consent,
            documents: consent
                .documents
                .iter()
                .filter_map(|(version, document)| {
                    let file = document.file.as_str();
                    Some((version, file, files.content("consent.documents", file)?))
                })
                .collect(),
        });
        let templates = site.templates.custom_template_directory.as_ref().map(|named| {
            let before = in_directory(named.as_str(), "");
            let range = loaded.files.range(before.clone()..).take_while(|(name, _)| name.starts_with(&before));
            range.map(|(name, content)| (&name[before.len()..], content.as_slice())).collect()
        });
        let mut registrations = Vec::new();
        for path in &site.app_services {
            match files.content("app_services", path.as_str()).map(app_service::parse) {
                Some(Ok(registration)) => registrations.push(registration),
                Some(Err(_)) => files.missing.push("app_services"),
                None => {}
            }
        }
        let mut postgres_settings = Vec::new();
        for (name, value) in &site.database.settings {
            match setting_text(value) {
                Some(text) => postgres_settings.push((name.as_str(), text)),
                None => files.missing.push("database.settings"),
            }
        }
        if directory.is_some() && site.synapse.settings.get("modules").is_some_and(|modules| !modules.is_array()) {
            files.missing.push("synapse.settings.modules");
        }
        let checked = Self {
            postgres_settings,
            _made_here: (),
            site,
            turn,
            rtc,
            database,
            redis,
            directory,
            registrations,
            authorities,
            federation_authorities,
            policy,
            templates,
        };
        (checked, missing)
    }
}

/// A value, or a note that there is none.
fn needed<'a, T>(option: &'static str, value: &'a Option<T>, missing: &mut Missing) -> Option<&'a T> {
    if value.is_none() {
        missing.push(option);
    }
    value.as_ref()
}

/// The files that the description names.
struct Files<'a, 'm> {
    loaded: &'a Loaded,
    missing: &'m mut Missing,
}

impl<'a> Files<'a, '_> {
    fn content(&mut self, option: &'static str, path: &str) -> Option<&'a [u8]> {
        let content = self.loaded.files.get(path).map(Vec::as_slice);
        if content.is_none() {
            self.missing.push(option);
        }
        content
    }
}
