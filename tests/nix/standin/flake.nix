# A stand-in for nixpkgs that needs no network: the attributes that images take, made of the locked Debian packages and wheels.
# tests/nix/prepare writes inputs.json and puts what it names into the store.
{
  description = "The attributes of nixpkgs that the images of a site need, made of locked Debian packages and wheels";

  outputs =
    { self }:
    {
      # Of these the locks are for the first; the others evaluate, as another machine's packages do, and are built nowhere.
      legacyPackages = builtins.listToAttrs (
        map
          (system: {
            name = system;
            value = import ./. { inherit system; };
          })
          [
            "x86_64-linux"
            "aarch64-linux"
            "x86_64-darwin"
            "aarch64-darwin"
          ]
      );
    };
}
