# `overlays.default`: the tool as `synapse-site`, and the module that looks after accounts of a directory among the packages of every
# Python, for a Synapse that is run without the images.
final: prev: {
  synapse-site = import ./tool.nix { pkgs = final; };

  pythonPackagesExtensions = (prev.pythonPackagesExtensions or [ ]) ++ [
    (python: _: {
      synapse-site-directory = import ./directory-guard.nix {
        inherit (python) python;
        inherit (final) writeTextDir;
      };
    })
  ];
}
