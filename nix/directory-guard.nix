# The Python module that looks after accounts of a directory, for the interpreter that Synapse runs on. Synapse from nixpkgs
# imports what its package was given as plug-ins, and nothing else.
{ python, writeTextDir }:
python.pkgs.toPythonModule (
  writeTextDir "${python.sitePackages}/synapse_site_directory.py" (builtins.readFile ../src/component/synapse/directory.py)
)
