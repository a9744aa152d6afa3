//! An output directory with files of its user in it: made once, written again and again, and looked at after every end.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::support::{expect, names, tool, tree};

type Tree = BTreeMap<PathBuf, (u32, String)>;

const SECRET: &str = "secrets/signing_key";
const KEY: &str = "ed25519 a_test AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";
/// Entries of the user, at the top and in directories that the tool writes, and what they hold below. The second site has
/// `MORE` in addition to what the first one has.
const USERS: [&str; 8] = ["data", "link", "notes", "secrets", "well-known/more", "well-known/own", "services/more", "livekit/more"];
const FILES: [&str; 8] = [SECRET, "data/db/1", "notes", "well-known/more", "well-known/own/page", "services/more", "livekit/more", "link"];
/// A service whose files `build` writes below `services/`, and `render` into a directory of its own.
const MORE: &str = "\
rtc:
  source: bundled
  external_ip: 203.0.113.10
  livekit_image: docker.io/livekit/livekit-server:v1.13.0
  authorisation_image: ghcr.io/element-hq/lk-jwt-service:0.4.4
";

/// Two sites that are written into `out` by turns.
pub struct Whole {
    verb: &'static str,
    arguments: Vec<OsString>,
    dir: PathBuf,
    good: [Tree; 2],
    users: Vec<Kept>,
}

/// What may not change of a user's file or directory.
type Kept = (PathBuf, u64, u32, u32, Option<PathBuf>);

impl Whole {
    /// Writes both sites, the first one into `out`, and the user's files.
    pub fn new(dir: &Path, verb: &'static str) -> Self {
        Self::with(dir, verb, vec![])
    }

    /// The same, with more arguments for the verb.
    pub fn with(dir: &Path, verb: &'static str, arguments: Vec<OsString>) -> Self {
        for (number, name) in ["example.com", "example.org"].iter().enumerate() {
            let more = if number == 0 { "" } else { MORE };
            let text = format!("server:\n  server_name: {name}\n  public_baseurl: https://matrix.{name}/\n{more}");
            fs::write(dir.join(format!("{number}.yaml")), text).expect("written");
        }
        let mut this = Self { verb, arguments, dir: dir.to_owned(), good: Default::default(), users: vec![] };
        for number in [1, 0] {
            expect(&mut this.command(number), 0, &[]);
            this.good[number] = tree(&this.out()).into_iter().filter(|(path, _)| !is_users(path)).collect();
        }
        let out = this.out();
        for (path, mode) in [("secrets", 0o700), ("data", 0o750), ("data/db", 0o700), ("well-known/own", 0o711), ("services", 0o755), ("livekit", 0o755)] {
            fs::create_dir(out.join(path)).expect("made");
            fs::set_permissions(out.join(path), fs::Permissions::from_mode(mode)).expect("mode");
        }
        for path in &FILES[..7] {
            fs::write(out.join(path), KEY).expect("written");
        }
        // As `secrets init` leaves it.
        fs::set_permissions(out.join(SECRET), fs::Permissions::from_mode(0o444)).expect("mode");
        symlink("notes", out.join("link")).expect("linked");
        if rustix::process::geteuid().is_root() {
            chown(out.join("data"), Some(65534), Some(65534)).expect("owned");
        }
        this.users = Self::kept(&out);
        this
    }

    /// The program that writes one of the two sites into `out`.
    pub fn command(&self, number: usize) -> Command {
        let mut command = tool(&[self.verb, &format!("{number}.yaml"), "--out", "out"]);
        command.args(&self.arguments).current_dir(&self.dir);
        command
    }

    pub fn out(&self) -> PathBuf {
        self.dir.join("out")
    }

