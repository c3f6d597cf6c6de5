// The same page in another language keeps what was typed: this tab remembers it until the page
// is there again. Never a password; without scripts, what was typed has to be typed again.
(() => {
  "use strict";

  const KEY = "typed";
  const NEVER = ["hidden", "password", "file", "submit", "button"];

  const fields = () =>
    [...document.querySelectorAll("main form[method=post] :is(input, select, textarea)[name]")].filter(
      (field) => !NEVER.includes(field.type)
    );
  const chosen = (field) => field.type === "checkbox" || field.type === "radio";

  function remember() {
    const values = fields().map((field) => [field.name, chosen(field) ? field.checked : field.value]);
    sessionStorage.setItem(KEY, JSON.stringify({ path: location.pathname, values }));
  }

  function restore() {
    const kept = JSON.parse(sessionStorage.getItem(KEY) || "null");
    sessionStorage.removeItem(KEY);
    const now = fields();
    if (!kept || kept.path !== location.pathname || kept.values.length !== now.length) return;
    kept.values.forEach(([name, value], index) => {
      const field = now[index];
      if (field.name !== name) return;
      if (chosen(field)) field.checked = value;
      else if (value) field.value = value;
    });
  }

  try {
    restore();
    document.getElementById("language-form").addEventListener("submit", () => {
      try {
        remember();
      } catch (error) {
        // A browser that stores nothing
      }
    });
  } catch (error) {
    // A browser that stores nothing, or something else under our name
  }
})();
