"""What Synapse's own parser makes of single options. Runs inside the Synapse image beside inside.py: the first line of standard input is a
rendered case, every other one a JSON object of options that are laid over it; writes one answer a line."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml
from inside import CONFIG, SCRATCH, apart, completed, find_config_files, parse


def main() -> None:
    rendered = Path(json.loads(sys.stdin.readline()))
    shutil.rmtree(CONFIG, ignore_errors=True)
    CONFIG.symlink_to(rendered / "synapse/etc/matrix-synapse")
    plan = json.loads((rendered / "synapse/etc/synapse-site/launch.json").read_text())
    command = completed(plan, "main", {})
    paths = [word for before, word in zip(command, command[1:]) if before == "--config-path"]
    base: dict[str, Any] = {}
    for path in find_config_files(paths):
        base |= yaml.safe_load(Path(path).read_text()) or {}
    # In this process first, so that what the parser imports on its way is there for all that are forked from it.
    parse(True, ["--config-path", written(base)])
    for line in sys.stdin:
        print(json.dumps(apart(parse, True, ["--config-path", written(base | json.loads(line))])), flush=True)


def written(options: dict[str, Any]) -> str:
    """A file with these options; JSON is YAML, and much faster to write."""
    target = SCRATCH / "settings.yaml"
    target.write_text(json.dumps(options))
    return str(target)


if __name__ == "__main__":
    main()
