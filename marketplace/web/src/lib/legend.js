// What the colours of a raster mean.

import { el } from "./dom.js";
import { rampCss } from "./colours.js";

const figure = (value) => (Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3)
  ? value.toExponential(2) : String(Number(value.toPrecision(4))));

/** The legend of a raster layer. */
export function legend({ limits, bands }) {
  if (bands >= 3) return el("p", { class: "sub" }, "Bands 1, 2 and 3 as red, green and blue, each between its 2nd and 98th percentile.");
  const bar = el("span", { class: "ramp", "aria-hidden": "true" });
  bar.style.background = rampCss();
  return el("p", { class: "legend" }, el("span", {}, figure(limits[0][0])), bar, el("span", {}, figure(limits[0][1])));
}
