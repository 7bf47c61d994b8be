// Shows a log of any length through a few windows of it that the server draws. What lies far from
// the reader is taken out of the page again, so that the browser never holds the whole log.
"use strict";
(() => {
  const log = document.getElementById("log");
  const lines = document.getElementById("lines");
  const place = document.getElementById("place");
  const newer = document.getElementById("newer");
  const found = document.getElementById("found");
  const connection = document.getElementById("connection");
  const { stream } = log.dataset;
  const mostRows = 900; // in the page
  const near = 1200; // pixels from an edge at which the next window is fetched

  let times = log.dataset.times;
  let toggled = log.dataset.toggle;
  let marked = [Number(log.dataset.line), Number(log.dataset.last)];
  let total = 0; // lines in the whole log
  let fetching = null; // aborts what is being fetched
  let following = false; // the reader is at the end of a log that is written
  let ended = log.dataset.ended === "true";

  // Windows.
  const windows = () => lines.children;
  const first = () => Number(lines.firstElementChild?.dataset.first || 1);
  const next = () => Number(lines.lastElementChild?.dataset.next || 1);
  const rowOf = (line) => document.getElementById("L" + line);
  const lineOf = (row) => Number(row.id.slice(1));

  function address(what, parameters) {
    const query = new URLSearchParams(parameters);
    if (times) query.set("times", times);
    if (toggled) query.set("toggle", toggled);
    return "/logs/" + what + "/" + stream + "?" + query;
  }

  function read(html) {
    const frame = document.createElement("template");
    frame.innerHTML = html;
    const window = frame.content.firstElementChild;
    know(Number(window.dataset.total));
    toggled = window.dataset.toggle;
    return window;
  }

  function know(lines) {
    total = Math.max(total, lines);
    place.max = Math.max(1, total);
    document.getElementById("total").textContent = total.toLocaleString("en");
    if (total) document.getElementById("nothing")?.remove();
  }

  // Fetches a window; a newer wish ends an older one.
  async function get(parameters) {
    fetching?.abort();
    const mine = fetching = new AbortController();
    try {
      const answer = await fetch(address("rows", parameters), { signal: mine.signal });
      if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
      const html = await answer.text();
      said("");
      return mine.signal.aborted ? null : read(html);
    } catch (problem) {
      if (problem.name !== "AbortError") said("The log cannot be read now: try again");
      return null;
    } finally {
      if (fetching === mine) fetching = null;
    }
  }

  // Shows the window about a line, with that line at a height of the frame.
  async function jump(line, height = lines.clientHeight / 3) {
    const range = line === marked[0] && marked[1] > line; // all of it is unfolded
    const window = await get({ line: range ? marked.join("-") : Math.max(1, Math.min(line, total || line)) });
    if (!window) return;
    lines.replaceChildren(window);
    const row = rowOf(line) || nearest(line);
    if (row) lines.scrollTop = row.offsetTop - lines.offsetTop - height;
    mark();
    settle();
  }

  async function toEnd() {
    const window = await get({ before: total + 1 || 1 });
    if (!window) return;
    lines.replaceChildren(window);
    lines.scrollTop = lines.scrollHeight;
    following = true;
    mark();
    settle();
  }

  // The row of a line, or of what it is folded into.
  function nearest(line) {
    let best = null;
    for (const row of lines.querySelectorAll(".row")) {
      if (lineOf(row) > line) break;
      best = row;
    }
    return best;
  }

  // Fetches what the reader comes near to, one window at a time.
  let extending = false;
  async function extend() {
    if (extending || fetching || !lines.firstElementChild) return;
    extending = true;
    try {
      while (lines.scrollTop < near && first() > 1) {
        const window = await get({ before: first() });
        if (!window || !window.firstElementChild) break;
        const before = lines.scrollHeight;
        lines.prepend(window);
        lines.scrollTop += lines.scrollHeight - before;
        prune(false);
      }
      while (lines.scrollHeight - lines.scrollTop - lines.clientHeight < near && next() <= total) {
        const window = await get({ from: next() });
        if (!window || !window.firstElementChild) break;
        lines.append(window);
        prune(true);
      }
    } finally {
      extending = false;
    }
    mark();
    tell();
  }

  // Takes windows out at the beginning (or the end) while the page holds too many rows.
  function prune(atBeginning) {
    let rows = lines.querySelectorAll(".row").length;
    while (rows > mostRows && windows().length > 1) {
      const old = atBeginning ? lines.firstElementChild : lines.lastElementChild;
      rows -= old.childElementCount;
      const height = atBeginning ? lines.scrollHeight : 0;
      old.remove();
      if (atBeginning) lines.scrollTop -= height - lines.scrollHeight;
    }
  }

  // The slider is the scroll bar of the whole log.
  let sliding = false;
  function tell() {
    const row = top();
    if (row && !sliding) {
      place.value = atEnd() ? total : lineOf(row);
      place.setAttribute("aria-valuetext", "line " + lineOf(row) + " of " + total);
    }
    following = atEnd();
    if (following) newer.hidden = true;
  }

  function top() {
    const frame = lines.getBoundingClientRect();
    return document.elementFromPoint(frame.left + 8, frame.top + 4)?.closest(".row") || lines.querySelector(".row");
  }

  const atEnd = () => next() > total && lines.scrollHeight - lines.scrollTop - lines.clientHeight < 8;

  let settling = 0;
  function settle() {
    cancelAnimationFrame(settling);
    settling = requestAnimationFrame(() => { tell(); extend(); });
  }

  lines.addEventListener("scroll", settle, { passive: true });
  let slide = 0;
  place.addEventListener("input", () => {
    sliding = true;
    clearTimeout(slide);
    slide = setTimeout(async () => {
      const line = Number(place.value);
      await (line >= total ? toEnd() : jump(line, 0));
      sliding = false;
    }, 60);
  });

  // Links to lines.
  function mark() {
    for (const row of lines.querySelectorAll(".marked")) row.classList.remove("marked");
    for (let line = marked[0]; line && line <= Math.min(marked[1], marked[0] + 5000); line++) rowOf(line)?.classList.add("marked");
  }

  function link(from, to) {
    marked = [Math.min(from, to), Math.max(from, to)];
    const query = new URLSearchParams(location.search);
    query.set("line", marked[0] === marked[1] ? marked[0] : marked.join("-"));
    for (const name of ["toggle", "after"]) query.delete(name);
    history.replaceState(null, "", "?" + query + "#L" + marked[0]);
    mark();
  }

  lines.addEventListener("click", (event) => {
    const fold = event.target.closest(".fold");
    const number = event.target.closest(".at");
    if (!fold && !number || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const row = event.target.closest(".row");
    const line = lineOf(row);
    if (number) {
      link(event.shiftKey && marked[0] ? marked[0] : line, line);
      return;
    }
    const turned = new Set(toggled.split(",").filter(Boolean));
    if (!turned.delete(String(line))) turned.add(String(line));
    toggled = [...turned].join(",");
    jump(line, row.getBoundingClientRect().top - lines.getBoundingClientRect().top)
      .then(() => rowOf(line)?.querySelector(".fold")?.focus({ preventScroll: true }));
  });

  function fromHash() {
    const [, from, to] = /^#L(\d+)(?:-L?(\d+))?$/.exec(location.hash) || [];
    if (!from) return false;
    marked = [Number(from), Number(to || from)].sort((a, b) => a - b);
    return true;
  }
  addEventListener("hashchange", () => { if (fromHash()) jump(marked[0]); });

  // The end of a log that is written. A stream that was lost goes on where it ended.
  function said(text) {
    connection.textContent = text;
    document.body.classList.toggle("stale", text !== "");
  }

  let cursor = 1; // the line from which on the next event tells
  let source = null;
  function follow() {
    source = new EventSource(address("live", { from: cursor }));
    source.onopen = () => said("");
    source.onerror = () => {
      said("Connection lost: what you see may be old");
      if (source.readyState === EventSource.CLOSED) setTimeout(follow, 2000);
    };
    source.addEventListener("tail", (event) => {
      const tail = JSON.parse(event.data);
      const was = following;
      const reached = next();
      cursor = tail.next;
      if (!was) { // the reader is elsewhere, and is told that there is more
        const more = tail.total > total;
        know(tail.total);
        if (more) newer.hidden = false;
        if (reached > tail.from) take(tail);
        return;
      }
      take(tail);
      lines.scrollTop = lines.scrollHeight;
      settle();
    });
    source.addEventListener("end", () => {
      source.close();
      ended = true;
      document.getElementById("state").textContent = "ended";
    });
  }

  // Puts the rows of a tail behind those that are before it.
  function take(tail) {
    const window = read(tail.html);
    if (tail.from > next()) {
      lines.replaceChildren(window); // more came than is sent
    } else {
      for (const row of [...lines.querySelectorAll(".row")].reverse()) {
        if (lineOf(row) < tail.from) break;
        row.remove();
      }
      for (const old of [...windows()]) if (!old.childElementCount) old.remove();
      const last = lines.lastElementChild;
      if (last && last.childElementCount + window.childElementCount < 200) {
        last.dataset.next = window.dataset.next;
        last.append(...window.children);
      } else if (window.childElementCount) {
        lines.append(window);
      }
      prune(true);
    }
    mark();
  }

  newer.querySelector("button").addEventListener("click", toEnd);

  // Search, on the server. It goes on by itself until something is found.
  const search = document.getElementById("search");
  let searching = null;
  async function find(query) {
    searching?.abort();
    const mine = searching = new AbortController();
    try {
      for (let after = query.get("after"); ;) {
        if (after) query.set("after", after);
        const answer = await fetch("/logs/search/" + stream + "?" + query, { signal: mine.signal });
        if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
        found.innerHTML = await answer.text();
        const result = found.querySelector(".found");
        after = result?.dataset.next;
        if (!after || after === "0" || result.querySelector("li")) break;
      }
      current = -1;
    } catch (problem) {
      if (problem.name !== "AbortError") said("The log cannot be searched now: try again");
    }
  }

  let current = -1; // the hit that is shown
  function hit(step) {
    const hits = [...found.querySelectorAll("li > a")];
    if (!hits.length) return;
    current = (current + step + hits.length) % hits.length;
    hits.forEach((a, i) => a.parentElement.toggleAttribute("aria-current", i === current));
    hits[current].scrollIntoView({ block: "nearest" });
    const line = Number(hits[current].dataset.line);
    link(line, line);
    jump(line);
  }

  search.addEventListener("submit", (event) => {
    event.preventDefault();
    const query = new URLSearchParams(new FormData(search));
    const shown = new URLSearchParams(location.search);
    for (const name of ["q", "case", "re", "after"]) shown.delete(name);
    for (const [name, value] of query) if (value) shown.set(name, value);
    history.replaceState(null, "", "?" + shown + location.hash);
    if (query.get("q")) find(query);
    else found.replaceChildren();
  });
  search.elements.q.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { searching?.abort(); lines.focus(); }
  });

  found.addEventListener("click", (event) => {
    const a = event.target.closest("a");
    if (!a || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (a.classList.contains("more")) {
      find(new URLSearchParams(a.search));
      return;
    }
    current = [...found.querySelectorAll("li > a")].indexOf(a);
    hit(0);
  });

  // Tools.
  document.getElementById("go").addEventListener("submit", (event) => {
    event.preventDefault();
    const line = Math.min(Number(event.target.elements.line.value), total);
    if (!line) return;
    link(line, line);
    jump(line);
    lines.focus({ preventScroll: true });
  });

  const begin = () => jump(1, 0);
  for (const [id, act] of [["first", begin], ["end", toEnd]]) {
    document.getElementById(id).addEventListener("click", (event) => { event.preventDefault(); act(); });
  }

  function tellTimes(how) {
    times = how;
    const query = new URLSearchParams(location.search);
    if (how) query.set("times", how);
    else query.delete("times");
    history.replaceState(null, "", "?" + query + location.hash);
    for (const a of log.querySelectorAll(".times a")) {
      if (a.dataset.times === how) a.setAttribute("aria-current", "true");
      else a.removeAttribute("aria-current");
    }
    const row = top();
    if (row) jump(lineOf(row), 0);
    if (source && !ended) { source.close(); follow(); }
  }
  log.querySelector(".times").addEventListener("click", (event) => {
    const a = event.target.closest("a");
    if (!a || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    tellTimes(a.dataset.times);
  });

  const keys = {
    "/": () => search.elements.q.select(),
    "n": () => hit(1),
    "p": () => hit(-1),
    "l": () => document.querySelector("#go input").select(),
    "g": begin,
    "G": toEnd,
    "j": () => lines.scrollBy(0, 20),
    "k": () => lines.scrollBy(0, -20),
    "t": () => { const all = ["", "utc", "since"]; tellTimes(all[(all.indexOf(times) + 1) % 3]); },
    "w": () => lines.classList.toggle("unwrapped"),
    "?": () => { const help = document.getElementById("keys"); help.open = !help.open; },
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not([type=range]):not([type=checkbox]), textarea, select")) return;
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation(); // on this page "/" is not the search of the whole plant
    act();
  }, true);

  // The frame takes what is left of the screen.
  function fit() {
    const below = 24;
    lines.style.blockSize = Math.max(240, innerHeight - lines.getBoundingClientRect().top - scrollY - below) + "px";
    place.style.height = lines.style.blockSize;
  }
  new ResizeObserver(fit).observe(found);
  addEventListener("resize", fit);

  document.documentElement.classList.add("scripted");
  place.hidden = false;
  fit();
  know(Number(lines.firstElementChild.dataset.total));
  cursor = total + 1;
  if (fromHash() && !rowOf(marked[0])) jump(marked[0]);
  else if (marked[0]) { const row = rowOf(marked[0]); if (row) lines.scrollTop = row.offsetTop - lines.offsetTop - lines.clientHeight / 3; }
  else if (log.dataset.begin === "end") lines.scrollTop = lines.scrollHeight;
  mark();
  settle();
  if (!ended) { following = next() > total; cursor = Math.max(1, total); follow(); }
})();
