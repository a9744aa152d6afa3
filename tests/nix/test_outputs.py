"""What users of Nix expect of a flake: checks without warnings, `meta` and `passthru`, sites that can be extended, a Mac's packages, a
module for NixOS and one for flake-parts. Evaluated with the real module library; scripts are run."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from world import SYSTEM, Failed, World, nixpkgs_lib

MACS = {"aarch64-darwin": "aarch64-linux", "x86_64-darwin": "x86_64-linux"}
# What every Nix says in a world without a network and with the tests' inputs.
EXPECTED = r"Internet access|not writing modified lock file|Git tree|ignoring the user-specified"


def warnings(flake: World) -> list[str]:
    """The warnings of the last command."""
    return [line for line in flake.said.splitlines() if "warning" in line and not re.search(EXPECTED, line)]


def said(flake: World, body: str, program: Path | str = "nix") -> Any:
    """What an expression comes to; `flake`, `lib` and the stand-in as `pkgs` are in scope, and `mkSite` with the stand-in in it."""
    lib, _ = nixpkgs_lib()
    expression = (
        f"let flake = builtins.getFlake \"path:{flake.flake}\"; lib = import {lib}/lib; pkgs = import {flake.standin} {{ system = \"{SYSTEM}\"; }}; "
        f"tool = import {flake.flake}/nix/tool.nix {{ inherit pkgs; }}; "
        "mkSite = arguments: flake.lib.mkSite ({ inherit pkgs tool; modules = [ least ]; } // arguments); "
        'least = { server = { server_name = "out.example.org"; public_baseurl = "https://out.example.org/"; }; }; '
        f"in {body}"
    )
    return json.loads(flake.nix("eval", "--impure", "--json", "--expr", expression, program=program))


def test_the_flake_checks_without_warnings(flake: World, newest_nix: Path | str) -> None:
    flake.nix("flake", "check", "--all-systems", "--no-build", f"path:{flake.flake}", *flake.overridden(), program=newest_nix)
    assert not warnings(flake)


def test_a_derivation_tells_of_its_site(flake: World) -> None:
    for part in ("bundle", "image", "images", "compose", "configuration"):
        found = said(
            flake,
            f"let it = (mkSite {{ modules = [ least {{ warnings = [ \"soon\" ]; }} ]; }}).{part}; in "
            "{ inherit (it) warnings meta; name = it.description.server.server_name; again = it.passthru.site.bundle.name; version = it.synapseVersion; }",
        )
        assert found["name"] == "out.example.org" and found["warnings"] == ["soon"] and found["again"] == "out.example.org-bundle", part
        assert found["meta"]["platforms"] == [SYSTEM] and "out.example.org" in found["meta"]["description"]
        assert re.fullmatch(r"1\.\d+\.\d+", found["version"])
    meta = said(flake, "tool.meta")
    assert meta["mainProgram"] == "synapse-site" and meta["license"]["spdxId"] == "AGPL-3.0-or-later" and meta["homepage"].startswith("https://")


def test_a_site_is_extended(flake: World) -> None:
    found = said(
        flake,
        "let site = mkSite { }; more = site.extendModules { modules = [ { turn.port = 4000; } ]; }; "
        "another = more.override { system = \"aarch64-linux\"; }; changed = more.override (old: { modules = old.modules ++ [ { turn.port = lib.mkForce 5; } ]; }); in "
        "[ (site.description.turn.port or 0) more.description.turn.port another.description.turn.port another.system changed.description.turn.port ]",
    )
    assert found == [0, 4000, 4000, "aarch64-linux", 5]


def test_a_mac_hands_builds_to_linux(flake: World, each_nix: Path | str) -> None:
    """What a Mac builds of a site are derivations for Linux, the very ones of the Linux builder, down to the tool that puts images
    together; the tool to check and to render with is the Mac's own."""
    for mac, linux in MACS.items():
        found = json.loads(
            flake.nix(
                *("eval", "--json", f"path:{flake.flake}#packages", *flake.overridden()),
                *("--apply", f"found: builtins.mapAttrs (_: it: it.drvPath) found.{mac} // {{ linux = found.{linux}.bundle.drvPath; }}"),
                program=each_nix,
            )
        )
        assert found["bundle"] == found["default"] == found.pop("linux")
        derivations = {name: json.loads(flake.nix("show-derivation", path))[path] for name, path in found.items()}
        assert {name: it["system"] for name, it in derivations.items()} == {name: mac if name == "synapse-site" else linux for name in found}
        assert found["synapse-site"] not in derivations["bundle"]["inputDrvs"] and found["launch"] in derivations["bundle"]["inputDrvs"]
        program = flake.nix("eval", "--raw", f"path:{flake.flake}#apps.{mac}.default.program", *flake.overridden(), program=each_nix)
        assert program == f"{derivations['synapse-site']['outputs']['out']['path']}/bin/synapse-site"
        assert flake.nix("eval", "--raw", f"path:{flake.flake}#formatter.{mac}.name", *flake.overridden(), program=each_nix)


