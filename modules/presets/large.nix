# Some thousand people on a machine of its own with eight processors and 16 GB of memory. Measure, then change.
{ lib, ... }:
let
  inherit (lib) mkDefault;
in
{
  # A Python process uses one processor; the gateway spreads requests over the generic ones.
  workers.generic = mkDefault 4;
  workers.federation_senders = mkDefault 2;

  # A quarter of the memory is PostgreSQL's. The connections of all processes together are counted by the tool.
  database.shared_buffers = mkDefault "4GB";
  database.cp_max = mkDefault 15;

  media.remote_media_lifetime = mkDefault "90d";

  # Memory is there, so caches are twice as large as Synapse makes them by itself.
  synapse.settings.caches.global_factor = mkDefault 1.0;
  synapse.settings.event_cache_size = mkDefault "50K";

  listeners.metrics = mkDefault true;
}
