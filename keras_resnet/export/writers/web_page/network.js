/** The network: loaded once by classifier.js, then asked about images. */
export class Network {
  #worker = new Worker(new URL("classifier.js", import.meta.url));
  #waiting = []; // those who asked: the worker answers in their order

  /** @param {function(number): void} progress takes the loaded fraction. */
  constructor(progress) {
    this.#worker.addEventListener("message", ({ data }) => {
      if (data.progress) return progress(data.progress);
      const { resolve, reject } = this.#waiting.shift();
      if (data.error) reject(new Error(data.error));
      else resolve(data.answer);
    });
    // The thread itself could not start: a file of it is missing.
    this.#worker.addEventListener("error", () => {
      const message =
        "The page's own files could not be loaded. Copy the whole folder " +
        "again, or use a newer browser.";
      for (const { reject } of this.#waiting) reject(new Error(message));
    });
  }

  /**
   * @param {object} message {page} to load it, then {image} to classify.
   * @return {Promise<object>} what classifier.js answers.
   */
  ask(message) {
    const bitmap = message.image?.bitmap;
    this.#worker.postMessage(message, bitmap ? [bitmap] : []);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }
}
