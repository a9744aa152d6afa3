//! The table of Synapse's options against the pinned Synapse itself, and against what this program renders.

mod wheel;

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use synapse_site::check::synapse::{self, Entry, Kind};

const TABLE: &str = "src/check/synapse/options.txt";
/// With this set to `write`, the table is written anew instead of compared.
const SWITCH: &str = "SETTINGS";

/// What `tests/settings/reads.py` reads out of the locked wheel.
fn read_anew() -> String {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in wheel::files("synapse/", ".py") {
        let file = dir.path().join("synapse").join(name);
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        std::fs::write(file, text).expect("writes");
    }
    let output = Command::new("python3").arg("tests/settings/reads.py").arg(dir.path().join("synapse")).output().expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows = String::from_utf8(output.stdout).expect("UTF-8");
    let version = wheel::version();
    format!(
        "# What Synapse {version} reads of its configuration, and the types its code betrays: written by `make settings`, see tests/settings/reads.py.\n{rows}"
    )
}

/// After another version was locked this fails: `make settings` writes the table, and `git diff` shows which options came, went or changed. What
/// went belongs into `gone.txt`.
#[test]
fn the_table_of_options_is_that_of_the_pinned_synapse() {
    let fresh = read_anew();
    if std::env::var(SWITCH).is_ok_and(|value| value == "write") {
        std::fs::write(TABLE, &fresh).expect("writes");
        return;
    }
    let kept = std::fs::read_to_string(TABLE).expect("the table");
    let (kept, fresh): (Vec<&str>, Vec<&str>) = (kept.lines().collect(), fresh.lines().collect());
    let gone: Vec<_> = kept.iter().filter(|line| !fresh.contains(line)).collect();
    let new: Vec<_> = fresh.iter().filter(|line| !kept.contains(line)).collect();
    assert!(kept == fresh, "{TABLE} is not that of the locked Synapse; `make settings` writes it.\nonly in the file: {gone:#?}\nonly in Synapse: {new:#?}");
}

/// The names in a dictionary of a module of Jinja2: `"name": do_name,`, a line each.
fn names_in(module: &str, dictionary: &str) -> Vec<String> {
    let text = wheel::files_of("jinja2", "jinja2/", ".py").into_iter().find(|(name, _)| name == module).expect("the module").1;
    let body = text.split(&format!("\n{dictionary} = {{\n")).nth(1).expect("the dictionary").split("\n}").next().expect("its end").to_owned();
    let mut names: Vec<String> = body.lines().filter_map(|line| Some(line.trim().strip_prefix('"')?.split_once("\":")?.0.to_owned())).collect();
    names.sort();
    names
}

/// As the table of options, of the filters and tests that templates may use.
#[test]
fn the_table_of_filters_and_tests_is_that_of_the_pinned_jinja2() {
    const TABLE: &str = "src/check/synapse/jinja.txt";
    let filters = names_in("filters.py", "FILTERS").into_iter().map(|name| format!("filter {name}\n"));
    let tests = names_in("tests.py", "TESTS").into_iter().map(|name| format!("test {name}\n"));
    let rows: String = filters.chain(tests).collect();
    let fresh =
        format!("# The filters and tests of the locked Jinja2 (FILTERS in jinja2/filters.py, TESTS in jinja2/tests.py): written by `make settings`.\n{rows}");
    if std::env::var(SWITCH).is_ok_and(|value| value == "write") {
        std::fs::write(TABLE, &fresh).expect("writes");
        return;
    }
    assert_eq!(std::fs::read_to_string(TABLE).expect("the table"), fresh, "`make settings` writes {TABLE}");
    assert!(rows.lines().count() > 80, "{rows}");
}

/// Every option that a section renders is one that Synapse reads, and of its type: a check of the renderer, and of the table.
#[test]
fn what_examples_render_is_what_synapse_reads() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for example in std::fs::read_dir("examples").expect("the examples").map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir()) {
        let site = ["site.yaml", "site.nix"].into_iter().map(|name| example.join(name)).find(|path| path.is_file()).expect("a site");
        let out = tempfile::tempdir().expect("a directory");
        let into = out.path().join("rendered");
        let output = Command::new(env!("CARGO_BIN_EXE_synapse-site")).arg("render").arg(&site).arg("--out").arg(&into).output().expect("the program runs");
        assert!(output.status.success(), "{}: {}", site.display(), String::from_utf8_lossy(&output.stderr));
        for file in yaml_files(&into.join("synapse/etc/matrix-synapse")) {
            let text = std::fs::read_to_string(&file).expect("text");
            // Registrations of application services and the configuration of logs lie there, too, and are read by others.
            let Ok(Value::Object(options)) = serde_yaml::from_str::<Value>(&text) else { continue };
            if options.contains_key("as_token") || options.contains_key("formatters") {
                continue;
            }
            for (name, value) in &options {
                seen += 1;
                compare(synapse::options(), name, value, name, &mut wrong);
            }
        }
    }
    assert!(seen > 200, "only {seen} options were looked at");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn yaml_files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            found.extend(yaml_files(&entry));
        } else if entry.extension().is_some_and(|ending| ending == "yaml") {
            found.push(entry);
        }
    }
    found
}

