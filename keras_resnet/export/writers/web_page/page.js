// The page: pictures in by any way, the answer out.
//
// Every answer is also an event "classified" on the document, whose detail has
// `probabilities` (K,), `classMaps` (height, width, K) and `pixels` (S, S, 3).

import { Bars } from "./answer.js";
import { Camera } from "./camera.js";
import { drawHeat, heatOf } from "./heat_map.js";
import { Network } from "./network.js";
import { keepOffline } from "./offline.js";

const SIDE = 768; // pixels of the shown picture
const SHARP_BELOW = 160; // smaller pictures are shown with visible pixels

const byId = (id) => document.getElementById(id);
const milliseconds = (time) =>
  time < 10 ? `${time.toFixed(1)} ms` : `${Math.round(time)} ms`;

let network, bars, camera;
let shown = null; // the result in the page
let picture = null; // what it was asked about: {file, name, upright}
let asked = 0; // so that a late answer does not replace a newer one

async function fetchOwn(name) {
  const response = await fetch(name).catch(() => null);
  if (response?.ok) return response;
  throw new Error(
    `${name} could not be loaded. It belongs beside this page: copy the ` +
      "whole folder again.",
  );
}

async function start() {
  byId("state").textContent = "";
  byId("state").classList.remove("late");
  const files = ["card.json", "page.json", "labels.txt"].map(fetchOwn);
  const [card, more, labels] = await Promise.all(files);
  const page = { ...(await card.json()), ...(await more.json()) };
  const names = (await labels.text()).trimEnd().split("\n");
  describe(page, names);
  bars = new Bars(byId("bars"), names, showHeat);
  camera = new Camera(byId("video"), look);
  await keepOffline(offerUpdate);
  network = new Network(page, (fraction) => (byId("progress").value = fraction));
  listen();
  const { time, threads } = await network.ready;
  byId("loading").hidden = true;
  document.documentElement.dataset.ready = "";
  const how = threads ? "several threads" : "one thread";
  byId("state").textContent =
    `Ready in ${(time / 1000).toFixed(1)} s, on ${how}. ` +
    "Pictures stay on this device.";
}

function describe(page, names) {
  const trained = page.dataset ? `, trained on ${page.dataset}` : "";
  const count = names.length.toLocaleString("en");
  byId("about").textContent =
    `${page.variant || "A residual network"}${trained}, knows ${count} classes.`;
  byId("samples").hidden = !page.samples.length;
  for (const { file, name } of page.samples) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const image = document.createElement("img");
    Object.assign(image, { src: file, alt: name, loading: "lazy" });
    button.type = "button";
    button.append(image);
    button.addEventListener("click", () => classifySample(file, name));
    item.append(button);
    byId("samples").querySelector("ul").append(item);
  }
}

async function classifySample(file, name) {
  try {
    const response = await fetchOwn(file);
    await classify({ file: await response.blob(), name });
  } catch (error) {
    showProblem(error);
  }
}

/** Asks the network about a file and shows its answer. */
async function classify({ file, name, upright = false }) {
  camera.stop();
  byId("live").setAttribute("aria-pressed", "false");
  picture = { file, name, upright };
  const result = await ask(picture);
  if (result) {
    setLabel(`The picture ${name}, as the network sees it`);
    byId("upright").hidden = !result.turned;
    byId("upright").setAttribute("aria-pressed", String(upright));
    byId("spoken").textContent = bars.sentence(result.probabilities);
  }
}

function setLabel(text) {
  byId("image").setAttribute("aria-label", text);
}

async function look(bitmap) {
  const before = shown?.top[0];
  const result = await ask({ bitmap });
  if (!result) return;
  setLabel("The camera's picture, as the network sees it");
  byId("upright").hidden = true;
  if (result.top[0] !== before) {
    byId("spoken").textContent = bars.sentence(result.probabilities);
  }
}

async function ask(image) {
  const number = ++asked;
  byId("stage").setAttribute("aria-busy", "true");
  try {
    await network.ready;
    const result = await network.classify(image);
    if (number !== asked) return null;
    show(result);
    return result;
  } catch (error) {
    if (number === asked) showProblem(error);
    return null;
  } finally {
    if (number === asked) byId("stage").setAttribute("aria-busy", "false");
  }
}

function show(result) {
  byId("problem").textContent = "";
  document.documentElement.dataset.answered = "";
  byId("hint").hidden = true;
  shown?.bitmap.close();
  shown = result;
  drawPicture(result);
  result.top = bars.show(result.probabilities);
  byId("heat-control").hidden = byId("facts").hidden = false;
  byId("run-time").textContent = milliseconds(result.runTime);
  byId("prepare-time").textContent = milliseconds(result.prepareTime);
  showHeat(result.top[0]);
  document.dispatchEvent(new CustomEvent("classified", { detail: result }));
}

function drawPicture({ bitmap, square }) {
  const canvas = byId("image");
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = square.width >= SHARP_BELOW;
  context.imageSmoothingQuality = "high";
  const { x, y, width, height } = square;
  context.drawImage(bitmap, x, y, width, height, 0, 0, SIDE, SIDE);
}

function showHeat(index) {
  const heat = heatOf(shown.classMaps, shown.mapSize, index);
  drawHeat(byId("heat"), heat, shown.mapSize);
  const nothing = heat.every((value) => value === 0);
  byId("note").textContent = nothing
    ? `No part of the picture speaks for ${bars.name(index)}.`
    : "";
  byId("heat").hidden = nothing || !byId("heat-switch").checked;
}

function showProblem(error) {
  byId("problem").textContent = error.message;
  byId("loading").hidden = true;
}

function offerUpdate(update) {
  byId("update").hidden = false;
  byId("update").addEventListener("click", update);
}

async function toggleCamera() {
  const on = !camera.isOn;
  byId("live").setAttribute("aria-pressed", String(on));
  if (!on) return camera.stop();
  try {
    await camera.start();
  } catch (error) {
    camera.stop();
    byId("live").setAttribute("aria-pressed", "false");
    showProblem(new Error(`The camera cannot be used: ${error.message}`));
  }
}

function classifyFirst(files, fallback) {
  const file = [...files][0];
  if (file) classify({ file, name: file.name || fallback });
}

function listen() {
  byId("live").hidden = !Camera.exists;
  byId("live").addEventListener("click", toggleCamera);
  byId("heat-switch").addEventListener("change", () => {
    const chosen = document.querySelector("input[name=class]:checked");
    showHeat(Number(chosen.value));
  });
  byId("upright").addEventListener("click", () =>
    classify({ ...picture, upright: !picture.upright }),
  );
  for (const input of [byId("file"), byId("capture")]) {
    input.addEventListener("change", () => {
      classifyFirst(input.files, "The picture");
      input.value = ""; // so that the same file can be chosen again
    });
  }
  addEventListener("paste", ({ clipboardData }) =>
    classifyFirst(clipboardData.files, "The pasted picture"),
  );
  const over = (event, isOver) => {
    event.preventDefault();
    byId("stage").classList.toggle("over", isOver);
  };
  addEventListener("dragover", (event) => over(event, true));
  addEventListener("dragleave", (event) => over(event, false));
  addEventListener("drop", (event) => {
    over(event, false);
    classifyFirst(event.dataTransfer.files, "The picture");
  });
}

start().catch(showProblem);
