// Shows a link when there is new mail that the list does not show. Everything else works without this script.
const seen = Number(document.body.dataset.total);
const link = document.getElementById("new");
setInterval(async () => {
  if (document.hidden) return;
  try {
    const { sent } = await (await fetch("/_seslocal/health")).json();
    if (sent === seen) return;
    link.hidden = false;
    link.textContent = sent > seen ? `${sent - seen} new` : "Reload";
  } catch {
    // The server is restarting; the next poll will work.
  }
}, 2000);
document.querySelector("form.clear").addEventListener("submit", (event) => {
  if (!confirm("Clear all mail?")) event.preventDefault();
});
