// Your data: has an archive made, sends one in, and shows how far they are.

import { page, ask, askJson, told, Refused } from "../lib/page.js";
import { el, fill } from "../lib/dom.js";
import { send } from "../lib/sending.js";

const POLL = 1500;

const at = (id) => document.getElementById(id);
const file = at("archive");
const sending = at("sending");
let busy = false;

at("export").hidden = false;
at("import-form").hidden = false;
for (const button of document.querySelectorAll("[data-remove]")) removing(button);
if (page.waiting.length) watch();

function complain(words) {
  fill(at("told"), words ? el("p", { class: "notice bad" }, words) : null);
}

at("export").addEventListener("click", async () => {
  at("export").disabled = true;
  complain("");
  try {
    await ask("account/exports", { method: "POST" });
    location.reload();
  } catch (error) {
    complain(told(error));
    at("export").disabled = false;
  }
});

function removing(button) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await ask(button.dataset.remove, { method: "DELETE" });
      location.reload();
    } catch (error) {
      complain(told(error));
      button.disabled = false;
    }
  });
}

/** Show how far those are that go on; the page is made anew when one has ended, unless a file is on its way. */
async function watch() {
  for (;;) {
    await new Promise((done) => setTimeout(done, POLL));
    const found = await Promise.all(page.waiting.map((path) => askJson(path).then((work) => ({ path, work }), () => null)));
    for (const { path, work } of found.filter(Boolean)) {
      const place = document.querySelector(`[data-work="${path}"]`);
      place.querySelector("progress").value = work.progress;
      if (work.doing) place.querySelector("[data-doing]").textContent = work.doing;
    }
    if (!busy && found.some((one) => one?.work.ended_at)) location.reload();
  }
}

function wrong(words) {
  const place = at("archive-wrong");
  place.hidden = !words;
  fill(place, words);
  if (words) file.setAttribute("aria-invalid", "true");
  else file.removeAttribute("aria-invalid");
}

/** What keeps this file from being sent. */
function unfit(chosen) {
  if (!chosen) return "Choose the archive first.";
  if (chosen.size > page.most_bytes) return "It is too large to be taken here: ask the operator for more.";
  return chosen.size ? "" : "The file is empty.";
}

file.addEventListener("change", () => wrong(""));

at("import-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (busy) return;
  const chosen = file.files[0];
  wrong(unfit(chosen));
  if (unfit(chosen)) {
    file.focus();
    return;
  }
  busy = true;
  at("send").disabled = true;
  sending.hidden = false;
  try {
    await send("account/imports", chosen, (share) => {
      sending.querySelector("progress").value = share;
      at("sent").textContent = share < 1 ? `${Math.floor(share * 100)} % is sent.` : "It is sent.";
    });
    location.reload();
    return;
  } catch (error) {
    const findings = error instanceof Refused ? error.findings.map((one) => one.message) : [];
    wrong([told(error), ...findings].join(". "));
    file.focus();
  }
  busy = false;
  sending.hidden = true;
  at("send").disabled = false;
});
