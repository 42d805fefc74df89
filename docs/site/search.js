// The search of the site, in the page itself: a site that is read from a folder may neither start workers nor fetch
// files, so the index is a script as well. It is loaded when somebody searches. Takes the place of MkDocs' search/main.js.
addEventListener("DOMContentLoaded", () => { // the field stands behind this script in the page
  const input = document.getElementById("mkdocs-search-query");
  const shown = document.getElementById("mkdocs-search-results");
  const MOST = 20, AROUND = 80;
  let index, pages;

  const load = (name) => new Promise((done, failed) => {
    const script = Object.assign(document.createElement("script"), { src: `${base_url}/search/${name}` });
    script.onload = done;
    script.onerror = failed;
    document.head.append(script);
  });

  const ready = async () => {
    await load("lunr.js");
    await load("index.js"); // it says: searchPages = […]
    lunr.tokenizer.separator = /[^\p{L}\p{N}]+/u; // so that service.ready and --wait are found
    pages = new Map(searchPages.map((page) => [page.location, page]));
    index = lunr(function () {
      this.ref("location");
      this.field("title", { boost: 5 });
      this.field("text");
      searchPages.forEach((page) => this.add(page));
    });
  };

  // Every word has to be there, the last one also as a beginning: it may still be typed.
  const found = (typed) => {
    const words = lunr.tokenizer(typed).filter((word) => `${word}` && lunr.stopWordFilter(word)).map(lunr.stemmer);
    return words.length === 0 ? [] : index.query((query) => {
      words.forEach((word, place) => {
        const wildcard = place === words.length - 1 ? lunr.Query.wildcard.TRAILING : lunr.Query.wildcard.NONE;
        query.term(`${word}`, { wildcard, usePipeline: false, presence: lunr.Query.presence.REQUIRED });
      });
    }).slice(0, MOST).map((result) => pages.get(result.ref));
  };

  const part = (page, typed) => {
    const at = Math.max(0, page.text.toLowerCase().indexOf(typed.toLowerCase()) - AROUND);
    return `${at ? "… " : ""}${page.text.slice(at, at + 3 * AROUND)} …`;
  };

  const item = (page, typed) => {
    const article = Object.assign(document.createElement("article"), { className: "mt-3" });
    const link = Object.assign(document.createElement("a"), {
      href: `${base_url}/${page.location}`, textContent: page.title,
    });
    const title = document.createElement("h5");
    title.append(link);
    article.append(title, Object.assign(document.createElement("p"), { textContent: part(page, typed) }));
    return article;
  };

  const say = (textContent) => shown.replaceChildren(Object.assign(document.createElement("p"), { textContent }));

  let loading;
  input.addEventListener("input", async () => {
    try {
      await (loading ??= ready().catch((wrong) => { loading = undefined; throw wrong; }));
    } catch {
      return say("The search could not be loaded. What you type next tries again.");
    }
    const typed = input.value.trim(), results = found(typed);
    if (results.length) shown.replaceChildren(...results.map((page) => item(page, typed)));
    else say(typed && "Nothing has all of these words.");
  });
  input.form.addEventListener("submit", (event) => {
    event.preventDefault();
    shown.querySelector("a")?.click();
  });
});
