"""No secret is anywhere but in `secrets/` and in the memory of who needs it: not in the images, not in the manifest or
anything else of the output, not in what containers, tools and the engine say, not in arguments or environments."""

import base64
import json

import pytest

import archive
import description
import engine
from conftest import Conversation, Upload
from matrix import Session
from stack import Stack


def disguises(needles: dict[str, bytes]) -> dict[str, bytes]:
    """The values, and what they look like in base64: three ways, by where they begin in a group of three bytes."""
    found = dict(needles)
    for name, value in needles.items():
        for shift in range(3):
            # The first and last group also hold neighbouring bytes, so they are cut off.
            encoded = base64.b64encode(b"\0" * shift + value)
            found[f"{name} (base64, {shift})"] = encoded[4 if shift else 0 : -4].rstrip(b"=")
    return found


@pytest.fixture(scope="module")
def needles(running: Stack) -> dict[str, bytes]:
    values = running.secret_needles()
    assert set(values) >= {path.name for path in running.secrets.iterdir()}
    return disguises(values)


@pytest.fixture(scope="module", autouse=True)
def lived(alice: Session, bob: Session, conversation: Conversation, upload: Upload) -> None:
    """The services have worked with their secrets before anybody looks for traces."""
    alice.call("GET", "/v3/voip/turnServer")


def test_search_finds_what_is_there(running: Stack) -> None:
    # A search that finds nothing must be able to find something: the server's name is in the images' configuration.
    needle = {"server name": description.SERVER_NAME.encode()}
    found = running.archive.search(needle)
    assert any(place.endswith("decompressed") for _, place in found), found


def test_images(running: Stack, needles: dict[str, bytes]) -> None:
    assert running.archive.search(needles) == set()


def test_everything_else_on_the_target(running: Stack, needles: dict[str, bytes]) -> None:
    files = archive.files_below(running.target, without=(description.SECRETS_DIR, "images.tar"))
    assert running.target / "compose.yaml" in files
    assert {(str(path), name) for path in files for name in archive.search_bytes(path.read_bytes(), needles)} == set()


def test_what_the_tools_said(running: Stack, needles: dict[str, bytes]) -> None:
    for compose in (running.compose, running.compose_v2):
        running.said[f"config of {compose.command[0]}"] = compose.run("config").stdout
    assert {(what, name) for what, text in running.said.items() for name in archive.search_bytes(text.encode(), needles)} == set()


def test_logs(running: Stack, needles: dict[str, bytes]) -> None:
    for container in running.compose.containers():
        log = engine.logs(container.id)
        assert archive.search_bytes(log.encode(), needles) == set(), container.service


def test_inspect(running: Stack, needles: dict[str, bytes]) -> None:
    for container in running.compose.containers():
        assert archive.search_bytes(json.dumps(container.details).encode(), needles) == set(), container.service
        image = engine.inspect("image", [container.image])
        assert archive.search_bytes(json.dumps(image).encode(), needles) == set(), container.image


def test_arguments_and_environments(running: Stack, needles: dict[str, bytes]) -> None:
    containers = running.compose.containers()
    found = engine.processes(containers, running.compose.container("synapse").image, description.PYTHON)
    assert all(found[service] for service in description.SERVICES), found
    for service, processes in found.items():
        for process in processes:
            assert process.cmdline, f"{service}: no arguments could be read"
            assert archive.search_bytes(process.cmdline, needles) == set(), f"{service}: arguments"
            assert archive.search_bytes(process.environ, needles) == set(), f"{service}: environment"


def test_each_service_sees_only_its_own_secrets(running: Stack) -> None:
    mounted = {container.service: container.secrets for container in running.compose.containers()}
    assert mounted["well-known"] == set() and mounted["gateway"] == set()
    for service, number in {"postgres": 1, "redis": 1, "coturn": 3}.items():
        assert len(mounted[service]) == number, f"{service}: {mounted[service]}"
    assert description.TURN_KEY_SECRET not in mounted["synapse"]
    assert description.LDAP_BIND_SECRET in mounted["synapse"]
