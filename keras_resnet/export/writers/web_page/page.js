// The page: pictures in by any way, the answer out.
//
// Every answer is also an event "classified" on the document, whose detail has
// `probabilities` (K,), `classMaps` (height, width, K) and `pixels` (S, S, 3).

import { Bars } from "./answer.js";
import { watch } from "./camera.js";
import { drawHeat, heatOf } from "./heat_map.js";
import { checkFile } from "./image_file.js";
import { Network } from "./network.js";
import { keepOffline } from "./offline.js";

const SIDE = 768; // pixels of the shown picture
const SHARP_BELOW = 160; // smaller pictures are shown with visible pixels

const INDEPENDENT =
  "A picture may have several labels, or none: each bar stands alone, and " +
  "beyond its mark, at 50%, the network says yes.";

const byId = (id) => document.getElementById(id);
const say = (id, text) => (byId(id).textContent = text);
const press = (id, on) => byId(id).setAttribute("aria-pressed", String(on));
const onClick = (id, action) => byId(id).addEventListener("click", action);
const milliseconds = (time) => `${time.toFixed(time < 10 ? 1 : 0)} ms`;

let network, bars, ready;
let isUpright; // whether pictures are turned as their camera was held
let seenPart; // of the shorter side of a picture: what the network sees
let live = null; // AbortController of the camera while it is on
let picture = null; // {file, name, upright} or {bitmap, name}
let shown = null; // the answer in the page
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
  say("state", "");
  const files = ["card.json", "page.json", "labels.txt"].map(fetchOwn);
  const [card, more, labels] = await Promise.all(files);
  const page = { ...(await card.json()), ...(await more.json()) };
  const names = (await labels.text()).trimEnd().split("\n");
  seenPart = page.image_size / page.eval_resize;
  isUpright = page.exif === "apply";
  bars = new Bars(byId("bars"), names, Boolean(page.multi_label));
  await keepOffline();
  network = new Network((part) => (byId("progress").value = part));
  ready = network.ask({ page });
  describe(page, names);
  listen();
  const { time, threads } = await ready;
  byId("loading").hidden = true;
  document.documentElement.dataset.ready = "";
  const how = threads ? "several threads" : "one thread";
  const seconds = `${(time / 1000).toFixed(1)} s`;
  say("state", `Ready in ${seconds}, on ${how}. Pictures stay on this device.`);
}

function describe(page, names) {
  const who = page.variant || "A residual network";
  const trained = page.dataset ? `, trained on ${page.dataset}` : "";
  const count = names.length.toLocaleString("en");
  say("about", `${who}${trained}, knows ${count} classes.`);
  if (page.multi_label) {
    byId("bars").setAttribute("aria-label", "Labels");
    say("hint", INDEPENDENT);
    say("kind", INDEPENDENT);
  }
  byId("samples").hidden = !page.samples.length;
  for (const { file, name } of page.samples) {
    const button = document.createElement("button");
    button.append(Object.assign(new Image(), { src: file, alt: name }));
    button.addEventListener("click", async () => {
      const response = await fetchOwn(file).catch(showProblem);
      if (response) classifyFile(await response.blob(), name);
    });
    byId("samples").append(button);
  }
}

function classifyFile(file, name, upright = isUpright) {
  setLive(false);
  classify({ file, name, upright });
}

/** Asks the network about a picture and shows its answer. */
async function classify(asking) {
  const number = ++asked;
  byId("stage").setAttribute("aria-busy", "true");
  try {
    if (asking.file) await checkFile(asking.file, asking.name);
    await ready;
    const answer = await network.ask({ image: asking });
    if (number !== asked) return;
    picture = asking;
    show(answer);
  } catch (error) {
    if (number === asked) showProblem(error);
  }
  if (number === asked) byId("stage").setAttribute("aria-busy", "false");
}

function show(answer) {
  const before = shown && bars.chosen;
  shown = answer;
  const sentence = bars.show(answer.probabilities);
  // The camera's answers are said when they change.
  if (picture.file || bars.chosen !== before) say("spoken", sentence);
  say("problem", "");
  const times = [answer.runTime, answer.prepareTime].map(milliseconds);
  say("state", `Answered in ${times[0]}, after ${times[1]} of preparation.`);
  byId("hint").hidden = byId("invitation").hidden = true;
  byId("bars").hidden = byId("heat-control").hidden = false;
  byId("upright").hidden = !answer.turned;
  press("upright", Boolean(picture.upright));
  drawPicture(answer.bitmap);
  showHeat();
  document.dispatchEvent(new CustomEvent("classified", { detail: answer }));
}

function drawPicture(bitmap) {
  const canvas = byId("image");
  canvas.setAttribute("aria-label", `${picture.name}, as the network sees it`);
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d");
  const { width, height } = bitmap;
  const side = seenPart * Math.min(width, height); // the central square
  const corner = [(width - side) / 2, (height - side) / 2];
  context.imageSmoothingEnabled = side >= SHARP_BELOW;
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, ...corner, side, side, 0, 0, SIDE, SIDE);
  bitmap.close();
}

function showHeat() {
  const heat = heatOf(shown.classMaps, shown.mapSize, bars.chosen);
  drawHeat(byId("heat"), heat, shown.mapSize);
  const isCold = heat.every((value) => value === 0);
  const cold = `No part of the picture speaks for ${bars.chosenName}.`;
  say("note", isCold ? cold : "");
  byId("heat").hidden = isCold || !byId("heat-switch").checked;
}

function showProblem(error) {
  say("problem", error.message);
  byId("loading").hidden = true;
}

async function setLive(on) {
  live?.abort();
  live = on ? new AbortController() : null;
  press("live", on);
  if (!on) return;
  const look = (bitmap) => classify({ bitmap, name: "The camera's picture" });
  try {
    await watch(byId("video"), look, live.signal);
  } catch (error) {
    setLive(false);
    showProblem(new Error(`The camera cannot be used: ${error.message}`));
  }
}

function choose(isPhotograph) {
  byId("file").toggleAttribute("capture", isPhotograph);
  byId("file").click();
}

function classifyFirst([file], fallback = "The picture") {
  if (file) classifyFile(file, file.name || fallback);
}

function listen() {
  onClick("choose", () => choose(false));
  onClick("photograph", () => choose(true));
  byId("file").addEventListener("change", ({ target }) => {
    classifyFirst(target.files);
    target.value = ""; // so that the same file can be chosen again
  });
  byId("live").hidden = !navigator.mediaDevices?.getUserMedia;
  onClick("live", () => setLive(!live));
  onClick("upright", () =>
    classifyFile(picture.file, picture.name, !picture.upright),
  );
  for (const id of ["bars", "heat-control"]) {
    byId(id).addEventListener("change", showHeat);
  }
  addEventListener("paste", ({ clipboardData }) =>
    classifyFirst(clipboardData.files, "The pasted picture"),
  );
  for (const name of ["dragover", "dragleave", "drop"]) {
    addEventListener(name, (event) => {
      event.preventDefault();
      byId("stage").classList.toggle("over", name === "dragover");
      if (name === "drop") classifyFirst(event.dataTransfer.files);
    });
  }
}

start().catch(showProblem);
