// Keeps a page as the plant is. The server draws; this only swaps what it sends, and says when the
// connection is lost. The streams resume where they ended, so nothing is missed.
"use strict";
(() => {
  const main = document.getElementById("main");
  const connection = document.getElementById("connection");

  // Ages grow without events.
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  function grow() {
    for (const time of document.querySelectorAll("time[data-age]")) {
      const seconds = Math.max(0, (Date.now() - Date.parse(time.dateTime)) / 1000);
      const [size, name] = units.find(([size]) => seconds >= 2 * size) || units[3];
      const text = Math.floor(seconds / size) + " " + name + time.dataset.age;
      if (time.textContent !== text) { time.title ||= time.textContent; time.textContent = text; }
    }
  }

  // The tab shows how the line does.
  function tell() {
    const state = document.querySelector("[data-state]")?.dataset.state;
    if (!state) return;
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

  // A sheet: its parts come drawn.
  function follow(sheet) {
    const source = heard(new EventSource(sheet.dataset.live + "?after=" + sheet.dataset.edition));
    source.addEventListener("parts", (event) => {
      for (const [id, html] of Object.entries(JSON.parse(event.data))) {
        const old = document.getElementById(id);
        if (!old) { location.reload(); return; }
        const frame = document.createElement("template");
        frame.innerHTML = html;
        old.replaceWith(frame.content);
      }
      grow();
      tell();
    });
    source.addEventListener("anew", () => location.reload());
  }

  // Another page: it is fetched again when something happened.
  function redraw(part) {
    let drawing = false;
    let again = false;
    async function draw() {
      if (drawing) { again = true; return; }
      drawing = true;
      do {
        again = false;
        try {
          const answer = await fetch(main.querySelector("[data-part]").dataset.part, { headers: { Accept: "text/html" } });
          if (answer.ok && !answer.redirected) main.innerHTML = await answer.text();
          grow();
          tell();
        } catch { /* the stream says when the connection is back */ }
        if (again) await new Promise((resume) => setTimeout(resume, 250)); // many events, few drawings
      } while (again);
      drawing = false;
    }
    const events = heard(new EventSource("/api/v1/events?after=" + part.dataset.position));
    const shown = events.onopen;
    events.onopen = () => { shown(); draw(); };
    events.onmessage = draw;
    for (const name of (document.body.dataset.events || "").split(" ").filter(Boolean)) events.addEventListener(name, draw);
  }

  grow();
  tell();
  setInterval(grow, 1000);
  const sheet = main.querySelector("[data-live]");
  const part = main.querySelector("[data-part]");
  if (sheet) follow(sheet);
  else if (part) redraw(part);
})();
