// Times of the day are those of whoever reads them; without scripts they are UTC.
(() => {
  const near = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
  const far = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  function localise() {
    const today = new Date().toDateString();
    for (const time of document.querySelectorAll("time[data-local]")) {
      const moment = new Date(time.dateTime);
      const text = (moment.toDateString() === today ? near : far).format(moment);
      if (time.textContent !== text) {
        time.title ||= `${time.textContent} UTC`;
        time.textContent = text;
      }
    }
  }
  document.addEventListener("htmx:after:swap", localise);
  localise();
})();
