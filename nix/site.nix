# `mkSite`: a site written as modules, and everything that comes out of it. `config`, `description`, `warnings` and `reference`
# need nothing but the module system; the rest is built from packages.
{
  lib,
  sites,
  packagesFor,
  toolFor,
}:
{
  # The site: modules, or paths of them.
  modules,
  system ? "x86_64-linux",
  # Where Synapse, PostgreSQL, coturn, nginx and Redis come from; one's own nixpkgs with overlays replaces any of them.
  pkgs ? packagesFor system,
  # Where the static `synapse-site` and `launch` come from.
  tool ? toolFor system,
  # Packages in place of those that images/*/image.toml name: { synapse.matrix-synapse = myPackage; }
  overrides ? { },
  specialArgs ? { },
  # What file options that are text (`ldap.ca_certificate = "ca.pem"`) are relative to. A path (`./ca.pem`) needs it not.
  directory ? null,
}:
let
  evaluated = sites.evaluate {
    inherit modules specialArgs pkgs;
    # The description has no reference into the store: a file travels beside it, under this name.
    nameOf = value: if lib.isPath value then baseNameOf (builtins.unsafeDiscardStringContext "${value}") else value;
  };
  inherit (evaluated) warnings;
  description = lib.foldr lib.warn evaluated.description warnings;

  fileOf =
    name: value:
    if lib.isPath value then
      value
    else if directory != null then
      directory + "/${name}"
    else
      throw "the file ${name} of the site is named by text, and mkSite does not know beside what it lies; write it as a path (./${name}), or give mkSite directory = ./.";

  # Evaluated when an image, the manifest or the bundle is asked for, and not before.
  built = import ./images.nix {
    inherit
      pkgs
      tool
      description
      system
      overrides
      ;
    files = lib.mapAttrs fileOf evaluated.files;
  };
  reference = sites.reference evaluated.options;
in
{
  inherit (evaluated) config options;
  inherit
    description
    reference
    warnings
    ;
  inherit (built)
    image
    images
    compose
    bundle
    ;
  docs = import ./write.nix {
    inherit system;
    name = "synapse-site-options.md";
    text = reference;
  };
}
