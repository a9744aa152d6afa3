# `synapse-site` and `launch`, static: the one runs as a derivation's builder, where there is no dynamic loader, the other in
# images that need not hold a C library. Linked with glibc, as cargo does it in the tests: the standard library for musl is in no
# cache, and a first build would compile it. The tests want a container engine and the network, so they are not run here.
#
# For macOS it is `synapse-site` alone, which checks and renders there: images are for Linux, and so is what is in them. Static
# programs are not a thing there.
{ pkgs }:
let
  manifest = (builtins.fromTOML (builtins.readFile ../Cargo.toml)).package;
  wanted = [
    "Cargo.toml"
    "Cargo.lock"
    "build.rs"
    "examples"
    "flake.lock"
    "images"
    "modules"
    "src"
    "tests/rules"
  ];
  inherit (pkgs.stdenv.hostPlatform) isLinux;
  within = dir: path: builtins.substring 0 (builtins.stringLength dir + 1) path == "${dir}/";
in
pkgs.rustPlatform.buildRustPackage {
  pname = manifest.name;
  inherit (manifest) version;
  # Only what the compiler reads: a changed page compiles nothing anew.
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
        path == whole || within whole path || within path whole
      ) wanted;
  };
  cargoLock.lockFile = ../Cargo.lock;
  cargoBuildFlags = if isLinux then [ ] else [ "--bin=synapse-site" ];
  buildInputs = if isLinux then [ pkgs.glibc.static ] else [ ];
  env = if isLinux then { RUSTFLAGS = "-C target-feature=+crt-static"; } else { };
  doCheck = false;
  meta = {
    inherit (manifest) description;
    homepage = manifest.repository;
    license.spdxId = manifest.license;
    mainProgram = "synapse-site";
    platforms = [
      "aarch64-darwin"
      "aarch64-linux"
      "x86_64-darwin"
      "x86_64-linux"
    ];
  };
}
