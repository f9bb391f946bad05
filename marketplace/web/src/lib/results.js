// Results, each as what it is: raster and vector on a map, table and plot, JSON and text, pictures, the notebook in a frame.

import { ask, askJson, told } from "./page.js";
import { el, fill } from "./dom.js";
import { attachMap } from "./attach.js";
import { parseCsv, plot, table } from "./table.js";

const MOST_BYTES = 8_000_000;
const MOST_CHARACTERS = 100_000;

/** Show each result below `root` (elements with data-href and data-media) when it comes into view. */
export function attachResults(root) {
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      seen.unobserve(entry.target);
      show(entry.target);
    }
  }, { rootMargin: "400px" });
  for (const place of root.querySelectorAll("[data-href]")) seen.observe(place);
}

async function show(place) {
  const { href, media, bytes, label } = place.dataset;
  const [kind, viewer] = VIEWERS.find(([pattern]) => pattern.test(media)) ?? [];
  if (!viewer) return;
  if (Number(bytes) > MOST_BYTES && !kind.test("image/tiff")) {
    fill(place, el("p", { class: "sub" }, "Too large to show here."));
    return;
  }
  place.setAttribute("aria-busy", "true");
  try {
    await viewer(place, href, label);
  } catch (error) {
    fill(place, el("p", { class: "sub" }, `It can't be shown here: ${told(error)}`));
  }
  place.removeAttribute("aria-busy");
}

async function textOf(href) {
  return (await ask(href, { headers: { Accept: "*/*" } })).text();
}

function words(text, label) {
  const cut = text.length > MOST_CHARACTERS;
  return [
    el("pre", { tabindex: "0", role: "region", "aria-label": label }, cut ? text.slice(0, MOST_CHARACTERS) : text),
    cut ? el("p", { class: "sub" }, "Only its beginning is shown.") : null,
  ];
}

async function raster(place, href, label) {
  const map = el("div", { "data-map": "", "data-raster": href, "data-label": `Map of ${label}` });
  fill(place, map);
  await attachMap(map);
}

async function vector(place, href, label) {
  const shapes = await askJson(href, { headers: { Accept: "*/*" } });
  const map = el("div", { "data-map": "", "data-label": `Map of ${label}` });
  const features = Array.isArray(shapes.features) ? shapes.features : [shapes];
  const rows = features.map((one) => one.properties ?? {});
  const header = [...new Set(rows.slice(0, 200).flatMap((row) => Object.keys(row)))].slice(0, 30);
  const cells = rows.map((row) => header.map((name) => cell(row[name])));
  fill(place, map, header.length
    ? el("details", {}, el("summary", {}, `Its ${rows.length === 1 ? "one shape" : `${rows.length} shapes`} as a table`),
      table(header, cells, { label: `Properties of ${label}` })) : null);
  await attachMap(map, shapes);
}

const cell = (value) => (value === undefined || value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value));

async function csv(place, href, label) {
  const [header, ...rows] = parseCsv(await textOf(href));
  if (!header) {
    fill(place, el("p", { class: "sub" }, "The table is empty."));
    return;
  }
  const shown = table(header, rows, { label });
  const picture = plot(header, rows, { label });
  fill(place, picture, picture ? el("details", {}, el("summary", {}, "As a table"), shown) : shown);
}

async function json(place, href, label) {
  const text = await textOf(href);
  let value;
  try {
    value = JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    value = text;
  }
  fill(place, ...words(value, label));
}

async function text(place, href, label) {
  fill(place, ...words(await textOf(href), label));
}

async function picture(place, href, label) {
  const answer = await ask(href, { headers: { Accept: "*/*" } });
  const source = URL.createObjectURL(await answer.blob());
  fill(place, el("img", { src: source, alt: label }));
}

// Users' HTML is shown only so: in a frame that is sandboxed twice, from an address that stands for this file for a while.
async function page(place, href, label) {
  const open = async () => {
    const { href: shown } = await askJson(`${href}/ticket`, { method: "POST" });
    return el("iframe", { sandbox: "", src: shown, title: label, referrerpolicy: "no-referrer", loading: "lazy" });
  };
  const details = el("details", {}, el("summary", {}, "Open the page"));
  details.addEventListener("toggle", async () => {
    if (!details.open || details.querySelector("iframe")) return;
    try {
      details.append(await open());
    } catch (error) {
      details.append(el("p", { class: "sub" }, told(error)));
    }
  });
  fill(place, details);
}

/** Media types and who shows them; the first that fits. */
const VIEWERS = [
  [/^image\/tiff\b/, raster],
  [/^application\/geo\+json\b/, vector],
  [/^text\/csv\b/, csv],
  [/^text\/html\b/, page],
  [/^image\/(png|jpeg|gif|webp|svg\+xml)\b/, picture],
  [/^application\/x-ipynb\+json\b/, null],
  [/^application\/(json|[\w.-]+\+json)\b/, json],
  [/^text\//, text],
];
