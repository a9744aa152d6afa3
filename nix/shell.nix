# What working on the tool needs besides a container engine.
{ pkgs }:
pkgs.mkShell {
  packages = [
    pkgs.cargo
    pkgs.cargo-nextest
    pkgs.clippy
    pkgs.rustc
    pkgs.rustfmt
    pkgs.python3
  ];
}
