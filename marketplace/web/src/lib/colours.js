// Colours of a raster: a perceptually even ramp for one band, three bands as a picture.

const RAMP = [
  [68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142], [31, 158, 137],
  [53, 183, 121], [110, 206, 88], [181, 222, 43], [253, 231, 37],
];

/** The colour at `share` of the ramp, from 0 to 1. */
export function ramp(share) {
  const place = Math.min(Math.max(share, 0), 1) * (RAMP.length - 1);
  const low = Math.floor(place);
  const high = Math.min(low + 1, RAMP.length - 1);
  return RAMP[low].map((value, index) => Math.round(value + (RAMP[high][index] - value) * (place - low)));
}

/** The ramp as the value of a CSS background. */
export function rampCss() {
  return `linear-gradient(to right, ${RAMP.map((colour) => `rgb(${colour.join(" ")})`).join(", ")})`;
}

/** Whether `value` is one that was measured. */
function given(value, nodata) {
  return Number.isFinite(value) && value !== nodata;
}

/**
 * The values between which a band is stretched: its 2nd and 98th percentile over a sample.
 * @returns {[number, number]}
 */
export function stretch(band, nodata) {
  const sample = [];
  const step = Math.max(1, Math.floor(band.length / 20000));
  for (let index = 0; index < band.length; index += step) if (given(band[index], nodata)) sample.push(band[index]);
  if (sample.length === 0) return [0, 1];
  sample.sort((a, b) => a - b);
  const at = (share) => sample[Math.round(share * (sample.length - 1))];
  let [low, high] = [at(0.02), at(0.98)];
  // A mask or a few classes: their whole range, however rare one of them is.
  if (low === high) [low, high] = [sample[0], sample[sample.length - 1]];
  return low === high ? [low, low + 1] : [low, high];
}

/** Paint `bands` (one, or three for a picture) into the bytes of an image. */
export function paint(bands, { nodata, limits, into }) {
  const picture = bands.length >= 3;
  for (let index = 0; index < bands[0].length; index += 1) {
    const at = index * 4;
    const shown = picture ? bands.slice(0, 3).every((band) => given(band[index], nodata)) : given(bands[0][index], nodata);
    if (!shown) continue;
    const shares = limits.map(([low, high], band) => (bands[band][index] - low) / (high - low));
    const colour = picture ? shares.map((share) => Math.round(Math.min(Math.max(share, 0), 1) * 255)) : ramp(shares[0]);
    into[at] = colour[0];
    into[at + 1] = colour[1];
    into[at + 2] = colour[2];
    into[at + 3] = 255;
  }
}
