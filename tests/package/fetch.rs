//! Fetching, with the machine's own apt and pip and mirrors in a directory. The environment decides which mirrors there
//! are, so each case runs this test program again as a child with an environment of its own.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use synapse_site::definition::lock::{Archive, DebianLock, DebianPackage, PythonLock, WheelFile};
use synapse_site::hash;
use synapse_site::package::cache::Cache;
use synapse_site::package::fetch;
use synapse_site::package::progress::Silent;
use tempfile::TempDir;

use crate::make::{deb_bytes, files_below, member, tar, wheel_bytes, xz};

/// Where the child finds the case: a directory with `cache`, `debian.lock` and `python.lock`.
const CASE: &str = "SYNAPSE_SITE_TEST_FETCH";

/// How much of each package does not get smaller by compression; more than the disk of [`Case::ensure_on_small_disk`] holds.
const LENGTH: usize = 400_000;

/// Bytes without a pattern, the same each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

struct Case {
    dir: TempDir,
    debs: Vec<DebianPackage>,
    wheels: Vec<WheelFile>,
}

impl Case {
    /// Two packages and one wheel in mirrors on the disk.
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let (mut debs, mut wheels) = (Vec::new(), Vec::new());
        for (name, archive, root) in [("one", Archive::Main, "debian"), ("two", Archive::Security, "security")] {
            let bytes = deb_bytes("data.tar.xz", &xz(&tar(&[member(b"./x", b'0', b"", name.as_bytes()), member(b"./y", b'0', b"", &noise(LENGTH))])));
            let filename = format!("pool/main/{name}_1.0+b~1_all.deb");
            let path = dir.path().join(root).join(&filename);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &bytes).unwrap();
            let (sha256, size) = (hash::sha256_file(&path).unwrap(), bytes.len() as u64);
            debs.push(DebianPackage { name: name.into(), version: "1.0+b~1".into(), architecture: "all".into(), filename, archive, size, sha256 });
        }
        let filename = "my_probe-1.0-py3-none-any.whl".to_owned();
        let path = dir.path().join("index").join(&filename);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, wheel_bytes(&[("probe.py", b""), ("noise", &noise(LENGTH))])).unwrap();
        let sha256 = hash::sha256_file(&path).unwrap();
        wheels.push(WheelFile { name: "my-probe".into(), version: "1.0".into(), filename, tag: "py3-none-any".into(), size: None, sha256 });
        Self { dir, debs, wheels }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    /// Runs `fetch::ensure` in a child; `environment` comes on top.
    fn ensure(&self, environment: &[(&str, &str)]) -> Output {
        self.child(Command::new(std::env::current_exe().unwrap()), environment)
    }

    /// The same with the cache on a disk of 300 KiB.
    fn ensure_on_small_disk(&self, environment: &[(&str, &str)]) -> Output {
        let mut unshare = Command::new("unshare");
        std::fs::create_dir_all(self.path("cache")).unwrap();
        let mount = "mount -t tmpfs -o size=300k none \"$0\" && exec \"$@\"";
        unshare.args(["--map-root-user", "--mount", "sh", "-c", mount]).arg(self.path("cache")).arg(std::env::current_exe().unwrap());
        self.child(unshare, environment)
    }

    fn child(&self, mut child: Command, environment: &[(&str, &str)]) -> Output {
        let debian = DebianLock::new("trixie", "amd64", &[], self.debs.clone());
        std::fs::write(self.path("debian.lock"), debian.to_text().unwrap()).unwrap();
        std::fs::write(self.path("python.lock"), PythonLock::new("3.13", self.wheels.clone()).to_text().unwrap()).unwrap();
        // apt waits longer before each of its attempts.
        std::fs::write(self.path("apt.conf"), "Acquire::Retries \"0\";\n").unwrap();
        child.args(["--exact", "fetch::child", "--ignored", "--nocapture"]).env(CASE, self.dir.path()).env("APT_CONFIG", self.path("apt.conf"));
        child.env("SYNAPSE_SITE_DEBIAN_MIRROR", format!("file:{}", self.path("debian").display()));
        child.env("SYNAPSE_SITE_DEBIAN_SECURITY_MIRROR", format!("file:{}", self.path("security").display()));
        child.env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", self.path("index")).env("http_proxy", "");
        child.envs(environment.iter().copied()).output().unwrap()
    }

    /// The case as a server tells it that does not do its work. The one deb and the wheel are from there.
    fn ensure_from(&self, server: &Server) -> Output {
        let root = server.address();
        self.ensure(&[("SYNAPSE_SITE_DEBIAN_MIRROR", &format!("{root}/debian")), ("PIP_FIND_LINKS", &format!("{root}/index/"))])
    }

    fn cached(&self) -> usize {
        let packages = self.path("cache/packages");
        if packages.exists() { files_below(&packages).len() } else { 0 }
    }
}

