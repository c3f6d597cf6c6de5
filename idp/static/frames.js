// Loads what applications want to be told by when somebody has signed out, and goes on once all
// are there, or after three seconds (Front-Channel Logout 1.0).
(() => {
  "use strict";
  const place = document.getElementById("frames");
  const onward = place.dataset.on;
  const on = () => onward && window.location.replace(onward);
  const left = new Set();
  for (const each of place.querySelectorAll("[data-frame]")) {
    const frame = document.createElement("iframe");
    frame.setAttribute("sandbox", "allow-scripts allow-same-origin allow-forms");
    frame.title = "";
    frame.src = each.dataset.frame;
    left.add(frame);
    const done = () => left.delete(frame) && left.size === 0 && on();
    frame.addEventListener("load", done);
    frame.addEventListener("error", done);
  }
  window.setTimeout(on, 3000);
  place.append(...left);
})();
