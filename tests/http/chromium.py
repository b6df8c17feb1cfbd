"""Debian's Chromium, headless, for what can only be tested in a browser.

A page cannot observe that an app is opened.  The attempts are taken from the browser's own log,
which has every navigation, its reason and its URL.  The links that really open an app are recorded
by a script that replaces the desktop's xdg-open, which Chromium calls with each of them.
"""

import contextlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys

from sandbox import process

FLAGS = ("--headless=new", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--hide-scrollbars")
SCHEMES = ("foryoure", "intent")
# Chromium lets a page open an app once, and requires a user gesture from then on.  These are the
# messages that it then logs; they are no errors of the page.
EXPECTED = ("because a user gesture is required", "Launched external handler")

DESKTOP = """#!/bin/sh
test "${0##*/}" != xdg-open || echo "$1" >> "$OPENED"
"""

# Runs before a page's own scripts: records violations of the Content-Security-Policy.
WATCH = """
window.stopped = [];
document.addEventListener('securitypolicyviolation', function (event) {
    window.stopped.push(event.violatedDirective + ' ' + (event.blockedURI || event.sourceFile));
});
"""


@dataclass(frozen=True)
class Launch:
    """One attempt to open an app."""

    link: str
    reason: str     # scriptInitiated, metaTagRefresh, anchorClick


class Chromium:
    """`origin` may open apps without a prompt, which would be a window of its own."""

    def __init__(self, folder, origin):
        self._folder = folder
        self._opened = folder / "opened"
        options = Options()
        options.binary_location = shutil.which("chromium")
        for flag in (*FLAGS, f"--user-data-dir={folder}/profile"):
            options.add_argument(flag)
        if process.is_root():
            options.add_argument("--no-sandbox")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        options.add_experimental_option("prefs", {"protocol_handler": {
            "allowed_origin_protocol_pairs": {origin: dict.fromkeys(SCHEMES, True)}}})
        self.driver = webdriver.Chrome(
            options=options,
            service=Service(shutil.which("chromedriver"), env=os.environ | self._desktop()))
        self._events = []
        self._agent = self.tell("Browser.getVersion")["userAgent"]
        self.tell("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        self.tell("Emulation.setFocusEmulationEnabled", enabled=True)

    def _desktop(self):
        programs = self._folder / "bin"
        programs.mkdir()
        for name in ("xdg-open", "xdg-settings", "xdg-mime"):
            (programs / name).write_text(DESKTOP)
            (programs / name).chmod(0o755)
        home = str(self._folder)
        return {"PATH": f"{programs}:{os.environ['PATH']}", "OPENED": str(self._opened),
                "HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home}

    def quit(self):
        self.driver.quit()

    def tell(self, command, **parameters):
        """Sends a command of the Chrome DevTools Protocol."""
        return self.driver.execute_cdp_cmd(command, parameters)

    @contextlib.contextmanager
    def before_scripts(self, script):
        """Runs the script in every page before the page's own."""
        added = self.tell("Page.addScriptToEvaluateOnNewDocument", source=script)
        yield
        self.tell("Page.removeScriptToEvaluateOnNewDocument", **added)

    # The visitor's device and preferences.

    def visitor(self, width=390, height=760, language="en", scheme="light", motion="no-preference",
                agent=None, scripts=True):
        self.tell("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.tell("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 1000)
        self.tell("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": motion}])
        self.tell("Emulation.setUserAgentOverride", userAgent=agent or self._agent,
                  acceptLanguage=language)

    def as_new(self):
        self.driver.get("about:blank")
        self.visitor()
        self.forget()

    def forget(self):
        self._collect()
        self._events.clear()
        self._opened.write_text("")
        self.driver.get_log("browser")

    # What the visitor does.

    def open(self, url):
        self.driver.get(url)

    def _wait_for_paint(self):
        """Before the first paint Chromium discards input."""
        process.wait_until(lambda: self.run(
            "return performance.getEntriesByType('paint').length"), "a first paint")

    def press(self):
        self._wait_for_paint()
        self.driver.find_element("id", "open").click()

    def key(self, key):
        """The visitor presses a key; this works without JavaScript too."""
        self._wait_for_paint()
        code, number, text = {Keys.TAB: ("Tab", 9, ""), Keys.ENTER: ("Enter", 13, "\r")}[key]
        for kind in ("keyDown", "keyUp"):
            self.tell("Input.dispatchKeyEvent", type=kind, key=code, code=code, text=text,
                      windowsVirtualKeyCode=number)

    # What the visitor sees.

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    @property
    def link(self):
        return self.run("return document.getElementById('open').href")

    @property
    def address(self):
        return self.run("return location.href")

    @property
    def since_start(self):
        """Milliseconds since the navigation to the page began."""
        return self.run("return performance.now()")

    @property
    def focused(self):
        element = self.driver.switch_to.active_element
        return None if element.tag_name == "body" else element

    @property
    def late_text_shown(self):
        return self.driver.find_element("id", "late").is_displayed()

    def wait_for_late_text(self):
        process.wait_until(lambda: self.late_text_shown, "the text for an app that did not open")

    def _collect(self):
        for entry in self.driver.get_log("performance"):
            event = json.loads(entry["message"])["message"]
            if event["method"] == "Page.frameRequestedNavigation":
                asked = event["params"]
                if not asked["url"].startswith("http"):
                    self._events.append(Launch(asked["url"], asked["reason"]))

    @property
    def launches(self):
        """The attempts to open an app since the last forget()."""
        self._collect()
        return list(self._events)

    def wait_for_launches(self, number=1):
        process.wait_until(lambda: len(self.launches) >= number, f"{number} launches")
        return self.launches

    def wait_until_opened(self):
        """Waits for a link that the desktop was told to open an app with; returns it."""
        return process.wait_until(lambda: self._opened.read_text().strip(), "an app to be opened")

    def complaints(self):
        """The messages of the browser's console, and the policy violations of the current page."""
        said = [entry["message"] for entry in self.driver.get_log("browser")
                if not any(expected in entry["message"] for expected in EXPECTED)]
        return said + (self.run("return window.stopped") or [])

    def screenshot(self, folder, name):
        """Saves a picture for a person to look at, unless folder is None."""
        if folder:
            self.driver.save_screenshot(str(Path(folder) / f"{name}.png"))
