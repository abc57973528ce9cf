// Seamline's tracker script: who is here, what they do, sent so that nothing is lost and nothing counts twice.
// It answers three APIs: window.seamline (typed in seamline.d.ts), Contentsquare's _uxa and MetricsWave's metricswave.
// Served without these comments. Storage: `_seam` (cookie) and `_seam.*` (this origin's), and nothing before it may.
(() => {
  "use strict";
  const tag = document.currentScript || document.querySelector("script[data-key],script[event-uuid]");
  const early = window.seamline;
  if (!tag || (early && !Array.isArray(early))) return; // a second tag would count everything twice
  const option = (name) => tag.getAttribute(name);
  const base = tag.src.split(/[?#]/)[0].replace(/(js\/)?[^/]*$/, "");
  const uuid = option("event-uuid"); // MetricsWave's attribute: then everything goes to that webhook
  const domains = (option("data-domains") || "").split(/[\s,]+/).filter(Boolean);
  const consentRequired = option("data-consent") === "required";

  const ID = "_seam"; // also the parameter of a hand-over link
  const USER = "_seam.user";
  const PROPERTIES = "_seam.props";
  const QUEUE = "_seam.q.";
  const VARIABLES = "_seam.vars";
  const VISIT = "_seam.visit";
  const CONSENT = "_seam.consent";
  const OPTED_OUT = "_seam.out";
  const ID_S = 395 * 86400; // 13 months from the day it was made; visits do not extend it
  const QUEUE_MAX = 200;
  const BATCH_MAX = 20;
  const BATCH_CHARS_MAX = 6e4; // browsers take 64 KiB from a page that is leaving
  const LINGER_MS = 500;
  const STRAY_MS = 1e4;
  const STALE_MS = 7 * 864e5;
  const BACKOFF_MS_MAX = 3e5;
  const HAND_OVER_S = 120;
  // The IDs that are none, as the server knows them: they must not look like somebody else having signed in.
  const NOBODY = new RegExp(
    "^(null|undefined|none|nil|nan|n/a|na|-1|true|false|anonymous|guest|unknown|unidentified|test|id|user_?id|email|" +
      "distinct_id|not_authenticated|anonymoususer|\\[object object\\]|[-0{}]*)$", "i");

  const complain = (...words) => console.warn("seamline:", ...words);
  const now = () => Date.now();
  const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const hex = (count) => toHex(crypto.getRandomValues(new Uint8Array(count)));

  // --- storage: a browser may block it, or it may be full; then this page remembers by itself -----------------------

  const attempt = (use) => {
    try {
      return use();
    } catch {
      return undefined;
    }
  };
  const store = (name) => {
    const memory = {};
    return {
      get: (key) => (key in memory ? memory[key] : attempt(() => window[name].getItem(key)) || ""),
      set(key, text) {
        this.del(key);
        if (!attempt(() => window[name].setItem(key, text) || true)) memory[key] = text;
      },
      del(key) {
        delete memory[key];
        attempt(() => window[name].removeItem(key));
      },
      keys: () => [...(attempt(() => Object.keys(window[name])) || []), ...Object.keys(memory)],
      read(key) {
        return attempt(() => JSON.parse(this.get(key))) || {};
      },
    };
  };
  const local = store("localStorage");
  const session = store("sessionStorage");

  // --- may we? Read anew each time: another tab may have been told otherwise ----------------------------------------

  const refused = () =>
    navigator.globalPrivacyControl || navigator.doNotTrack === "1" || local.get(OPTED_OUT) === "1";
  const allowed = () => {
    const consent = local.get(CONSENT);
    return !refused() && (consent === "1" || (!consentRequired && consent !== "0"));
  };

  // What is called before consent, or while a hash is being computed, waits here in its order.
  const held = [];
  let hashing = false;
  function when(run) {
    if (refused()) return;
    if (held.length < QUEUE_MAX) held.push(run);
    release();
  }
  function release() {
    while (held.length && !hashing && allowed()) {
      try {
        held.shift()();
      } catch (error) {
        complain(error); // a value that is no JSON: ours to report, not the page's to die of
      }
    }
  }

  function forget() {
    cookie("", 0);
    [ID, USER, PROPERTIES, ...queued()].forEach((key) => local.del(key));
    [VARIABLES, VISIT].forEach((key) => session.del(key));
    held.length = 0;
    passing = {};
  }

  // --- the anonymous ID: `<hex>.<when it was made>`; the time is in seconds, base 36 --------------------------------

  const stamp = (id, seconds) => id + "." + Math.floor(seconds).toString(36);
  const parse = (text) => {
    const [all, id, made] = /^([0-9a-f]{16,64})\.([0-9a-z]{1,8})$/.exec(text) || [];
    return all && { id, made: parseInt(made, 36) };
  };
  const cookie = (text, seconds) =>
    attempt(() => {
      const secure = location.protocol === "https:" ? ";secure" : "";
      if (text !== undefined) document.cookie = ID + "=" + text + ";path=/;max-age=" + seconds + ";samesite=lax" + secure;
      return (/(?:^|; )_seam=([^;]*)/.exec(document.cookie) || [])[1];
    });
  function writeId(id, made) {
    const text = stamp(id, made);
    if (cookie(text, Math.round(made + ID_S - now() / 1e3)) !== text) local.set(ID, text);
  }
  function readId() {
    const stored = parse(cookie()) || parse(local.get(ID));
    return stored && now() / 1e3 - stored.made < ID_S ? stored.id : "";
  }
  function anonymousId() {
    if (!readId()) writeId(hex(16), now() / 1e3);
    return readId();
  }

  // Who signed in, together with the ID under which that was said: a lost cookie takes the sign-in with it.
  function user() {
    const { id, name } = local.read(USER);
    return name && id === readId() ? name : "";
  }
  function rotate() {
    local.del(USER);
    local.del(PROPERTIES);
    session.del(VARIABLES);
    session.del(VISIT);
    writeId(hex(16), now() / 1e3);
  }

  // --- hits: what is seen is taken down at once; IDs and properties are added when the hit may exist ----------------

  let clock = 0;
  // No two calls have the same time: what was called first stays first in the journey.
  const tick = () => (clock = Math.max(clock + 1, now()));
  const draft = (type, fields) => ({
    event_id: hex(16),
    type,
    ts: tick(),
    url: location.href,
    title: document.title,
    language: navigator.language,
    ...fields,
  });
  function admit(hit) {
    const isPage = hit.type === "page";
    hit.anonymous_id = anonymousId();
    hit.properties = { ...local.read(PROPERTIES), ...riding(isPage), ...hit.properties };
    if (uuid) keep("webhooks/" + uuid, isPage ? visit(hit) : happening(hit));
    else keep("", hit);
  }
  const hitNow = (type, fields) => {
    const hit = draft(type, fields);
    when(() => admit(hit));
  };

  // MetricsWave's own names. The user is restated each time; `triggered_at` makes a repetition the same event.
  const webhook = (hit, fields) => ({
    deviceName: hit.anonymous_id,
    userId: hit.user_id || user(),
    triggered_at: new Date(hit.ts).toISOString(),
    language: hit.language,
    ...fields,
  });
  function visit(hit) {
    const { pathname, host, searchParams } = new URL(hit.url);
    const params = { f: "script", path: pathname, domain: host, referrer: hit.referrer, visit: session.get(VISIT) ? 0 : 1 };
    session.set(VISIT, "1");
    for (const name of ["source", "medium", "campaign", "term", "content"].map((word) => "utm_" + word)) {
      const value = searchParams.get(name) || (name === "utm_source" && searchParams.get("ref"));
      if (value) params[name] = value;
    }
    return webhook(hit, { ...params, ...hit.properties });
  }
  const happening = (hit) =>
    webhook(hit, {
      event: hit.name || hit.type,
      url: hit.url,
      amount: hit.revenue && Math.round(hit.revenue * 100),
      ...hit.traits,
      ...hit.properties,
    });

  // --- pages --------------------------------------------------------------------------------------------------------

  let last;
  let from = document.referrer;
  let nextPath;
  let nextQuery;
  let pages = 0;
  const route = () => location.pathname + (/^#[!/]/.test(location.hash) ? location.hash : "");
  function page(path, properties) {
    const url = new URL(path || nextPath || location.href, location.href);
    if (nextQuery) url.search = nextQuery;
    hitNow("page", { url: url.href, referrer: from, properties });
    last = route();
    from = url.href;
    nextPath = nextQuery = undefined;
    pages++;
  }
  const auto = () => {
    if (option("data-auto") !== "false" && route() !== last) page();
  };

  // --- identity -----------------------------------------------------------------------------------------------------

  const isNobody = (name) => name.length > 255 || NOBODY.test(name);
  function identify(id, traits, hash) {
    if (id === null || id === undefined) return;
    const name = String(id).trim();
    const hit = draft("identify", { user_id: name, traits, holds: true });
    tick(); // for the page view that may follow
    when(() => {
      if (!hash) return signIn(hit, isNobody(name));
      if (!crypto.subtle) return complain("{hash: true} needs https; nothing was sent");
      hashing = true;
      sha256(name).then((digest) => {
        hashing = false;
        hit.user_id = digest;
        if (allowed()) signIn(hit, isNobody(name));
        release();
      });
    });
  }
  async function sha256(text) {
    return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))));
  }
  function signIn(hit, nobody) {
    const before = user();
    if (nobody) return admit(hit); // the server takes no such ID, and counts it
    if (before === hit.user_id) {
      if (hit.traits) admit({ ...hit, type: "traits", user_id: undefined, holds: undefined });
      return;
    }
    // Somebody else: the device starts anew, and what is looked at now is looked at by them.
    if (before) rotate();
    local.set(USER, JSON.stringify({ id: anonymousId(), name: hit.user_id }));
    const { url, title, ts, language } = hit;
    admit(hit);
    if (before) {
      admit({ event_id: hex(16), type: "page", ts: ts + 1, url, title, language });
      last = route();
    }
    flush();
  }
  function reset(onlyUser) {
    const hit = draft("logout");
    when(() => {
      if (onlyUser === true && !user()) return;
      if (readId()) admit(hit);
      rotate();
      flush();
    });
  }

  // --- variables that ride on the next hits -------------------------------------------------------------------------

  let passing = {}; // of a page: ends where the page after the one it rode on begins
  function riding(isPage) {
    const riders = Object.fromEntries(Object.values(session.read(VARIABLES)));
    for (const [key, variable] of Object.entries(passing)) {
      const over = isPage && variable.seen;
      if (!over && (isPage || !variable.pageOnly)) riders[variable.name] = variable.value;
      if (over || (isPage && variable.pageOnly)) delete passing[key];
      variable.seen = variable.seen || isPage;
    }
    return riders;
  }
  function setCustomVariable(index, name, value, scope) {
    if (!(index >= 1 && index <= 20)) return;
    const pair = [String(name).slice(0, 512), String(value).slice(0, 255)];
    const nextPage = scope === 4 || scope === "nextPageOnly";
    when(() => {
      const visitWide = session.read(VARIABLES);
      delete visitWide[index];
      delete passing[index];
      if (nextPage || scope === 3 || scope === "page")
        passing[index] = { name: pair[0], value: pair[1], pageOnly: nextPage };
      else visitWide[index] = pair;
      session.set(VARIABLES, JSON.stringify(visitWide));
    });
  }
  function trackDynamicVariable({ key, value }) {
    const name = String(key).slice(0, 512);
    const slot = "dynamic " + name;
    const seen = pages > 0;
    when(() => {
      if (!passing[slot] && Object.keys(passing).filter((other) => other[0] === "d").length >= 40) return;
      passing[slot] = { name, value: typeof value === "number" ? value : (value || "cs-empty").slice(0, 255), seen };
    });
  }
  const changeProperties = (change) =>
    when(() => {
      const properties = local.read(PROPERTIES);
      local.set(PROPERTIES, JSON.stringify(change(properties) || properties));
    });

  // --- delivery: a hit is stored before it is sent, and removed when the server has it. Sent twice, it is one event --

  const flying = new Set(); // keys of hits, here and below
  const mine = new Set();
  let timer;
  let timerAt;
  let failures = 0;
  let notBefore = 0;
  let airborne = 0;
  const queued = () => local.keys().filter((key) => key.startsWith(QUEUE)).sort();
  const born = (key) => parseInt(key.slice(QUEUE.length), 36);
  function later(ms) {
    const at = now() + ms;
    if (timer && at >= timerAt) return;
    clearTimeout(timer);
    timerAt = at;
    timer = setTimeout(() => {
      timer = 0;
      flush();
    }, ms);
  }
  function keep(path, body) {
    // A key of its own for each hit: two tabs never overwrite each other's queue.
    queued().slice(0, 1 - QUEUE_MAX).forEach((key) => local.del(key));
    const key = QUEUE + now().toString(36) + "." + hex(4);
    local.set(key, JSON.stringify({ path, body }));
    mine.add(key);
    later([...mine].filter((other) => !flying.has(other)).length < BATCH_MAX ? LINGER_MS : 0);
  }
  function flush(leaving) {
    if (!allowed()) return;
    const time = now();
    if (!leaving && time < notBefore) return later(notBefore - time);
    let batch = [];
    let keys = [];
    let chars = 0;
    const ship = () => {
      if (keys.length) post("v1/hits?key=" + encodeURIComponent(option("data-key")), "[" + batch + "]", keys, leaving);
      batch = [];
      keys = [];
      chars = 0;
    };
    for (const key of queued()) {
      const age = time - born(key);
      if (age > STALE_MS) local.del(key); // too late to be attributed like its neighbours
      // What is not this page's belongs to another tab, which is sending it, or to a page that is gone.
      if (flying.has(key) || age > STALE_MS || (!mine.has(key) && age < STRAY_MS)) continue;
      const { path, body } = local.read(key);
      if (!body) continue; // another tab was faster
      const text = JSON.stringify({ ...body, sent_at: path ? undefined : time });
      if (path) {
        post(path, text, [key], leaving);
        continue;
      }
      if (keys.length === BATCH_MAX || chars + text.length > BATCH_CHARS_MAX) ship();
      batch.push(text);
      keys.push(key);
      chars += text.length;
    }
    ship();
    if (queued().length) later(STRAY_MS + 1e3);
  }
  function post(path, body, keys, leaving) {
    if (leaving) {
      // Nobody will see whether this arrives, so it stays stored, and the next page sends it again.
      if (navigator.sendBeacon(base + path, body)) keys.forEach((key) => mine.delete(key));
      return;
    }
    keys.forEach((key) => flying.add(key));
    airborne += body.length;
    // A text body is text/plain: no preflight.
    fetch(base + path, { method: "POST", body, credentials: "omit", keepalive: airborne < BATCH_CHARS_MAX })
      .then((reply) => reply.status, () => 0)
      .then((status) => {
        const again = !status || status === 429 || status >= 500;
        airborne -= body.length;
        keys.forEach((key) => {
          flying.delete(key);
          if (again) return;
          mine.delete(key);
          local.del(key);
        });
        failures = again ? failures + 1 : 0;
        notBefore = again ? now() + Math.min(BACKOFF_MS_MAX, 500 * 2 ** failures) * (0.5 + Math.random() / 2) : 0;
        if (again) later(notBefore - now());
      });
  }

  // --- the three APIs -----------------------------------------------------------------------------------------------

  const track = (name, properties, money) => {
    const { revenue, currency } = money || {};
    hitNow("track", { name: String(name), properties, revenue: revenue === undefined ? revenue : +revenue, currency });
  };
  const setTraits = (traits) => hitNow("traits", { traits });
  const own = {
    page,
    track,
    identify: (id, traits) => identify(id, traits),
    reset,
    setTraits,
    consent(given) {
      if (given) {
        if (refused()) return;
        local.set(CONSENT, "1");
        release();
        return;
      }
      if (local.get(CONSENT) === "1" || !consentRequired) forget();
      if (consentRequired) local.del(CONSENT);
      else local.set(CONSENT, "0");
    },
    optOut() {
      forget();
      local.set(OPTED_OUT, "1");
    },
    optIn() {
      if (local.get(OPTED_OUT)) last = undefined;
      local.del(OPTED_OUT);
      auto();
    },
    anonymousId: () => (allowed() ? anonymousId() : null),
  };

  let order;
  const contentsquare = {
    identify: (id, options) => identify(id, undefined, options && options.hash),
    resetIdentity: reset,
    getIdentity(callback) {
      // The hash, never the identity. What has the form of one was hashed before it was stored.
      const answer = () => {
        const name = user();
        return name && !/^[0-9a-f]{64}$/.test(name) ? crypto.subtle && sha256(name) : name;
      };
      if (allowed()) when(() => Promise.resolve(answer()).then((hash) => callback(hash || null)));
      else callback(null);
    },
    addUserProperties: setTraits,
    trackPageview: (path) => page(path),
    trackPageEvent: track,
    event: track,
    trackEvent: track,
    setCustomVariable,
    trackDynamicVariable,
    "ec:transaction:create": (transaction) => (order = { ...transaction, items: [] }),
    "ec:transaction:items:add": (item) => order && order.items.push(item),
    "ec:transaction:send"() {
      if (!order) return;
      const { id, revenue, currency, items } = order;
      const name = String(id);
      hitNow("order", { name, revenue: +revenue, currency, properties: { order_id: name, items } });
      order = undefined;
    },
    addEventProperties: (properties) => changeProperties((old) => ({ ...old, ...properties })),
    removeEventProperty: (name) => changeProperties((old) => void delete old[name]),
    clearEventProperties: () => changeProperties(() => ({})),
    optIn: own.optIn,
    optOut: own.optOut,
    setPath: (path) => (nextPath = path),
    setQuery: (query) => (nextQuery = query),
  };

  // Commands called before the script was there are carried out now; a wrong one does not stop the others.
  const answer = (api, name, waiting) => {
    api.push = (...commands) => {
      for (const [command, ...values] of commands) {
        try {
          api[command](...values);
        } catch (error) {
          complain(command, error);
        }
      }
    };
    window[name] = api;
    if (Array.isArray(waiting)) api.push(...waiting);
  };

  const metricswave = (event, params) => {
    const hit = draft("track");
    when(() => {
      hit.anonymous_id = anonymousId();
      keep("webhooks/" + event, webhook(hit, { url: hit.url, ...params }));
    });
  };
  window.metricswave = Object.assign(metricswave, {
    track: metricswave,
    setUser: (id) => (id === null || id === undefined || id === "" ? reset(true) : identify(id)),
  });

  // --- what happens by itself ---------------------------------------------------------------------------------------

  function onClick(event) {
    const target = event.target.closest ? event.target : document.body;
    const marked = event.type === "click" && target.closest('[class*="metricswave-event-uuid--"]');
    if (marked) {
      const params = {};
      let name;
      for (const word of marked.classList) {
        const [, key, value] = /^metricswave-event-(uuid|param-.+?)--(.*)$/.exec(word) || [];
        if (key === "uuid") name = value;
        else if (key) params[key.slice(6)] = value;
      }
      metricswave(name, params);
    }
    const link = target.closest("a[href]");
    if (!link || link.host === location.host || !/^http/.test(link.protocol) || !listed(link) || !allowed()) return;
    const url = new URL(link.href);
    url.searchParams.set(ID, stamp(anonymousId(), now() / 1e3));
    link.href = url.href;
  }
  const listed = ({ host, hostname }) => domains.includes(host) || domains.includes(hostname);

  // A visitor handed over by one of our other domains keeps their ID. Anybody can write a link: it must come from there.
  function takeOver() {
    const url = new URL(location.href);
    const handed = url.searchParams.get(ID);
    if (!handed) return;
    url.searchParams.delete(ID);
    history.replaceState(history.state, "", url.href);
    const { id, made } = parse(handed) || {};
    if (!id || Math.abs(now() / 1e3 - made) > HAND_OVER_S || !from || !listed(new URL(from))) return;
    when(() => user() || writeId(id, now() / 1e3));
  }

  function begin() {
    if (!allowed()) forget();
    takeOver();
    for (const name of ["pushState", "replaceState"]) {
      const real = history[name];
      history[name] = function (...values) {
        real.apply(this, values);
        setTimeout(auto); // the page has its new title then
      };
    }
    addEventListener("popstate", () => setTimeout(auto));
    addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      last = undefined; // back from the browser's cache: seen again
      auto();
    });
    addEventListener("pagehide", () => flush(true));
    addEventListener("online", () => {
      notBefore = 0;
      flush();
    });
    addEventListener("storage", release); // consent given in another tab
    document.addEventListener("visibilitychange", () => document.hidden && flush());
    document.addEventListener("click", onClick, true);
    document.addEventListener("auxclick", onClick, true);
    answer(contentsquare, "_uxa", window._uxa);
    answer(own, "seamline", early);
    auto();
    later(STRAY_MS + 1e3);
  }
  // A page made ready before anybody looks at it is not seen yet.
  if (document.prerendering) document.addEventListener("prerenderingchange", begin, { once: true });
  else begin();
})();
