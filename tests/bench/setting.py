"""The set-up that is measured: our programs with the mock amoCRM server, and one connection."""

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from sandbox import hooks, process  # noqa: E402
from sandbox.amocrm import Amocrm, usual_integration  # noqa: E402
from sandbox.servers import Bare  # noqa: E402
from sandbox.site import BASE, BUILD, Site  # noqa: E402
from sandbox.web import encode  # noqa: E402

from measure import Skipped  # noqa: E402

# Everything is owned and run by the current user, even if that is root: costs do not depend on it.
web_user = process.web_user
process.web_user = lambda: None

FORM = "application/x-www-form-urlencoded"
BODY_SIZE = 2048    # bytes; about the size of amoCRM's webhook for one lead
LANGUAGE = "uk-UA,uk;q=0.9,en;q=0.8"
AGENT = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile"


def tool(name):
    """One of this folder's own programs."""
    built = BUILD / "tests" / "bench" / name
    if not built.exists():
        raise Skipped(f"{built} is not built: run make bench")
    return built


class Request:
    """A request to one of our programs, as a web server would forward it."""

    def __init__(self, program, method="GET", query=None, headers=None, body=None, good=(200,)):
        self.program, self.method, self.query = program, method, encode(query) or b""
        self.headers = {"Accept-Language": LANGUAGE, "User-Agent": AGENT, **(headers or {})}
        self.body, self.good = body, good

    def environment(self, bare):
        return bare.environment(BASE + self.program, self.query, self.method, self.headers,
                                self.body)


class Setting:
    def __init__(self, amocrm, folder):
        self.amocrm, self.folder = amocrm, folder
        self.site = Site(amocrm, folder)
        self.bare = Bare(self.site)
        self.site.server = self.bare
        self.amocrm.integration.redirect_uri = self.site.url("callback")
        self.site.configure()
        self.code = amocrm.approve(state="from-the-app")
        self.check(Request("callback", query=self.code))
        amocrm.forget()
        self.body = webhook_body(amocrm)

    def requests(self):
        """The requests of browsers, the app and amoCRM, by name."""
        token = {"Authorization": f"Bearer {self.site.app_token()}"}
        return {
            "callback, no code": Request("callback"),
            "callback, access_denied": Request(
                "callback", query={"error": "access_denied", "state": "from-the-app"}),
            "callback, a code again": Request("callback", query=self.code),
            "status": Request("status", headers=token),
            "disconnect, no token": Request("disconnect", "POST", body=b"", good=(401,)),
            "webhook, 2 KB stored": Request("webhook", "POST", headers={"Content-Type": FORM},
                                            body=self.body),
        }

    def check(self, request):
        """Sends the request once, so that an error is not measured by mistake."""
        answer = self.bare.ask(BASE + request.program, request.query, request.method,
                               request.headers, request.body)
        if answer.status not in request.good or b"error=server_error" in answer.body:
            raise RuntimeError(f"{request.program} responded {answer.status}: {answer.text}\n"
                               + "\n".join(self.site.log()))
        return answer

    def file(self, name, content):
        """Writes a file for standard input; a pipe would have to be fed during the measurement."""
        path = self.folder / name
        path.write_bytes(content)
        return path


def webhook_body(amocrm):
    """A form as amoCRM sends it, with one more field that fills it up to BODY_SIZE."""
    account, _ = amocrm.who()
    body = hooks.webhook_body(account)
    body = body if isinstance(body, bytes) else body.encode()
    filler = b"&leads%5Bstatus%5D%5B0%5D%5Bname%5D="
    return body + filler + b"x" * (BODY_SIZE - len(body) - len(filler))


@contextmanager
def setting():
    folder = process.new_folder()
    try:
        with Amocrm(folder / "amocrm", usual_integration("http://localhost/")) as amocrm:
            yield Setting(amocrm, folder)
    finally:
        process.remove_folder(folder)


def output(arguments, **options):
    done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True, **options)
    if done.returncode:
        raise RuntimeError(f"{arguments[0]} exited with status {done.returncode}: {done.stderr}")
    return done.stdout
