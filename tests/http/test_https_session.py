"""The TLS session that amo-crm-https keeps between the requests of a FastCGI program.

A code works once, so a request may never be sent twice because of a kept connection or session.
"""

import shutil

import expect
from sandbox import pki

UNAVAILABLE = "temporarily_unavailable"


def exchange(site, amocrm):
    """Calls the callback; returns the error, or None."""
    params = amocrm.approve(state="s")
    answer = site.get("callback", params)
    if "error" not in answer.link_query:
        expect.connected(answer, params["code"], "s")
    return answer.link_query.get("error")


def test_the_session_is_resumed_on_a_connection_of_its_own(fastcgi, amocrm):
    for _ in range(3):
        assert exchange(fastcgi, amocrm) is None
    assert [one.resumed for one in amocrm.connections()] == [False, True, True]
    assert len(amocrm.exchanges()) == 3


def test_a_request_without_a_response_is_not_repeated(fastcgi, amocrm):
    """libcurl itself would retry if a kept connection was closed without a response."""
    assert exchange(fastcgi, amocrm) is None
    amocrm.forget()
    amocrm.misbehave("connection_reset")
    assert exchange(fastcgi, amocrm) == UNAVAILABLE
    assert len(amocrm.exchanges()) == 1
    assert exchange(fastcgi, amocrm) is None


def test_a_reset_before_the_handshake_is_retried(fastcgi, amocrm):
    assert exchange(fastcgi, amocrm) is None
    amocrm.forget()
    amocrm.misbehave("reset_early")
    assert exchange(fastcgi, amocrm) is None
    assert len(amocrm.connections()) == 2 and len(amocrm.exchanges()) == 1


def test_a_changed_ca_file_takes_effect(fastcgi, amocrm, tmp_path):
    """A resumed session does not present a certificate."""
    known = fastcgi.folder / "known.pem"
    shutil.copy(amocrm.ca_file, known)
    known.chmod(0o644)
    unknown = pki.Authority(tmp_path / "other", "Other CA").certificate.read_bytes()
    fastcgi.configure(amocrm_ca_file=str(known))
    assert exchange(fastcgi, amocrm) is None
    assert exchange(fastcgi, amocrm) is None
    assert amocrm.connections()[-1].resumed

    good = known.read_bytes()
    known.write_bytes(unknown)
    assert exchange(fastcgi, amocrm) == UNAVAILABLE
    known.write_bytes(good)
    assert exchange(fastcgi, amocrm) is None


def test_another_ca_file_takes_effect(fastcgi, amocrm, tmp_path):
    other = fastcgi.folder / "other.pem"
    shutil.copy(pki.Authority(tmp_path / "other", "Other CA").certificate, other)
    other.chmod(0o644)
    assert exchange(fastcgi, amocrm) is None
    fastcgi.configure(amocrm_ca_file=str(other))
    assert exchange(fastcgi, amocrm) == UNAVAILABLE
    fastcgi.configure()
    assert exchange(fastcgi, amocrm) is None


def test_a_changed_connect_to_takes_effect(fastcgi, amocrm):
    assert exchange(fastcgi, amocrm) is None
    fastcgi.configure(amocrm_connect_to="::127.0.0.1:1")
    assert exchange(fastcgi, amocrm) == UNAVAILABLE
    fastcgi.configure()
    assert exchange(fastcgi, amocrm) is None
