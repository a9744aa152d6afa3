#!/usr/bin/env bash
# How fast the largest example is checked, against what it takes to only read it: by PyYAML, which Synapse reads its files with, and by
# Nix. In one run; the ratios are hyperfine's last lines. Usage: benches/check.sh SYNAPSE_SITE
set -euo pipefail
tool=$(realpath "$1")
cd "$(dirname "$0")/.."
read_yaml='import sys, yaml; yaml.safe_load(open(sys.argv[1]))'
hyperfine --shell=none --warmup 3 \
  --command-name "check site.yaml" "$tool check examples/everything/site.yaml" \
  --command-name "PyYAML reads site.yaml" "python3 -c '$read_yaml' examples/everything/site.yaml"
NIX_CONFIG='experimental-features = nix-command' hyperfine --shell=none --warmup 3 \
  --command-name "check site.nix" "$tool check examples/everything/site.nix" \
  --command-name "Nix evaluates site.nix" "nix eval --json --file examples/everything/site.nix"
