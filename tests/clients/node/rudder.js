// Lets the real @rudderstack/rudder-sdk-node play the story that stands on stdin (see tests/clients/analytics.py).
"use strict";
const { createRequire } = require("node:module");
const Analytics = createRequire(`${process.cwd()}/package.json`)("@rudderstack/rudder-sdk-node");
const { url, key, site, user, times, laptop, phone } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));

const analytics = new (Analytics.default ?? Analytics)(key, { dataPlaneUrl: url, flushAt: 1, logLevel: "error" });
const sent = [];
const send = (kind, message) =>
  sent.push(new Promise((done, fail) => analytics[kind](message, (error) => (error ? fail(error) : done()))));
const page = (scene, path, anonymousId, userId) =>
  send("page", {
    anonymousId,
    ...(userId ? { userId } : {}),
    name: path,
    properties: { url: site + path },
    originalTimestamp: new Date(times[scene]),
    timestamp: new Date(times[scene]),
  });
const login = (scene, anonymousId) =>
  send("identify", { anonymousId, userId: user, traits: { plan: "pro" }, originalTimestamp: new Date(times[scene]), timestamp: new Date(times[scene]) });

page(0, "/", laptop);
login(1, laptop);
page(2, "/account", laptop, user);
page(4, "/bye", laptop);
page(5, "/phone", phone);
login(6, phone);
page(7, "/basket", phone, user);
Promise.all(sent).then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
