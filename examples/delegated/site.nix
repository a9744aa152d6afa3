# A site whose people another service logs in, the Matrix Authentication Service; it says what both have to agree about.
{ ... }:
{
  server = {
    server_name = "example.net";
    public_baseurl = "https://matrix.example.net/";
  };

  authentication.method = "none";

  matrix_authentication_service = {
    endpoint = "http://mas.internal.example.net:8080/";
    issuer = "https://account.example.net/";
    allow = [ "192.0.2.10/32" ];
  };

  rtc = {
    source = "external";
    livekit_service_url = "https://matrix-rtc.example.net/livekit/jwt";
  };

  workers.generic = 1;
}
