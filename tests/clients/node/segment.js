// Lets the real @segment/analytics-node play the story that stands on stdin (see tests/clients/analytics.py).
"use strict";
const { createRequire } = require("node:module");
const { Analytics } = createRequire(`${process.cwd()}/package.json`)("@segment/analytics-node");
const { url, key, site, user, times, laptop, laptopAfter, phone } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));

const analytics = new Analytics({ writeKey: key, host: url, maxRetries: 0 });
analytics.on("error", (error) => {
  console.error(error);
  process.exitCode = 1;
});
const page = (scene, path, anonymousId) =>
  analytics.page({ anonymousId, name: path, properties: { url: site + path }, timestamp: new Date(times[scene]) });
const login = (scene, anonymousId) =>
  analytics.identify({ anonymousId, userId: user, traits: { plan: "pro" }, timestamp: new Date(times[scene]) });

page(0, "/", laptop);
login(1, laptop);
page(2, "/account", laptop);
page(4, "/bye", laptopAfter);
page(5, "/phone", phone);
login(6, phone);
page(7, "/basket", phone);
analytics.closeAndFlush();
