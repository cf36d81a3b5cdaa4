// Keeps the files of this folder, so that the page works without a network and
// its large ones are loaded once.
//
// A file is kept under its name and sha256: a new export changes this script,
// which keeps what is unchanged, fetches the rest and serves open pages from
// then on; they load themselves again. Every answer gets the headers that
// isolate a page from other sites, which threads need and which many static
// servers do not send.

// name -> {sha256, bytes}; export_web fills it.
const FILES = {};

const CACHE = `keras_resnet ${registration.scope}`;
const SMALL = 2 ** 20; // what is larger is kept when it is first used

const HEADERS = {
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Opener-Policy": "same-origin",
};

function keyOf(name) {
  return `${registration.scope}${name}?sha256=${FILES[name].sha256}`;
}

async function install() {
  const cache = await caches.open(CACHE);
  const names = Object.keys(FILES).filter((name) => FILES[name].bytes < SMALL);
  const keep = async (name) => {
    if (await cache.match(keyOf(name))) return;
    await cache.put(keyOf(name), await fetchChecked(name));
  };
  await Promise.all(names.map(keep));
  await skipWaiting();
}

// The browser compares the sha256: no half of another export is kept.
async function fetchChecked(name) {
  const digits = FILES[name].sha256.match(/../g);
  const bytes = String.fromCharCode(...digits.map((d) => parseInt(d, 16)));
  const response = await fetch(registration.scope + name, {
    cache: "no-cache",
    integrity: `sha256-${btoa(bytes)}`,
  });
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return response;
}

async function activate() {
  const cache = await caches.open(CACHE);
  const current = new Set(Object.keys(FILES).map(keyOf));
  for (const request of await cache.keys()) {
    if (!current.has(request.url)) await cache.delete(request);
  }
  await clients.claim();
}

async function serve(name, keepAlive) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(keyOf(name));
  const response = kept ?? (await fetch(registration.scope + name));
  if (!kept && response.ok) {
    keepAlive(cache.put(keyOf(name), response.clone()));
  }
  const { body, status, statusText } = response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  return new Response(body, { status, statusText, headers });
}

addEventListener("install", (event) => event.waitUntil(install()));
addEventListener("activate", (event) => event.waitUntil(activate()));
addEventListener("fetch", (event) => {
  const [url] = event.request.url.split(/[?#]/);
  const name = url.slice(registration.scope.length) || "index.html";
  const isOurs = url.startsWith(registration.scope) && FILES[name];
  if (!isOurs || event.request.method !== "GET") return;
  event.respondWith(serve(name, (promise) => event.waitUntil(promise)));
});
