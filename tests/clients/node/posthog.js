// Lets the real posthog-node play the story that stands on stdin (see tests/clients/analytics.py).
"use strict";
const { createRequire } = require("node:module");
const { PostHog } = createRequire(`${process.cwd()}/package.json`)("posthog-node");
const { url, key, site, user, times, laptop, laptopAfter, phone } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));

const client = new PostHog(key, { host: url, flushAt: 20, fetchRetryCount: 0 });
client.on("error", (error) => {
  console.error(error);
  process.exitCode = 1;
});
const page = (scene, path, distinctId, visitor) =>
  client.capture({
    distinctId,
    event: "$pageview",
    properties: { $current_url: site + path, ...(visitor ? { $process_person_profile: false } : {}) },
    timestamp: new Date(times[scene]),
  });
const login = (scene, anonymousId) =>
  client.capture({
    distinctId: user,
    event: "$identify",
    properties: { $anon_distinct_id: anonymousId, $set: { plan: "pro" } },
    timestamp: new Date(times[scene]),
  });

page(0, "/", laptop, true);
login(1, laptop);
page(2, "/account", user, false);
page(4, "/bye", laptopAfter, true);
page(5, "/phone", phone, true);
login(6, phone);
page(7, "/basket", user, false);
client.shutdown();
