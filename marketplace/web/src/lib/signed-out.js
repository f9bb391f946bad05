// Tells that this page can do nothing more, and opens it anew beside itself: what was typed stays where it is.

import { el } from "./dom.js";

let again = () => ({ href: document.baseURI, words: "It opens this page there." });

/**
 * What is opened by signing in again.
 * @param {() => { href: string, words: string }} where asked when the link is used.
 */
export function openAgainBy(where) {
  again = where;
}

/** Say so above everything else of the page. */
export function showSignedOut() {
  if (document.getElementById("signed-out")) return;
  const words = el("span", {});
  const link = el("a", { href: "", target: "_blank", rel: "noopener" }, "Sign in again in a new tab");
  const current = () => {
    const found = again();
    link.href = found.href;
    words.textContent = found.words;
  };
  current();
  for (const kind of ["pointerdown", "focus", "click"]) link.addEventListener(kind, current);
  document.addEventListener("input", current);
  document.getElementById("main").prepend(el("div", { class: "notice bad", id: "signed-out", role: "alert" },
    el("p", {}, el("strong", {}, "Your sign-in is over, so this page can do nothing more."), " What stands here stays."),
    el("p", {}, link, ". ", words)));
}
