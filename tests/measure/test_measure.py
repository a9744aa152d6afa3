"""Synapse has the last word: it accepts every example and every good site, and does with every bad one what tests/rules/measured.toml
says, which is where docs/rules.md has it from."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import cases
from conftest import Measured

TABLE = cases.RULES / "measured.toml"
HEAD = """\
# What Synapse itself does with the bad site of each code, and with each mistake that cannot be written: written by `make measured`,
# compared by `make measure`.
# main, worker: what its parser does in the main process and in workers: accept, refuse (with a message) or crash (a raw traceback);
# same: Synapse's own files are those of the good site, so that it cannot know.
# start: what the main process does after that: runs, dies or hangs. answers: what it then says over HTTP, beside what it says on the good site.
"""


def test_every_case_was_rendered(measured: Measured) -> None:
    """A bad site whose mistake is one of type cannot be rendered; what somebody would have written by hand stands beside it."""
    assert not measured.unrendered, "\n".join(f"{name}:\n{said}" for name, said in measured.unrendered.items())


@pytest.mark.parametrize("kind", ["main", "worker"])
def test_good_sites_and_examples_are_accepted(measured: Measured, kind: str) -> None:
    asked = {name: answer["parsed"].get(kind) for name, answer in measured.answers.items() if not name.endswith("-bad")}
    asked = {name: answer for name, answer in asked.items() if answer is not None}
    assert len(asked) >= (1 if kind == "worker" else len(cases.codes()))
    wrong = {name: answer for name, answer in asked.items() if answer["outcome"] != "accept"}
    assert not wrong, json.dumps(wrong, indent=2)


def test_good_sites_and_examples_start(measured: Measured) -> None:
    started = {name: answer["start"] for name, answer in measured.answers.items() if not name.endswith("-bad") and "start" in answer}
    assert len(started) > len(cases.examples())
    wrong = {name: start for name, start in started.items() if start["outcome"] != "runs"}
    assert not wrong, "\n".join(f"{name}: {start['outcome']}\n{start.get('text')}" for name, start in wrong.items())


def test_bad_sites_do_what_the_table_says(measured: Measured, request: pytest.FixtureRequest) -> None:
    found = {name: outcome(measured, name, pair) for name, pair in cases.pairs().items() if f"{name}-bad" in measured.answers}
    if request.config.getoption("--write-measured"):
        TABLE.write_text(HEAD + "".join(section(code, row) for code, row in found.items()))
    kept = tomllib.loads(TABLE.read_text())
    differences = [
        f"{code}: kept {kept.get(code)}\n       found {found.get(code)}\n       {told(measured, code)}"
        for code in sorted(kept.keys() | found.keys())
        if kept.get(code) != found.get(code)
    ]
    assert not differences, "\n".join(["Synapse does something else than tests/rules/measured.toml says (`make measured` writes it anew):", *differences])


def outcome(measured: Measured, code: str, pair: tuple[cases.Case, cases.Case]) -> dict[str, Any]:
    """What the table says of a code, in its order."""
    bad, good = (measured.answers[case.name] for case in pair)
    if not pair[0].by_hand and files(measured.below / pair[0].name) == files(measured.below / pair[1].name):
        return {"main": "same"}
    row: dict[str, Any] = {kind: answer["outcome"] for kind, answer in bad["parsed"].items()}
    says = [answer["says"] for answer in bad["parsed"].values() if "says" in answer]
    if "start" in bad:
        row["start"] = bad["start"]["outcome"] if row["main"] == "accept" else "dies"
        if row["main"] == "accept":
            says += last_exception(bad["start"].get("text", ""))
    if says:
        row["says"] = says[0]
    if bad.get("answers"):
        questions = pair[0].ask or []
        row["answers"] = [
            {"question": f"{question.get('method', 'GET')} {question['path']}", "bad": one, "good": other}
            for question, one, other in zip(questions, bad["answers"], good["answers"], strict=True)
        ]
    return row


def files(below: Path) -> dict[str, bytes]:
    """What Synapse reads of a rendered site."""
    directory = below / "synapse" / "etc" / "matrix-synapse"
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def last_exception(log: str) -> list[str]:
    """The class of the exception with which a process ended."""
    return re.findall(r"^(?:\w+\.)*(\w+(?:Error|Exception)):", log, re.MULTILINE)[-1:]


def told(measured: Measured, code: str) -> str:
    """What Synapse said in its own words, for the person who looks at a difference."""
    answer = measured.answers.get(f"{code}-bad", {})
    texts = [part.get("text", "") for part in [*answer.get("parsed", {}).values(), answer.get("start", {})]]
    return " / ".join(text[-300:].replace("\n", " ") for text in texts if text)


def section(code: str, row: dict[str, Any]) -> str:
    """A section of the table."""

    def written(value: Any) -> str:
        if isinstance(value, list):
            rows = ["{ " + ", ".join(f"{name} = {json.dumps(text, ensure_ascii=False)}" for name, text in entry.items()) + " }" for entry in value]
            return "[\n" + "".join(f"  {entry},\n" for entry in rows) + "]"
        return json.dumps(value)

    return f"\n[{code}]\n" + "".join(f"{name} = {written(value)}\n" for name, value in row.items())
