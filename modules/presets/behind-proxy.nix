# TLS ends at a web server on the same machine, which passes the server name and the host of public_baseurl on to the gateway.
# A proxy elsewhere needs `gateway.bind_address`, and its own network in `gateway.trusted_proxies`.
{ lib, ... }:
let
  inherit (lib) mkDefault;
in
{
  gateway = {
    tls = mkDefault "off";
    http_port = mkDefault 8080;
    # Published where only this machine can reach it.
    bind_address = mkDefault "127.0.0.1";
    # A proxy on the machine arrives through the container engine's bridge, whose address is one of these; people's own
    # addresses are then taken from X-Forwarded-For, without which all of them share one rate limit.
    trusted_proxies = mkDefault [
      "127.0.0.0/8"
      "172.16.0.0/12"
      "192.168.0.0/16"
    ];
  };
}
