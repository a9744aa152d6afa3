# An association whose web host runs the proxy and the domain's web site. The host passes matrix.club.example on to the gateway
# of this machine, and serves the documents under /.well-known/matrix/, which stand in well-known/ of the output.
{ presets, ... }:
{
  imports = [ presets.behind-proxy ];

  server = {
    server_name = "club.example";
    public_baseurl = "https://matrix.club.example/";
  };

  gateway = {
    # The proxy is another machine, so the gateway listens beyond this one, and believes that machine only.
    bind_address = "192.0.2.10";
    trusted_proxies = [ "192.0.2.1" ];
  };

  # The gateway does not serve the documents of club.example; the files are made all the same.
  well_known.serve = false;

  # A relay that the web host runs; its shared secret is brought to the target.
  turn = {
    source = "external";
    turn_uris = [
      "turn:turn.hoster.example?transport=udp"
      "turn:turn.hoster.example?transport=tcp"
    ];
  };

  # The database server of the house, with a password that is brought to the target.
  database = {
    source = "external";
    host = "postgres.hoster.example";
    sslmode = "verify-full";
    user = "club_matrix";
    dbname = "club_matrix";
  };

  administrators = [ "secretary" ];
}
