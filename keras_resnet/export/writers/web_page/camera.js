// The live camera: frame after frame to the network, as fast as it answers.

/** A camera that can be switched on and off. */
export class Camera {
  #video;
  #stream = null;
  #look;

  /**
   * @param {HTMLVideoElement} video shows nothing itself; frames come from it.
   * @param {function(ImageBitmap): Promise} look takes a frame.
   */
  constructor(video, look) {
    this.#video = video;
    this.#look = look;
  }

  static get exists() {
    return Boolean(navigator.mediaDevices?.getUserMedia);
  }

  get isOn() {
    return this.#stream !== null;
  }

  /** @throws {DOMException} if there is none, or the person does not allow. */
  async start() {
    this.#stream = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment" },
    });
    this.#video.srcObject = this.#stream;
    await this.#video.play();
    while (this.isOn) {
      await this.#look(await createImageBitmap(this.#video));
      // Not more often than the screen changes.
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
  }

  stop() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#video.srcObject = this.#stream = null;
  }
}
