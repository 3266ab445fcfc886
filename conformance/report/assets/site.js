// What every page does: show one language, copy code, and remember the language.
"use strict";
(function () {
  const root = document.documentElement;
  const opened = root.lang;
  const KEY = "conformance-language";

  function remembered() {
    try { return localStorage.getItem(KEY); } catch { return null; }
  }

  function wanted() {
    const asked = new URLSearchParams(location.search).get("lang") || remembered();
    const given = asked ? [asked] : navigator.languages || [];
    return given.map((tag) => tag.slice(0, 2));
  }

  // Before the page is laid out, so that nothing is shown in the wrong language first.
  let language = opened;

  function words(element, code) {
    // Text and attributes that hold no elements: the first language is kept when it is replaced.
    for (const [name, value] of Object.entries(element.dataset)) {
      const [own, ...rest] = name.replace(/[A-Z]/g, (c) => "-" + c.toLowerCase()).split("-");
      if (own !== code) continue;
      const attribute = rest.join("-");
      const old = opened.slice(0, 2);
      const kept = old + rest.map((part) => part[0].toUpperCase() + part.slice(1)).join("");
      if (element.dataset[kept] === undefined) {
        element.dataset[kept] = attribute ? element.getAttribute(attribute) : element.textContent;
      }
      if (attribute) element.setAttribute(attribute, value); else element.textContent = value;
    }
  }

  function show(tag) {
    language = tag;
    root.lang = tag;
    const code = tag.slice(0, 2);
    const selector = "title[data-%],option[data-%],[data-%-aria-label],[data-%-title]";
    for (const e of document.querySelectorAll(selector.replaceAll("%", code))) words(e, code);
    for (const button of document.querySelectorAll("[data-language]")) {
      button.setAttribute("aria-pressed", String(button.dataset.language === tag));
    }
  }

  function choose(tag) {
    show(tag);
    try { localStorage.setItem(KEY, tag); } catch { /* a private window forgets */ }
    try {
      const url = new URL(location.href);
      url.searchParams.set("lang", tag.slice(0, 2));
      history.replaceState(null, "", url);
    } catch { /* some browsers do not let a file change its address */ }
  }

  function copy(text, button) {
    function done(worked) {
      button.dataset.state = worked ? "done" : "failed";
      setTimeout(() => { delete button.dataset.state; }, 2000);
    }
    function byHand() {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      const worked = document.execCommand("copy");
      area.remove();
      button.focus();
      done(worked);
    }
    if (!navigator.clipboard) return byHand();
    navigator.clipboard.writeText(text).then(() => done(true), byHand);
  }

  function copyButtons() {
    for (const code of document.querySelectorAll("pre.code")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.addEventListener("click", () => copy(code.textContent, button));
      code.before(button);
    }
  }

  function openTarget() {
    // A link may lead into details that are closed.
    const found = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!found) return;
    let closed = false;
    for (let e = found.closest("details"); e; e = e.parentElement.closest("details")) {
      closed = closed || !e.open;
      e.open = true;
    }
    if (closed) found.scrollIntoView();
  }

  const offered = () => Array.from(document.querySelectorAll("[data-language]"), (b) => b.dataset.language);
  document.addEventListener("DOMContentLoaded", () => {
    const tags = offered();
    const tag = wanted().map((w) => tags.find((t) => t.startsWith(w))).find(Boolean);
    for (const group of document.querySelectorAll(".languages")) {
      group.hidden = false;
      for (const b of group.children) b.addEventListener("click", () => choose(b.dataset.language));
    }
    show(tag || opened);
    copyButtons();
    openTarget();
    window.addEventListener("hashchange", openTarget);
  });
})();
