{
  description = "One description of a Matrix site in, reproducible container images and a compose manifest out";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    # The module system alone: a site is evaluated and checked without fetching all of nixpkgs.
    nixpkgs-lib.url = "github:nix-community/nixpkgs.lib";
  };

  outputs =
    {
      self,
      nixpkgs,
      nixpkgs-lib,
    }:
    let
      lib = nixpkgs-lib.lib;
      # Images are for Linux, and put together there.
      linux = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      # A Mac has the tool, to check and to render, and hands the building of images to its Linux builder.
      macs = {
        x86_64-darwin = "x86_64-linux";
        aarch64-darwin = "aarch64-linux";
      };
      everywhere = linux ++ lib.attrNames macs;
      # Every output is a thunk: one that needs no packages never touches nixpkgs.
      perLinux = lib.genAttrs linux;
      perSystem = lib.genAttrs everywhere;
      packagesFor = system: nixpkgs.legacyPackages.${system};

      sites = import ./modules { inherit lib; };
      toolIn = perSystem (system: import ./nix/tool.nix { pkgs = packagesFor system; });
      mkSite = import ./nix/site.nix {
        inherit lib sites packagesFor;
        toolFor = system: toolIn.${system};
      };
      examples.example = ./examples/example.com;
      exampleFor =
        system: directory:
        mkSite {
          inherit system directory;
          modules = [ (directory + "/site.nix") ];
        };
      guardFor =
        pkgs:
        import ./nix/directory-guard.nix {
          inherit (pkgs.matrix-synapse-unwrapped) python;
          inherit (pkgs) writeTextDir;
        };

      packagesOn =
        system:
        let
          site = exampleFor system examples.example;
        in
        {
          synapse-site = toolIn.${system};
          # The same derivation: both programs are static and travel together.
          launch = toolIn.${system};
          directory-guard = guardFor (packagesFor system);
          inherit (site)
            image
            images
            configuration
            compose
            bundle
            docs
            ;
          default = site.bundle;
        };
    in
    {
      lib = {
        inherit mkSite perSystem;
        inherit (sites)
          evaluate
          module
          presets
          reference
          ;
        # The Python module that looks after accounts of a directory, for the Synapse of a package set.
        directoryGuard = guardFor;
        # What needs no packages, of every example: `nix eval .#lib.examples.example.description`.
        examples = lib.mapAttrs (_: exampleFor "x86_64-linux") examples;
      };

      packages =
        perLinux packagesOn // lib.mapAttrs (mac: linux: packagesOn linux // { synapse-site = toolIn.${mac}; }) macs;

      overlays.default = import ./nix/overlay.nix;
      nixosModules.default = import ./nix/nixos.nix { inherit sites mkSite packagesFor; };
      flakeModules.default = import ./nix/flake-module.nix { inherit mkSite; };

      templates = {
        default = {
          path = ./templates/site;
          description = "A Matrix site as a module, with its own lock";
        };
        several = {
          path = ./templates/several;
          description = "Several Matrix sites that share what they have in common";
        };
      };

      checks = perLinux (
        system:
        import ./nix/checks.nix {
          inherit
            lib
            sites
            system
            self
            ;
        }
      );

      apps = perSystem (system: {
        default = {
          type = "app";
          program = "${toolIn.${system}}/bin/synapse-site";
          meta.description = "Checks, renders and builds a description of a Matrix site";
        };
      });

      devShells = perSystem (system: {
        default = import ./nix/shell.nix { pkgs = packagesFor system; };
      });

      formatter = perSystem (system: (packagesFor system).nixfmt-tree);
    };
}
