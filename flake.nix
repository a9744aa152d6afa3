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
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      # Every output is a thunk: one that needs no packages never touches nixpkgs.
      perSystem = function: lib.genAttrs systems function;
      sites = import ./modules { inherit lib; };

      mkSite = import ./nix/site.nix {
        inherit lib sites;
        packagesFor = system: nixpkgs.legacyPackages.${system};
        toolFor = system: self.packages.${system}.synapse-site;
      };
      example =
        system:
        mkSite {
          inherit system;
          modules = [ ./examples/example.com/site.nix ];
          directory = ./examples/example.com;
        };
      toolIn = system: import ./nix/tool.nix { pkgs = nixpkgs.legacyPackages.${system}; };
    in
    {
      lib = {
        inherit mkSite;
        inherit (sites)
          evaluate
          module
          presets
          reference
          ;
        # What needs no packages, of every example: `nix eval .#lib.examples.example.description`.
        examples = lib.mapAttrs (
          _: directory:
          mkSite {
            modules = [ (directory + "/site.nix") ];
            inherit directory;
          }
        ) { example = ./examples/example.com; };
      };

      packages = perSystem (
        system:
        let
          site = example system;
        in
        {
          synapse-site = toolIn system;
          # The same derivation: both programs are static and travel together.
          launch = toolIn system;
          inherit (site)
            image
            images
            compose
            bundle
            docs
            ;
          default = site.bundle;
        }
      );

      templates.default = {
        path = ./templates/site;
        description = "A Matrix site as a module, with its own lock";
      };

      checks = perSystem (
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
          program = "${toolIn system}/bin/synapse-site";
        };
      });

      devShells = perSystem (system: {
        default = import ./nix/shell.nix { pkgs = nixpkgs.legacyPackages.${system}; };
      });

      formatter = perSystem (system: nixpkgs.legacyPackages.${system}.nixfmt-tree);
    };
}
