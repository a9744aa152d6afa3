//! What a program out of a locked package can do: its work, and nothing else. The programs here try.

use std::io::Read as _;

use synapse_site::child::Child;

use crate::machine::Machine;

/// Runs each attempt and prints its name with what came of it.
const TRY: &str = r#"
import sys, posix, _socket, _posixsubprocess, _thread
own = __import__("os").__file__
def read(path):
    fd = posix.open(path, posix.O_RDONLY)
    try: return posix.read(fd, 10)
    finally: posix.close(fd)
def write(path): posix.close(posix.open(path, posix.O_WRONLY | posix.O_CREAT, 0o600))
def inherited():
    for fd in range(3, 64):
        try: posix.fstat(fd)
        except OSError: continue
        return fd
    raise OSError("none")
attempts = {
    "own": lambda: read(own),
    "passwd": lambda: read("/etc/passwd"),
    "environment": lambda: read("/proc/%d/environ" % posix.getppid()),
    "directory": lambda: posix.listdir("/"),
    "outside": lambda: write("/tmp/synapse-site-probe"),
    "inside": lambda: write("probe"),
    "over": lambda: write(own),
    "null": lambda: write("/dev/null"),
    "remove": lambda: posix.unlink(own),
    "rename": lambda: posix.rename(own, own + "x"),
    "link": lambda: posix.symlink("/", "probe"),
    "make": lambda: posix.mkdir("probe"),
    "mode": lambda: posix.chmod(own, 0o777),
    "move": lambda: posix.chdir("/"),
    "root": lambda: posix.chroot("/"),
    "socket": lambda: _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM),
    "unix": lambda: _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM),
    "fork": lambda: posix._exit(0) if posix.fork() == 0 else None,
    "shell": lambda: posix.posix_spawn("/bin/sh", ["sh", "-c", "true"], {}),
    "replace": lambda: posix.execv("/bin/sh", ["sh", "-c", "echo replace: done"]),
    "thread": lambda: _thread.start_new_thread(print, ()),
    "kill": lambda: posix.kill(posix.getppid(), 0),
    "nice": lambda: posix.setpriority(posix.PRIO_PROCESS, posix.getppid(), 0),
    "memory": lambda: bytearray(20 << 30),
    "inherited": inherited,
}
for name, attempt in attempts.items():
    try: attempt(); result = "done"
    except BaseException as error: result = type(error).__name__
    print(name + ": " + result, flush=True)
"#;

fn said(child: &mut Child) -> String {
    let mut text = String::new();
    child.stdout().unwrap().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_program_reads_its_own_directory_and_nothing_else() {
    // A file that is open here without O_CLOEXEC, as a job server's pipe is.
    let open = std::fs::File::open("/etc/passwd").unwrap();
    rustix::io::fcntl_setfd(&open, rustix::io::FdFlags::empty()).unwrap();
    let (_dir, interpreter) = Machine::new().unpacked();
    let mut child = interpreter.start(TRY).unwrap();
    let text = said(&mut child);
    assert_eq!(interpreter.lacking(), [""; 0], "this kernel confines");
    assert_eq!(text.lines().count(), 25, "{text}");
    let done: Vec<&str> = text.lines().filter(|line| line.ends_with(": done")).collect();
    assert_eq!(done, ["own: done"], "{text}");
    assert!(text.contains("memory: MemoryError"), "{text}");
    assert!(child.wait_for(std::time::Duration::from_secs(60)).unwrap().success());
}

#[test]
fn a_program_that_is_dropped_ends() {
    let (_dir, interpreter) = Machine::new().unpacked();
    let mut child = interpreter.start("print(__import__('posix').getpid(), flush=True)\nwhile True: pass").unwrap();
    let mut output = child.stdout().unwrap();
    let mut digits = Vec::new();
    while digits.last() != Some(&b'\n') {
        let mut byte = [0];
        output.read_exact(&mut byte).unwrap();
        digits.push(byte[0]);
    }
    let place = format!("/proc/{}", String::from_utf8(digits).unwrap().trim());
    assert!(std::path::Path::new(&place).exists());
    drop(child);
    assert!(!std::path::Path::new(&place).exists());
}
