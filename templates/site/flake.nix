{
  description = "A Matrix site";

  # flake.lock names the state of synapse-site that was found here, and with it the pins of nixpkgs.
  inputs.synapse-site.url = "git+https://git.example.org/synapse-site";

  outputs =
    { self, synapse-site }:
    let
      site = synapse-site.lib.mkSite {
        # The machine that the images are for.
        system = "x86_64-linux";
        modules = [ ./site.nix ];
        directory = ./.;
      };
    in
    {
      # nix build                  everything that a target needs, in result/
      # nix build .#images         the archive for `docker load` alone
      # nix build .#configuration  the files that services are configured with, without packages: to check and to compare
      packages = synapse-site.lib.perSystem (_: {
        default = site.bundle;
        inherit (site)
          image
          images
          configuration
          compose
          docs
          ;
      });

      # nix eval --json .#lib.description    what the modules come to; needs no packages
      lib = { inherit (site) description warnings; };
    };
}
