"""A real browser for tests, and pages shown in it."""

import base64
import contextlib
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np

SERVE = pathlib.Path(__file__).resolve().parents[2] / "pipelines/serve_web.py"
BROWSER = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")

# Keeps what the page answers; base64, as JSON would be slow.
RECORD = """
  const encode = (array) => {
    const bytes = new Uint8Array(array.buffer, array.byteOffset,
                                 array.byteLength);
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    return btoa(text);
  };
  window.answers = [];
  document.addEventListener("classified", ({detail}) => answers.push({
    probabilities: encode(detail.probabilities),
    classMaps: encode(detail.classMaps),
    pixels: encode(detail.pixels),
    mapSize: detail.mapSize,
  }));
"""


def missing():
    """What is not installed of a browser and its driver; "" if all is."""
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium"
    names = {"chromium": BROWSER, "chromedriver": DRIVER}
    return ", ".join(name for name, path in names.items() if not path)


@contextlib.contextmanager
def browser(profile, *arguments):
    """A headless Chromium with a profile of its own."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in (
        "--headless=new",
        "--no-sandbox",  # containers run as root
        "--disable-dev-shm-usage",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        "--enable-unsafe-swiftshader",  # WebGL without a GPU
        f"--user-data-dir={profile}",
        "--window-size=1200,900",
        *arguments,
    ):
        options.add_argument(argument)
    # With a path the driver is not looked for in the network.
    service = webdriver.ChromeService(executable_path=DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield driver
    finally:
        driver.quit()


class Server:
    """`serve_web.py` in a process of its own; `url` is where."""

    def __init__(self, folder, port=0):
        self._process = subprocess.Popen(
            [sys.executable, SERVE, f"--port={port}", str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.url = self._process.stdout.readline().split(" is at ")[1].strip()

    @property
    def port(self):
        return int(self.url.rsplit(":")[-1].strip("/"))

    def stop(self):
        self._process.terminate()
        self._process.wait()
        self._process.stdout.close()


@contextlib.contextmanager
def serving(folder):
    server = Server(folder)
    try:
        yield server
    finally:
        server.stop()


class Page:
    """An exported page in a browser."""

    def __init__(self, driver, url, *, wait_for="[data-ready]"):
        self.driver = driver
        if url is None:  # it is open
            return
        driver.get(url)
        if wait_for:
            self.wait_for(wait_for)
        driver.execute_script(RECORD)

    def find(self, selector):
        return self.driver.find_element("css selector", selector)

    def find_all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def wait(self, condition, seconds=30):
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.driver, seconds, 0.05).until(condition)

    def wait_for(self, selector):
        return self.wait(lambda driver: self.find_all(selector))[0]

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def run_async(self, script, *arguments):
        """What the body of an async function returns, or its error."""
        return self.driver.execute_async_script(
            "const done = [...arguments].at(-1);"
            f"(async function () {{ {script} }})(...arguments)"
            ".then(done, (error) => done(String(error)));",
            *arguments,
        )

    def answers(self, count=1):
        """The first `count` answers, as soon as they are there."""
        self.wait(lambda _: self.run("return answers.length") >= count)
        return [_decoded(row) for row in self.run("return answers")[:count]]

    def classify(self, path):
        """The page's answer to an image file."""
        before = self.run("return answers.length")
        self.find("#file").send_keys(str(path))
        return self.answers(before + 1)[-1]

    def problem(self):
        """The error that the page shows, once there is one."""
        return self.wait(lambda _: self.find("#problem").text)


def requests(log, origin):
    """What pages and threads of an origin have asked for, by Chromium's log."""
    events = json.loads(log.read_text())["events"]
    return {
        event["params"]["url"]
        for event in events
        if event.get("params", {}).get("initiator") == origin
        and "url" in event["params"]
    }


def _decoded(row):
    def array(key, dtype):
        return np.frombuffer(base64.b64decode(row[key]), dtype)

    height, width = row["mapSize"]["height"], row["mapSize"]["width"]
    side = int(round((len(base64.b64decode(row["pixels"])) / 3) ** 0.5))
    return {
        "probabilities": array("probabilities", np.float32),
        "class_maps": array("classMaps", np.float32).reshape(height, width, -1),
        "pixels": array("pixels", np.uint8).reshape(side, side, 3),
    }
