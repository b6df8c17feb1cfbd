"""htdocs/embed refuses a template that is malformed or would be rendered unsafely."""

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest

HTDOCS = Path(__file__).resolve().parents[3] / "htdocs"
STYLE = "<style>\np { color: red }\n</style>\n"
SCRIPT = "<script data-cfasync=\"false\">\nrun('\\\\', \"?\");\n</script>\n"
CONSTANT = STYLE + SCRIPT


def embed(folder, template):
    file = folder / "page.html"
    file.write_text(template, newline="")
    return subprocess.run([HTDOCS / "embed", file], capture_output=True, text=True)


@pytest.mark.parametrize("label, template, says", [
    ("an unknown kind", "{{url:a}}\n", "not a kind of slot"),
    ("no name", "{{text:}}\n", "not a slot"),
    ("no kind", "{{heading}}\n", "not a slot"),
    ("a slot that does not end", "{{text:a\n}}\n", "does not end on its line"),
    ("if without fi", "{{if:a}}\n<p></p>\n", "if without fi"),
    ("fi without if", "{{fi}}\n", "fi without if"),
    ("an if inside another", "{{if:a}}{{if:b}}{{fi}}{{fi}}\n", "an if inside another"),
    ("an if that opens a tag only", "<p{{if:a}}>{{fi}}\n", "another place than its if"),
    ("a text slot inside a tag", "<p {{text:a}}>\n", "a text slot inside a tag"),
    ("a text slot in an attribute", "<p title=\"{{text:a}}\">\n", "a text slot inside a tag"),
    ("an attr slot without quotes", "<p title={{attr:a}}>\n", "outside double quotes"),
    ("an attr slot between tags", "<p>{{attr:a}}\n", "outside double quotes"),
    ("single quotes", "<p title='{{attr:a}}'>\n", "single quotes"),
    ("a second style", STYLE, "a second style"),
    ("another attribute beside data-cfasync", "<script data-cfasync=\"false\" src=\"x\">\n</script>\n",
     "stand alone on a line"),
    ("a script with attributes", "<script src=\"x\">\n</script>\n", "stand alone on a line"),
    ("a script within a line", "<p><script>\n</script>\n", "stand alone on a line"),
    ("a carriage return", "<p>\r\n", "carriage return"),
    ("an open tag", "<p\n", "inside a tag"),
])
def test_a_malformed_template_is_refused(tmp_path, label, template, says):
    done = embed(tmp_path, CONSTANT + template)
    assert done.returncode == 1, label
    assert says in done.stderr, label
    assert done.stdout == ""


@pytest.mark.parametrize("label, template, says", [
    ("a slot in the script", STYLE + "<script>\n{{text:a}}\n</script>\n", "a slot inside script"),
    ("a slot in the style", "<style>\n{{attr:a}}\n</style>\n" + SCRIPT, "a slot inside style"),
    ("a script that does not end", STYLE + "<script>\nrun()\n", "ends inside"),
    ("an end within a line", STYLE + "<script>\nrun()</script>\n", "ends on a line of its own"),
    ("no style", SCRIPT, "one script and one style"),
    ("nothing", "", "one script and one style"),
])
def test_script_and_style_are_constant(tmp_path, label, template, says):
    done = embed(tmp_path, template)
    assert done.returncode == 1, label
    assert says in done.stderr, label
    assert done.stdout == ""


def test_the_policy_matches_the_rendered_page(tmp_path):
    """The template is compiled and printed, as a browser would get it."""
    made = embed(tmp_path, "<!-- not sent -->\n"
                           "\t<p title=\"{{attr:a}}\">{{text:b}}??/</p>\n" + CONSTANT)
    assert made.returncode == 0, made.stderr
    (tmp_path / "page.c").write_text(made.stdout + """
#include <stdio.h>
int main(void)
{
	const struct html_part *part = redirect_page;
	for (; part->place != HTML_END; part++)
		printf(part->place == HTML_LITERAL ? "%s" : "[%s]", part->text);
	return 0;
}
""")
    subprocess.run(["cc", "-std=c17", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                    f"-I{HTDOCS}/../common", "-o", tmp_path / "page", tmp_path / "page.c"],
                   check=True)
    page = subprocess.run([tmp_path / "page"], capture_output=True, text=True, check=True).stdout
    assert page == "<p title=\"[a]\">[b]??/</p>\n" + CONSTANT
    for block in (STYLE, SCRIPT):
        content = block.partition(">")[2].rpartition("</")[0]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in made.stdout
