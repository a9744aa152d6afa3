"""Images from a closure: built by Nix in its sandbox without a network, the same bytes again, stable layers, and errors that
say what to do. That they run is for the stack test, see by_nix.py."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
import uuid
from pathlib import Path
from typing import Any

import pytest

from world import REPOSITORY, SYSTEM, Failed, World, programs

DESCRIPTION: dict[str, Any] = {
    "server": {"server_name": "nix.example.org", "public_baseurl": "https://matrix.nix.example.org/", "report_stats": False},
    "administrators": ["admin"],
}


@pytest.fixture(scope="session")
def bundle(world: World) -> Path:
    """Everything of the plain site."""
    return world.build({"description": DESCRIPTION}, "bundle")


def layers(site: Path) -> dict[str, list[tuple[str, str]]]:
    """The layers of each image: name and digest."""
    images = json.loads((site / "site.json").read_text())["images"]
    return {image["name"]: [(layer["name"], layer["digest"]) for layer in image["layers"]] for image in images}


def test_everything_that_a_target_needs(bundle: Path) -> None:
    names = {path.name for path in bundle.iterdir()}
    assert names == {".env", "images.tar", "compose.yaml", "site.json", "secrets.example", "well-known", "sbom"}
    tool = programs() / "synapse-site"
    done = subprocess.run([tool, "inspect", bundle / "images.tar"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads((bundle / "site.json").read_text())
    assert report["nix"]["system"] == SYSTEM
    assert {image["name"] for image in report["images"]} == {"gateway", "postgres", "redis", "synapse"}
    components = json.loads((bundle / "sbom" / "synapse.cdx.json").read_text())["components"]
    assert "pkg:nix/python3.13-twisted" in {component["purl"].split("@")[0] for component in components}


def test_layers_are_balanced_and_shared(bundle: Path) -> None:
    stacks = layers(bundle)
    assert len({stack[0] for stack in stacks.values()}) == 1, "what all images need is the lowest layer of all"
    images = json.loads((bundle / "site.json").read_text())["images"]
    synapse = next(image for image in images if image["name"] == "synapse")
    assert max(layer["size"] for layer in synapse["layers"]) * 2 < synapse["size"]
    assert 8 <= len(synapse["layers"]) <= 66


def test_the_same_bytes_again(world: World, bundle: Path) -> None:
    world.build({"description": DESCRIPTION}, "bundle", "--rebuild")


def test_parts_are_of_the_bundle(world: World, bundle: Path) -> None:
    request = {"description": DESCRIPTION}
    assert world.build(request, "images").read_bytes() == (bundle / "images.tar").read_bytes()
    assert world.build(request, "compose").read_bytes() == (bundle / "compose.yaml").read_bytes()
    with tarfile.open(world.build(request, "image")) as archive:
        manifest = json.load(archive.extractfile("manifest.json"))
    assert [tag.split("/")[-1].split(":")[0] for image in manifest for tag in image["RepoTags"]] == ["synapse"]


def test_an_option_moves_the_configuration_only(world: World, bundle: Path) -> None:
    changed = world.build({"description": {**DESCRIPTION, "media": {"max_upload_size": "77M"}}}, "bundle")
    before, after = layers(bundle), layers(changed)
    for image, stack in before.items():
        moved = {one[0] for one, other in zip(stack, after[image], strict=True) if one != other}
        assert moved <= {"configuration"}, image
    assert before["synapse"] != after["synapse"]


def test_store_paths_as_nix_keeps_them(bundle: Path, tmp_path: Path) -> None:
    """Members of store paths: root's, read-only, and of one time."""
    with tarfile.open(bundle / "images.tar") as archive:
        manifest = json.load(archive.extractfile("manifest.json"))
        image = next(image for image in manifest if "/synapse:" in image["RepoTags"][0])
        config = json.load(archive.extractfile(image["Config"]))
        members: dict[str, tarfile.TarInfo] = {}
        for layer in image["Layers"]:
            with tarfile.open(fileobj=archive.extractfile(layer)) as content:
                members.update({member.name: member for member in content})
    inside = [member for name, member in members.items() if name.startswith("nix/store/")]
    assert len(inside) > 5000
    assert {(member.uid, member.gid, member.mtime) for member in inside} == {(0, 0, 315619200)}
    assert {member.mode for member in inside if not member.issym()} == {0o444, 0o555}
    assert members["nix/store"].mode == 0o755
    assert members["tmp"].mode == 0o1777 and members["var/lib/synapse"].uid == 10001
    assert members["etc/ssl/certs/ca-certificates.crt"].linkname.endswith("/etc/ssl/certs/ca-bundle.crt")
    assert config["config"]["User"] == "10001:10001"
    variables = dict(variable.split("=", 1) for variable in config["config"]["Env"])
    assert f"{variables['PATH']}/synapse_homeserver".lstrip("/") in members
    assert variables["LD_PRELOAD"].lstrip("/") in members
    assert not any(name.startswith(("usr/lib/x86_64", "lib/", "usr/bin/")) for name in members)


