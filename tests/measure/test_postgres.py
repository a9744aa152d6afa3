"""The table of PostgreSQL's settings against the PostgreSQL of the images: what it says of them, and that it starts with the least, the most and
every value of each setting that `check` lets through under `database.settings`."""

from __future__ import annotations

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import cases
from conftest import newest_tool

TABLE = cases.REPOSITORY / "src" / "check" / "postgres" / "settings.txt"
BASE = {"server": {"server_name": "example.com", "public_baseurl": "https://matrix.example.com/"}}
REFUSED = "S0573"
# Makes a cluster, and prints what it says of its settings.
ASK = """\
set -e
PATH=/usr/lib/postgresql/17/bin:/usr/bin
initdb -D /tmp/d --no-sync -A trust -U postgres --locale=C -E UTF8 >/dev/null 2>&1
pg_ctl -D /tmp/d -o "-c listen_addresses='' -c unix_socket_directories=/tmp" -w start >/dev/null 2>&1
psql -h /tmp -U postgres -AtF '|' -c "show server_version" -c "select name, vartype, coalesce(unit, ''), coalesce(min_val, ''),
  coalesce(max_val, ''), coalesce(array_to_string(enumvals, ','), ''), context, category from pg_settings order by name collate \\"C\\""
"""
# Starts as far as the size of its memory, with each setting of its input; prints those with which it does not.
START = """\
PATH=/usr/lib/postgresql/17/bin:/usr/bin
initdb -D /tmp/d --no-sync -A trust -U postgres --locale=C -E UTF8 >/dev/null 2>&1
while IFS= read -r setting; do
  said=$(postgres -D /tmp/d -c max_connections=70 -c "$setting" -C shared_memory_size 2>&1) || echo "$setting: $said"
done
echo done
"""


def in_image(request: pytest.FixtureRequest, script: str, lines: str = "") -> str:
    """What a script prints in PostgreSQL's image."""
    archive = request.config.getoption("--images").resolve()
    images = {image["name"]: image["reference"] for image in json.loads((archive.parent / "site.json").read_text())["images"]}
    if subprocess.run(["docker", "image", "inspect", images["postgres"]], capture_output=True, check=False).returncode:
        subprocess.run(["docker", "load", "-i", archive], capture_output=True, check=True)
    command = ["docker", "run", "--rm", "-i", "--network", "none", "--tmpfs", "/tmp:mode=1777", "--entrypoint", "/bin/sh", images["postgres"], "-c", script]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows() -> list[list[str]]:
    """The kept table."""
    return [line.split("|") for line in TABLE.read_text().splitlines() if not line.startswith("#")]


def values(row: list[str]) -> list[Any]:
    """What a setting can be at its ends. A number that counts something has its unit, as `check` wants it."""
    _, kind, unit, least, most, choices, *_ = row
    if kind == "bool":
        return [True, False]
    if kind in ("enum", "string"):
        return choices.split(",") if kind == "enum" else ["some text"]
    times, word = re.fullmatch(r"(\d*)(.*)", unit).groups()
    ends = [float(end) if kind == "real" else int(end) for end in (least, most)]
    return [f"{end * int(times or 1)}{word}" if unit and end > 0 else end for end in ends]


def test_the_table_is_what_postgresql_says(request: pytest.FixtureRequest) -> None:
    version, _, said = in_image(request, ASK).partition("\n")
    head = f"# What PostgreSQL {version.split()[0]} says of its settings (pg_settings): name|type|unit|least|most|values|context|category; written by `make measured`.\n"
    if request.config.getoption("--write-measured"):
        TABLE.write_text(head + said)
    assert TABLE.read_text().splitlines() == (head + said).splitlines()


def test_postgresql_starts_with_everything_that_check_lets_through(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    tool = request.config.getoption("--synapse-site") or newest_tool()
    wanted = [(row[0], value) for row in rows() for value in values(row)]

    def errors(number: int) -> dict[str, str]:
        name, value = wanted[number]
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(BASE | {"database": {"settings": {name: value}}}))
        done = subprocess.run([tool, "check", "--json", file], capture_output=True, text=True, check=False)
        return {finding["code"]: finding["remedy"] for finding in json.loads(done.stdout) if finding["severity"] == "error"}

    with ThreadPoolExecutor() as pool:
        found = dict(zip(wanted, pool.map(errors, range(len(wanted))), strict=True))
    offered = {name for (name, _), said in found.items() if REFUSED not in said}
    assert len(offered) > 120
    let_through = [(name, value) for (name, value), said in found.items() if not said]
    assert {name for name, _ in let_through} == offered
    # What is written instead of a value that is refused is right, too.
    remedies = [said["S0572"].removeprefix("write ").replace(": ", "=") for said in found.values() if "S0572" in said]
    assert len(remedies) > 5
    spelt = remedies + [f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in let_through]
    assert in_image(request, START, "\n".join(spelt) + "\n") == "done\n"
