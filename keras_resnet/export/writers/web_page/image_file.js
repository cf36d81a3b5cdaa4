// Image files: what their headers say, and their pixels as Python reads them.

// A decoded image of so many takes 270 MB; the photographs of phones have 50
// million at most. A header is read before its pixels are.
export const MAX_PIXELS = 2 ** 26;

export const FORMATS = "JPEG, PNG, GIF, BMP or WebP";

// Headers, and the Exif data of a JPEG, are in the first megabyte.
const HEAD_BYTES = 2 ** 20;

/** What is wrong, in words for the person who uses the page. */
export class PageError extends Error {
  name = "PageError";
}

/**
 * Decodes a file to what `keras_resnet.data.decoding.decode` gives: no colour
 * profile is applied, alpha is dropped and so is the rotation that a camera
 * notes in a JPEG, unless `upright` asks for it.
 *
 * @param {Blob} file
 * @param {string} name for messages.
 * @param {boolean} upright whether a photograph is turned as its camera says.
 * @return {Promise<{bitmap: ImageBitmap, turned: boolean}>} and whether the
 *     file notes a rotation.
 * @throws {PageError} if it is not an image, damaged or too large.
 */
export async function decode(file, name, upright) {
  const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  const header = readHeader(head);
  if (!header) {
    const kind = head.length ? "not an image that can be read" : "empty";
    throw new PageError(`${name} is ${kind}. Take a ${FORMATS} file.`);
  }
  refuseSize(header, name);
  const { orientation } = header;
  if (orientation && !upright) {
    head.fill(0, orientation.at, orientation.at + 2);
    head[orientation.at + (orientation.littleEndian ? 0 : 1)] = 1;
  }
  const type = `image/${header.format}`;
  const whole = new Blob([head, file.slice(HEAD_BYTES)], { type });
  try {
    const bitmap = await createImageBitmap(whole, {
      colorSpaceConversion: "none",
      premultiplyAlpha: "none",
    });
    return { bitmap, turned: Boolean(orientation) };
  } catch {
    throw new PageError(
      `${name} starts as a ${header.format.toUpperCase()} image, but cannot ` +
        "be decoded: it is damaged, or too large for this device.",
    );
  }
}

function refuseSize({ width, height }, name) {
  const pixels = width * height;
  if (pixels > MAX_PIXELS) {
    throw new PageError(
      `${name} has ${width} × ${height} pixels, ` +
        `${Math.round(pixels / 1e6)} million. This page takes ` +
        `${Math.floor(MAX_PIXELS / 1e6)} million at most: make it smaller.`,
    );
  }
  if (!pixels) throw new PageError(`${name} says that it has no pixels.`);
}

/**
 * @param {Uint8Array} bytes the beginning of a file.
 * @return {?{format: string, width: number, height: number, orientation}} null
 *     if it is of no known format or its header is not whole.
 */
export function readHeader(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const text = (at, length) =>
    String.fromCharCode(...bytes.subarray(at, at + length));
  try {
    if (text(0, 3) === "\xff\xd8\xff") return jpegHeader(view, text);
    if (text(0, 4) === "\x89PNG") {
      return sized("png", view.getUint32(16), view.getUint32(20));
    }
    if (text(0, 4) === "GIF8") {
      return sized("gif", view.getUint16(6, true), view.getUint16(8, true));
    }
    if (text(0, 2) === "BM") {
      const height = Math.abs(view.getInt32(22, true)); // < 0: downwards
      return sized("bmp", view.getInt32(18, true), height);
    }
    if (text(0, 4) === "RIFF" && text(8, 4) === "WEBP") {
      return webpHeader(view, text);
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // beyond the end
  }
  return null;
}

function sized(format, width, height, orientation = null) {
  return { format, width, height, orientation };
}

function webpHeader(view, text) {
  const kind = text(12, 4);
  if (kind === "VP8X") {
    const uint24 = (at) => view.getUint32(at, true) & 0xffffff;
    return sized("webp", 1 + uint24(24), 1 + (view.getUint32(26, true) >>> 8));
  }
  if (kind === "VP8L") {
    const bits = view.getUint32(21, true);
    return sized("webp", 1 + (bits & 0x3fff), 1 + ((bits >>> 14) & 0x3fff));
  }
  const uint14 = (at) => view.getUint16(at, true) & 0x3fff;
  return sized("webp", uint14(26), uint14(28));
}

// The segments of a JPEG up to its frame, which states the size.
function jpegHeader(view, text) {
  let orientation = null;
  for (let at = 2; ; ) {
    const marker = view.getUint8(at + 1);
    if (view.getUint8(at) !== 0xff || marker === 0xda) return null;
    if (marker === 0xff) {
      at += 1; // fill
      continue;
    }
    const isFrame = marker >= 0xc0 && marker <= 0xcf;
    if (isFrame && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      const [height, width] = [view.getUint16(at + 5), view.getUint16(at + 7)];
      return sized("jpeg", width, height, orientation);
    }
    if (marker === 0xe1 && text(at + 4, 6) === "Exif\0\0") {
      orientation = exifOrientation(view, text, at + 10);
    }
    at += 2 + view.getUint16(at + 2);
  }
}

// Where Exif data states how the camera was held, if it was turned at all.
function exifOrientation(view, text, start) {
  const littleEndian = text(start, 2) === "II";
  const directory = start + view.getUint32(start + 4, littleEndian);
  const entries = view.getUint16(directory, littleEndian);
  for (let i = 0; i < entries; i++) {
    const entry = directory + 2 + 12 * i;
    if (view.getUint16(entry, littleEndian) === 0x0112) {
      const value = view.getUint16(entry + 8, littleEndian);
      return value > 1 ? { at: entry + 8, littleEndian } : null;
    }
  }
  return null;
}
