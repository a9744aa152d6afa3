# The images of a site, made of nixpkgs. Takes a package set, the tool (static; its `bin` has synapse-site and launch) and a
# description as a plain value; gives derivations whose builder is the tool itself: no stdenv, no shell, one pass over the closure.
#
# What an image holds of nixpkgs is in its definition, images/NAME/image.toml, under [nix]; the tool reads the same file. Packages of
# services that the description turns off are not asked for, and Synapse's image alone asks for those of no other.
{
  pkgs,
  # The tool for the machine that builds, which `buildSystem` names.
  tool,
  description,
  # Nix's name of the machine that the images are for.
  system ? pkgs.stdenv.hostPlatform.system,
  buildSystem ? system,
  # A directory with `bin/launch`, the entry point, for the machine that the images are for.
  launch ? tool,
  # Files that the description names (ldap.ca_certificate), by the names that it uses.
  files ? { },
  # See packages.nix.
  overrides ? { },
  extraPlugins ? (_: [ ]),
  extraExtras ? [ ],
  # What is added to every derivation, for those who read it in Nix.
  passthru ? { },
  meta ? { },
  # The directory of image definitions, and the schema of a description.
  definitions ? ../images,
  schema ? builtins.fromJSON (builtins.readFile ../modules/schema.json),
}:
let
  inherit (builtins)
    attrNames
    concatLists
    elem
    filter
    map
    mapAttrs
    ;

  inherit (import ./definitions.nix { inherit definitions schema; }) specs imagesOf withBase;

  # Locks are for the other source of packages: a change of theirs changes no derivation.
  definitionsOnly = builtins.path {
    name = "image-definitions";
    path = definitions;
    filter = path: type: type == "directory" || baseNameOf path == "image.toml";
  };

  packages = import ./packages.nix {
    inherit
      pkgs
      specs
      overrides
      extraPlugins
      extraExtras
      ;
    images = imagesOf description;
  };

  # A wrapper of nixpkgs had no version of its own until 2026.
  versionOf = package: package.version or package.unwrapped.version or (builtins.parseDrvName (package.name or "")).version;

  named = suffix: "${description.server.server_name or "site"}-${suffix}";
  # What Nix users look for on a derivation.
  finished = derivation: derivation // { meta = { platforms = [ buildSystem ]; } // meta; inherit passthru; } // passthru;

  # The tool's work as a derivation; `images` are those whose packages it needs.
  build =
    part: suffix: images:
    let
      chosen = removeAttrs packages (filter (name: !elem name images) (attrNames packages));
      closure = concatLists (map (image: map (name: "${chosen.${image}.${name}}") (attrNames chosen.${image})) (attrNames chosen));
    in
    finished (derivation {
      name = named suffix;
      system = buildSystem;
      builder = "${tool}/bin/synapse-site";
      args = [ "nix-builder" ];
      __structuredAttrs = true;
      exportReferencesGraph = { inherit closure; };
      # The archive names store paths, but holds them itself: it keeps nothing alive. Nix before 2.14 does not know this.
      unsafeDiscardReferences.out = true;
      request = {
        format = 1;
        inherit part system description;
        # Asked for by name: what is checked and said depends on it, also where no package is needed.
        synapse_version = versionOf packages.synapse.matrix-synapse;
        files = mapAttrs (_: file: "${file}") files;
        definitions = "${definitionsOnly}";
        packages = mapAttrs (_: mapAttrs (_: package: { path = "${package}"; version = versionOf package; })) chosen;
      }
      // (if buildSystem == system then { } else { launch = "${launch}/bin/launch"; });
    });

  # One file of a derivation as a derivation of its own.
  take =
    from: file: suffix:
    finished (derivation {
      name = named suffix;
      system = buildSystem;
      builder = "${tool}/bin/synapse-site";
      args = [ "nix-builder" "--take" "${from}/${file}" ];
      __structuredAttrs = true;
      unsafeDiscardReferences.out = true;
    });

in
rec {
  # Everything that a target needs: images.tar, compose.yaml, secrets.example, well-known, sbom, site.json.
  bundle = build "bundle" "bundle" (imagesOf description);
  # The archive of all images.
  images = take bundle "images.tar" "images.tar";
  # The archive of Synapse's image.
  image = build "image" "image.tar" (withBase "synapse");
  # What the images are configured with, as files to read and to compare. No package is fetched or built for it, and every mistake of
  # a site that does not lie in them is found on the way.
  configuration = build "configuration" "configuration" [ ];
  # The manifest for these images.
  compose = take bundle "compose.yaml" "compose.yaml";
  # The packages by image and name, as they go into the images.
  inherit packages;
  # The version of Synapse in the image; empty where its package says none.
  synapseVersion = versionOf packages.synapse.matrix-synapse;
}
