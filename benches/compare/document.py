"""Puts what a program printed into its marked place of a document.

    some-program | python3 benches/compare/document.py docs/performance.md core

replaces what stands between `<!-- core -->` and `<!-- /core -->`, lines of their own each.
"""

import pathlib
import sys


def put(document, mark, text):
    path = pathlib.Path(document)
    before, opening, rest = path.read_text().partition(f"<!-- {mark} -->\n")
    _, closing, after = rest.partition(f"<!-- /{mark} -->")
    if not opening or not closing:
        sys.exit(f"{document} has no place <!-- {mark} --> ... <!-- /{mark} -->")
    path.write_text(f"{before}{opening}\n{text.strip()}\n\n{closing}{after}")


def show(document, mark, text):
    """To a document, or to the terminal for `-`."""
    if document == "-":
        print(text)
    else:
        put(document, mark, text)


def table(rows):
    """Markdown; the second row says how columns are aligned."""
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    text = sys.stdin.read()
    if not text.strip():  # what should have printed it has failed
        sys.exit(f"nothing to put at <!-- {sys.argv[2]} -->")
    put(sys.argv[1], sys.argv[2], text)
