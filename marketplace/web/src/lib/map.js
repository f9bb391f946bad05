// A map without tiles from anywhere: coast lines and borders that came with the service, and what is laid on them.

import Map from "ol/Map.js";
import View from "ol/View.js";
import Feature from "ol/Feature.js";
import GeoJSON from "ol/format/GeoJSON.js";
import { defaults as interactions } from "ol/interaction/defaults.js";
import Draw, { createBox } from "ol/interaction/Draw.js";
import VectorLayer from "ol/layer/Vector.js";
import Graticule from "ol/layer/Graticule.js";
import VectorSource from "ol/source/Vector.js";
import Zoom from "ol/control/Zoom.js";
import Point from "ol/geom/Point.js";
import { fromExtent } from "ol/geom/Polygon.js";
import { transformExtent, fromLonLat, getPointResolution } from "ol/proj.js";
import { createEmpty, extend, isEmpty } from "ol/extent.js";
import { Circle, Fill, Stroke, Style } from "ol/style.js";
import { feature as toFeatures } from "topojson-client";
import { page } from "./page.js";
import { el } from "./dom.js";

const WGS84 = "EPSG:4326";
const format = new GeoJSON({ featureProjection: "EPSG:3857" });

/** The colours of the page, read from its style sheet, so that the map is light or dark with it. */
function palette() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name, other) => style.getPropertyValue(name).trim() || other;
  return {
    sea: colour("--map-sea", "#dfe9ec"),
    land: colour("--map-land", "#f4f3ec"),
    border: colour("--map-border", "#b9c2bd"),
    accent: colour("--accent", "#0b6b5c"),
  };
}

async function countries(name) {
  const answer = await fetch(page.assets[name], { credentials: "omit" });
  const topology = await answer.json();
  return format.readFeatures(toFeatures(topology, topology.objects.countries));
}

/** Borders: coarse ones at once, finer ones when somebody comes nearer. */
function ground(map) {
  const source = new VectorSource();
  const layer = new VectorLayer({ source, updateWhileInteracting: true });
  const repaint = () => {
    const colours = palette();
    layer.setStyle(new Style({
      fill: new Fill({ color: colours.land }), stroke: new Stroke({ color: colours.border, width: 1 }),
    }));
    map.getTargetElement()?.style.setProperty("background-color", colours.sea);
  };
  repaint();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  inset(map, source, layer);
  let shown = "";
  const load = async (name) => {
    if (shown === name || shown === "countries-fine") return;
    shown = name;
    const found = await countries(name).catch(() => []);
    if (found.length && shown === name) {
      source.clear(true);
      source.addFeatures(found);
    }
  };
  load("countries");
  map.on("moveend", () => map.getView().getZoom() > 4 && load("countries-fine"));
  return layer;
}

function rgba(hex, alpha) {
  const value = Number.parseInt(hex.replace("#", ""), 16);
  return `rgba(${(value >> 16) & 255}, ${(value >> 8) & 255}, ${value & 255}, ${alpha})`;
}

/** Where on earth this is: a small map of the world, while the large one shows too little to tell. */
function inset(map, source, layer) {
  const element = el("div", { class: "map-inset", "aria-hidden": "true" });
  const here = new Feature();
  const make = () => {
    map.getTargetElement().append(element);
    const dot = new VectorLayer({ source: new VectorSource({ features: [here] }), style: shapeStyle() });
    return new Map({
      target: element, controls: [], interactions: [],
      layers: [new VectorLayer({ source, style: () => layer.getStyle() }), dot],
      view: new View({ center: [0, 2000000], resolution: 40075016 / 150, multiWorld: false, enableRotation: false }),
    });
  };
  let world = null;
  map.on("moveend", () => {
    const near = map.getView().getZoom() > 4.5 && map.getSize()?.[0] > 420;
    element.hidden = !near;
    here.setGeometry(new Point(map.getView().getCenter()));
    if (near) world ??= make();
  });
}

/** How what is laid on the map looks. */
function shapeStyle() {
  const { accent } = palette();
  const soft = /^#[0-9a-f]{6}$/i.test(accent) ? rgba(accent, 0.2) : accent;
  return new Style({
    fill: new Fill({ color: soft }),
    stroke: new Stroke({ color: accent, width: 2.5 }),
    image: new Circle({ radius: 6, fill: new Fill({ color: accent }), stroke: new Stroke({ color: "#fff", width: 1.5 }) }),
  });
}

/**
 * A map in `element`.
 *
 * Scrolling the page must not be caught by the map: wheel and finger move it only while it has the focus, after a click or a tap.
 */
