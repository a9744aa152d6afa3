"""The shared parts of the stack test: one site per pytest session, taken from nothing to healthy by a chain of fixtures,
so that each file also runs alone; the order of the files; and what is kept when something fails."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import campus as campus_module
import compose
import description
import engine
import leftovers
import ports
import stack as stack_module
from campus import Campus
from commands import tail
from directory import Directory
from leftovers import KEPT
from matrix import Session
from stack import Built, Stack
from waiting import eventually

REPOSITORY = Path(__file__).resolve().parents[2]

# Whether anything failed, how many failures came with logs, and the run itself.
FAILED = pytest.StashKey[bool]()
SHOWN = pytest.StashKey[int]()
STACK = pytest.StashKey[Stack]()

# The order in which the site lives; each file's tests run in the order they stand in.
ORDER = (
    "test_bring_up",
    "test_login",
    "test_rooms",
    "test_media",
    "test_turn",
    "test_well_known",
    "test_admin",
    "test_exposure",
    "test_gateway",
    "test_outage",
    "test_routes",
    "test_confinement",
    "test_secrets",
    "test_restart",
    "test_rebuild",
    "test_refusals",
    "test_restore",
    "test_guard",
    "test_starter",
    "test_tls",
    "test_others",
    "test_admin_page",
    # On the second site; what changes its policy and how people log in comes last.
    "test_oidc",
    "test_mail",
    "test_registration",
    "test_previews",
    "test_limits",
    "test_moderator",
    "test_handbook",
    "test_bridge",
    "test_logs",
    "test_consent",
    "test_simple_mode",
    # Of what earlier runs left.
    "test_leftovers",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--synapse-site", type=Path, help="the program to test; by default the newest one below target/")
    parser.addoption("--keep-stack", action="store_true", help="leave the site running at the end, to look at it")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(ORDER)}
    items.sort(key=lambda item: places.get(item.path.stem, len(ORDER)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.session.stash[FAILED] = True
        # Nothing can be learnt from a site that did not come up.
        if call.when == "setup" or item.path.stem == ORDER[0]:
            item.session.shouldfail = f"the site did not come up: {item.name}"
        add_logs(item, report, call)
    return report


def add_logs(item: pytest.Item, report: pytest.TestReport, call: pytest.CallInfo[None]) -> None:
    """Puts the services' last words under a failure. Only the first few: the first one is mostly the cause."""
    stack = item.config.stash.get(STACK, None)
    shown = item.session.stash.get(SHOWN, 0)
    # A failure to come up brings them itself.
    if stack is None or shown >= 3 or (call.excinfo is not None and call.excinfo.errisinstance(compose.NotHealthy)):
        return
    item.session.stash[SHOWN] = shown + 1
    try:
        services = stack.compose.report(lines=12)
    except AssertionError as error:
        services = f"the engine does not say: {error}"
    report.sections.append(("the services at that moment", services))
    if stack.directory.log.is_file():
        report.sections.append(("the directory server", tail(stack.directory.logged(), 12)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    stack = config.stash.get(STACK, None)
    if stack is not None:
        for what, seconds in stack.timings.items():
            terminalreporter.write_line(f"{what}: {seconds:.1f} s")
        if config.getoption("--keep-stack"):
            terminalreporter.write_line(f"kept: compose project {stack.project} in {stack.target}, files {stack.home}")
            kept = leftovers.programs(stack.home)
            terminalreporter.write_line(f"kept: processes {' '.join(map(str, kept))}; the SMTP server and the web server end with this run")
            terminalreporter.write_line(f"to end all of it (a next run does, too): {sys.executable} {leftovers.__file__}")
        elif (KEPT / "failed").is_dir():
            terminalreporter.write_line(f"logs of all services: {KEPT / 'failed'}")


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A run with its directory server, before anything is built. Its end removes all that the run made."""
    # Without this a plain `kill` would leave the site running; pytest ends in order on ^C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    tool = request.config.getoption("--synapse-site") or stack_module.newest_tool(REPOSITORY)
    project = stack_module.project_name()
    home = KEPT / project
    chosen = ports.choose()
    directory = Directory(home / "directory", engine.bridge_address(), chosen.ldap)
    stack = Stack(tool.resolve(), home, project, chosen, directory, compose.classic(), compose.plugin())
    request.config.stash[STACK] = stack
    # What an earlier run left says nothing about this one.
    shutil.rmtree(KEPT / "failed", ignore_errors=True)
    for name in ("campus.txt", "bridge.txt"):
        (KEPT / name).unlink(missing_ok=True)
    leftovers.end_all(KEPT)
    home.mkdir(parents=True)
    try:
        directory.start()
        yield stack
    finally:
        try:
            if request.session.stash.get(FAILED, False):
                stack.keep_artefacts(KEPT / "failed")
        finally:
            if request.config.getoption("--keep-stack"):
                (home / leftovers.IMAGES).write_text("\n".join(sorted(stack.loaded)))
            else:
                stack.remove()


@pytest.fixture(scope="session")
def built(stack: Stack) -> Built:
    """The site, built once."""
    began = time.monotonic()
    built = stack.build(stack.describe("site"), "built")
    stack.timings["build"] = time.monotonic() - began
    return built


@pytest.fixture(scope="session")
def deployed(stack: Stack, built: Built) -> Stack:
    """The site's files on the target, its images on the engine, its secrets made and brought."""
    began = time.monotonic()
    stack.deploy(built)
    stack.timings["docker load"] = time.monotonic() - began
    stack.init_secrets()
    stack.bring()
    stack.override()
    return stack


@pytest.fixture(scope="session")
def running(deployed: Stack) -> Stack:
    """The site, up and healthy."""
    deployed.timings["up until all healthy"] = deployed.compose.up(description.SERVICES)
    return deployed


@pytest.fixture(scope="session")
def alice(running: Stack) -> Session:
    """A user of the directory, logged in through the gateway."""
    return running.gateway.login("alice", running.directory.people["alice"].password)


@pytest.fixture(scope="session")
def bob(running: Stack) -> Session:
    """Another one."""
    return running.gateway.login("bob", running.directory.people["bob"].password)


@pytest.fixture(scope="session")
def campus(request: pytest.FixtureRequest, stack: Stack) -> Iterator[Campus]:
    """The second site, up and healthy, with its administrator: for tests of what the first has not."""
    campus = campus_module.start(stack)
    try:
        yield campus
    finally:
        if request.session.stash.get(FAILED, False):
            (KEPT / "campus.txt").write_text(campus.compose.report(lines=400))
            if campus.bridge.log.is_file():
                shutil.copy(campus.bridge.log, KEPT / "bridge.txt")
        if not request.config.getoption("--keep-stack"):
            campus.remove()


@dataclass(frozen=True)
class Conversation:
    """A room of alice and bob and a message in it, for tests that look whether it is still there."""

    room: str
    event_id: str
    content: dict[str, str]


@pytest.fixture(scope="session")
def conversation(alice: Session, bob: Session) -> Conversation:
    """Alice's room with bob in it, and her message, which bob has read."""
    room = alice.create_room("plain")
    alice.invite(room, bob.user_id)
    bob.wait_for_invite(room)
    # Another process than the one that wrote the invitation may serve the join.
    eventually("bob's join", lambda: bob.join(room))
    content = {"msgtype": "m.text", "body": "Guten Morgen, Bob \N{SUNRISE}"}
    event_id = alice.send(room, "m.room.message", content)
    assert bob.wait_for_event(room, event_id)["content"] == content
    return Conversation(room, event_id, content)


@dataclass(frozen=True)
class Upload:
    """Media that alice has uploaded."""

    uri: str
    content: bytes


@pytest.fixture(scope="session")
def upload(alice: Session) -> Upload:
    """Some bytes that alice uploaded, none of them text."""
    content = bytes(range(256)) * 1000
    response = alice.upload(content, "application/octet-stream")
    assert response.status == 200, response
    return Upload(json.loads(response.body)["content_uri"], content)
