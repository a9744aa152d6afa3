# The images of a site, made of nixpkgs. Takes a package set, the tool (static; its `bin` has synapse-site and launch) and a
# description as a plain value; gives derivations whose builder is the tool itself: no stdenv, no shell, one pass over the closure.
#
# What an image holds of nixpkgs is in its definition, images/NAME/image.toml, under [nix]; the tool reads the same file.
{
  pkgs,
  tool,
  description,
  system ? pkgs.stdenv.hostPlatform.system,
  # Files that the description names (ldap.ca_certificate), by the names that it uses.
  files ? { },
  # Packages in place of those of the definitions: { synapse.matrix-synapse = myPackage; }
  overrides ? { },
  # The images whose packages the site needs; null means all. Images of services that the description turns off are not built in
  # any case: a list only spares fetching what they would need.
  services ? null,
  # The directory of image definitions.
  definitions ? ../images,
}:
let
  inherit (builtins)
    attrNames
    concatLists
    concatMap
    elem
    filter
    foldl'
    isString
    map
    mapAttrs
    split
    ;

  specs =
    let
      entries = builtins.readDir definitions;
      read = name: builtins.fromTOML (builtins.readFile (definitions + "/${name}/image.toml"));
    in
    mapAttrs (name: _: read name) (removeAttrs entries (filter (name: entries.${name} != "directory") (attrNames entries)));

  # Locks are for the other source of packages: a change of theirs changes no derivation.
  definitionsOnly = builtins.path {
    name = "image-definitions";
    path = definitions;
    filter = path: type: type == "directory" || baseNameOf path == "image.toml";
  };

  # Python modules of this project, by the names that definitions use: a plug-in is the only way past the wrapper of a program.
  ours.synapse-site-directory =
    let
      inherit (pkgs.matrix-synapse-unwrapped) python;
      module = builtins.readFile ../src/render/synapse/directory.py;
    in
    python.pkgs.toPythonModule (pkgs.writeTextDir "${python.sitePackages}/synapse_site_directory.py" module);

  # An attribute by its path with dots, or an error that says who asks for it.
  attribute =
    asker: path:
    ours.${path} or (foldl' (
      set: name:
      set.${name} or (throw "this nixpkgs has no attribute `${path}`, which ${asker} names; take another nixpkgs, or give the package in `overrides`")
    ) pkgs (filter isString (split "\\." path)));

  package =
    image: name: spec:
    let
      asker = "images/${image}/image.toml, [nix.package.${name}]";
      plain = attribute asker spec.attribute;
      arguments = (spec.override or { }) // mapAttrs (_: map (attribute asker)) (spec.override-packages or { });
      made =
        if arguments == { } then
          plain
        else if plain ? override then
          plain.override arguments
        else
          throw "the package `${spec.attribute}` cannot be overridden as ${asker} wants";
    in
    overrides.${image}.${name} or made;

  withBases = names: names ++ concatMap (name: if specs.${name} ? from then withBases [ specs.${name}.from ] else [ ]) names;
  wanted = withBases (if services == null then filter (name: specs.${name} ? user) (attrNames specs) else services);

  packages =
    if misplaced != [ ] then
      throw (builtins.concatStringsSep "\n" misplaced)
    else
      mapAttrs (image: spec: mapAttrs (package image) (spec.nix.package or { })) (
        removeAttrs specs (filter (name: !elem name wanted) (attrNames specs))
      );

  # A misspelt name would leave the package of nixpkgs in the image without a word.
  misplaced =
    let
      names = image: attrNames (specs.${image}.nix.package or { });
      wrong =
        image:
        if specs ? ${image} then
          map (name: "overrides.${image}.${name}: images/${image}/image.toml takes no such package, but ${toString (names image)}") (
            filter (name: !elem name (names image)) (attrNames overrides.${image})
          )
        else
          [ "overrides.${image}: there is no such image; there are ${toString (attrNames specs)}" ];
    in
    concatMap wrong (attrNames overrides);

  closure = concatLists (map (image: map (name: "${packages.${image}.${name}}") (attrNames packages.${image})) (attrNames packages));

  build =
    part: suffix:
    derivation {
      name = "${description.server.server_name or "site"}-${suffix}";
      inherit system;
      builder = "${tool}/bin/synapse-site";
      args = [ "nix-builder" ];
      __structuredAttrs = true;
      exportReferencesGraph = { inherit closure; };
      # The archive names store paths, but holds them itself: it keeps nothing alive. Nix before 2.14 does not know this.
      unsafeDiscardReferences.out = true;
      request = {
        format = 1;
        inherit part system description;
        files = mapAttrs (_: file: "${file}") files;
        definitions = "${definitionsOnly}";
        packages = mapAttrs (_: mapAttrs (_: package: { path = "${package}"; version = package.version or ""; })) packages;
      };
    };

  # One file of a derivation as a derivation of its own.
  take =
    from: file: suffix:
    derivation {
      name = "${description.server.server_name or "site"}-${suffix}";
      inherit system;
      builder = "${tool}/bin/synapse-site";
      args = [ "nix-builder" "--take" "${from}/${file}" ];
      __structuredAttrs = true;
      unsafeDiscardReferences.out = true;
    };

in
rec {
  # Everything that a target needs: images.tar, compose.yaml, secrets.example, well-known, sbom, site.json.
  bundle = build "bundle" "bundle";
  # The archive of all images.
  images = take bundle "images.tar" "images.tar";
  # The archive of Synapse's image.
  image = build "image" "image.tar";
  # The manifest for these images.
  compose = take bundle "compose.yaml" "compose.yaml";
  # The packages by image and name, as they go into the images.
  inherit packages;
}