fn compare(holder: &Entry, key: &str, value: &Value, path: &str, wrong: &mut Vec<String>) {
    let Some(entry) = holder.member(key) else {
        if holder.is_closed() {
            wrong.push(format!("{path}: unknown"));
        }
        return;
    };
    compare_value(entry, value, path, wrong);
}

fn compare_value(entry: &Entry, value: &Value, path: &str, wrong: &mut Vec<String>) {
    let fits = |kind: &Kind| match kind {
        Kind::Any => true,
        Kind::Null => value.is_null(),
        Kind::Bool => value.is_boolean(),
        Kind::Int => value.is_i64(),
        Kind::Number => value.is_number(),
        // Secrets and addresses are placeholders until the start, which are text.
        Kind::Text => value.is_string(),
        Kind::List => value.is_array(),
        Kind::Map => value.is_object(),
        Kind::Duration | Kind::Size => value.is_i64() || value.is_string(),
        Kind::Just(choice) => value == choice,
    };
    if !entry.kinds.iter().any(fits) {
        wrong.push(format!("{path}: {value} is none of {:?}", entry.kinds));
    }
    match value {
        Value::Object(members) => members.iter().for_each(|(key, member)| compare(entry, key, member, &format!("{path}.{key}"), wrong)),
        Value::Array(elements) => elements.iter().filter_map(|element| Some((entry.element()?, element))).for_each(|(entry, element)| {
            compare_value(entry, element, &format!("{path}.[]"), wrong);
        }),
        _ => {}
    }
}

/// What `check` says about options under `synapse.settings`: code, place and remedy.
fn said(settings: &str) -> Vec<(String, String, String)> {
    let dir = tempfile::tempdir().expect("a directory");
    let site = dir.path().join("site.yaml");
    let head = "server: { server_name: example.com, public_baseurl: \"https://matrix.example.com/\" }\n";
    std::fs::write(&site, format!("{head}synapse: {{ settings: {settings} }}\n")).expect("writes");
    let output = Command::new(env!("CARGO_BIN_EXE_synapse-site")).args(["check", "--json"]).arg(&site).output().expect("the program runs");
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{settings}: {error}"));
    let text = |finding: &Value, member: &str| finding[member].as_str().unwrap_or_default().to_owned();
    let place = |finding: &Value| text(finding, "option").replacen("synapse.settings.", "", 1);
    findings.iter().map(|finding| (text(finding, "code"), place(finding), text(finding, "remedy"))).collect()
}

