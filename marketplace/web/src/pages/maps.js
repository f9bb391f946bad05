// Maps in any page: <div data-map data-geojson="…" data-raster="…">, with what is there without a script inside it.
// data-geojson: the address of a GeoJSON document, or the document itself; data-raster: the address of a GeoTIFF.

import { attachMaps } from "../lib/attach.js";

attachMaps(document);
