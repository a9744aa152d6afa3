"""The table of option types against the pinned Synapse: for every option that a description can have under `synapse.settings`, values that the
table allows are accepted by Synapse and by `check`, and others are found by `check`. What Synapse does with those is kept in settings.txt."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import cases
from cases import MOUNT
from conftest import HOME, newest_tool
from laboratory import HERE, Laboratory

TABLE = cases.REPOSITORY / "src" / "synapse" / "facts" / "options.txt"
KEPT = HERE / "settings.txt"
HEAD = """\
# What the pinned Synapse does with values that the table of options does not allow, option by option: written by `make measured`.
# `check` finds every one of them.
"""
BASE = cases.RULES / "S0405" / "good.yaml"
BACKEND = {"module": "synapse.media.storage_provider.FileStorageProviderBackend", "config": {"directory": "/tmp"}}
RIGHT: dict[str, list[Any]] = {
    "any": [7, "some text"],
    "bool": [True, False],
    "int": [7],
    "number": [7, 0.5],
    "text": ["some text"],
    "list": [[]],
    "map": [{}],
    "null": [None],
    "duration": ["90m", 60000],
    "size": ["50M", 100000],
}
WRONG: dict[str, Any] = {"text": "no", "number": 0.5, "int": 7, "list": ["a", "b"], "map": {"some_name": 1}, "null": None, "bool": True}
FORMS = {"duration": "1.5h", "size": "50MB"}
# What a value needs beside it.
BESIDE: dict[str, dict[str, Any]] = {
    "account_validity": {"enabled": True, "period": "6w"},
    "caches.cache_autotuning": {"max_cache_memory_usage": "2G", "target_cache_memory_usage": "1G", "min_cache_ttl": "5m"},
    "cas_config": {"server_url": "https://cas.example.com"},
    "jwt_config": {"secret": "a", "algorithm": "HS256"},
    "media_storage_providers.[]": BACKEND,
    "modules.[]": BACKEND,
    "spam_checker": BACKEND,
    "spam_checker.[]": BACKEND,
    "third_party_event_rules": BACKEND,
    "thumbnail_sizes.[]": {"width": 32, "height": 32, "method": "crop"},
}
# Values that are right, where the type alone does not make them so.
SPECIAL: dict[str, list[Any]] = {
    "auto_accept_invites.worker_to_run_on": [None],  # the name of a process
    "account_validity.account_renewed_html_path": ["account_renewed.html"],
    "account_validity.invalid_token_html_path": ["invalid_token.html"],
    "account_validity.template_dir": ["/tmp", None],
    "background_updates.default_batch_size": [7],
    "background_updates.min_batch_size": [7],
    "caches.cache_autotuning": [None],
    "caches.track_memory_usage": [False],  # wants a package that is not in the image
    "cas_config": [None],
    "cas_config.numeric_ids_prefix": ["u"],
    "experimental_features.msc3861": [{}],
    "experimental_features.msc4108_delegation_endpoint": [None],  # wants the section matrix_authentication_service, as do the next two
    "experimental_features.msc4108_enabled": [False],
    "experimental_features.msc4388_mode": ["off"],
    "experimental_features.msc3890_enabled": [False],  # wants another feature
    "federation_verify_certificates": [True],  # with false, key servers must be trusted without a certificate
    "gc_min_interval": [["1s", 2000, "1m"]],
    "gc_thresholds": [[700, 10, 10]],
    "http_proxy": ["http://proxy.example.com:8080"],
    "https_proxy": ["http://proxy.example.com:8080"],
    "jwt_config": [None],
    "jwt_config.algorithm": ["HS256", "EdDSA"],
    "manhole_settings.ssh_priv_key_path": [],  # names a key
    "manhole_settings.ssh_pub_key_path": [],
    "media_storage_providers.[].module": [BACKEND["module"]],
    "modules.[].module": [BACKEND["module"]],
    "opentracing.enabled": [False],  # wants a package that is not in the image
    "recaptcha_private_key_path": ["/etc/passwd"],
    "recaptcha_public_key_path": ["/etc/passwd"],
    "room_prejoin_state.additional_event_types.[]": ["m.room.topic", ["m.room.topic", ""]],
    "spam_checker.module": [BACKEND["module"]],
    "spam_checker.[].module": [BACKEND["module"]],
    "third_party_event_rules.module": [BACKEND["module"]],
    "thumbnail_sizes.[].method": ["crop", "scale"],
    "user_types.default_user_type": ["bot", None],
}
# Lists of a fixed length.
LENGTH = {"gc_min_interval.[]": 3, "gc_thresholds.[]": 3, "room_prejoin_state.additional_event_types.[].[]": 2}
# What other rules find in these samples says nothing about types; a secret in clear is found as such.
TYPED = {"S0411", "S0412", "S0413", "S0414", "S0415", "S0416", "S0417", "S0419", "S0420", "S0421"}
SECRETS = ("jwt_config.secret", "manhole_settings.password", "recaptcha_private_key")
# Of so many options of one set and one type Synapse is asked what it does with wrong values.
ALIKE = 3
# Options that want what the test has not: a package (sentry), a file of keys.
LEFT_OUT = ("sentry", "key_server_signing_keys_path")


@dataclass(frozen=True)
class Sample:
    """One value of one option."""

    option: str
    value: Any
    is_right: bool

    def settings(self) -> dict[str, Any]:
        """What stands under `synapse.settings`."""
        steps = self.option.split(".")
        value = self.value
        for at in range(len(steps) - 1, -1, -1):
            step, outer = steps[at], ".".join(steps[:at])
            if step == "[]":
                value = [value] * LENGTH.get(".".join(steps[: at + 1]), 1)
            else:
                value = BESIDE.get(outer, {}) | {"some_name" if step == "*" else step: value}
        return value

    def stands_alone(self) -> bool:
        """Whether it cannot be tried together with others."""
        return self.option in SPECIAL or "*" in self.option or "[]" in self.option or "." not in self.option or self.option.rsplit(".", 1)[0] in BESIDE

    def line(self) -> str:
        """The sample as the kept file has it, without the answer."""
        return f"{self.option} {json.dumps(self.value, sort_keys=True)}"


@dataclass(frozen=True)
class Answer:
    """What became of a sample."""

    sample: Sample
    # What `check` finds.
    codes: set[str]
    said: dict[str, str]


def table() -> dict[str, list[str]]:
    """The options of the newest release and their types."""
    rows = (line.split(" ") for line in TABLE.read_text().splitlines() if not line.startswith("#"))
    return {option: kinds for option, _, until, *kinds in rows if until == "-"}


def fits(value: Any, kinds: list[str]) -> bool:
    """Whether one of the types allows a value, forms of text aside."""
    names = {type(None): {"null"}, bool: {"bool"}, int: {"int", "number", "duration", "size"}, float: {"number"}, list: {"list"}, dict: {"map"}}
    names[str] = {"text", "duration", "size"}
    return "any" in kinds or bool(names[type(value)] & set(kinds)) or f"={json.dumps(value)}" in kinds


def samples(options: dict[str, list[str]]) -> list[Sample]:
    """Right and wrong values for every option."""
    found = []
    alike: Counter[tuple[str, ...]] = Counter()
    for option, kinds in options.items():
        right = SPECIAL.get(option)
        if right is None:
            right = [value for kind in kinds for value in ([json.loads(kind[1:])] if kind.startswith("=") else RIGHT[kind])]
            if BESIDE.get(option) and {} in right:
                right[right.index({})] = BESIDE[option]
            if kinds == ["any"]:
                right = []
        wrong = [form for kind, form in FORMS.items() if kind in kinds] + [value for value in WRONG.values() if not fits(value, kinds)][:1]
        # Of many options that are read alike, some tell what Synapse does with all.
        like = (option.rpartition(".")[0], *kinds)
        alike[like] += 1
        found += [Sample(option, value, True) for value in right]
        found += [Sample(option, value, False) for value in (wrong if alike[like] <= ALIKE else [])]
    return found


def together(wanted: list[Sample]) -> list[list[Sample]]:
    """The right values in groups that Synapse can read at once: the first value of every option, the second, and so on."""
    groups: dict[int, list[Sample]] = {}
    alone = []
    count: Counter[str] = Counter()
    for sample in wanted:
        if not sample.is_right or sample.stands_alone():
            alone.append([sample])
        else:
            groups.setdefault(count[sample.option], []).append(sample)
            count[sample.option] += 1
    return [*groups.values(), *alone]


def merged(samples: list[Sample]) -> dict[str, Any]:
    """Several samples in one."""
    result: dict[str, Any] = {}

    def lay(over: dict[str, Any], under: dict[str, Any]) -> None:
        for key, value in over.items():
            if isinstance(value, dict) and isinstance(under.get(key), dict):
                lay(value, under[key])
            else:
                under[key] = value

    for sample in samples:
        lay(json.loads(json.dumps(sample.settings())), result)
    return result


def checked(tool: Path, settings: list[dict[str, Any]], scratch: Path) -> list[set[str]]:
    """The codes that `check` finds below synapse.settings, for each of them."""
    base = yaml.safe_load(BASE.read_text())

    def one(number: int) -> set[str]:
        file = scratch / f"{number}.json"
        file.write_text(json.dumps(base | {"synapse": {"settings": settings[number]}}))
        done = subprocess.run([tool, "check", "--json", file], capture_output=True, text=True, check=False)
        return {finding["code"] for finding in json.loads(done.stdout) if finding["option"].startswith("synapse.settings")}

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(one, range(len(settings))))


@pytest.fixture(scope="module")
def answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Answer]:
    """For every sample, what `check` finds and what Synapse does."""
    tool = request.config.getoption("--synapse-site") or newest_tool()
    options = table()
    tops = sorted({option.split(".")[0] for option in options} - set(LEFT_OUT))
    # Options that belong to a section, or cannot be said at all, have rules of their own.
    elsewhere = {"S0401", "S0407", "S0417"}
    scratch = tmp_path_factory.mktemp("checked")
    sayable = {top for top, codes in zip(tops, checked(tool, [{top: None} for top in tops], scratch), strict=True) if not codes & elsewhere}
    wanted = samples({option: kinds for option, kinds in options.items() if option.split(".")[0] in sayable and option != "push.redact_content"})
    found = checked(tool, [sample.settings() for sample in wanted], scratch)
    found = [codes & (TYPED | {"S0402"} if sample.option in SECRETS and not sample.is_right else TYPED) for sample, codes in zip(wanted, found, strict=True)]
    groups = together(wanted)
    said = {id(sample): answer for group, answer in zip(groups, asked(request, tool, groups), strict=True) for sample in group}
    return [Answer(sample, codes, said[id(sample)]) for sample, codes in zip(wanted, found, strict=True)]


def asked(request: pytest.FixtureRequest, tool: Path, groups: list[list[Sample]]) -> list[dict[str, str]]:
    """What Synapse's parser says to each group of samples: accept, refuse or crash, and in which words."""
    home = HOME.with_name("measure-settings")
    subprocess.run(["rm", "-rf", home], check=True)
    below = home / "cases"
    below.mkdir(parents=True)
    case = cases.Case("base", BASE)
    assert not cases.render(tool, [case], below)
    laboratory = Laboratory(request.config.getoption("--images").resolve(), home, below)
    try:
        laboratory.make_secrets()
        lines = [json.dumps(f"{MOUNT}/base"), *(json.dumps(merged(group)) for group in groups)]
        name = f"{laboratory.network}-settings"
        laboratory.containers.append(name)
        mounts = [f"{laboratory.secrets}:/run/secrets:ro", f"{below}:{MOUNT}:ro", f"{HERE}:/measure:ro"]
        command = ["docker", "run", "--name", name, "-i", "--network", "none", "--user", "0", "--env", "PYTHONPATH=/measure"]
        command += [word for mount in mounts for word in ("-v", mount)]
        command += ["--entrypoint", "/usr/bin/python3.13", laboratory.images["synapse"], "/measure/settings_inside.py"]
        done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stderr[-3000:]
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    finally:
        laboratory.close()


