# Modules in, description out. The description is what the tool takes as site.json: options that nobody set are absent from it,
# so that the tool's defaults hold, and everything that a store must not see is refused before a derivation can hold it.
{ lib, schema }:
{
  # Modules, attribute sets or paths of them.
  modules ? [ ],
  # `{ config, options }` of an evaluation that took place elsewhere, in the place of modules: a submodule of NixOS.
  evaluation ? null,
  # Arguments for all modules, usable in `imports` too.
  specialArgs ? { },
  # Packages, for modules that ask for them; a description needs none.
  pkgs ? throw "this site is evaluated without packages: a description needs none, leave `pkgs` out of the module's arguments",
  # Path or text of a file option → the name that the description has for it.
  nameOf ? toString,
}:
let
  inherit (lib) concatLists concatMapStrings mapAttrsToList;
  inherit (import ./options.nix { inherit lib; }) split isSection exampleOf;

  here = lib.evalModules {
    class = "synapse-site";
    modules = [
      (import ./site.nix { inherit lib schema; })
      {
        _file = "synapse-site";
        config._module.args.pkgs = lib.mkOptionDefault pkgs;
      }
    ]
    ++ modules;
    specialArgs = {
      presets = import ./presets;
    }
    // specialArgs;
  };

  inherit (if evaluation == null then here else evaluation) config options;

  # Where something stands: server.server_name, or oidc.oidc_providers[0].issuer.
  element = at: "[${toString at}]";
  show = path: lib.replaceStrings [ ".\"[" "]\"" ] [ "[" "]" ] (lib.showOption path);
  # How it is written there: an element of a list has no path that could be defined.
  write = path: value: "${if lib.any (lib.hasPrefix "[") path then lib.last path else show path} = ${value};";

  values = removeAttrs config [
    "assertions"
    "warnings"
  ];

  # The value of an option as the description says it.
  clean =
    outer: value:
    let
      inherit (split outer) schema;
      present = lib.filterAttrs (_: member: member != null) (
        lib.mapAttrs (
          name: member:
          if schema.properties ? ${name} then
            tidy schema.properties.${name} member
          else if lib.isAttrs (schema.additionalProperties or true) then
            clean schema.additionalProperties member
          else
            member
        ) value
      );
      # A section in which nothing is said says nothing.
      tidy =
        property: member:
        let
          cleaned = clean property member;
        in
        if isSection property && cleaned == { } then null else cleaned;
    in
    if value == null then
      null
    else if isFile schema then
      nameOf value
    else if lib.isList value && schema ? items then
      map (clean schema.items) value
    else if lib.isAttrs value && schema ? properties then
      present
    else if lib.isAttrs value && lib.isAttrs (schema.additionalProperties or true) then
      lib.mapAttrs (_: clean schema.additionalProperties) value
    else
      value;

  isFile = schema: lib.elem (schema.format or null) [ "file" "directory" ];

  # The files that the description names: `{ name, value }`, the value as the module said it.
  named =
    outer: value:
    let
      inherit (split outer) schema;
    in
    if value == null then
      [ ]
    else if isFile schema then
      [
        {
          name = nameOf value;
          inherit value;
        }
      ]
    else if lib.isList value && schema ? items then
      lib.concatMap (named schema.items) value
    else if lib.isAttrs value && schema ? properties then
      concatLists (mapAttrsToList (name: property: named property (value.${name} or null)) schema.properties)
    else if lib.isAttrs value && lib.isAttrs (schema.additionalProperties or true) then
      concatLists (mapAttrsToList (_: named schema.additionalProperties) value)
    else
      [ ];

  # Options that have to be said and are not.
  missing =
    path: outer: value:
    let
      inherit (split outer) schema;
    in
    if lib.isList value && schema ? items then
      concatLists (lib.imap0 (at: missing (path ++ [ (element at) ]) schema.items) value)
    else if lib.isAttrs value && schema ? properties then
      concatLists (
        mapAttrsToList (
          name: property:
          let
            here = path ++ [ name ];
            member = value.${name} or null;
            example = exampleOf (split property).schema;
            say = lib.optionalString (example != null) "; write for example ${write here (lib.generators.toPretty { } example)}";
          in
          if member == null then
            lib.optional (lib.elem name (schema.required or [ ])) "${show here} is missing: ${firstSentence (property.description or "")}${say}"
          else
            missing here property member
        ) schema.properties
      )
    else if lib.isAttrs value && lib.isAttrs (schema.additionalProperties or true) then
      concatLists (mapAttrsToList (name: missing (path ++ [ name ]) schema.additionalProperties) value)
    else
      [ ];

  firstSentence = description: lib.head (lib.splitString ". " (lib.replaceStrings [ "\n" ] [ " " ] (lib.removeSuffix "." description)));

  # What must not be in a description at all. A context is a reference into the store, which only files may have; and numbers
  # have to mean the same with every Nix, of which early ones write six digits.
  foreign =
    path: outer: value:
    let
      inherit (split outer) schema;
      more = schema.additionalProperties or { };
      inner = name: schema.properties.${name} or (if lib.isAttrs more then more else { });
    in
    if isFile schema then
      [ ]
    else if lib.isString value then
      lib.optional (builtins.hasContext value) "${show path} refers to the store (${builtins.unsafeDiscardStringContext value}): images take no file from there, and everybody can read it; a secret is { _secret = \"its name\"; }"
    else if lib.isFloat value then
      lib.optional (
        builtins.fromJSON (builtins.toJSON value) != value
      ) "${show path} is a number that this Nix rounds to ${builtins.toJSON value}; write it with at most six digits, or take a later Nix"
    else if lib.isList value then
      concatLists (lib.imap0 (at: foreign (path ++ [ (element at) ]) (schema.items or { })) value)
    else if lib.isDerivation value then
      [ "${show path} is a package; a description holds plain values" ]
    else if lib.isAttrs value then
      concatLists (mapAttrsToList (name: foreign (path ++ [ name ]) (inner name)) value)
    else
      [ ];

  secrets = import ./secrets.nix { inherit lib schema show element split; };
  broken = map (assertion: assertion.message) (lib.filter (assertion: !assertion.assertion) config.assertions);
  refuse = problems: result: if problems == [ ] then result else throw "the site is refused:${concatMapStrings (problem: "\n- ${problem}") problems}";

  stranger = foreign [ ] schema values;
  cleaned = clean schema values;
in
{
  inherit config options;
  inherit (config) warnings;
  files = lib.listToAttrs (named schema values);

  # For the tool itself, which finds what is missing and what is secret with its own words, codes and all at once.
  unchecked = refuse (broken ++ stranger) cleaned;

  # For derivations.
  description = refuse (
    broken ++ missing [ ] schema values ++ stranger ++ secrets values
  ) cleaned;
}
