# Sites that many people have, as modules to import. They set everything with `mkDefault`: a plain definition in the site wins.
{
  small = ./small.nix;
  large = ./large.nix;
  ldap = ./ldap.nix;
  air-gapped = ./air-gapped.nix;
  behind-proxy = ./behind-proxy.nix;
}
