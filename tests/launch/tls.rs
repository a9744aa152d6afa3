//! TLS with PostgreSQL: `launch` gets in where psql gets in with the same `sslmode`, encrypted where psql is, and nowhere else.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::certificates::Certificates;
use crate::postgres::{PASSWORD, Server};
use crate::support::{Running, eventually, free_port, program};

const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
const RSA: &[&str] = &["rsa:2048"];
const P256: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];

/// How somebody got in: not at all, or with or without TLS.
type Entry = Option<bool>;

/// One way to ask: mode, the file of the authorities, host, port.
struct Question<'a> {
    mode: &'a str,
    root: Option<&'a str>,
    host: &'a str,
    port: u16,
}

/// What the server says about the connections of a program since there were so many bytes in the log.
fn entry(server: &Server, before: usize, program: &str, got_in: bool) -> Entry {
    let log = server.place.log();
    let name = format!("application_name={program}");
    let authorized = log[before..].lines().rfind(|line| line.contains("connection authorized") && line.contains(&name));
    got_in.then(|| authorized.unwrap_or_else(|| panic!("{program} got in without a line in the log:\n{log}")).contains("SSL enabled"))
}

fn psql(server: &Server, asked: &Question) -> (Entry, String) {
    let before = server.place.log().len();
    let root = asked.root.map_or_else(|| server.place.text("absent"), |root| server.place.text(root));
    let line = format!(
        "host={} port={} user=synapse dbname=synapse connect_timeout=20 application_name=psql sslmode={} sslrootcert={root}",
        asked.host, asked.port, asked.mode
    );
    let mut command = Command::new(server.programs.join("psql"));
    command.args(["-XAtc", "SELECT 1", &line]).env("PGPASSWORD", PASSWORD).env("HOME", server.place.path("run"));
    let done = command.output().unwrap();
    (entry(server, before, "psql", done.status.success()), String::from_utf8_lossy(&done.stderr).into_owned())
}

/// By `launch`, which logs in and writes for the health of a service.
fn launch(server: &Server, asked: &Question) -> (Entry, String) {
    let before = server.place.log().len();
    let mut database = server.writer()["database"].clone();
    database["host"] = asked.host.into();
    database["port"] = asked.port.into();
    let roots: Vec<String> = asked.root.iter().map(|root| server.place.text(root)).collect();
    database["tls"] = json!({ "mode": asked.mode, "roots": roots });
    server.place.plan(json!({ "exec": ["true"], "health": { "tcp": { "port": server.port } }, "database": database }));
    let done = server.place.launch(&["health", "it"]);
    (entry(server, before, "launch", done.code == Some(0)), done.stderr)
}

/// Both are asked, and agree.
fn compare(server: &Server, what: &str, asked: &Question) -> (Entry, String) {
    let (theirs, why) = psql(server, asked);
    let (ours, because) = launch(server, asked);
    let Question { mode, root, host, .. } = asked;
    assert_eq!(ours, theirs, "{what}, {mode}, {root:?}, {host}\npsql: {why}\nlaunch: {because}\n{}", server.place.log());
    (ours, because)
}

/// Starts a server with settings and rules of access of its own.
pub fn start(server: &mut Server, access: &str, settings: &[&str]) -> Running {
    server.place.write("hba", &format!("local all all trust\n{access}\n"));
    let hba = format!("hba_file={}", server.place.text("hba"));
    server.settings = ["log_connections=on", hba.as_str()].iter().chain(settings).map(|setting| (*setting).to_owned()).collect();
    server.plan_again();
    server.start()
}

/// The settings of a server with a certificate.
pub fn with_tls(server: &Server, name: &str) -> [String; 3] {
    [
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", server.place.text(&format!("{name}.pem"))),
        format!("ssl_key_file={}", server.place.text(&format!("{name}.key"))),
    ]
}

#[test]
fn every_sslmode_gets_in_where_psql_does() {
    let mut server = Server::new();
    let certificates = Certificates::new(&server.place);
    certificates.root("right");
    certificates.root("wrong");
    certificates.signed("right", "server", "server", RSA, "30", "subjectAltName=DNS:localhost\n");
    let tls = with_tls(&server, "server");
    let tls: Vec<&str> = tls.iter().map(String::as_str).collect();
    let authority = format!("ssl_ca_file={}", server.place.text("right.pem"));
    let demanding = [&tls[..], &[authority.as_str()]].concat();
    let mut entries = 0;
    for (what, access, settings) in [
        ("a server that offers TLS", "host all all all scram-sha-256", &tls[..]),
        ("one without", "host all all all scram-sha-256", &["ssl=off"][..]),
        ("one that demands it", "hostssl all all all scram-sha-256", &tls),
        ("one that offers it and lets nobody in with it", "hostnossl all all all scram-sha-256", &tls),
        ("one that demands a client's certificate", "hostssl all all all scram-sha-256 clientcert=verify-ca", &demanding),
    ] {
        let running = start(&mut server, access, settings);
        for mode in MODES {
            for root in [None, Some("right.pem"), Some("wrong.pem")] {
                // Only `verify-full` looks at the name, and the certificate has one of two.
                let hosts = ["localhost", "127.0.0.1"];
                for host in &hosts[..if mode == "verify-full" { 2 } else { 1 }] {
                    let (entry, _) = compare(&server, what, &Question { mode, root, host, port: server.port });
                    entries += usize::from(entry.is_some());
                }
            }
        }
        server.stop(running);
    }
    assert!((25..80).contains(&entries), "{entries} of 105 got in");
}

