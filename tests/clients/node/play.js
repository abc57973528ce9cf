// Lets the real matomo-tracker send what stands on stdin: {"url", "idsite", "bulk", "hits": [parameters, ...]}.
"use strict";
const { createRequire } = require("node:module");
const { subscribe } = require("node:diagnostics_channel");
const MatomoTracker = createRequire(`${process.cwd()}/package.json`)("matomo-tracker");
const { url, idsite, bulk, hits } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));

// track() leaves its answer unread, which keeps the connection and this process alive until the server hangs up.
subscribe("http.client.response.finish", ({ response }) => response.resume());

const tracker = new MatomoTracker(idsite, url);
tracker.on("error", (error) => {
  console.error(error);
  process.exitCode = 1;
});
if (bulk) tracker.trackBulk(hits, (answer) => console.log(answer));
else for (const hit of hits) tracker.track(hit);
