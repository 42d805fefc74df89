// The scrubber: until when the journal is shown. At its end it follows the present, and says no time.
(() => {
  const range = document.getElementById("scrub"), words = document.getElementById("scrubbed");
  if (!range) return;
  const at = document.createElement("input");
  at.type = "hidden";
  at.name = "at";
  range.after(at);
  range.removeAttribute("name");

  const isNow = () => Number(range.value) > range.max - (range.step || 1);
  function tell() {
    const then = new Date(1000 * range.value).toISOString();
    const text = isNow() ? "now" : then.slice(0, 10) === new Date().toISOString().slice(0, 10) ? then.slice(11, 19) : `${then.slice(0, 10)} ${then.slice(11, 16)}`;
    words.textContent = text;
    range.setAttribute("aria-valuetext", text);
    at.value = isNow() ? "" : range.value;
  }
  function grow() {
    const wave = document.getElementById("wave");
    if (!wave) return;
    const now = isNow();
    range.min = wave.dataset.since;
    range.max = wave.dataset.until;
    range.step = Math.max(1, Math.round((range.max - range.min) / 500));
    if (now) range.value = range.max;
    tell();
  }
  range.addEventListener("input", tell);
  document.addEventListener("htmx:after:swap", grow);
  grow();
})();
