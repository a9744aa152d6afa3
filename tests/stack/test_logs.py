"""What Synapse writes for administrators: one JSON object a line, files in a volume that change with the day and are not kept for
ever, and metrics for those inside."""

import datetime
import json
from typing import Any

import pytest

import description
from campus import LOG_DAYS, METRICS_PORT, SYNAPSE_SERVICES, Campus
from commands import run
from matrix import Server
from waiting import eventually

LOGS = "/var/log/matrix-synapse"
WORKER = "synapse-generic-worker-1"

# Gives the log of a process the age of a log of yesterday, and older ones beside it.
AGE = """
import os, sys, time
log, *older = sys.argv[1:]
os.utime(log, (time.time() - 86400,) * 2)
for path in older:
    open(path, "x").write("{}\\n")
"""
# Every file of a directory with its content.
READ = """
import json, os, sys
json.dump({entry.name: open(entry, encoding="utf-8").read() for entry in os.scandir(sys.argv[1])}, sys.stdout)
"""


def inside(campus: Campus, service: str, program: str, *arguments: str) -> str:
    """Runs a program with the container's own Python, as the user that Synapse is there; what it said."""
    container = campus.compose.container(service).id
    return run(["docker", "exec", container, description.PYTHON, "-c", program, *arguments]).stdout


def files(campus: Campus, service: str) -> dict[str, str]:
    """The files in the volume, as a process of Synapse sees them."""
    return dict(json.loads(inside(campus, service, READ, LOGS)))


def objects(text: str) -> list[dict[str, Any]]:
    """The lines of a log; each has to be a JSON object."""
    found = [json.loads(line) for line in text.splitlines()]
    assert all(isinstance(line, dict) for line in found)
    return found


def day(before: int) -> str:
    """The name of a day that is over, as files have it at their end."""
    return (datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=before)).strftime("%Y-%m-%d")


@pytest.mark.parametrize("service", SYNAPSE_SERVICES)
def test_every_line_is_a_json_object(campus: Campus, service: str) -> None:
    campus.administrator.whoami()
    said = run(["docker", "logs", campus.compose.container(service).id]).stdout
    lines = objects(said)
    assert len(lines) > 20
    assert all({"log", "namespace", "level", "time"} <= set(line) for line in lines)
    # What a collector asks for is a member of its own, not a part of a text.
    answered = [line for line in lines if line["namespace"].startswith("synapse.access.http")]
    assert answered and all(line["method"] and line["ip_address"] and line["request"] for line in answered)


def test_each_process_has_a_file_of_its_own(campus: Campus) -> None:
    written = files(campus, "synapse")
    assert set(written) == {f"{service}.log" for service in SYNAPSE_SERVICES}
    for service in SYNAPSE_SERVICES:
        assert any("synapse.access.http" in line["namespace"] for line in objects(written[f"{service}.log"])), service
    assert files(campus, WORKER).keys() == written.keys()


def test_a_new_day_begins_a_new_file_and_ends_the_oldest(campus: Campus) -> None:
    log = f"{WORKER}.log"
    container = campus.compose.container(WORKER)
    older = [f"{log}.{day(ago)}" for ago in range(2, LOG_DAYS + 3)]
    campus.compose.run("stop", "-t", "20", WORKER)
    # While it is away: what it says itself would make the file of today.
    user, image = container.details["Config"]["User"], container.image
    beside = ["docker", "run", "--rm", "--network", "none", "--volumes-from", container.id, "--user", user, "--entrypoint", description.PYTHON, image]
    run([*beside, "-c", AGE, *(f"{LOGS}/{name}" for name in (log, *older))])
    yesterday = files(campus, "synapse")[log]
    campus.compose.run("start", WORKER)
    campus.compose.wait_healthy([WORKER])

    kept = {name: text for name, text in files(campus, WORKER).items() if name.startswith(log)}
    assert set(kept) == {log, *(f"{log}.{day(ago)}" for ago in range(1, LOG_DAYS + 1))}
    assert kept[f"{log}.{day(1)}"] == yesterday
    assert objects(kept[log])
    # The other process's file is not this one's to begin anew.
    assert files(campus, "synapse").keys() == kept.keys() | {"synapse.log"}
    assert campus.administrator.whoami()


def test_metrics_are_for_those_inside(campus: Campus) -> None:
    for service in SYNAPSE_SERVICES:
        address = campus.inside(service).address
        answer = eventually(f"metrics of {service}", lambda: Server(address, METRICS_PORT, "metrics").request("GET", "/_synapse/metrics"))
        assert answer.status == 200 and b"\nsynapse_build_info{" in answer.body, answer
    for path in ("/_synapse/metrics", "/metrics", "/_synapse/admin/v1/server_version", "/_synapse/replication/"):
        assert campus.gateway.request("GET", path).status == 404, path
    published = {container.service: container.published for container in campus.compose.containers() if container.published}
    assert published == {"gateway": {(campus.gateway.port, "tcp")}}
