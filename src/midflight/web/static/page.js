// What a page does by itself: tell the time, notice silence, obey keys, copy commands. All content comes from the server.
(() => {
  const $ = (id) => document.getElementById(id);
  const SILENCE = 9000; // ms; the server says something every three seconds

  // Times. The server's clock is the one that counts.
  const ahead = Date.parse(document.body.dataset.now) - Date.now();
  const words = (seconds) => {
    for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
      if (seconds >= 2 * size) return `${Math.round(seconds / size)} ${unit}`;
    }
    return `${Math.round(seconds)} s`;
  };
  const says = {
    ago: (apart) => `${words(Math.max(0, apart))} ago`,
    for: (apart) => words(Math.max(0, apart)),
    left: (apart) => (apart < 0 ? `in ${words(-apart)}` : "now"),
  };
  function tick() {
    const now = Date.now() + ahead;
    for (const time of document.querySelectorAll("time[data-tick]")) {
      const apart = (now - Date.parse(time.dateTime)) / 1000;
      const text = says[time.dataset.tick](apart);
      if (time.textContent !== text) {
        time.title ||= time.textContent;
        time.textContent = text;
      }
    }
    for (const dial of document.querySelectorAll(".dial[data-since]")) {
      const part = (100 * (now - Date.parse(dial.dataset.since))) / 1000 / Number(dial.dataset.window);
      dial.querySelector(".hand").setAttribute("stroke-dasharray", `${Math.min(100, Math.max(0, part))} 100`);
    }
    watch();
    entitle();
  }

  // The title, which is read in the row of tabs.
  const [page, project] = document.title.split(" · ");
  function entitle() {
    const said = document.querySelector("[data-title]")?.dataset.title ?? page;
    const title = `${$("pulse")?.dataset.state === "away" ? "not connected: " : ""}${said} · ${project}`;
    if (document.title !== title) document.title = title;
  }

  // The connection to who serves it.
  let heard = Date.now(), connection = null, refused = false;
  function hear() {
    heard = Date.now();
    refused = false;
    lively();
  }
  // The server answers; what it shows may be old all the same, and then says so itself.
  function lively() {
    if (document.querySelector("#live .stale")) say("stale", "old picture", "");
    else say("live", "live", "");
  }
  function say(state, word, explained) {
    const pulse = $("pulse"), away = $("away");
    if (!pulse) return;
    if (pulse.dataset.state !== state) {
      pulse.dataset.state = state;
      $("pulse-words").textContent = word;
    }
    document.body.classList.toggle("is-away", state === "away");
    if (away.textContent !== explained) away.textContent = explained;
    away.hidden = !explained;
  }
  function watch() {
    if (!$("pulse") || document.hidden) return;
    const silent = Date.now() - heard;
    if (refused) say("away", "signed out", "You are signed out. Load this page again to sign in.");
    else if (silent > SILENCE) {
      say("away", "not connected", `The server has not answered for ${words(silent / 1000)}. What you see is old; trying again.`);
      again(silent);
    }
  }
  let tried = 0;
  function again(silent) {
    if (Date.now() - tried < 4000) return;
    tried = Date.now();
    if (connection?.reader) connection.reader.cancel().catch(() => {});
    else if (!$("live")?._htmx?.sse) htmx.trigger($("live"), "page:again");
  }
  document.addEventListener("htmx:sse:after:connection", (event) => { connection = event.detail.connection; });
  document.addEventListener("htmx:sse:before:message", hear);
  document.addEventListener("htmx:sse:error", (event) => {
    if (event.detail.status === 401) refused = true;
    else if (!document.hidden) say("away", "not connected", "The server does not answer. What you see is old; trying again.");
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) heard = Date.now(); });
  document.addEventListener("htmx:after:swap", () => { tick(); if ($("pulse")?.dataset.state !== "away") lively(); });
  setInterval(tick, 1000);

  // Commands are copied, not typed.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.dataset.copied = "";
      setTimeout(() => delete button.dataset.copied, 1200);
    } catch { /* where the clipboard is denied, the text can be marked */ }
  });

  // Keys.
  function step(by) {
    const rows = [...document.querySelectorAll("[data-row]")];
    if (!rows.length) return;
    const at = rows.indexOf(document.activeElement);
    rows[Math.min(rows.length - 1, Math.max(0, at + by))].focus();
  }
  let before = "";
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, select, textarea")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const key = event.key;
    if (before === "g") {
      before = "";
      document.querySelector(`nav [data-key="${CSS.escape(key)}"]`)?.click();
    } else if (key === "g") {
      before = "g";
      setTimeout(() => { before = ""; }, 1000);
    } else if (key === "/") {
      event.preventDefault();
      document.querySelector("[data-find]")?.focus();
    } else if (key === "j") step(1);
    else if (key === "k") step(-1);
    else if (key === "t") window.midflightTheme();
    else if (key === "?") $("help").showModal();
  });
  $("theme").addEventListener("click", window.midflightTheme);
  $("keys").addEventListener("click", () => $("help").showModal());
  tick();
})();
