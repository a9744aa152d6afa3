# `nixosModules.default`: a site as options of NixOS, and a unit that loads its images into Docker and starts them with Compose.
{
  sites,
  mkSite,
  packagesFor,
}:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib)
    literalExpression
    mkEnableOption
    mkIf
    mkOption
    types
    ;
  cfg = config.services.synapse-site;
  inherit (pkgs.stdenv.hostPlatform) system;

  site = mkSite {
    evaluation = {
      # NixOS shows warnings itself.
      config = cfg.site // { warnings = [ ]; };
      options = { };
    };
    inherit system;
    inherit (cfg) directory overrides synapse;
    pkgs = cfg.packages;
  };

  compose = lib.escapeShellArgs cfg.compose;
  # systemd's directory of the unit is that of the project: all of it runs again, whatever was done before.
  start = pkgs.writeShellScript "synapse-site-start" ''
    set -eu
    cd "$STATE_DIRECTORY"
    for file in ${site.bundle}/* ${site.bundle}/.env; do
      name="''${file##*/}"
      if [ "$name" != images.tar ]; then
        rm -rf "./$name"
        cp -RL --preserve=mode "$file" .
      fi
    done
    mkdir -p -m 0700 secrets
    # Into the files that are there: a running container holds on to the one that it was started with.
    umask 077
    ${lib.concatStrings (
      lib.mapAttrsToList (name: file: ''
        cmp -s ${lib.escapeShellArg file} ${lib.escapeShellArg "secrets/${name}"} ||
          cat ${lib.escapeShellArg file} > ${lib.escapeShellArg "secrets/${name}"}
      '') cfg.secrets
    )}
    sed -n 's/^ *image: *"\{0,1\}\([^" ]*\)"\{0,1\} *$/\1/p' compose.yaml | sort -u > images
    while read -r image; do
      if ! docker image inspect "$image" > images.seen 2>&1; then
        docker load -i ${site.bundle}/images.tar
        break
      fi
    done < images
    rm -f images images.seen
    ${compose} run --rm secrets
    ${compose} up -d --remove-orphans
  '';
  stop = pkgs.writeShellScript "synapse-site-stop" ''
    set -eu
    cd "$STATE_DIRECTORY"
    ${compose} stop
  '';
  # `synapse-site-compose run --rm admin`, and every other command of Compose on this site.
  command = pkgs.writeShellScriptBin "synapse-site-compose" ''
    cd /var/lib/synapse-site && exec ${compose} "$@"
  '';
in
{
  _file = "synapse-site's module for NixOS";

  options.services.synapse-site = {
    enable = mkEnableOption "a Matrix site in containers";

    site = mkOption {
      type = types.submoduleWith {
        class = "synapse-site";
        modules = [
          sites.module
          { config._module.args.pkgs = lib.mkOptionDefault pkgs; }
        ];
        specialArgs = { inherit (sites) presets; };
      };
      default = { };
      example = literalExpression ''
        { presets, ... }:
        {
          imports = [ presets.behind-proxy ];
          server.server_name = "example.com";
          server.public_baseurl = "https://matrix.example.com/";
        }
      '';
      description = "The description of the site: the options of docs/options.md, or modules that set them.";
    };

    directory = mkOption {
      type = types.nullOr types.path;
      default = null;
      description = "What file options that are text are relative to; one that is a path (`./ca.pem`) needs it not.";
    };

    secrets = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example = {
        ldap_bind_password = "/run/secrets/ldap_bind_password";
      };
      description = ''
        Files of this machine whose content the secrets of these names get at each start, by absolute path: what sops-nix or agenix
        decrypts. Secrets that can be made are made without this, and kept. A path into the store is refused: everybody can read it.
      '';
    };

    packages = mkOption {
      type = types.raw;
      default = packagesFor system;
      defaultText = literalExpression "the nixpkgs that synapse-site pins";
      description = "The package set that images are made of; `pkgs` is that of the system.";
    };

    synapse = mkOption {
      type = types.attrsOf types.raw;
      default = { };
      example = literalExpression "{ extraPlugins = ps: [ ps.matrix-synapse-s3-storage-provider ]; }";
      description = "What Synapse's package is given besides, as `mkSite` takes it.";
    };

    overrides = mkOption {
      type = types.attrsOf (types.attrsOf types.raw);
      default = { };
      description = "Packages in place of those of the images, as `mkSite` takes them.";
    };

    compose = mkOption {
      type = types.listOf types.str;
      default = [
        "docker"
        "compose"
      ];
      description = "The command of Docker Compose.";
    };

    result = mkOption {
      type = types.raw;
      readOnly = true;
      default = site;
      defaultText = literalExpression "mkSite …";
      description = "What `mkSite` gives: `result.bundle`, `result.images`, `result.description`.";
    };
  };

  config = mkIf cfg.enable {
    assertions = lib.mapAttrsToList (name: file: {
      assertion = lib.hasPrefix "/" file && !lib.hasPrefix builtins.storeDir file;
      message = "services.synapse-site.secrets.${name} is ${file}: write the absolute path of a file outside the store, as text, which only root can read";
    }) cfg.secrets;
    inherit (cfg.site) warnings;

    virtualisation.docker.enable = true;
    environment.systemPackages = [ command ];

    systemd.services.synapse-site = {
      description = "The Matrix site ${cfg.site.server.server_name}";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      requires = [ "docker.service" ];
      after = [
        "docker.service"
        "network-online.target"
      ];
      path = [
        config.virtualisation.docker.package
        pkgs.coreutils
        pkgs.diffutils
        pkgs.gnused
      ];
      # A new configuration replaces the containers that it changes, and stops no other.
      reloadIfChanged = true;
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        StateDirectory = "synapse-site";
        StateDirectoryMode = "0700";
        ExecStart = "${start}";
        ExecReload = "${start}";
        ExecStop = "${stop}";
        TimeoutStartSec = "15min";
        TimeoutStopSec = "2min";
      };
    };
  };
}
