"""The formats of amoCRM's secrets, and of the app's own token.

amoCRM publishes no key for its access tokens, so a client cannot verify their signatures; here a
signature is random bytes of the right length.  The app's token is really signed, because we verify
that one.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
import uuid


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unbase64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sealed(length=1016):
    """A code or a refresh token: opaque hex digits after a fixed prefix."""
    return "def50200" + secrets.token_hex((length - 8) // 2)


def access_token(claims, length=0):
    """A JWT that looks like RS256, of at least `length` characters if `length` is given."""
    header = {"typ": "JWT", "alg": "RS256", "jti": secrets.token_hex(40)}
    claims = dict(claims, jti=header["jti"])
    padding = max(0, length - 1100)
    if padding:
        claims["padding"] = secrets.token_urlsafe(padding)[:padding]
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in (header, claims)]
    return ".".join(map(base64url, [*parts, secrets.token_bytes(256)]))


def access_claims(*, client_id, user_id, account, issued_at, expires_at):
    return {
        "aud": client_id,
        "iat": issued_at,
        "nbf": issued_at,
        "exp": expires_at,
        "sub": str(user_id),
        "grant_type": "",
        "account_id": account.id,
        "base_domain": account.base_domain,
        "version": 2,
        "scopes": ["push_notifications", "files", "crm", "files_delete", "notifications"],
        "hash_uuid": str(uuid.UUID(int=account.id)),
        "api_domain": account.api_domain,
    }


def app_token(secret, user="app-user-1", algorithm="HS256", **claims):
    """The mobile app's own bearer token.  A claim given as None is omitted."""
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[algorithm]
    claims = {"sub": user, "exp": int(time.time()) + 3600, **claims}
    claims = {name: value for name, value in claims.items() if value is not None}
    signed = ".".join(base64url(json.dumps(part).encode())
                      for part in ({"typ": "JWT", "alg": algorithm}, claims))
    signature = hmac.new(secret.encode(), signed.encode(), digest).digest()
    return f"{signed}.{base64url(signature)}"


def disconnect_signature(client_secret, client_uuid, account_id):
    message = f"{client_uuid}|{account_id}".encode()
    return hmac.new(client_secret.encode(), message, hashlib.sha256).hexdigest()
