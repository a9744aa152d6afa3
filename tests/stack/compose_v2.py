"""Compose v2 as a docker plugin, from Debian 13's docker-compose package: its binary needs no more than Debian 12's
libc. `python3 compose_v2.py [DIRECTORY]` makes sure that it is there and prints the docker configuration directory to
use (`docker --config THAT compose …`); the second time it finds what the first left."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from commands import program, run

SUITE = "trixie"
PACKAGE = "docker-compose"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
CACHE = Path(__file__).resolve().parents[2] / "target" / "compose-v2"


def configuration(cache: Path = CACHE) -> Path:
    """The docker configuration directory with the plugin; fetches the package when it is not there yet."""
    config = cache / "docker"
    if not works(config):
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            fetch(Path(scratch), cache / "package")
        plugins = config / "cli-plugins"
        plugins.mkdir(parents=True, exist_ok=True)
        link = plugins / PACKAGE
        link.unlink(missing_ok=True)
        link.symlink_to(binary(cache / "package"))
        assert works(config), f"the {PACKAGE} of {SUITE} does not run here; remove {cache} and try again"
    return config


def works(config: Path) -> bool:
    """Whether docker finds a working Compose v2 in the configuration directory."""
    if not (config / "cli-plugins" / PACKAGE).exists():
        return False
    return run(["docker", "--config", config, "compose", "version"], expect=None).returncode == 0


def binary(package: Path) -> Path:
    """The plugin in the unpacked package: Debian puts it among docker's plugins and links the command to it."""
    for place in ("usr/libexec/docker/cli-plugins", "usr/lib/docker/cli-plugins", "usr/bin"):
        path = package / place / PACKAGE
        if path.is_file() and not path.is_symlink():
            return path
    raise AssertionError(f"no {PACKAGE} program in Debian's package of that name, looked below {package}")


def mirror() -> str:
    """The Debian mirror that this machine's apt already uses."""
    targets = run(["apt-get", "indextargets", "--format", "$(ORIGIN) $(LABEL) $(SITE)", "Created-By: Packages"]).stdout
    for line in targets.splitlines():
        origin, label, site = line.split(" ", 2)
        if (origin, label) == ("Debian", "Debian"):
            return site
    raise AssertionError("apt knows no Debian mirror; run `apt-get update`, or add Debian's main archive to its sources")


def fetch(scratch: Path, unpacked: Path) -> None:
    """Downloads and unpacks the package, with an apt state of its own so that the machine's is not touched."""
    for directory in ("state/lists/partial", "cache/archives/partial", "parts"):
        (scratch / directory).mkdir(parents=True)
    (scratch / "status").touch()
    (scratch / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror()} {SUITE} main\n")
    (scratch / "apt.conf").write_text(
        f'Dir::State "{scratch}/state"; Dir::State::status "{scratch}/status"; Dir::Cache "{scratch}/cache";\n'
        f'Dir::Etc::SourceList "{scratch}/sources.list"; Dir::Etc::SourceParts "{scratch}/parts";\n'
        # The scratch directory is private to this user, so apt's own user could not write to it.
        'Acquire::Languages "none"; Acquire::Retries "3"; APT::Sandbox::User "root";\n'
    )
    environment = {"APT_CONFIG": str(scratch / "apt.conf")}
    run(["apt-get", "-q", "update"], env=environment, seconds=300)
    run(["apt-get", "-q", "download", PACKAGE], cwd=scratch, env=environment, seconds=300)
    archives = sorted(scratch.glob(f"{PACKAGE}_*.deb"))
    assert archives, f"apt downloaded no {PACKAGE}"
    shutil.rmtree(unpacked, ignore_errors=True)
    run([program("dpkg-deb", "dpkg"), "-x", archives[-1], unpacked])


if __name__ == "__main__":
    print(configuration(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else CACHE))
