"""What the site shows that lies outside docs/, and what is made of the code."""

import json
import pathlib
import re
import runpy

from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLAYER = '<div id="player"></div>'

# {page of the site: the file that it is}.
OUTSIDE = {
    "index.md": "README.md",
    "index.ko.md": "README.ko.md",
    "security.md": "SECURITY.md",
    "exported_files.md": "exported/README.md",
}
# What has its page, and other files of the checkout, which have none.
_LINKS = {path: page for page, path in OUTSIDE.items()}


def on_files(files, config):
    """Adds the pages that lie outside docs/."""
    for page, path in OUTSIDE.items():
        text = _inside((ROOT / path).read_text(encoding="utf-8"))
        files.append(File.generated(config, page, content=text))
    for path in sorted((ROOT / "docs" / "notebooks").glob("*.ipynb")):
        page = f"notebooks/{path.stem}.md"
        text = _notebook(json.loads(path.read_text(encoding="utf-8")))
        files.append(File.generated(config, page, content=text))
    return files


def _notebook(content):
    """A notebook as Markdown, with what its cells have shown."""
    parts = []
    for cell in content["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        parts += [_shown(output) for output in cell["outputs"]]
    return "\n\n".join(parts) + "\n"


def _shown(output):
    """What a cell has shown: HTML or a picture, else text."""
    data = output.get("data", {})
    if "text/html" in data:
        return f'<div class="shown">{"".join(data["text/html"])}</div>'
    if "image/png" in data:
        return f"![](data:image/png;base64,{data['image/png'].strip()})"
    text = output.get("text") or data.get("text/plain", "")
    return f"```text\n{''.join(text).rstrip()}\n```"


def on_page_markdown(markdown, page, **others):
    """Pages that show more here than on a disk."""
    del others
    if page.file.src_uri == "API.md":
        return f"{markdown}\n## Reference\n\n{_reference(markdown)}"
    if page.file.src_uri.startswith("notebooks/"):
        return markdown
    if page.file.src_uri == "MAP.md":
        return re.sub(
            r"^```mermaid\n(.*?)^```", _picture, markdown, flags=re.M | re.S
        )
    return _inside(markdown)


def on_post_page(output, page, **others):
    """Puts the curves where their page has a place for them.

    So late that the search does not take their figures for words.
    """
    del others
    if page.file.src_uri != "CURVES.md":
        return output
    program = ROOT / "pipelines" / "reproduction" / "page.py"
    player = runpy.run_path(str(program))["player"]
    paths = sorted((ROOT / "docs" / "results").glob("*.json"))
    named = {path.stem: json.loads(path.read_text()) for path in paths}
    # What is no list has no runs.
    named = {name: of for name, of in named.items() if isinstance(of, list)}
    return output.replace(PLAYER, player(named))


def _inside(text):
    """A text whose links lead to pages of the site."""

    def link(found):
        path = found[1].removeprefix("../").removeprefix("docs/")
        return f"]({_LINKS.get(path, path)}"

    return re.sub(r"\]\(((?!http)[^)#\s]+)", link, text)


def _reference(markdown):
    """Docstrings and hints of each function that the page lists."""
    names = re.findall(r"^- `(\w+)\(", markdown, re.M)
    names += ["UsageError", "View", "Split"]
    return "\n\n".join(f"::: keras_resnet.{name}" for name in names)


_ARROW = (
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" '
    'markerWidth="8" markerHeight="8" orient="auto">'
    '<path d="M0 0 8 4 0 8z" fill="currentColor"/></marker></defs>'
)


def _picture(found):
    """The drawn map as SVG: who is imported stands further left."""
    arrows = re.findall(r"(\w+) --> (\w+)", found[1])
    floors = {}
    for name in dict.fromkeys(name for arrow in arrows for name in arrow):
        floors.setdefault(_depth(name, arrows), []).append(name)
    places = {
        name: (70 + 115 * floor, 40 + 70 * row + 35 * (floor % 2))
        for floor, names in floors.items()
        for row, name in enumerate(names)
    }
    lines = [
        f'<line x1="{places[a][0] + 48}" y1="{places[a][1]}" '
        f'x2="{places[b][0] - 48}" y2="{places[b][1]}"/>'
        for a, b in arrows
    ]
    boxes = [
        f'<rect x="{x - 48}" y="{y - 15}" width="96" height="30" rx="4"/>'
        f'<text x="{x}" y="{y + 5}">{name}</text>'
        for name, (x, y) in places.items()
    ]
    width = max(x for x, _ in places.values()) + 70
    height = max(y for _, y in places.values()) + 40
    return (
        '<div class="wide"><svg class="map" role="img" '
        f'viewBox="0 0 {width} {height}" '
        f'aria-label="The map of the code">{_ARROW}'
        f"{''.join(lines + boxes)}</svg></div>"
    )


def _depth(name, arrows):
    lefts = [left for left, right in arrows if right == name]
    return 1 + max((_depth(left, arrows) for left in lefts), default=-1)
