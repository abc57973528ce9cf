// Lets the real @umami/node send what stands on stdin: {"url", "website", "host", "userAgent", "steps": [...]}.
"use strict";
const { createRequire } = require("node:module");
const { Umami } = createRequire(`${process.cwd()}/package.json`)("@umami/node");
const { url, website, host, userAgent, steps } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));

const client = new Umami({ websiteId: website, hostUrl: url, userAgent });
const send = async ({ path, title, userId, signsIn }) => {
  const page = { hostname: host, url: path, title };
  if (signsIn) return client.identify({ id: userId, plan: "pro" });
  return client.track(userId ? { ...page, id: userId } : page);
};
(async () => {
  for (const step of steps) {
    const answer = await send(step);
    console.log(JSON.stringify({ status: answer.status, ...(await answer.json()) }));
  }
})();
