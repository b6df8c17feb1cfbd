"""The redirect page and the connect page, in a real browser behind a real web server.

AMO_CRM_SCREENSHOTS=/some/folder saves a picture of each page.
"""

import os
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from selenium.webdriver.common.keys import Keys

from chromium import Chromium
from sandbox import process

SCREENSHOTS = os.environ.get("AMO_CRM_SCREENSHOTS")
DEEP_LINK = "foryoure://amo-crm/callback?"
ANDROID = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile Safari/537.36"
LATE_MS = 1500

ALLOWED = "allowed"
DENIED = "denied"
REFUSED = "refused"
UNREACHABLE = "unreachable"
NOTHING = "nothing"


@pytest.fixture(scope="module")
def chromium(runners):
    folder = process.new_folder()
    browser = Chromium(folder, runners("apache").url)
    yield browser
    browser.quit()
    process.remove_folder(folder)


@pytest.fixture
def site(one_site, runners):
    """The pages are the same behind every server, so one server is enough."""
    one_site.reset(runners("apache"))
    one_site.configure(app_name="ForYouRe")
    return one_site


@pytest.fixture
def visitor(chromium):
    """The browser in its initial state; after the test it must have reported no problem."""
    chromium.as_new()
    yield chromium
    chromium.tell("Emulation.setScriptExecutionDisabled", value=False)
    assert chromium.complaints() == []


def address(site, ending=ALLOWED, state="s1"):
    """The URL that amoCRM redirects the browser to when the authorization ends like this."""
    params = {
        ALLOWED: lambda: site.amocrm.approve(state=state),
        DENIED: lambda: site.amocrm.deny(state=state),
        REFUSED: lambda: site.amocrm.approve(state=state) | {"code": "def50200nonsense"},
        UNREACHABLE: lambda: site.amocrm.approve(state=state),
        NOTHING: dict,
    }[ending]()
    if ending == UNREACHABLE:
        site.amocrm.misbehave("server_error")
    return f"{site.url('callback')}?{urlencode(params)}" if params else site.url("callback")


def link_params(link):
    """The parameters of a deep link."""
    assert link.startswith(DEEP_LINK), link
    return {name: value for name, [value] in
            parse_qs(link.removeprefix(DEEP_LINK), keep_blank_values=True).items()}


def code_in(url):
    return parse_qs(urlsplit(url).query)["code"][0]


# Opening the app automatically.

def test_the_app_is_opened_once_and_immediately_with_the_code(site, visitor):
    url = address(site)
    visitor.open(url)
    [launch] = visitor.launches     # requested before the page had finished loading
    assert launch.reason == "scriptInitiated"
    assert link_params(launch.link) == {"code": code_in(url), "state": "s1"}
    assert launch.link == visitor.link
    visitor.wait_for_late_text()
    assert len(visitor.launches) == 1


def test_the_app_is_opened_without_a_timer(site, visitor):
    with visitor.before_scripts("window.setTimeout = window.setInterval = function () {};"):
        visitor.open(address(site))
        assert len(visitor.wait_for_launches()) == 1


@pytest.mark.parametrize("ending, error", [
    (DENIED, "access_denied"), (REFUSED, "auth_failed"), (UNREACHABLE, "temporarily_unavailable"),
    (NOTHING, "missing_code"),
])
def test_the_app_is_opened_once_with_an_error(site, visitor, ending, error):
    visitor.open(address(site, ending))
    [launch] = visitor.wait_for_launches()
    assert link_params(launch.link)["error"] == error
    assert launch.link == visitor.link


def test_a_reload_does_not_open_the_app(site, visitor):
    """A reload while the address still has the code: the same page, and its button works."""
    visitor.open(address(site))
    link = visitor.link
    visitor.wait_for_launches()
    visitor.forget()
    visitor.driver.refresh()
    assert visitor.link == link
    assert visitor.launches == []
    visitor.press()
    assert visitor.wait_until_opened() == link


def test_a_reload_without_the_code_still_has_a_working_button(site, visitor):
    visitor.open(address(site))
    link = visitor.link
    visitor.wait_for_late_text()
    visitor.forget()
    visitor.driver.refresh()
    assert visitor.run("return performance.getEntriesByType('navigation')[0].type") == "reload"
    assert visitor.launches == []
    assert visitor.link == link
    visitor.press()
    assert visitor.wait_until_opened() == link


