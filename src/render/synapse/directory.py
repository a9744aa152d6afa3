"""The directory, asked only about names that an account can have.

matrix-synapse-ldap3 puts a login name as it comes into its search, or into the name of the entry that it binds as. There a star,
a parenthesis, a backslash or NUL is not part of a name but of the search: `ali*` finds alice. No account can have such a name, so
nobody is served by asking, and the directory is not asked. The rest is the module's own, but for how it waits.
"""

import logging
import re
from typing import Any

import ldap_auth_provider
from ldap_auth_provider import LdapAuthProviderModule, LDAPMode
from synapse.module_api import make_deferred_yieldable
from twisted.internet import threads

logger = logging.getLogger(__name__)

# The characters of a localpart (Matrix specification, appendices, "User Identifiers"), in either case: Synapse lowers it.
SEARCHED = re.compile(r"[A-Za-z0-9._=/+-]{1,255}")
# In the name of an entry `=` and `+` have a meaning of their own (RFC 4514, section 2.4).
BUILT = re.compile(r"[A-Za-z0-9._/-]{1,255}")
# An address may have more, but nothing that has a meaning in a search (RFC 4515, section 3).
ADDRESS = re.compile(r"[^\s\x00-\x1f\x7f*()\\@]{1,64}@[^\s\x00-\x1f\x7f*()\\@]{1,255}")


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
        allowed = BUILT if self.ldap_mode == LDAPMode.SIMPLE else SEARCHED
        if not allowed.fullmatch(localpart):
            logger.info("A login name has characters that no name has: the directory is not asked")
            return None
        return await super().check_auth(username, login_type, login_dict)

    async def check_3pid_auth(self, medium: str, address: str, password: str) -> str | None:
        if not password or not ADDRESS.fullmatch(address):
            logger.info("A login address has characters that no address has, or no password: the directory is not asked")
            return None
        return await super().check_3pid_auth(medium, address, password)
