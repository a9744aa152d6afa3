"""The directory, asked about the very name that somebody logs in with.

matrix-synapse-ldap3 puts a login name as it comes into its search, or into the name of the entry that it binds as. There a star, a
parenthesis, a comma or a plus is not part of a name but of the search: `ali*` finds alice. Here they are escaped, so that they mean
themselves. A name that no account has and that Synapse makes none of is not asked about. The rest is the module's own, but for how it
waits.
"""

import logging
import re
from typing import Any

import ldap_auth_provider
from ldap3.utils.conv import escape_filter_chars
from ldap3.utils.dn import escape_rdn
from ldap_auth_provider import LdapAuthProviderModule, LDAPMode
from synapse.module_api import make_deferred_yieldable
from twisted.internet import threads

logger = logging.getLogger(__name__)

# The characters of a localpart (Matrix specification, appendices, "User Identifiers"), in either case: Synapse lowers it. Accounts from
# before that list may have others.
LOCALPART = re.compile(r"[A-Za-z0-9._=/+-]{1,255}")


class Threads:
    """Twisted's threads for the module. It waits for them without telling Synapse, which then no longer knows whose request it works
    on: lines about a login have no request, and each query of the database brings two warnings ("from sentinel context")."""

    @staticmethod
    def deferToThread(function: Any, *arguments: Any, **named: Any) -> Any:
        return make_deferred_yieldable(threads.deferToThread(function, *arguments, **named))


ldap_auth_provider.threads = Threads


class Directory(LdapAuthProviderModule):
    """The module for `modules`; its configuration is that of LdapAuthProviderModule."""

    async def check_auth(self, username: str, login_type: str, login_dict: dict[str, Any]) -> str | None:
        localpart = username
        if username.startswith("@") and ":" in username:
            localpart = username[1:].split(":", 1)[0]
        if not LOCALPART.fullmatch(localpart) and not await self._is_account(localpart):
            logger.info("A login name that no account has or can have: the directory is not asked")
            return None
        return await super().check_auth(username, login_type, login_dict)

    async def check_3pid_auth(self, medium: str, address: str, password: str) -> str | None:
        # With an empty password a directory lets anybody in who names an entry (RFC 4513, section 5.1.2); the module looks at names only.
        if not password:
            logger.info("A login address without a password: the directory is not asked")
            return None
        return await super().check_3pid_auth(medium, address, password)

    async def _is_account(self, localpart: str) -> bool:
        if not localpart.isprintable() or localpart.startswith("@") or ":" in localpart:
            return False
        return bool(await self.account_handler.check_user_exists(self.account_handler.get_qualified_user_id(localpart)))

    async def _ldap_authenticated_search(self, server: Any, password: str, filters: list[tuple[str, str]]) -> Any:
        escaped = [(attribute, escape_filter_chars(value)) for attribute, value in filters]
        return await super()._ldap_authenticated_search(server=server, password=password, filters=escaped)

    async def _ldap_simple_bind(self, server: Any, bind_dn: str | None = None, **named: Any) -> Any:
        if bind_dn is not None and self.ldap_mode == LDAPMode.SIMPLE:
            # The module made it of these three; only the one in the middle is somebody's word.
            before, after = f"{self.ldap_attributes['uid']}=", f",{self.ldap_base}"
            bind_dn = before + escape_rdn(bind_dn.removeprefix(before).removesuffix(after)) + after
        return await super()._ldap_simple_bind(server=server, bind_dn=bind_dn, **named)
