//! Logging in is another service's: what Synapse has to know of the Matrix Authentication Service.

use serde_json::{Value, json};

use crate::launch::secret_path;
use crate::site::Site;

/// The secret that Synapse and the service share.
pub const SECRET: &str = "matrix_authentication_service_secret";

pub(super) fn options(site: &Site) -> Option<Value> {
    let service = site.matrix_authentication_service.as_ref()?;
    let mut options = json!({ "enabled": true, "endpoint": service.endpoint, "secret_path": secret_path(SECRET) });
    if service.force_http2 {
        options["force_http2"] = json!(true);
    }
    Some(json!({ "matrix_authentication_service": options }))
}