def test_a_wrong_description(world: World) -> None:
    with pytest.raises(Failed) as failed:
        world.build({"description": {**DESCRIPTION, "turn": {"source": "off"}}}, "bundle")
    assert 'turn.source: found the text "off", allowed are' in failed.value.said


def test_files_that_the_description_names(world: World, tmp_path: Path) -> None:
    certificate = tmp_path / "ca.pem"
    certificate.write_text("-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n")
    ldap = {"uri": "ldap://ldap.example.com", "base": "dc=example", "attributes": {"uid": "uid", "mail": "mail", "name": "cn"}, "ca_certificate": "tls/ca.pem"}
    description = {**DESCRIPTION, "authentication": {"method": "ldap"}, "ldap": ldap}
    with pytest.raises(Failed) as failed:
        world.build({"description": description}, "image")
    assert "tls/ca.pem cannot be read" in failed.value.said
    assert world.build({"description": description, "files": {"tls/ca.pem": str(certificate)}}, "image").is_file()


def test_a_synapse_that_the_tables_do_not_know(world: World) -> None:
    # Something new each time: what an earlier run built is not built again, and says nothing.
    description = {**DESCRIPTION, "well_known": {"extra_client_content": {"run": str(uuid.uuid4())}}}
    world.build({"description": description, "synapse_version": "1.999.0"}, "image")
    assert "Synapse 1.999.0 is not in the tables" in world.said


def test_an_attribute_that_nixpkgs_lacks(world: World, tmp_path: Path) -> None:
    bare = World(tmp_path)
    bare.store = world.store
    shutil.copy(world.directory / "sh", tmp_path / "sh")
    shutil.copytree(world.standin, bare.standin)
    file = bare.standin / "default.nix"
    file.write_text(file.read_text().replace("\n  redis = ", "\n  other = "))
    with pytest.raises(Failed) as failed:
        bare.build({"description": DESCRIPTION}, "bundle")
    assert "this nixpkgs has no attribute `redis`, which images/redis/image.toml, [nix.package.redis] names" in failed.value.said


def test_an_override_that_names_nothing(world: World) -> None:
    overrides = {"synapse": {"matrix-synapze": "x"}, "syn": {}}
    with pytest.raises(Failed) as failed:
        world.build({"description": DESCRIPTION, "overrides": overrides}, "image")
    assert "overrides.synapse.matrix-synapze: images/synapse/image.toml takes no such package, but jemalloc matrix-synapse" in failed.value.said
    assert "overrides.syn: there is no such image; there are base coturn" in failed.value.said


def test_the_stand_in_is_a_flake_that_evaluates_purely(world: World) -> None:
    command = ["nix", "--extra-experimental-features", "nix-command flakes", "eval", "--store", str(world.store), "--raw"]
    done = subprocess.run([*command, f"path:{world.standin}#legacyPackages.{SYSTEM}.postgresql_17.name"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("postgresql-17.")


def test_the_verb_is_for_nix() -> None:
    tool = programs() / "synapse-site"
    done = subprocess.run([tool, "nix-builder"], capture_output=True, text=True, env={})
    assert done.returncode == 2 and "NIX_BUILD_TOP" in done.stderr
    assert "nix-builder" not in subprocess.run([tool, "--help"], capture_output=True, text=True).stdout
