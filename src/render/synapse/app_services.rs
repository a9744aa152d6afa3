//! Application services: a registration each, completed with its tokens by `launch`, and the list of them, which every process
//! reads.

use serde_json::{Value, json};

use super::{CONFIG, IMAGE};
use crate::launch::{Escape, RUN_DIR, Template};
use crate::render::{Rendered, yaml};
use crate::site::app_service;
use crate::site::load::Loaded;

pub(super) fn render(loaded: &Loaded, templates: &mut Vec<Template>, rendered: &mut Rendered) -> Option<Value> {
    let mut files = Vec::new();
    // What cannot be read was an error of the check.
    for registration in registrations(loaded).into_iter().filter_map(Result::ok) {
        let name = registration.name();
        let source = format!("{CONFIG}/app_services/{name}.yaml");
        let target = format!("{RUN_DIR}/app_services/{name}.yaml");
        let about = format!("The registration of the application service {}.", registration.id.escape_debug());
        rendered.add(IMAGE, &source, yaml::document(&about, &registration.rendered()));
        templates.push(Template { source, target: target.clone(), escape: Escape::Json });
        files.push(target);
    }
    (!files.is_empty()).then(|| json!({ "app_service_config_files": files }))
}

/// Every registration of the site, or what is wrong with it, in the order of the description.
pub fn registrations(loaded: &Loaded) -> Vec<Result<app_service::Registration, Vec<(String, String)>>> {
    let content = |path: &str| loaded.files.get(path).map(Vec::as_slice).unwrap_or_default();
    loaded.site.app_services.iter().map(|path| app_service::parse(content(path.as_str()))).collect()
}
