// The mail's link carries its token behind « # »: no server, no proxy and no log sees it there.
// It moves from the address into the field; without scripts, it is typed or pasted.
const carried = location.hash.slice(1);
if (/^[0-9A-Za-z-]{28,100}$/.test(carried)) {
  document.getElementById("token").value = carried;
  history.replaceState(null, "", location.pathname + location.search);
}
