//! Application services: a registration each, completed with its tokens by `launch`, and the list of them, which every process
//! reads.

use serde_json::{Value, json};

use super::{CONFIG, IMAGE};
use crate::checked::CheckedSite;
use crate::deployment::Part;
use crate::launch::{Escape, RUN_DIR, Template, placeholder};
use crate::yaml;

pub(super) fn add(checked: &CheckedSite<'_>, templates: &mut Vec<Template>, part: &mut Part) -> Option<Value> {
    let mut files = Vec::new();
    for registration in &checked.registrations {
        let name = registration.name();
        let source = format!("{CONFIG}/app_services/{name}.yaml");
        let target = format!("{RUN_DIR}/app_services/{name}.yaml");
        let about = format!("The registration of the application service {}.", registration.id.escape_debug());
        part.add(IMAGE, &source, yaml::document(&about, &registration.content(placeholder)));
        templates.push(Template { source, target: target.clone(), escape: Escape::Json });
        files.push(target);
    }
    (!files.is_empty()).then(|| json!({ "app_service_config_files": files }))
}