export function makeMap(element, { label = "Map" } = {}) {
  element.classList.add("map");
  element.setAttribute("role", "region");
  element.setAttribute("aria-label", label);
  element.tabIndex = 0;
  const shapes = new VectorSource();
  const map = new Map({
    target: element,
    keyboardEventTarget: element,
    controls: [new Zoom()],
    interactions: interactions({ onFocusOnly: true, altShiftDragRotate: false, pinchRotate: false }),
    view: new View({ center: fromLonLat([10, 25]), zoom: 1, minZoom: 0, maxZoom: 20, multiWorld: false }),
    layers: [],
  });
  map.addLayer(ground(map));
  map.addLayer(new Graticule({
    strokeStyle: new Stroke({ color: "rgba(120,130,130,0.25)", width: 1 }), showLabels: false, wrapX: false,
  }));
  const drawn = new VectorLayer({ source: shapes, style: shapeStyle() });
  drawn.setZIndex(10);
  map.addLayer(drawn);
  scale(map, element);
  new ResizeObserver(() => map.updateSize()).observe(element);
  return new Chart(map, shapes);
}

/** How long a stretch of the map is, written below it. */
function scale(map, element) {
  const line = el("div", { class: "map-scale", "aria-hidden": "true" });
  element.append(line);
  map.on("moveend", () => {
    const view = map.getView();
    const metres = getPointResolution(view.getProjection(), view.getResolution(), view.getCenter());
    const most = metres * 110;
    const power = 10 ** Math.floor(Math.log10(most));
    const length = power * ([5, 2, 1].find((step) => step * power <= most) ?? 1);
    line.style.width = `${Math.round(length / metres)}px`;
    line.textContent = length >= 1000 ? `${length / 1000} km` : `${length} m`;
  });
}

/** What pages do with a map. */
class Chart {
  constructor(map, shapes) {
    this.map = map;
    this.shapes = shapes;
    this.drawing = null;
  }

  /** Look at `extent`, given in `projection`. */
  look(extent, projection = WGS84) {
    const there = transformExtent(extent, projection, "EPSG:3857", 8);
    if (isEmpty(there)) this.map.getView().fit(there, { maxZoom: 12 });
    else this.map.getView().fit(there, { padding: [32, 32, 32, 32], maxZoom: 16 });
  }

  /** Put a GeoJSON object on the map, instead of what was there; `null` takes it away. */
  show(geojson, { look = true } = {}) {
    this.shapes.clear();
    if (!geojson) return [];
    const features = format.readFeatures(geojson);
    this.shapes.addFeatures(features);
    const extent = features.reduce((all, one) => extend(all, one.getGeometry()?.getExtent() ?? createEmpty()), createEmpty());
    if (look && features.length && Number.isFinite(extent[0])) {
      this.map.getView().fit(extent, { padding: [32, 32, 32, 32], maxZoom: 14 });
    }
    return features;
  }

  /** Put a box ``[west, south, east, north]`` on the map. */
  showBox(box, options) {
    if (!box) return this.show(null);
    const geometry = fromExtent(transformExtent(box, WGS84, "EPSG:3857"));
    this.shapes.clear();
    this.shapes.addFeature(new Feature(geometry));
    if (options?.look !== false) this.map.getView().fit(geometry.getExtent(), { padding: [32, 32, 32, 32], maxZoom: 14 });
    return [];
  }

  /** Let somebody draw a "box" or a "polygon"; `done` gets the box or the GeoJSON geometry. `null` ends drawing. */
  draw(kind, done) {
    if (this.drawing) this.map.removeInteraction(this.drawing);
    this.drawing = null;
    this.map.getTargetElement().classList.toggle("drawing", Boolean(kind));
    if (!kind) return;
    const drawing = new Draw({
      source: this.shapes,
      type: kind === "box" ? "Circle" : "Polygon",
      geometryFunction: kind === "box" ? createBox() : undefined,
      style: shapeStyle(),
    });
    drawing.on("drawstart", () => this.shapes.clear());
    drawing.on("drawend", ({ feature }) => {
      const geometry = feature.getGeometry();
      done(kind === "box"
        ? transformExtent(geometry.getExtent(), "EPSG:3857", WGS84).map((value) => Math.round(value * 1e5) / 1e5)
        : format.writeGeometryObject(geometry, { decimals: 6, rightHanded: true }));
    });
    this.map.addInteraction(drawing);
    this.drawing = drawing;
  }

  /** Lay a raster on the map. */
  addRaster({ layer, extent, projection }) {
    layer.setZIndex(5);
    this.map.addLayer(layer);
    this.look(extent, projection);
  }

  /** Call `told` with the properties of the feature that is pointed at, or null. */
  onPick(told) {
    this.map.on("click", (event) => {
      if (this.drawing) return;
      const found = this.map.getFeaturesAtPixel(event.pixel, { layerFilter: (layer) => layer.getSource() === this.shapes });
      told(found[0] ? properties(found[0]) : null);
    });
  }
}

function properties(feature) {
  const { geometry, ...rest } = feature.getProperties();
  return rest;
}
