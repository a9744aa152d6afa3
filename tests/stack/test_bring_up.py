"""From a description to a healthy site: the build is reproducible, the secrets are made once and with the right modes, both
Composes read the manifest, and every service becomes healthy."""

import stat

import description
from compose import version
from stack import Built, Stack


def test_two_builds_give_the_same_bytes(stack: Stack, built: Built) -> None:
    # Another time zone, locale, home, umask and set of file times: none of it may show in the output.
    elsewhere = stack.home / "elsewhere"
    elsewhere.mkdir()
    surroundings = {"TZ": "Pacific/Auckland", "LC_ALL": "tr_TR.UTF-8", "TMPDIR": str(elsewhere)}
    again = stack.build(stack.describe("site"), "built-again", env=surroundings, umask=0o077)
    first, second = built.digests(), again.digests()
    assert set(first) == set(second)
    assert [name for name in first if first[name] != second[name]] == []


def test_output_is_complete(built: Built) -> None:
    assert [name for name in description.OUTPUTS if not (built.directory / name).exists()] == []


def test_secrets_init_makes_each_secret_once(deployed: Stack) -> None:
    directory = deployed.secrets.stat()
    assert stat.S_IMODE(directory.st_mode) == 0o700, "other users of the host could read the secrets"
    modes = {path.name: f"{stat.S_IMODE(path.stat().st_mode):04o}" for path in deployed.secrets.iterdir()}
    # Containers of any uid read the file that is mounted into them.
    assert set(modes.values()) == {"0444"}, modes
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in deployed.secrets.iterdir()}
    assert all(content.strip() for content, _ in before.values()), "an empty secret"
    deployed.init_secrets()
    assert before == {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in deployed.secrets.iterdir()}


def test_secrets_init_names_what_to_bring(deployed: Stack) -> None:
    scratch = deployed.home / "scratch"
    scratch.mkdir()
    (scratch / "site.json").write_bytes((deployed.target / "site.json").read_bytes())
    said = deployed.make_secrets(scratch)
    assert description.LDAP_BIND_SECRET in said
    assert not (scratch / description.SECRETS_DIR / description.LDAP_BIND_SECRET).exists()
    # Two sites never share a secret.
    for path in (scratch / description.SECRETS_DIR).iterdir():
        assert path.read_bytes() != (deployed.secrets / path.name).read_bytes(), f"{path.name} is the same in two sites"


def test_both_composes_read_the_manifest(deployed: Stack) -> None:
    for compose in (deployed.compose, deployed.compose_v2):
        services = set(compose.run("config", "--services").stdout.split())
        # Compose 1.29 lists services of profiles too.
        assert services - description.ONE_SHOT == set(description.SERVICES), version(compose.command)
        assert compose.run("config", "-q").stdout == ""


def test_all_services_become_healthy(running: Stack) -> None:
    found = {container.service: container.health for container in running.compose.containers()}
    assert found == dict.fromkeys(description.SERVICES, "healthy")
