# The packages that the images of a site are made of: those that image.toml names, or others in their place, each with what the
# site needs of it added. Everything that cannot be is an error here, before anything is built.
{
  pkgs,
  # The tables of images/*/image.toml.
  specs,
  # The images to find packages for.
  images,
  # Packages in place of those of image.toml, or functions of them: { synapse.matrix-synapse = old: …; }
  overrides,
  # What the site adds to Synapse: a function from Python packages to modules, and names of Synapse's own extras.
  extraPlugins,
  extraExtras,
}:
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    elem
    elemAt
    filter
    foldl'
    isAttrs
    isFunction
    isList
    isString
    mapAttrs
    split
    ;

  file = image: "images/${image}/image.toml";
  parts = path: filter isString (split "\\." path);
  nameOf = package: package.pname or (builtins.parseDrvName (package.name or "")).name;

  # An attribute by its path with dots, or an error that says who asks for it.
  attribute =
    asker: path:
    foldl' (
      set: name:
      set.${name}
        or (throw "this nixpkgs has no attribute `${path}`, which ${asker} names; take another nixpkgs, or give the package in `overrides`")
    ) pkgs (parts path);

  # The interpreter that a package runs on.
  pythonOf = package: package.unwrapped.python or package.python or pkgs.matrix-synapse-unwrapped.python;

  # Python packages by name: those of the interpreter, Synapse's plug-ins, and this project's own.
  modulesFor =
    package:
    let
      python = pythonOf package;
    in
    python.pkgs
    // (package.unwrapped.plugins or package.plugins or pkgs.matrix-synapse-plugins or { })
    // {
      synapse-site-directory = import ./directory-guard.nix {
        inherit python;
        inherit (pkgs) writeTextDir;
      };
    };

  # nixpkgs leaves a module of another interpreter out of the wrapper without a word.
  fitting =
    package: asker: module:
    let
      python = pythonOf package;
      given = "${asker}: `${nameOf module}`";
      remedy = "take it from the function's argument, as in `synapse.extraPlugins = ps: [ ps.${nameOf module} ];`, or make it with `ps.buildPythonPackage`";
    in
    if !isAttrs module then
      throw "${asker} holds something that is no package; ${remedy}"
    else if !(module ? pythonModule) || !isAttrs module.pythonModule then
      throw "${given} is no Python module; ${remedy}"
    else if module.pythonModule.outPath != python.outPath then
      throw "${given} is a module of Python ${module.pythonModule.pythonVersion or "(unknown)"}, and this Synapse runs on Python ${python.pythonVersion or "(unknown)"}, which could not import it; ${remedy}"
    else
      module;

  # The extras that Synapse has, where its package says so.
  knownExtras = package: package.unwrapped.optional-dependencies or package.optional-dependencies or null;
  extra =
    package: asker: name:
    let
      known = knownExtras package;
    in
    if known == null || known ? ${name} then
      name
    else
      throw "${asker}: Synapse has no extra `${toString name}`, but ${toString (attrNames known)}";

  called = one: if isAttrs one then nameOf one else one;
  without = names: filter (one: !elem (called one) (map called names));

  # What a list argument had, what the site says, which wins over one of the same name, and what the image needs besides.
  joined =
    had: said: needed:
    let
      before = without said had ++ said;
    in
    before ++ without before needed;

  # The arguments of a package's `override`, as far as it says.
  accepts =
    package: argument:
    let
      known = package.override.__functionArgs or { };
    in
    known == { } || known ? ${argument};

  # A package with lists of arguments added to those that it was made with; an overlay's plug-ins stay.
  extended =
    asker: package: said: needed:
    let
      lists = mapAttrs (argument: joined [ ] (said.${argument} or [ ])) needed;
      unknown = filter (argument: !accepts package argument) (attrNames lists);
      needs = concatStringsSep ", " (concatMap (argument: map called lists.${argument}) (attrNames lists));
      remedy = "give a package that `override` was not taken from, as in `overrides.synapse.matrix-synapse = old: old.override { … };`";
    in
    if attrNames lists == [ ] then
      package
    else if !(package ? override) then
      throw "the package `${nameOf package}` for ${asker} has no `override`, so what the site needs (${needs}) cannot be added to it; ${remedy}"
    else if unknown != [ ] then
      throw "the package `${nameOf package}` for ${asker} takes no argument `${builtins.head unknown}`, so what the site needs (${needs}) cannot be added to it; ${remedy}"
    else
      package.override (
        previous: mapAttrs (argument: joined (previous.${argument} or [ ]) (said.${argument} or [ ])) needed
      );

  ofSynapse = image: name: image == "synapse" && name == "matrix-synapse";

  package =
    image: name: spec:
    let
      asker = "${file image}, [nix.package.${name}]";
      plain = attribute asker spec.attribute;
      replacement = overrides.${image}.${name} or plain;
      given = if isFunction replacement then replacement plain else replacement;

      modules = modulesFor given;
      module =
        path:
        foldl' (
          set: part:
          set.${part}
            or (throw "this nixpkgs has no Python package `${path}` for Synapse, which ${asker} names; take another nixpkgs, or add it with an overlay")
        ) modules (parts path);
      plugins = if isFunction extraPlugins then extraPlugins modules else extraPlugins;

      needed = (spec.override or { }) // mapAttrs (_: map module) (spec.override-python or { });
      said =
        if !ofSynapse image name then
          { }
        else if !isList plugins then
          throw "synapse.extraPlugins has to give a list, as in `ps: [ ps.matrix-synapse-s3-storage-provider ]`"
        else
          {
            plugins = map (fitting given "synapse.extraPlugins") plugins;
            extras = map (extra given "synapse.extraExtras") extraExtras;
          };
    in
    extended asker given said needed;

  # A misspelt name would leave the package of nixpkgs in the image without a word.
  misplaced =
    let
      names = image: attrNames (specs.${image}.nix.package or { });
      wrong =
        image:
        if specs ? ${image} then
          map (name: "overrides.${image}.${name}: ${file image} takes no such package, but ${toString (names image)}") (
            filter (name: !elem name (names image)) (attrNames overrides.${image})
          )
        else
          [ "overrides.${image}: there is no such image; there are ${toString (attrNames specs)}" ];
    in
    concatMap wrong (attrNames overrides);

  found = mapAttrs (image: spec: mapAttrs (package image) (spec.nix.package or { })) (
    removeAttrs specs (filter (name: !elem name images) (attrNames specs))
  );
in
if misplaced != [ ] then throw (concatStringsSep "\n" misplaced) else found
