//! Health checks against the real services.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::support::{Place, Running, eventually, free_port, program};

fn role(health: serde_json::Value) -> serde_json::Value {
    json!({ "exec": ["true"], "health": health })
}

#[test]
fn an_unknown_role_and_a_role_without_a_check_are_unhealthy() {
    let place = Place::new();
    place.plan(json!({ "exec": ["true"] }));
    place.launch(&["health", "other"]).failed(1, &["no role \"other\"; it has: it"]);
    place.launch(&["health", "it"]).failed(1, &["no health check"]);
}

#[test]
fn http_wants_status_200() {
    let python = program("python3", "python3");
    let place = Place::new();
    let port = free_port();
    place.plan(role(json!({ "http": { "port": port, "path": "/plan.json" } })));
    place.launch(&["health", "it"]).failed(1, &["it is not well", "refused"]);
    let _server = Running(
        Command::new(python)
            .args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string()])
            .current_dir(place.path(""))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    place.until_healthy();
    place.plan(role(json!({ "http": { "port": port, "path": "/absent" } })));
    place.launch(&["health", "it"]).failed(1, &["status 404"]);
    place.plan(role(json!({ "tcp": { "port": port } })));
    assert_eq!(place.launch(&["health", "it"]).code, Some(0));
}

#[test]
fn a_service_that_never_answers_is_unhealthy_in_time() {
    let place = Place::new();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    for health in [json!({ "http": { "port": port, "path": "/" } }), json!({ "redis": { "port": port, "password_secret": null } })] {
        place.plan(role(health));
        let begun = std::time::Instant::now();
        place.launch(&["health", "it"]).failed(1, &["it is not well"]);
        assert!(begun.elapsed() < Duration::from_secs(6));
    }
}

#[test]
fn redis_started_by_launch_is_well_and_wants_the_right_password() {
    program("redis-server", "redis-server");
    let place = Place::new();
    let port = free_port();
    place.secret("redis", "hunter2\n");
    place.write("redis.in", &format!("bind 127.0.0.1\nport {port}\nsave \"\"\nrequirepass @@secret:redis@@\n"));
    place.plan(json!({
        "exec": ["redis-server", place.text("run/redis.conf")],
        "secrets": ["redis"],
        "files": [{ "source": place.text("redis.in"), "target": place.text("run/redis.conf"), "escape": "plain" }],
        "health": { "redis": { "port": port, "password_secret": "redis" } },
    }));
    let mut running = place.start();
    place.until_healthy();
    let arguments = std::fs::read_to_string(format!("/proc/{}/cmdline", running.0.id())).unwrap();
    assert!(arguments.starts_with("redis-server") && !arguments.contains("hunter2"), "{arguments}");
    assert!(!place.log().contains("hunter2"), "{}", place.log());

    place.secret("redis", "another\n");
    let wrong = place.launch(&["health", "it"]);
    wrong.failed(1, &["password of its secret is not accepted"]);
    assert!(!wrong.stderr.contains("another"));
    place.secret("redis", "hunter2\n");
    place.plan(role(json!({ "redis": { "port": port, "password_secret": null } })));
    place.launch(&["health", "it"]).failed(1, &["NOAUTH"]);
    running.signal(rustix::process::Signal::TERM);
    assert_eq!(running.end().code(), Some(0), "redis ends in its own way: {}", place.log());
}

#[test]
fn coturn_answers_a_binding_request_on_the_containers_own_address() {
    let turnserver = program("turnserver", "coturn");
    let place = Place::new();
    let port = free_port();
    let ask = |host: &str| {
        place.plan(role(json!({ "stun": { "host": host, "port": port } })));
        place.launch(&["health", "it"])
    };
    ask("127.0.0.1").failed(1, &["it is not well"]);
    let _server = Running(
        Command::new(turnserver)
            .args(["-n", "--no-tls", "--no-dtls", "--no-cli", "--log-file=stdout", "--listening-port", &port.to_string()])
            .arg(format!("--userdb={}", place.text("turn.db")))
            .arg(format!("--pidfile={}", place.text("turn.pid")))
            .current_dir(place.path(""))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    eventually("an answer of coturn", || ask("127.0.0.1").code == Some(0));
    // It listens on every address of this machine, so its own one has to be among them.
    assert_eq!(ask("auto").code, Some(0), "{:?}", ask("auto"));
}

#[test]
fn a_service_is_well_while_its_disk_has_room_and_what_it_needs_answers() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let place = Place::new();
    let plan = |least: u64, needed: u16| {
        place.plan(json!({
            "exec": ["true"],
            "health": { "tcp": { "port": port } },
            "space": { place.text("volume"): least },
            "needs": [{ "name": "Redis", "probe": { "tcp": { "host": "127.0.0.1", "port": needed } } }],
        }));
        place.launch(&["health", "it"])
    };
    assert_eq!(plan(1, port).code, Some(0));
    plan(u64::MAX, port).failed(1, &["the disk is almost full", &place.text("volume")]);
    plan(1, free_port()).failed(1, &["Redis does not answer", "refused"]);
}
