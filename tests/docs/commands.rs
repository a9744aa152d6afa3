//! What a page's commands leave behind: no secret in an argument list, which every user of the machine can read, and no file with
//! people's data or secrets that others can open. The stack test runs the commands of the backup and looks at the modes.

use regex::Regex;

use super::page::{self, Block};

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
