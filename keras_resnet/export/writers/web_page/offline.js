const PATIENCE = 3000; // milliseconds that a first visit waits for it

/**
 * Installs service_worker.js, which keeps the folder for later visits.
 *
 * A first visit waits until it serves this page, so that it keeps what is
 * loaded next. A later visit loads the page again if the server has a newer
 * one. Without a service worker the page works while the server does.
 */
export async function keepOffline() {
  const container = navigator.serviceWorker;
  if (!container) return; // not https and not this machine
  const isFirstVisit = !container.controller;
  const url = new URL("service_worker.js", import.meta.url);
  container.addEventListener("controllerchange", () => {
    if (!isFirstVisit) location.reload();
  });
  try {
    const options = { updateViaCache: "none" };
    const { installing } = await container.register(url, options);
    if (isFirstVisit) await servesThisPage(container, installing);
  } catch (error) {
    console.warn("The page cannot be kept for use without a network:", error);
  }
}

// Or could not be installed, or takes too long.
function servesThisPage(container, worker) {
  return new Promise((resolve) => {
    container.addEventListener("controllerchange", resolve);
    worker?.addEventListener("statechange", () => {
      if (worker.state === "redundant") resolve();
    });
    setTimeout(resolve, PATIENCE);
  });
}
