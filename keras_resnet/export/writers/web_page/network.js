// The network as the page uses it: loaded once, then asked about images.

/** Messages to and from classifier.js as promises. */
export class Network {
  #worker;
  #ready;
  #waiting = new Map();
  #count = 0;

  /**
   * @param {object} page what page.json and card.json say.
   * @param {function(number): void} progress takes the loaded fraction.
   */
  constructor(page, progress) {
    const url = new URL("classifier.js", import.meta.url);
    this.#worker = new Worker(url);
    this.#ready = new Promise((resolve, reject) => {
      this.#waiting.set(undefined, { resolve, reject });
    });
    this.#worker.addEventListener("message", ({ data }) => {
      if (data.type === "progress") progress(data.received / data.expected);
      else this.#settle(data);
    });
    // The thread itself could not start: a file of it is missing.
    this.#worker.addEventListener("error", (event) => {
      const message =
        "The page's own files could not be loaded" +
        `${event.message ? `: ${event.message}` : ""}. Copy the whole folder ` +
        "again, or use a newer browser.";
      this.#settle({ type: "error", message });
    });
    this.#worker.postMessage({ type: "load", page });
  }

  /** @return {Promise<object>} the message "ready" once images can be sent. */
  get ready() {
    return this.#ready;
  }

  /**
   * @param {{file: Blob, name: string, upright: boolean}|{bitmap: ImageBitmap}}
   *     image
   * @return {Promise<object>} the message "result".
   */
  classify(image) {
    const id = this.#count++;
    const transfer = image.bitmap ? [image.bitmap] : [];
    this.#worker.postMessage({ type: "classify", id, ...image }, transfer);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
  }

  #settle(data) {
    const promise = this.#waiting.get(data.id);
    this.#waiting.delete(data.id);
    if (data.type === "error") promise?.reject(new Error(data.message));
    else promise?.resolve(data);
  }
}
