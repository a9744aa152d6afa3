"""Synapse has the last word: it accepts every example and every good site, and does with every bad one what tests/rules/synapse-verdicts.toml
says, which is where docs/rules.md has it from."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import cases
from conftest import Measured

TABLE = cases.RULES / "synapse-verdicts.toml"
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


def good(measured: Measured) -> dict[str, dict[str, Any]]:
    """What was answered about everything that has no mistake."""
    found = {name: answer for name, answer in measured.answers.items() if not name.endswith("-bad")}
    assert len(found) > len(cases.codes()) + len(cases.examples())
    return found


def workers_of(measured: Measured, name: str) -> set[str]:
    """The workers of a case, by the files that they were rendered to."""
    return {path.stem for path in (measured.below / name / "synapse/etc/matrix-synapse/workers").glob("*.yaml")}


def test_every_process_of_good_sites_and_examples_is_accepted(measured: Measured) -> None:
    for name, answer in good(measured).items():
        assert answer["processes"].keys() == {"main", *workers_of(measured, name)}, name
    wrong = [
        f"{name}, {process}: {answered['outcome']}, {answered['says']}\n{answered.get('text')}"
        for name, answer in good(measured).items()
        for process, answered in answer["processes"].items()
        if answered["outcome"] != "accept"
    ]
    assert not wrong, "\n".join(wrong)


def test_every_site_is_tried_with_workers_and_most_examples_have_some(measured: Measured) -> None:
    """Of the sites of a code, those that have none get some."""
    with_workers = {name for name in good(measured) if workers_of(measured, name)}
    added = {case.name.removesuffix("-workers") for case in cases.with_workers()}
    without = [code for code in cases.codes() if f"{code}-{'workers' if code in added else 'good'}" not in with_workers]
    assert not without
    assert len([name for name in with_workers if name.startswith("example-")]) >= 4, with_workers
    assert {len(workers_of(measured, f"{code}-workers")) for code in added} == {2}


def test_every_process_is_who_it_should_be_and_no_duty_is_nobodys(measured: Measured) -> None:
    """As Synapse has understood the files: a worker that takes itself for another process is accepted, too."""
    for name, answer in good(measured).items():
        read = {process: answered["read"] for process, answered in answer["processes"].items() if "read" in answered}
        main = read["main"]
        assert (main["name"], main["app"]) == (None, None), name
        for process, worker in read.items():
            if process == "main":
                continue
            assert (worker["name"], worker["app"]) == (process, "synapse.app.generic_worker"), name
            assert worker["serves"], f"{name}: {process} listens nowhere"
            assert "replication" in main["serves"].get(worker["map"]["master"], []), f"{name}: {process} looks for the main process at {worker['map']}"
            assert worker["writers"] == main["writers"], f"{name}: {process}"
        assert set(main["writers"]) <= {"master", *read}, name
        for duty in main["duties"]:
            busy = [process for process, one in read.items() if one["duties"][duty]]
            shared = duty in ("sending to other servers", "push messages")
            assert len(busy) == 1 or (shared and busy), f"{name}: {duty} is done by {busy}"


def test_good_sites_and_examples_start(measured: Measured) -> None:
    started = {name: {"main": answer["start"], **answer.get("workers", {})} for name, answer in good(measured).items() if "start" in answer}
    assert len(started) > len(cases.examples())
    for name, starts in started.items():
        assert starts.keys() == {"main", *workers_of(measured, name)}, name
    assert sum(len(starts) for starts in started.values()) > len(started) + 4, "workers start, too"
    wrong = [
        f"{name}, {process}: {start['outcome']}\n{start.get('text')}"
        for name, starts in started.items()
        for process, start in starts.items()
        if start["outcome"] != "runs"
    ]
    assert not wrong, "\n".join(wrong)


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
    assert not differences, "\n".join(["Synapse does something else than tests/rules/synapse-verdicts.toml says (`make measured` writes it anew):", *differences])


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
