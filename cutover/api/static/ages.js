// Lets "12 s ago" grow, by the server's clock.
(() => {
  const { dataset } = document.body;
  dataset.skew = dataset.now - Date.now() / 1000;
  const age = (s) => s < 1 ? "just now" : s < 60 ? `${s | 0} s ago`
    : s < 3600 ? `${s / 60 | 0} min ago` : s < 172800 ? `${s / 3600 | 0} h ago`
    : `${s / 86400 | 0} days ago`;
  setInterval(() => {
    const now = Date.now() / 1000 + +dataset.skew;
    for (const t of document.querySelectorAll("time[data-t]")) {
      const words = age(now - t.dataset.t);
      if (t.textContent !== words) t.textContent = words;
    }
  }, 1000);
})();
