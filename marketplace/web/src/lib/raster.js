// A cloud-optimised GeoTIFF on a map: the part that is looked at, at the size it is looked at, by range requests.

import { fromUrl } from "geotiff";
import ImageLayer from "ol/layer/Image.js";
import ImageSource from "ol/source/Image.js";
import { get as projectionOf } from "ol/proj.js";
import { getIntersection, getWidth, getHeight, isEmpty } from "ol/extent.js";
import { address, authority } from "./page.js";
import { ready } from "./keys.js";
import { paint, stretch } from "./colours.js";

const MOST_PIXELS = 1600;

/**
 * A layer with the raster at `path`.
 * @returns {Promise<{layer: ImageLayer, extent: number[], projection: string, limits: [number, number][], bands: number,
 *   unit: string}>}
 * @throws {Error} where the browser can't show it: another compression, no place on earth.
 */
export async function rasterLayer(path) {
  const tiff = await fromUrl(new URL(address(path), page_origin()).href, { headers: authority(), allowFullFile: true });
  const image = await tiff.getImage();
  const keys = image.getGeoKeys() ?? {};
  const code = keys.ProjectedCSTypeGeoKey ?? keys.GeographicTypeGeoKey;
  const projection = projectionOf(`EPSG:${code}`);
  if (!projection) throw new Error(`its coordinate system (EPSG:${code ?? "unknown"}) can't be drawn on this map`);
  const extent = image.getBoundingBox();
  const nodata = image.getGDALNoData();
  const bands = image.getSamplesPerPixel() >= 3 ? [0, 1, 2] : [0];
  const overview = await read(tiff, extent, { extent, size: [512, 512], bands, pixels: sizeOf(image) });
  const limits = bands.map((_, index) => stretch(overview.bands[index], nodata));
  const source = new ImageSource({
    projection,
    interpolate: false,
    loader: async (wanted, resolution, ratio) => {
      const seen = getIntersection(wanted, extent);
      if (isEmpty(seen)) return { image: blank(), extent: wanted, resolution };
      const scale = Math.min(1, MOST_PIXELS / (getWidth(seen) / resolution) / ratio);
      const size = [getWidth(seen), getHeight(seen)].map((length) => Math.max(1, Math.round((length / resolution) * ratio * scale)));
      const part = await read(tiff, seen, { extent, size, bands, pixels: sizeOf(image) });
      return { image: drawn(part, { nodata, limits }), extent: part.extent, resolution: getWidth(part.extent) / part.width };
    },
  });
  return { layer: new ImageLayer({ source }), extent, projection: projection.getCode(), limits, bands: bands.length };
}

function page_origin() {
  // The document itself has no origin; its address still says where the service is.
  return document.baseURI;
}

function sizeOf(image) {
  return [image.getWidth(), image.getHeight()];
}

/** The values of a part: whole pixels of the file, so that what is drawn lies where it belongs. */
async function read(tiff, seen, { extent, size, bands, pixels }) {
  const across = (extent[2] - extent[0]) / pixels[0];
  const down = (extent[3] - extent[1]) / pixels[1];
  const left = Math.max(0, Math.floor((seen[0] - extent[0]) / across));
  const right = Math.min(pixels[0], Math.max(left + 1, Math.ceil((seen[2] - extent[0]) / across)));
  const top = Math.max(0, Math.floor((extent[3] - seen[3]) / down));
  const bottom = Math.min(pixels[1], Math.max(top + 1, Math.ceil((extent[3] - seen[1]) / down)));
  const whole = [
    extent[0] + left * across, extent[3] - bottom * down, extent[0] + right * across, extent[3] - top * down,
  ];
  const width = Math.min(size[0], right - left);
  const height = Math.min(size[1], bottom - top);
  await ready();
  const values = await tiff.readRasters({ bbox: whole, width, height, samples: bands, fillValue: NaN });
  return { bands: bands.map((_, index) => values[index]), width, height, extent: whole };
}

function drawn({ bands, width, height }, how) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext("2d");
  const picture = pen.createImageData(width, height);
  paint(bands, { ...how, into: picture.data });
  pen.putImageData(picture, 0, 0);
  return canvas;
}

function blank() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  return canvas;
}
