// Keeps a page fresh: swaps in place what the server sends.
(() => {
  const { body } = document, { stream } = body.dataset;
  const byId = (id) => document.getElementById(id);
  const alike = (a, b) => a.nodeName === b.nodeName && a.id === b.id
    && a.classList?.[0] === b.classList?.[0];
  // What stays keeps its focus, its scroll and whether it is open.
  const morph = (from, to) => {
    if (from.isEqualNode(to)) return;
    if (from.data) return void (from.data = to.data);
    const keep = from.nodeName === "DETAILS" && "open";
    for (const { name } of [...from.attributes])
      if (name !== keep && !to.hasAttribute(name)) from.removeAttribute(name);
    for (const { name, value } of to.attributes)
      if (name !== keep && from.getAttribute(name) !== value) from.setAttribute(name, value);
    let old = from.firstChild;
    for (const fresh of [...to.childNodes]) {
      let match = old;
      while (match && fresh.nodeType === 1 && !alike(match, fresh)) match = match.nextSibling;
      if (!match || !alike(match, fresh)) from.insertBefore(fresh, old);
      else {
        for (; old !== match; old = drop(old));
        old = match.nextSibling;
        morph(match, fresh);
      }
    }
    while (old) old = drop(old);
  };
  const drop = (node) => {
    const next = node.nextSibling;
    node.remove();
    return next;
  };

  const apply = ({ parts, listed }) => {
    const list = byId("list"), focused = document.activeElement;
    for (const id in parts) {
      const box = document.createElement("template");
      box.innerHTML = parts[id];
      const to = box.content.firstElementChild;
      if (byId(id)) morph(byId(id), to);
      else list?.append(to);
    }
    for (const e of [...list?.children ?? []]) if (!listed.includes(e.id)) e.remove();
    listed.forEach((id, i) => {
      if (list.children[i].id !== id) list.insertBefore(byId(id), list.children[i]);
    });
    if (focused !== document.activeElement) focused.focus({ preventScroll: true });
  };

  let source, watch, wait = 1000, seen = body.dataset.version;
  const say = (state, words) => {
    if (body.dataset.live !== state) byId("live").textContent = words;
    body.dataset.live = state;
  };
  const lost = () => {
    source.close();
    clearTimeout(watch);
    say("lost", `Connection lost at ${new Date().toLocaleTimeString()}; figures are from then.`);
    setTimeout(connect, wait);
    wait = Math.min(wait * 2, 15000);
  };
  const heard = (now) => {
    body.dataset.skew = now - Date.now() / 1000;
    wait = 1000;
    say("on", "Live");
    clearTimeout(watch);
    watch = setTimeout(lost, 12000);
  };
  const connect = () => {
    source = new EventSource(`${stream}&seen=${seen}`);
    source.onerror = lost;
    source.addEventListener("beat", (e) => heard(+e.data));
    source.addEventListener("parts", (e) => {
      const sent = JSON.parse(e.data);
      seen = e.lastEventId;
      heard(sent.now);
      apply(sent);
    });
  };
  if (stream) connect();
})();
