# A stand-in for nixpkgs that needs no network: the attributes that images take, made of the locked Debian packages and wheels.
# tests/nix/prepare writes inputs.json and puts what it names into the store.
{
  description = "The attributes of nixpkgs that the images of a site need, made of locked Debian packages and wheels";

  outputs =
    { self }:
    {
      legacyPackages = {
        x86_64-linux = import ./. { system = "x86_64-linux"; };
        # Evaluates, as another machine's packages do; what it comes to is built nowhere, since the locks are for the one above.
        aarch64-linux = import ./. { system = "aarch64-linux"; };
      };
    };
}
