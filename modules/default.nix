# Everything that needs nothing but nixpkgs' `lib`: the options of a site, presets for common ones, and the evaluation of a
# site that is written as modules into the plain description that the tool takes.
{ lib }:
# Earlier ones lack what the evaluation wants, and would say so in words that help nobody.
if builtins.compareVersions builtins.nixVersion "2.8" < 0 then
  throw "this is Nix ${builtins.nixVersion}; a site wants Nix 2.8 or later (Debian 12 packages 2.8, as nix-bin)"
else
let
  schema = lib.importJSON ./schema.json;
in
{
  inherit schema;

  # The module that declares the options, for an evaluation of one's own.
  module = import ./site.nix { inherit lib schema; };

  # Plain modules to import. They set what they set with `mkDefault`, so that a site has the last word.
  presets = import ./presets;

  evaluate = import ./evaluate.nix { inherit lib schema; };

  # The option reference as Markdown, from evaluated options.
  reference = import ./reference.nix { inherit lib; };
}
