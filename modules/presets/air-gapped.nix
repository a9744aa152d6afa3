# A server in a network that reaches no other: nothing asks the outside, and so nothing waits for an answer that cannot come.
{ lib, ... }:
let
  inherit (lib) mkDefault;
in
{
  server.report_stats = mkDefault false;

  # Nobody outside vouches for keys; the few servers inside are asked themselves.
  server.trusted_key_servers = mkDefault [ ];

  # A closed network may hold several servers: then set this to true and name them in federation.federation_domain_whitelist.
  listeners.federation = mkDefault false;
  well_known.server = mkDefault false;

  # Previews would only wait for time-outs.
  media.url_preview_enabled = mkDefault false;

  # An empty list allows no other server; an absent one would allow all.
  federation.federation_domain_whitelist = mkDefault [ ];
  rooms.allow_public_rooms_over_federation = mkDefault false;
  profiles.allow_profile_lookup_over_federation = mkDefault false;
}
