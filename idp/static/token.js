// A mail's link carries its secret behind « # »: no server, no proxy and no log sees it there.
// It moves from the address into the field; without scripts, it is typed or pasted. Where a form
// asks for nothing else it goes on by itself, to the page whose button decides.
function takeOver() {
  const carried = location.hash.slice(1);
  const field = document.querySelector("[data-from-address]");
  if (!field || !/^[\w.-]{28,120}$/.test(carried)) return;
  field.value = carried;
  history.replaceState(null, "", location.pathname + location.search);
  if (!("goesOn" in field.form.dataset)) return;
  for (const each of document.querySelectorAll("[data-unless-carried]")) each.hidden = true;
  field.form.requestSubmit();
}
addEventListener("hashchange", takeOver); // another link, pasted into the same tab
takeOver();
