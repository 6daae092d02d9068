// What pages gain from JavaScript: keys, what can be scrolled by them, and buttons that copy. Everything can be read without it.
"use strict";

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const target = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (target) {
    event.preventDefault();
    target.focus();
  }
});

const showCopyButtons = (root) => {
  for (const button of root.querySelectorAll("button[data-copy][hidden]")) button.hidden = false;
};

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not copied";
  }
  setTimeout(() => { button.textContent = before; }, 1500);
});

// What has to be scrolled sideways takes the focus, so that arrow keys can scroll it.
const focusWhatScrolls = () => {
  for (const one of document.querySelectorAll(".scroll, pre")) {
    if (one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight) one.tabIndex = 0;
    else one.removeAttribute("tabindex");
  }
};
document.addEventListener("DOMContentLoaded", focusWhatScrolls);
document.addEventListener("htmx:after:swap", focusWhatScrolls);
window.addEventListener("resize", focusWhatScrolls);

document.addEventListener("DOMContentLoaded", () => showCopyButtons(document));
document.addEventListener("htmx:after:swap", () => showCopyButtons(document));

// On a phone the bars of sections and of tabs are wider than the page: what is open is scrolled to.
const showWhereWeAre = () => {
  for (const one of document.querySelectorAll(".sections [aria-current], .tabs [aria-current]")) {
    const bar = one.parentElement;
    bar.scrollLeft = one.offsetLeft - bar.offsetLeft - (bar.clientWidth - one.offsetWidth) / 2;
  }
};
document.addEventListener("DOMContentLoaded", showWhereWeAre);
window.addEventListener("resize", showWhereWeAre);

// What a form made is shown once. A reload leads to the page after it, where it would send the form again.
document.addEventListener("DOMContentLoaded", () => {
  const once = document.querySelector("[data-reload]");
  if (once) history.replaceState(null, "", once.dataset.reload);
});

// A form that makes something is sent once, however often its button is clicked.
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-once]")) return;
  if (event.target.dataset.sent) event.preventDefault();
  else event.target.dataset.sent = "yes";
});
// What was previewed goes into its frame, which needs a click without JavaScript.
document.addEventListener("DOMContentLoaded", () => {
  for (const one of document.querySelectorAll("form[data-into-frame]")) {
    one.requestSubmit();
    one.hidden = true;
  }
});

window.addEventListener("pageshow", () => {
  for (const one of document.querySelectorAll("form[data-once]")) delete one.dataset.sent;
});
