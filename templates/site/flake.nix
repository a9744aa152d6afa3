{
  description = "A Matrix site";

  # The place that you have synapse-site from; the pins of its lock come with it.
  inputs.synapse-site.url = "github:OWNER/synapse-site";

  outputs =
    { self, synapse-site }:
    let
      system = "x86_64-linux";
      site = synapse-site.lib.mkSite {
        inherit system;
        modules = [ ./site.nix ];
        directory = ./.;
      };
    in
    {
      # nix build           everything that a target needs, in result/
      # nix build .#images  the archive for `docker load` alone
      packages.${system} = {
        default = site.bundle;
        inherit (site)
          image
          images
          compose
          docs
          ;
      };

      # nix eval --json .#description    what the modules come to; needs no packages
      inherit (site) description;
    };
}
