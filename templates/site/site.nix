# A Matrix site as a module. Everything that is not said here has a default; `nix build .#docs` lists every option.
{ presets, ... }:
{
  imports = [
    presets.small
    presets.behind-proxy
  ];

  server = {
    # The part of every Matrix ID after the colon. It can never be changed once the server has run.
    server_name = "example.com";
    # Where clients find the server.
    public_baseurl = "https://matrix.example.com/";
  };

  # Accounts that administer the server; `docker compose run --rm admin` makes them.
  administrators = [ "admin" ];

  # Every other Synapse option, by Synapse's own name. A secret is named, never written:
  # synapse.settings.recaptcha_private_key = { _secret = "recaptcha_private_key"; };
}
