"""The CA certificates that amoCRM's certificate is verified with: those of ca_file alone, or the
system's, from their folder or from their bundle file.

The system's certificates are replaced in a mount namespace, so no mount can remain.
"""

import shlex
import subprocess
from pathlib import Path

import pytest

import expect

FOLDER = Path("/etc/ssl/certs")     # compiled into Debian's libcurl
BUNDLE = FOLDER / "ca-certificates.crt"


def may_unshare():
    return FOLDER.is_dir() and subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "none", FOLDER],
        capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not may_unshare(),
                                reason="mount namespaces are not permitted here (unshare -rm)")


def callback(site, amocrm, *files):
    """Calls the callback where these files are the system's only CA certificates."""
    params = amocrm.approve(state="s")
    copies = "".join(f" && cp {shlex.quote(str(amocrm.ca_file))} {shlex.quote(str(file))}"
                     for file in files)
    script = (f"mount -t tmpfs none {FOLDER}{copies} && "
              f"mount -t tmpfs -o mode=0700 none {shlex.quote(str(site.store))} && " 'exec "$@"')
    answer = site.server.ask(site.url("callback").removeprefix("http://localhost"), params, "GET",
                             {}, None, launcher=["unshare", "-rm", "sh", "-c", script, "sh"])
    if "error" not in answer.link_query:
        expect.connected(answer, params["code"], "s")
    return answer.link_query.get("error")


def name_in_folder(certificate):
    """The file name under which OpenSSL looks up a certificate."""
    done = subprocess.run(["openssl", "x509", "-noout", "-subject_hash", "-in", certificate],
                          capture_output=True, text=True, check=True)
    return FOLDER / f"{done.stdout.strip()}.0"


def test_the_systems_ca_certificates(bare, amocrm):
    bare.configure(amocrm_ca_file=None)
    in_folder = name_in_folder(amocrm.ca_file)
    assert callback(bare, amocrm, in_folder) is None
    assert callback(bare, amocrm, BUNDLE) is None, "the folder has no hashed names, only the bundle"
    assert len(amocrm.exchanges()) == 2
    assert callback(bare, amocrm) == "server_error", "no certificates: a fault of our own"
    assert len(amocrm.exchanges()) == 2


def test_ca_file_replaces_the_systems_certificates(bare, amocrm):
    """The system's certificates are not trusted in addition."""
    other = bare.folder / "other.pem"
    other.write_text(BUNDLE.read_text().split("-----END CERTIFICATE-----")[0]
                     + "-----END CERTIFICATE-----\n")
    other.chmod(0o644)
    bare.configure(amocrm_ca_file=str(other))
    assert callback(bare, amocrm, name_in_folder(amocrm.ca_file),
                    BUNDLE) == "temporarily_unavailable"
    assert amocrm.exchanges() == []
