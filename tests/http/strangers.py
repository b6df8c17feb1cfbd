"""Shared by the tests of what strangers can cause: codes that they make up, how often amoCRM may be
asked for these, and an account that cannot be asked."""

import secrets

BURST, RATE = 10, 2     # of exchanges without a state of ours; the defaults of [amocrm] budget
PATIENT = 30            # [amocrm] timeout: no call is given up on a busy machine


def made_up_code():
    return "def50200" + secrets.token_hex(300)


def made_up(**changed):
    """The parameters of a callback that amoCRM has not caused."""
    return {"code": made_up_code(), "referer": "reforyou.amocrm.ru", **changed}


def within(calls, seconds, burst=BURST, rate=RATE):
    """The budget refills while a test runs."""
    assert calls <= burst + rate * seconds + 1, f"{calls} calls in {seconds:.1f} s"


def account_down(amocrm, times=1):
    """The next tokens do not say whose they are, and neither does amoCRM for so many requests."""
    amocrm.misbehave("opaque_token", path="/oauth2/access_token")
    amocrm.misbehave("server_error", times, path="/api/v4/account")
