# What working on the tool needs besides a container engine. Programs for Linux are linked statically (.cargo/config.toml), so that
# the linker wants the C library as an archive, which nixpkgs has apart.
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
  buildInputs = if pkgs.stdenv.hostPlatform.isLinux then [ pkgs.glibc.static ] else [ ];
}