@pytest.mark.parametrize("leave", ["at once", "after the address has lost the code"])
def test_going_back_does_not_open_the_app(site, visitor, leave):
    visitor.open(address(site))
    visitor.wait_for_launches()
    if leave != "at once":
        visitor.wait_for_late_text()
    visitor.open(site.server.url + "/index.html")
    visitor.forget()
    visitor.driver.back()
    process.wait_until(lambda: "/callback" in visitor.address, "the redirect page")
    visitor.run("return 0")
    assert visitor.launches == []


def test_a_restored_tab_does_not_open_the_app(site, visitor):
    """Some browsers restore a tab with its original navigation type; the history entry shows it."""
    with visitor.before_scripts("""
            performance.getEntriesByType = function () { return [{ type: 'navigate' }]; };"""):
        visitor.open(address(site))
        visitor.wait_for_late_text()
        visitor.forget()
        visitor.driver.refresh()
        assert visitor.run("return performance.navigation.type") == 1   # reload
        assert visitor.launches == []


# The button.

def test_button_mode_waits_for_the_visitor(site, visitor):
    site.configure(app_name="ForYouRe", app_redirect="button")
    visitor.open(address(site))
    assert visitor.launches == []
    assert not visitor.late_text_shown
    visitor.press()
    [launch] = visitor.wait_for_launches()
    assert (launch.reason, launch.link) == ("anchorClick", visitor.link)
    assert visitor.wait_until_opened() == visitor.link
    visitor.wait_for_late_text()
    assert visitor.address == site.url("callback")
    assert len(visitor.launches) == 1


def test_without_javascript_the_page_and_its_button_open_the_app(site, visitor):
    visitor.visitor(scripts=False)
    url = address(site)
    visitor.open(url)
    [launch] = visitor.wait_for_launches()
    assert launch.reason == "metaTagRefresh"
    assert link_params(launch.link) == {"code": code_in(url), "state": "s1"}
    visitor.key(Keys.TAB)
    visitor.key(Keys.ENTER)
    pressed = visitor.wait_for_launches(2)[1]
    assert (pressed.reason, pressed.link) == ("anchorClick", launch.link)
    visitor.wait_until_opened()


def test_without_javascript_button_mode_waits_for_the_visitor(site, visitor):
    site.configure(app_redirect="button")
    visitor.visitor(scripts=False)
    visitor.open(address(site))
    visitor.key(Keys.TAB)
    visitor.key(Keys.ENTER)
    assert [launch.reason for launch in visitor.wait_for_launches()] == ["anchorClick"]


@pytest.mark.parametrize("deep_link, begins", [
    ("com.example.app:/path", "intent:/path?code="), ("foryoure:callback", "intent:callback?code="),
])
def test_an_intent_needs_no_host(site, visitor, deep_link, begins):
    site.configure(app_deep_link=deep_link, app_android_package="com.example.app")
    visitor.visitor(agent=ANDROID)
    visitor.open(address(site))
    [launch] = visitor.wait_for_launches()
    assert launch.link.startswith(begins)
    assert launch.link.endswith(
        f"#Intent;scheme={deep_link.partition(':')[0]};package=com.example.app;end")
    visitor.press()
    assert visitor.wait_until_opened() == launch.link


def test_on_android_the_intent_comes_first_and_the_plain_link_second(site, visitor):
    site.configure(app_android_package="com.foryou.realestate")
    visitor.visitor(agent=ANDROID)
    url = address(site)
    visitor.open(url)
    [launch] = visitor.wait_for_launches()
    assert launch.link.startswith("intent://amo-crm/callback?code=")
    assert ";package=com.foryou.realestate;" in launch.link
    first, second = visitor.driver.find_elements("css selector", "a")
    assert first.get_attribute("href") == launch.link
    assert link_params(second.get_attribute("href")) == {"code": code_in(url), "state": "s1"}
    visitor.forget()
    second.click()
    assert link_params(visitor.wait_until_opened())["code"] == code_in(url)


# Afterwards.

def test_the_late_text_appears_after_a_second_and_a_half(site, visitor):
    visitor.open(address(site))
    shown, now = visitor.late_text_shown, visitor.since_start
    assert not shown or now > LATE_MS
    visitor.wait_for_late_text()
    assert visitor.since_start > LATE_MS
    region = visitor.driver.find_element("css selector", "[role=status]")
    assert "ForYouRe" in region.text


