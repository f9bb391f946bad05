// Boxes and shapes of a form, drawn on a map. The numbers and the text beside it say the same, for who types.

import { el, fill } from "./dom.js";
import { told } from "./page.js";

const MOST_BYTES = 5_000_000;

/** Give the field at `place` a map. */
export async function attachPlace(place) {
  const target = place.querySelector('[data-place="map"]');
  const canvas = el("div", {});
  const name = place.dataset.field;
  const box = place.dataset.control === "box";
  try {
    const { makeMap } = await import("./map.js");
    const state = el("span", { class: "sub", role: "status" });
    const tools = el("div", { class: "map-tools" });
    fill(target, tools, canvas);
    const chart = makeMap(canvas, { label: `Map of ${name}` });
    (box ? boxTools : shapeTools)({ place, chart, tools, state, name });
    tools.append(state);
  } catch (error) {
    fill(target, el("p", { class: "sub" }, `No map: ${told(error)}. Type the numbers instead.`));
  }
}

function drawButton({ chart, state, kind, words, done }) {
  const button = el("button", { type: "button", class: "secondary", "aria-pressed": "false" }, words);
  const stop = () => {
    chart.draw(null);
    button.setAttribute("aria-pressed", "false");
    button.textContent = words;
    state.textContent = "";
    document.removeEventListener("keydown", escape);
  };
  const escape = (event) => event.key === "Escape" && stop();
  button.addEventListener("click", () => {
    if (button.getAttribute("aria-pressed") === "true") {
      stop();
      return;
    }
    button.setAttribute("aria-pressed", "true");
    button.textContent = "Stop drawing";
    state.textContent = kind === "box"
      ? "Click one corner, then the opposite one."
      : "Click each corner; double-click the last one.";
    document.addEventListener("keydown", escape);
    chart.draw(kind, (value) => {
      // After the map is done with the click that ended it.
      setTimeout(stop);
      done(value);
    });
  });
  return button;
}

function boxTools({ place, chart, tools, state }) {
  const inputs = Object.fromEntries([...place.querySelectorAll("[data-part]")].map((one) => [one.dataset.part, one]));
  const sides = ["west", "south", "east", "north"];
  const read = () => {
    const box = sides.map((side) => (inputs[side].value === "" ? Number.NaN : Number(inputs[side].value)));
    return box.every(Number.isFinite) && box[0] < box[2] && box[1] < box[3]
      && Math.abs(box[1]) <= 90 && Math.abs(box[3]) <= 90 ? box : null;
  };
  chart.showBox(read());
  for (const side of sides) inputs[side].addEventListener("change", () => chart.showBox(read()));
  tools.append(drawButton({
    chart, state, kind: "box", words: "Draw a box",
    done: (box) => {
      sides.forEach((side, index) => { inputs[side].value = String(box[index]); });
      inputs.west.dispatchEvent(new Event("input", { bubbles: true }));
      state.textContent = `Box drawn: ${box.join(", ")}`;
    },
  }));
}

function shapeTools({ place, chart, tools, state, name }) {
  const text = place.querySelector('[data-part="text"]');
  const draw = (look) => {
    try {
      chart.show(text.value.trim() ? JSON.parse(text.value) : null, { look });
      return true;
    } catch {
      chart.show(null);
      return false;
    }
  };
  const set = (value, look) => {
    text.value = value;
    draw(look);
    text.dispatchEvent(new Event("input", { bubbles: true }));
  };
  draw(true);
  text.addEventListener("change", () => draw(true));
  tools.append(
    drawButton({ chart, state, kind: "polygon", words: "Draw a shape", done: (geometry) => set(JSON.stringify(geometry), false) }),
    upload({ name, state, done: (content) => set(content, true) }),
  );
}

function upload({ name, state, done }) {
  const input = el("input", { type: "file", accept: ".geojson,.json,application/geo+json,application/json", hidden: true });
  input.addEventListener("change", async () => {
    const [file] = input.files;
    input.value = "";
    if (!file) return;
    if (file.size > MOST_BYTES) {
      state.textContent = `${file.name} has ${Math.round(file.size / 1e6)} MB; a shape may have 5 MB.`;
      return;
    }
    const content = await file.text();
    try {
      JSON.parse(content);
    } catch {
      state.textContent = `${file.name} is no GeoJSON.`;
      return;
    }
    done(content);
    state.textContent = `${file.name} was read.`;
  });
  const button = el("button", { type: "button", class: "secondary" }, "Read a file", el("span", { class: "sr-only" }, ` for ${name}`));
  button.addEventListener("click", () => input.click());
  return el("span", {}, button, input);
}
