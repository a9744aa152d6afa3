# A few dozen people on a machine with one or two gigabytes of memory.
{ lib, ... }:
let
  inherit (lib) mkDefault;
in
{
  # One Synapse process: every worker costs about 100 MB before it has answered anybody.
  workers.generic = mkDefault 0;
  workers.federation_senders = mkDefault 0;

  # PostgreSQL's own cache stays small, and so does the number of its processes.
  database.shared_buffers = mkDefault "64MB";
  database.cp_min = mkDefault 1;
  database.cp_max = mkDefault 5;

  # Copies of other servers' media fill a small disk first, and can be fetched again.
  media.remote_media_lifetime = mkDefault "30d";

  logging.max_size_mb = mkDefault 5;

  # Presence is the most expensive thing that a small server does, and the first that people do not miss.
  presence.enabled = mkDefault false;
}
