//! The requests to Synapse that making an administrator takes (Synapse documentation: "Shared-Secret Registration",
//! "User Admin API"). Takes values and gives what Synapse says; decides nothing.

use std::time::Duration;

use hmac::{Hmac, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use sha1::Sha1;

use crate::probe;
use crate::values::Value;

/// Hashing a password takes Synapse some tenths of a second, on a busy machine more.
const LIMIT: Duration = Duration::from_secs(30);
/// All but the unreserved characters of RFC 3986, section 2.3: `@`, `:` and `/` of a user id are data within one segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Synapse's kind of user for a program (api/constants.py, UserTypes).
pub const BOT: &str = "bot";

/// One Synapse server.
pub struct Synapse {
    base: String,
    agent: ureq::Agent,
}

/// Why a request did not give what was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The Matrix error code, `M_USER_IN_USE`; empty when the answer has none.
    pub code: String,
    /// What happened, for people.
    pub message: String,
}

type Outcome<T> = Result<T, Failure>;

/// A new account.
#[derive(Debug)]
pub struct Registered {
    /// The whole user id.
    pub user_id: String,
    /// A session, if one was asked for.
    pub access_token: Option<Value>,
}

/// What Synapse knows about an account.
#[derive(Debug, Deserialize)]
pub struct Account {
    /// Whether it is an administrator.
    #[serde(default)]
    pub admin: bool,
    /// Whether it was closed.
    #[serde(default)]
    pub deactivated: bool,
    /// Synapse's kind of user: none for a person.
    #[serde(default)]
    pub user_type: Option<String>,
}

/// Whom to register.
pub struct Registration<'a> {
    /// The localpart.
    pub localpart: &'a str,
    /// The password.
    pub password: &'a Value,
    /// Synapse's kind of user: none for a person.
    pub user_type: Option<&'a str>,
    /// Whether a session is wanted at once.
    pub log_in: bool,
}

impl Synapse {
    /// The server whose client listener is at this host and port.
    pub fn new(host: &str, port: u16) -> Self {
        Self { base: format!("http://{}", probe::authority(host, port)), agent: probe::agent(LIMIT) }
    }

    /// Makes an account with administrator's rights, signed with the shared secret.
    pub fn register_administrator(&self, secret: &Value, wanted: &Registration<'_>) -> Outcome<Registered> {
        let path = "/_synapse/admin/v1/register";
        let answer = self.call("GET", path, None, None)?;
        let nonce = text(&answer, "nonce")?;
        let mut body = json!({
            "nonce": nonce,
            "username": wanted.localpart,
            "password": wanted.password.expose(),
            "admin": true,
            "mac": signature(secret.expose(), &nonce, wanted),
            "inhibit_login": !wanted.log_in,
        });
        if let Some(user_type) = wanted.user_type {
            body["user_type"] = user_type.into();
        }
        let answer = self.call("POST", path, None, Some(&body))?;
        let access_token = answer["access_token"].as_str().map(|token| Value::new(token.to_owned()));
        Ok(Registered { user_id: text(&answer, "user_id")?, access_token })
    }

    /// What Synapse knows about an account.
    pub fn account(&self, token: &Value, user_id: &str) -> Outcome<Account> {
        let answer = self.call("GET", &user_path(user_id), Some(token), None)?;
        serde_json::from_value(answer).map_err(|error| unexpected(&error.to_string()))
    }

    /// Gives an existing account administrator's rights.
    pub fn promote(&self, token: &Value, user_id: &str) -> Outcome<()> {
        self.call("PUT", &user_path(user_id), Some(token), Some(&json!({ "admin": true }))).map(drop)
    }

    /// Makes an existing account one of a program, which is asked to agree to no policy.
    pub fn make_bot(&self, token: &Value, user_id: &str) -> Outcome<()> {
        self.call("PUT", &user_path(user_id), Some(token), Some(&json!({ "user_type": BOT }))).map(drop)
    }

