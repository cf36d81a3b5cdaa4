// Installs service_worker.js, which keeps the folder for later visits.

const PATIENCE = 3000; // milliseconds that a first visit waits for it

/**
 * Waits until the service worker serves this page, so that it keeps what is
 * loaded next; without one the page works too, while the server does.
 *
 * @param {function(function(): void): void} offerUpdate is called when the
 *     server has a newer page; its argument changes to that.
 */
export async function keepOffline(offerUpdate) {
  const container = navigator.serviceWorker;
  if (!container) return; // not https and not this machine
  const hadController = Boolean(container.controller);
  const url = new URL("service_worker.js", import.meta.url);
  try {
    const options = { updateViaCache: "none" };
    const registration = await container.register(url, options);
    if (hadController) watch(registration, offerUpdate);
    else await installed(registration);
  } catch (error) {
    console.warn("The page cannot be kept for use without a network:", error);
  }
}

// Until it serves this page, has failed to be installed, or takes too long.
function installed({ installing }) {
  return new Promise((resolve) => {
    navigator.serviceWorker.addEventListener("controllerchange", resolve);
    installing?.addEventListener("statechange", () => {
      if (installing.state === "redundant") resolve();
    });
    setTimeout(resolve, PATIENCE);
  });
}

function watch(registration, offerUpdate) {
  const offer = (worker) => {
    if (worker) offerUpdate(() => change(worker));
  };
  offer(registration.waiting);
  registration.addEventListener("updatefound", () => {
    const worker = registration.installing;
    worker.addEventListener("statechange", () => {
      if (worker.state === "installed") offer(worker);
    });
  });
}

function change(worker) {
  navigator.serviceWorker.addEventListener("controllerchange", () =>
    location.reload(),
  );
  worker.postMessage("take over");
}
