// The form that runs a version: reads the answers, asks for their price while they are typed, and starts the run once.

import { page, ask, askJson, address, told, Refused } from "../lib/page.js";
import { el, fill } from "../lib/dom.js";
import { NOTHING, answerOf } from "../lib/answers.js";
import { attachPlace } from "../lib/places.js";
import { openAgainBy } from "../lib/signed-out.js";
import { copyFrom } from "../lib/copying.js";
import { credits, duration } from "../lib/money.js";

const form = document.getElementById("run-form");
const quote = document.getElementById("quote");
const refused = document.getElementById("refused");
const start = document.getElementById("start");
const budget = document.getElementById("budget");
const fields = [...form.querySelectorAll("[data-control]")];
const touched = new Set();
const PAUSE = 350;
// It goes through a sign-in, which writes it into another address once more, and no address may have more than 16 kB.
const MOST_HREF = 5000;

for (const place of fields) {
  const ends = place.querySelector("[data-ends]");
  if (ends) period(place, JSON.parse(ends.dataset.ends));
  if (place.querySelector('[data-place="map"]')) attachPlace(place);
}
document.getElementById("share").hidden = false;
start.hidden = "blocked" in form.dataset;

/** The two ends of a period: days, or moments where it says so. */
function period(place, given) {
  const inputs = ["0", "1"].map((part) => place.querySelector(`[data-part="${part}"]`));
  const timed = place.querySelector('[data-part="timed"]');
  inputs.forEach((input, index) => {
    const end = (given[index] ?? "").replace(/(Z|[+-]\d\d:\d\d)$/, "");
    input.value = timed.checked && end && !end.includes("T") ? `${end}T00:00:00` : end;
  });
  timed.addEventListener("change", () => {
    for (const input of inputs) {
      const day = input.value.slice(0, 10);
      input.type = timed.checked ? "datetime-local" : "date";
      input.value = day && timed.checked ? `${day}T00:00:00` : day;
    }
  });
}

function answers() {
  const found = {};
  for (const place of fields) {
    const value = answerOf(place);
    if (value !== NOTHING) found[place.dataset.field] = value;
  }
  return found;
}

function asked() {
  const body = { algorithm: page.algorithm, parameters: answers() };
  if (budget.value !== "") body.budget_millicredits = Math.round(Number(budget.value) * 1000);
  return body;
}

/** Show what the service finds wrong, each at its field; only where somebody has been, unless `all`. */
function showFindings(findings, { all = false } = {}) {
  const places = [...form.querySelectorAll("[data-field]")];
  const shown = [];
  for (const place of places) {
    const name = place.dataset.field;
    const own = findings.filter((one) => one.field === name || String(one.field).match(/[\w-]+/g)?.includes(name));
    const visible = own.length > 0 && (all || touched.has(name));
    const wrong = place.querySelector(".wrong");
    wrong.hidden = !visible;
    fill(wrong, ...(visible ? own.slice(0, 5).map(finding) : []));
    place.classList.toggle("bad", visible);
    for (const input of place.querySelectorAll("input, select, textarea")) {
      if (visible) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    }
    if (visible) shown.push(place);
  }
  const known = places.map((place) => place.dataset.field);
  const others = findings.filter((one) => !known.some((name) => String(one.field).match(/[\w-]+/g)?.includes(name)));
  return { shown, others };
}

function finding(one) {
  return el("span", { class: "finding" }, sentence(one.message), one.mend ? el("span", { class: "mend" }, one.mend) : null);
}

function sentence(words) {
  return `${words.slice(0, 1).toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? "" : "."}`;
}

function row(name, value) {
  return el("div", {}, el("dt", {}, name), el("dd", {}, value));
}