def test_the_address_bar_loses_code_and_state(site, visitor):
    visitor.open(address(site))
    length = visitor.run("return history.length")
    visitor.wait_for_late_text()
    assert visitor.address == site.url("callback")
    assert visitor.run("return history.length") == length


# Hostile values.

@pytest.mark.parametrize("state", [
    "\"><script>window.ran=1</script>", "'><img src=x onerror=window.ran=1>",
    "</script><script>window.ran=1</script>", "javascript:window.ran=1", "&quot;&#39;&lt;",
    "{{text:heading}}", "\u202eї \\ %41 + ;", "a#Intent;end",
])
def test_a_hostile_state_is_escaped(site, visitor, state):
    visitor.open(address(site, state=state))
    assert link_params(visitor.wait_for_launches()[0].link)["state"] == state
    assert visitor.run("return window.ran") is None
    assert visitor.run("return document.scripts.length") == 1
    assert visitor.driver.find_elements("css selector", "img") == []


def test_a_hostile_app_name_is_escaped(site, visitor):
    name = "<img src=x onerror=window.ran=1>\"'&amp;"
    site.configure(app_name=name)
    visitor.open(address(site))
    assert visitor.driver.find_element("id", "open").text == f"Open {name}"
    assert visitor.run("return window.ran") is None


def test_the_policy_is_in_force(site, visitor):
    """These tests would also notice a violation of the policy."""
    visitor.open(address(site))
    visitor.run("""
        var script = document.createElement('script');
        script.textContent = 'window.ran = 1';
        document.body.appendChild(script);""")
    process.wait_until(lambda: visitor.run("return window.stopped.length"), "a violation")
    assert visitor.run("return window.ran") is None
    assert visitor.complaints() != []
    visitor.run("window.stopped = []")


# How it looks.

HEADINGS = {
    "en": ("Access granted", "Access not granted", "amoCRM could not be connected",
           "Please try a little later", "Please go back to the app"),
    "uk": ("Доступ надано", "Доступ не надано", "Не вдалося підключити amoCRM",
           "Спробуйте трохи пізніше", "Поверніться до застосунку"),
    "ru": ("Доступ предоставлен", "Доступ не предоставлен", "Не удалось подключить amoCRM",
           "Попробуйте чуть позже", "Вернитесь в приложение"),
}
ENDINGS = (ALLOWED, DENIED, REFUSED, UNREACHABLE, NOTHING)

# Returns a list of the faults in a page's layout.
FAULTS = Path(__file__).with_name("layout.js").read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", HEADINGS)
def test_it_is_readable_in_every_language_and_outcome(site, visitor, language, scheme):
    for ending, heading in zip(ENDINGS, HEADINGS[language]):
        visitor.visitor(language=language, scheme=scheme, motion="reduce")
        visitor.open(address(site, ending))
        assert visitor.run("return document.documentElement.lang") == language
        assert visitor.driver.find_element("tag name", "h1").text == heading
        assert visitor.driver.title == heading
        assert visitor.run("return document.getAnimations().length") == 0
        visitor.run("document.getElementById('late').className = 'shown'")
        assert visitor.run(FAULTS) == [], ending
        visitor.screenshot(SCREENSHOTS, f"{language}-{ending}-{scheme}")
        visitor.visitor(width=320, height=568, language=language, scheme=scheme)
        assert visitor.run(FAULTS) == [], f"{ending}, 320 px wide"
        visitor.screenshot(SCREENSHOTS, f"{language}-{ending}-{scheme}-320")


@pytest.mark.parametrize("width, height", [(320, 568), (844, 390), (1280, 800)])
def test_it_fits_every_window_and_every_name(site, visitor, width, height):
    site.configure(app_name="W" * 60 + " дуже довга назва", app_android_package="com.example.app")
    visitor.visitor(width=width, height=height, language="uk", agent=ANDROID, motion="reduce")
    visitor.open(address(site))
    visitor.run("document.getElementById('late').className = 'shown'")
    assert visitor.run(FAULTS) == []
    visitor.screenshot(SCREENSHOTS, f"long-name-{width}")


def test_the_button_is_high_enough_and_first_in_tab_order(site, visitor):
    visitor.open(address(site))
    visitor.key(Keys.TAB)
    button = process.wait_until(lambda: visitor.focused, "an element with the focus")
    assert button.get_attribute("id") == "open"
    assert button.size["height"] >= 44
    assert button.value_of_css_property("outline-style") == "solid", "no focus ring"
    bottom = button.rect["y"] + button.rect["height"]
    assert bottom <= visitor.run("return innerHeight"), "the button is below the first screen"


