{
  description = "Several Matrix sites";

  # flake.lock names the state of synapse-site that was found here, and with it the pins of nixpkgs.
  inputs.synapse-site.url = "git+https://git.example.org/synapse-site";

  outputs =
    { self, synapse-site }:
    let
      site =
        modules:
        synapse-site.lib.mkSite {
          system = "x86_64-linux";
          modules = [ ./common.nix ] ++ modules;
          directory = ./.;
        };
      sites = {
        example-com = site [ ./sites/example.com.nix ];
        example-org = site [ ./sites/example.org.nix ];
      };
    in
    {
      # nix build .#example-com              everything that its target needs, in result/
      # nix build .#example-com.site.images  the archive for `docker load` alone
      packages = synapse-site.lib.perSystem (_: builtins.mapAttrs (_: site: site.bundle) sites);

      # nix eval --json .#lib.example-com.description    what the modules come to; needs no packages
      lib = builtins.mapAttrs (_: site: { inherit (site) description warnings; }) sites;
    };
}
