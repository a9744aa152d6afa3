# Every section that a description can have, switched on where sections do not exclude each other. A place to look up how
# something is written, and the largest example that tests render.
{
  server = {
    server_name = "example.org";
    public_baseurl = "https://matrix.example.org/";
    report_stats = true;
    trusted_key_servers = [
      { server_name = "matrix.org"; }
    ];
  };

  listeners = {
    federation = true;
    metrics = true;
    compress = true;
  };

  gateway = {
    tls = "files";
    http_port = 80;
    https_port = 443;
    federation_port = 8448;
  };

  well_known = {
    client = true;
    server = true;
    serve = true;
    extra_client_content = {
      "org.example.colour" = {
        accent = "#0050a0";
      };
    };
    support = {
      contacts = [
        {
          role = "m.role.admin";
          matrix_id = "@admin:example.org";
          email_address = "matrix@example.org";
        }
        {
          role = "m.role.security";
          email_address = "security@example.org";
        }
      ];
      support_page = "https://www.example.org/matrix";
    };
  };

  database = {
    source = "bundled";
    shared_buffers = "1GB";
    cp_min = 2;
    cp_max = 8;
    statement_timeout = "30m";
    txn_limit = 10000;
  };
  redis = {
    source = "bundled";
    dbid = 0;
  };
  workers = {
    generic = 4;
    federation_senders = 2;
  };

  authentication.method = "ldap";
  ldap = {
    uri = "ldap://ldap.example.org:389";
    start_tls = true;
    ca_certificate = "ca.pem";
    mode = "search";
    base = "ou=users,dc=example,dc=org";
    attributes = {
      uid = "uid";
      mail = "mail";
      name = "cn";
    };
    filter = "(objectClass=inetOrgPerson)";
    bind_dn = "cn=matrix,ou=services,dc=example,dc=org";
  };
  administrators = [
    "admin"
    "deputy"
  ];
  registration = {
    enable_registration = false;
    enable_set_displayname = false;
    enable_set_avatar_url = true;
    enable_3pid_changes = false;
    allow_guest_access = false;
  };

  media = {
    max_upload_size = "100M";
    enable_authenticated_media = true;
    local_media_lifetime = "5y";
    remote_media_lifetime = "90d";
    url_preview_enabled = true;
  };

  turn = {
    source = "bundled";
    host = "turn.example.org";
    external_ip = "203.0.113.40";
    port = 3478;
    min_port = 50000;
    max_port = 50199;
    turn_user_lifetime = "1d";
    turn_allow_guests = false;
    allowed_peer_ip = [ "10.0.0.7/32" ];
  };

  oidc = {
    oidc_providers = [
      {
        idp_id = "campus";
        idp_name = "Campus account";
        idp_brand = "keycloak";
        issuer = "https://id.example.org/realms/campus";
        client_id = "matrix";
        scopes = [ "openid" "profile" "email" ];
        backchannel_logout_enabled = true;
        allow_existing_users = true;
        user_mapping_provider = {
          localpart_template = "{{ user.preferred_username }}";
          display_name_template = "{{ user.name }}";
          email_template = "{{ user.email }}";
        };
        attribute_requirements = [
          {
            attribute = "groups";
            one_of = [ "staff" "students" ];
          }
        ];
      }
    ];
    client_whitelist = [ "https://app.example.org/" ];
    update_profile_information = true;
  };

  rtc = {
    source = "bundled";
    livekit_image = "docker.io/livekit/livekit-server:v1.13.0";
    authorisation_image = "ghcr.io/element-hq/lk-jwt-service:0.4.4";
    host = "matrix-rtc.example.org";
    relay = "livekit";
  };

  draupnir = {
    image = "docker.io/gnuxie/draupnir:v2.7.0";
    management_room = "#moderators:example.org";
    settings.pollReports = true;
  };

  admin_ui = {
    image = "ghcr.io/etkecc/ketesa:v1.0.0";
    host = "admin.example.org";
    allow = [ "10.20.0.0/16" ];
  };

  logging = {
    level = "INFO";
    levels = {
      "synapse.storage.SQL" = "WARNING";
      "ldap_auth_provider" = "DEBUG";
    };
    format = "json";
    max_size_mb = 50;
  };

  deployment.project = "our-matrix";

  images.repository = "registry.example.org/matrix";

  # Mail for password resets and missed messages; its password is brought to the target.
  email = {
    smtp_host = "smtp.example.org";
    smtp_port = 465;
    force_tls = true;
    smtp_user = "matrix@example.org";
    notif_from = "Our Matrix server <matrix@example.org>";
    enable_notifs = true;
  };

  # Nobody sends anything before they have agreed to the terms. Who comes later sees the version of that day.
  consent = {
    version = "2026-09";
    # Who agreed to it can still read it.
    documents."2025-01" = {
      file = "terms-2025-01.md";
      sha256 = "d475ab79db2392d8cdb7599833fc3d1c98ae7d04692abb4b3e432f249f043920";
    };
    documents."2026-09".file = "terms-2026-09.md";
    policy_name = "Terms of use";
    require_at_registration = false;
    block_events_error = "Please read and accept the terms of use first: %(consent_uri)s";
    server_notice_content.body = "Please read and accept the terms of use: %(consent_uri)s";
  };
  server_notices = {
    system_mxid_localpart = "notices";
    system_mxid_display_name = "Server Notices";
    room_name = "Server Notices";
    auto_join = true;
  };
  templates.custom_template_directory = "templates";
  app_services = [ "irc.yaml" ];

  limits = {
    admin_contact = "mailto:matrix@example.org";
    mau_stats_only = true;
    max_avatar_size = "2M";
    allowed_avatar_mimetypes = [
      "image/png"
      "image/jpeg"
      "image/gif"
    ];
    forgotten_room_retention_period = "28d";
    limit_remote_rooms = {
      enabled = true;
      complexity = 4.5;
      admins_can_join = true;
    };
  };
  presence = {
    enabled = true;
    include_offline_users_on_sync = false;
  };
  profiles = {
    require_auth_for_profile_requests = true;
    limit_profile_requests_to_users_who_share_rooms = true;
  };
  rooms = {
    default_room_version = "12";
    encryption_enabled_by_default_for_room_type = "invite";
    auto_join_rooms = [ "#welcome:example.org" ];
    filter_timeline_limit = 500;
    room_list_publication_rules = [
      {
        user_id = "@admin:example.org";
        action = "allow";
      }
    ];
    user_directory.prefer_local_users = true;
  };
  federation = {
    allow_device_name_lookup_over_federation = false;
    client_timeout = "30s";
  };
  rate_limits = {
    rc_message = {
      per_second = 1.0;
      burst_count = 20;
    };
    rc_login.address = {
      per_second = 0.1;
      burst_count = 10;
    };
  };

  synapse.settings.caches.global_factor = 1.0;

  checks.accept = [
    {
      code = "S0320";
      option = "limits.allowed_avatar_mimetypes";
      reason = "our clients make no image/webp";
    }
  ];
}