#[test]
fn a_mistake_is_told_with_its_place_and_what_to_write() {
    for (settings, code, place, remedy) in [
        ("{ soft_file_limt: 5 }", "S0411", "soft_file_limt", "did you mean \"soft_file_limit\"?"),
        (
            "{ turn_shared_sekret: x }",
            "S0411",
            "turn_shared_sekret",
            "\"turn_shared_secret\"? Then remove it: its value is the file secrets/turn_shared_secret",
        ),
        ("{ smtp_host: mail.example.com }", "S0411", "smtp_host", "a member of email: write it as email.smtp_host"),
        ("{ min_cache_ttl: 5m }", "S0411", "min_cache_ttl", "write caches: { cache_autotuning: { min_cache_ttl: … } }"),
        ("{ of_the_future: 1 }", "S0411", "of_the_future", "synapse.unchecked: [of_the_future]"),
        ("{ caches: { max_upload_size: 5M } }", "S0412", "caches.max_upload_size", "write it as media.max_upload_size"),
        ("{ caches: { event_cache_size: 5M } }", "S0412", "caches.event_cache_size", "write it under synapse.settings itself"),
        ("{ push: { colour: red } }", "S0412", "push.colour", "its members are enabled, group_unread_count_by_room"),
        ("{ thumbnail_sizes: [{ width: 32, height: 32, methode: crop }] }", "S0412", "thumbnail_sizes[0].methode", "\"method\"?"),
        ("{ push: { enabled: \"off\" } }", "S0413", "push.enabled", "write enabled: false"),
        ("{ task_scheduler: { max_concurrent_tasks: 2.5 } }", "S0413", "task_scheduler.max_concurrent_tasks", "max_concurrent_tasks: 10"),
        ("{ redaction_allowed_period: 0.5 }", "S0413", "redaction_allowed_period", "write redaction_allowed_period: 10m"),
        ("{ thumbnail_sizes: { width: 32, height: 32, method: crop } }", "S0413", "thumbnail_sizes", "as a list, of which this is one element"),
        ("{ caches: { _secret: factors } }", "S0413", "caches", "its members are"),
        ("{ caches: { global_factor: \"2.5\" } }", "S0413", "caches.global_factor", "write global_factor: 2.5"),
        ("{ caches: { per_cache_factors: { users: many } } }", "S0413", "caches.per_cache_factors.users", "as in users: 10"),
        ("{ recaptcha_public_key: 0.10 }", "S0413", "recaptcha_public_key", "write recaptcha_public_key: \"0.1\""),
        ("{ exclude_rooms_from_sync: \"!a:example.com\" }", "S0413", "exclude_rooms_from_sync", "write exclude_rooms_from_sync: [\"!a:example.com\"]"),
        ("{ exclude_rooms_from_sync: [1] }", "S0413", "exclude_rooms_from_sync[0]", "\"1\""),
        ("{ push: { enabled: null } }", "S0413", "push.enabled", "remove it"),
        ("{ soft_file_limit: { _secret: limit } }", "S0413", "soft_file_limit", "write the number"),
        ("{ event_cache_size: 1.5GiB }", "S0414", "event_cache_size", "write event_cache_size: 1536M"),
        ("{ redaction_allowed_period: 2 weeks }", "S0414", "redaction_allowed_period", "write redaction_allowed_period: 2w"),
        ("{ cas_config: { server_url: \"https://cas.example.com\", protocol_version: 4 } }", "S0415", "cas_config.protocol_version", "protocol_version: 1"),
        ("{ experimental_features: { msc3266_enabled: true } }", "S0416", "experimental_features.msc3266_enabled", "remove it"),
        ("{ acme: { enabled: true } }", "S0416", "acme", "gateway.tls"),
        ("{ metrics_port: 9000 }", "S0417", "metrics_port", "say listeners.metrics"),
        ("{ pid_file: /run/synapse.pid }", "S0401", "pid_file", "not offered: the container engine starts and stops processes; remove it"),
        ("{ log_confg: /etc/log.yaml }", "S0411", "log_confg", "Then write it as logging.level"),
        ("{ caches: { log_config: /etc/log.yaml } }", "S0412", "caches.log_config", "write it as logging.level"),
        ("{ password_config: { pepper: S3kr3t } }", "S0401", "password_config", "the secret goes into secrets/password_pepper"),
        ("{ email: { smtp_pass: S3kr3t } }", "S0401", "email", "the secret goes into secrets/smtp_password"),
        ("{ database: { args: { password: S3kr3t } } }", "S0401", "database", "the secret goes into secrets/postgres_password"),
        ("{ experimental_features: { msc4140_enabled: true } }", "S0412", "experimental_features.msc4140_enabled", "rtc.max_event_delay_duration"),
        ("{ msc4140_enabled: true }", "S0411", "msc4140_enabled", "rtc.max_event_delay_duration"),
        ("{ experimental_features: { msc4221_enabled: true } }", "S0412", "experimental_features.msc4221_enabled", "reads no such feature"),
        ("{ experimental_features: { msc4388_enabled: true } }", "S0412", "experimental_features.msc4388_enabled", "\"msc4388_mode\""),
        ("{ experimental_features: { msc4222_enable: true } }", "S0412", "experimental_features.msc4222_enable", "\"msc4222_enabled\""),
        ("{ modules: [{ module: synapse.module_of_its_own.Module }, { module: theirs.Module }] }", "S0224", "modules[1]", "images/synapse/image.toml"),
        ("{ sentry: { dsn: \"https://a@sentry.example.com/1\" } }", "S0224", "sentry", "images/synapse/image.toml"),
        ("{ opentracing: { enabled: true } }", "S0224", "opentracing.enabled", "images/synapse/image.toml"),
        ("{ caches: { track_memory_usage: true } }", "S0224", "caches.track_memory_usage", "images/synapse/image.toml"),
    ] {
        let found = said(settings);
        assert_eq!(found.len(), 1, "{settings}: {found:?}");
        assert_eq!((found[0].0.as_str(), found[0].1.as_str()), (code, place), "{settings}: {found:?}");
        assert!(found[0].2.contains(remedy), "{settings}: {found:?}");
    }
}

