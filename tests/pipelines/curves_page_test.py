"""The page of all curves: what the records have, drawn in a browser."""

import json
import re

import pages
import programs
import pytest

experiments = programs.module("reproduction.experiments")
page = programs.module("reproduction.page")
results = programs.module("reproduction.results")

RESULTS = programs.PIPELINES.parent / "docs" / "results"
NAMED = {
    name: results.Results(RESULTS, name).records()
    for name in experiments.EXPERIMENTS
}

POINT = """
  const box = document.getElementById("chart").getBoundingClientRect();
  document.getElementById("chart").dispatchEvent(new PointerEvent("pointermove",
    {clientX: box.left + arguments[0], clientY: box.top + arguments[1]}));
"""


def test_the_page_has_every_curve_of_the_records():
    text = page.document(NAMED)
    [line] = re.findall(r"^const runs = (.*);$", text, re.M)
    shown = {
        (r["experiment"], r["group"], r["row"], r["rate"], r["seed"])
        for r in json.loads(line)
    }
    for name, records in NAMED.items():
        for found in records:
            rate = found["recipe"]["learning_rate"]
            group = f"{found['scale']}, {found['dataset']}"
            key = (name, group, found["row"], rate, found["seed"])
            has_curve = bool(found["result"].get("curve", {}).get("step"))
            assert (key in shown) == has_curve
    # The page loads nothing from elsewhere.
    assert "src=" not in text and "@import" not in text


@pytest.mark.large
@pytest.mark.parametrize("width", [1280, 375])
def test_the_page_draws_what_is_chosen_in_a_browser(width, tmp_path):
    if lacking := pages.missing():
        pytest.skip(f"{lacking} is not installed")
    path = tmp_path / "curves.html"
    path.write_text(page.document(NAMED), encoding="utf-8")
    with pages.browser(tmp_path / "profile") as driver:
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {
                "width": width,
                "height": 900,
                "deviceScaleFactor": 1,
                "mobile": width < 500,
            },
        )
        driver.get(path.as_uri())
        assert not driver.get_log("browser")

        def lines():
            return len(driver.find_elements("css selector", "polyline"))

        wide = "return document.documentElement.scrollWidth"
        assert driver.execute_script(wide) <= width
        before = lines()
        assert before and before % 2 == 0
        driver.find_element("css selector", "#seed input").click()
        after = lines()
        assert after < before
        driver.find_element("css selector", "#error input").click()
        assert 2 * lines() == after
        points = driver.find_element("css selector", "polyline")
        x, y = points.get_attribute("points").split(" ")[0].split(",")
        driver.execute_script(POINT, float(x), float(y))
        near = driver.find_element("css selector", "#near").text
        assert re.search(r"test error [0-9.]+ % after [0-9]+ iterations", near)
        driver.find_element("css selector", "#row button + button").click()
        assert lines() == 0
        driver.save_screenshot(str(tmp_path / f"{width}.png"))
