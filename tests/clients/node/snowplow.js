// Lets the real @snowplow/node-tracker send what stands on stdin: {"url", "appId", "device", "get", "steps": [...]}.
"use strict";
const { createRequire } = require("node:module");
const { newTracker, buildPageView } = createRequire(`${process.cwd()}/package.json`)("@snowplow/node-tracker");
const { url, appId, device, get, steps } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));

const failed = (failure) => {
  console.error(failure);
  process.exitCode = 1;
};
const eventMethod = get ? "get" : "post";
const emitter = { endpoint: url, eventMethod, bufferSize: 2, onRequestFailure: failed };
const tracker = newTracker({ namespace: "shop", appId }, emitter);
tracker.setDomainUserId(device.id);
tracker.setUseragent(device.userAgent);
tracker.setLang(device.language);
for (const step of steps) {
  tracker.setUserId(step.userId || null);
  tracker.track(buildPageView({ pageUrl: step.url, pageTitle: step.title }), null, { type: "ttm", value: step.atMs });
}
tracker.flush();