/// The child.
#[test]
#[ignore = "the other tests run it in a process of its own"]
fn child() {
    let dir = std::env::var_os(CASE).unwrap();
    let dir = Path::new(&dir);
    let result = (|| {
        let debian = DebianLock::load(&dir.join("debian.lock"))?;
        let python = PythonLock::load(&dir.join("python.lock"))?;
        let cache = Cache::open(Some(dir.join("cache")))?;
        fetch::ensure_verified(&cache, &[&debian], &[&python], &Silent)
    })();
    if let Err(error) = result {
        println!("{error}");
        std::process::exit(error.exit_code().into());
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_full_cache_needs_no_program_and_no_mirror() {
    let case = Case::new();
    let output = case.ensure(&[]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(case.cached(), 3);
    assert_eq!(files_below(&case.path("cache/tmp")), Vec::<std::path::PathBuf>::new());
    for root in ["debian", "security", "index"] {
        std::fs::remove_dir_all(case.path(root)).unwrap();
    }
    let output = case.ensure(&[("PATH", ""), ("SYNAPSE_SITE_DEBIAN_MIRROR", "not a mirror"), ("SYNAPSE_SITE_PIP", "/nonexistent")]);
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn a_damaged_file_in_the_cache_is_fetched_again() {
    let case = Case::new();
    assert!(case.ensure(&[]).status.success());
    let path = files_below(&case.path("cache/packages")).remove(0);
    let before = std::fs::read(&path).unwrap();
    std::fs::write(&path, "damaged").unwrap();
    assert!(case.ensure(&[]).status.success());
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn all_packages_that_are_gone_are_named_and_the_rest_is_kept() {
    let mut case = Case::new();
    for name in ["gone-a", "gone-b"] {
        let filename = format!("pool/main/{name}_2_all.deb");
        let sha256 = hash::sha256_text(name);
        case.debs.push(DebianPackage { name: name.into(), version: "2".into(), filename, sha256, ..case.debs[0].clone() });
    }
    for name in ["lost-a", "lost-b"] {
        let (filename, sha256) = (format!("{name}-3-py3-none-any.whl"), hash::sha256_text(name));
        case.wheels.push(WheelFile { name: name.into(), version: "3".into(), filename, sha256, ..case.wheels[0].clone() });
    }
    let output = case.ensure(&[]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    for part in ["gone-a 2", "gone-b 2", "lost-a 3", "lost-b 3", "synapse-site lock"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("my-probe"), "{text}");
    assert_eq!(case.cached(), 3);
}

#[test]
fn another_content_under_a_locked_name_never_gets_in() {
    for file in ["debian/pool/main/one_1.0+b~1_all.deb", "index/my_probe-1.0-py3-none-any.whl"] {
        let case = Case::new();
        std::fs::write(case.path(file), "replaced").unwrap();
        let output = case.ensure(&[]);
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        assert!(!said(&output).contains("no longer offered"), "{}", said(&output));
        assert_eq!(case.cached(), 2);
    }
}

#[test]
fn no_network_is_told_as_that() {
    let case = Case::new();
    let nobody = "http://127.0.0.1:9/debian";
    let output = case.ensure(&[("SYNAPSE_SITE_DEBIAN_MIRROR", nobody), ("http_proxy", "")]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("one") && text.contains("network") && !text.contains("no longer offered"), "{text}");
}

#[test]
fn a_missing_mirror_or_client_is_told_with_what_to_do() {
    let case = Case::new();
    let output = case.ensure(&[("SYNAPSE_SITE_DEBIAN_MIRROR", "no url"), ("SYNAPSE_SITE_DEBIAN_SECURITY_MIRROR", "no url")]);
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&output).contains("SYNAPSE_SITE_DEBIAN_MIRROR"), "{}", said(&output));
    let output = Case::new().ensure(&[("SYNAPSE_SITE_PIP", "/nonexistent/pip")]);
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&output).contains("python3-pip"), "{}", said(&output));
}

/// What a server sends in place of a package.
#[derive(Clone, Copy)]
enum Wrong {
    /// The beginning, and then the connection is closed.
    Cut,
    /// Bytes without end, and without a length.
    Endless,
    /// Other bytes, as many.
    Replaced,
    /// A page, as a proxy does that wants a login.
    Page,
}

/// A server on this machine. Paths below `/index/` that end in a slash are a page of links.
struct Server {
    port: u16,
    sent: Arc<AtomicU64>,
}

impl Server {
    fn new(case: &Case, wrong: Wrong) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, sent) = (listener.local_addr().unwrap().port(), Arc::new(AtomicU64::new(0)));
        let server = Self { port, sent: sent.clone() };
        let root = case.dir.path().to_owned();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (root, sent) = (root.clone(), sent.clone());
                // A client that closes early is what some of these tests are about.
                std::thread::spawn(move || drop(answer(connection, &root, wrong, &sent)));
            }
        });
        server
    }

    fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn answer(mut connection: TcpStream, root: &Path, wrong: Wrong, sent: &AtomicU64) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let request = String::from_utf8_lossy(&request);
    let path = request.split(' ').nth(1).unwrap_or_default().replace("%2b", "+").replace("%7e", "~");
    let mut send = |text: &str, body: &[u8]| {
        connection.write_all(text.as_bytes())?;
        connection.write_all(body)?;
        sent.fetch_add(body.len() as u64, Ordering::Relaxed);
        Ok::<(), std::io::Error>(())
    };
    let head = |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    if path.ends_with('/') {
        let names = std::fs::read_dir(root.join("index"))?.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let page: String = names.map(|name| format!("<a href=\"{name}\">{name}</a>\n")).collect();
        return send(&head(page.len()), page.as_bytes());
    }
    let right = std::fs::read(root.join(path.trim_start_matches('/')))?;
    match wrong {
        Wrong::Cut => send(&head(right.len()), &right[..1000]),
        Wrong::Replaced => send(&head(right.len()), &vec![b'x'; right.len()]),
        Wrong::Page => send(&head(20), b"Who are you? Log in."),
        Wrong::Endless => {
            send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n", b"")?;
            // An end after all, for a client that takes everything.
            (0..4096).try_for_each(|_| send("10000\r\n", &[b'x'; 1 << 16]).and_then(|()| send("\r\n", b"")))
        }
    }
}

