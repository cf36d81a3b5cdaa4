// The pixels of a bitmap, without what a canvas does to transparent ones.

/** Reads rectangles of an ImageBitmap as RGBA bytes. */
export class PixelReader {
  #bitmap;
  #canvas = new OffscreenCanvas(1, 1);
  #context = this.#canvas.getContext("2d", { willReadFrequently: true });
  #textures;

  constructor(bitmap) {
    this.#bitmap = bitmap;
    this.width = bitmap.width;
    this.height = bitmap.height;
  }

  /** @return {Uint8ClampedArray|Uint8Array} of (height, width, 4). */
  read(x, y, width, height) {
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    this.#context.globalCompositeOperation = "copy";
    this.#context.drawImage(this.#bitmap, -x, -y);
    const { data } = this.#context.getImageData(0, 0, width, height);
    let alpha = 255;
    for (let i = 3; i < data.length; i += 4) alpha &= data[i];
    if (alpha === 255) return data;
    return this.#readTransparent(x, y, width, height) ?? data;
  }

  // A canvas stores colours multiplied by alpha and loses those of transparent
  // pixels, which Python keeps. A texture holds what the file has; null where
  // there is no WebGL, or the image is too large for it.
  #readTransparent(x, y, width, height) {
    this.#textures ??= textureOf(this.#bitmap);
    if (!this.#textures) return null;
    const data = new Uint8Array(4 * width * height);
    const gl = this.#textures;
    gl.readPixels(x, y, width, height, gl.RGBA, gl.UNSIGNED_BYTE, data);
    return data;
  }
}

function textureOf(bitmap) {
  const gl = new OffscreenCanvas(1, 1).getContext("webgl");
  const longer = Math.max(bitmap.width, bitmap.height);
  if (!gl || longer > gl.getParameter(gl.MAX_TEXTURE_SIZE)) return false;
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
  gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  gl.framebufferTexture2D(
    gl.FRAMEBUFFER,
    gl.COLOR_ATTACHMENT0,
    gl.TEXTURE_2D,
    gl.getParameter(gl.TEXTURE_BINDING_2D),
    0,
  );
  return gl;
}
