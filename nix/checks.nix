# What `nix flake check` proves without a container engine: every example and every preset evaluates to a description, and the
# example's images build. The whole test suite is `make test`.
{
  lib,
  sites,
  system,
  self,
}:
let
  write =
    name: value:
    import ./write.nix {
      inherit system;
      name = "${name}.json";
      text = builtins.toJSON value + "\n";
    };
  least = {
    server.server_name = "example.com";
    server.public_baseurl = "https://matrix.example.com/";
  };
  # What a preset asks for besides.
  wanted.ldap.ldap = {
    uri = "ldaps://ldap.example.com";
    base = "dc=example,dc=com";
  };
  ofPreset =
    name: preset:
    (sites.evaluate {
      modules = [
        least
        preset
        (wanted.${name} or { })
      ];
    }).description;
in
{
  examples = write "examples" (lib.mapAttrs (_: site: site.description) self.lib.examples);
  presets = write "presets" (lib.mapAttrs ofPreset sites.presets);
  reference = self.packages.${system}.docs;
  bundle = self.packages.${system}.bundle;
}
