# A public body in a closed network. Federation reaches one partner and nobody else, and nothing outside is ever asked: no
# statistics, no key server, no previews of links, no STUN server of somebody else's.
{ presets, ... }:
{
  imports = [ presets.air-gapped ];

  server = {
    server_name = "ministry.example";
    public_baseurl = "https://matrix.ministry.example/";
  };

  # The one partner. Keys are asked of the partner itself, since trusted_key_servers is empty.
  listeners.federation = true;
  well_known.server = true;
  federation.federation_domain_whitelist = [ "agency.example" ];
  # Neither side shows who and which rooms there are.
  profiles = {
    limit_profile_requests_to_users_who_share_rooms = true;
    require_auth_for_profile_requests = true;
  };

  gateway.tls = "files";

  authentication.policy = {
    minimum_length = 16;
    require_digit = true;
    require_lowercase = true;
    require_uppercase = true;
  };
  administrators = [ "operator" ];

  # Its own relay, at an address of the closed network; clients that know of no relay would ask matrix.org's.
  turn = {
    source = "bundled";
    host = "turn.ministry.example";
    external_ip = "10.1.0.5";
    allowed_peer_ip = [ "10.1.0.0/16" ];
    turn_allow_guests = false;
  };

  workers.generic = 2;
}