#[test]
fn a_value_in_another_form_is_answered_with_the_right_one_alone() {
    for (settings, remedy) in [
        ("{ push: { enabled: \"Yes\" } }", "write enabled: true"),
        ("{ push: { enabled: \"n\" } }", "write enabled: false"),
        ("{ push: { enabled: 1 } }", "write enabled: true"),
        ("{ push: { enabled: maybe } }", "write enabled: true, or enabled: false"),
        ("{ task_scheduler: { max_concurrent_tasks: \"20\" } }", "write max_concurrent_tasks: 20"),
    ] {
        let found = said(settings);
        assert_eq!(found.iter().map(|(_, _, remedy)| remedy.as_str()).collect::<Vec<_>>(), [remedy], "{settings}");
    }
}

#[test]
fn an_element_is_answered_without_the_name_of_its_list() {
    for (settings, place, remedy) in [
        ("{ gc_min_interval: [0.5s, 30s, 1m] }", "gc_min_interval[0]", "write 500"),
        ("{ exclude_rooms_from_sync: [1] }", "exclude_rooms_from_sync[0]", "write \"1\""),
    ] {
        let found = said(settings);
        assert_eq!(found.iter().map(|(_, place, remedy)| (place.as_str(), remedy.as_str())).collect::<Vec<_>>(), [(place, remedy)], "{settings}");
    }
}

#[test]
fn a_secret_is_found_in_modules_and_addresses_and_gets_a_name_of_its_own() {
    let module = |config: &str| format!("{{ modules: [{{ module: my_module.MyModule, config: {config} }}] }}");
    for (option, secret) in [
        ("db_password: S3kr3t", "my_module_db_password"),
        ("webhook_secret: S3kr3t", "my_module_webhook_secret"),
        ("api_key: S3kr3t", "my_module_api_key"),
        ("passwd: 12345", "my_module_passwd"),
        ("token: S3kr3t", "my_module_token"),
        ("bot_token: S3kr3t", "my_module_bot_token"),
        ("secret_token: S3kr3t", "my_module_secret_token"),
        ("db: { password: S3kr3t }", "my_module_db_password"),
        ("db: \"postgresql://u:S3kr3t@db/x\"", "my_module_db"),
        ("Bot_Token: S3kr3t", "my_module_bot_token"),
        ("bots: [{ access-token: S3kr3t }]", "my_module_bots_access_token"),
    ] {
        let found: Vec<_> = said(&module(&format!("{{ {option} }}"))).into_iter().filter(|(code, ..)| code != "S0224").collect();
        assert_eq!(found.len(), 1, "{option}: {found:?}");
        assert_eq!(found[0].0, "S0402", "{option}: {found:?}");
        assert!(found[0].1.starts_with("modules[0].config."), "{option}: {found:?}");
        assert!(found[0].2.contains(&format!("{{ _secret: {secret} }}")), "{option}: {found:?}");
    }
    let found = said("{ http_proxy: \"http://u:S3kr3t@p:3128\" }");
    assert!(found.iter().any(|(code, place, remedy)| code == "S0402" && place == "http_proxy" && remedy.contains("{ _secret: http_proxy }")), "{found:?}");
    let found = said("{ no_proxy_hosts: [a.example.com, \"http://u:S3kr3t@p:3128\"] }");
    assert!(found.iter().any(|(code, place, _)| code == "S0402" && place == "no_proxy_hosts[1]"), "{found:?}");
    for harmless in [
        "password: { _secret: mine }, requires_token: true, send_token: null, tokens: [one, two], api_key: \"\"",
        "password_path: /a, token_file: /b, public_key: abc, recaptcha_public_key: abc, registration_requires_token: maybe",
        "homepage: \"https://example.com:8443/@me\", user_token: { _secret: token }, proxy: \"http://p:3128\"",
    ] {
        let found = said(&module(&format!("{{ {harmless} }}")));
        // Where the module and its files come from is another matter.
        assert!(found.iter().all(|(code, ..)| ["S0224", "S0441"].contains(&code.as_str())), "{harmless}: {found:?}");
    }
    assert_eq!(said("{ caches: { per_cache_factors: { get_user_by_access_token: 2 } } }"), []);
}

#[test]
fn what_synapse_takes_in_any_form_is_free() {
    for settings in [
        "{ default_power_level_content_override: { private_chat: { events: { m.room.topic: 50 } }, public_chat: null } }",
        "{ caches: { per_cache_factors: { get_users_who_share_room_with_user: 2, \"*stateGroupCache*\": 0.5 } } }",
        "{ opentracing: { enabled: false, jaeger_config: { sampler: { type: const, param: 1 } } } }",
        "{ jwt_config: { secret: { _secret: jwt }, algorithm: HS256, audiences: [one, two] } }",
        "{ push: null, caches: { per_cache_factors: null, expiry_time: null }, redaction_allowed_period: 60000 }",
        "{ room_prejoin_state: { additional_event_types: [m.room.topic, [m.room.member, \"@a:example.com\"]] } }",
    ] {
        assert_eq!(said(settings), [], "{settings}");
    }
}
