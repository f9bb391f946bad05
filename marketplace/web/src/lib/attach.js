// Turns the places that ask for a map into maps, when they come into view.

import { askJson, told } from "./page.js";
import { el, fill } from "./dom.js";

/** Make the maps below `root`. */
export function attachMaps(root) {
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      seen.unobserve(entry.target);
      attachMap(entry.target);
    }
  }, { rootMargin: "300px" });
  for (const place of root.querySelectorAll("[data-map]")) seen.observe(place);
}

/** Make one map, of `given` where that was loaded already; what the place holds without a script stays where it fails. */
export async function attachMap(place, given = null) {
  const { geojson, raster, label } = place.dataset;
  const kept = [...place.childNodes];
  const canvas = el("div", {});
  const below = el("div", { class: "map-below", "aria-live": "polite" });
  try {
    const [{ makeMap }, shapes] = await Promise.all([import("./map.js"), given ?? (geojson ? loaded(geojson) : null)]);
    const layer = raster ? await (await import("./raster.js")).rasterLayer(raster) : null;
    fill(place, canvas, below);
    const chart = makeMap(canvas, { label: label ?? "Map" });
    if (layer) {
      const { legend } = await import("./legend.js");
      chart.addRaster(layer);
      below.append(legend(layer));
    }
    if (shapes) {
      chart.show(shapes, { look: !layer });
      const picked = el("div", {});
      below.append(picked);
      chart.onPick((found) => fill(picked, found ? facts(found) : null));
    }
    return chart;
  } catch (error) {
    fill(place, ...kept, el("p", { class: "sub" }, `No map: ${told(error)}`));
    return null;
  }
}

async function loaded(geojson) {
  return geojson.trimStart().startsWith("{") ? JSON.parse(geojson) : askJson(geojson, { headers: { Accept: "*/*" } });
}

/** Properties of a feature: words, whatever is in them. */
export function facts(properties) {
  const list = el("dl", { class: "facts small" });
  for (const [name, value] of Object.entries(properties).slice(0, 40)) {
    const text = typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
    list.append(el("div", {}, el("dt", {}, name), el("dd", {}, text.slice(0, 2000))));
  }
  return list.childElementCount ? list : el("p", { class: "sub" }, "This shape has no properties.");
}
