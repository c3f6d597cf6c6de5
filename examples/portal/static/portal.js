// Asks now and then whether this page may stay open, and loads it again where it may not: our
// server knows why (notices.py).
(() => {
  "use strict";
  const watched = document.querySelector("[data-watch]");
  if (!watched) return;
  const ask = async () => {
    try {
      const answer = await fetch(watched.dataset.watch, { cache: "no-store" });
      if (answer.ok && !(await answer.json()).open) {
        window.location.replace(window.location.pathname);
        return;
      }
    } catch {
      // away: ask again
    }
    window.setTimeout(ask, 2000);
  };
  window.setTimeout(ask, 2000);
})();
