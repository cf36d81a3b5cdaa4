// The network, in a thread of its own so that the page never freezes.
//
// It receives {type: "load", page} once, and {type: "classify", id, ...} for
// each image; it answers {type: "progress"}, "ready", "result" or "error".

// It is a script, not a module: LiteRT.js loads its WebAssembly with
// importScripts, which modules do not have.

const MODEL = "model.tflite";
const RUNTIME = new URL("litert_js/", location.href).href;

// (module (func (result v128) i32.const 0 i8x16.splat))
const SIMD_MODULE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6,
  0, 65, 0, 253, 15, 11,
]);

let card, model;
let litert, evaluationView, decode, PixelReader;

/** What is wrong, in words for the person who uses the page. */
function problem(message) {
  return Object.assign(new Error(message), { name: "PageError" });
}

async function importFile(path) {
  try {
    return await import(path);
  } catch {
    throw problem(`${path} could not be loaded: copy the whole folder again.`);
  }
}

async function load({ page }) {
  [litert, { evaluationView }, { decode }, { PixelReader }] = await Promise.all(
    [
      importFile("./litert_js/index.js"),
      importFile("./evaluation_view.js"),
      importFile("./image_file.js"),
      importFile("./pixels.js"),
    ],
  );
  card = { resize: page.eval_resize, size: page.image_size };
  if (!globalThis.WebAssembly || !WebAssembly.validate(SIMD_MODULE)) {
    throw problem(
      "This browser has no WebAssembly SIMD, which the network needs. Take a " +
        "newer one: Chrome or Edge 91, Firefox 114, Safari 16.4 or later.",
    );
  }
  const start = performance.now();
  // Threads need a page that no other site can look into; see serve_web.py.
  const threads =
    crossOriginIsolated && (await litert.supportsFeature("relaxedSimd"));
  const [bytes] = await Promise.all([
    fetchModel(page.model_bytes),
    loadRuntime(threads ? "threaded" : "compat"),
  ]);
  try {
    model = await litert.loadAndCompile(bytes, { accelerator: "wasm" });
  } catch (error) {
    throw problem(`${MODEL} cannot be run: ${error.message ?? error}`);
  }
  // The first run is slower than the others.
  await run(new Uint8Array(3 * card.size ** 2));
  postMessage({ type: "ready", threads, time: performance.now() - start });
}

async function loadRuntime(variant) {
  const script = `${RUNTIME}litert_wasm_${variant}_internal.js`;
  // Otherwise it would look for its files beside this script.
  self.Module = {
    locateFile: (name) => RUNTIME + name,
    mainScriptUrlOrBlob: script,
  };
  try {
    await litert.loadLiteRt(script);
  } catch (error) {
    throw problem(
      "The runtime in the folder litert_js could not be loaded: " +
        `${error.message ?? "a file is missing"}. Copy the whole folder again.`,
    );
  }
}

async function fetchModel(expected) {
  const response = await fetch(MODEL).catch(() => null);
  if (!response?.ok) {
    const reason = response
      ? `the server answered ${response.status}`
      : "there is no connection";
    throw problem(
      `${MODEL} could not be loaded: ${reason}. It belongs beside this page: ` +
        "copy the whole folder again.",
    );
  }
  const bytes = new Uint8Array(expected);
  let received = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    if (received + value.length <= expected) bytes.set(value, received);
    received += value.length;
    postMessage({ type: "progress", received, expected });
  }
  if (received !== expected) {
    throw problem(
      `${MODEL} has ${received} bytes, not ${expected}: it is not the one ` +
        "that was exported with this page. Copy the whole folder again.",
    );
  }
  return bytes;
}

async function classify({ file, name, upright, bitmap }) {
  const start = performance.now();
  const image = bitmap
    ? { bitmap, turned: false }
    : await decode(file, name, upright);
  const reader = new PixelReader(image.bitmap);
  const { pixels, square } = evaluationView(reader, card);
  const prepared = performance.now();
  const outputs = await run(pixels);
  return {
    ...image,
    ...outputs,
    pixels,
    square,
    prepareTime: prepared - start,
    runTime: performance.now() - prepared,
  };
}

async function run(pixels) {
  const shape = [1, card.size, card.size, 3];
  const images = new litert.Tensor(Float32Array.from(pixels), shape);
  const outputs = await model.run({ images });
  const probabilities = await outputs.probabilities.data();
  const classMaps = await outputs.class_maps.data();
  const [, height, width] = outputs.class_maps.type.layout.dimensions;
  for (const tensor of [images, ...Object.values(outputs)]) tensor.delete();
  return { probabilities, classMaps, mapSize: { height, width } };
}

async function answer({ data }) {
  try {
    if (data.type === "load") return await load(data);
    const result = await classify(data);
    postMessage({ type: "result", id: data.id, ...result }, [result.bitmap]);
  } catch (error) {
    const known = error.name === "PageError";
    const message = known ? error.message : `Something failed: ${error}`;
    postMessage({ type: "error", id: data.id, message });
  }
}

// One after the other: the network has one memory.
let last = Promise.resolve();
addEventListener("message", (event) => {
  last = last.then(() => answer(event));
});
