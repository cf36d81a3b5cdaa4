// Where in a picture the network sees a class: its class activation map
// (Zhou et al. 2016, arXiv 1512.04150), drawn over the picture.

const SIDE = 224; // pixels of the drawn map; the browser scales it smoothly

// matplotlib's inferno at equal steps, as in pipelines/explain.py: equal steps
// of heat look equally large.
const COLORS = [
  [0, 0, 4],
  [31, 12, 72],
  [85, 15, 109],
  [136, 34, 106],
  [186, 54, 85],
  [227, 89, 51],
  [249, 140, 10],
  [249, 201, 50],
  [252, 255, 164],
];

// How much of the picture stays visible, where it is cold and where it is hot.
const OPACITY = { cold: 0.25, hot: 0.7 };

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
  const heat = new Float32Array(height * width);
  heat.forEach((_, place) => {
    heat[place] = Math.max(classMaps[place * classes + index], 0);
  });
  const greatest = Math.max(...heat);
  return greatest ? heat.map((value) => value / greatest) : heat;
}

/** Draws (height, width) heat over the whole of a canvas. */
export function drawHeat(canvas, heat, mapSize) {
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d");
  const image = context.createImageData(SIDE, SIDE);
  const rows = steps(mapSize.height);
  const columns = steps(mapSize.width);
  const at = (row, column) => heat[row * mapSize.width + column];
  let target = 0;
  for (const y of rows) {
    for (const x of columns) {
      const above = mix(at(y.low, x.low), at(y.low, x.high), x.part);
      const below = mix(at(y.high, x.low), at(y.high, x.high), x.part);
      image.data.set(colorOf(mix(above, below, y.part)), target);
      target += 4;
    }
  }
  context.putImageData(image, 0, 0);
}

// Bilinear, with the centres of pixels at 0.5.
function steps(length) {
  return Array.from({ length: SIDE }, (_, pixel) => {
    const place = ((pixel + 0.5) * length) / SIDE - 0.5;
    const low = Math.min(Math.max(Math.floor(place), 0), length - 1);
    const high = Math.min(Math.max(Math.floor(place) + 1, 0), length - 1);
    return { low, high, part: place - Math.floor(place) };
  });
}

function mix(a, b, part) {
  return a + (b - a) * part;
}

function colorOf(heat) {
  const place = heat * (COLORS.length - 1);
  const low = Math.min(Math.floor(place), COLORS.length - 2);
  const color = COLORS[low].map((value, i) =>
    mix(value, COLORS[low + 1][i], place - low),
  );
  return [...color, 255 * mix(OPACITY.cold, OPACITY.hot, heat)];
}
