# The images of a site from the stand-in. `request` is a JSON file: description, files by name, and the versions to pretend.
{
  standin,
  request,
  system ? "x86_64-linux",
}:
let
  given = builtins.fromJSON (builtins.readFile request);
  pkgs = import (/. + standin) { inherit system; };
in
import ../../nix/images.nix (
  {
    inherit pkgs system;
    inherit (given) description;
    tool = import ../../nix/tool.nix { inherit pkgs; };
    files = builtins.mapAttrs (name: file: builtins.path {
      name = "file";
      path = /. + file;
    }) (given.files or { });
  }
  // (
    if given ? synapse_version then
      {
        overrides.synapse.matrix-synapse =
          old:
          old.override (before: {
            matrix-synapse-unwrapped = before.matrix-synapse-unwrapped // {
              version = given.synapse_version;
            };
          });
      }
    else
      { }
  )
  // (if given ? overrides then { inherit (given) overrides; } else { })
)
