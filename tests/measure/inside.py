"""What Synapse itself does with configurations. Runs inside the Synapse image, as its Python: reads a list of cases from standard
input, lays each one's files at the place where the image has its own, has the real `launch` complete them with secrets, and lets
Synapse's own parser read what each process would read. With questions, the main process is started for real and asked over HTTP.
Writes one answer a line to standard output, as JSON.

Every parse happens in a process of its own that is forked after Synapse was imported, so that one case leaves nothing for the next."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml
from synapse.config._base import ConfigError, find_config_files
from synapse.config.homeserver import HomeServerConfig

CONFIG = Path("/etc/matrix-synapse")
RUN = Path("/run/synapse-site")
STATE = Path("/var/lib/synapse")
SCRATCH = Path("/tmp/scratch")
BASE = "http://127.0.0.1:8008"
# A first start also makes the database.
START_SECONDS = 60


def main() -> None:
    shutil.rmtree(CONFIG, ignore_errors=True)
    for number, line in enumerate(sys.stdin):
        case = json.loads(line)
        if number == 0:
            warm_up(case)
        print(json.dumps({"name": case["name"], **measure(case)}), flush=True)


def warm_up(case: dict[str, Any]) -> None:
    """Parses a case in this process, so that what the parser imports on its way is there for all that are forked from it."""
    CONFIG.unlink(missing_ok=True)
    CONFIG.symlink_to(Path(case["rendered"]) / "synapse/etc/matrix-synapse")
    plan = json.loads((Path(case["rendered"]) / "synapse/etc/synapse-site/launch.json").read_text())
    parse(True, completed(plan, "main", {})[1:])


def measure(case: dict[str, Any]) -> dict[str, Any]:
    """Everything about one case."""
    CONFIG.unlink(missing_ok=True)
    CONFIG.symlink_to(Path(case["rendered"]) / "synapse/etc/matrix-synapse")
    plan = json.loads((Path(case["rendered"]) / "synapse/etc/synapse-site/launch.json").read_text())
    workers = sorted(name for name, role in plan["roles"].items() if role["exec"][0] == "synapse_worker")
    by_hand = case.get("by_hand") or {}
    processes = {role: apart(parse, role == "main", completed(plan, role, by_hand)[1:]) for role in ["main", *workers]}
    answer: dict[str, Any] = {"processes": processes, "parsed": {"main": processes["main"]}}
    if workers:
        answer["parsed"]["worker"] = worst([processes[role] for role in workers])
    if case.get("ask") is not None:
        answer.update(started(completed(plan, "main", by_hand), case["ask"]))
        # The database is there now, and the main process has gone; a worker waits for nobody to listen.
        if case["start_workers"] and answer["start"]["outcome"] == "runs":
            answer["workers"] = {role: started(completed(plan, role, by_hand), [])["start"] for role in workers}
    return answer


def completed(plan: dict[str, Any], role: str, by_hand: dict[str, Any] | str) -> list[str]:
    """The role's files, completed by `launch`, and the command that the image would run, with what is written by hand laid over it."""
    shutil.rmtree(RUN, ignore_errors=True)
    RUN.mkdir(mode=0o700, parents=True)
    shutil.rmtree(SCRATCH, ignore_errors=True)
    SCRATCH.mkdir()
    # What belongs to the surroundings is not there: nothing to wait for, no volume to compare with, and no service to become.
    changed = plan["roles"][role] | {"wait": [], "prepare": None, "writable": [], "exec": ["/launch", "--version"]}
    (SCRATCH / "launch.json").write_text(json.dumps(plan | {"roles": {role: changed}}))
    done = subprocess.run(
        ["/launch", "run", role],
        env=os.environ | {"SYNAPSE_SITE_PLAN": str(SCRATCH / "launch.json")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"launch cannot complete {role} of {plan['server_name']}: {done.stderr}")
    return overlaid(plan["roles"][role]["exec"], role, by_hand)


def overlaid(command: list[str], role: str, by_hand: dict[str, Any] | str) -> list[str]:
    """Options written by hand come last, as in a conf.d; those of `_worker` last of all, in workers only. `_absent` lists options that
    the rendered files have and that are not there in the end."""
    if not by_hand:
        return command
    if isinstance(by_hand, str):
        target = SCRATCH / "by-hand.yaml"
        target.write_text(by_hand)
        return [*command, "--config-path", str(target)]
    paths = [word for before, word in zip(command, command[1:]) if before == "--config-path"]
    own = [paths.pop()] if role != "main" else []
    shared = {name: value for name, value in by_hand.items() if not name.startswith("_")}
    merged: dict[str, Any] = {}
    for path in find_config_files(paths):
        merged |= yaml.safe_load(Path(path).read_text()) or {}
    merged |= shared
    for path in find_config_files(own):
        merged |= yaml.safe_load(Path(path).read_text()) or {}
    merged |= by_hand.get("_worker", {}) if role != "main" else {}
    for name in by_hand.get("_absent", []):
        del merged[name]
    target = SCRATCH / f"{role}.yaml"
    target.write_text(yaml.safe_dump(merged, allow_unicode=True))
    return [command[0], "--config-path", str(target)]


def parse(is_main: bool, arguments: list[str]) -> dict[str, Any]:
    """What Synapse's own parser makes of a configuration."""
    os.chdir(STATE)
    # The case's own modules lie where those of the case before lay.
    sys.path_importer_cache.clear()
    try:
        if is_main:
            config = HomeServerConfig.load_or_generate_config("Synapse Homeserver", arguments)
        else:
            config = HomeServerConfig.load_config("Synapse worker", arguments)
    except ConfigError as error:
        return {"outcome": "refuse", "says": type(error).__name__, "text": str(error)}
    except SystemExit as error:
        return {"outcome": "refuse", "says": "SystemExit", "text": str(error)}
    except BaseException as error:  # noqa: BLE001 - what is measured is that anything at all comes out raw
        return {"outcome": "crash", "says": type(error).__name__, "text": str(error)}
    return {"outcome": "accept", "read": understood(config)}


def understood(config: HomeServerConfig) -> dict[str, Any]:
    """As whom a process would run and what it would do, as Synapse has understood it (synapse/config/workers.py)."""
    worker = config.worker
    listeners = worker.worker_listeners if worker.worker_app else config.server.listeners
    http = [(str(one.port), one.http_options.resources) for one in listeners if one.type == "http"]
    served = {port: sorted(name for resource in resources for name in resource.names) for port, resources in http}
    return {
        "name": worker.worker_name,
        "app": worker.worker_app,
        "serves": served,
        "map": {name: str(getattr(place, "port", "")) for name, place in worker.instance_map.items()},
        "writers": sorted({name for names in vars(worker.writers).values() for name in names}),
        "duties": {
            "background tasks": worker.run_background_tasks,
            "application services": worker.should_notify_appservices,
            "the user directory": worker.should_update_user_directory,
            "sending to other servers": worker.send_federation,
            "push messages": worker.start_pushers,
        },
    }


def worst(answers: list[dict[str, Any]]) -> dict[str, Any]:
    """Of several processes of a kind, the one that is worst off."""
    order = ["accept", "crash", "refuse"]
    return max(answers, key=lambda answer: order.index(answer["outcome"]))


def apart(function: Any, *arguments: Any) -> dict[str, Any]:
    """Calls a function in a process of its own."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        os.write(writer, json.dumps(function(*arguments)).encode()[:60000])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return json.loads(said) if said else {"outcome": "crash", "says": "no answer"}


def started(command: list[str], questions: list[dict[str, Any]]) -> dict[str, Any]:
    """Starts a process, waits until it answers or ends, asks, and ends it."""
    log = SCRATCH / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=STATE, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            # Whatever it answers, it listens; some of these sites serve nothing.
            if call("GET", "/health")[0]:
                return {"start": {"outcome": "runs"}, "answers": [asked(question) for question in questions]}
            time.sleep(0.05)
        text = log.read_text(errors="replace")
        return {"start": {"outcome": "dies" if process.poll() is not None else "hangs", "text": text[-3000:]}}
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def asked(question: dict[str, Any]) -> str:
    """The answer to one question: the status, the error code of Matrix if there is one, or the member that is asked for."""
    status, body = call(question.get("method", "GET"), question["path"], question.get("body"))
    try:
        value = json.loads(body)
    except ValueError:
        return str(status)
    if "show" in question:
        for name in question["show"].split("."):
            value = value[int(name)] if isinstance(value, list) else value.get(name) if isinstance(value, dict) else None
        return f"{status} {json.dumps(value, sort_keys=True)}"
    return f"{status} {value['errcode']}" if isinstance(value, dict) and "errcode" in value else str(status)


def call(method: str, path: str, body: Any = None) -> tuple[int, bytes]:
    """One request to the main process; status 0 when nobody listens."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except (urllib.error.URLError, OSError):
        return 0, b""


if __name__ == "__main__":
    main()
