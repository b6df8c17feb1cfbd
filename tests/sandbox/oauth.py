"""amoCRM's rules about codes and tokens, without any HTTP.

A code is valid for 20 minutes and works once.  A refresh token works once too, except at Kommo,
where the old one works until the new pair is first used.  The clock can be moved, so no test has to
wait for an expiry.
"""

import threading
import time
from dataclasses import dataclass

from . import tokens

CODE_LIFE = 20 * 60
ACCESS_LIFE = 24 * 3600
REFRESH_LIFE = 92 * 24 * 3600


class Refused(Exception):
    """amoCRM refuses.  `hint` tells one case from another; some responses have none."""

    def __init__(self, hint, status=400, title="Authorization failed",
                 detail="The request was refused"):
        super().__init__(hint or title)
        self.hint, self.status, self.title, self.detail = hint, status, title, detail


class Clock:
    def __init__(self):
        self.ahead = 0

    def now(self):
        return int(time.time() + self.ahead)

    def advance(self, seconds):
        self.ahead += seconds


@dataclass
class User:
    id: int
    name: str
    admin: bool = False


@dataclass
class Account:
    id: int
    host: str
    users: list
    name: str = ""
    reported_host: str = None   # the host that the API reports; None: the real one

    @property
    def subdomain(self):
        return self.host.partition(".")[0]

    @property
    def base_domain(self):
        return self.host.partition(".")[2]

    @property
    def api_domain(self):
        return f"api-b.{self.base_domain}"

    def user(self, user_id):
        return next(user for user in self.users if user.id == user_id)


@dataclass
class Integration:
    client_id: str
    client_secret: str
    redirect_uri: str
    name: str = "The mobile app"


@dataclass
class Grant:
    """What a code or a token gives access to."""
    account: Account
    user: User
    issued_at: int
    spent: bool = False


@dataclass
class Pair:
    """An access token and a refresh token, as the token endpoint returns them."""
    grant: Grant
    access_token: str
    refresh_token: str
    access_until: int
    refresh_until: int
    spent: bool = False
    predecessor: "Pair" = None


@dataclass
class AuthorizationServer:
    integration: Integration

    def __post_init__(self):
        self._lock = threading.RLock()
        self.forget()

    def forget(self):
        """The initial state again, including the clock."""
        self.clock = Clock()
        self.kommo_grace = False
        self.access_life = ACCESS_LIFE
        self._codes = {}
        self._by_access = {}
        self._by_refresh = {}

    def saved(self):
        """The codes and tokens as they are now, for restore."""
        with self._lock:
            grants = {id(one): one for one in [*self._codes.values(), *self._pairs()]}
            return (dict(self._codes), dict(self._by_access), dict(self._by_refresh),
                    [(one, dict(vars(one))) for one in grants.values()])

    def restore(self, saved):
        """Codes and tokens are again as they were saved, however often they were used since."""
        codes, by_access, by_refresh, grants = saved
        with self._lock:
            self._codes, self._by_access = dict(codes), dict(by_access)
            self._by_refresh = dict(by_refresh)
            for one, members in grants:
                vars(one).update(members)

    def newest(self):
        """The pair that was issued last."""
        with self._lock:
            return list(self._by_refresh.values())[-1]

    # What the consent page does.

    def issue_code(self, account, user, code=None):
        """`code` is issued instead of a generated one."""
        code = code or tokens.sealed()
        with self._lock:
            self._codes[code] = Grant(account, user, self.clock.now())
        return code

    # What the token endpoint does.

    def exchange(self, account, request, **shape):
        """Uses up a code.  `shape` makes unusual tokens, see _issue."""
        with self._lock:
            self._check_client(request)
            grant = self._codes.get(request["code"])
            if grant is None:
                raise Refused("Cannot decrypt the authorization code")
            if grant.account is not account:
                raise Refused("Send request to account")
            if grant.spent:
                raise Refused("Authorization code has been revoked")
            if self.clock.now() - grant.issued_at > CODE_LIFE:
                raise Refused("Authorization code has expired")
            grant.spent = True
            return self._issue(grant, **shape)

    def refresh(self, account, request, **shape):
        with self._lock:
            self._check_client(request)
            pair = self._by_refresh.get(request["refresh_token"])
            if (pair is None or pair.spent or pair.grant.account is not account
                    or self.clock.now() > pair.refresh_until):
                raise Refused("Token has been revoked", status=401)
            self._first_use(pair)
            if not self.kommo_grace:
                pair.spent = True
            return self._issue(pair.grant, predecessor=pair, **shape)

    def account_of(self, refresh_token):
        """The account of a refresh token, which is not used up by this."""
        with self._lock:
            pair = self._by_refresh.get(refresh_token)
            if pair is None or pair.spent or self.clock.now() > pair.refresh_until:
                raise Refused("Token has been revoked", status=401)
            return pair.grant.account

    def bearer(self, account, access_token):
        """The grant behind an access token."""
        with self._lock:
            pair = self._by_access.get(access_token)
            if (pair is None or pair.grant.spent or pair.grant.account is not account
                    or self.clock.now() > pair.access_until):
                raise Refused(None, status=401, title="Unauthorized", detail="Unauthorized")
            self._first_use(pair)
            return pair.grant

    # What happens to an account.

    def uninstall(self, account):
        """The integration was removed: everything issued for this account is revoked."""
        with self._lock:
            for pair in list(self._by_refresh.values()):
                if pair.grant.account is account:
                    self._spend(pair)
            for grant in self._codes.values():
                grant.spent = grant.spent or grant.account is account

    def secrets(self):
        """Every secret issued so far: none of them may be found in a log."""
        with self._lock:
            return [*self._codes, *self._by_access, *self._by_refresh]

    def _pairs(self):
        pairs = [*self._by_access.values(), *self._by_refresh.values()]
        return pairs + [pair.grant for pair in pairs]

    def _spend(self, pair):
        pair.spent = True
        self._by_access.pop(pair.access_token, None)

    def _first_use(self, pair):
        if pair.predecessor is not None:
            self._spend(pair.predecessor)
            pair.predecessor = None

    def _check_client(self, request):
        if request["client_id"] != self.integration.client_id:
            raise Refused("Check the `client_id` parameter")
        if request["client_secret"] != self.integration.client_secret:
            raise Refused("Check the `client_secret` parameter", status=401)
        if request["redirect_uri"] != self.integration.redirect_uri:
            raise Refused("Redirect URI is not associated with client")

    def _issue(self, grant, *, predecessor=None, opaque=False, length=0, claims=None):
        """A new pair.  opaque: the access token is not a JWT; length: of both tokens; claims: of
        the access token, replacing the usual ones."""
        now = self.clock.now()
        said = tokens.access_claims(
            client_id=self.integration.client_id, user_id=grant.user.id, account=grant.account,
            issued_at=now, expires_at=now + self.access_life)
        said.update(claims or {})
        said = {name: value for name, value in said.items() if value is not None}
        pair = Pair(
            grant=Grant(grant.account, grant.user, now),
            access_token=(tokens.sealed(length or 1016) if opaque
                          else tokens.access_token(said, length)),
            refresh_token=tokens.sealed(length or 1016),
            access_until=now + self.access_life,
            refresh_until=now + REFRESH_LIFE,
            predecessor=predecessor)
        self._by_access[pair.access_token] = pair
        self._by_refresh[pair.refresh_token] = pair
        return pair
