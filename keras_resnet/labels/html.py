"""What a notebook shows of our objects."""

import base64
import html


def table(caption, rows):
    """An HTML table of names and values.

    Args:
        caption: str above it.
        rows: {name: value or tuple of values}, shown as text.
    """
    lines = [f"<caption>{html.escape(caption)}</caption>"]
    for name, values in rows.items():
        values = values if isinstance(values, tuple) else (values,)
        cells = "".join(f"<td>{html.escape(str(v))}</td>" for v in values)
        lines.append(f"<tr><th>{html.escape(name)}</th>{cells}</tr>")
    return f"<table>{''.join(lines)}</table>"


def picture(png):
    """The HTML of a picture, from the bytes of a PNG."""
    data = base64.b64encode(png).decode()
    return f'<img alt="" src="data:image/png;base64,{data}">'
