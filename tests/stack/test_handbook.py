"""Commands of pages that make files or handle secrets, and of which no other test makes its own steps: they are run as they stand, and
leave nothing that others may read, neither in files nor in command lines. `tests/docs/commands.rs` knows which page's commands run where."""

import base64
import json
import shutil
from pathlib import Path

import description
from campus import ADMINISTRATOR, BOT, SERVER_NAME, Campus
from handbook import block, commands, do_in, do_with, leaving_nothing_open, mode
from stack import Built, Stack


def test_a_notice_is_sent_by_the_page(campus: Campus) -> None:
    password = (campus.target / description.SECRETS_DIR / f"administrator_password_{ADMINISTRATOR}").read_text().strip()
    page = commands("administrators.md", "Calls to the admin API").replace('"alice"', f'"{ADMINISTRATOR}"')
    log_in, _ = page.split("unset password\n")
    send = block("server-notices.md", "send_server_notice").replace("@alice:example.com", f"@{ADMINISTRATOR}:{SERVER_NAME}")
    token = campus.target / "admin.token"
    with leaving_nothing_open(campus.target, password):
        do_with(campus.compose, campus.stack.tool, log_in, input=password + "\n")
    with leaving_nothing_open(campus.target, token.read_text().strip()):
        assert json.loads(do_with(campus.compose, campus.stack.tool, send))["event_id"].startswith("$")
    token.unlink()


def test_the_bots_token_is_fetched_by_the_page(campus: Campus) -> None:
    secrets = campus.target / description.SECRETS_DIR
    password = (secrets / f"administrator_password_{BOT}").read_text().strip()
    page = block("moderation.md", "draupnir_access_token").replace('"user": "draupnir"', f'"user": "{BOT}"')
    page = page.replace("administrator_password_draupnir", f"administrator_password_{BOT}")
    with leaving_nothing_open(campus.target, password, "syt_"):
        do_with(campus.compose, campus.stack.tool, page)
    assert (secrets / "draupnir_access_token").read_text().startswith("syt_")


def test_what_proves_who_the_server_is_is_brought_by_the_page(stack: Stack, built: Built, tmp_path: Path) -> None:
    """On a target without containers: the secrets of an old site, and then another signing key."""
    shutil.copy(built.directory / "site.json", tmp_path)
    key = f"ed25519 a_old0 {base64.b64encode(bytes(range(32))).decode().rstrip('=')}\n"
    pepper = "an old pepper of the site"
    (tmp_path / "homeserver.signing.key").write_text(key)
    (tmp_path / "homeserver.signing.key").chmod(0o600)
    page = block("migration.md", "homeserver.signing.key").replace("/etc/matrix-synapse/", "")
    with leaving_nothing_open(tmp_path, pepper, key.split()[2]):
        for line in page.splitlines():
            # The directory's password is still to bring: 4.
            line = f"{line.split('  #')[0]} || [ $? = 4 ]" if line.startswith("synapse-site") else line
            do_in(tmp_path, stack.tool, line, input=pepper if line.startswith("cat") else "")
    secrets = tmp_path / description.SECRETS_DIR
    assert ((secrets / "signing_key").read_text(), (secrets / "password_pepper").read_text()) == (key, pepper)
    assert mode(secrets) == 0o700
    rotate = [line for line in block("running.md", "signing_key.old").splitlines() if not line.startswith("docker")]
    assert len(rotate) == 2
    with leaving_nothing_open(tmp_path, key.split()[2]):
        do_in(tmp_path, stack.tool, f"{rotate[0]}\n{rotate[1]} || [ $? = 4 ]")
    assert (secrets / "signing_key.old").read_text() == key
    assert (secrets / "signing_key").read_text() != key
