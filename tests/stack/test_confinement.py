"""What a container could do if its service were taken over: nothing as root, no capability, no new privilege, nothing to
write but its volume and its tmpfs, no shell and no setuid program."""

import stat
from pathlib import PurePosixPath

import pytest

import description
import engine
from archive import Image
from stack import Stack

SHELLS = {"sh", "bash", "dash", "ash", "busybox", "ksh", "mksh", "zsh", "csh", "tcsh", "fish", "rbash"}
PACKAGE_MANAGERS = {"apt", "apt-get", "dpkg", "apk", "pip", "pip3", "rpm", "dnf", "nix"}


def images(stack: Stack) -> dict[str, Image]:
    """The image of each service, from the archive."""
    by_name = {name: image for image in stack.archive.images() for name in image.names}
    return {container.service: by_name[container.image] for container in stack.compose.containers()}


@pytest.mark.parametrize("service", description.SERVICES)
def test_container(running: Stack, service: str) -> None:
    details = running.compose.container(service).details
    host = details["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert not host["Privileged"]
    assert {"no-new-privileges", "no-new-privileges:true"} & set(host["SecurityOpt"] or [])
    user = details["Config"]["User"].partition(":")[0]
    assert user.isdigit() and int(user) > 0, f"runs as {user or 'root'}"


@pytest.mark.parametrize("service", description.SERVICES)
def test_logs_are_rotated(running: Stack, service: str) -> None:
    # The manifest has to say it: what a container shows may come from this engine's own defaults.
    logging = running.compose_v2.manifest()["services"][service]["logging"]
    assert logging["driver"] in ("json-file", "local")
    assert logging["options"].get("max-size") and logging["options"].get("max-file"), logging


@pytest.mark.parametrize("service", description.SERVICES)
def test_writes_go_to_volumes_and_tmpfs_only(running: Stack, service: str) -> None:
    mounts = running.compose.container(service).details["Mounts"]
    writable = [mount for mount in mounts if mount["RW"] and mount["Type"] not in ("volume", "tmpfs")]
    assert not writable, f"writes to the host: {writable}"
    unnamed = [mount["Name"] for mount in mounts if mount["Type"] == "volume" and not mount["Name"].startswith(running.project)]
    assert not unnamed, f"a volume without a name is lost at `down`: {unnamed}"


def test_processes_are_confined(running: Stack) -> None:
    containers = running.compose.containers()
    found = engine.processes(containers, running.compose.container("synapse").image, description.PYTHON)
    assert set(found) == set(description.SERVICES)
    for service, processes in found.items():
        assert processes, service
        for process in processes:
            status = process.status
            assert "0" not in status["Uid"].split(), f"{service}: {process.cmdline!r} runs as root"
            assert int(status["CapEff"], 16) == 0 and int(status["CapPrm"], 16) == 0, f"{service}: {process.cmdline!r}"
            assert status["NoNewPrivs"] == "1", service


@pytest.mark.parametrize("service", description.SERVICES)
def test_image_holds_nothing_to_climb_with(running: Stack, service: str) -> None:
    tree = running.archive.tree(images(running)[service])
    files = {path: entry for path, entry in tree.items() if entry.isfile() or entry.islnk()}
    assert files, "an empty image"
    # A file of the image that the service may write to would be one that it can change for its next start.
    for what, bits in {
        "setuid or setgid": stat.S_ISUID | stat.S_ISGID,
        "writable for others": stat.S_IWOTH | stat.S_IWGRP,
    }.items():
        found = sorted(path for path, entry in files.items() if entry.mode & bits)
        assert len(found) == 0, f"{len(found)} files are {what}, such as {', '.join(found[:3])}"
    programs = [
        PurePosixPath(path) for path, entry in tree.items() if not entry.isdir() and (entry.mode & 0o111 or entry.issym())
    ]
    names = {path.name for path in programs if path.parent.name in ("bin", "sbin", "libexec")}
    assert not names & PACKAGE_MANAGERS
    if service not in description.WITH_SHELL:
        assert not names & SHELLS


@pytest.mark.parametrize("service", description.SERVICES)
def test_image_names_its_user_and_its_health_check_has_no_shell(running: Stack, service: str) -> None:
    config = images(running)[service].config["config"]
    assert config["User"].partition(":")[0].isdigit() and config["User"].partition(":")[0] != "0"
    check = running.compose.container(service).details["Config"]["Healthcheck"]["Test"]
    assert check[0] == "CMD", check
