"""The consent page: a user allows or denies the integration access, and the browser is redirected.

It redirects to the registered redirect_uri only.  Its form-action policy names that address only,
as a careful vendor's would.  A browser applies this policy to the whole chain of redirects, so a
302 from the callback to an app's own scheme is blocked: the app has to be opened from a page.

At amoCRM `mode=popup` and `mode=post_message` differ only in who closes the window; here both lead
to the redirect.
"""

from html import escape
from urllib.parse import parse_qsl, quote, urlsplit

from .listen import Reply

STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --paper: #fff; --ground: #eef2f6; --line: #d5dde6;
        --accent: #2468c8; --soft: #5b6b7c }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8edf3; --paper: #1b232d; --ground: #11161d; --line: #36424f; --accent: #4d8fe8;
          --soft: #9fb0c0 } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem;
       background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
main { width: 100%; max-width: 26rem; padding: 1.5rem; background: var(--paper);
       border: 1px solid var(--line); border-radius: .75rem }
.mark { color: var(--soft); font-size: .875rem; margin: 0 0 .75rem }
h1 { font-size: 1.375rem; line-height: 1.25; margin: 0 0 .5rem }
p { margin: 0 }
fieldset { border: 0; margin: 1rem 0 1.25rem; padding: 0 }
legend { color: var(--soft); font-size: .875rem; padding: 0; margin-bottom: .5rem }
label { display: flex; flex-wrap: wrap; align-items: center; gap: 0 .5rem; min-height: 2.75rem;
        padding: .25rem .75rem; margin-bottom: .375rem; border: 1px solid var(--line);
        border-radius: .5rem; cursor: pointer }
label:has(:checked) { border-color: var(--accent) }
label small { color: var(--soft); margin-left: auto }
.answers { display: flex; gap: .75rem }
button { flex: 1; min-height: 2.75rem; font: inherit; border-radius: .5rem; cursor: pointer;
         border: 1px solid var(--line); background: none; color: inherit }
button[value=allow] { background: var(--accent); border-color: var(--accent); color: #fff }
"""

PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
<main>
<p class="mark">Mock amoCRM server for development</p>
{body}
</main>
</html>
"""

FORM = """<h1>Allow &ldquo;{name}&rdquo; to access your account?</h1>
<p>It will read and change leads, contacts and tasks on behalf of the user you choose.</p>
<form method="post" action="{action}">
<fieldset>
<legend>Account and user</legend>
{choices}
</fieldset>
<div class="answers">
<button name="answer" value="allow">Allow</button>
<button name="answer" value="deny">Deny</button>
</div>
</form>"""

CHOICE = """<label><input type="radio" name="user" value="{value}"{checked}>
<span>{user}{role}</span> <small>{host}</small></label>"""


class ConsentPage:
    def __init__(self, oauth, accounts):
        self._oauth, self._accounts = oauth, accounts

    def answer(self, exchange):
        query = urlsplit(exchange.path).query
        asked = dict(parse_qsl(query, keep_blank_values=True, encoding="latin-1"))
        if asked.get("client_id") != self._oauth.integration.client_id:
            return self._page(400, "No such integration",
                              "<h1>No such integration</h1>\n<p>amoCRM does not know the client_id "
                              "in this address.</p>")
        if exchange.command != "POST":
            return self._ask(query)
        form = dict(parse_qsl(exchange.asked.body.decode("latin-1"), keep_blank_values=True))
        if form.get("answer") == "deny":
            return self._back(self.denial(state=asked.get("state")))
        account, user = self._chosen(form.get("user", ""))
        if form.get("answer") != "allow" or user is None:
            return self._ask(query)
        return self._back(self.grant(account, user, state=asked.get("state")))

    def grant(self, account, user, state=None, code=None):
        """The parameters of a successful redirect, in amoCRM's order."""
        params = {"code": self._oauth.issue_code(account, user, code)}
        if state is not None:
            params["state"] = state
        params["referer"] = account.host
        params["platform"] = "1" if account.base_domain == "amocrm.ru" else "2"
        params["client_id"] = self._oauth.integration.client_id
        return params

    def denial(self, state=None):
        params = {"error": "access_denied", "client_id": self._oauth.integration.client_id}
        if state is not None:
            params["state"] = state
        return params

    def redirect_url(self, params):
        """The registered address with these parameters; latin-1 keeps their bytes unchanged."""
        uri = self._oauth.integration.redirect_uri
        query = "&".join(f"{name}={quote(value, safe='', encoding='latin-1')}"
                         for name, value in params.items())
        return f"{uri}{'&' if '?' in uri else '?'}{query}"

    def _back(self, params):
        return Reply(302, headers={"Location": self.redirect_url(params)})

    def _chosen(self, value):
        """A value without an account id means the first account."""
        account_id, _, user_id = value.rpartition(":")
        for account in self._accounts():
            if account_id in ("", str(account.id)):
                return account, next((user for user in account.users if str(user.id) == user_id),
                                     None)
        return None, None

    def _ask(self, query):
        choices = [(account, user) for account in self._accounts() for user in account.users]
        listed = "\n".join(
            CHOICE.format(value=f"{account.id}:{user.id}", checked=" checked" if first else "",
                          user=escape(user.name), host=escape(account.host),
                          role=" (admin)" if user.admin else "")
            for first, (account, user) in zip([True] + [False] * len(choices), choices))
        name = escape(self._oauth.integration.name)
        return self._page(200, f"Allow {name}?", FORM.format(
            name=name, action=escape(f"/oauth?{query}"), choices=listed))

    def _page(self, status, title, body):
        back = urlsplit(self._oauth.integration.redirect_uri)
        policy = ("default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
                  f"frame-ancestors 'none'; form-action 'self' {back.scheme}://{back.netloc}")
        return Reply(status, PAGE.format(title=title, style=STYLE, body=body).encode(),
                     headers={"Content-Security-Policy": policy, "Cache-Control": "no-store",
                              "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"})