#[test]
fn certificates_are_judged_as_psql_judges_them() {
    let mut server = Server::new();
    let certificates = Certificates::new(&server.place);
    for name in ["right", "wrong", "localhost"] {
        certificates.root(name);
    }
    certificates.signed("right", "manual", "localhost", RSA, "30", "");
    certificates.signed("right", "address", "db", P256, "30", "subjectAltName=IP:127.0.0.1\n");
    certificates.signed("right", "other", "localhost", P256, "30", "subjectAltName=DNS:db.example.com\n");
    certificates.signed("right", "mail", "localhost", P256, "30", "subjectAltName=email:ada@example.com\n");
    certificates.signed("right", "expired", "localhost", P256, "-1", "subjectAltName=DNS:localhost\n");
    certificates.signed("right", "client", "localhost", P256, "30", "subjectAltName=DNS:localhost\nextendedKeyUsage=clientAuth\n");
    certificates.signed("right", "between", "between", RSA, "30", "basicConstraints=critical,CA:TRUE\n");
    certificates.signed("between", "below", "localhost", RSA, "30", "subjectAltName=DNS:localhost\n");
    certificates.signed("right", "old", "old", RSA, "-1", "basicConstraints=critical,CA:TRUE\n");
    certificates.signed("right", "also", "localhost", RSA, "30", "basicConstraints=critical,CA:TRUE\n");
    let text = |name: &str| fs::read_to_string(server.place.path(name)).unwrap();
    server.place.write("chain.pem", &format!("{}{}", text("below.pem"), text("between.pem")));
    server.place.write("chain.key", &text("below.key"));
    server.place.private("chain.key");
    server.place.write("both.pem", &format!("{}{}", text("right.pem"), text("localhost.pem")));
    drop(certificates);
    let mut told = String::new();
    for (name, version, authentic) in [
        ("manual", "1.3", [true, false]),
        ("manual", "1.2", [true, false]),
        ("localhost", "1.3", [true, false]),
        ("address", "1.2", [false, true]),
        ("other", "1.3", [false, false]),
        ("mail", "1.3", [true, false]),
        ("expired", "1.3", [false, false]),
        ("client", "1.3", [false, false]),
        ("below", "1.3", [false, false]),
        ("chain", "1.3", [true, false]),
        ("also", "1.3", [true, false]),
    ] {
        let tls = with_tls(&server, name);
        let version = format!("ssl_max_protocol_version=TLSv{version}");
        let settings: Vec<&str> = tls.iter().map(String::as_str).chain([version.as_str()]).collect();
        let running = start(&mut server, "host all all all scram-sha-256", &settings);
        for (mode, root) in [("prefer", "both.pem"), ("require", "both.pem"), ("require", "wrong.pem"), ("verify-ca", "both.pem"), ("verify-ca", "wrong.pem")] {
            compare(&server, name, &Question { mode, root: Some(root), host: "localhost", port: server.port });
        }
        for (host, authentic) in ["localhost", "127.0.0.1"].into_iter().zip(authentic) {
            let (entry, because) = compare(&server, name, &Question { mode: "verify-full", root: Some("both.pem"), host, port: server.port });
            assert_eq!(entry, authentic.then_some(true), "{name} {host}: {because}");
            told.push_str(&because);
        }
        server.stop(running);
    }
    for expected in [
        "its certificate is for db.example.com, and not for localhost",
        "its certificate is for 127.0.0.1, db, and not for localhost",
        "its certificate has expired",
        "its certificate is not for servers",
        "no certificate authority of `server.ca_certificates` and none that is publicly known has signed its certificate",
    ] {
        assert!(told.contains(expected), "{expected:?} is not in:\n{told}");
    }
}

/// Between both ends, with a certificate of its own: passes everything on, and the offer of a tied login not, if it is told to.
const RELAY: &str = r#"
import socket, ssl, sys, threading
listen, port, certificate, key, strip = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5] == "strip"
REQUEST = bytes.fromhex("0000000804d2162f")
inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
inside.load_cert_chain(certificate, key)
outside = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
outside.check_hostname, outside.verify_mode = False, ssl.CERT_NONE

def exact(stream, count):
    data = b""
    while len(data) < count:
        more = stream.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data

