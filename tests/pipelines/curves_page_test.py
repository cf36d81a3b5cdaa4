"""The page of all curves: what the records have, drawn in a browser."""

import json
import re

import pages
import programs
import pytest

experiments = programs.module("reproduction.experiments")
page = programs.module("reproduction.page")
results = programs.module("reproduction.results")

EXPERIMENTS = experiments.EXPERIMENTS
RESULTS = programs.PIPELINES.parent / "docs" / "results"


def test_the_page_has_every_curve_of_the_records(tmp_path):
    path = tmp_path / "curves.html"
    page.write(RESULTS, path)
    text = path.read_text(encoding="utf-8")
    [line] = re.findall(r"^const runs = (.*);$", text, re.M)
    shown = {
        (r["experiment"], r["group"], r["row"], r["rate"], r["seed"])
        for r in json.loads(line)
    }
    for name in EXPERIMENTS:
        for found in results.Results(RESULTS, name).records():
            rate = found["recipe"]["learning_rate"]
            group = f"{found['scale']}, {found['dataset']}"
            key = (name, group, found["row"], rate, found["seed"])
            has_curve = bool(found["result"].get("curve", {}).get("step"))
            assert (key in shown) == has_curve
    # It asks for nothing from elsewhere.
    assert "src=" not in text and "@import" not in text


@pytest.mark.large
@pytest.mark.parametrize("width", [1280, 375])
def test_the_page_draws_what_is_chosen_in_a_browser(width, tmp_path):
    if lacking := pages.missing():
        pytest.skip(f"{lacking} is not installed")
    page.write(RESULTS, tmp_path / "curves.html")
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
        driver.get((tmp_path / "curves.html").as_uri())
        assert not driver.get_log("browser")

        def lines():
            return len(driver.find_elements("css selector", "polyline"))

        wide = "return document.documentElement.scrollWidth"
        assert driver.execute_script(wide) <= width
        before = lines()
        assert before and before % 2 == 0
        driver.find_element("css selector", "#seed input").click()
        assert lines() < before
        driver.save_screenshot(str(tmp_path / f"{width}.png"))
