// What a form's controls say, as JSON values. The service alone judges them: an answer that can't be read is sent as it stands.

/** Where a field has no answer: it is left out, and the default stands. */
export const NOTHING = Symbol("nothing");

/**
 * The JSON value of the field at `place` (an element with data-field, data-control and data-type).
 * @returns {unknown} `NOTHING` where it is left out.
 */
export function answerOf(place) {
  const type = JSON.parse(place.dataset.type);
  return READERS[place.dataset.control](place, type);
}

const empty = (type) => (type.nullable ? null : NOTHING);
const control = (place) => place.querySelector("input, select, textarea");

/** A number as it was written: digits beyond what a script keeps are kept where the browser can. */
function number(text, kind) {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) return text;
  if (kind === "int" && !Number.isSafeInteger(value) && /^-?\d+$/.test(text) && JSON.rawJSON) return JSON.rawJSON(text);
  return value;
}

function item(text, kind) {
  return kind === "int" || kind === "float" ? number(text, kind) : text;
}

function json(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const moment = (text) => (text.length === 16 ? `${text}:00Z` : `${text}Z`);

const READERS = {
  number: (place, type) => {
    const input = control(place);
    if (input.validity.badInput) return "not a number";
    return input.value === "" ? empty(type) : number(input.value, type.kind);
  },
  check: (place) => control(place).checked,
  choose: (place) => (control(place).value === "" ? NOTHING : JSON.parse(control(place).value)),
  tick: (place) => [...place.querySelectorAll("input:checked")].map((one) => JSON.parse(one.value)),
  // No text is a text; where there may be none, an empty line means that.
  line: (place, type) => (control(place).value === "" && type.nullable ? null : control(place).value),
  area: (place, type) => (control(place).value === "" && type.nullable ? null : control(place).value),
  lines: (place, type) => {
    const lines = control(place).value.split("\n").map((line) => (type.items.kind === "str" ? line : line.trim()));
    const kept = lines.filter((line) => line !== "");
    return kept.length === 0 && type.nullable ? null : kept.map((line) => item(line, type.items.kind));
  },
  json: (place, type) => (control(place).value.trim() === "" ? empty(type) : json(control(place).value)),
  day: (place, type) => control(place).value || empty(type),
  moment: (place, type) => (control(place).value ? moment(control(place).value) : empty(type)),
  period: (place, type) => {
    const timed = place.querySelector('[data-part="timed"]').checked;
    const ends = ["0", "1"].map((part) => place.querySelector(`[data-part="${part}"]`).value);
    if (ends.every((end) => end === "")) return empty(type);
    return ends.map((end) => (end === "" ? null : timed && end.includes("T") ? moment(end) : end));
  },
  box: (place, type) => {
    const given = JSON.parse(place.querySelector("[data-value]").dataset.value);
    const inputs = [...place.querySelectorAll("[data-part]")];
    if (inputs.every((one) => one.value === "")) return empty(type);
    const sides = Object.fromEntries(inputs.map((one) => [one.dataset.part, one.value === "" ? null : Number(one.value)]));
    return { ...given, ...sides };
  },
  shape: (place, type) => {
    const text = place.querySelector('[data-part="text"]').value;
    return text.trim() === "" ? empty(type) : json(text);
  },
};

/** Whether two JSON values are the same. */
export function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}
