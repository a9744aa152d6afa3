# The module that declares what a site may say. The options come from the JSON Schema of the tool's own types; what is added
# here are the two options that every module system user looks for, and they never leave the evaluation.
{ lib, schema }:
let
  inherit (lib) mkOption types;
in
{
  _file = "the options of synapse-site";

  options = (import ./options.nix { inherit lib; }).sectionsOf schema // {
    assertions = mkOption {
      type = types.listOf (
        types.submodule {
          options.assertion = mkOption {
            type = types.bool;
            description = "What has to hold.";
          };
          options.message = mkOption {
            type = types.str;
            description = "What to tell when it does not.";
          };
        }
      );
      default = [ ];
      internal = true;
      description = "Conditions of the site's own modules; one that does not hold ends the evaluation with its message.";
    };
    warnings = mkOption {
      type = types.listOf types.str;
      default = [ ];
      internal = true;
      description = "Messages of the site's own modules that are shown and end nothing.";
    };
  };
}
