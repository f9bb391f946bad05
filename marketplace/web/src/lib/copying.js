// Copying a link: by the clipboard where a page may use it, else by the old way, else by hand.

/** Let `button` copy what stands in `input`. */
export function copyFrom(button, input) {
  button.addEventListener("click", async () => {
    input.select();
    let copied = false;
    try {
      await navigator.clipboard.writeText(input.value);
      copied = true;
    } catch {
      copied = document.execCommand("copy");
    }
    button.textContent = copied ? "Copied" : "Press Ctrl+C";
  });
}
