// The key of this page: exchanged at once for one that stands in no document, then renewed while the sign-in lasts.

const SOON = 0.75;
const AGAIN = [2_000, 5_000, 15_000, 60_000];

let address = "";
let key = "";
let due = 0;
let failed = 0;
let timer = null;
let renewing = null;
let over = null;

// Stands nowhere but here: what was saved or copied of the page can't renew anything.
const secret = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))))
  .replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

/**
 * Begin with the key of the document.
 * @param {{ base: string, key: string }} page
 * @param {() => void} onOver told once, when there are no further keys: signed out, or the sign-in is over.
 */
export function beginWith(page, onOver) {
  if (!page.key) return;
  ({ key } = page);
  address = `${page.base}/page-key`;
  over = onOver;
  renewed();
  // Timers stand still while a machine sleeps, or a browser lets a page rest.
  document.addEventListener("visibilitychange", () => { if (!document.hidden) ready(); });
}

/** The key to send now. */
export const current = () => key;

/** Waits for another key where the present one is about to end. */
export async function ready() {
  if (due && Date.now() >= due) await renewed();
}

/**
 * Get another key; once at a time, whoever asks.
 * @returns {Promise<boolean>} whether there is one.
 */
export function renewed() {
  renewing ??= exchange().finally(() => { renewing = null; });
  return renewing;
}

async function exchange() {
  if (!over) return false;
  let answer = null;
  let made = null;
  try {
    answer = await fetch(address, {
      method: "POST",
      credentials: "omit",
      cache: "no-store",
      headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
      body: JSON.stringify({ secret }),
    });
    if (answer.ok) made = await answer.json();
  } catch {
    // Nobody answers: tried again below.
  }
  if (made) {
    key = made.key;
    failed = 0;
    plan(made.seconds * 1000 * SOON);
    return true;
  }
  if (answer?.status === 401) {
    clearTimeout(timer);
    const tell = over;
    over = null;
    tell();
    return false;
  }
  plan(AGAIN[Math.min(failed, AGAIN.length - 1)]);
  failed += 1;
  return false;
}

function plan(pause) {
  due = Date.now() + pause;
  clearTimeout(timer);
  timer = setTimeout(renewed, pause);
}
