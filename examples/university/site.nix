# A university: everybody in the directory, whose certificate is signed by the university's own authority; workers for
# some ten thousand people; calls.
{ presets, ... }:
{
  imports = [
    presets.large
    presets.ldap
  ];

  server = {
    server_name = "uni.example";
    public_baseurl = "https://matrix.uni.example/";
  };

  ldap = {
    uri = "ldap://ldap.uni.example";
    ca_certificate = ./ca.pem;
    base = "ou=people,dc=uni,dc=example";
    # Staff and students who have not left.
    filter = "(&(objectClass=inetOrgPerson)(|(employeeType=staff)(employeeType=student)))";
    bind_dn = "cn=matrix,ou=services,dc=uni,dc=example";
  };
  administrators = [ "helpdesk" ];

  # Mail for password resets and missed messages; its password is brought to the target.
  email = {
    smtp_host = "smtp.uni.example";
    smtp_port = 465;
    force_tls = true;
    smtp_user = "matrix@uni.example";
    notif_from = "University Matrix server <matrix@uni.example>";
    enable_notifs = true;
  };

  # Nobody sends anything before they have agreed to the terms. Who comes later sees the version of that day.
  consent = {
    version = "2026-09";
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

  media = {
    max_upload_size = "100M";
    url_preview_enabled = true;
  };

  turn = {
    source = "bundled";
    host = "turn.uni.example";
    external_ip = "203.0.113.30";
    # The relay's networks inside the university stay closed, but for the lecture halls.
    allowed_peer_ip = [ "10.20.0.0/16" ];
  };

  well_known.support = {
    contacts = [
      {
        role = "m.role.admin";
        email_address = "helpdesk@uni.example";
      }
      {
        role = "m.role.security";
        email_address = "abuse@uni.example";
      }
    ];
    support_page = "https://www.uni.example/it/matrix";
  };

  logging.format = "json";
}
