//! What a page's commands leave behind: no secret in an argument list, which every user of the machine can read, and no file with
//! people's data or secrets that others can open. The stack test runs the commands of the backup and looks at the modes.

use regex::Regex;

use super::page::{self, Block};

/// Which test runs a block of commands.
enum Tried {
    /// That file, which names the page and takes the block from it.
    By(&'static str),
    /// None, and why.
    Not(&'static str),
}
use Tried::{By, Not};

const ONLY_SAYS: &str = "prints, makes no file, and takes no secret";
const ELSEWHERE: &str = "needs what the machine of the tests does not reach: another registry, network or site";
const TERMINAL: &str = "asks for a password on a terminal, and makes no file";
const REPOSITORY: &str = "works on this repository, which holds no secrets";
const BUILT: &str = "writes a description, or what is built of one, which holds no secrets";
const NIX: &str = "writes what is built of a description, which holds no secrets; tests/nix does it, too";
const BRING_UP: &str = "loads, makes secrets and starts, as the fixtures of tests/stack do; test_bring_up.py and test_secrets.py look at the outcome";

/// Every block of commands of the pages, by its page and a part of it that no other block of the page has.
const BLOCKS: &[(&str, &str, Tried)] = &[
    ("administrators.md", "docker compose run --rm admin", Not(BRING_UP)),
    ("administrators.md", "v3/login", By("tests/stack/test_admin.py")),
    ("administrators.md", "account/whoami", By("tests/stack/test_admin.py")),
    ("administrators.md", "v3/logout", By("tests/stack/test_admin.py")),
    ("calls.md", "jq -r '.ports[]", Not(ONLY_SAYS)),
    ("calls.md", "docker pull", Not(ELSEWHERE)),
    ("checks.md", "synapse-site check site.yaml", Not(ONLY_SAYS)),
    ("checks.md", "--explain S0107", Not(ONLY_SAYS)),
    ("checks.md", "check --json site.yaml", Not(ONLY_SAYS)),
    ("description.md", "schema > schema.json", Not(BUILT)),
    ("description.md", "synapse-site check site.yaml", Not(BUILT)),
    ("developing.md", "make image", Not(REPOSITORY)),
    ("developing.md", "make generated", Not(REPOSITORY)),
    ("facts.md", "--version 1.155.0 --kind options", Not(ONLY_SAYS)),
    ("images.md", "--out b --cache", Not(BUILT)),
    ("images.md", "now.txt", Not(BUILT)),
    ("images.md", "synapse-site lock", Not(REPOSITORY)),
    ("images.md", "components[].purl", Not(ONLY_SAYS)),
    ("metrics.md", "prom/prometheus", Not(ELSEWHERE)),
    ("metrics.md", "127.0.0.1:9000/metrics", Not(ONLY_SAYS)),
    ("migration.md", "homeserver.signing.key", By("tests/stack/test_handbook.py")),
    ("migration.md", "pg_dump", Not(ELSEWHERE)),
    ("migration.md", "check-password", Not(TERMINAL)),
    ("moderation.md", "draupnir_access_token", By("tests/stack/test_handbook.py")),
    ("nix.md", "mkdir example.com", Not(NIX)),
    ("nix.md", "nix flake lock", Not(NIX)),
    ("nix.md", "docker compose run --rm secrets", Not(BRING_UP)),
    ("nix.md", "nix-build -A bundle", Not(NIX)),
    ("nix.md", "#several", Not(NIX)),
    ("nix.md", "synapse-site-compose ps", Not(BRING_UP)),
    ("nix.md", "nix copy", Not(ELSEWHERE)),
    ("nix.md", "nix flake update", Not(NIX)),
    ("nix.md", "-- render site.nix --out rendered", Not(NIX)),
    ("registration.md", "registration_tokens/new", By("tests/stack/test_admin.py")),
    ("running.md", "docker compose run --rm admin", Not(BRING_UP)),
    ("running.md", "client/v3/login", Not(ONLY_SAYS)),
    ("running.md", "fullchain.pem", By("tests/stack/test_tls.py")),
    ("running.md", "a new option may need a new secret", Not(BRING_UP)),
    ("running.md", "/launch health main; do", Not(ONLY_SAYS)),
    ("running.md", "docker rmi", Not("removes images, and makes no file")),
    ("running.md", "pg_dump", By("tests/stack/test_restore.py")),
    ("running.md", "pg_restore", By("tests/stack/test_restore.py")),
    ("running.md", "docker compose down --volumes", By("tests/stack/test_restore.py")),
    ("running.md", "check-password", Not(TERMINAL)),
    ("running.md", "accept signing_key", Not("changes a marker in the volume; tests/launch/guard.rs says the same words")),
    ("running.md", "key/v2/server", Not(ONLY_SAYS)),
    ("running.md", "signing_key.old", By("tests/stack/test_handbook.py")),
    ("running.md", "docker inspect -f", Not(ONLY_SAYS)),
    ("security.md", "server_version", Not(ONLY_SAYS)),
    ("server-notices.md", "send_server_notice", By("tests/stack/test_handbook.py")),
    ("well-known.md", "client/versions", Not(ELSEWHERE)),
    ("README.md", "mkdir example.com", Not(NIX)),
    ("README.md", "nix flake lock", Not(NIX)),
    ("README.md", "make image", Not(REPOSITORY)),
    ("README.md", "synapse-site new example.com", Not(BUILT)),
    ("README.md", "synapse-site check example.com/site.yaml", Not(ONLY_SAYS)),
    ("README.md", "synapse-site build example.com/site.yaml", Not(BUILT)),
    ("README.md", "docker compose run --rm secrets", Not(BRING_UP)),
    ("examples/README.md", "check examples/family", Not(BUILT)),
    ("examples/README.md", "make snapshots", Not(REPOSITORY)),
];

/// Files that commands write outside `secrets/` and that everybody may read, with what is in them.
const PUBLIC: &[(&str, &str)] = &[
    ("schema.json", "the schema of a description"),
    ("now.txt", "digests of images"),
    ("description.json", "a description, which names secrets and holds none"),
    ("others.tar", "images, which hold no secrets"),
];

/// Why a command must not stand on a page; none for a good one. `careful` says whether the block began with `umask 077`.
fn fault(line: &str, careful: bool) -> Option<String> {
    let in_argument = [
        (r"Bearer\s+[\w$<…{]", "an access token"),
        (r#"(?i)(password|pepper|secret|token)["']?\s*[:=]\s*["'][^"'\s]"#, "a secret's value"),
        (r#"\b(printf|echo)\b[^|>]*['"][^%'"]*[^%'"s]['"][^|]*>\s*secrets/"#, "a secret's value, which a shell's history keeps"),
    ];
    for (pattern, what) in in_argument {
        if Regex::new(pattern).expect("a pattern").is_match(line) {
            return Some(format!("{what} stands in an argument list"));
        }
    }
    let written = Regex::new(r"(?:[^&0-9-]>{1,2}|\btar .*-c\w*f|\s-[oO]|\s--output|\s--file|\bdd .*\bof=|\btee(?:\s+-a)?\s|\s-(?:key)?out\s)\s*([^\s>&|;)]+)")
        .expect("a pattern");
    for found in written.captures_iter(line) {
        let file = &found[1];
        let open = file != "/dev/null" && !file.starts_with("secrets/") && file != "-" && !PUBLIC.iter().any(|(public, _)| *public == file);
        if open && !careful {
            return Some(format!("{file} is written before `umask 077`, so other users may read it"));
        }
    }
    let carried = Regex::new(r"\b(cp|mv)\s+(?:-\S+\s+)*secrets/\S+\s+(\S+)").expect("a pattern");
    if carried.captures(line).is_some_and(|found| !found[2].starts_with("secrets/")) {
        return Some("a secret leaves the directory that only its owner can enter".to_owned());
    }
    None
}

/// Every fault of a block of commands.
fn faults(block: &Block) -> Vec<String> {
    let mut careful = false;
    let mut faults = Vec::new();
    for line in block.text.lines() {
        // What follows two spaces and a hash is a remark.
        let command = line.split("  #").next().unwrap_or(line);
        careful |= command.trim() == "umask 077" || command.contains("(umask 077;");
        faults.extend(fault(command, careful).map(|why| format!("{}: {why}:\n  {line}", block.place)));
    }
    faults
}

#[test]
fn commands_show_no_secret_and_leave_no_open_file() {
    let blocks: Vec<Block> = page::all().iter().flat_map(page::Page::blocks).filter(|block| ["", "sh", "console"].contains(&&*block.language)).collect();
    assert!(blocks.len() > 30, "only {} blocks of commands were found", blocks.len());
    let faults: Vec<String> = blocks.iter().flat_map(faults).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn what_must_not_stand_on_a_page_is_found() {
    let block = |text: &str| Block { place: "page".into(), language: String::new(), text: text.into(), with: None, follows: false };
    for bad in [
        "curl -H 'Authorization: Bearer TOKEN' http://localhost/",
        r#"python3 -c '… headers={"Authorization": "Bearer TOKEN"}'"#,
        r#"curl -d '{"type": "m.login.password", "password": "…"}' http://localhost/"#,
        "printf %s 'THE PEPPER' > secrets/password_pepper",
        "pg_dump synapse > synapse.dump",
        "tar -cf secrets.tar secrets",
        "pg_dump synapse | tee synapse.dump",
        "dd if=/dev/vda1 of=disk.img",
        "openssl genrsa -out key.pem 4096",
        "tar -C /var/lib --numeric-owner -cf volume.tar media",
        "mv secrets/signing_key signing_key.old",
        "cp -a secrets/signing_key /root/key",
    ] {
        assert_eq!(faults(&block(bad)).len(), 1, "{bad}");
    }
    for good in [
        "umask 077\npg_dump synapse > synapse.dump\ntar -cf secrets.tar secrets",
        "cat > secrets/password_pepper",
        "mv secrets/signing_key secrets/signing_key.old",
        "curl http://localhost/ > /dev/null 2>&1",
        "synapse-site schema > schema.json",
        r#"python3 -c '… {"Authorization": "Bearer " + sys.stdin.readline().strip()}' < admin.token"#,
        "(umask 077; cat > admin.token)",
    ] {
        assert_eq!(faults(&block(good)), [""; 0], "{good}");
    }
}

/// Whether a block is one of commands: it begins with a program that pages use, or with a word of the shell.
fn is_commands(block: &Block) -> bool {
    let programs = "alias cargo cat cp curl docker git jq make mkdir mv nix nix-build pg_dump read synapse-site synapse-site-compose tar umask";
    let first = block.text.split_whitespace().next().unwrap_or_default();
    ["", "sh", "console"].contains(&&*block.language) && programs.split(' ').any(|program| program == first)
}

#[test]
fn every_block_of_commands_is_run_by_a_test_or_says_why_not() {
    let mut taken = vec![0; BLOCKS.len()];
    let mut faults = Vec::new();
    for page in page::all() {
        let name = page.path.file_name().expect("a name").to_string_lossy().into_owned();
        let name = if page.path.starts_with("docs") { name } else { page.path.display().to_string() };
        for block in page.blocks().iter().filter(|block| is_commands(block)) {
            let known: Vec<usize> = (0..BLOCKS.len()).filter(|at| BLOCKS[*at].0 == name && block.text.contains(BLOCKS[*at].1)).collect();
            match known[..] {
                [at] => taken[at] += 1,
                _ => faults.push(format!("{}: is {} times in the table:\n{}", block.place, known.len(), block.text)),
            }
        }
    }
    for ((page, part, tried), taken) in BLOCKS.iter().zip(taken) {
        if taken != 1 {
            faults.push(format!("{page}: {taken} blocks have {part:?}"));
        }
        match tried {
            By(test) => {
                let text = std::fs::read_to_string(test).unwrap_or_default();
                if !text.contains(&format!("\"{page}\"")) {
                    faults.push(format!("{page}: {test} does not run {part:?}"));
                }
            }
            Not(why) => assert!(why.len() > 20, "{page}: {part}"),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
