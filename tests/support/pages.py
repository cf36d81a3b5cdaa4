"""A real browser for tests, and pages shown in it."""

import contextlib
import functools
import shutil
import threading

import numpy as np

from keras_resnet.commands import serve_web
from keras_resnet.inference import runtime

BROWSER = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")

# Keeps what the page answers.
RECORD = """
  window.answers = [];
  document.addEventListener("classified", ({detail}) => answers.push({
    probabilities: Array.from(detail.probabilities),
    classMaps: Array.from(detail.classMaps),
    pixels: Array.from(detail.pixels),
  }));
"""


def missing():
    """What is missing of a browser and its driver; "" if nothing is."""
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
    # With a path, Selenium does not look for the driver on the network.
    service = webdriver.ChromeService(executable_path=DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield driver
    finally:
        driver.quit()


@contextlib.contextmanager
def serving(folder, handler=serve_web.Handler):
    """The address of a folder, served as `serve_web.py` does."""
    handler = functools.partial(handler, directory=str(folder))
    with serve_web.Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


class Page:
    """An exported page in a browser."""

    def __init__(self, driver, url, *, again=True):
        self.driver = driver
        if again or driver.current_url != url:
            driver.get(url)
            self.start()

    def start(self):
        """Waits until the page can answer, or says why it cannot."""
        self.wait(lambda: self.find_all("[data-ready]") or self.problem)
        self.run(RECORD)

    def find(self, selector):
        return self.driver.find_element("css selector", selector)

    def find_all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def text(self, selector):
        return self.find(selector).get_attribute("textContent")

    @property
    def problem(self):
        return self.text("#problem")

    def wait(self, condition, seconds=30):
        """The value of a condition, once it is true."""
        from selenium.common.exceptions import WebDriverException
        from selenium.webdriver.support.ui import WebDriverWait

        # While the page reloads there is nothing to ask.
        pause = {"ignored_exceptions": [WebDriverException]}
        wait = WebDriverWait(self.driver, seconds, 0.05, **pause)
        return wait.until(lambda _: condition())

    def run(self, script, *arguments):
        """What the body of an async function returns, or its error."""
        return self.driver.execute_async_script(
            "const done = [...arguments].at(-1);"
            f"(async function () {{ {script} }})(...arguments)"
            ".then(done, (error) => done(String(error)));",
            *arguments,
        )

    def choose(self, path):
        self.find("#file").send_keys(str(path))

    def answer(self):
        """The page's next answer: probabilities, classMaps, pixels."""
        row = self.wait(lambda: self.run("return answers.shift()"))
        return {name: np.array(values) for name, values in row.items()}

    def classify(self, path):
        """The page's answer to an image file."""
        self.choose(path)
        return self.answer()


def assert_pythons(answer, folder, view):
    """Asserts that an answer is Python's to a view, uint8 (S, S, 3)."""
    np.testing.assert_array_equal(answer["pixels"], view.ravel())
    expected = runtime.load_predictor(folder).predict(view[np.newaxis])[0]
    # Arithmetic in another order differs by less than this.
    np.testing.assert_allclose(
        answer["probabilities"], expected, rtol=0, atol=1e-6
    )
