"""What `check` says to values that Synapse itself takes: the examples of its documentation and the settings of its own tests.

    tests/settings/examples.py CHECKOUT TOOL [--each]

CHECKOUT is a directory with a checkout of Synapse; nothing of it is kept here. Every example is put into a small site: under `synapse.settings`, or,
where a section writes the option, into that section. Prints every refusal and how many there are, by code; with `--each` every example, too.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
RULES = REPOSITORY / "src" / "check" / "rules" / "settings.rs"
DOCUMENT = Path("docs", "usage", "configuration", "config_documentation.md")
BASE = {"server_name": "example.com", "public_baseurl": "https://matrix.example.com/"}
# Where a section has a block of Synapse's under another name than the block's own members: block, option or section.
BLOCKS = {"media_retention": "media", "oidc_config": "oidc", "sso": "oidc", "user_consent": "consent", "password_config": "authentication",
          "matrix_rtc": "rtc", "templates": "templates"}


def of_document(checkout: Path) -> Iterator[tuple[str, Any]]:
    """The YAML of the documentation, with its line."""
    text = (checkout / DOCUMENT).read_text()
    for found in re.finditer(r"^( *)```yaml\n(.*?)^ *```", text, re.M | re.S):
        block = re.sub(f"^{found[1]}", "", found[2], flags=re.M)
        try:
            value = yaml.safe_load(block)
        except yaml.YAMLError:
            continue
        if isinstance(value, dict):
            yield f"{DOCUMENT.name}:{text.count(chr(10), 0, found.start()) + 1}", value


def of_tests(checkout: Path) -> Iterator[tuple[str, Any]]:
    """Dictionaries that tests lay over their configuration, as far as they are constant."""
    for path in sorted((checkout / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "override_config":
                values = node.args
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript) and getattr(node.targets[0].value, "id", "") == "config":
                # config["rc_message"] = {…}
                values = [ast.Dict([node.targets[0].slice], [node.value])]
            else:
                continue
            for value in values:
                try:
                    found = ast.literal_eval(value)
                except ValueError:
                    continue
                if isinstance(found, dict) and found and all(isinstance(name, str) for name in found):
                    yield f"{path.relative_to(checkout)}:{node.lineno}", found


def owners() -> dict[str, str]:
    """Who writes an option of Synapse, from the table of the rules."""
    return dict(re.findall(r'^    \("(\w+)", (?:"([^"]+)"|TOOL)\),', RULES.read_text(), re.M))


def site(example: dict[str, Any], owned: dict[str, str]) -> dict[str, Any]:
    """A small site with these options."""
    made: dict[str, Any] = {"server": dict(BASE)}
    for name, value in example.items():
        owner = owned.get(name)
        section = BLOCKS.get(name) or (owner.removeprefix("the section ") if owner and owner.startswith("the section ") else None)
        if owner and section and isinstance(value, dict):
            made.setdefault(section, {}).update(value)
        elif owner and re.fullmatch(r"\w+\.\w+", owner):
            outer, inner = owner.split(".")
            made.setdefault(outer, {})[inner] = value
        elif section == "oidc":
            made["oidc"] = {name: value}
        else:
            made.setdefault("synapse", {}).setdefault("settings", {})[name] = value
    return made


def main() -> None:
    checkout, tool = Path(sys.argv[1]), sys.argv[2]
    owned = owners()
    examples: dict[str, tuple[str, Any]] = {}
    for where, value in [*of_document(checkout), *of_tests(checkout)]:
        examples.setdefault(json.dumps(value, sort_keys=True, default=str), (where, value))
    with tempfile.TemporaryDirectory() as scratch:

        def check(number: int) -> list[dict[str, Any]]:
            file = Path(scratch, f"{number}.json")
            file.write_text(json.dumps(site(wanted[number][1], owned), default=str))
            done = subprocess.run([tool, "check", "--json", file], capture_output=True, text=True, check=False)
            return [finding for finding in json.loads(done.stdout) if finding["severity"] == "error"]

        wanted = list(examples.values())
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(check, range(len(wanted))))
    codes: Counter[str] = Counter()
    for (where, value), findings in zip(wanted, found, strict=True):
        codes.update({finding["code"] for finding in findings})
        for finding in findings:
            print(f"{where}: {finding['code']} {finding['option']}: {finding['message']}")
        if findings and "--each" in sys.argv:
            print(f"    {json.dumps(value, default=str)[:300]}")
    refused = sum(bool(findings) for findings in found)
    print(f"{len(wanted)} examples, {refused} refused; {', '.join(f'{code} {count}' for code, count in sorted(codes.items()))}")


if __name__ == "__main__":
    main()
