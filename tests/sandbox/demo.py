"""Two pages of `make run`: one acts as a user of amoCRM, the other as the mobile app.

Each button sends the real request and shows the real response.  Several hosts get the requests in
turn, as from a load balancer, and the page names the host.
"""

import itertools
from html import escape
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from . import hooks
from .consent import PAGE, STYLE
from .listen import Reply

PATIENCE = 10   # timeout of a request to our programs, in seconds

MORE_STYLE = """
h2 { font-size: 1rem; margin: 1.5rem 0 .5rem }
form { display: flex; flex-wrap: wrap; gap: .5rem; margin: .5rem 0 }
label { flex: 1 1 100%; min-height: 0; margin: 0; padding: 0; border: 0; cursor: auto }
input { flex: 1 1 100%; min-height: 2.75rem; font: inherit; padding: 0 .75rem; color: inherit;
        background: none; border: 1px solid var(--line); border-radius: .5rem }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .5rem 0 0; padding: .75rem;
      border: 1px solid var(--line); border-radius: .5rem; font-size: .8125rem }
pre + p { margin-top: .5rem }
a { color: var(--accent) }
"""

OFFICE = """<h1>The office's amoCRM account</h1>
<p>amoCRM reports what you do here to the back end.</p>
<form method="post" action="/">
<button name="do" value="lead">Change a lead</button>
<button name="do" value="remove">Remove the integration</button>
</form>
{shown}
<h2>The other side</h2>
<p><a href="{connect}">The connect page</a> &middot; <a href="/app">The app, as a page</a></p>"""

APP = """<h1>The app, as a page</h1>
<p>Each button sends the request that the app would send, with its JWT.</p>
<form method="post" action="/app"><button name="do" value="status">Am I connected?</button></form>
<form method="post" action="/app">
<label for="link">The deep link (copy the address of the button on the callback's page)</label>
<input name="link" id="link" placeholder="foryoure://…">
<button name="do" value="exchange">Exchange the code</button></form>
<form method="post" action="/app"><button name="do" value="disconnect">Disconnect</button></form>
{shown}
<h2>The other side</h2>
<p><a href="/">The office's amoCRM account</a></p>"""

CONNECT_FIRST = "Connect first: only webhooks of connected accounts are accepted."


class Demo:
    def __init__(self, hosts, amocrm, connect_page):
        self._hosts, self._amocrm, self._connect_page = hosts, amocrm, connect_page
        self._turns = itertools.cycle(hosts)

    def answer(self, exchange):
        """The response of one of the two pages, or None for any other path."""
        path = exchange.asked.path
        if path not in ("/", "/app"):
            return None
        form = dict(parse_qsl((exchange.asked.body or b"").decode("utf-8", "replace")))
        shown = ""
        if exchange.command == "POST":
            shown = self._shown(*(self._office if path == "/" else self._app)(form))
        page = OFFICE.format(shown=shown, connect=escape(self._connect_page)) if path == "/" \
            else APP.format(shown=shown)
        return self._page("The office" if path == "/" else "The app", page)

    def webhook_url(self):
        return next(self._turns).webhook_url()

    def _office(self, form):
        account, _ = self._amocrm.who()
        host = next(self._turns)
        if form.get("do") == "lead":
            sent = hooks.WebhookSender(host.webhook_url()).post(hooks.webhook_body(account))
            return sent, self._to(host, "POST webhook"), CONNECT_FIRST if sent.status == 403 else ""
        self._amocrm.oauth.uninstall(account)
        return hooks.disconnect_hook(host.url("disconnect"), self._amocrm.integration,
                                     account), self._to(host, "GET disconnect, signed")

    def _app(self, form):
        do = form.get("do")
        host = next(self._turns)
        headers = {"Authorization": f"Bearer {host.app_token()}"}
        if do == "exchange":
            linked = parse_qs(urlsplit(form.get("link", "")).query)
            body = urlencode({name: linked[name][0] for name in ("code", "state") if name in linked})
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            return hooks.send("POST", host.url("exchange-code"), headers=headers, body=body,
                              patience=PATIENCE), self._to(host, "POST exchange-code")
        method, name = ("POST", "disconnect") if do == "disconnect" else ("GET", "status")
        return hooks.send(method, host.url(name), headers=headers,
                          patience=PATIENCE), self._to(host, f"{method} {name}")

    def _to(self, host, request):
        """The request, with the host if there are several."""
        return request if len(self._hosts) == 1 else f"{request} to {host.server.url}"

    @staticmethod
    def _shown(sent, asked, advice=""):
        answer = (sent.body or b"").decode("utf-8", "replace").strip()
        return (f"<pre>{escape(asked)}\n{sent.status or 'no response'} {escape(answer)}</pre>"
                + (f"<p>{escape(advice)}</p>" if advice else ""))

    @staticmethod
    def _page(title, body):
        policy = ("default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
                  "base-uri 'none'; frame-ancestors 'none'")
        return Reply(200, PAGE.format(title=title, style=STYLE + MORE_STYLE, body=body).encode(),
                     headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"})