def test_a_macs_tool_is_one_program_without_static_libraries(flake: World) -> None:
    """macOS has no static C library, and `launch` is the entry point of images."""
    for system in (*MACS, *MACS.values()):
        pkgs = f'import {flake.standin} {{ system = "{system}"; }}'
        found = said(flake, f"let it = import {flake.flake}/nix/tool.nix {{ pkgs = {pkgs}; }}; in {{ inherit (it) cargoBuildFlags meta; static = map (it: it.system) it.buildInputs; }}")
        assert system in found["meta"]["platforms"]
        assert (found["cargoBuildFlags"], found["static"]) == ((["--bin=synapse-site"], []) if system in MACS else ([], [system]))


def test_a_site_for_a_mac_is_refused(flake: World) -> None:
    """A function over all systems gives mkSite a Mac's own name."""
    for argument in ("system", "buildSystem"):
        with pytest.raises(Failed) as failed:
            said(flake, f'(mkSite {{ {argument} = "aarch64-darwin"; }}).bundle.drvPath')
        assert f"mkSite: {argument} is aarch64-darwin, and images are for Linux" in failed.value.said, failed.value.said


def test_a_mac_without_flakes(flake: World) -> None:
    """`nix-build` asks for the images of the Linux builder's kind."""
    lib, _ = nixpkgs_lib()
    expression = f"let it = import {flake.flake} {{ nixpkgs-lib = {lib}; nixpkgs = {flake.standin}; }}; in {{ it = it.bundle.system; tool = it.tool.system; }}"
    for mac, linux in MACS.items():
        found = json.loads(flake.nix("eval", "--impure", "--json", "--option", "system", mac, "--expr", expression))
        assert found == {"it": linux, "tool": linux}


def test_images_for_another_machine_than_the_one_that_builds(flake: World) -> None:
    """The machine that puts images together needs no emulation: its tool, the other machine's packages and entry point."""
    found = said(
        flake,
        'let other = import %s { system = "aarch64-linux"; }; entry = import %s/nix/tool.nix { pkgs = other; }; '
        'site = mkSite { system = "aarch64-linux"; buildSystem = "%s"; pkgs = other; launch = entry; }; it = site.bundle.drvAttrs; in '
        "{ inherit (it) system builder; inherit (it.request) launch; for = it.request.system; package = it.request.packages.redis.redis.path; "
        "tool = tool.outPath; entry = entry.outPath; redis = other.redis.outPath; }" % (flake.standin, flake.flake, SYSTEM),
    )
    assert found["system"] == SYSTEM and found["for"] == "aarch64-linux"
    assert found["builder"] == f"{found['tool']}/bin/synapse-site" and found["launch"] == f"{found['entry']}/bin/launch"
    assert found["package"] == found["redis"] and found["tool"] != found["entry"]


