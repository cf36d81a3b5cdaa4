/**
 * Reads the pixels of a bitmap, without what a canvas does to transparent ones.
 *
 * @param {ImageBitmap} bitmap
 * @return {{width: number, height: number, read: function}} where
 *     `read(x, y, width, height)` gives a rectangle's RGBA bytes.
 */
export function readerOf(bitmap) {
  const canvas = new OffscreenCanvas(1, 1);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  let readTexture;

  function read(x, y, width, height) {
    Object.assign(canvas, { width, height }); // clears it
    context.drawImage(bitmap, -x, -y);
    const { data } = context.getImageData(0, 0, width, height);
    let alpha = 255;
    for (let i = 3; i < data.length; i += 4) alpha &= data[i];
    if (alpha === 255) return data;
    readTexture ??= textureReaderOf(bitmap);
    return readTexture(x, y, width, height) ?? data;
  }

  return { width: bitmap.width, height: bitmap.height, read };
}

// A canvas stores colours multiplied by alpha and loses those of transparent
// pixels, which Python keeps. A texture holds what the file has; null where
// there is no WebGL, or the image is too large for it.
function textureReaderOf(bitmap) {
  const gl = new OffscreenCanvas(1, 1).getContext("webgl");
  const longer = Math.max(bitmap.width, bitmap.height);
  if (!gl || longer > gl.getParameter(gl.MAX_TEXTURE_SIZE)) return () => null;
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
  gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  const target = [gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0];
  gl.framebufferTexture2D(gl.FRAMEBUFFER, ...target);
  return (x, y, width, height) => {
    const data = new Uint8Array(4 * width * height);
    gl.readPixels(x, y, width, height, gl.RGBA, gl.UNSIGNED_BYTE, data);
    return data;
  };
}
