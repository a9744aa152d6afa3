# The site of the guide "Installation and configuration of Synapse", said once. The guide's domain, delegation, directory,
# database, media, TURN and registration choices, with its mistakes corrected; each correction says so.
{
  server = {
    # The part of every Matrix ID after the colon. It can never be changed.
    server_name = "example.com";
    public_baseurl = "https://matrix.example.com/";
    # Correction: the guide never names this option, and Synapse does not start without it. Here it always has a value.
    report_stats = false;
  };

  # Correction: the guide's two well-known documents are exchanged, and its "m.server" has no port, which sends other servers
  # to port 8448. Both documents follow from public_baseurl here ({"m.server": "matrix.example.com:443"}), so they cannot be
  # exchanged; look at well-known/ in the output.
  well_known.support = {
    contacts = [
      {
        role = "m.role.admin";
        matrix_id = "@admin:example.com";
        # Correction: in Synapse's admin_contact below this is a mailto: address; here it is a plain one.
        email_address = "matrixadmin@example.com";
      }
    ];
    support_page = "https://www.example.com/matrix";
  };

  # TLS ends at the organisation's own web server, which passes both names on to the gateway.
  gateway = {
    tls = "off";
    http_port = 8080;
  };

  # The bundled PostgreSQL. Correction: the guide does not say that the database needs UTF8 and the collation C, without which
  # Synapse refuses to start; the bundled one is made so.
  database = {
    source = "bundled";
    user = "synapse";
    dbname = "synapse";
    cp_min = 5;
    cp_max = 10;
  };

  # Correction: the guide sets password_config.enabled to "only_for_reauth", with which nobody can log in through a directory,
  # and loads the module's class for the old password_providers, which under modules does nothing at all. The method "ldap"
  # writes what works: enabled true, localdb_enabled false, LdapAuthProviderModule.
  authentication = {
    method = "ldap";
    delete_stale_devices_after = "1y";
  };
  ldap = {
    uri = "ldap://ldap.example.com:389";
    start_tls = true;
    mode = "search";
    base = "ou=users,dc=example,dc=com";
    attributes = {
      uid = "uid";
      mail = "mail";
      name = "cn";
    };
    filter = "(&(objectClass=posixAccount)(accountStatus=active))";
    # Correction: the guide has the password beside this line. It is the secret ldap_bind_password here.
    bind_dn = "cn=matrix,ou=service,dc=example,dc=com";
  };

  # Correction: the guide makes its administrator in Synapse's own database, from which nobody can log in on a site with a
  # directory. This is a user of the directory; `docker compose run --rm admin` makes the account an administrator's.
  administrators = [ "admin" ];

  # Correction: the guide has registration_shared_secret in two files, of which one wins and the documented command reads the
  # other. It is one secret here. And registrations_require_3pid is a list, not a text.
  registration = {
    enable_registration = false;
    allow_guest_access = false;
    # The directory decides these.
    enable_set_displayname = false;
    enable_3pid_changes = false;
  };

  # Correction: the guide's list of addresses for URL previews has lost its IPv4 networks and its name. The whole list is the
  # default here.
  media = {
    enable_authenticated_media = true;
    max_upload_size = "50M";
    url_preview_enabled = true;
  };

  turn = {
    source = "bundled";
    host = "turn.example.com";
    # The public address of the target. This one is from the range for documentation: put yours.
    external_ip = "203.0.113.10";
    turn_user_lifetime = "1d";
    turn_allow_guests = true;
  };

  # Correction: the guide has the password here; it is the secret smtp_password. And without enable_notifs no notification is ever
  # mailed, whatever else is set.
  email = {
    smtp_host = "smtp.example.com";
    smtp_port = 465;
    force_tls = true;
    smtp_user = "matrix@example.com";
    notif_from = "Your Matrix server <matrix@example.com>";
    enable_notifs = true;
  };

  server_notices = {
    system_mxid_localpart = "server";
    system_mxid_display_name = "Server Notices";
    room_name = "Server Notices";
    room_topic = "What the administrators of this server have to say";
    auto_join = true;
  };

  # Correction: the guide writes two HTML templates by hand, in a directory that Synapse does not find because its path is relative, and a
  # version without quotation marks, which is a number then. One Markdown file is the policy here; form_secret is a secret.
  # People of a directory never register, so the question at registration is never asked; those texts ask.
  consent = {
    policy_name = "Example End User Policy";
    version = "0.1";
    documents."0.1".file = "end-user-policy-0.1.md";
    require_at_registration = true;
    server_notice_content.body = "Before you can write on this server, please read and accept its End User Policy: %(consent_uri)s";
    block_events_error = "You have not accepted the End User Policy of this server yet: %(consent_uri)s";
  };

  # Correction: clients show admin_contact as a link, so it is an address with a scheme; and webp is what current clients upload.
  limits = {
    admin_contact = "mailto:matrixadmin@example.com";
    mau_stats_only = true;
    max_avatar_size = "2M";
    allowed_avatar_mimetypes = [ "image/png" "image/jpeg" "image/gif" "image/webp" ];
    forgotten_room_retention_period = "7d";
  };

  presence = {
    enabled = true;
    include_offline_users_on_sync = false;
  };
  profiles.require_auth_for_profile_requests = true;
  # The guide's list of networks that the server does not reach out to is the default, too.
  rooms = {
    allow_public_rooms_over_federation = true;
    filter_timeline_limit = 500;
  };
}