def test_the_entry_point_may_come_from_elsewhere(flake: World) -> None:
    """As for another machine, with this one's programs: the image holds the entry point that was named."""
    expression = (
        f"let pkgs = import {flake.standin} {{ system = \"{SYSTEM}\"; }}; tool = import {flake.flake}/nix/tool.nix {{ inherit pkgs; }}; "
        f"images = import {flake.flake}/nix/images.nix {{ inherit pkgs tool; buildSystem = \"{SYSTEM}\"; system = \"aarch64-linux\"; launch = pkgs.dash; "
        'description.server = { server_name = "out.example.org"; public_baseurl = "https://out.example.org/"; }; }; in images.image'
    )
    with pytest.raises(Failed) as failed:
        flake.nix("build", "--impure", "--no-link", "--print-build-logs", "--expr", expression)
    # dash has no bin/launch: this is the program that was looked for.
    assert re.search(r"dash[^ ]*/bin/launch", failed.value.said), failed.value.said


def test_configuration_needs_no_packages(flake: World) -> None:
    """Files to compare, and the findings of a site, from nothing but the tool."""
    name = flake.nix("eval", "--raw", f"path:{flake.flake}#configuration.drvPath", *flake.overridden())
    needed = json.loads(flake.nix("show-derivation", name))[name]["inputDrvs"]
    assert [re.sub(r".*/[a-z0-9]{32}-", "", path) for path in needed] == ["synapse-site-0.1.0.drv"]
    made = flake.output("configuration")
    assert {path.name for path in made.iterdir()} >= {"synapse", "postgres", "redis", "gateway", "well-known"}
    assert "server_name: example.com" in (made / "synapse/etc/matrix-synapse/homeserver.yaml").read_text().replace('"', "")


NIXOS = """
lib.evalModules {
  modules = [
    (import %(flake)s/nix/nixos.nix {
      sites = import %(flake)s/modules { inherit lib; };
      mkSite = arguments: flake.lib.mkSite (arguments // { inherit tool; });
      packagesFor = _: pkgs;
    })
    # The options of NixOS that the module sets; its own library declares and merges the rest.
    {
      options = lib.genAttrs [ "systemd" "virtualisation" "environment" "assertions" "warnings" ] (_: lib.mkOption { type = lib.types.anything; default = { }; });
      config.virtualisation.docker.package = pkgs.docker;
      config._module.args.pkgs = pkgs;
    }
    %(module)s
  ];
}
"""


def nixos(flake: World, module: str) -> str:
    """An expression: a NixOS configuration with this module, as far as it concerns a site."""
    return "(" + NIXOS % {"flake": flake.flake, "module": f"({module})"} + ").config"


SITE = (
    "{ services.synapse-site = { enable = true; site = { presets, ... }: { imports = [ presets.small presets.behind-proxy ]; "
    'server.server_name = "unit.example.org"; server.public_baseurl = "https://unit.example.org/"; gateway.http_port = 18480; '
    'email = { notif_from = "a@example.org"; smtp_host = "mail.example.org"; smtp_user = "a"; }; warnings = [ "soon" ]; }; '
    'compose = [ "docker-compose" ]; secrets.smtp_password = "%s"; }; }'
)


def test_the_module_of_nixos(flake: World) -> None:
    found = said(
        flake,
        f"let config = {nixos(flake, SITE % '/run/secrets/smtp')}; unit = config.systemd.services.synapse-site; in "
        "{ inherit (unit) description requires wantedBy; service = unit.serviceConfig; warnings = config.warnings; "
        "asserted = map (it: it.assertion) config.assertions; name = config.services.synapse-site.result.bundle.name; "
        "generic = config.services.synapse-site.site.workers.generic; docker = config.virtualisation.docker.enable; }",
    )
    assert found["description"] == "The Matrix site unit.example.org" and found["requires"] == ["docker.service"]
    assert found["warnings"] == ["soon"] and found["asserted"] == [True] and found["docker"] is True
    assert found["generic"] == 0, "the presets are at work"
    assert found["name"] == "unit.example.org-bundle"
    assert found["service"]["ExecStart"].endswith("synapse-site-start-1") and found["service"]["StateDirectory"] == "synapse-site"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ('services.synapse-site.site.server.report_statz = true;', ["services.synapse-site.site.server.report_statz", "does not exist"]),
        ('services.synapse-site.site.turn.port = 70000;', ["services.synapse-site.site.turn.port", "between 1 and 65535"]),
        ('services.synapse-site.site.synapse.settings.form_secret = "hunter2";', ["synapse.settings.form_secret is a secret", "secrets/form_secret"]),
    ],
)
def test_mistakes_in_a_nixos_configuration(flake: World, change: str, words: list[str]) -> None:
    config = nixos(flake, f"{{ imports = [ ({SITE % '/run/secrets/smtp'}) ]; {change} }}")
    with pytest.raises(Failed) as failed:
        said(flake, f"{config}.systemd.services.synapse-site.serviceConfig.ExecStart")
    for part in words:
        assert part in failed.value.said.replace("`", "").replace("'", ""), failed.value.said
    assert "hunter2" not in failed.value.said