def test_many_options_of_every_type_are_asked_about(answers: list[Answer]) -> None:
    options = table()
    asked = {answer.sample.option for answer in answers}
    seen = {"=" if kind.startswith("=") else kind for option in asked for kind in options[option]}
    assert seen >= set(RIGHT) - {"any"} | {"="}, seen
    assert len(asked) >= 150


def test_right_values_are_accepted_by_synapse_and_by_check(answers: list[Answer]) -> None:
    wrong = [answer for answer in answers if answer.sample.is_right and (answer.codes or answer.said["outcome"] != "accept")]
    assert not wrong, "\n".join(f"{answer.sample.line()}: check {sorted(answer.codes)}, Synapse {answer.said}" for answer in wrong)


def test_wrong_values_are_found_by_check(answers: list[Answer]) -> None:
    missed = [answer.sample.line() for answer in answers if not answer.sample.is_right and not answer.codes]
    assert not missed, "\n".join(missed)


def test_what_synapse_does_with_wrong_values_is_kept(answers: list[Answer], request: pytest.FixtureRequest) -> None:
    outcomes = [(answer.sample.line(), answer.said["outcome"]) for answer in answers if not answer.sample.is_right]
    count = Counter(outcome for _, outcome in outcomes)
    total = f"# Of {len(outcomes)}: {', '.join(f'{outcome} {number}' for outcome, number in sorted(count.items()))}.\n"
    text = HEAD + total + "".join(f"{line} {outcome}\n" for line, outcome in outcomes)
    if request.config.getoption("--write-measured"):
        KEPT.write_text(text)
    kept = KEPT.read_text().splitlines() if KEPT.is_file() else []
    assert kept == text.splitlines(), "\n".join(sorted(set(kept) ^ set(text.splitlines()))[:20])
