# On the same target as example.com: another port for the proxy.
{
  server = {
    server_name = "example.org";
    public_baseurl = "https://matrix.example.org/";
  };
  gateway.http_port = 8081;
  media.max_upload_size = "50M";
}
