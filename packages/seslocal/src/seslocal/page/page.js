// Says when there is mail that the list does not show yet; everything else works without it.
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
    // It is being restarted; the next turn will tell.
  }
}, 2000);
document.querySelector("form.clear").addEventListener("submit", (event) => {
  if (!confirm("Clear all mail?")) event.preventDefault();
});
