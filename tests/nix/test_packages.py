"""Packages of one's own: what a site needs is added to whatever is given, and what cannot be added to is refused before anything is
built. All of it is evaluation; one image is built, and its Synapse asked what it can import."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from world import REPOSITORY, SYSTEM, Failed, World

SITE = '{ server = { server_name = "plug.example.org"; public_baseurl = "https://plug.example.org/"; }; %s }'
# A module that a site brings itself.
GREETER = 'ps.toPythonModule (pkgs.writeTextDir "lib/python3.13/site-packages/greeter.py" "class Greeter: pass") // { pname = "greeter"; }'


def expression(flake: World, arguments: str, then: str, site: str = "") -> str:
    """A Nix expression about a site with these arguments of `mkSite`; `pkgs` is the stand-in."""
    return (
        f"let flake = builtins.getFlake \"path:{flake.flake}\"; pkgs = import {flake.standin} {{ system = \"{SYSTEM}\"; }}; "
        f"site = flake.lib.mkSite ({{ inherit pkgs; tool = import {flake.flake}/nix/tool.nix {{ inherit pkgs; }}; "
        f"modules = [ ({SITE % site}) ]; }} // {{ {arguments} }}); in {then}"
    )


def said(flake: World, arguments: str, then: str, site: str = "") -> Any:
    """What that comes to."""
    return json.loads(flake.nix("eval", "--impure", "--json", "--expr", expression(flake, arguments, then, site)))


def refused(flake: World, arguments: str, then: str = "site.bundle.drvPath") -> str:
    """What is said of arguments that are refused, in an evaluation: nothing is built for it."""
    with pytest.raises(Failed) as failed:
        said(flake, arguments, then)
    assert "building" not in failed.value.said
    return failed.value.said


WRAPPER = "let it = site.packages.synapse.matrix-synapse; in { inherit (it) extras; plugins = map (one: one.pname or one.name) it.modules; }"
NEEDED = {"extras": {"postgres", "redis", "url-preview", "jwt"}, "plugins": {"matrix-synapse-ldap3", "synapse_site_directory.py-1"}}


def wrapper(flake: World, arguments: str) -> dict[str, set[str]]:
    """The extras and the plug-ins of the Synapse that goes into the image, which has all that a site needs."""
    found = {name: set(members) for name, members in said(flake, arguments, WRAPPER).items()}
    for name, members in NEEDED.items():
        assert members <= found[name], f"{name} lacks {members - found[name]}"
    return {name: found[name] - NEEDED[name] for name in NEEDED}


def test_plugins_and_extras_of_a_site(flake: World) -> None:
    added = wrapper(flake, f"synapse = {{ extraPlugins = ps: [ ({GREETER}) ]; extraExtras = [ \"oidc\" ]; }};")
    assert added == {"extras": {"oidc"}, "plugins": {"greeter"}}


def test_an_overlay_keeps_its_plugins(flake: World) -> None:
    overlay = f"matrix-synapse = pkgs.matrix-synapse.override {{ plugins = let ps = pkgs.python313.pkgs; in [ ({GREETER}) ]; }};"
    added = wrapper(flake, f"pkgs = pkgs // {{ {overlay} }};")
    assert added["plugins"] == {"greeter"}


@pytest.mark.parametrize(
    "replacement",
    [
        # A package, and a function of the one that would be there.
        f"pkgs.matrix-synapse.override {{ plugins = let ps = pkgs.python313.pkgs; in [ ({GREETER}) ]; }}",
        f"old: old.override (before: {{ plugins = (before.plugins or [ ]) ++ (let ps = pkgs.python313.pkgs; in [ ({GREETER}) ]); }})",
    ],
    ids=["package", "function"],
)
def test_an_override_gets_what_the_site_needs(flake: World, replacement: str) -> None:
    assert wrapper(flake, f"overrides.synapse.matrix-synapse = {replacement};")["plugins"] == {"greeter"}


def test_what_the_site_says_wins_over_one_of_the_same_name(flake: World) -> None:
    own = 'pkgs.python313.pkgs.toPythonModule (pkgs.writeTextDir "x" "mine") // { pname = "matrix-synapse-ldap3"; }'
    then = 'map (one: one.name) (builtins.filter (one: one.pname or "" == "matrix-synapse-ldap3") site.packages.synapse.matrix-synapse.modules)'
    assert said(flake, f"synapse.extraPlugins = _: [ ({own}) ];", then) == ["x-1"]


def test_a_package_of_another_image(flake: World) -> None:
    then = "site.packages.redis.redis.outPath == (pkgs.jemalloc).outPath"
    assert said(flake, "overrides.redis.redis = old: pkgs.jemalloc;", then) is True


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            'synapse.extraPlugins = _: [ (pkgs.python312.pkgs.toPythonModule (pkgs.writeTextDir "x" "") // { pname = "late"; }) ];',
            ["synapse.extraPlugins: `late` is a module of Python 3.12", "runs on Python 3.13", "ps: [ ps.late ]"],
        ),
        ("synapse.extraPlugins = _: [ pkgs.redis ];", ["synapse.extraPlugins: `redis` is no Python module", "buildPythonPackage"]),
        ("synapse.extraPlugins = ps: ps.matrix-synapse-ldap3;", ["synapse.extraPlugins has to give a list"]),
        ('synapse.extraExtras = [ "odic" ];', ["synapse.extraExtras: Synapse has no extra `odic`, but jwt oidc postgres redis url-preview"]),
        ("synapse.extraPlugin = ps: [ ];", ["mkSite: synapse.extraPlugin does not exist; there are extraExtras extraPlugins"]),
        (
            'overrides.synapse.matrix-synapse = removeAttrs pkgs.matrix-synapse [ "override" ];',
            ["`matrix-synapse` for images/synapse/image.toml", "has no `override`", "matrix-synapse-ldap3", "old: old.override"],
        ),
        (
            "overrides.synapse.matrix-synapse = pkgs.matrix-synapse // { override.__functionArgs.python = false; };",
            ["takes no argument `extras`", "postgres, redis"],
        ),
        (
            'pkgs = pkgs // { matrix-synapse = pkgs.matrix-synapse // { unwrapped = removeAttrs pkgs.matrix-synapse.unwrapped [ "plugins" ] // { plugins = { }; }; }; };',
            ["no Python package `matrix-synapse-ldap3`", "images/synapse/image.toml, [nix.package.matrix-synapse]", "overlay"],
        ),
        ('pkgs = removeAttrs pkgs [ "coturn" ]; modules = [ (SITE) ];', ["this nixpkgs has no attribute `coturn`, which images/coturn/image.toml"]),
    ],
)
def test_what_cannot_be_added_is_refused_before_anything_is_built(flake: World, arguments: str, words: list[str]) -> None:
    turn = SITE % 'turn = { source = "bundled"; host = "turn.example.org"; external_ip = "192.0.2.1"; };'
    message = refused(flake, arguments.replace("(SITE)", f"({turn})"))
    for part in words:
        assert part in message, message


@pytest.mark.parametrize(
    ("shape", "version"),
    [
        ("it: it", "1.155.0"),
        # As nixpkgs had it before 2026: a name, and no version.
        ('it: removeAttrs it [ "version" ]', "1.155.0"),
        ('it: removeAttrs it [ "version" "unwrapped" ] // { name = "matrix-synapse-wrapped-1.155.0"; inherit (it.unwrapped) python plugins; }', "1.155.0"),
        ('it: removeAttrs it [ "version" "unwrapped" ] // { name = "synapse"; inherit (it.unwrapped) python plugins; }', ""),
    ],
    ids=["version", "unwrapped", "name", "none"],
)
def test_the_version_of_synapse_is_found(flake: World, shape: str, version: str) -> None:
    shaped = (
        f"let shape = {shape}; shaped = it: shape it // {{ override = change: shaped (it.override change); }}; "
        "in shaped (old.override (before: { matrix-synapse-unwrapped = before.matrix-synapse-unwrapped // { version = \"1.155.0\"; }; }))"
    )
    arguments = f"overrides.synapse.matrix-synapse = old: {shaped};"
    assert said(flake, arguments, "[ site.synapseVersion site.bundle.synapseVersion ]") == [version, version]
    told = "[ site.configuration.drvAttrs.request.synapse_version site.bundle.drvAttrs.request.packages.synapse.matrix-synapse.version ]"
    assert said(flake, arguments, told) == [version, version], "the builder is told"


def test_services_that_are_off_are_not_asked_for(flake: World) -> None:
    absent = "pkgs = pkgs // { coturn = throw \"coturn was asked for\"; redis = throw \"redis was asked for\"; postgresql_17 = throw \"postgres was asked for\"; };"
    outside = 'turn.source = "none"; redis = { source = "external"; host = "r.example.org"; }; database = { source = "external"; host = "d.example.org"; };'
    for part in ("bundle", "images", "image", "compose", "configuration"):
        assert said(flake, absent, f"site.{part}.drvPath", outside).endswith(".drv")
    images = said(flake, "", "builtins.attrNames site.packages", outside)
    assert images == ["base", "gateway", "synapse"]


def test_an_update_of_another_service_touches_no_image_of_synapse(flake: World) -> None:
    turn = 'turn = { source = "bundled"; host = "turn.example.org"; external_ip = "192.0.2.1"; };'
    update = 'pkgs = pkgs // { coturn = pkgs.nginx; postgresql_17 = pkgs.redis; };'
    paths = "{ image = site.image.drvPath; bundle = site.bundle.drvPath; configuration = site.configuration.drvPath; }"
    before, after = said(flake, "", paths, turn), said(flake, update, paths, turn)
    assert before["image"] == after["image"] and before["configuration"] == after["configuration"]
    assert before["bundle"] != after["bundle"], "the update is one"


def test_synapse_imports_what_was_added(flake: World, tmp_path: Path) -> None:
    """The wrapper of the image, run: the plug-in of the site, LDAP, Redis and the guard can be imported together."""
    link = tmp_path / "wrapper"
    arguments = f"synapse.extraPlugins = ps: [ ({GREETER}) ];"
    flake.nix("build", "--impure", "--out-link", link, "--expr", expression(flake, arguments, "site.packages.synapse.matrix-synapse"))
    text = Path(f"{flake.store}{os.readlink(link)}/bin/synapse_homeserver").read_text()
    path = next(line for line in text.splitlines() if line.startswith("export PYTHONPATH="))
    code = "import greeter, ldap_auth_provider, synapse_site_directory, txredisapi, bs4, authlib; print('all')"
    python = Path(f"{flake.store}{os.readlink(link)}/bin/.synapse_homeserver-wrapped").read_text().splitlines()[0].removeprefix("#!")
    assert flake.inside("sh", "-c", f'{path}; exec {python} -c "{code}"') == "all"


def test_the_guard_is_exported(flake: World) -> None:
    """For a Synapse that is run without the images: as a package, as a function, and through the overlay."""
    made = flake.output("directory-guard")
    module = (made / "lib/python3.13/site-packages/synapse_site_directory.py").read_text()
    assert module == (REPOSITORY / "src/component/synapse/directory.py").read_text()
    overlaid = (
        "let final = prev // flake.overlays.default final prev; prev = pkgs; python = pkgs.python313.pkgs; "
        "added = (builtins.head final.pythonPackagesExtensions) python python; in "
        "{ overlay = added.synapse-site-directory.outPath; function = (flake.lib.directoryGuard pkgs).outPath; tool = final.synapse-site.name; }"
    )
    found = said(flake, "", overlaid)
    assert found["overlay"] == found["function"] == f"/{made.relative_to(flake.store)}"
    assert found["tool"].startswith("synapse-site-")
