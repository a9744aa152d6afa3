# `mkSite`: a site written as modules, and everything that comes out of it. `config`, `description`, `warnings` and `reference`
# need nothing but the module system; the rest is built from packages.
{
  lib,
  sites,
  packagesFor,
  toolFor,
}:
let
  mkSite =
    {
      # The site: modules, or paths of them.
      modules ? [ ],
      # `{ config, options }` of a site that was evaluated elsewhere, in the place of modules; nixos.nix has one.
      evaluation ? null,
      # Nix's name of the machine that the images are for.
      system ? "x86_64-linux",
      # That of the machine that puts them together, where it is another one: packages for `system` then come from a cache.
      buildSystem ? system,
      # Where Synapse, PostgreSQL, coturn, nginx and Redis come from; one's own nixpkgs with overlays replaces any of them.
      pkgs ? packagesFor system,
      # Where the static `synapse-site` for the machine that builds, and `launch` for the one that the images are for, come from.
      tool ? toolFor buildSystem,
      launch ? if buildSystem == system then tool else toolFor system,
      # What Synapse's package is given besides: { extraPlugins = ps: [ … ]; extraExtras = [ "oidc" ]; }
      synapse ? { },
      # Packages in place of those that images/*/image.toml name, or functions of them: { synapse.matrix-synapse = old: …; }
      overrides ? { },
      specialArgs ? { },
      # What file options that are text (`ldap.ca_certificate = "ca.pem"`) are relative to. A path (`./ca.pem`) needs it not.
      directory ? null,
    }@arguments:
    let
      evaluated = sites.evaluate {
        inherit
          modules
          specialArgs
          pkgs
          evaluation
          ;
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

      additions = [
        "extraExtras"
        "extraPlugins"
      ];
      unknown = lib.attrNames (removeAttrs synapse additions);

      # A Mac's own name is the likely mistake, with a function over all systems.
      forLinux =
        argument: value:
        if lib.hasSuffix "-linux" value then
          value
        else
          throw "mkSite: ${argument} is ${value}, and images are for Linux and put together there; write `${argument} = \"x86_64-linux\";` or `\"aarch64-linux\"`: a machine of another kind hands the build to a Linux builder";

      # Evaluated when an image, the manifest or the bundle is asked for, and not before.
      built = import ./images.nix (
        {
          inherit
            pkgs
            tool
            launch
            description
            overrides
            passthru
            ;
          system = forLinux "system" system;
          buildSystem = if buildSystem == system then system else forLinux "buildSystem" buildSystem;
          inherit (sites) schema;
          files = lib.mapAttrs fileOf evaluated.files;
          meta = {
            description = "The Matrix site ${description.server.server_name}, for containers";
            platforms = [ buildSystem ];
          };
        }
        // (
          if unknown == [ ] then
            synapse
          else
            throw "mkSite: synapse.${lib.head unknown} does not exist; there are ${toString additions}"
        )
      );
      reference = sites.reference evaluated.options;

      passthru = {
        inherit
          site
          description
          warnings
          ;
        inherit (built) synapseVersion;
      };

      site = {
        inherit (evaluated) config options;
        inherit
          description
          reference
          warnings
          system
          ;
        inherit (built)
          image
          images
          configuration
          compose
          bundle
          packages
          synapseVersion
          ;
        docs = import ./write.nix {
          inherit system;
          name = "synapse-site-options.md";
          text = reference;
        };

        # The same site with other arguments of mkSite: an attribute set, or a function of those that it has. A derivation's
        # `overrideAttrs` has no counterpart: all of it is made from these.
        override = change: mkSite (arguments // (if lib.isFunction change then change arguments else change));
        # The same site with more modules, as a NixOS configuration has it.
        extendModules = { modules }: mkSite (arguments // { modules = (arguments.modules or [ ]) ++ modules; });
      };
    in
    site;
in
mkSite
