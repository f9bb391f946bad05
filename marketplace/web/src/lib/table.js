// Tables: read from CSV, shown as cells of text, and plotted where there are numbers.

import { el, svg } from "./dom.js";

const MOST_ROWS = 200;
const MOST_SERIES = 6;
const COLOURS = ["var(--accent)", "var(--lab)", "var(--dask)", "var(--warn)", "var(--bad)", "var(--soft)"];

/**
 * Rows of a CSV document (RFC 4180).
 * @returns {string[][]}
 */
export function parseCsv(text) {
  const rows = [];
  let row = [];
  let cell = "";
  let quoted = false;
  const end = () => {
    row.push(cell);
    cell = "";
  };
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at];
    if (quoted) {
      if (letter !== '"') cell += letter;
      else if (text[at + 1] === '"') {
        cell += '"';
        at += 1;
      } else quoted = false;
    } else if (letter === '"' && cell === "") quoted = true;
    else if (letter === ",") end();
    else if (letter === "\n" || letter === "\r") {
      if (letter === "\r" && text[at + 1] === "\n") at += 1;
      end();
      rows.push(row);
      row = [];
    } else cell += letter;
  }
  if (cell !== "" || row.length) {
    end();
    rows.push(row);
  }
  return rows;
}

/** A table with the first rows. */
export function table(header, rows, { label }) {
  const shown = rows.slice(0, MOST_ROWS);
  const body = el("tbody", {}, ...shown.map((row) => el("tr", {}, ...header.map((_, column) => {
    const text = row[column] ?? "";
    return el("td", { class: isNumber(text) ? "number" : null, title: text.length > 40 ? text.slice(0, 500) : null }, text.slice(0, 500));
  }))));
  const made = el("table", { class: "data" },
    el("caption", {}, shown.length < rows.length
      ? `The first ${shown.length} of ${rows.length.toLocaleString("en")} rows` : `${rows.length} ${rows.length === 1 ? "row" : "rows"}`),
    el("thead", {}, el("tr", {}, ...header.map((name) => el("th", { scope: "col" }, name.slice(0, 200))))), body);
  return el("div", { class: "scroll", role: "region", "aria-label": label, tabindex: "0" }, made);
}

/** How many times larger than the first column another may be to share its axis. */
const MOST_TIMES = 20;

const isNumber = (text) => text.trim() !== "" && Number.isFinite(Number(text));
const isMoment = (text) => /^\d{4}-\d\d-\d\d/.test(text) && Number.isFinite(Date.parse(text));

/** A plot of the columns that are numbers, over the first column of dates or numbers; null where there is nothing to plot. */
export function plot(header, rows, { label }) {
  const all = (column, is) => rows.length > 1 && rows.filter((row) => (row[column] ?? "") !== "").length > 1
    && rows.every((row) => (row[column] ?? "") === "" || is(row[column]));
  const columns = header.map((_, column) => column);
  const across = columns.find((column) => all(column, isMoment)) ?? -1;
  const numbers = columns.filter((column) => column !== across && all(column, isNumber));
  const size = (column) => rows.reduce((most, row) => Math.max(most, Math.abs(Number(row[column]))), 0);
  // On one axis a count of pixels would flatten an index: what is of another size than the first stays in the table.
  const first = numbers.length > 0 ? size(numbers[0]) : 0;
  const series = numbers.filter((column) => first === 0 || size(column) <= MOST_TIMES * first).slice(0, MOST_SERIES);
  if (series.length === 0 || rows.length < 3) return null;
  const x = rows.map((row, index) => (across < 0 ? index : Date.parse(row[across])));
  const lines = series.map((column) => rows.map((row, index) => [x[index], row[column] === "" ? Number.NaN : Number(row[column])])
    .filter(([place, value]) => Number.isFinite(place) && Number.isFinite(value)).sort((a, b) => a[0] - b[0]));
  const names = series.map((column) => header[column]);
  return el("figure", { class: "chart" }, drawn(lines, { label: `${label}: ${names.join(", ")}`, moments: across >= 0 }),
    el("figcaption", {}, ...names.map((name, index) => {
      const key = el("span", { class: "swatch" }, name.slice(0, 80));
      key.style.setProperty("--swatch", COLOURS[index]);
      return key;
    })));
}

function drawn(lines, { label, moments }) {
  const [width, height, left, bottom] = [640, 240, 56, 24];
  const points = lines.flat();
  const [least, most] = range(points.map((point) => point[1]));
  const [first, last] = range(points.map((point) => point[0]));
  const px = (value) => left + ((value - first) / (last - first || 1)) * (width - left - 8);
  const py = (value) => 8 + (1 - (value - least) / (most - least || 1)) * (height - bottom - 16);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "plot-lines", role: "img", "aria-label": label });
  for (const share of [0, 0.5, 1]) {
    const value = least + share * (most - least);
    picture.append(svg("line", { x1: left, x2: width - 8, y1: py(value), y2: py(value), class: "axis" }),
      svg("text", { x: left - 6, y: py(value) + 4, "text-anchor": "end" }, figure(value)));
  }
  const edge = (value) => (moments ? new Date(value).toISOString().slice(0, 10) : String(value + 1));
  picture.append(svg("text", { x: left, y: height - 4 }, edge(first)), svg("text", { x: width - 8, y: height - 4, "text-anchor": "end" }, edge(last)));
  lines.forEach((line, index) => {
    const path = line.map(([place, value], at) => `${at ? "L" : "M"}${px(place).toFixed(1)} ${py(value).toFixed(1)}`).join("");
    const stroke = svg("path", { d: path, fill: "none", "stroke-width": 2, "stroke-linejoin": "round" });
    stroke.style.stroke = COLOURS[index];
    picture.append(stroke);
    if (line.length <= 60) {
      for (const [place, value] of line) {
        const dot = svg("circle", { cx: px(place).toFixed(1), cy: py(value).toFixed(1), r: 2.5 });
        dot.style.fill = COLOURS[index];
        picture.append(dot);
      }
    }
  });
  return picture;
}

function range(values) {
  return [values.reduce((a, b) => Math.min(a, b), Infinity), values.reduce((a, b) => Math.max(a, b), -Infinity)];
}

function figure(value) {
  return Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential(1) : String(Number(value.toPrecision(3)));
}