def back(client, server):
    try:
        while True:
            kind = exact(server, 1)
            body = exact(server, int.from_bytes(size := exact(server, 4), "big") - 4)
            if strip and body.startswith(b"\0\0\0\x0a"):
                body = b"\0\0\0\x0aSCRAM-SHA-256\0\0"
                size = (len(body) + 4).to_bytes(4, "big")
            client.sendall(kind + size + body)
    except (EOFError, OSError):
        client.close()

def serve(client):
    try:
        assert exact(client, 8) == REQUEST
        client.sendall(b"S")
        client = inside.wrap_socket(client, server_side=True)
        server = socket.create_connection(("127.0.0.1", port))
        server.sendall(REQUEST)
        assert exact(server, 1) == b"S"
        server = outside.wrap_socket(server)
        threading.Thread(target=back, args=(client, server), daemon=True).start()
        while data := client.recv(65536):
            server.sendall(data)
    except OSError:
        pass

listener = socket.create_server(("127.0.0.1", listen))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"#;

#[test]
fn nobody_between_both_ends_passes_a_login_on() {
    let mut server = Server::new();
    let certificates = Certificates::new(&server.place);
    certificates.root("right");
    certificates.root("own");
    certificates.signed("right", "server", "server", RSA, "30", "subjectAltName=DNS:localhost\n");
    drop(certificates);
    let tls = with_tls(&server, "server");
    let running = start(&mut server, "hostssl all all all scram-sha-256", &tls.iter().map(String::as_str).collect::<Vec<_>>());
    // Who has the server's own key is the server.
    for (certificate, strip, expected) in
        [("own", "keep", "channel binding check failed"), ("own", "strip", "channel binding negotiation error"), ("server", "keep", "")]
    {
        let port = free_port();
        let [certificate, key] = ["pem", "key"].map(|kind| server.place.text(&format!("{certificate}.{kind}")));
        let _relay = Running(
            Command::new(program("python3", "python3"))
                .args(["-c", RELAY, &port.to_string(), &server.port.to_string(), &certificate, &key, strip])
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
        eventually("the relay", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        let (entry, because) = compare(&server, &certificate, &Question { mode: "require", root: None, host: "127.0.0.1", port });
        assert_eq!(entry, expected.is_empty().then_some(true), "{because}");
        assert!(because.contains(expected), "{because}");
    }
    server.stop(running);
}

#[test]
fn a_server_that_demands_tls_is_asked_without_a_line_in_its_log_that_is_an_error() {
    let mut server = Server::new();
    let certificates = Certificates::new(&server.place);
    certificates.root("localhost");
    drop(certificates);
    let tls = with_tls(&server, "localhost");
    let running = start(&mut server, "hostssl all all all scram-sha-256", &tls.iter().map(String::as_str).collect::<Vec<_>>());
    let asked = |roots: &[String], mode: &str| {
        let probe = json!({ "host": "localhost", "port": server.port, "user": "synapse", "database": "synapse", "tls": { "mode": mode, "roots": roots } });
        let needs = json!([{ "name": "PostgreSQL", "probe": { "postgres": probe } }]);
        server.place.plan(json!({ "exec": ["true"], "health": { "tcp": { "port": server.port } }, "needs": needs }));
        server.place.launch(&["health", "it"])
    };
    let before = server.place.log().len();
    for mode in ["prefer", "require"] {
        let answer = asked(&[], mode);
        assert_eq!(answer.code, Some(0), "{answer:?}");
    }
    let answer = asked(&[server.place.text("localhost.pem")], "verify-full");
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert!(!server.place.log()[before..].contains("FATAL"), "{}", server.place.log());
    asked(&[server.place.text("absent.pem")], "verify-ca").failed(1, &["PostgreSQL does not answer", "absent.pem"]);
    server.stop(running);
}

/// Somebody agrees to TLS, and then says one byte of what should come after another.
#[test]
fn a_handshake_that_does_not_end_is_given_up() {
    let server = Server::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let _request = stream.read_exact(&mut [0; 8]);
                let _all = stream.write_all(b"S\x16\x03\x03\x40\x00");
                while stream.write_all(b"\x02").is_ok() {
                    std::thread::sleep(std::time::Duration::from_millis(500));
                }
            });
        }
    });
    let place = &server.place;
    place.secret("signing_key", "ed25519 a_Test AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n");
    place.make_directory("state");
    let mut database = server.writer()["database"].clone();
    database["port"] = port.into();
    database["tls"] = json!({ "mode": "prefer" });
    place.plan(json!({ "exec": ["true"], "prepare": { "synapse": {
        "state": place.text("state"), "signing_key_secret": "signing_key", "pepper_secret": null, "old_signing_keys": [],
        "database": { "at": database, "bundled": false },
    } } }));
    // The place ends what takes a minute.
    let finished = place.launch(&["run", "it"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.stderr.contains("only the marker in the volume guards the site"), "{finished:?}");
}
