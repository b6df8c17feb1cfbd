"""The shipped Apache and lighttpd examples: URLs, logs, and headers that they forward.

The programs behind them are tested elsewhere; these tests find a wrong line of an example.
"""

import re
import shutil

import pytest

import expect
from sandbox.process import give, wait_until
from sandbox.servers import APACHE_MODULES, Apache
from sandbox.site import HELPERS, PROGRAMS, ROOT

WRONG = [
    *(f"/api/v1/integrations/amo-crm/{program}" for program in PROGRAMS),
    *(f"/api/amo-crm/{program}/" for program in PROGRAMS),
    "/api/amo-crm/callback/extra",
    "/api/amo-crm/callback.cgi",
    "/api/amo-crm/callbacks",
    "/api/amo-crm/Callback",
    "/api/amo-crm/",
    "/api/amo-crm",
    "/api/amo-crm/oauth",
    "/api/integrations/amo-crm/callback",
    "/api/v2/amo-crm/webhook",
    "/api/amo-crm/../amo-crm/nothing",
]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "HEAD"])
@pytest.mark.parametrize("path", WRONG)
def test_a_wrong_url_gets_404_and_the_right_urls(on_servers, path, method):
    answer = on_servers.ask(path, "code=1", method=method, body=b"" if method == "POST" else None)

    assert answer.status == 404
    assert answer.media_type == "text/plain"
    if method != "HEAD":
        for program in PROGRAMS:
            assert f" /api/amo-crm/{program} " in answer.text


@pytest.mark.parametrize("path", ["/", "/nothing", "/api/other", "/amo-crm/callback"])
def test_other_urls_belong_to_the_site(on_servers, path):
    answer = on_servers.get(path)

    assert "/api/amo-crm/callback" not in answer.text or path == "/"
    assert answer.media_type == "text/html"


# RFC 3339, lighttpd's, and Apache's
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d|[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d")


def test_a_log_line_has_the_time_once(on_servers):
    """The program writes it where the server does not."""
    on_servers.get("status")

    line = on_servers.logged("amo-crm status:", "missing_token")

    assert len(TIME.findall(line)) == 1, line


def test_queries_and_referers_stay_out_of_the_access_log(on_servers, amocrm):
    secret = "def50200" + "f" * 40
    paths = ["callback", "disconnect", "webhook", "status", *WRONG]
    for path in paths:
        on_servers.ask(path, f"code={secret}&key={secret}",
                       headers={"Referer": f"http://localhost/api/amo-crm/callback?code={secret}"})
    on_servers.get("/index.html", "plain=visible")

    written = logged(on_servers, "/index.html")

    assert secret not in written
    assert "/api/amo-crm/callback" in written, "requests to our programs are not logged"
    assert "plain=visible" in written, "the query of other requests is not logged"


def logged(site, last):
    """Waits until the last line has been written; returns the access log."""
    log = site.server.access_log
    wait_until(lambda: log.exists() and last in log.read_text(), f"{last} in the access log")
    return log.read_text()


def test_the_error_log_contains_the_programs_line(on_servers, amocrm):
    params = {**amocrm.approve(), "client_id": "another"}

    on_servers.get("callback", params)

    on_servers.logged("amo-crm callback:", "invalid_request", "client_id")


@pytest.mark.parametrize("method", ["TRACE", "TRACK"])
def test_trace_does_not_return_headers(on_servers, method):
    answer = on_servers.ask("callback", method=method,
                            headers={"Authorization": "Bearer secret", "Cookie": "a=secret"})

    assert answer.status in (405, 501)
    assert b"secret" not in answer.body


def test_apache_behind_prefork_as_shared_hosting_runs_it(one_site, amocrm):
    server = Apache(one_site, mpm="prefork")
    try:
        one_site.reset(server)
        params = amocrm.approve(state="s")
        expect.connected(one_site.get("callback", params), params["code"], "s")
        assert one_site.get(WRONG[0]).media_type == "text/plain"
        assert one_site.ask("callback", method="TRACE").status == 405
    finally:
        server.stop()


# The .htaccess of `make dist`, with a private Apache; test_dist.py tests it under suEXEC.
HTACCESS = {
    "unchanged": ("", lambda text: text),
    "names in .cgi": (".cgi", lambda text: re.sub("^#(?=Rewrite)", "", text, flags=re.MULTILINE)),
}


@pytest.mark.parametrize("case", HTACCESS)
def test_the_htaccess_for_shared_hosting(one_site, amocrm, case):
    suffix, changed = HTACCESS[case]
    server = SharedHosting(one_site, suffix=suffix,
                           htaccess=changed((ROOT / "dist" / "htaccess").read_text()))
    try:
        one_site.reset(server)
        params = amocrm.approve(state="s")
        expect.connected(one_site.get("callback", params), params["code"], "s")
        seen = one_site.get("status", headers={"Authorization": "Bearer seen"})
        assert "AUTHORIZATION=Bearer seen" in seen.text
        for path in ("nothing", ".htaccess", "callback.orig", *HELPERS):
            wrong = one_site.get(path)
            assert wrong.status == 404, path
            assert "/api/amo-crm/callback" in wrong.text
        assert one_site.get("callback/extra").status == 404
    finally:
        server.stop()


class SharedHosting(Apache):
    """A shared host on which the user controls only an .htaccess, without AuthConfig."""

    def our_example(self):
        docroot = self._run / "public_html"
        programs = docroot / "api" / "amo-crm"
        programs.mkdir(parents=True)
        suffix = self._options["suffix"]
        shutil.copy(self._site.programs / "callback", programs / f"callback{suffix}")
        for helper in HELPERS:
            shutil.copy(self._site.libexec / helper, programs)
        # a script that prints the Authorization header that it gets
        (programs / f"status{suffix}").write_text(
            "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'; env | grep AUTHORIZATION\n")
        (programs / f"status{suffix}").chmod(0o755)
        (programs / ".htaccess").write_text(self._options["htaccess"])
        for folder in (docroot, docroot / "api", programs):
            give(folder, 0o750)
        included = self._run / "amo-crm.conf"
        included.write_text(
            f"DocumentRoot {docroot}\n"
            f"LoadModule rewrite_module {APACHE_MODULES}/mod_rewrite.so\n"
            f"<Directory {docroot}>\nRequire all granted\n"
            "AllowOverride FileInfo Options=ExecCGI\n</Directory>\n")
        return included


def test_a_response_keeps_its_headers(on_servers, amocrm):
    params = amocrm.approve()

    answer = on_servers.get("callback", params)

    expect.connected(answer, params["code"])
    assert answer.header("Content-Type") == "text/html; charset=utf-8"
    assert "Status" not in [name for name, _ in answer.headers]


def test_only_the_programs_are_served(on_servers):
    """Neither the file of a program nor the configuration can be downloaded."""
    for path in ("/cgi-bin/callback", "/amo-crm.conf", "/keys", "/api/amo-crm/amo-crm.conf",
                 "/api/amo-crm/..%2famo-crm.conf", "/api/amo-crm/callback/../../amo-crm.conf"):
        answer = on_servers.get(path)
        assert answer.status in (400, 403, 404), path
        assert b"client_secret" not in answer.body
