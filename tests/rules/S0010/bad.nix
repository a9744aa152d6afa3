{ config, lib, ... }:
{
  server.server_name = "example.com";
  server.public_baseurl = "https://matrix.example.com/";
  gateway.http_port = 8081;
  warnings = lib.optional (config.gateway.http_port != 8080) "the proxy of our computer centre expects 8080";
}
