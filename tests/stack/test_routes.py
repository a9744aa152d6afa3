"""Every path that the gateway gives to workers is one that a worker of the locked Synapse knows. Synapse answers 404 to a path that it
does not know, and 405 to one that it knows with a method that it does not."""

import itertools
import re
from pathlib import Path

import description
from commands import run
from stack import Stack

LOCATION = re.compile(r'location ~ "\^(?P<expression>[^"]+)" \{\s+proxy_pass http://\$(?P<variable>\w+):')
# Alternatives of which one is enough: not every call has had every version.
VERSIONS = {"api/v1", "r0", "v1", "v2", "v3", "unstable"}
# What may stand behind an expression that is open at its end.
ENDINGS = ("", "x", "/x", "/x/y", "x/y", "version")


def calls(expression: str) -> list[list[str]]:
    """The calls that an expression of the gateway stands for, each in all its spellings. It has groups, but none inside another."""
    found: list[list[list[str]]] = [[]]
    plain = expression.replace("[^/]+", "x").replace("\\.", ".").replace("(/|$)", "$")
    for part in re.split(r"(\([^)]*\)\??)", plain):
        words = part.strip("()?").split("|") if part.startswith("(") else [part]
        if part.endswith(")?"):
            words.append("")
        if VERSIONS.issuperset(words) or part.endswith(")?"):
            found = [[*call, words] for call in found]
        else:
            found = [[*call, [word]] for call in found for word in words]
    return [["".join(words) for words in itertools.product(*call)] for call in found]


def paths(spelling: str) -> list[str]:
    """Paths that a spelling fits."""
    return [spelling[:-1]] if spelling.endswith("$") else [spelling + ending for ending in ENDINGS]


def test_expressions_are_taken_apart() -> None:
    assert calls("/c/(r0|v3)/sync$") == [["/c/r0/sync$", "/c/v3/sync$"]]
    assert calls("/c/(join|keys$)(/x/)?") == [["/c/join/x/", "/c/join"], ["/c/keys$/x/", "/c/keys$"]]
    assert paths("/c/sync$") == ["/c/sync"]


def test_a_worker_knows_every_call_that_it_is_given(running: Stack, tmp_path: Path) -> None:
    run(["docker", "cp", f"{running.compose.container('gateway').id}:/etc/nginx/nginx.conf", tmp_path])
    worker = running.inside(description.WORKERS[0], description.SYNAPSE_PORT)

    def known(path: str, method: str) -> bool:
        # Where only reading is for workers, reading has to be known.
        return worker.request(method, path).status not in ((404,) if method == "PATCH" else (404, 405))

    assert not known("/_matrix/client/v3/nowhere", "PATCH") and not known("/_matrix/client/v3/joined_rooms/x", "GET")
    given = [
        (spellings, "GET" if variable == "by_method" else "PATCH")
        for expression, variable in LOCATION.findall((tmp_path / "nginx.conf").read_text())
        for spellings in calls(expression)
    ]
    assert len(given) > 60, given
    unknown = [spellings for spellings, method in given if not any(known(path, method) for spelling in spellings for path in paths(spelling))]
    assert unknown == []
