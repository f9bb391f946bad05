// A run while it happens: its status, its place in the queue, how far it is, what it prints; then its results.

import { page, ask, askJson, told, Refused } from "../lib/page.js";
import { el, fill } from "../lib/dom.js";
import { follow } from "../lib/events.js";
import { attachResults } from "../lib/results.js";
import { copyFrom } from "../lib/copying.js";
import { duration } from "../lib/money.js";

const MOST_LOG = 400_000;
const POLL = 5000;

const at = (id) => document.getElementById(id);
const log = at("log");
const doing = at("doing");
const progress = at("progress");

attachResults(document);
if (page.shares) sharing();
if (!page.terminal) canceling();
watch();

// The log

let written = 0;

/** Add to the log; who has scrolled up stays there. */
function print(text, kind) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(kind ? el("span", { class: kind }, text) : text);
  written += text.length;
  while (written > MOST_LOG && log.firstChild) {
    written -= log.firstChild.textContent.length;
    log.firstChild.remove();
  }
  if (atEnd) log.scrollTop = log.scrollHeight;
}

// What happens

async function watch() {
  const queue = page.terminal ? 0 : setInterval(() => standing().catch(() => {}), POLL);
  if (!page.terminal) standing().catch(() => {});
  try {
    await follow(`${page.run}/events`, happened, { onState: connection });
  } catch (error) {
    // Who is signed out is told above.
    if (!page.terminal && error.status !== 401) fill(at("told"), el("p", { class: "notice bad" }, told(error)));
  }
  clearInterval(queue);
  if (log.childNodes.length === 0) print("It printed nothing.", "note");
}

function connection(state) {
  if (page.terminal) return;
  if (state === "lost") doing.textContent = "The connection was lost; trying again…";
  else if (doing.textContent.startsWith("The connection")) doing.textContent = "";
}

function happened(kind, event) {
  if (kind === "log" && event.text) print(event.text, event.stream === "stderr" ? "err" : null);
  else if (kind === "output") print(`→ ${event.name}\n`, "note");
  else if (kind === "progress") advanced(event);
  else if (kind === "cell-start") advanced({ message: `Cell ${event.cell + 1}${event.total_cells ? ` of ${event.total_cells}` : ""}` });
  else if (kind === "status") return changed(event);
  else if (kind === "checkpoint" && event.message) print(`${event.message}\n`, "note");
  return false;
}

function advanced({ fraction, message }) {
  if (page.terminal || !progress) return;
  if (typeof fraction === "number") progress.value = Math.max(progress.value, fraction);
  const share = `${Math.round(progress.value * 100)} %`;
  doing.textContent = message ? `${share}: ${message}` : share;
}

const ENDS = ["finished", "error", "canceled"];

/** A change of status; the last one brings the page that has results and receipt. */
function changed({ status }) {
  const over = ENDS.includes(status);
  if (page.terminal) return over;
  fill(at("status"), el("span", { class: `verdict ${status}` }, status));
  for (const step of document.querySelectorAll("[data-step]")) {
    const name = step.dataset.step;
    const order = ["created", "queued", "running", "ended"];
    step.classList.toggle("done", order.indexOf(name) <= order.indexOf(over ? "ended" : status));
  }
  if (status === "running") doing.textContent = "It runs.";
  if (over) ended(status);
  return over;
}

async function ended(status) {
  if (progress) progress.value = 1;
  at("cancel").hidden = true;
  doing.textContent = status === "finished" ? "Finished. Its results are loaded…" : `It ended: ${status}.`;
  // A receipt is written right after the end: with it there, the page tells everything at once.
  for (let attempt = 0; status === "finished" && attempt < 8; attempt += 1) {
    if (await ask(`${page.run}/receipt`).then(() => true, (error) => !(error instanceof Refused))) break;
    await new Promise((done) => setTimeout(done, 400));
  }
  location.reload();
}

/** Where it stands in the queue. */
async function standing() {
  const { queue } = await askJson(page.run);
  if (!queue || page.terminal) return;
  const wait = queue.wait_seconds === null ? "" : `, about ${duration(queue.wait_seconds)}`;
  doing.textContent = queue.runs_before === 0 ? `It is next${wait}.`
    : `${queue.runs_before} ${queue.runs_before === 1 ? "run is" : "runs are"} before it${wait}.`;
}

// What can be done

function canceling() {
  const button = at("cancel");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    button.textContent = "Canceling…";
    try {
      await ask(page.run, { method: "DELETE" });
    } catch (error) {
      fill(at("told"), el("p", { class: "notice bad" }, told(error)));
      button.disabled = false;
      button.textContent = "Cancel";
    }
  });
}

function sharing() {
  const dialog = at("share-dialog");
  at("share").hidden = false;
  at("share").addEventListener("click", () => {
    dialog.showModal();
    shares().catch((error) => fill(at("share-list"), el("p", { class: "sub" }, told(error))));
  });
  at("share-make").addEventListener("click", async () => {
    try {
      const made = await askJson(`${page.run}/shares`, { method: "POST", body: { days: Number(at("share-days").value) } });
      at("share-made").hidden = false;
      at("share-link").value = new URL(made.href, document.baseURI).href;
      at("share-link").select();
      await shares();
    } catch (error) {
      fill(at("share-list"), el("p", { class: "notice bad", role: "alert" }, told(error)));
    }
  });
  copyFrom(at("share-copy"), at("share-link"));
}

async function shares() {
  const { shares: found } = await askJson(`${page.run}/shares`);
  const items = found.map((one) => {
    const back = el("button", { type: "button", class: "quiet" }, "Take back");
    back.addEventListener("click", async () => {
      await ask(`${page.run}/shares/${one.id}`, { method: "DELETE" });
      await shares();
    });
    return el("li", {}, `Made ${one.created_at.slice(0, 10)}, ends ${one.expires_at.slice(0, 10)} `, back);
  });
  fill(at("share-list"), items.length ? el("ul", { class: "todo" }, ...items) : null);
}
