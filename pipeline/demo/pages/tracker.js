// The demo shop's tracker: a device ID of its own, and what happens, sent to Seamline as it happens.
"use strict";
(() => {
  const to = document.currentScript.dataset.to;
  // A frame of the demo page plays a device: its name keeps its ID apart from the other frame's.
  window.name = new URLSearchParams(location.search).get("device") || window.name || "browser";
  const key = `seamline.id.${window.name}`;

  const hex = (bytes) =>
    Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  // 16 digits: a Matomo tracker on the server can go on with the same ID.
  const rotate = () => localStorage.setItem(key, hex(8));
  if (!localStorage.getItem(key)) rotate();

  function send(type, fields) {
    const body = JSON.stringify({
      event_id: hex(16),
      type,
      ts: Date.now(),
      anonymous_id: localStorage.getItem(key),
      url: location.origin + location.pathname,
      title: document.title,
      ...fields,
    });
    // Text as the body is text/plain: no preflight. keepalive: it outlives the page. Sent twice, it is one event.
    fetch(to, { method: "POST", body, keepalive: true }).catch(() => navigator.sendBeacon(to, body));
  }

  window.tracker = {
    track: (name, properties = {}, money = {}) => send("track", { name, properties, ...money }),
    identify: (userId) => send("identify", { user_id: userId }), // holds until logout(), on every later page
    logout() {
      send("logout");
      rotate(); // whoever comes next on this device starts as nobody
    },
  };
  send("page", { referrer: document.referrer });
})();
