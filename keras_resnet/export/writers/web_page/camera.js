/**
 * Looks at the camera, frame after frame, until it is told to stop.
 *
 * @param {HTMLVideoElement} video the source of frames; it stays hidden.
 * @param {function(ImageBitmap): Promise} look takes a frame.
 * @param {AbortSignal} signal
 * @throws {DOMException} if there is no camera, or it is not allowed.
 */
export async function watch(video, look, signal) {
  const stream = await navigator.mediaDevices.getUserMedia({
    video: { facingMode: "environment" },
  });
  try {
    video.srcObject = stream;
    await video.play();
    while (!signal.aborted) {
      await look(await createImageBitmap(video));
      // Not more often than the screen changes.
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
  } finally {
    stream.getTracks().forEach((track) => track.stop());
    video.srcObject = null;
  }
}
