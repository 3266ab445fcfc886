// The index: search and filters, their state in the address, and the map's arrow keys.
"use strict";
(function () {
  const form = document.querySelector("form.filters");
  const empty = document.querySelector(".empty");
  const shown = form.querySelector(".shown");
  const fields = Array.from(form.querySelectorAll("input, select"));
  const columns = Array.from(document.querySelectorAll(".heads [data-mode]"), (head) => head.dataset);
  const squares = Array.from(document.querySelectorAll(".map a"));
  const hiding = document.head.appendChild(document.createElement("style"));

  // One record a pair: the tables are read once, a keystroke compares strings.
  const groups = Array.from(document.querySelectorAll(".operation"), (body) => {
    const title = body.querySelector("h4 a").textContent.toLowerCase();
    return {
      body, area: body.dataset.area,
      pairs: Array.from(body.querySelector("tbody").rows, (row) => ({
        row, claim: row.dataset.claim, text: title + " " + row.cells[0].textContent.toLowerCase(),
        cells: Array.from(row.cells).slice(1).map((cell) => ({
          verdicts: Array.from(cell.querySelectorAll(".v"), (v) => v.classList[2]),
          kinds: (cell.dataset.kinds || "").split(" "),
        })),
      })),
    };
  });
  groups.flatMap((group) => group.pairs).forEach((pair, i) => { pair.square = squares[i]; });

  function state() {
    return Object.fromEntries(fields.map((field) => [field.name, field.value.trim()]));
  }

  function columnsOf(s) {
    return columns.map((c) => ["framework", "device", "mode"].every((k) => !s[k] || c[k] === s[k]));
  }

  function matches(pair, area, s, words, chosen) {
    if ((s.area && s.area !== area) || (s.claim && s.claim !== pair.claim)) return false;
    if (!words.every((word) => pair.text.includes(word))) return false;
    return pair.cells.some((cell, i) => chosen[i] && cell.verdicts.length > 0
      && (!s.verdict || cell.verdicts.includes(s.verdict))
      && (!s.kind || cell.kinds.includes(s.kind)));
  }

  function apply() {
    const s = state();
    const words = s.q.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = columnsOf(s);
    let count = 0;
    for (const group of groups) {
      let left = 0;
      for (const pair of group.pairs) {
        const found = matches(pair, group.area, s, words, chosen);
        if (pair.row.hidden === found) pair.row.hidden = !found;
        pair.square.classList.toggle("out", !found);
        left += found;
      }
      count += left;
      group.body.hidden = left === 0;
      group.body.style.setProperty("--pairs", left);
    }
    const off = chosen.flatMap((on, i) => (on ? [] : [
      `.heads>:nth-child(${i + 2}),.operation tr>:nth-child(${i + 2}),.map a>:nth-child(${i + 1})`]));
    hiding.textContent = off.length ? off.join(",") + "{display:none}" : "";
    if (stop && stop.classList.contains("out")) stopAt(visible(-1, 1) || stop);
    shown.textContent = count;
    empty.hidden = count > 0;
  }

  function save() {
    const given = Object.entries(state()).filter(([, value]) => value);
    const hash = given.length ? "#" + new URLSearchParams(given) : "";
    try {
      history.replaceState(null, "", location.pathname + location.search + hash);
    } catch {
      location.hash = hash;
    }
  }

  function restore() {
    const given = new URLSearchParams(location.hash.slice(1));
    for (const field of fields) field.value = given.get(field.name) || "";
    apply();
  }

  // The map is one stop for the Tab key; arrow keys move inside it.
  let stop = null;

  function stopAt(square) {
    if (stop) stop.tabIndex = -1;
    stop = square;
    stop.tabIndex = 0;
  }

  function visible(i, step) {
    for (i += step; i >= 0 && i < squares.length; i += step) {
      if (!squares[i].classList.contains("out")) return squares[i];
    }
    return null;
  }
  for (const square of squares) square.tabIndex = -1;
  if (squares.length) stopAt(squares[0]);

  form.hidden = false;
  form.addEventListener("input", () => { apply(); save(); });
  form.addEventListener("reset", () => setTimeout(() => { apply(); save(); }));
  for (const total of document.querySelectorAll(".totals [data-verdict]")) {
    total.addEventListener("click", (event) => {
      event.preventDefault();
      form.elements.verdict.value = total.dataset.verdict;
      apply();
      save();
      document.getElementById("operations").scrollIntoView();
      form.elements.verdict.focus({preventScroll: true});
    });
  }
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", () => {
    if (/^#\w+=/.test(location.hash) || !location.hash) restore();
  });
  if (/^#\w+=/.test(location.hash)) {
    // Whoever is sent a link to a view is to see it, not what is above it.
    restore();
    document.getElementById("operations").scrollIntoView();
  } else {
    apply();
  }

  document.querySelector(".map").addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const at = squares.indexOf(document.activeElement);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const next = event.key === "Home" ? visible(-1, 1)
      : event.key === "End" ? visible(squares.length, -1) : step && visible(at, step);
    if (at < 0 || !next) return;
    event.preventDefault();
    stopAt(next);
    next.focus();
  });
})();
