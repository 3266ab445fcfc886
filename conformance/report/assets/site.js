// What every page does: show one language, copy code, and remember the language.
"use strict";
(function () {
  const root = document.documentElement;
  const opened = root.lang;
  const offered = root.dataset.languages.split(" ");
  const KEY = "conformance-language";

  // What is chosen holds for every visit; what an address asks for, while its tab is open.
  function remember(kept, tag) {
    try { window[kept].setItem(KEY, tag); } catch { /* a private window forgets */ }
  }

  function remembered(kept) {
    try { return window[kept].getItem(KEY); } catch { return null; }
  }

  function wanted() {
    const asked = new URLSearchParams(location.search).get("lang");
    if (asked) remember("sessionStorage", asked);
    const given = [asked, remembered("sessionStorage"), remembered("localStorage")];
    const known = [...given, ...navigator.languages].filter(Boolean).map((tag) => tag.slice(0, 2));
    return known.map((code) => offered.find((tag) => tag.startsWith(code))).find(Boolean) || opened;
  }

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
    root.lang = tag;
    const code = tag.slice(0, 2);
    const selector = "title[data-%],option[data-%],[data-%-aria-label],[data-%-title],[data-%-href]";
    for (const e of document.querySelectorAll(selector.replaceAll("%", code))) words(e, code);
    for (const button of document.querySelectorAll("[data-language]")) {
      button.setAttribute("aria-pressed", String(button.dataset.language === tag));
    }
  }

  function choose(tag) {
    show(tag);
    remember("localStorage", tag);
    remember("sessionStorage", tag);
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
    const template = document.getElementById("copy");
    for (const code of document.querySelectorAll("pre.code")) {
      const button = template.content.firstElementChild.cloneNode(true);
      button.addEventListener("click", () => copy(code.textContent, button));
      code.before(button);
    }
  }

  function openTarget() {
    // A link may lead into details that are closed.
    let id = location.hash.slice(1);
    try { id = decodeURIComponent(id); } catch { /* not an address of ours */ }
    const found = id && document.getElementById(id);
    if (!found) return;
    let closed = false;
    for (let e = found.closest("details"); e; e = e.parentElement.closest("details")) {
      closed = closed || !e.open;
      e.open = true;
    }
    if (closed) found.scrollIntoView();
  }

  // Before anything is laid out, so that nothing is shown in the wrong language first.
  root.lang = wanted();
  document.addEventListener("DOMContentLoaded", () => {
    for (const group of document.querySelectorAll(".languages")) {
      group.hidden = false;
      for (const b of group.children) b.addEventListener("click", () => choose(b.dataset.language));
    }
    show(root.lang);
    copyButtons();
    openTarget();
    window.addEventListener("hashchange", openTarget);
  });
})();
