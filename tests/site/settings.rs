//! The tables of facts about Synapse against Synapse itself, and against what this program renders.

use std::path::Path;
use std::process::Command;

use crate::wheel;
use serde_json::Value;
use synapse_site::synapse::{self, Entry, Kind, Release};

/// With this set to `write`, the table of filters is written anew instead of compared.
const SWITCH: &str = "SETTINGS";
/// How many older releases the tables are compared with.
const SAMPLE: usize = 2;

/// What `tools/facts` reads out of a wheel.
fn derived(wheel: &Path) -> Value {
    let output = Command::new("python3").args(["tools/facts", "derive"]).arg(wheel).output().expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// What the program says of a release.
fn told(version: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_synapse-site")).args(["facts", "--json", "--version", version]).output().expect("the program runs");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(told.as_object_mut().and_then(|told| told.remove("version")), Some(version.into()));
    told
}

/// Compares the tables with a wheel, kind by kind.
fn compare_with(version: &str, wheel: &Path) {
    let (fresh, kept) = (derived(wheel), told(version));
    let kinds = |tables: &Value| tables.as_object().expect("kinds").keys().cloned().collect::<Vec<_>>();
    assert_eq!(kinds(&fresh), kinds(&kept));
    for (kind, fresh) in fresh.as_object().expect("kinds") {
        let (fresh, kept) = (fresh.as_object().expect("rows"), kept[kind].as_object().expect("rows"));
        assert!(!fresh.is_empty(), "{kind} of {version}");
        let only = |one: &serde_json::Map<String, Value>, other: &serde_json::Map<String, Value>| {
            one.iter().filter(|(name, value)| other.get(*name) != Some(value)).map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>()
        };
        let (gone, new) = (only(kept, fresh), only(fresh, kept));
        assert!(
            fresh == kept,
            "{kind} of Synapse {version} moved; `make settings` writes the tables.\nonly in the table: {gone:#?}\nonly in Synapse: {new:#?}"
        );
    }
}

/// After another version was locked this fails: `make settings` adds it to the tables, and `git diff` shows what came, went or changed. What to do about
/// an option that went belongs into `gone.txt`.
#[test]
fn the_facts_are_those_of_the_locked_synapse() {
    let place = tempfile::tempdir().expect("a directory");
    compare_with(&wheel::version(), &wheel::put_into(place.path()));
}

/// Which older releases are looked at, the seed of generated tests says.
#[test]
fn the_facts_are_those_of_some_older_releases() {
    let seed: usize = std::env::var("PROPTEST_RNG_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_123);
    let older: Vec<&str> = Release::all().map(Release::name).filter(|name| *name != Release::newest().name()).collect();
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wheels");
    std::fs::create_dir_all(&place).expect("a directory");
    for number in 0..SAMPLE {
        // Steps of a number without a common divisor reach every release in turn.
        let version = older[seed.wrapping_add(number * 29) % older.len()];
        let output = Command::new("python3").args(["tools/facts", "fetch"]).arg(&place).arg(version).output().expect("python3 runs");
        if output.status.success() {
            compare_with(version, String::from_utf8(output.stdout).expect("a path").trim().as_ref());
            continue;
        }
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(why.contains("Retrying (") || why.contains("No module named pip"), "{why}");
        let note = format!(
            "SKIPPED: the facts of Synapse {version} were not compared with its wheel, which cannot be fetched: {}",
            why.lines().last().unwrap_or_default()
        );
        println!("{note}");
        let skipped = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped");
        std::fs::create_dir_all(&skipped).and_then(|()| std::fs::write(skipped.join(format!("facts-{version}")), note + "\n")).expect("a note");
    }
}

#[test]
fn facts_are_printed_for_people_and_for_programs() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_synapse-site")).arg("facts").args(arguments).output().expect("the program runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, out, err) = run(&["--version", "1.155.0", "--kind", "database"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.starts_with("[database]\n") && out.contains("\nschema ") && !out.contains("[routes]"), "{out}");
    let (code, out, _) = run(&["--kind", "options"]);
    assert!(code == Some(0) && out.contains("\nexperimental_features.msc3266_enabled - 1.152.1 bool\n"), "{out}");
    let (_, out, _) = run(&["--json", "--kind", "options"]);
    let all: Value = serde_json::from_str(&out).expect("JSON");
    let row = all["options"].as_array().expect("rows").iter().find(|row| row["name"] == "presence.idle_timeout").expect("there");
    assert_eq!((row["until"].clone(), row["value"].as_str()), (Value::Null, Some("duration")), "{row}");
    let (code, out, _) = run(&["--since", "1.155.0", "--kind", "options"]);
    assert!(code == Some(0) && out.contains("  options new: presence.idle_timeout (duration; in a site presence.idle_timeout)\n"), "{out}");
    let (code, _, err) = run(&["--version", "1.999.0"]);
    assert!(code == Some(0) && err.contains("warning: Synapse 1.999.0 is not in the tables") && err.contains("are taken for it"), "{err}");
    let (code, _, err) = run(&["--version", "newest"]);
    assert!(code == Some(2) && err.contains("--version \"newest\" is no version of Synapse; write numbers with dots"), "{err}");
}

/// Findings about a site for images with another Synapse: code, place and message.
fn said_for(version: &str, more: &str) -> Vec<(String, String, String)> {
    let dir = tempfile::tempdir().expect("a directory");
    let site = dir.path().join("site.yaml");
    let head = "server: { server_name: example.com, public_baseurl: \"https://matrix.example.com/\" }\n";
    std::fs::write(&site, format!("{head}{more}\n")).expect("writes");
    let output =
        Command::new(env!("CARGO_BIN_EXE_synapse-site")).args(["check", "--json", "--synapse-version", version]).arg(&site).output().expect("the program runs");
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let text = |finding: &Value, member: &str| finding[member].as_str().unwrap_or_default().to_owned();
    findings.iter().map(|finding| (text(finding, "code"), text(finding, "option"), text(finding, "message"))).collect()
}

#[test]
fn an_option_is_judged_by_the_synapse_of_the_images() {
    for (version, more, code, place, message) in [
        ("1.155.0", "presence: { idle_timeout: 10m }", "S0422", "presence.idle_timeout", "this site's images hold 1.155.0"),
        ("1.155.0", "rate_limits: { rc_profile: { per_second: 1, burst_count: 5 } }", "S0422", "rate_limits.rc_profile", "this site's images hold 1.155.0"),
        (
            "1.155.0",
            "synapse: { settings: { experimental_features: { msc4491_enabled: true } } }",
            "S0422",
            "synapse.settings.experimental_features.msc4491_enabled",
            "1.155.0",
        ),
        (
            "1.163.2",
            "synapse: { settings: { experimental_features: { msc3266_enabled: true } } }",
            "S0416",
            "synapse.settings.experimental_features.msc3266_enabled",
            "1.152.1",
        ),
        (
            "1.135.0",
            "rtc: { source: external, livekit_service_url: \"https://rtc.example.com/\" }",
            "S0422",
            "rtc",
            "experimental_features.msc4143_enabled and matrix_rtc",
        ),
        ("v1.155.0", "presence: { idle_timeout: 10m }", "S0422", "presence.idle_timeout", "this site's images hold 1.155.0"),
        ("1.999.0", "", "S0423", "synapse", "the facts of 1.163.2 are taken for it"),
    ] {
        let found = said_for(version, more);
        assert_eq!(found.len(), 1, "{version} {more}: {found:?}");
        assert_eq!((found[0].0.as_str(), found[0].1.as_str()), (code, place), "{version} {more}: {found:?}");
        assert!(found[0].2.contains(message), "{version} {more}: {found:?}");
    }
    // Beside a mistake of a type, even in another option that the rule looks at.
    for mistake in ["media: { max_upload_size: 50MB }", "redis: { port: x }"] {
        let found = said_for("1.155.0", &format!("{mistake}\npresence: {{ idle_timeout: 10m }}"));
        let found: Vec<(&str, &str)> = found.iter().map(|(code, place, _)| (code.as_str(), place.as_str())).collect();
        assert!(found.len() == 2 && found.contains(&("S0422", "presence.idle_timeout")), "{mistake}: {found:?}");
    }
    for (version, more) in [
        ("1.150.0", "synapse: { settings: { experimental_features: { msc3266_enabled: true } } }"),
        ("1.163.2", "presence: { idle_timeout: 10m }"),
        ("1.155.0", "synapse: { settings: { experimental_features: { msc4491_enabled: true } }, unchecked: [experimental_features.msc4491_enabled] }"),
        ("1.130.0", ""),
    ] {
        assert_eq!(said_for(version, more), [], "{version} {more}");
    }
}

/// No option that the tool writes of its own accord is one that a release of the tables does not read.
#[test]
fn a_site_that_asks_for_nothing_new_fits_every_release() {
    let mut at_fault = Vec::new();
    for release in Release::all() {
        at_fault.extend(
            said_for(release.name(), "workers: { generic: 1, federation_senders: 1 }").into_iter().map(|(code, place, _)| (release.name(), code, place)),
        );
    }
    assert_eq!(at_fault, []);
}

/// The names in a dictionary of a module of Jinja2: `"name": do_name,`, a line each.
fn names_in(module: &str, dictionary: &str) -> Vec<String> {
    let text = crate::wheel::files_of("jinja2", "jinja2/", ".py").into_iter().find(|(name, _)| name == module).expect("the module").1;
    let body = text.split(&format!("\n{dictionary} = {{\n")).nth(1).expect("the dictionary").split("\n}").next().expect("its end").to_owned();
    let mut names: Vec<String> = body.lines().filter_map(|line| Some(line.trim().strip_prefix('"')?.split_once("\":")?.0.to_owned())).collect();
    names.sort();
    names
}

/// As the table of options, of the filters and tests that templates may use.
#[test]
fn the_table_of_filters_and_tests_is_that_of_the_pinned_jinja2() {
    const TABLE: &str = "src/synapse/jinja.txt";
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

/// Every option that a section renders is one that Synapse reads, and of its type: a check of components, and of the table.
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
