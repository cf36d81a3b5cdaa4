// The network, in a thread of its own so that the page never freezes.
//
// It receives {page} once, then {image} for each image, and answers each with
// {answer} or {error}; while it loads it also sends {progress}.
//
// It is a script, not a module: LiteRT.js loads its WebAssembly with
// importScripts, which modules do not have.

const MODEL = "model.tflite";
const RUNTIME = new URL("litert_js/", location.href).href;
const COPY = "Copy the whole folder again";

let card, model;
let litert, evaluationView, decode, readerOf;

async function load(page) {
  const start = performance.now();
  [litert, { evaluationView }, { decode }, { readerOf }] = await Promise.all([
    importFile("./litert_js/index.js"),
    importFile("./evaluation_view.js"),
    importFile("./image_file.js"),
    importFile("./pixels.js"),
  ]);
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
    throw new Error(`${MODEL} cannot be run: ${error.message ?? error}`);
  }
  card = { resize: page.eval_resize, size: page.image_size };
  // The first run is slower than the others.
  await run(new Uint8Array(3 * card.size ** 2));
  return { threads, time: performance.now() - start };
}

async function importFile(path) {
  try {
    return await import(path);
  } catch {
    throw new Error(`${path} could not be loaded. ${COPY}.`);
  }
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
    throw new Error(
      "The runtime in the folder litert_js could not be loaded: " +
        `${error.message ?? "a file is missing"}. ${COPY}, or take a newer ` +
        "browser with WebAssembly SIMD: Chrome or Edge 91, Firefox 114, " +
        "Safari 16.4 or later.",
    );
  }
}

async function fetchModel(expected) {
  const response = await fetch(MODEL).catch(() => null);
  if (!response?.ok) {
    const reason = response
      ? `the server answered ${response.status}`
      : "there is no connection";
    throw new Error(`${MODEL} could not be loaded: ${reason}. ${COPY}.`);
  }
  const bytes = new Uint8Array(expected);
  let received = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    if (received + value.length <= expected) bytes.set(value, received);
    received += value.length;
    postMessage({ progress: received / expected });
  }
  if (received !== expected) {
    throw new Error(
      `${MODEL} has ${received} bytes, not ${expected}: it is not the one ` +
        `that was exported with this page. ${COPY}.`,
    );
  }
  return bytes;
}

async function classify(image) {
  const start = performance.now();
  const { bitmap, turned } = image.bitmap ? image : await decode(image);
  const pixels = evaluationView(readerOf(bitmap), card);
  const prepareTime = performance.now() - start;
  const outputs = await run(pixels);
  const runTime = performance.now() - start - prepareTime;
  return { bitmap, turned, pixels, ...outputs, prepareTime, runTime };
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

async function reply({ data: { page, image } }) {
  try {
    const answer = page ? await load(page) : await classify(image);
    postMessage({ answer }, answer.bitmap ? [answer.bitmap] : []);
  } catch (error) {
    // What is thrown above says enough; other errors also need their names.
    const isOurs = error.name === "Error";
    postMessage({ error: isOurs ? error.message : String(error) });
  }
}

// One after the other: the network has one memory.
let last = Promise.resolve();
addEventListener("message", (event) => {
  last = last.then(() => reply(event));
});
