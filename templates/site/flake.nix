{
  description = "A Matrix site";

  # Where synapse-site is, the registry knows: `nix registry add synapse-site PLACE`, once. flake.lock then names the place and the
  # state that were found, so that other machines ask no registry. Its pins come with it.
  inputs.synapse-site.url = "flake:synapse-site";

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
