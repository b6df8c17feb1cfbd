"""What amo-crm-https keeps from one call to the next in a FastCGI program, and what it must not keep.

A code works once: whatever is kept, no byte of it may be sent twice.
"""

import shutil

import expect
from sandbox import pki

UNAVAILABLE = "temporarily_unavailable"


def exchange(site, amocrm):
    """The error, or None."""
    told = amocrm.approve(state="s")
    answer = site.get("callback", told)
    if "error" not in answer.link_query:
        expect.connected(answer, told["code"], "s")
    return answer.link_query.get("error")


def test_the_session_is_resumed_on_a_connection_of_its_own(fastcgi, amocrm):
    for _ in range(3):
        assert exchange(fastcgi, amocrm) is None
    assert [one.resumed for one in amocrm.connections()] == [False, True, True]
    assert len(amocrm.exchanges()) == 3


def test_a_lost_answer_is_asked_for_once(fastcgi, amocrm):
    """libcurl would ask again on its own when a connection that it kept ends without an answer."""
    assert exchange(fastcgi, amocrm) is None
    amocrm.forget()
    amocrm.misbehave("connection_reset")
    assert exchange(fastcgi, amocrm) == UNAVAILABLE
    assert len(amocrm.exchanges()) == 1
    assert exchange(fastcgi, amocrm) is None


def test_a_server_that_refuses_before_the_handshake_is_tried_again(fastcgi, amocrm):
    assert exchange(fastcgi, amocrm) is None
    amocrm.forget()
    amocrm.misbehave("reset_early")
    assert exchange(fastcgi, amocrm) is None
    assert len(amocrm.connections()) == 2 and len(amocrm.exchanges()) == 1


def test_a_file_of_certificates_that_changes_is_heeded(fastcgi, amocrm, tmp_path):
    """A session that is resumed shows no certificate."""
    known = fastcgi.folder / "known.pem"
    shutil.copy(amocrm.ca_file, known)
    known.chmod(0o644)
    unknown = pki.Authority(tmp_path / "other", "Other CA").certificate.read_bytes()
    fastcgi.configure(amocrm_ca_file=str(known))
    assert exchange(fastcgi, amocrm) is None
    assert exchange(fastcgi, amocrm) is None
    assert amocrm.connections()[-1].resumed

    sound = known.read_bytes()
    known.write_bytes(unknown)
    assert exchange(fastcgi, amocrm) == UNAVAILABLE
    known.write_bytes(sound)
    assert exchange(fastcgi, amocrm) is None


def test_another_file_of_certificates_is_heeded(fastcgi, amocrm, tmp_path):
    other = fastcgi.folder / "other.pem"
    shutil.copy(pki.Authority(tmp_path / "other", "Other CA").certificate, other)
    other.chmod(0o644)
    assert exchange(fastcgi, amocrm) is None
    fastcgi.configure(amocrm_ca_file=str(other))
    assert exchange(fastcgi, amocrm) == UNAVAILABLE
    fastcgi.configure()
    assert exchange(fastcgi, amocrm) is None


def test_a_host_that_is_led_elsewhere_is_heeded(fastcgi, amocrm):
    assert exchange(fastcgi, amocrm) is None
    fastcgi.configure(amocrm_connect_to="::127.0.0.1:1")
    assert exchange(fastcgi, amocrm) == UNAVAILABLE
    fastcgi.configure()
    assert exchange(fastcgi, amocrm) is None
