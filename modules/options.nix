# From JSON Schema to options. A schema of the tool holds no references; it says "or null" in three ways, and enumerations in
# two. Each option is null when nobody sets it: the default is the tool's, named here in the documentation and written nowhere
# a second time.
{ lib }:
let
  inherit (lib) mkOption types;

  isNull = schema: schema.type or null == "null";

  # A schema without its null, and whether it had one. Annotations outside an `anyOf` win over those of its branch.
  split =
    schema:
    if schema ? anyOf then
      let
        branches = lib.filter (branch: !isNull branch) schema.anyOf;
        rest = removeAttrs schema [ "anyOf" ];
      in
      {
        nullable = lib.any isNull schema.anyOf;
        schema =
          if lib.length branches == 1 then
            (split (lib.head branches)).schema // rest
          else
            rest // { oneOf = branches; };
      }
    else if schema ? oneOf then
      {
        nullable = lib.any isNull schema.oneOf;
        schema = schema // {
          oneOf = lib.filter (branch: !isNull branch) schema.oneOf;
        };
      }
    else if lib.isList (schema.type or null) then
      let
        kinds = lib.remove "null" schema.type;
      in
      {
        nullable = lib.elem "null" schema.type;
        schema = schema // {
          type = if lib.length kinds == 1 then lib.head kinds else kinds;
        }
        // lib.optionalAttrs (schema ? enum) { enum = lib.remove null schema.enum; };
      }
    else
      {
        nullable = false;
        inherit schema;
      };

  choices =
    schema:
    if schema ? enum then
      schema.enum
    else if schema ? oneOf && lib.all (branch: branch ? const) schema.oneOf then
      map (branch: branch.const) schema.oneOf
    else
      null;

  # Nested options instead of one that holds a submodule: messages then name the innermost option.
  isSection =
    schema:
    let
      inner = split schema;
    in
    !inner.nullable
    && inner.schema.type or null == "object"
    && inner.schema ? properties
    && inner.schema.additionalProperties or true == false;

  named = type: description: type // { inherit description; descriptionClass = "noun"; };

  exampleOf = schema: if schema ? examples then lib.head schema.examples else null;

  # What JSON can hold. A path is not among it: it would be copied into the store, where everybody can read it.
  json = named (types.nullOr (
    types.oneOf [
      types.bool
      types.int
      types.float
      types.str
      (types.listOf json)
      (types.attrsOf json)
    ]
  )) "value of JSON (never a path, which would copy the file into the store; a secret is { _secret = \"its name\"; })";

  file = lib.mkOptionType {
    name = "file";
    description = "path of a file (./ca.pem, or text, relative to the description)";
    descriptionClass = "noun";
    check = value: lib.isString value || lib.isPath value;
    merge = lib.mergeEqualOption;
  };

  directory = file // {
    name = "directory";
    description = "path of a directory (./templates, or text, relative to the description)";
  };

  text =
    schema:
    let
      example = exampleOf schema;
      such = lib.optionalString (example != null) ", such as ${builtins.toJSON example}";
    in
    if schema.format or null == "file" then
      file
    else if schema.format or null == "directory" then
      directory
    else if schema ? format && schema.format != "line" && schema.format != "text" then
      named types.str "string (${schema.format}${such})"
    else
      types.str;

  number =
    { between, any, unsigned }:
    schema:
    if schema ? minimum && schema ? maximum then
      between schema.minimum schema.maximum
    else if schema ? minimum && schema.minimum >= 0 then
      unsigned
    else
      any;

  typeOf =
    outer:
    let
      inherit (split outer) nullable schema;
      type = bare schema;
    in
    if nullable then types.nullOr type else type;

  bare =
    schema:
    let
      kind = schema.type or null;
      values = choices schema;
    in
    if values != null then
      types.enum values
    else if lib.isList kind then
      types.oneOf (map (one: bare (schema // { type = one; })) kind)
    else if schema ? oneOf then
      types.oneOf (map typeOf schema.oneOf)
    else if kind == "boolean" then
      types.bool
    else if kind == "integer" then
      number {
        inherit (types.ints) between unsigned;
        any = types.int;
      } schema
    else if kind == "number" then
      number {
        inherit (types.numbers) between;
        unsigned = types.numbers.nonnegative;
        any = types.number;
      } schema
    else if kind == "string" then
      text schema
    else if kind == "array" then
      types.listOf (if schema ? items then typeOf schema.items else json)
    else if kind == "object" then
      set schema
    else
      json;

  set =
    schema:
    let
      more = schema.additionalProperties or true;
      freeform = if more == true then json else typeOf more;
    in
    if schema ? properties then
      types.submodule (
        {
          options = sectionsOf schema;
        }
        // lib.optionalAttrs (more != false) { freeformType = types.attrsOf freeform; }
      )
    else
      types.attrsOf freeform;

  # The options of an object, by name.
  sectionsOf = schema: lib.mapAttrs (name: property: if isSection property then sectionsOf property else option (lib.elem name (schema.required or [ ])) property) schema.properties;

  option =
    required: outer:
    let
      inherit (split outer) schema;
      type = bare schema;
      described = lib.filter (branch: branch ? const && branch ? description) (schema.oneOf or [ ]);
      list = map (branch: "- `${builtins.toJSON branch.const}`: ${branch.description}") described;
      shown = lib.generators.toPretty { } outer.default;
    in
    mkOption (
      {
        type = if type.name == "nullOr" then type else types.nullOr type;
        default = null;
        description = lib.concatStringsSep "\n" ([ (schema.description or "") ] ++ lib.optional (list != [ ]) "" ++ list);
      }
      // (
        if required then
          { defaultText = lib.literalMD "none: it has to be said"; }
        else
          lib.optionalAttrs (outer.default or null != null) { defaultText = lib.literalExpression shown; }
      )
      // lib.optionalAttrs (exampleOf schema != null) { example = exampleOf schema; }
    );
in
{
  inherit
    sectionsOf
    split
    isSection
    exampleOf
    ;
}
