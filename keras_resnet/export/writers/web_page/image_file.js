// A decoded image of so many takes 270 MB; the photographs of phones have 50
// million at most.
const MAX_PIXELS = 2 ** 26;

// The Exif data of a JPEG are in the first megabyte.
const HEAD_BYTES = 2 ** 20;

/**
 * Refuses, before its pixels are decoded, what is no image or too large.
 *
 * @param {Blob} file
 * @param {string} name for messages.
 */
export async function checkFile(file, name) {
  const image = new Image();
  image.src = URL.createObjectURL(file);
  const isImage = await new Promise((resolve) => {
    image.onload = () => resolve(true); // its header has been read
    image.onerror = () => resolve(false);
  });
  URL.revokeObjectURL(image.src);
  if (!isImage) {
    const kind = file.size ? "not an image that this browser reads" : "empty";
    throw new Error(
      `${name} is ${kind}. Take a JPEG, PNG, GIF, BMP or WebP file of 67 ` +
        "million pixels at most.",
    );
  }
  const [width, height] = [image.naturalWidth, image.naturalHeight];
  if (width * height > MAX_PIXELS) {
    throw new Error(
      `${name} has ${width} × ${height} pixels. This page takes 67 million ` +
        "at most: make it smaller.",
    );
  }
}

/**
 * Decodes a file to what `keras_resnet.data.decoding.decode` gives: no colour
 * profile is applied, alpha is dropped and so is the rotation that a camera
 * notes in a JPEG, unless `upright` asks for it.
 *
 * @return {Promise<{bitmap: ImageBitmap, turned: boolean}>} and whether the
 *     file notes a rotation.
 */
export async function decode({ file, name, upright }) {
  const head = await file.slice(0, HEAD_BYTES).arrayBuffer();
  const orientation = findOrientation(new DataView(head));
  if (orientation && !upright) orientation.remove();
  try {
    const whole = new Blob([head, file.slice(HEAD_BYTES)]);
    const bitmap = await createImageBitmap(whole, {
      colorSpaceConversion: "none",
      premultiplyAlpha: "none",
    });
    return { bitmap, turned: Boolean(orientation) };
  } catch {
    throw new Error(
      `${name} cannot be decoded: it is damaged, or too large for this device.`,
    );
  }
}

// How the camera of a JPEG was held, or null if it was not turned.
function findOrientation(view) {
  try {
    for (let at = 2; view.getUint16(0) === 0xffd8; ) {
      const marker = view.getUint16(at);
      if (marker === 0xffe1 && view.getUint32(at + 4) === 0x45786966) {
        return readExif(view, at + 10); // after "Exif"
      }
      if (marker < 0xff00 || marker === 0xffda) return null; // the pixels
      at += marker === 0xffff ? 1 : 2 + view.getUint16(at + 2);
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // beyond the end
  }
  return null;
}

function readExif(view, start) {
  const little = view.getUint16(start) === 0x4949; // "II"
  const directory = start + view.getUint32(start + 4, little);
  const entries = view.getUint16(directory, little);
  for (let i = 0; i < entries; i++) {
    const entry = directory + 2 + 12 * i;
    if (view.getUint16(entry, little) !== 0x0112) continue; // the orientation
    const isTurned = view.getUint16(entry + 8, little) > 1;
    const remove = () => view.setUint16(entry + 8, 1, little);
    return isTurned ? { remove } : null;
  }
  return null;
}
