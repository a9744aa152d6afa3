# A text as a derivation, without packages: the sandbox's /bin/sh copies it with what it has built in.
{
  name,
  text,
  system,
}:
derivation {
  inherit name system text;
  builder = "/bin/sh";
  args = [
    "-c"
    ''while IFS= read -r line; do printf '%s\n' "$line"; done < "$textPath" > "$out"''
  ];
  passAsFile = [ "text" ];
  preferLocalBuild = true;
  allowSubstitutes = false;
}
