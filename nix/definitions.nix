# What images/*/image.toml say, for Nix: the tables themselves, and which of the images a site has.
{
  # The directory of image definitions.
  definitions,
  # The JSON Schema of a description, for the defaults of options.
  schema,
}:
let
  inherit (builtins)
    all
    attrNames
    concatMap
    elem
    filter
    foldl'
    isString
    mapAttrs
    split
    ;

  entries = builtins.readDir definitions;
  read = name: builtins.fromTOML (builtins.readFile (definitions + "/${name}/image.toml"));

  specs = mapAttrs (name: _: read name) (
    removeAttrs entries (filter (name: entries.${name} != "directory") (attrNames entries))
  );

  parts = path: filter isString (split "\\." path);

  # What an option comes to, by its path with dots: what the description says, or else the default of the schema.
  option =
    description: path:
    let
      default = (foldl' (at: name: at.properties.${name}) schema (parts path)).default;
      found = foldl' (at: name: if at == null then null else at.${name} or null) description (parts path);
    in
    if found == null then default else found;

  holds = description: conditions: all (path: option description path == conditions.${path}) (attrNames conditions);

  # An image and those that it is built from.
  withBase = name: [ name ] ++ (if specs.${name} ? from then withBase specs.${name}.from else [ ]);
in
{
  inherit specs;

  # The images of a site, with those that they are built from.
  imagesOf =
    description:
    let
      services = filter (name: specs.${name} ? user && holds description (specs.${name}.nix.when or { })) (attrNames specs);
      wanted = concatMap withBase services;
    in
    filter (name: elem name wanted) (attrNames specs);

  # One image, with those that it is built from.
  inherit withBase;
}
