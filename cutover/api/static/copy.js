// Copies a command; where the browser forbids that, selects it. Buttons may come and go.
(() => {
  document.body.dataset.copies = "";
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
  document.addEventListener("click", async ({ target }) => {
    const button = target.closest?.("[data-copy]");
    if (!button || button.dataset.label) return;
    const text = document.getElementById(button.dataset.copy);
    button.dataset.label = button.textContent;
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(text);
      button.textContent = "Selected, now copy it";
    }
    setTimeout(() => {
      button.textContent = button.dataset.label;
      delete button.dataset.label;
    }, 2500);
  });
})();
