// Server-sent events by fetch, since the key goes in a header: goes on after the last one where the connection breaks.

import { ask, Refused } from "./page.js";

const QUICK = 500;
const SLOW = 10_000;

/**
 * Follow the events at `path` until `told` says that was the last one.
 * @param {string} path
 * @param {(kind: string, data: any) => boolean|void} told answers true at the end.
 * @param {{ onState?: (state: "open"|"lost") => void, signal?: AbortSignal }} options
 * @throws {Refused} where the service will not tell it any more, such as when the page's key is too old.
 */
export async function follow(path, told, { onState = () => {}, signal } = {}) {
  let last = "";
  let pause = QUICK;
  while (!signal?.aborted) {
    try {
      const headers = { Accept: "text/event-stream", ...(last ? { "Last-Event-ID": last } : {}) };
      const answer = await ask(path, { headers, signal });
      onState("open");
      for await (const event of events(answer.body)) {
        pause = QUICK;
        if (event.id) last = event.id;
        if (told(event.kind, event.data)) return;
      }
    } catch (error) {
      if (error instanceof Refused && error.status < 500 && error.status !== 429) throw error;
      if (signal?.aborted) return;
      onState("lost");
    }
    await new Promise((done) => setTimeout(done, pause));
    pause = Math.min(pause * 2, SLOW);
  }
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      rest += value;
      const blocks = rest.split(/\r?\n\r?\n/);
      rest = blocks.pop();
      for (const block of blocks) {
        const event = parse(block);
        if (event) yield event;
      }
    }
  } finally {
    // Whoever stops listening ends the connection, too.
    await reader.cancel().catch(() => {});
  }
}

function parse(block) {
  const found = { kind: "message", id: "", lines: [] };
  for (const line of block.split(/\r?\n/)) {
    const [, name, value] = line.match(/^([^:]*):? ?(.*)$/s) ?? [];
    if (name === "event") found.kind = value;
    else if (name === "id") found.id = value;
    else if (name === "data") found.lines.push(value);
  }
  if (found.lines.length === 0) return null;
  try {
    return { kind: found.kind, id: found.id, data: JSON.parse(found.lines.join("\n")) };
  } catch {
    return null;
  }
}
