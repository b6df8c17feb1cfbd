"""Certificates for the mock amoCRM server and for PostgreSQL, made by the openssl command.

Checks of certificates and host names are never weakened for a test: our programs trust this CA and
find the real host names in the certificates.  The keys are elliptic-curve keys, which are fast to
generate.
"""

import ipaddress
import subprocess
from pathlib import Path

AMOCRM_NAMES = ("*.amocrm.ru", "*.amocrm.com", "*.kommo.com")

CA_EXTENSIONS = """\
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""

SERVER_EXTENSIONS = """\
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = {names}
"""


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self, folder, name="Sandbox CA"):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.certificate = self.folder / "ca.pem"
        self._key = self.folder / "ca.key"
        self._new_key_and_request("ca", name)
        self._sign("ca", CA_EXTENSIONS, "-signkey", self._key)
        self.certificate.chmod(0o644)   # whatever the umask: our programs refuse a writable one

    def issue(self, label, names, days=30):
        """Returns the paths of a certificate for these host names or addresses, and of its key.

        Negative days make a certificate that has expired.
        """
        listed = ", ".join(f"{'IP' if is_address(name) else 'DNS'}:{name}" for name in names)
        self._new_key_and_request(label, names[0])
        self._sign(label, SERVER_EXTENSIONS.format(names=listed),
                   "-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial", days=days)
        return self.folder / f"{label}.pem", self.folder / f"{label}.key"

    def _new_key_and_request(self, label, common_name):
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", f"/CN={common_name}",
                "-keyout", self.folder / f"{label}.key", "-out", self.folder / f"{label}.csr")

    def _sign(self, label, extensions, *signer, days=30):
        written = self.folder / f"{label}.ext"
        written.write_text(extensions)
        openssl("x509", "-req", "-sha256", "-days", days, "-in", self.folder / f"{label}.csr",
                "-extfile", written, "-out", self.folder / f"{label}.pem", *signer)


def is_address(name):
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def covers(names, host):
    """Whether a certificate for these names is valid for this host."""
    return any(host == name or (name.startswith("*.") and "." in host
                                and host.partition(".")[2] == name[2:]) for name in names)
