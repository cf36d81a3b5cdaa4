// What the network sees of an image: its shorter side resized to `resize`
// pixels, then the central square of `size`.
//
// It is keras_resnet.data.transforms.evaluation: each operation is in float32
// and in the order of TensorFlow's ScaleAndTranslate (triangle kernel,
// antialias), so the pixels are the same, not only alike.

const float32 = Math.fround;

// Rows that are read at once: a large photograph needs no large canvas.
const BAND = 256;

/**
 * Which part of one axis is read and how it is mapped to the view.
 *
 * @param {number} length of the axis, pixels.
 * @param {number} shorter pixels of the image's shorter side.
 * @param {{resize: number, size: number}} card
 * @return `first` and `last`, of the pixels that the view depends on; `scale`
 *     and `translation`, from those to the view; `start` and `end`, where the
 *     view begins and ends in the image.
 */
function axis(length, shorter, { resize, size }) {
  const resized = Math.floor((length * resize) / shorter);
  const corner = Math.floor((resized - size) / 2);
  const scale = float32(resized / length);
  const reach = float32(float32(1 / Math.min(scale, 1)) + 1);
  const start = float32(corner / scale);
  const end = float32((corner + size) / scale);
  const first = Math.max(Math.trunc(float32(start - reach)), 0);
  const last = Math.min(Math.ceil(float32(end + reach)), length);
  const translation = float32(float32(first * scale) - corner);
  return { first, last, scale, translation, start, end, size };
}

/**
 * The weights of the triangle filter at each place of the view.
 *
 * @return {Array<{start: number, weights: Float32Array}>} for each of `size`
 *     places the first pixel, counted from `first`, and the weights from there.
 */
function spans({ first, last, scale, translation, size }) {
  const length = last - first;
  const inverse = float32(1 / scale);
  const shift = float32(-inverse * translation);
  const radius = Math.max(inverse, 1); // the filter widens where it shrinks
  const narrowing = float32(1 / radius);
  const inside = (place) => Math.min(Math.max(place, 0), length - 1);
  return Array.from({ length: size }, (_, place) => {
    const centre = float32(float32((place + 0.5) * inverse) + shift);
    if (centre < 0 || centre > length) {
      return { start: 0, weights: new Float32Array(0) };
    }
    const low = float32(float32(centre - radius) - 0.5);
    const high = float32(float32(centre + radius) - 0.5);
    const start = inside(Math.ceil(low));
    const weights = new Float32Array(inside(Math.floor(high)) + 1 - start);
    let sum = 0;
    for (let i = 0; i < weights.length; i++) {
      const distance = float32(float32(start + i + 0.5) - centre);
      weights[i] = Math.max(1 - Math.abs(float32(distance * narrowing)), 0);
      sum = float32(sum + weights[i]);
    }
    const share = float32(1 / sum);
    return { start, weights: weights.map((weight) => weight * share) };
  });
}

// Adds a band of RGBA rows, the first of which is `top`, to the rows of the
// view, which are as wide as the band.
function addRows(between, rgba, top, width, vertical) {
  const height = rgba.length / (4 * width);
  vertical.forEach(({ start, weights }, y) => {
    const from = Math.max(start, top);
    const to = Math.min(start + weights.length, top + height);
    for (let row = from; row < to; row++) {
      const weight = weights[row - start];
      let source = 4 * width * (row - top);
      const end = 3 * width * (y + 1);
      for (let target = 3 * width * y; target < end; target += 3) {
        between[target] += float32(weight * rgba[source]);
        between[target + 1] += float32(weight * rgba[source + 1]);
        between[target + 2] += float32(weight * rgba[source + 2]);
        source += 4;
      }
    }
  });
}

// Each row of the view from `width` to `size` pixels, rounded half upwards.
function gatherColumns(between, width, horizontal) {
  const size = horizontal.length;
  const view = new Uint8Array(3 * size * size);
  for (let y = 0; y < size; y++) {
    horizontal.forEach(({ start, weights }, x) => {
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        let source = 3 * (y * width + start) + channel;
        for (let i = 0; i < weights.length; i++, source += 3) {
          sum = float32(sum + float32(weights[i] * between[source]));
        }
        view[3 * (y * size + x) + channel] = float32(sum + 0.5);
      }
    });
  }
  return view;
}

/**
 * The view of an image.
 *
 * @param {{width: number, height: number, read: function}} image where
 *     `read(x, y, width, height)` gives a rectangle's RGBA bytes.
 * @param {{resize: number, size: number}} card pixels; `size` <= `resize`.
 * @return `pixels`, Uint8Array of (size, size, 3), and `square`, where the view
 *     lies in the image: {x, y, width, height}, not rounded.
 */
export function evaluationView(image, card) {
  const shorter = Math.min(image.width, image.height);
  const rows = axis(image.height, shorter, card);
  const columns = axis(image.width, shorter, card);
  const vertical = spans(rows);
  const width = columns.last - columns.first;
  const between = new Float32Array(card.size * width * 3);
  for (let top = rows.first; top < rows.last; top += BAND) {
    const height = Math.min(BAND, rows.last - top);
    const rgba = image.read(columns.first, top, width, height);
    addRows(between, rgba, top - rows.first, width, vertical);
  }
  const square = {
    x: columns.start,
    y: rows.start,
    width: columns.end - columns.start,
    height: rows.end - rows.start,
  };
  const pixels = gatherColumns(between, width, spans(columns));
  return { pixels, square };
}
