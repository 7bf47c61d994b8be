// Draws the page again when something happened. The server draws; this only fetches and swaps.
// The stream resumes by journal position, so nothing is missed after a lost connection.
"use strict";
(() => {
  const main = document.getElementById("main");
  const connection = document.getElementById("connection");
  const part = () => main.querySelector("[data-part]");
  if (!part()) return;

  let drawing = false;
  let again = false;
  async function draw() {
    if (drawing) { again = true; return; }
    drawing = true;
    do {
      again = false;
      try {
        const answer = await fetch(part().dataset.part, { headers: { Accept: "text/html" } });
        if (answer.ok && !answer.redirected) main.innerHTML = await answer.text();
      } catch { /* the stream says when the connection is back */ }
      if (again) await new Promise((resume) => setTimeout(resume, 250)); // many events, few drawings
    } while (again);
    drawing = false;
  }

  const events = new EventSource("/api/v1/events?after=" + part().dataset.position);
  events.onopen = () => { connection.textContent = ""; draw(); };
  events.onerror = () => { connection.textContent = "connection lost: what you see may be old"; };
  events.onmessage = draw;
  for (const name of (document.body.dataset.events || "").split(" ").filter(Boolean)) events.addEventListener(name, draw);
  setInterval(draw, 15000); // ages grow without events
})();
