"""The results as one picture: a plain SVG of text, rectangles and lines."""

import math
from html import escape

WIDTH, LEFT, RIGHT = 860, 210, 90
BAR, GAP, HEAD = 18, 8, 46
INK, FAINT, PAPER = "#1f2328", "#6b7280", "#ffffff"
OURS, OTHER, BASE = "#1b6e9c", "#d5812f", "#9aa1ab"


def text(x, y, words, size=12, anchor="start", colour=INK, weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'fill="{colour}" font-weight="{weight}">{escape(words)}</text>')


def line(x1, y1, x2, y2, colour=FAINT, dash=""):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"'
            + (f' stroke-dasharray="{dash}"' if dash else "") + "/>")


class Panel:
    """A part of the picture; its pieces are added from top to bottom."""

    def __init__(self, title, explained):
        self.pieces = [text(0, 16, title, 15, weight="bold"), text(0, 33, explained, 11,
                                                                  colour=FAINT)]
        self.height = HEAD

    def bars(self, rows, longest, shown, mark=None):
        """rows: (label, value, colour); mark: (value, label) of a dashed line."""
        scale = (WIDTH - LEFT - RIGHT) / longest
        top = self.height
        for label, value, colour in rows:
            y = self.height
            self.pieces += [
                text(LEFT - 8, y + BAR - 5, label, anchor="end"),
                f'<rect x="{LEFT}" y="{y}" width="{value * scale:.1f}" height="{BAR}" '
                f'fill="{colour}"/>',
                text(LEFT + value * scale + 6, y + BAR - 5, shown(value))]
            self.height += BAR + GAP
        if mark:
            x = LEFT + mark[0] * scale
            self.pieces += [line(x, top - 4, x, self.height - GAP + 4, INK, "3 3"),
                            text(x + 4, self.height + 6, mark[1], 11, colour=FAINT)]
            self.height += 10
        return self

    def heading(self, words):
        self.pieces.append(text(LEFT, self.height + 10, words, 12, weight="bold"))
        self.height += 20
        return self

    def curves(self, curves, xs, shown_y):
        """curves: (label, colour, values), over xs; both scales are logarithmic."""
        height, width = 190, WIDTH - LEFT - RIGHT - 60
        values = [value for _, _, several in curves for value in several]
        low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        first, last = math.log10(xs[0]), math.log10(xs[-1])

        def x_of(x):
            return LEFT + (math.log10(x) - first) / ((last - first) or 1) * width

        def y_of(y):
            return self.height + height - (math.log10(y) - low) / (high - low) * height
        for power in range(low, high + 1):
            y = y_of(10 ** power)
            self.pieces += [line(LEFT, y, LEFT + width, y, "#e3e6ea"),
                            text(LEFT - 8, y + 4, shown_y(10 ** power), 11, "end", FAINT)]
        for x in xs:
            self.pieces.append(text(x_of(x), self.height + height + 18,
                                    f"{x:,}".replace(",", " "), 11, "middle", FAINT))
        for label, colour, several in curves:
            points = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in zip(xs, several))
            self.pieces.append(f'<polyline points="{points}" fill="none" stroke="{colour}" '
                               'stroke-width="2"/>')
            for x, y in zip(xs, several):
                self.pieces.append(f'<circle cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="3" '
                                   f'fill="{colour}"/>')
            self.pieces.append(text(x_of(xs[-1]) + 8, y_of(several[-1]) + 4, label, 12,
                                    colour=colour))
        self.height += height + 30
        return self


def cgi_panel(results):
    shown = {name.removeprefix("cgi "): value for name, value in results.items()
             if name.startswith("cgi ") and not name.startswith("cgi cpu ")}
    rows = [(name, value, BASE if "empty" in name or "the same" in name else OURS)
            for name, value in shown.items()]
    return Panel("CGI: CPU time of one request, from fork to exit",
                 "An empty, dynamically linked C program is 1.").bars(
        rows, max(shown.values()), lambda value: f"{value:.2f} ×")


def resident_panel(results):
    """Requests per CPU second, grouped by route."""
    panel = Panel("Resident processes: requests per second of CPU time",
                  "CPU time of all server processes, including lighttpd where it is in front.")
    groups = {}
    for name, value in results.items():
        if name.startswith("resident ") and "an empty" not in name:
            route, party = name.removeprefix("resident ").split(" | ")
            groups.setdefault(route, []).append(
                (party, value, OURS if "ours" in party else
                 OTHER if "Express" in party else BASE))
    longest = max(value for rows in groups.values() for _, value, _ in rows)
    for route, rows in groups.items():
        panel.heading(route).bars(rows, longest, lambda value: f"{value:,.0f}".replace(",", " "))
    return panel


def store_panel(results):
    sizes = [int(name.rsplit(" ", 1)[1]) for name in results if name.startswith("store change ×")]
    curves = [(what, colour, [results[f"store {what} {size}"] / 1e3 for size in sizes])
              for what, colour in (("change", OTHER), ("read", OURS))]
    return Panel("The store: one change and one read, in ms, by number of connections",
                 "A change is on disk when it returns. Both scales are logarithmic.").curves(
        curves, sizes, lambda value: f"{value:g}")


def draw(results, machine):
    pieces, y = [], 24
    for make in (cgi_panel, resident_panel, store_panel):
        panel = make(results)
        pieces.append(f'<g transform="translate(20 {y})">{"".join(panel.pieces)}</g>')
        y += panel.height + 26
    pieces.append(text(20, y, machine, 11, colour=FAINT))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH + 40}" height="{y + 20}" '
            f'viewBox="0 0 {WIDTH + 40} {y + 20}" font-family="sans-serif" role="img" '
            'aria-label="Performance">'
            f'<rect width="100%" height="100%" fill="{PAPER}"/>' + "\n".join(pieces) + "</svg>\n")
