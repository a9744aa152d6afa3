# For those without flakes: `nix-build -A bundle --arg modules '[ ./site.nix ]'`. The pins are those of flake.lock; give `nixpkgs`
# and `nixpkgs-lib` to use others.
{
  modules ? [ ./examples/example.com/site.nix ],
  # What files are relative to that the site names by text.
  directory ? if modules == [ ./examples/example.com/site.nix ] then ./examples/example.com else null,
  # Of the target; a Mac hands the build to its Linux builder.
  system ? builtins.replaceStrings [ "darwin" ] [ "linux" ] builtins.currentSystem,
  nixpkgs ? pinned "nixpkgs",
  nixpkgs-lib ? pinned "nixpkgs-lib",
  pkgs ? import nixpkgs { inherit system; },
  tool ? import ./nix/tool.nix { inherit pkgs; },
  pinned ?
    input:
    let
      inherit ((builtins.fromJSON (builtins.readFile ./flake.lock)).nodes.${input}) locked;
    in
    fetchTarball {
      url = "https://github.com/${locked.owner}/${locked.repo}/archive/${locked.rev}.tar.gz";
      sha256 = locked.narHash;
    },
}:
let
  lib = import (nixpkgs-lib + "/lib");
  sites = import ./modules { inherit lib; };
  mkSite = import ./nix/site.nix {
    inherit lib sites;
    packagesFor = _: pkgs;
    toolFor = _: tool;
  };
in
mkSite { inherit modules system directory; }
// {
  inherit mkSite tool;
  inherit (sites) presets;
}