/// The case with the deb alone, and with the wheel alone.
fn halves() -> [Case; 2] {
    let (mut deb, mut wheel) = (Case::new(), Case::new());
    deb.debs.truncate(1);
    deb.wheels.clear();
    wheel.debs.clear();
    for file in &mut wheel.wheels {
        file.size = Some(wheel.dir.path().join("index").join(&file.filename).metadata().unwrap().len());
    }
    [deb, wheel]
}

/// Asks the server for both halves, each of which must fail with these words; gives what was said.
fn refused(wrong: Wrong, words: [&str; 2]) -> [(String, u64); 2] {
    let [deb, wheel] = halves();
    [(deb, words[0]), (wheel, words[1])].map(|(case, words)| {
        let server = Server::new(&case, wrong);
        let output = case.ensure_from(&server);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert!(text.contains(words), "no {words:?} in: {text}");
        assert_eq!(case.cached(), 0);
        assert_eq!(files_below(&case.path("cache/tmp")), Vec::<std::path::PathBuf>::new());
        (text, server.sent.load(Ordering::Relaxed))
    })
}

#[test]
fn a_cut_connection_is_told_as_that() {
    let [(apt, _), (pip, _)] = refused(Wrong::Cut, ["the connection ended after 1000 of the ", "was cut"]);
    assert!(apt.contains("look at the network") && !apt.contains("replaced"), "{apt}");
    assert!(pip.contains("try again"), "{pip}");
}

#[test]
fn a_download_stops_at_the_locked_size() {
    for (text, sent) in refused(Wrong::Endless, ["has not the locked size", "has not the locked size"]) {
        assert!(!text.contains("replaced"), "{text}");
        // What the sockets hold, in each attempt, is more than the file.
        assert!(sent < 64 << 20, "{sent} bytes were taken");
    }
}

#[test]
fn a_page_in_place_of_a_package_is_no_replaced_file() {
    let [(apt, _), _] = refused(Wrong::Page, ["has not the locked size", "not the locked file"]);
    assert!(!apt.contains("replaced"), "{apt}");
}

#[test]
fn a_replaced_file_is_told_as_that() {
    refused(Wrong::Replaced, ["somebody replaced a published file", "somebody replaced a published file"]);
}

#[test]
fn a_full_disk_is_told_as_that() {
    for case in halves() {
        let output = case.ensure_on_small_disk(&[]);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(3), "{text} {}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains("the disk is full") && text.contains("free some space") && !text.contains("replaced"), "{text}");
    }
}
