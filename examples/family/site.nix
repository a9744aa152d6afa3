# A family and its friends on one small machine: one Synapse process, local passwords, and accounts that the administrator
# makes or hands out tokens for. TLS ends here.
{ presets, ... }:
{
  imports = [ presets.small ];

  server = {
    server_name = "family.example";
    public_baseurl = "https://matrix.family.example/";
  };

  # Certificate and key are two files under secrets/ on the target. Port 80 only leads to port 443.
  gateway = {
    tls = "files";
    http_port = 80;
  };

  # People who invite an aunt give her a token; nobody else can make an account.
  registration = {
    enable_registration = true;
    registration_requires_token = true;
  };
  authentication.policy.minimum_length = 14;
  administrators = [ "grandma" ];

  # Photos and videos.
  media.max_upload_size = "200M";

  # Calls also work where a router stands between two people.
  turn = {
    source = "bundled";
    host = "turn.family.example";
    external_ip = "203.0.113.20";
    turn_allow_guests = false;
  };
}
