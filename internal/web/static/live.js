// Keeps a page as the plant is. The server draws; this only swaps what it sends, and says when the
// connection is lost. The streams resume where they ended, so nothing is missed.
"use strict";
(() => {
  const main = document.getElementById("main");
  const connection = document.getElementById("connection");

  // Ages grow without events.
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  function grow() {
    for (const time of document.querySelectorAll("[data-age]")) {
      const seconds = Math.max(0, (Date.now() - Date.parse(time.getAttribute("datetime"))) / 1000);
      const [size, name] = units.find(([size]) => seconds >= 2 * size) || units[3];
      const text = (time.dataset.lead || "") + Math.floor(seconds / size) + " " + name + time.dataset.age;
      if (time.textContent !== text) {
        if (time.localName === "time") time.title ||= time.textContent; // a picture tells it in another way
        time.textContent = text;
      }
    }
  }

  // The tab shows how the line does.
  function tell() {
    const state = document.querySelector("[data-state]")?.dataset.state || "running";
    const shown = document.body.classList.contains("stale") ? "lost" : state;
    document.getElementById("icon").href = "/static/" + shown + ".svg";
    const title = document.title.replace(/^[■?] /, "");
    document.title = { stopped: "■ ", lost: "? " }[shown] ? { stopped: "■ ", lost: "? " }[shown] + title : title;
  }

  function heard(source) {
    source.onopen = () => { connection.textContent = ""; document.body.classList.remove("stale"); tell(); };
    source.onerror = () => {
      connection.textContent = "Connection lost: what you see may be old";
      document.body.classList.add("stale");
      tell();
    };
    return source;
  }

  // Puts a part in place of the one that is shown. What the reader does with it goes on: the focus,
  // how far it is scrolled, and what is opened.
  function swap(old, html) {
    const frame = document.createElement("template");
    frame.innerHTML = html;
    const fresh = frame.content.firstElementChild;
    if (!fresh) return;
    for (const opened of old.querySelectorAll("details[id]")) {
      const again = fresh.querySelector("#" + CSS.escape(opened.id));
      if (again) again.open = opened.open;
    }
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const way = focused && path(old, focused);
    const scrolled = [...old.querySelectorAll(".scrolls")].map((area) => area.scrollLeft);
    old.replaceWith(fresh);
    fresh.querySelectorAll(".scrolls").forEach((area, i) => { area.scrollLeft = scrolled[i] || 0; });
    if (focused) find(fresh, focused, way)?.focus({ preventScroll: true });
  }

  // The way from a part down to an element in it: the number of the child on each level.
  function path(part, element) {
    const way = [];
    for (let at = element; at !== part; at = at.parentElement) way.unshift([...at.parentElement.children].indexOf(at));
    return way;
  }

  // The element of a part that was drawn again which is what another one was in it before: the same
  // link, or else what is in the same place; or else the part itself.
  function find(part, was, way) {
    const address = was.getAttribute("href");
    if (was.id) return document.getElementById(was.id) || part;
    if (address) {
      const same = [...part.querySelectorAll("[href]")].find((link) => link.getAttribute("href") === address && link.checkVisibility());
      if (same) return same;
    }
    const there = way.reduce((at, i) => at?.children[i], part);
    if (there && there.localName === was.localName) return there;
    part.tabIndex = -1;
    return part;
  }

  // A live page: its parts come drawn.
  let source;
  function follow(page) {
    const separator = page.dataset.live.includes("?") ? "&" : "?";
    const mine = source = heard(new EventSource(page.dataset.live + separator + "after=" + page.dataset.edition));
    // A browser gives up where something else answers, as a load balancer whose server is away.
    mine.addEventListener("error", () => {
      if (mine.readyState === EventSource.CLOSED) setTimeout(() => { if (mine === source) follow(page); }, 2000);
    });
    source.addEventListener("parts", (event) => {
      page.dataset.edition = event.lastEventId;
      for (const [id, html] of Object.entries(JSON.parse(event.data))) {
        const old = document.getElementById(id);
        if (!old) { location.reload(); return; }
        swap(old, html);
      }
      grow();
      tell();
    });
    source.addEventListener("anew", () => location.reload());
  }

  // A board on a wall shows one team after the other. It turns only to a page that came: when the
  // connection is lost, the last one stays and says so. It waits for whoever uses it.
  const turn = location.pathname.startsWith("/board") && /^(\d+)(s|m)$/.exec(new URLSearchParams(location.search).get("rotate") || "");
  const used = () => main.contains(document.activeElement) && document.activeElement !== main;
  async function next() {
    if (used()) return;
    const answer = await fetch("/board/next" + location.search, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.url === location.href) return;
    if (!new URL(answer.url).pathname.startsWith("/board")) { location.reload(); return; } // signed out
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const page = fresh.querySelector("#main [data-live]");
    if (!page || used()) return;
    source?.close();
    main.replaceChildren(page);
    document.title = fresh.title;
    history.replaceState(null, "", answer.url);
    grow();
    follow(page);
    tell();
  }
  if (turn) setInterval(() => next().catch(() => { /* the stream says that the connection is lost */ }), turn[1] * { s: 1000, m: 60000 }[turn[2]]);

  // A slash leads to the search, unless somebody writes one.
  document.addEventListener("keydown", (event) => {
    const box = document.getElementById("q");
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !box) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    event.preventDefault();
    box.focus();
    box.select();
  });

  grow();
  tell();
  setInterval(grow, 1000);
  const page = main.querySelector("[data-live]");
  if (page) follow(page);
})();