    /// Lets an account write as fast as it wants; zeros mean that there is no limit.
    pub fn lift_limits(&self, token: &Value, user_id: &str) -> Outcome<()> {
        let path = format!("/_synapse/admin/v1/users/{}/override_ratelimit", segment(user_id));
        self.call("POST", &path, Some(token), Some(&json!({ "messages_per_second": 0, "burst_count": 0 }))).map(drop)
    }

    /// Ends a session.
    pub fn log_out(&self, token: &Value) -> Outcome<()> {
        self.call("POST", "/_matrix/client/v3/logout", Some(token), Some(&json!({}))).map(drop)
    }

    /// Closes an account for good and forgets its profile.
    pub fn deactivate(&self, token: &Value, user_id: &str) -> Outcome<()> {
        let path = format!("/_synapse/admin/v1/deactivate/{}", segment(user_id));
        self.call("POST", &path, Some(token), Some(&json!({ "erase": true }))).map(drop)
    }

    fn call(&self, method: &str, path: &str, token: Option<&Value>, body: Option<&Json>) -> Outcome<Json> {
        let failed = |message: String| Failure { code: String::new(), message };
        let body = body.map(Json::to_string);
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {}", token.expose()));
        }
        let sent = match body {
            Some(body) => request.header("content-type", "application/json").body(body).map_err(ureq::Error::from).and_then(|request| self.agent.run(request)),
            None => request.body(()).map_err(ureq::Error::from).and_then(|request| self.agent.run(request)),
        };
        let mut answer = sent.map_err(|error| failed(format!("{}: {error}", self.base)))?;
        let status = answer.status();
        let text = answer.body_mut().read_to_string().map_err(|error| failed(error.to_string()))?;
        let json: Json = serde_json::from_str(&text).unwrap_or(Json::Null);
        if status.is_success() && json.is_object() {
            return Ok(json);
        }
        let field = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        let (code, said) = (field("errcode"), field("error"));
        let message = match (code.as_str(), said.as_str()) {
            ("", "") => format!("{path} answered with status {}", status.as_u16()),
            _ => format!("Synapse says {} {code}: {said}", status.as_u16()),
        };
        Err(Failure { code, message })
    }
}

/// The key is the shared secret; the fields are separated by NUL bytes (Synapse documentation, "Shared-Secret
/// Registration").
fn signature(secret: &str, nonce: &str, wanted: &Registration<'_>) -> String {
    let mut mac = <Hmac<Sha1> as hmac::Mac>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    let mut fields = vec![nonce, wanted.localpart, wanted.password.expose(), "admin"];
    fields.extend(wanted.user_type);
    mac.update(fields.join("\0").as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn user_path(user_id: &str) -> String {
    format!("/_synapse/admin/v2/users/{}", segment(user_id))
}

fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

fn text(answer: &Json, field: &str) -> Outcome<String> {
    answer[field].as_str().map(str::to_owned).ok_or_else(|| unexpected(&format!("there is no `{field}`")))
}

fn unexpected(problem: &str) -> Failure {
    Failure { code: String::new(), message: format!("Synapse's answer is not understood: {problem}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_synapses_own_script() {
        // Computed with Python: hmac.new(b"s3cret", b"abc\0alice\0wonder land\0admin", "sha1").hexdigest(), and with
        // b"\0bot" appended.
        let password = Value::new("wonder land".into());
        let person = Registration { localpart: "alice", password: &password, user_type: None, log_in: false };
        assert_eq!(signature("s3cret", "abc", &person), "497c5d6910055fde34e16dc34cbc5027e863a848");
        let bot = Registration { user_type: Some("bot"), ..person };
        assert_eq!(signature("s3cret", "abc", &bot), "fa377a572d67be33846f7537b7cc157190cb0167");
    }

    #[test]
    fn user_ids_are_one_segment_of_a_path() {
        assert_eq!(user_path("@a/b+c=d.e_f-g:example.com:8448"), "/_synapse/admin/v2/users/%40a%2Fb%2Bc%3Dd.e_f-g%3Aexample.com%3A8448");
    }
}
