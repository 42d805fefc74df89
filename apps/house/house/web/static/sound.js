// The patch bay by finger, mouse and keyboard: what is done here is done at once. All content comes from the server.
(() => {
  const key = document.querySelector("meta[name=form-key]")?.content;
  if (!key) return; // who may only look
  const PATIENCE = 10000; // ms; so long a jack shows what was wanted of it before the server does
  const rows = () => [...document.querySelectorAll("#bay [data-target]")];
  const jacks = (row) => [...row.querySelectorAll(".jack")];

  // Say what became of an act, for a while.
  const said = document.getElementById("said");
  let fading = 0;
  function say(words, failed) {
    clearTimeout(fading);
    said.textContent = words;
    said.classList.toggle("is-failed", failed);
    fading = setTimeout(() => { said.textContent = ""; }, failed ? 12000 : 4000);
  }
  async function act(href, more) {
    const url = new URL(href, location);
    const body = new URLSearchParams({ ...Object.fromEntries(url.searchParams), ...more, form_key: key });
    let told;
    try {
      const answer = await fetch(url.pathname, { method: "POST", body, headers: { accept: "application/json" } });
      told = answer.headers.get("content-type")?.includes("json")
        ? await answer.json()
        : { failed: "It was refused. Load this page again, and sign in." };
    } catch {
      told = { failed: "The server does not answer. Look whether anything has changed." };
    }
    say(told.failed ?? told.did.join("; "), Boolean(told.failed));
    return !told.failed;
  }

  // What was chosen is shown at once, until the server shows it too, or refuses it.
  const wanted = new Map(); // target → [stream or "", until when]; that has no end while its act waits for others
  function show() {
    for (const row of rows()) {
      const [stream, until] = wanted.get(row.dataset.target) ?? [];
      if (until < Infinity && (row.dataset.hears === stream || Date.now() > until)) wanted.delete(row.dataset.target);
      const chosen = wanted.get(row.dataset.target)?.[0];
      row.classList.toggle("is-wanted", chosen !== undefined);
      for (const jack of jacks(row)) {
        const on = chosen === undefined ? jack.dataset.on : String(jack.dataset.stream === chosen);
        if (jack.getAttribute("aria-pressed") !== on) jack.setAttribute("aria-pressed", on);
      }
    }
    rove();
  }
  const patching = new Map(); // target → its last act: one follows the other, so that the last choice counts
  async function patch(row, stream) {
    const targets = [row.dataset.target, ...(row.dataset.rooms?.split(" ") ?? [])].filter(Boolean);
    const fields = new URLSearchParams(stream ? { target: row.dataset.target, stream } : { target: row.dataset.target });
    const wish = [stream, Infinity];
    const done = Promise.all(targets.map((target) => patching.get(target))).then(() => {
      wish[1] = Date.now() + PATIENCE;
      return act(`/act/${stream ? "patch" : "silence"}?${fields}`);
    });
    for (const target of targets) {
      wanted.set(target, wish);
      patching.set(target, done);
    }
    show();
    const failed = !(await done);
    for (const target of targets) {
      if (patching.get(target) === done) patching.delete(target);
      if (failed && wanted.get(target) === wish) wanted.delete(target);
    }
    show();
  }

  document.addEventListener("click", async (event) => {
    const link = event.target.closest("#live [data-do]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (link.matches(".jack")) {
      patch(link.closest("[data-target]"), link.getAttribute("aria-pressed") === "true" ? "" : link.dataset.stream);
    } else if (!link.hasAttribute("aria-busy")) {
      link.setAttribute("aria-busy", "true");
      await act(link.href);
      link.removeAttribute("aria-busy");
    }
  });

  // Keys. One jack of each row is in the order of Tab; arrows lead to all of them.
  function rove() {
    for (const row of rows()) {
      const ours = jacks(row);
      const first = ours.find((jack) => jack.getAttribute("aria-pressed") === "true") ?? ours[0];
      for (const jack of ours) jack.tabIndex = jack === first ? 0 : -1;
    }
  }
  function neighbour(row, jack, name) {
    const ours = jacks(row), at = ours.indexOf(jack), all = rows();
    const beside = all[all.indexOf(row) + { ArrowUp: -1, ArrowDown: 1 }[name]];
    switch (name) {
      case "ArrowLeft": return ours[at - 1];
      case "ArrowRight": return ours[at + 1];
      case "Home": return ours[0];
      case "End": return ours.at(-1);
      default: return beside && (jacks(beside)[Math.max(at, 0)] ?? beside);
    }
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
    if (event.key === " " && event.target.matches("[role=button]")) {
      event.preventDefault();
      event.target.click();
      return;
    }
    const row = event.target.closest("#bay [data-target]"), jack = event.target.closest(".jack");
    if (!row) return;
    if (event.key === "m") row.querySelector(".mute")?.click();
    else if (event.key === "Delete" || event.key === "Backspace") patch(row, "");
    else if (/^(Arrow|Home|End)/.test(event.key) && (jack || event.target === row)) {
      event.preventDefault();
      neighbour(row, jack, event.key)?.focus();
    }
  });

  // A stream is dragged onto a room, from its head or from another room.
  let dragged = null;
  const over = (row) => { for (const each of rows()) each.classList.toggle("is-over", each === row); };
  document.addEventListener("dragstart", (event) => {
    const from = event.target.closest?.("#bay [data-stream]");
    if (!from) return;
    dragged = from.dataset.stream;
    event.dataTransfer.setData("text/plain", dragged);
    event.dataTransfer.effectAllowed = "all";
  });
  document.addEventListener("dragover", (event) => {
    const row = dragged && event.target.closest?.("#bay [data-target]");
    over(row);
    if (row) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    const row = dragged && event.target.closest?.("#bay [data-target]");
    if (!row) return;
    event.preventDefault();
    patch(row, dragged);
  });
  document.addEventListener("dragend", () => { dragged = null; over(null); });

  // Volumes: while one is moved, the last place counts, one act after the other.
  const moving = new Map(); // id → the place that is still to be told, or null
  async function move(slider) {
    const busy = moving.has(slider.id);
    moving.set(slider.id, slider.value);
    if (busy) return;
    while (moving.get(slider.id) !== null) {
      const percent = moving.get(slider.id);
      moving.set(slider.id, null);
      await act(slider.dataset.href, { percent });
    }
    moving.delete(slider.id);
  }
  function label(slider) {
    const output = slider.parentElement.querySelector("output");
    if (output.textContent !== slider.value) output.textContent = slider.value;
  }
  document.addEventListener("input", (event) => {
    if (!event.target.matches("[data-volume]")) return;
    label(event.target);
    move(event.target);
  });

  document.addEventListener("htmx:after:swap", () => {
    show();
    for (const slider of document.querySelectorAll("[data-volume]")) {
      if (!moving.has(slider.id) && !slider.matches(":active")) slider.value = slider.getAttribute("value");
      label(slider);
    }
  });
  setInterval(show, 1000);
  show();
})();