    /// `out` has the outputs of exactly one site, and everything of the user's under its path.
    #[track_caller]
    pub fn check(&self, dir: &Path, when: &str) {
        let out = dir.join("out");
        let outputs: Tree = tree(&out).into_iter().filter(|(path, _)| !is_users(path)).collect();
        let differs = |good: &Tree| {
            let mut paths: Vec<_> = outputs.iter().filter(|(path, found)| good.get(*path) != Some(found)).map(|(path, _)| path).collect();
            paths.extend(good.keys().filter(|path| !outputs.contains_key(*path)));
            paths.into_iter().map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        let differ = [differs(&self.good[0]), differs(&self.good[1])];
        assert!(differ.iter().any(Vec::is_empty), "{when}: mixed outputs; they differ from the two sites' in {differ:?}");
        for path in FILES {
            assert_eq!(fs::read_to_string(out.join(path)).unwrap_or_default(), KEY, "{when}: {path}");
        }
        // Where a link holds an entry's place, the entry is behind it.
        let kept = Self::kept(&out);
        assert_eq!(kept, self.users, "{when}");
    }

    /// `out` has this site's outputs and the user's entries, and nothing is beside it but what was.
    #[track_caller]
    pub fn check_done(&self, number: usize, when: &str) {
        self.check(&self.dir, when);
        let mut good = self.good[number].clone();
        let found = tree(&self.out());
        good.extend(found.iter().filter(|(path, _)| is_users(path)).map(|(path, found)| (path.clone(), found.clone())));
        assert!(found == good, "{when}: not what a build writes");
        for name in USERS {
            let link = fs::read_link(self.out().join(name)).unwrap_or_default();
            assert!(!link.starts_with(".."), "{when}: {name} is not back");
        }
        let litter: Vec<String> = names(&self.dir).into_iter().filter(|name| name.contains("synapse-site")).collect();
        assert!(litter.is_empty(), "{when}: {litter:?}");
    }

    fn kept(out: &Path) -> Vec<Kept> {
        let look = |name: &str| {
            let mut path = out.join(name);
            let place = fs::read_link(&path).unwrap_or_default();
            if place.starts_with("..") {
                path = path.parent().expect("a directory").join(place);
            }
            let found = fs::symlink_metadata(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
            (PathBuf::from(name), found.ino(), found.mode(), found.uid(), fs::read_link(&path).ok())
        };
        USERS.iter().chain(&FILES).map(|name| look(name)).collect()
    }
}

/// Whether a path is the user's, or a directory that a site may have only because something of the user's lies in it.
fn is_users(path: &Path) -> bool {
    USERS.iter().any(|name| path.starts_with(name)) || ["services", "livekit"].iter().any(|name| path == Path::new(name))
}

/// The system calls that change names or modes, or sync.
pub const CALLS: [&str; 18] = [
    "rename",
    "renameat",
    "renameat2",
    "symlink",
    "symlinkat",
    "link",
    "linkat",
    "rmdir",
    "unlink",
    "unlinkat",
    "fsync",
    "fdatasync",
    "syncfs",
    "chmod",
    "fchmod",
    "fchmodat",
    "mkdir",
    "mkdirat",
];

/// Runs a command that is killed when it is about to make a system call for the nth time; says whether it came to that.
#[track_caller]
pub fn killed_at(command: &Command, call: &str, number: usize) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    // The question mark: not every machine has every call.
    let (trace, inject) = (format!("trace=?{call}"), format!("inject=?{call}:signal=KILL:when={number}"));
    let ran = traced(command, &["-o", "/dev/null", "-e", &trace, "-e", &inject]).output().expect("strace runs");
    let killed = ran.status.signal() == Some(9);
    assert!(killed || ran.status.success(), "{call} {number}: {ran:?}");
    killed
}

/// The same command under strace.
pub fn traced(command: &Command, how: &[&str]) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qqq"]).args(how).arg("--").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    strace.current_dir(command.get_current_dir().expect("a directory"));
    strace
}

/// Whether programs can be traced here; if not, a note that this test was skipped.
pub fn can_trace(test: &str) -> bool {
    let ran = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    let reason = match ran {
        Ok(ran) if ran.status.success() => return true,
        Ok(ran) => format!("programs cannot be traced: {}", String::from_utf8_lossy(&ran.stderr).trim()),
        Err(error) => format!("strace cannot be started: {error}"),
    };
    super::support::skip(test, &reason);
    false
}

/// A directory in memory where there is one: hundreds of builds wait for no disk.
pub fn quick() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory")
}
