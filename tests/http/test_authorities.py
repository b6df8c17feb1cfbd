"""Which certificates amoCRM is checked with: those of ca_file alone, or the system's, from their folder
or from their file.

The system's are put in place in a mount namespace of its own: nothing is mounted that could be left.
"""

import shlex
import subprocess
from pathlib import Path

import pytest

import expect

FOLDER = Path("/etc/ssl/certs")     # as Debian's libcurl is built
BUNDLE = FOLDER / "ca-certificates.crt"


def may_unshare():
    return FOLDER.is_dir() and subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "none", FOLDER],
        capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not may_unshare(),
                                reason="no mount namespace may be made here (unshare -rm)")


def callback(site, amocrm, *files):
    """Asked where these are all the certificates that the system has."""
    told = amocrm.approve(state="s")
    copies = "".join(f" && cp {shlex.quote(str(amocrm.ca_file))} {shlex.quote(str(file))}"
                     for file in files)
    script = (f"mount -t tmpfs none {FOLDER}{copies} && "
              f"mount -t tmpfs -o mode=0700 none {shlex.quote(str(site.store))} && " 'exec "$@"')
    answer = site.server.ask(site.url("callback").removeprefix("http://localhost"), told, "GET", {},
                             None, launcher=["unshare", "-rm", "sh", "-c", script, "sh"])
    if "error" not in answer.link_query:
        expect.connected(answer, told["code"], "s")
    return answer.link_query.get("error")


def name_in_folder(certificate):
    """As OpenSSL looks it up."""
    done = subprocess.run(["openssl", "x509", "-noout", "-subject_hash", "-in", certificate],
                          capture_output=True, text=True, check=True)
    return FOLDER / f"{done.stdout.strip()}.0"


def test_the_systems(bare, amocrm):
    bare.configure(amocrm_ca_file=None)
    in_folder = name_in_folder(amocrm.ca_file)
    assert callback(bare, amocrm, in_folder) is None
    assert callback(bare, amocrm, BUNDLE) is None, "a folder that cannot be looked up in"
    assert len(amocrm.exchanges()) == 2
    assert callback(bare, amocrm) == "server_error", "none: ours to mend"
    assert len(amocrm.exchanges()) == 2


def test_ca_file_is_in_place_of_the_systems(bare, amocrm):
    """Not beside them: whoever names one trusts no other."""
    other = bare.folder / "other.pem"
    other.write_text(BUNDLE.read_text().split("-----END CERTIFICATE-----")[0]
                     + "-----END CERTIFICATE-----\n")
    other.chmod(0o644)
    bare.configure(amocrm_ca_file=str(other))
    assert callback(bare, amocrm, name_in_folder(amocrm.ca_file),
                    BUNDLE) == "temporarily_unavailable"
    assert amocrm.exchanges() == []
