// Where in a picture the network sees a class: its class activation map
// (Zhou et al. 2016, arXiv 1512.04150), drawn over the picture.

const SIDE = 224; // pixels of the drawn map; CSS enlarges it

// matplotlib's inferno at equal steps, as in pipelines/explain.py, and how much
// of the picture it hides: more where it is hot.
const COLORS = [
  [0, 0, 4, 64],
  [31, 12, 72, 78],
  [85, 15, 109, 92],
  [136, 34, 106, 106],
  [186, 54, 85, 121],
  [227, 89, 51, 135],
  [249, 140, 10, 149],
  [249, 201, 50, 164],
  [252, 255, 164, 178],
];

/**
 * The heat of a class: ReLU of its map, divided by the greatest value.
 *
 * @param {Float32Array} classMaps of (height, width, K).
 * @param {{height: number, width: number}} mapSize
 * @param {number} index of the class.
 * @return {Float32Array} of (height, width) in [0, 1]; all 0 if nothing speaks
 *     for the class.
 */
export function heatOf(classMaps, { height, width }, index) {
  const classes = classMaps.length / (height * width);
  const heat = new Float32Array(height * width).map((_, place) =>
    Math.max(classMaps[place * classes + index], 0),
  );
  const greatest = Math.max(...heat);
  return greatest ? heat.map((value) => value / greatest) : heat;
}

/** Draws (height, width) heat over the whole of a canvas. */
export function drawHeat(canvas, heat, { height, width }) {
  const grey = [...heat.map((value) => 255 * value)];
  const pixels = grey.flatMap((value) => [value, value, value, 255]);
  const map = new ImageData(Uint8ClampedArray.from(pixels), width);
  const small = new OffscreenCanvas(width, height);
  small.getContext("2d").putImageData(map, 0, 0);
  // The browser enlarges the map in grey; the colours come after.
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(small, 0, 0, SIDE, SIDE);
  const image = context.getImageData(0, 0, SIDE, SIDE);
  for (let i = 0; i < image.data.length; i += 4) {
    image.data.set(colorOf(image.data[i] / 255), i);
  }
  context.putImageData(image, 0, 0);
}

function colorOf(heat) {
  const place = heat * (COLORS.length - 1);
  const low = Math.min(Math.floor(place), COLORS.length - 2);
  const part = place - low;
  const mix = (value, i) => value + (COLORS[low + 1][i] - value) * part;
  return COLORS[low].map(mix);
}
