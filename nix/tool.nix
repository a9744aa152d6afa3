# `synapse-site` and `launch`, static: the one runs as a derivation's builder, where there is no dynamic loader, the other in
# images that need not hold a C library. The tests want a container engine and the network, so they are not run here.
{ pkgs }:
let
  manifest = (builtins.fromTOML (builtins.readFile ../Cargo.toml)).package;
  wanted = [
    "Cargo.toml"
    "Cargo.lock"
    "flake.lock"
    "images"
    "modules"
    "src"
  ];
in
pkgs.pkgsStatic.rustPlatform.buildRustPackage {
  pname = manifest.name;
  inherit (manifest) version;
  # Only what the compiler reads: a changed page or example compiles nothing anew.
  src = builtins.path {
    name = "synapse-site-source";
    path = ../.;
    filter =
      path: _:
      builtins.any (
        name:
        let
          whole = toString (../. + "/${name}");
        in
        path == whole || builtins.substring 0 (builtins.stringLength whole + 1) path == "${whole}/"
      ) wanted;
  };
  cargoLock.lockFile = ../Cargo.lock;
  doCheck = false;
  meta = {
    inherit (manifest) description;
    mainProgram = "synapse-site";
  };
}
