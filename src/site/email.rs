//! `email`: the mail server, and what is mailed. Synapse 1.163, config/emailconfig.py; documentation, "Email".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Duration, HostName, HttpUrl, Line, MailSender, ServiceHost};

/// How the server sends mail: links to reset a password and to prove an address, and notifications about missed messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{"smtp_host": "smtp.example.com", "smtp_port": 465, "force_tls": true, "smtp_user": "matrix@example.com", "notif_from": "Example Matrix <matrix@example.com>"}]))]
pub struct Email {
    /// The mail server that takes what Synapse sends. Synapse runs in a container: `localhost` would be that container.
    pub smtp_host: ServiceHost,
    /// The mail server's port. Absent means 465 with `force_tls`, and 25 without; most providers want 465 or 587.
    #[serde(default)]
    #[schemars(range(min = 1, max = 65535))]
    pub smtp_port: Option<u16>,
    /// The account at the mail server. Its password is the secret `smtp_password`. Absent means to send without logging in.
    #[serde(default)]
    pub smtp_user: Option<Line>,
    /// TLS from the first byte, as on port 465. Ports 587 and 25 begin in clear and change to TLS (STARTTLS), which needs no word.
    #[serde(default)]
    pub force_tls: bool,
    /// Whether nothing is sent to a mail server that does not offer TLS. Absent means true unless `enable_tls` is false; Synapse's own
    /// default is false, and then whoever is between the two can make it send the password in clear.
    #[serde(default)]
    pub require_transport_security: Option<bool>,
    /// Whether TLS is used when the mail server offers it; its certificate then has to be good. Only a mail server inside a network
    /// that is trusted as a whole is a reason for false.
    #[serde(default = "yes")]
    pub enable_tls: bool,
    /// The name that the mail server's certificate has, if it is not `smtp_host`.
    #[serde(default)]
    pub tlsname: Option<HostName>,
    /// Whom mail comes from: an address, or a name and an address.
    pub notif_from: MailSender,
    /// What mails call the service. It replaces `%(app)s` in `notif_from` and in `subjects`.
    #[serde(default = "matrix")]
    pub app_name: Line,
    /// Whether missed messages are mailed to people who want that.
    #[serde(default)]
    pub enable_notifs: bool,
    /// Whether people who register with an address want notifications until they say otherwise.
    #[serde(default = "yes")]
    pub notif_for_new_users: bool,
    /// How long a message has to stay unread before it is mailed.
    #[serde(default = "ten_minutes")]
    pub notif_delay_before_mail: Duration,
    /// The web client that links in mails lead to. Absent means `https://matrix.to`.
    #[serde(default)]
    pub client_base_url: Option<HttpUrl>,
    /// How long a mailed link is good.
    #[serde(default = "one_hour")]
    pub validation_token_lifetime: Duration,
    /// The web client that people are sent to whom somebody invited by their e-mail address.
    #[serde(default)]
    pub invite_client_location: Option<HttpUrl>,
    /// Subjects of mails, where Synapse's own English ones do not do.
    #[serde(default)]
    pub subjects: Subjects,
}

/// Subjects of mails. `%(app)s` is `app_name` in all of them; each may have the other marks that its description names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Subjects {
    /// One message from one person in a room with a name: `%(person)s`, `%(room)s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_from_person_in_room: Option<Line>,
    /// One message from one person: `%(person)s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_from_person: Option<Line>,
    /// Several messages from one person: `%(person)s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_from_person: Option<Line>,
    /// Messages in one room: `%(room)s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_in_room: Option<Line>,
    /// Messages in a room and in others: `%(room)s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_in_room_and_others: Option<Line>,
    /// Messages from a person and from others: `%(person)s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_from_person_and_others: Option<Line>,
    /// An invitation to a conversation: `%(person)s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invite_from_person: Option<Line>,
    /// An invitation to a room: `%(person)s`, `%(room)s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invite_from_person_to_room: Option<Line>,
    /// An invitation to a space: `%(person)s`, `%(space)s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invite_from_person_to_space: Option<Line>,
    /// The link to set a new password: `%(server_name)s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_reset: Option<Line>,
    /// The link that proves an address: `%(server_name)s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_validation: Option<Line>,
    /// To somebody who has an account already: `%(server_name)s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_already_in_use: Option<Line>,
}

/// The marks besides `%(app)s` that each subject may have (Synapse 1.163, push/mailer.py).
pub const MARKS: &[(&str, &[&str])] = &[
    ("message_from_person_in_room", &["person", "room"]),
    ("message_from_person", &["person"]),
    ("messages_from_person", &["person"]),
    ("messages_in_room", &["room"]),
    ("messages_in_room_and_others", &["room"]),
    ("messages_from_person_and_others", &["person"]),
    ("invite_from_person", &["person"]),
    ("invite_from_person_to_room", &["person", "room"]),
    ("invite_from_person_to_space", &["person", "space"]),
    ("password_reset", &["server_name"]),
    ("email_validation", &["server_name"]),
    ("email_already_in_use", &["server_name"]),
];

impl Email {
    /// The port that is connected to.
    pub fn port(&self) -> u16 {
        self.smtp_port.unwrap_or(if self.force_tls { 465 } else { 25 })
    }

    /// Whether nothing is sent without TLS.
    pub fn requires_tls(&self) -> bool {
        self.require_transport_security.unwrap_or(self.enable_tls)
    }
}

fn yes() -> bool {
    true
}

fn matrix() -> Line {
    Line::try_from("Matrix".to_owned()).expect("a constant line")
}

fn ten_minutes() -> Duration {
    Duration::new("10m").expect("a constant time")
}

fn one_hour() -> Duration {
    Duration::new("1h").expect("a constant time")
}