# The connect page.

def connect_page(site, client_id="c1", **asked):
    return f"{site.server.url}/index.html?" + urlencode({"client_id": client_id, **asked})


def connect_link(visitor):
    return visitor.run("return document.getElementById('connect').href")


def test_from_the_connect_page_through_amocrm_into_the_app(site, visitor):
    visitor.open(connect_page(site, site.amocrm.integration.client_id,
                              authorize_url=site.amocrm.authorize_url))
    state = visitor.driver.find_element("id", "state").get_property("value")
    visitor.driver.find_element("id", "connect").click()
    visitor.driver.find_element("css selector", "button[value=allow]").click()
    [launch] = visitor.wait_for_launches()
    assert launch.reason == "scriptInitiated"
    assert visitor.wait_until_opened() == launch.link   # the click on Allow is the user gesture
    params = link_params(launch.link)
    assert params["state"] == state
    assert params["code"].startswith("def50200")


@pytest.mark.parametrize("asked, begins", [
    ("https://www.amocrm.ru/oauth", "https://www.amocrm.ru/oauth?client_id=c1&state="),
    ("https://www.kommo.com/oauth", "https://www.kommo.com/oauth?client_id=c1&state="),
    ("http://localhost:8081/oauth", "http://localhost:8081/oauth?client_id=c1&state="),
    ("http://127.0.0.1:8081/oauth", "http://127.0.0.1:8081/oauth?client_id=c1&state="),
])
def test_the_connect_page_builds_the_link(site, visitor, asked, begins):
    visitor.open(connect_page(site, authorize_url=asked))
    link = connect_link(visitor)
    assert link.startswith(begins)
    assert link.endswith("&mode=popup")
    visitor.driver.refresh()
    assert connect_link(visitor) != link, "each page has a new state"


@pytest.mark.parametrize("asked", [
    "", "https://evil.example/oauth", "https://www.amocrm.ru.evil.example/oauth",
    "https://www.amocrm.ru@evil.example/oauth", "http://www.amocrm.ru/oauth",
    "https://localhost/oauth", "http://localhost.evil.example/oauth", "http://u@localhost/oauth",
    "javascript:window.ran=1", "data:text/html,x", "//localhost/oauth",
])
def test_the_connect_page_links_to_no_other_host(site, visitor, asked):
    visitor.open(connect_page(site, authorize_url=asked))
    assert connect_link(visitor).startswith("https://www.amocrm.ru/oauth?")
    assert visitor.driver.find_element("id", "refused").is_displayed()


def test_the_connect_page_waits_for_a_client_id(site, visitor):
    visitor.open(f"{site.server.url}/index.html")
    assert connect_link(visitor) == ""
    visitor.driver.find_element("id", "client").send_keys("a b&c\"<")
    assert "client_id=a+b%26c%22%3C&" in connect_link(visitor)


def test_the_connect_page_has_its_button_on_the_first_screen(site, visitor):
    """With the query of `make run`, on a notebook's screen."""
    visitor.visitor(width=1280, height=800)
    visitor.open(connect_page(site, authorize_url="http://localhost:8081/oauth"))
    button = visitor.driver.find_element("id", "connect")
    assert button.rect["y"] + button.rect["height"] <= visitor.run("return innerHeight")
    visitor.screenshot(SCREENSHOTS, "connect-1280-800")
    assert not visitor.driver.find_element("id", "state").is_displayed()
    visitor.driver.find_element("css selector", "summary").click()
    visitor.driver.find_element("id", "state").clear()
    visitor.driver.find_element("id", "state").send_keys("mine")
    assert "&state=mine&" in connect_link(visitor)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width, height", [(320, 568), (390, 900), (1280, 1000)])
def test_the_connect_page_is_readable(site, visitor, width, height, scheme):
    visitor.visitor(width=width, height=height, scheme=scheme, motion="reduce")
    visitor.open(connect_page(site, authorize_url="http://evil.example/"))
    assert visitor.run(FAULTS) == []
    visitor.driver.find_element("css selector", "summary").click()
    assert visitor.run(FAULTS) == [], "with the state"
    visitor.screenshot(SCREENSHOTS, f"connect-{width}-{scheme}")
