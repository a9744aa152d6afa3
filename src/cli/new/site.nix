# A Matrix site. Everything that is not said here has a default; `synapse-site schema` lists every option.
{
  server = {
    # The part of every Matrix ID after the colon. It can never be changed once the server has run.
    server_name = "example.com";
    # Where clients find the server.
    public_baseurl = "https://matrix.example.com/";
  };

  # Accounts that administer the server; `docker compose run --rm admin` makes them.
  administrators = [ "admin" ];

  # TLS ends at a proxy of yours, which passes the server name and its Matrix host on to this port of the target.
  # With `tls = "files"` the gateway does it, with the secrets tls_certificate and tls_certificate_key.
  gateway = {
    tls = "off";
    http_port = 8080;
  };

  # One-to-one calls across firewalls need a relay:
  # turn = { source = "bundled"; host = "turn.example.com"; external_ip = "203.0.113.10"; };

  # Every other Synapse option, by Synapse's own name:
  # synapse.settings.event_cache_size = "20K";
}
