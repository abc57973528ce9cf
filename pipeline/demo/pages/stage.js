// The journey beside the two frames: asks what became of their devices, and draws it. Nothing here decides anything.
"use strict";
(() => {
  const FRAMES = ["laptop", "phone"];
  const EVERY_MS = 700;
  const byId = (id) => document.getElementById(id);
  const account = (frame) => JSON.parse(localStorage.getItem(`shop.account.${frame}`) ?? "null");
  const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
  // Signing out changes a device's ID: the earlier ones stay part of what was done in this tab.
  let seen = JSON.parse(sessionStorage.getItem("seen") ?? "{}");
  let drawn = "";

  function devices() {
    for (const frame of FRAMES) {
      const id = localStorage.getItem(`seamline.id.${frame}`);
      if (id && !seen[id]) seen[id] = frame;
    }
    sessionStorage.setItem("seen", JSON.stringify(seen));
    return Object.keys(seen).slice(-16);
  }

  function svg(id, className) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", `#${id}`);
    node.setAttribute("class", className);
    node.setAttribute("aria-hidden", "true");
    node.append(use);
    return node;
  }

  function element(name, className, ...children) {
    const node = document.createElement(name);
    node.className = className;
    node.append(...children);
    return node;
  }

  function markOf(action) {
    if (action.type === "identify") return "mark-sign-in";
    if (action.type === "logout") return "mark-sign-out";
    return `mark-${action.attribution}`;
  }

  function sentence(action) {
    if (action.type === "page") return action.title.replace(" · Larkfield", "");
    if (action.type === "identify") return "Signed in";
    if (action.type === "logout") return "Signed out";
    if (action.name === "add_to_basket") return `Into the basket: ${action.sku}`;
    if (action.name === "order") return `Order, ${action.revenue} €`;
    return action.name || action.type;
  }

  // Rows between a claimed action and the sign-in that claimed it, per lane: where the stitches run.
  function stitches(actions) {
    const runs = [];
    actions.forEach((action, first) => {
      if (action.attribution !== "backfilled") return;
      const last = actions.findIndex((next, at) => at > first && next.device === action.device && next.user_id);
      if (last > first) runs.push({ lane: seen[action.device], first, last });
    });
    return (lane, at) => {
      const run = runs.filter((one) => one.lane === lane && one.first <= at && at <= one.last);
      if (!run.length) return "";
      const begins = run.every((one) => one.first === at) ? " stitch-first" : "";
      return ` stitch${begins}${run.every((one) => one.last === at) ? " stitch-last" : ""}`;
    };
  }

  function row(action, at, stitch) {
    const time = element("time", "", new Date(action.at).toLocaleTimeString([], { hourCycle: "h23" }));
    const lanes = FRAMES.map((lane) => {
      const mine = seen[action.device] === lane;
      return element("span", `lane${stitch(lane, at)}`, ...(mine ? [svg(markOf(action), "mark")] : []));
    });
    const what = element("span", "what", sentence(action));
    const where = element("span", "hidden", `on the ${seen[action.device]}`);
    return element("li", action.attribution, time, ...lanes, what, where, element("span", "word", action.attribution));
  }

  function draw({ actions }) {
    const mine = actions.filter((action) => seen[action.device]);
    const others = actions.filter((action) => !seen[action.device]);
    const stitch = stitches(mine);
    const scroll = byId("scroll");
    const atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60;
    byId("rows").replaceChildren(...mine.map((action, at) => row(action, at, stitch)));
    if (atEnd) scroll.scrollTop = scroll.scrollHeight;
    const visitors = new Set(actions.map((action) => action.user_id || action.device)).size;
    const persons = new Set(actions.map((action) => action.person)).size;
    const claimed = actions.filter((action) => action.attribution === "backfilled").length;
    byId("visitors").textContent = plural(visitors, "visitor");
    byId("persons").textContent = plural(persons, "person");
    byId("claimed").textContent = plural(claimed, "action");
    const elsewhere = new Set(others.map((action) => action.device)).size;
    byId("others").hidden = !others.length;
    byId("others").textContent = `And before: ${plural(others.length, "action")} on ${plural(elsewhere, "other device")}.`;
    tell(mine);
    byId("peek").textContent = `${plural(visitors, "visitor")}, ${plural(persons, "person")}, ${claimed} claimed back`;
  }

  function tell(mine) {
    const names = FRAMES.map((frame) => account(frame)?.name);
    const [laptop, phone] = names;
    FRAMES.forEach((frame, at) => (byId(`who-${frame}`).textContent = names[at] ?? "nobody signed in"));
    const nobodys = mine.filter((action) => action.attribution === "anonymous").length;
    const claimed = mine.filter((action) => action.attribution === "backfilled").length;
    const earlier = claimed ? ` ${plural(claimed, "earlier action")} claimed back.` : "";
    if (laptop && phone && laptop !== phone) {
      say("Two devices, two persons.", `${laptop} and ${phone}. Nothing is joined that should not be.${earlier}`);
    } else if (laptop && phone) {
      say("Two devices, one person.", `${laptop}, on the laptop and on the phone.${earlier}`);
    } else if (laptop || phone) {
      const [here, there] = laptop ? FRAMES : [...FRAMES].reverse();
      say(`The ${here} is ${laptop ?? phone}.`, `${earlier} The ${there} is still nobody's: sign in there, too.`.trim());
    } else if (nobodys > 2) {
      say("Two devices, nobody signed in.", `${plural(nobodys, "action")} belong to nobody yet. Now sign in on one of the two.`);
    }
  }

  function say(headline, subline) {
    byId("headline").textContent = headline;
    byId("subline").textContent = subline;
  }

  function showCurl() {
    const hit = { type: "page", title: "A page of mine", anonymous_id: localStorage.getItem("seamline.id.laptop") ?? "" };
    byId("curl").textContent = `curl '${location.origin}/v1/hits?key=demo' -d '${JSON.stringify(hit)}'`;
  }

  async function look() {
    showCurl();
    const query = new URLSearchParams(devices().map((id) => ["device", id]));
    for (const id of new Set(FRAMES.map((frame) => account(frame)?.id))) if (id) query.append("user", id);
    try {
      const reply = await fetch(`/demo/journey.json?${query}`);
      const text = reply.ok ? await reply.text() : "";
      byId("live").className = text ? "live" : "live live-off";
      byId("live").textContent = text ? "live" : "no answer, trying again";
      const state = text + query;
      if (text && state !== drawn) draw(JSON.parse(text));
      if (text) drawn = state;
    } catch {
      byId("live").className = "live live-off"; // the demo was stopped; it may come back
      byId("live").textContent = "stopped";
    }
    setTimeout(look, EVERY_MS);
  }

  byId("again").addEventListener("click", () => {
    for (const name of Object.keys(localStorage)) if (/\.(laptop|phone)$/.test(name)) localStorage.removeItem(name);
    seen = {};
    sessionStorage.removeItem("seen");
    location.reload();
  });
  look();
})();
