// A decoded image of so many takes 270 MB; the photographs of phones have 50
// million at most.
const MAX_PIXELS = 2 ** 26;

// What a browser reads of Exif data is in the first megabyte. Those count that
// have no more segments before them and lie in the first bytes.
const HEAD_BYTES = 2 ** 20;
const NOTE_AFTER = 8;
const NOTE_BYTES = 2 ** 16;

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
 * profile is applied, alpha is dropped. A JPEG whose camera notes how it was
 * held is turned if it shall be `upright`; no other file is.
 *
 * @return {Promise<{bitmap: ImageBitmap, turned: boolean}>} and whether the
 *     file notes a rotation.
 */
export async function decode({ file, name, upright }) {
  const head = await file.slice(0, HEAD_BYTES).arrayBuffer();
  const view = new DataView(head);
  const notes = findNotes(view);
  const turned = notes.length > 0 && isTurned(view, notes[0]);
  // A browser follows each note that it finds, whatever options say.
  if (!turned || !upright) notes.forEach(({ at }) => view.setUint8(at, 0x78));
  try {
    const whole = new Blob([head, file.slice(HEAD_BYTES)]);
    const bitmap = await createImageBitmap(whole, {
      colorSpaceConversion: "none",
      premultiplyAlpha: "none",
    });
    return { bitmap, turned };
  } catch {
    throw new Error(
      `${name} cannot be decoded: it is damaged, or too large for this device.`,
    );
  }
}

// Where "Exif" in segments of a JPEG or "eXIf" of chunks of a PNG begins, and
// for a JPEG how many segments are before it and where its own ends.
function findNotes(view) {
  const notes = [];
  try {
    if (view.getUint16(0) === 0xffd8) {
      for (let at = 2, before = 0; ; before++) {
        const marker = view.getUint16(at);
        if (marker < 0xff00 || marker === 0xffda) break; // the pixels
        const end = at + (marker === 0xffff ? 1 : 2 + view.getUint16(at + 2));
        if (marker === 0xffe1 && view.getUint32(at + 4) === 0x45786966) {
          notes.push({ at: at + 4, before, end });
        }
        at = end;
      }
    } else if (view.getUint32(0) === 0x89504e47) {
      for (let at = 8; view.getUint32(at + 4) !== 0x49444154; ) {
        if (view.getUint32(at + 4) === 0x65584966) notes.push({ at: at + 4 });
        at += 12 + view.getUint32(at);
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // beyond the end
  }
  return notes;
}

// Whether a note turns a JPEG, by the rules of
// keras_resnet.data.pixels.orientations.
function isTurned(view, { at, before, end }) {
  if (!(before <= NOTE_AFTER) || view.getUint16(at + 4) !== 0) return false;
  try {
    const start = at + 6; // after "Exif"
    const length = Math.min(end, NOTE_BYTES) - start;
    const tiff = new DataView(view.buffer, start, length);
    const order = tiff.getUint32(0);
    if (order !== 0x49492a00 && order !== 0x4d4d002a) return false;
    const little = order === 0x49492a00;
    const directory = tiff.getUint32(4, little);
    const entries = tiff.getUint16(directory, little);
    for (let i = 0; i < entries; i++) {
      const entry = directory + 2 + 12 * i;
      const value = tiff.getUint16(entry + 8, little);
      tiff.getUint16(entry + 10); // a whole one
      if (tiff.getUint16(entry, little) !== 0x0112) continue;
      const isShort = tiff.getUint16(entry + 2, little) === 3;
      const isOne = tiff.getUint32(entry + 4, little) === 1;
      return isShort && isOne && value > 1 && value < 9;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // beyond the end
  }
  return false;
}
