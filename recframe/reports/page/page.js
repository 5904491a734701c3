"use strict";
// Draws the charts of the page, lets metrics be chosen and policies be hidden, and copies commands.
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const values = (column) => Array.isArray(column) ? column : column.places.map((place) => place === null ? null : column.texts[place]);
  function rowsOf(columns) {
    const names = Object.keys(columns), lists = names.map((name) => values(columns[name]));
    return lists.length ? lists[0].map((_, row) => Object.fromEntries(names.map((name, place) => [name, lists[place][row]]))) : [];
  }
  async function unpacked(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  }
  // colours are the page's own, so that dark and light pages and prints need no other drawing
  const config = {
    background: "transparent", font: "system-ui, sans-serif", view: {stroke: "var(--line)"},
    axis: {labelColor: "var(--text)", titleColor: "var(--soft)", gridColor: "var(--line)", domainColor: "var(--line)", tickColor: "var(--line)",
           labelFontSize: 12, titleFontSize: 12, titleFontWeight: 500, labelLimit: 240},
    axisY: {labelLimit: window.innerWidth < 600 ? 120 : 240},
    legend: {labelColor: "var(--text)", titleColor: "var(--soft)"}, text: {color: "var(--text)"},
  };
  const options = {actions: false, renderer: "svg", config, tooltip: {theme: "custom"}};
  const views = new Map();
  function set(group, name, value) {
    for (const chart of group.querySelectorAll(".chart")) {
      const view = views.get(chart);
      if (view) {
        try { view.signal(name, value).runAsync(); } catch { /* this chart has no such choice */ }
      }
    }
  }
  function hiddenIn(legend) {
    return [...legend.querySelectorAll('[aria-pressed="false"]')].map((button) => button.dataset.policy);
  }
  function controls() {
    for (const select of document.querySelectorAll("select[data-signal]")) {
      const tell = () => set(select.closest(".group"), select.dataset.signal, select.value);
      select.addEventListener("change", tell);
      tell();  // a reload may have kept another choice
    }
    for (const legend of document.querySelectorAll(".legend")) {
      legend.addEventListener("click", (event) => {
        const button = event.target.closest("button");
        if (!button) return;
        button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") === "false"));
        set(legend.closest(".group"), legend.dataset.signal, hiddenIn(legend));
      });
    }
  }
  async function draw() {
    const charts = read("charts"), places = [...document.querySelectorAll(".chart")];
    if (!places.length) return;
    const script = document.createElement("script");
    script.textContent = await unpacked(document.getElementById("vega").textContent);
    document.head.append(script);
    for (const place of places) {
      const {spec, columns} = charts[Number(place.dataset.chart)];
      spec.datasets = {rows: rowsOf(columns)};
      views.set(place, (await window.vegaEmbed(place, spec, options)).view);
    }
    controls();
  }
  function copying() {
    document.addEventListener("click", async (event) => {
      const button = event.target.closest(".copy");
      if (!button) return;
      const code = button.previousElementSibling;
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "copied";
      } catch {  // a page from a file may not always use the clipboard
        window.getSelection().selectAllChildren(code);
        button.textContent = "selected";
      }
      setTimeout(() => { button.textContent = "copy"; }, 1500);
    });
  }
  function aging() {
    const made = document.getElementById("made"), every = Number(document.body.dataset.reload || 0);
    const tell = () => {
      const seconds = Math.max(0, Math.round((Date.now() - Date.parse(made.dateTime)) / 1000));
      const [number, unit] = seconds < 120 ? [seconds, "s"] : seconds < 7200 ? [Math.round(seconds / 60), "min"] : [Math.round(seconds / 3600), "h"];
      document.getElementById("age").textContent = seconds < 172800 ? `, ${number} ${unit} ago` : "";
    };
    tell();
    setInterval(tell, every ? 1000 : 60000);
    if (every) setInterval(() => { if (document.visibilityState === "visible") location.reload(); }, every * 1000);
  }
  copying();
  aging();
  draw().then(() => { document.body.dataset.drawn = "true"; }, (error) => {
    console.error(error);
    for (const place of document.querySelectorAll(".chart:empty")) place.textContent = `This chart cannot be drawn: ${error.message}`;
  });
})();
