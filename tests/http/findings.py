"""The output of `amocrmctl check`, parsed."""

import re
import secrets
from dataclasses import dataclass

LINE = re.compile(r"(ok|warn|WRONG) +([a-z_-]+) +(\S.*?)(?: -> (\S.*))?")
PUBLIC = "admin.foryou-realestate.com"
REDIRECT_URI = f"https://{PUBLIC}/api/amo-crm/callback"


@dataclass
class Finding:
    level: str
    part: str
    found: str
    to_do: str

    @property
    def text(self):
        return f"{self.found} -> {self.to_do}"


def configure(site, **changes):
    """A configuration like that of a real installation, in which check finds no fault."""
    site.amocrm.integration.redirect_uri = REDIRECT_URI
    site.configure(**{"amocrm_authorize_url": "https://www.amocrm.ru/oauth",
                      "webhook_secret": WEBHOOK_KEY, **changes})


WEBHOOK_KEY = secrets.token_hex(16)


def check(site, *options, **rights):
    """The findings and the exit status."""
    done = site.ctl("check", *options, check=False, **rights)
    matched = [LINE.fullmatch(line) for line in done.stdout.splitlines()]
    assert all(matched), f"not all of these lines are findings:\n{done.stdout}{done.stderr}"
    for name, secret in site.secrets():
        assert secret.decode("latin-1") not in done.stdout + done.stderr, f"it prints {name}"
    found = [Finding(*line.groups()) for line in matched]
    assert found, done.stderr
    advice = {finding.level: finding.to_do for finding in found if finding.level != "ok"}
    assert all(advice.values()), f"a finding without advice:\n{done.stdout}"
    assert done.returncode == int(any(finding.level == "WRONG" for finding in found)), done.stderr
    return found


def faults(found):
    return [finding for finding in found if finding.level != "ok"]


def good(site, *options, **rights):
    """All findings are ok; returns the parts that were checked."""
    found = check(site, *options, **rights)
    assert faults(found) == []
    return {finding.part for finding in found}


def only(found, level, part, *words):
    """Exactly this one fault is reported, with these words."""
    wrong = faults(found)
    assert [(finding.level, finding.part) for finding in wrong] == [(level, part)], wrong
    for word in words:
        assert word in wrong[0].text, wrong[0].text
