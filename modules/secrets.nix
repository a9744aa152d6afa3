# Secrets in clear, by the names of their options and in addresses. The tool refuses them too, but only after a derivation would
# have held them. The lists are the tool's own, from the schema; src/site/synapse.rs says the same in Rust.
{
  lib,
  schema,
  # How a path, and an element of a list in it, are written.
  show,
  element,
  split,
}:
let
  inherit (lib) concatLists mapAttrsToList;

  ofSettings = schema.properties.synapse.properties.settings;
  ofDraupnir = (split schema.properties.draupnir).schema.properties.settings;
  members = ofSettings.x-secret-members;
  options = ofSettings.x-secret-options;

  # access_token, access-token and accessToken as one and the same.
  joined = name: lib.toLower (lib.replaceStrings [ "_" "-" ] [ "" "" ] name);
  known = lib.genAttrs (map joined (members ++ options)) (_: true);
  endsIn = ends: name: lib.any (end: lib.hasSuffix end name) ends;
  soundsSecret =
    name:
    let
      plain = joined name;
    in
    known ? ${plain} || endsIn ofSettings.x-secret-ends plain && !endsIn ofSettings.x-switch-ends plain;

  # An address with a password: http://user:password@proxy:3128. Regular expressions of Nix want a stack as long as the text.
  hasPassword =
    text:
    lib.any (rest: builtins.match "[^:/?#[:space:]]*:[^/?#[:space:]]+@.*" (lib.substring 0 1000 rest) != null) (
      lib.tail (lib.splitString "://" text)
    );

  # What nobody sets is null.
  said = settings: if settings == null then { } else settings;

  isWritten = value: lib.isInt value || lib.isFloat value || lib.isString value && value != "";

  # The name that a file under secrets/ could have.
  fileName =
    text:
    let
      plain = lib.stringAsChars (c: if builtins.match "[a-z0-9]" c == null then "_" else c) (lib.toLower text);
      long = lib.stringLength plain - 64;
    in
    if long > 0 then lib.substring long 64 plain else plain;

  readable = "and the store is readable by everybody";
  elsewhere = name: "write { _secret = \"${name}\"; } instead, and put the value into secrets/${name} on the target";

  # Through everything below an option: `isSecret` tells by a member's name, `say` what to do about it.
  walk =
    isSecret: say: path: name: value:
    if isWritten value && isSecret name then
      [ "${show path} is a secret, ${readable}; ${say path name}" ]
    else if lib.isString value then
      lib.optional (hasPassword value) "${show path} holds a password, ${readable}; ${say path name}"
    else if lib.isList value then
      concatLists (lib.imap0 (at: walk isSecret say (path ++ [ (element at) ]) name) value)
    else if lib.isAttrs value then
      concatLists (mapAttrsToList (member: inner: lib.optionals (member != "_secret") (walk isSecret say (path ++ [ member ]) member inner)) value)
    else
      [ ];

  # What modules are told: nobody lists all names of all modules, so all that sound like one are meant. Elsewhere Synapse's names
  # are known, and some only sound so.
  ofModule =
    path: module:
    let
      name = if lib.isString (module.module or null) then module.module else "module";
      # The class is not needed to tell modules apart: my_module.MyModule.
      package = if lib.hasInfix "." name then lib.concatStringsSep "." (lib.init (lib.splitString "." name)) else name;
      own = lib.length path + 1;
      say = inner: _: elsewhere (fileName (lib.concatStringsSep "_" ([ package ] ++ lib.filter (step: !lib.hasPrefix "[" step) (lib.drop own inner))));
    in
    walk exact (_: elsewhere) path null (removeAttrs module [ "config" ])
    ++ walk soundsSecret say (path ++ [ "config" ]) "config" (module.config or null);

  exact = member: lib.elem member members;

  ofOption =
    name: value:
    let
      path = [ "synapse" "settings" name ];
    in
    if lib.elem name options && (value._secret or null) == null then
      [ "${show path} is a secret, ${readable}; leave it out: it has its file, secrets/${name}, on the target" ]
    else if lib.elem name ofSettings.x-modules && lib.isList value then
      concatLists (
        lib.imap0 (
          at: module:
          let
            inner = path ++ [ (element at) ];
          in
          if lib.isAttrs module then ofModule inner module else walk exact (_: elsewhere) inner name module
        ) value
      )
    else if lib.elem name ofSettings.x-modules && lib.isAttrs value then
      ofModule path value
    else
      walk exact (_: elsewhere) path name value;

  # Options whose type takes no address with a password, but says so only when the tool reads the description.
  ofType =
    path: outer: value:
    let
      inherit (split outer) schema;
      more = schema.additionalProperties or true;
      inner = name: schema.properties.${name} or (if lib.isAttrs more then more else { });
    in
    if lib.isString value then
      lib.optional (
        !lib.elem (schema.format or "text") [ "line" "text" ] && hasPassword value
      ) "${show path} holds a password, ${readable}; leave it out"
    else if lib.isList value then
      concatLists (lib.imap0 (at: ofType (path ++ [ (element at) ]) (schema.items or { })) value)
    else if lib.isAttrs value then
      concatLists (mapAttrsToList (name: ofType (path ++ [ name ]) (inner name)) value)
    else
      [ ];
in
values:
ofType [ ] schema values
++ concatLists (mapAttrsToList ofOption (said values.synapse.settings))
++ lib.optionals (values.draupnir != null) (
  walk (member: lib.elem member ofDraupnir.x-secret-members || soundsSecret member) (
    path: _:
    if lib.last path == "accessToken" then
      "leave it out: it is the secret draupnir_access_token"
    else
      "leave it out; Draupnir takes only web.synapseHTTPAntispam.authorization from a file, { _secret = \"draupnir_antispam\"; }"
  ) [ "draupnir" "settings" ] "settings" (said values.draupnir.settings)
)