function showOffer(offer) {
  const { estimate, added_value: added } = offer;
  const rows = el("dl", { class: "rows" });
  // Before anybody has run it, all that is known is what its limits allow.
  const learnt = estimate && estimate.basis !== "cold-start";
  const price = learnt
    ? el("p", { class: "price" }, credits(estimate.p50), el("small", {}, " credits, most likely"))
    : el("p", { class: "price" }, credits(offer.ceiling_millicredits), el("small", {}, " credits at most"));
  if (learnt) {
    rows.append(
      row("Seldom more than", `${credits(estimate.p95)} credits`),
      row("Takes", `${duration(estimate.p50_seconds)} to ${duration(estimate.p95_seconds)}`),
    );
  } else if (estimate) rows.append(row("Takes at most", duration(estimate.p95_seconds)));
  if (added) rows.append(row("Of it, for its author", `at most ${credits(added.bound ?? added.most ?? 0)} credits`));
  rows.append(
    row("Held until it ends", `${credits(offer.hold_millicredits)} credits`),
    learnt ? row("Never more than", `${credits(offer.ceiling_millicredits)} credits`) : "",
  );
  fill(quote, price, rows, estimate ? el("p", { class: "sub" }, sentence(estimate.explanation)) : null);
}

let waiting = null;
let running = null;

async function price() {
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  try {
    const offer = await askJson("quotes", { method: "POST", body: asked(), signal });
    if (signal.aborted) return;
    showFindings([]);
    showOffer(offer);
  } catch (error) {
    if (signal.aborted || error.name === "AbortError") return;
    if (error instanceof Refused && error.findings.length) {
      const { others } = showFindings(error.findings);
      const count = error.findings.length;
      fill(quote,
        el("p", { class: "price" }, "—"),
        el("p", { class: "sub" }, `The price shows when ${count === 1 ? "one answer is" : `${count} answers are`} mended or given.`),
        ...others.map((one) => el("p", { class: "sub" }, `${one.field}: ${one.message}`)));
    } else {
      fill(quote, el("p", { class: "sub" }, `No price: ${told(error)}`));
    }
  }
}

function soon() {
  clearTimeout(waiting);
  waiting = setTimeout(price, PAUSE);
}

form.addEventListener("input", (event) => {
  const place = event.target.closest("[data-field]");
  if (place) touched.add(place.dataset.field);
  fill(refused);
  soon();
});
price();

// The same key for the same request, however often it is sent: a second press, or a retry after a lost answer, is one run.
let sent = { body: "", key: "" };
let starting = false;

function keyOf(body) {
  if (sent.body !== body) {
    const random = crypto.getRandomValues(new Uint8Array(16));
    sent = { body, key: `form-${[...random].map((byte) => byte.toString(16).padStart(2, "0")).join("")}` };
  }
  return sent.key;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (starting || "blocked" in form.dataset) return;
  starting = true;
  start.disabled = true;
  start.textContent = "Starting…";
  fill(refused);
  const body = asked();
  try {
    const answer = await ask("runs", { method: "POST", body, headers: { "Idempotency-Key": keyOf(JSON.stringify(body)) } });
    const run = await answer.json();
    location.assign(address(run.links.self));
    return;
  } catch (error) {
    showRefusal(error);
  }
  starting = false;
  start.disabled = false;
  start.textContent = "Run";
});

function showRefusal(error) {
  const { shown, others } = error instanceof Refused ? showFindings(error.findings, { all: true }) : { shown: [], others: [] };
  const words = shown.length
    ? `Not started: ${shown.length === 1 ? "one answer needs" : `${shown.length} answers need`} mending.`
    : `Not started: ${told(error)}.`;
  fill(refused, el("div", { class: "notice bad" }, el("p", {}, words.replace(/\.\.$/, ".")),
    ...others.map((one) => el("p", {}, `${one.field}: ${one.message}`))));
  const first = shown[0]?.querySelector("input:not([tabindex='-1']), select, textarea");
  first?.focus();
}

function filled() {
  const there = new URL(page.share, document.baseURI);
  there.searchParams.set("parameters", JSON.stringify(answers()));
  return there;
}

openAgainBy(() => {
  const there = filled();
  if (budget.value !== "") there.searchParams.set("budget", budget.value);
  if (there.href.length <= MOST_HREF) return { href: there.href, words: "It opens this form there, with your answers filled in." };
  return { href: page.share, words: "It opens this form there. Your answers are too long to go along: copy them from here." };
});

const dialog = document.getElementById("share-dialog");
const link = document.getElementById("share-link");
document.getElementById("share").addEventListener("click", () => {
  link.value = filled().href;
  dialog.showModal();
  link.select();
});
copyFrom(document.getElementById("share-copy"), link);
