"""A real directory: Debian's slapd on the host, with a private certificate authority, StartTLS for every bind, and an
account status of our own schema. Takes an address and a port that containers can reach; gives the certificate of the
authority and the values that go under `ldap` in a site."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import description
from commands import program, run, tail
from waiting import eventually

SUFFIX = "dc=stack,dc=test"
USERS = f"ou=users,{SUFFIX}"
BIND_DN = f"cn=matrix,ou=service,{SUFFIX}"
FILTER = "(&(objectClass=posixAccount)(accountStatus=active))"

# What has a meaning in the name of an entry (RFC 4514, section 2.4), and what an account can have all the same.
PLUS = "erin+a=b"

# Below a UUID (ITU-T X.667), which needs no registration: 2.25.<a random UUID as one number>.
ARC = "2.25.274295547252936889588424051887449645102"
SCHEMA = f"""
attributetype ( {ARC}.1 NAME 'accountStatus'
    DESC 'Whether the account may be used: active or inactive'
    EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
objectclass ( {ARC}.2 NAME 'statusAccount'
    DESC 'An account with a status' SUP top AUXILIARY MUST accountStatus )
"""

# Python 3.13 refuses an authority without keyUsage keyCertSign; the person who logs in sees "Invalid username or password".
AUTHORITY = """
[req]
distinguished_name = name
x509_extensions = authority
prompt = no
[name]
CN = Stack test certificate authority
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""
SERVER = """
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:{host}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@dataclass(frozen=True)
class Person:
    """An account of the directory."""

    uid: str
    name: str
    number: int
    status: str = "active"
    password: str = field(default_factory=lambda: secrets.token_urlsafe(18), repr=False)


def people() -> dict[str, Person]:
    """The accounts of the tests: two users, one who has left, one whose name has what has a meaning in the name of an
    entry, and the administrator. Passwords are new in every run."""
    everyone = (
        Person("alice", "Alice Example", 2001),
        Person("bob", "Bob Example", 2002),
        Person("carol", "Carol Example", 2003, status="inactive"),
        Person(PLUS, "Erin Example", 2005),
        Person(description.ADMINISTRATOR, "Dave Example", 2004),
    )
    return {person.uid: person for person in everyone}


def escaped(name: str) -> str:
    """A login name as it stands in the name of an entry (RFC 4514, section 2.4)."""
    return name.replace("+", "\\+").replace("=", "\\=")


def hashed(password: str) -> str:
    """A password as `userPassword` keeps it (RFC 2307, salted SHA-1)."""
    salt = secrets.token_bytes(8)
    return "{SSHA}" + base64.b64encode(hashlib.sha1(password.encode() + salt).digest() + salt).decode()


class Directory:
    """A running slapd. Everything it writes is below `home`; `stop` ends it."""

    def __init__(self, home: Path, address: str, port: int) -> None:
        self.home = home
        self.address = address
        self.port = port
        self.people = people()
        self.bind_password = secrets.token_urlsafe(18)
        self.ca = home / "ca.pem"
        self.log = home / "slapd.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Makes certificates, schema and entries, starts slapd, and binds once over StartTLS as Synapse will."""
        slapd = program("slapd", "slapd")
        self.home.mkdir(parents=True)
        self._certificates()
        configuration = self._configuration()
        (self.home / "entries.ldif").write_text(self._entries())
        run([slapd, "-T", "add", "-f", configuration, "-l", self.home / "entries.ldif"])
        self._serve(configuration)
        eventually("a bind over StartTLS at the directory", self._answers, seconds=15)

    @contextlib.contextmanager
    def posing(self, certificate: Path, key: Path) -> Iterator[None]:
        """Somebody else in the directory's place: the same answers with another certificate, for as long as the block lasts."""
        configuration = self.home / "slapd.conf"
        text = configuration.read_text()
        try:
            self.stop()
            configuration.write_text(text.replace(f"{self.home}/server.pem", str(certificate)).replace(f"{self.home}/server.key", str(key)))
            self._serve(configuration)
            eventually("a listener in the directory's place", self._listens, seconds=15)
            yield
        finally:
            self.stop()
            configuration.write_text(text)
            self._serve(configuration)
            eventually("the directory again", self._answers, seconds=15)

    def _serve(self, configuration: Path) -> None:
        urls = f"ldap://{self.address}:{self.port}/"
        with self.log.open("ab") as log:
            # Level 256 logs operations and never passwords; with -d it stays in the foreground.
            self.process = subprocess.Popen(
                [program("slapd", "slapd"), "-d", "256", "-f", str(configuration), "-h", urls],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _listens(self) -> bool:
        socket.create_connection((self.address, self.port), timeout=2).close()
        return True

    def stop(self) -> None:
        """Ends slapd."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(timeout=10)
            self.process = None

    def logged(self) -> str:
        """What slapd said so far."""
        return self.log.read_text(errors="replace")

    def asked(self, since: int) -> list[str]:
        """The connections and questions in what slapd said after so many characters; an earlier connection may end later."""
        return [line for line in self.logged()[since:].splitlines() if any(word in line for word in (" ACCEPT ", " BIND ", " SRCH "))]

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"slapd ended with {self.process.returncode}:\n{tail(self.logged())}"
        secret = self.home / "bind.secret"
        if not secret.exists():
            private(secret, self.bind_password)
        # The certificate names the host as containers know it; here it has another name, so only the chain is checked.
        environment = {"LDAPTLS_CACERT": str(self.ca), "LDAPTLS_REQCERT": "demand", "LDAPTLS_REQSAN": "never", "LDAPRC": "none"}
        url = f"ldap://{self.address}:{self.port}"
        search = [program("ldapsearch", "ldap-utils"), "-LLL", "-x", "-ZZ", "-H", url, "-D", BIND_DN, "-y", secret]
        found = run([*search, "-b", USERS, FILTER, "uid"], env=environment, seconds=10).stdout
        active = {person.uid for person in self.people.values() if person.status == "active"}
        return {line.removeprefix("uid: ") for line in found.splitlines() if line.startswith("uid: ")} == active

    def _certificates(self) -> None:
        home = self.home
        (home / "ca.cnf").write_text(AUTHORITY)
        run([*new_key(), "-x509", "-days", "7", "-config", home / "ca.cnf", "-keyout", home / "ca.key", "-out", self.ca])
        self.certificate(description.LDAP_HOST, "server")

    def certificate(self, host: str, name: str) -> tuple[Path, Path]:
        """A certificate of the authority for a host, and its key, in `NAME.pem` and `NAME.key`."""
        home = self.home
        (home / f"{name}.cnf").write_text(SERVER.format(host=host))
        subject = ["-subj", f"/CN={host}", "-config", home / "ca.cnf"]
        run([*new_key(), *subject, "-keyout", home / f"{name}.key", "-out", home / f"{name}.csr"])
        sign = [program("openssl", "openssl"), "x509", "-req", "-days", "7", "-in", home / f"{name}.csr"]
        sign += ["-CA", self.ca, "-CAkey", home / "ca.key", "-CAcreateserial"]
        run([*sign, "-extfile", home / f"{name}.cnf", "-out", home / f"{name}.pem"])
        return home / f"{name}.pem", home / f"{name}.key"

    def _configuration(self) -> Path:
        home = self.home
        (home / "data").mkdir()
        (home / "status.schema").write_text(SCHEMA)
        schemas = [f"/etc/ldap/schema/{name}.schema" for name in ("core", "cosine", "inetorgperson", "nis")]
        includes = "\n".join(f"include {path}" for path in [*schemas, home / "status.schema"])
        text = f"""{includes}
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {home}/slapd.pid
argsfile {home}/slapd.args
TLSCACertificateFile {self.ca}
TLSCertificateFile {home}/server.pem
TLSCertificateKeyFile {home}/server.key
# A bind without TLS is refused, so a login that works has used StartTLS.
security simple_bind=128
database mdb
suffix "{SUFFIX}"
directory {home}/data
maxsize 16777216
index objectClass,uid eq
access to attrs=userPassword by anonymous auth by * none
# Nobody but the bind DN may search.
access to * by dn.exact="{BIND_DN}" read by * none
"""
        path = home / "slapd.conf"
        path.write_text(text)
        return path

    def _entries(self) -> str:
        entries = [
            f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: Stack test\ndc: stack",
            f"dn: {USERS}\nobjectClass: organizationalUnit\nou: users",
            f"dn: ou=service,{SUFFIX}\nobjectClass: organizationalUnit\nou: service",
            f"dn: {BIND_DN}\nobjectClass: applicationProcess\nobjectClass: simpleSecurityObject\ncn: matrix\n"
            f"userPassword: {hashed(self.bind_password)}",
        ]
        for person in self.people.values():
            entries.append(
                f"dn: uid={escaped(person.uid)},{USERS}\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\n"
                f"objectClass: statusAccount\nuid: {person.uid}\ncn: {person.name}\nsn: Example\n"
                f"mail: {person.uid}@{description.SERVER_NAME}\nuidNumber: {person.number}\ngidNumber: 2000\n"
                f"homeDirectory: /home/{person.uid}\naccountStatus: {person.status}\n"
                f"userPassword: {hashed(person.password)}"
            )
        return "\n\n".join(entries) + "\n"


def new_key() -> list[str | Path]:
    """The beginning of the command that makes a key and what is to be certified."""
    return [program("openssl", "openssl"), "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def private(path: Path, value: str) -> None:
    """Writes a new file that only its owner can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(value)
