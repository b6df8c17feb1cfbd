"""Tables that are readable in a terminal and are valid Markdown."""


def number(value, digits=0):
    """Digits grouped by narrow spaces: 12 345."""
    return f"{value:,.{digits}f}".replace(",", " ")


class Table:
    def __init__(self, title, text, columns):
        self.title, self._text, self._rows, self._notes = title, text, [columns], []

    def add(self, *cells):
        self._rows.append([str(cell) for cell in cells])

    def add_note(self, note):
        self._notes.append(note)

    def __str__(self):
        widths = [max(len(row[i]) for row in self._rows) for i in range(len(self._rows[0]))]
        lines = [self._line(row, widths) for row in self._rows]
        lines.insert(1, "|" + "|".join(
            "-" * (width + 2) if i == 0 else "-" * (width + 1) + ":"
            for i, width in enumerate(widths)) + "|")
        return "\n".join([f"## {self.title}", "", *_wrapped(self._text), "", *lines, "",
                          *(line for note in self._notes for line in [*_wrapped(note), ""])])

    @staticmethod
    def _line(row, widths):
        cells = [cell.ljust(width) if i == 0 else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(row, widths))]
        return "| " + " | ".join(cells) + " |"


def _wrapped(text, width=100):
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    return [*lines, line]
