"""What amocrmctl writes to a terminal: control characters from outside are shown, not obeyed."""

import json
import os
import pty
import subprocess
from urllib.parse import quote

import pytest

from connections import ID, SOON, connect
from sandbox import process
from webhooks import FORM

PATIENCE = 60

# Text that a terminal would obey, and how it is shown.  The writer of the journal has escaped C0.
HARMFUL = {
    "ESC": ("\x1b]0;title\x07", "\\u001b]0;title\\u0007"),
    "CSI in one character": ("\u009b31mred", "\\u009b31mred"),
    "OSC, DCS and ST in one character": ("\u009d0;t\u009c\u0090", "\\u009d0;t\\u009c\\u0090"),
    "the first and the last C1": ("\u0080\u009f", "\\u0080\\u009f"),
    "NEL, which ends a line": ("a\u0085b", "a\\u0085b"),
    "a carriage return": ("a\rb", "a\\u000db"),
    "DEL and backspace": ("a\x7f\bb", "a\\u007f\\u0008b"),
}
HARMLESS = ["\u00a0\u00ff", "Ольга", "€", "\U0001f600", "\ufffd", "\u2028", "é"]


def on_terminal(site, *arguments, stream="stdout"):
    """What the command writes to the stream when that is a terminal, and to a pipe."""
    ours, theirs = pty.openpty()
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: theirs}
    program = subprocess.Popen(
        [site.amocrmctl, "-c", site.config, *arguments], stdin=subprocess.DEVNULL, cwd="/",
        env={}, **streams, **process.as_web_user())
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:     # EIO: the other end was closed
        pass
    finally:
        os.close(ours)
        program.communicate(timeout=PATIENCE)
    piped = getattr(subprocess.run(
        [site.amocrmctl, "-c", site.config, *arguments], capture_output=True, cwd="/", env={},
        timeout=PATIENCE, **process.as_web_user()), stream)
    return shown.replace(b"\r\n", b"\n"), piped


def store(site, text):
    body = f"leads[add][0][id]=1&leads[add][0][name]={quote(text)}&account[id]={ID}"
    answer = site.post("webhook", body=body.encode(), headers={"Content-Type": FORM})
    assert answer.status == 200


@pytest.mark.parametrize("text, shown", HARMFUL.values(), ids=HARMFUL.keys())
@pytest.mark.parametrize("how", [(), ("--items",)], ids=["lines", "items"])
def test_an_event(bare, text, shown, how):
    bare.configure(webhook_accounts="any")
    store(bare, text)

    terminal, piped = on_terminal(bare, "events", *how)

    assert shown.encode() in terminal
    assert controls(terminal) == []
    assert json.loads(terminal) == json.loads(piped), "it is the same JSON"


def test_other_text_is_shown_as_it_is(bare):
    bare.configure(webhook_accounts="any")
    for text in HARMLESS:
        store(bare, text)

    terminal, piped = on_terminal(bare, "events")

    assert terminal == piped
    assert all(text.encode() in terminal for text in HARMLESS)


@pytest.mark.parametrize("character", ["\u009b", "ж", "€", "\U0001f600"])
def test_a_character_may_be_cut_by_the_buffer(bare, character):
    """Wherever the buffer of the stream ends."""
    bare.configure(webhook_accounts="any")
    for shift in range(4):
        store(bare, "x" * shift + character * 20_000)

    terminal, piped = on_terminal(bare, "events")

    assert terminal == piped.replace("\u009b".encode(), b"\\u009b")


def controls(text):
    """The control characters in it, and the bytes that are not UTF-8."""
    return [character for character in text.decode(errors="surrogateescape")
            if character < " " and character != "\n" or "\x7f" <= character < "\xa0"
            or "\udc80" <= character <= "\udcff"]


ARGUMENTS = {
    "ESC": (b"a\x1b[2J", b"a\\u001b[2J"),
    "C1": ("a\u009b2J".encode(), b"a\\u009b2J"),
    "C1 as a byte": (b"a\x9b2J", b"a\\x9b2J"),
    "not UTF-8, but its beginning": (b"a\xe2\x9b", b"a\\xe2\\x9b"),
    "an overlong ESC": (b"\xc0\x9b[2J", b"\\xc0\\x9b[2J"),
    "a surrogate": (b"\xed\xa0\x80", b"\\xed\\xa0\\x80"),
    "Cyrillic": ("Ольга".encode(), "Ольга".encode()),
}


@pytest.mark.parametrize("word, shown", ARGUMENTS.values(), ids=ARGUMENTS.keys())
def test_a_message(bare, word, shown):
    terminal, piped = on_terminal(bare, word, stream="stderr")

    assert terminal == b"amocrmctl: unknown command " + shown + b"; see amocrmctl --help\n"
    assert word in piped, "only a terminal needs it"


def test_what_amocrm_says(bare, amocrm):
    connect(bare, amocrm, life=SOON)
    amocrm.misbehave("harmful_hint", times=2)

    terminal, _ = on_terminal(bare, "token", str(ID), stream="stderr")

    assert b"\\u001b]0;t" in terminal
    assert b"\\u009b2J" in terminal
    assert controls(terminal) == []


def test_check_passes_on_no_control_character(bare):
    """Whatever it writes to: its lines are shown in mails and tickets too."""
    bare.configure(store_path=f"{bare.folder}/a\u009b2J\u0085-Ольга")

    terminal, piped = on_terminal(bare, "check")

    for printed in (terminal, piped):
        assert "/a?2J?-Ольга".encode() in printed
        assert controls(printed) == []