def test_a_secret_in_the_store_is_refused(flake: World) -> None:
    found = said(flake, f"builtins.filter (it: !it.assertion) {nixos(flake, SITE % '/nix/store/abc-smtp')}.assertions")
    assert [it["message"].split(":")[0] for it in found] == ["services.synapse-site.secrets.smtp_password is /nix/store/abc-smtp"]


def test_the_unit_is_one_that_systemd_reads(flake: World, tmp_path: Path) -> None:
    unit = said(flake, f"let unit = {nixos(flake, SITE % '/run/secrets/smtp')}.systemd.services.synapse-site; in {{ inherit (unit) description after wants; inherit (unit) serviceConfig; }}")
    # Scripts are in a store that is not at /nix; everything else is as NixOS would write it.
    service = {**unit["serviceConfig"], **dict.fromkeys(("ExecStart", "ExecReload", "ExecStop"), "/bin/true")}
    lines = ["[Unit]", f"Description={unit['description']}", f"After={' '.join(unit['after'])}", "[Service]"]
    lines += [f"{name}={'true' if value is True else value}" for name, value in service.items()]
    file = tmp_path / "synapse-site.service"
    file.write_text("\n".join(lines) + "\n")
    done = flake.run(["systemd-analyze", "verify", "--man=no", file])
    assert "Unknown" not in flake.said + done and "Failed to parse" not in flake.said, flake.said


FLAKE_PARTS = """
lib.evalModules {
  modules = [
    (import %(flake)s/nix/flake-module.nix { inherit mkSite; })
    # The two options of flake-parts that the module sets, with flake-parts' types.
    {
      options.perSystem = lib.mkOption { type = lib.types.deferredModule; };
      options.systems = lib.mkOption { type = lib.types.listOf lib.types.str; };
    }
    { systems = [ "x86_64-linux" "aarch64-darwin" ]; synapse-sites.a-example = { modules = [ least ]; }; }
    { synapse-sites.b-example = { modules = [ least { turn.port = 4000; } ]; }; }
  ];
}
"""


def test_the_module_of_flake_parts(flake: World) -> None:
    found = said(
        flake,
        f"let config = ({FLAKE_PARTS % {'flake': flake.flake}}).config; "
        "on = lib.evalModules { modules = [ config.perSystem { options.packages = lib.mkOption { type = lib.types.lazyAttrsOf lib.types.package; }; } ]; }; in "
        "lib.mapAttrs (_: it: [ it.name it.site.compose.name (it.description.turn.port or 0) ]) on.config.packages",
    )
    names = ["out.example.org-bundle", "out.example.org-compose.yaml"]
    assert found == {"a-example": [*names, 0], "b-example": [*names, 4000]}


def test_what_working_on_the_tool_needs(flake: World) -> None:
    """Programs are linked statically, and the shell has what that takes."""
    assert "crt-static" in (flake.flake.parents[2] / ".cargo" / "config.toml").read_text()
    found = said(flake, f"(import {flake.flake}/nix/shell.nix {{ inherit pkgs; }}).buildInputs == [ pkgs.glibc.static ]")
    assert found is True
    assert said(flake, "tool.buildInputs == [ pkgs.glibc.static ]") is True
