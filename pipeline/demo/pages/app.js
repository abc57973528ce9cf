// The shop as a single page: its own router and sign-in, and our tracker script told of both as any site would.
"use strict";
(() => {
  const asks = new URLSearchParams(location.search).has("ask");
  const tag = document.createElement("script");
  tag.src = "/seamline.js";
  tag.dataset.key = "demo";
  if (asks) tag.dataset.consent = "required"; // `?ask`: nothing is stored or sent before the visitor allows it
  document.head.append(tag);
  const seamline = (...command) => (window.seamline ||= []).push(command);

  const byId = (id) => document.getElementById(id);
  function show(name) {
    document.title = byId("heading").textContent = name[0].toUpperCase() + name.slice(1);
    history.pushState({}, "", `/demo/app/${name}`);
  }
  byId("pages").addEventListener("click", ({ target }) => target.dataset.page && show(target.dataset.page));
  byId("accounts").addEventListener("click", ({ target }) => {
    if (!target.dataset.user) return;
    byId("who").textContent = `${target.textContent} is signed in.`;
    seamline("identify", target.dataset.user);
  });
  byId("sign-out").addEventListener("click", () => {
    byId("who").textContent = "Nobody is signed in.";
    seamline("reset");
  });
  byId("allow").hidden = !asks;
  byId("allow").addEventListener("click", () => seamline("consent", true));
})();
