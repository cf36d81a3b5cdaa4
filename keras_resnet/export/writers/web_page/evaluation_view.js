// What the network sees of an image: its shorter side resized to `resize`
// pixels, then the central square of `size`.
//
// It is keras_resnet.data.transforms.evaluation: each operation is in float32
// and in the order of TensorFlow's ScaleAndTranslate (triangle kernel,
// antialias), so the pixels are the same, not only alike.

const float32 = Math.fround;

// Rows that are read at once: a large photograph needs no large canvas.
const BAND = 256;

// One axis of an image of so many pixels: `first` to `last` are the pixels that
// the view depends on, `scale` and `translation` lead from those to the view.
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
  return { first, last, scale, translation, size };
}

// The triangle filter at each place of the view: the first pixel that it reads,
// counted from `first`, and the weights from there.
function spans({ first, last, scale, translation, size }) {
  const length = last - first;
  const inverse = float32(1 / scale);
  const shift = float32(-inverse * translation);
  const radius = Math.max(inverse, 1); // the filter widens where it shrinks
  const narrowing = float32(1 / radius);
  const inside = (place) => Math.min(Math.max(place, 0), length - 1);
  return Array.from({ length: size }, (_, place) => {
    const centre = float32(float32((place + 0.5) * inverse) + shift);
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
function addRows(between, rgba, top, rowLength, vertical) {
  const bottom = top + rgba.length / rowLength;
  vertical.forEach(({ start, weights }, y) => {
    const from = Math.max(start, top);
    const to = Math.min(start + weights.length, bottom);
    for (let row = from; row < to; row++) {
      const weight = weights[row - start];
      const source = rowLength * (row - top);
      for (let i = 0; i < rowLength; i++) {
        between[rowLength * y + i] += float32(weight * rgba[source + i]);
      }
    }
  });
}

// Each row of the view to `size` RGB pixels, rounded half upwards.
function gatherColumns(between, rowLength, horizontal) {
  const size = horizontal.length;
  const view = new Uint8Array(3 * size * size);
  for (let i = 0; i < view.length; i++) {
    const place = Math.floor(i / 3);
    const { start, weights } = horizontal[place % size];
    const row = rowLength * Math.floor(place / size);
    let sum = 0;
    weights.forEach((weight, j) => {
      const value = between[row + 4 * (start + j) + (i % 3)];
      sum = float32(sum + float32(weight * value));
    });
    view[i] = float32(sum + 0.5);
  }
  return view;
}

/**
 * The view of an image.
 *
 * @param {{width: number, height: number, read: function}} image where
 *     `read(x, y, width, height)` gives a rectangle's RGBA bytes.
 * @param {{resize: number, size: number}} card pixels; `size` <= `resize`.
 * @return {Uint8Array} of (size, size, 3).
 */
export function evaluationView(image, card) {
  const shorter = Math.min(image.width, image.height);
  const rows = axis(image.height, shorter, card);
  const columns = axis(image.width, shorter, card);
  const vertical = spans(rows);
  const width = columns.last - columns.first;
  const between = new Float32Array(4 * card.size * width);
  for (let top = rows.first; top < rows.last; top += BAND) {
    const height = Math.min(BAND, rows.last - top);
    const rgba = image.read(columns.first, top, width, height);
    addRows(between, rgba, top - rows.first, 4 * width, vertical);
  }
  return gatherColumns(between, 4 * width, spans(columns));
}
