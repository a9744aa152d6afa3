# `flakeModules.default`, for flake-parts: each site of `synapse-sites` is a package of its name, the same one on every system of the
# flake, so that a machine of another kind hands the build to a builder.
{ mkSite }:
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
in
{
  _file = "synapse-site's module for flake-parts";

  options.synapse-sites = mkOption {
    type = types.attrsOf (types.attrsOf types.raw);
    default = { };
    example = lib.literalExpression ''
      { example-com = { modules = [ ./site.nix ]; directory = ./.; }; }
    '';
    description = ''
      Sites by name, each the arguments of `mkSite`. `nix build .#NAME` makes everything that a target needs, and
      `nix build .#NAME.site.images` a part of it; `nix eval --json .#NAME.description` needs no packages.
    '';
  };

  config.perSystem.packages = lib.mapAttrs (_: arguments: (mkSite arguments).bundle) config.synapse-sites;
}
