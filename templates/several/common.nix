# What all sites have in common. `mkDefault` leaves each of them the last word.
{ lib, presets, ... }:
{
  imports = [
    presets.small
    presets.behind-proxy
  ];

  administrators = [ "admin" ];
  media.max_upload_size = lib.mkDefault "100M";
}
