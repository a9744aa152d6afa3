# People of a directory. The site says `ldap.uri` and `ldap.base`, and in search mode `ldap.bind_dn`.
{ lib, config, ... }:
let
  inherit (lib) mkDefault;
  uri = config.ldap.uri;
in
{
  authentication.method = mkDefault "ldap";

  # A password never travels in the clear: an ldap:// address is switched to TLS, an ldaps:// one has it already.
  ldap.start_tls = mkDefault (uri != null && !lib.hasPrefix "ldaps:" (lib.toLower uri));

  # The directory decides who there is, what they are called and what their address is.
  registration = {
    enable_registration = mkDefault false;
    enable_set_displayname = mkDefault false;
    enable_3pid_changes = mkDefault false;
  };
}
