// What makes pages easier where scripts run. Every page works without it: what it serves is
// hidden in the markup, or does what the browser can do by itself.
(() => {
  "use strict";

  // « Show » beside a password; it is hidden again before it is sent.
  for (const button of document.querySelectorAll("[data-shows]")) {
    const field = document.getElementById(button.dataset.shows);
    const set = (shown) => {
      field.type = shown ? "text" : "password";
      button.setAttribute("aria-pressed", String(shown));
      button.textContent = shown ? button.dataset.hide : button.dataset.show;
    };
    button.addEventListener("click", () => {
      set(field.type === "password");
      field.focus();
    });
    field.form.addEventListener("submit", () => set(false));
    button.hidden = false;
  }

  // Two new passwords that differ are told before both are sent and gone.
  for (const again of document.querySelectorAll("[data-same-as]")) {
    const first = document.getElementById(again.dataset.sameAs);
    const told = document.getElementById(`${again.id}-differs`);
    const differs = () => again.value !== "" && first.value !== again.value;
    const tell = () => {
      told.hidden = !differs();
      again.closest(".field").classList.toggle("field-bad", differs());
    };
    again.addEventListener("change", tell);
    again.addEventListener("input", () => differs() || tell());
    first.addEventListener("change", tell);
    again.form.addEventListener("submit", (event) => {
      if (!differs()) return;
      event.preventDefault();
      tell();
      again.focus();
    });
  }

  // « Stay signed in » stands in one form of the page, and is said in its other ways in, too.
  for (const copy of document.querySelectorAll("[data-copies-tick]")) {
    const box = document.getElementById(copy.dataset.copiesTick);
    const say = () => {
      copy.value = box.checked ? box.value : "";
    };
    box.addEventListener("change", say);
    window.addEventListener("pageshow", say);
  }

  // « Copy »: the text of another element, line by line, without the spaces that help to read it.
  for (const button of document.querySelectorAll("[data-copies]")) {
    if (!navigator.clipboard) continue;
    const from = document.getElementById(button.dataset.copies);
    const lines = [...from.querySelectorAll("code")];
    button.addEventListener("click", async () => {
      const text = (lines.length ? lines : [from]).map((each) => each.textContent.replace(/\s/g, ""));
      await navigator.clipboard.writeText(text.join("\n"));
      button.querySelector("[data-done]").hidden = false;
    });
    button.hidden = false;
  }

  for (const button of document.querySelectorAll("[data-prints]")) {
    button.addEventListener("click", () => window.print());
    button.hidden = false;
  }
})();
